import json
from datetime import datetime

import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from tests import states
from tests.ui.fake import app_of, settled
from tests.ui.panes.conftest import PaneApp
from tests.ui.screens import screen_text
from voicelive_tui.session.latency import Turn
from voicelive_tui.ui.detail import EventDetail
from voicelive_tui.ui.panes import Place
from voicelive_tui.ui.panes.events import EventsPane, event_line, gap, moment
from voicelive_tui.ui.rows import Fold
from voicelive_tui.wire.log import EventLog


def with_log(log):
    return replace(states.IDLE, log=log)


async def test_both_directions_folded_with_counts_and_bytes():
    pane = EventsPane()
    async with PaneApp(pane).run_test(size=(120, 40)) as pilot:
        pane.session = states.SPEAKING
        await pilot.pause()
        shown = screen_text(pilot.app)
        assert "→  session.update " in shown
        assert "←  response.audio.delta ×29" in shown
        assert "139 kB" in shown
        sizes, others = "response.audio.delta ×", "response.created"  # columns are the same in lines of either kind
        lines = {name: next(line for line in shown.split("\n") if name in line) for name in (sizes, others)}
        assert lines[sizes].index("139 kB") == lines[others].index("in_progress")
        assert "←  response.done" in shown
        assert "completed · 412 tokens" in shown
        assert "3 Events 223" in shown


async def test_counting_up_repaints_only_that_line():
    pane = EventsPane()
    async with PaneApp(pane).run_test(size=(120, 40)) as pilot:
        log = states.event(EventLog(), 0.0, "out", "input_audio_buffer.append", size=10)
        pane.session = with_log(log)
        await pilot.pause()
        asked = []
        refresh = pane.view.refresh
        pane.view.refresh = lambda *regions, **options: (asked.extend(regions), refresh(*regions, **options))[1]
        pane.session = with_log(states.event(log, 0.1, "out", "input_audio_buffer.append", size=10))
        assert asked
        assert all(region.y == 0 and region.height == 1 and region.width < 60 for region in asked)
        await pilot.pause()
        assert "input_audio_buffer.append ×2" in screen_text(pilot.app)


async def test_the_cursor_comes_back_when_the_filter_that_hid_its_row_goes():
    pane = EventsPane()
    async with PaneApp(pane).run_test(size=(120, 40)) as pilot:
        pane.session = states.SPEAKING
        await pilot.pause()
        pane.view.go_to(5)
        row = pane.selected()
        for text in ("z", "zz", ""):
            pane.query_changed(text)
        assert not pane.view.following
        assert pane.selected() == row
        pane.query_changed("zz")
        pane.view.follow(True)
        pane.query_changed("")
        assert pane.view.following


async def test_only_lines_below_count_as_new():
    pane = EventsPane()
    async with PaneApp(pane).run_test(size=(120, 40)) as pilot:
        log = states.event(EventLog(), 0.0, "out", "input_audio_buffer.append", size=10)
        pane.session = with_log(log)
        await pilot.pause()
        pane.target.focus()
        await pilot.press("k")
        for at in range(5):
            log = states.event(log, 0.1 + at, "out", "input_audio_buffer.append", size=10)
        pane.session = with_log(log)
        await pilot.pause()
        assert "new" not in screen_text(pilot.app)
        pane.session = with_log(states.event(log, 9.0, "in", "response.created"))
        await pilot.pause()
        assert "↓ 1 new" in screen_text(pilot.app)


async def test_filter_says_shown_of_total_and_refuses_nonsense():
    pane = EventsPane()
    app = PaneApp(pane)
    async with app.run_test(size=(120, 40)) as pilot:
        pane.session = states.SPEAKING
        pane.query_changed("type:speech_ !stopped")
        await pilot.pause()
        assert "3 Events 2 of 223 ─" in screen_text(app)
        pane.query_changed("/(/")
        await pilot.pause()
        assert "not a regular expression" in app.said[0]
        assert "2 of 223" in screen_text(app)
        pane.query_changed("")
        await pilot.pause()
        assert "3 Events 223" in screen_text(app)


async def test_the_cursor_stays_on_its_row_when_the_filter_changes():
    pane = EventsPane()
    async with PaneApp(pane).run_test(size=(120, 40)):
        pane.session = states.SPEAKING
        assert pane.go_to(
            Place(seq=next(row.seq for row in states.SPEAKING.log.since(0) if row.type == "response.done"))
        )
        pane.query_changed("response")
        assert pane.selected().type == "response.done"
        assert not pane.view.following


async def test_paused_it_counts_new_rows():
    pane = EventsPane()
    async with PaneApp(pane).run_test(size=(120, 12)) as pilot:
        pane.session = states.SPEAKING
        pane.target.focus()
        await pilot.press("k")
        pane.session = states.INTERRUPTED
        await pilot.pause()
        shown = screen_text(pilot.app)
        assert "↓ 2 new" in shown
        assert "paused  f follows" in shown


async def test_unfolded_shows_every_delta_and_log_records():
    pane = EventsPane()
    async with PaneApp(pane).run_test(size=(120, 40)) as pilot:
        log = states.SPEAKING.log.append(states.START + 30, "log", "azure.core", "a record", severity="warning")
        pane.session = with_log(log)
        assert not any(row.type == "azure.core" for row in _rows(pane))
        pane.toggle_unfolded()
        await pilot.pause()
        assert len(pane.view.rows) == len(log)
        shown = screen_text(pilot.app)
        assert "unfolded" in shown
        assert "≡! azure.core" in shown


def _rows(pane):
    return [pane.view.row_at(index) for index in range(pane.view.count)]


async def test_log_records_are_shown_when_they_are_asked_for():
    pane = EventsPane()
    session = replace(states.SPEAKING, log=states.SPEAKING.log.append(9.0, "log", "azure.core", "a record"))
    async with PaneApp(pane).run_test(size=(120, 24)) as pilot:
        pane.session = session
        await pilot.pause()
        assert "a record" not in screen_text(pilot.app)
        pane.query_changed("dir:log")
        await pilot.pause()
        assert "a record" in screen_text(pilot.app)
        assert f"1 of {len(session.log)}" in screen_text(pilot.app)
        pane.query_changed("record")
        await pilot.pause()
        assert "a record" not in screen_text(pilot.app)


async def test_an_event_opens_as_a_tree_beside_the_list():
    pane = EventsPane()
    app = PaneApp(pane)
    async with app.run_test(size=(120, 40)) as pilot:
        pane.session = states.SPEAKING
        pane.target.focus()
        await pilot.press("g", "j", "j", "enter")
        await pilot.pause()
        shown = screen_text(app)
        assert "voice" in shown
        assert "name: en-US-Ava:DragonHDLatestNeural" in shown
        assert json.loads(pane.to_copy()[0])["type"] == "session.update"
        detail = pane.query_one(EventDetail)
        detail.focus()
        await pilot.press("j", "j", "j", "j")
        await pilot.pause()
        assert pane.to_copy() == ("gpt-realtime", "this value")
        assert pane.close()
        assert not pane.close()


async def test_the_inspector_has_the_time_of_day(monkeypatch):
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        monkeypatch.setattr(app.screen, "unix_time", lambda at: states.EPOCH + at)
        await pilot.press("3", "g", "j", "enter")
        await pilot.pause()
        expected = datetime.fromtimestamp(states.EPOCH + states.START + 0.02).astimezone()
        assert expected.isoformat(" ", "milliseconds") in screen_text(app)


async def test_hostile_events_are_drawn_verbatim_and_harmless():
    pane = EventsPane()
    async with PaneApp(pane).run_test(size=(120, 40)) as pilot:
        deep = "[" * 900 + "]" * 900
        log = EventLog()
        log = log.append(1.0, "in", "\x1b[31mtype[bold]", '{"[b]key[/b]": "\\u001b]52;c;x\\u0007"}')
        log = log.append(1.1, "in", "deep", deep)
        log = log.append(1.2, "in", "many", json.dumps({"list": list(range(10_000))}))
        log = log.append(1.3, "in", "long", json.dumps({"text": "y" * 1_000_000}))
        pane.session = with_log(log)
        await pilot.pause()
        assert "␛[31mtype[bold]" in screen_text(pilot.app)
        for seq in range(4):
            pane.go_to(Place(seq=seq))
            pane.open(pane.view.count - 1 if pane.view.cursor is None else pane.view.cursor)
            await pilot.pause()
        pane.go_to(Place(seq=0))
        await pilot.pause()
        assert "[b]key[/b]: ␛]52;c;x␇" in screen_text(pilot.app)
        pane.go_to(Place(seq=3))
        assert " of 1,000,012 characters left out " in pane.to_copy()[0]


async def test_the_limit_of_the_log_is_shown():
    pane = EventsPane()
    async with PaneApp(pane).run_test(size=(120, 10)) as pilot:
        log = EventLog()
        for n in range(EventLog.LIMIT + 2 * EventLog.CHUNK):
            log = log.append(float(n), "in", "x.y", "{}")
        pane.session = with_log(log)
        await pilot.pause()
        assert f"50,512, {len(log):,} kept" in screen_text(pilot.app)
        pane.query_changed("y")
        await pilot.pause()
        assert f"{len(log):,} of {len(log):,} kept" in screen_text(pilot.app)
        assert EventLog.LIMIT <= len(pane.view.rows) == len(log) <= EventLog.LIMIT + EventLog.CHUNK


def test_times():
    assert moment(0) == "0:00.000"
    assert moment(12.3456) == "0:12.346"
    assert moment(3662.5) == "61:02.500"
    assert gap(0.0001) == ""
    assert gap(0.25) == "+0.250"
    assert gap(123.4) == "+123"
    assert gap(123456) == "+++"


async def test_a_regular_expression_that_takes_for_ever_is_refused():
    pane = EventsPane()
    async with PaneApp(pane).run_test(size=(120, 10)) as pilot:
        pane.session = with_log(states.event(EventLog(), 1.0, "in", "x.y", words="some words"))
        await pilot.pause()
        pane.query_changed("words")
        pane.query_changed("/(a|a)+!/")
        assert pane.query_text == "/(a|a)+!/"
        pane.session = with_log(states.event(pane.session.log, 2.0, "in", "x.y", words="a" * 5000))
        await pilot.pause()
        assert pilot.app.said[-1] == "/(a|a)+!/ takes too long: simplify it"
        assert pane.query_text == ""
        pane.query_changed("words")
        pane.query_changed("/(a|a)+!/")
        await pilot.pause()
        assert len(pilot.app.said) == 2
        assert pane.query_text == "words"
        assert len(pane.view.rows) == 2


async def test_the_id_column_keeps_its_width():
    pane = EventsPane()
    async with PaneApp(pane).run_test(size=(120, 10)) as pilot:
        log = states.event(EventLog(), 1.0, "in", "response.done", item_id="漢" * 30, response={"status": "completed"})
        pane.session = with_log(
            states.event(log, 2.0, "in", "response.done", item_id="item_1", response={"status": "completed"})
        )
        await pilot.pause()
        wide, narrow = (line for line in screen_text(pilot.app).splitlines() if "completed" in line)
        assert cell_len(wide[: wide.index("completed")]) == cell_len(narrow[: narrow.index("completed")])


async def test_a_rule_with_its_number_is_above_the_first_event_of_each_turn_with_and_without_a_filter():
    pane = EventsPane()
    log = states.event(EventLog(), 0.0, "in", "session.created")
    for turn, at in ((1, 1.0), (2, 5.0)):
        log = states.event(log, at, "in", "input_audio_buffer.speech_started", item_id=f"u{turn}")
        log = states.event(log, at + 1, "in", "response.created", response_id=f"r{turn}")
    turns = tuple(Turn(n, speech_started_at=states.START + at) for n, at in ((1, 1.0), (2, 5.0), (3, 9.0)))
    async with PaneApp(pane).run_test(size=(100, 12)) as pilot:
        pane.session = replace(states.IDLE, log=log, turns=turns)
        await pilot.pause()

        def drawn():
            lines = ["".join(text for text, _ in pane.view.line(y)) for y in range(pane.view.height)]
            return [
                "turn " + line.split()[2] if "──" in line else line.split()[-1].rpartition(".")[2] for line in lines
            ]

        assert [line for line in drawn() if line.startswith("turn")] == ["turn 1", "turn 2"]
        assert [y for y, line in enumerate(drawn()) if line.startswith("turn")] == [1, 4]
        for index in range(5):
            assert pane.view.item_at(pane.view.top_of(index)) == index
        assert pane.view.item_at(1) is None
        pane.query_changed("type:response")
        assert [y for y, line in enumerate(drawn()) if line.startswith("turn")] == [0, 2]


@pytest.mark.parametrize(
    ("type_", "tone"),
    [("response.done", "good"), ("input_audio_buffer.committed", "input"), ("conversation.item.created", "item")],
)
def test_families_of_events_have_tones_and_what_is_wrong_has_its_own(type_, tone):
    (row,) = states.event(EventLog(), 0.0, "in", type_).since(0)
    (bad,) = states.event(EventLog(), 0.0, "in", "error").since(0)
    assert [event_line(each, Fold(0, 0, 1, 0), 0.0, 0.0, 120)[3][1] for each in (row, bad)] == [tone, "bad"]


@pytest.mark.parametrize("rows", [1, 35])
def test_beside_the_inspector_of_a_narrow_terminal_types_keep_their_end(rows):
    (row,) = states.event(EventLog(), 0.0, "in", "input_audio_buffer.committed").since(0)
    line = event_line(row, Fold(0, 0, rows, 0), 0.0, 0.0, 43)
    shown = "".join(text for text, _ in line)[:43].rstrip()
    assert shown.endswith("buffer.committed" if rows == 1 else "committed ×35")


def test_a_summary_of_which_nothing_could_be_read_is_left_out():
    (row,) = states.event(EventLog(), 0.0, "in", "response.done", response={"status": "completed"}).since(0)
    beside = [event_line(row, Fold(0, 0, 1, 0), 0.0, 0.0, width)[-1][0] for width in (52, 56)]
    assert beside == ["", "com…"]
