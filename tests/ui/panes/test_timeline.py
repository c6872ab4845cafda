"""The timeline: levels and marks at their columns, which stay where they are while the newest one moves on."""

import time

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.states import START
from tests.ui.fake import app_of, settled
from tests.ui.panes.conftest import PaneApp
from tests.ui.screens import screen_text
from voicelive_tui.session.calls import Call
from voicelive_tui.session.history import spoken
from voicelive_tui.session.latency import Turn
from voicelive_tui.session.reading import Meter, Reading
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.transcript import Entry
from voicelive_tui.ui.pace import LEAN, NORMAL
from voicelive_tui.ui.panes import Place
from voicelive_tui.ui.panes.timeline import BLOCKS, SIGNS, History, TimelinePane, heights, marks
from voicelive_tui.wire.log import EventLog

SIZE = (114, 8)
"""100 columns, two rows a lane."""


@given(st.floats(-120, 6), st.integers(1, 12))
def test_a_column_is_filled_from_below(dbfs: float, rows: int) -> None:
    column = heights(dbfs, rows)
    filled = [BLOCKS.index(cell) for cell in reversed(column)]
    assert len(column) == rows
    assert filled == sorted(filled, reverse=True)
    assert sum(0 < cell < 8 for cell in filled) <= 1


@given(st.lists(st.tuples(st.floats(0, 400), st.floats(-96, 0)), min_size=1, max_size=40))
def test_the_history_has_the_loudest_level_of_each_moment(levels: list[tuple[float, float]]) -> None:
    history, at, put = History(), 100.0, []
    for later, dbfs in levels:
        at += later
        history.put(at, Reading(capture=Meter(rms=dbfs)))
        put.append((at, dbfs))
    for when, _ in put:
        same = [dbfs for at_, dbfs in put if int(at_ / 0.1) == int(when / 0.1)]
        ((found, silent),) = history.levels(when, when, 1)
        recent = int(at / 0.1) - int(when / 0.1) < 6_000
        assert abs(found - max(same)) <= 0.5 if recent else found == -96
        assert silent == -96


def turn(at: float = START) -> Turn:
    heard = {"created_at": at + 4, "heard_at": at + 5, "interrupted_at": at + 8}
    return Turn(1, speech_started_at=at + 1, speech_stopped_at=at + 3, committed_at=at + 3.5, **heard)


def test_an_interruption_hides_the_speech_that_began_it() -> None:
    found = list(marks(SessionState(turns=(turn(), turn(START + 7)))))
    assert [mark.sign for mark in found if mark.at == START + 8] == ["[", "!"]


def test_the_marks_are_the_moments_of_the_turns_and_calls() -> None:
    call = Entry("item_c", "tool", START, call=Call("function", "weather", complete_at=START + 6))
    found = marks(SessionState(turns=(turn(),), transcript=(call,)))
    assert "".join(mark.sign for mark in sorted(found)) == "[]cr>t!"
    assert list(marks(SessionState())) == []


async def test_every_mark_has_a_name() -> None:
    call = Entry("item_c", "tool", START, call=Call("function", "weather", complete_at=START + 6))
    pane = TimelinePane(NORMAL)
    async with PaneApp(pane).run_test(size=SIZE) as pilot:
        pane.session = SessionState(turns=(turn(),), transcript=(call,))
        pane.underruns = [START + 9.0]
        pane.locate(START)
        named = []
        while len(named) < len(SIGNS):
            before = pane.cursor
            pane.next_match(1)
            assert pane.cursor != before
            await pilot.pause()
            named.append(next(name for name in SIGNS.values() if name in screen_text(pilot.app)))
        assert sorted(named) == sorted(SIGNS.values())


def lanes(app: PaneApp) -> list[str]:
    """The lines below the head, without the labels."""
    return [line[12:112].ljust(100) for line in screen_text(app).splitlines()[1:6]]


async def test_levels_and_marks_are_at_their_columns_and_stay_there(monkeypatch) -> None:
    now = START + 20.0
    monkeypatch.setattr("voicelive_tui.ui.panes.timeline.now_of", lambda _: now)
    pane = TimelinePane(NORMAL)
    pane.levels = lambda begin, end, count: [
        (-3.0 if START + 10 <= begin + (end - begin) * (x + 0.5) / count < START + 11.5 else -96.0, -96.0)
        for x in range(count)
    ]
    async with PaneApp(pane).run_test(size=SIZE) as pilot:
        pane.styles.height = 7
        await pilot.pause()
        pane.session = SessionState(turns=(turn(),))
        pane.redraw()
        await pilot.pause()
        before = lanes(pilot.app)
        signs = {int((START + later) / 0.3) % 100: sign for later, sign in ((1, "["), (3, "]"), (5, ">"), (8, "!"))}
        assert {x: before[2][x] for x in signs} == signs
        loud = [x for x, cell in enumerate(before[1]) if cell == "█"]
        assert len(loud) == 5
        now += 3.0
        pane.redraw()
        await pilot.pause()
        after = lanes(pilot.app)
        changed = {
            x
            for old, new in zip(before, after, strict=True)
            for x, pair in enumerate(zip(old, new, strict=True))
            if len(set(pair)) > 1
        }
        assert len(changed) <= 12
        assert after[1].index("█") == loud[0]


async def test_longer_and_shorter_times_are_shown_by_keys() -> None:
    pane = TimelinePane(NORMAL)
    async with PaneApp(pane).run_test(size=SIZE) as pilot:
        await pilot.pause()
        pane.target.focus()
        for key, shown in (("[", "60 s"), ("[", "60 s"), ("]", "30 s"), ("]", "20 s")):
            await pilot.press({"[": "left_square_bracket", "]": "right_square_bracket"}[key])
            await pilot.pause()
            assert shown in screen_text(pilot.app)


async def test_a_place_is_found_in_the_timeline_and_back() -> None:
    log = EventLog()
    for at in (1.0, 2.0, 3.0):
        log = log.append(START + at, "in", "response.created", "{}", response_id=f"resp_{at:.0f}")
    entry = Entry("item_a", "user", START + 2.5)
    pane = TimelinePane(NORMAL)
    async with PaneApp(pane).run_test(size=SIZE):
        pane.session = SessionState(log=log, transcript=(entry,))
        assert pane.go_to(Place(seq=1))
        assert (pane.cursor, pane.place()) == (START + 2.0, Place("", "resp_2", 1))
        assert pane.go_to(Place("item_a"))
        assert (pane.cursor, pane.place()) == (START + 2.5, Place("", "resp_2", 1))
        assert not pane.go_to(Place("item_b"))
        assert pane.close()
        assert pane.cursor is None
        assert not pane.close()


async def test_the_event_at_the_cursor_is_not_a_log_record() -> None:
    log = EventLog().append(START + 1, "in", "response.created", "{}", response_id="resp_1")
    log = log.append(START + 2, "log", "logger", "a record")
    pane = TimelinePane(NORMAL)
    async with PaneApp(pane).run_test(size=SIZE):
        pane.session = SessionState(log=log)
        pane.locate(START + 3)
        assert pane.place() == Place("", "resp_1", 0)
        pane.session = SessionState(log=EventLog().append(START, "log", "logger", "a record"))
        assert pane.place() is None


async def test_the_mark_under_the_cursor_is_named(monkeypatch) -> None:
    monkeypatch.setattr("voicelive_tui.ui.panes.timeline.now_of", lambda _: START + 20.0)
    pane = TimelinePane(NORMAL)
    async with PaneApp(pane).run_test(size=SIZE) as pilot:
        pane.session = SessionState(log=EventLog().append(START, "in", "session.created", "{}"), turns=(turn(),))
        pane.underruns = [START + 9.0]
        for step, shown in ((1, None), (-1, "at 9.000  underrun"), (-1, "at 8.000  interrupted"), (1, "underrun")):
            pane.next_match(step)
            await pilot.pause()
            assert pane.cursor is None if shown is None else shown in screen_text(pilot.app)


@given(st.floats(0, 1), st.floats(0, 10_000), st.none() | st.floats(0, 10_000))
def test_a_word_has_its_moment_within_the_time_in_which_its_line_was_heard(
    share: float, audio_ms: float, heard_ms: float | None
) -> None:
    entry = Entry("item_a", "assistant", START + 4, response_id="resp_1", audio_ms=audio_ms, heard_ms=heard_ms)
    pane = TimelinePane(NORMAL)
    pane.set_reactive(
        TimelinePane.session, SessionState(turns=(replace(turn(), response_id="resp_1"),), transcript=(entry,))
    )
    start, end = spoken(entry, pane.session.turns[0])
    found = pane.time_of(Place("item_a", share=share))
    assert found is not None
    assert start <= found <= end
    assert start == START + 5


async def test_lean_has_no_timeline() -> None:
    pane = TimelinePane(LEAN)
    async with PaneApp(pane).run_test(size=SIZE) as pilot:
        pane.update_levels(Reading(capture=Meter(rms=-3)))
        await pilot.pause()
        assert "Off with --lean" in screen_text(pilot.app)
        assert not any(block in screen_text(pilot.app) for block in BLOCKS[1:])


async def test_keys_go_to_the_timeline_and_locate_a_line(monkeypatch) -> None:
    log = EventLog().append(time.monotonic() - 5, "in", "response.created", "{}", response_id="resp_1")
    app = app_of(SessionState(log=log, turns=(turn(time.monotonic() - 10),)))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        assert "30 s" not in screen_text(app)
        await pilot.press("3", "l")
        await pilot.pause()
        assert "30 s" in screen_text(app)
        assert "at 0.000" in screen_text(app)
        assert "!" in screen_text(app).split("assistant")[0]
        await pilot.press("escape")
        await pilot.pause()
        assert "at 0.000" not in screen_text(app)
        await pilot.press("2")
        await pilot.pause()
        assert "30 s" not in screen_text(app)


async def test_the_time_of_the_cursor_has_room_in_a_small_terminal() -> None:
    app = app_of(SessionState(log=EventLog().append(time.monotonic() - 5, "in", "error", "{}")))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("3", "l")
        await pilot.pause()
        assert "at 0.000" in screen_text(app)
