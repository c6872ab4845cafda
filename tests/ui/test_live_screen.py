"""When the dashboard draws the state of the shell, and which parts of it."""

import asyncio
import itertools
import time

import pytest
from msgspec.structs import replace

from tests import states
from tests.ui.fake import FakeLive, app_of, drawn, logged, settled
from tests.ui.screens import screen_text
from voicelive_tui.config import Ui
from voicelive_tui.session.calls import Call
from voicelive_tui.session.inputs import Connecting, TalkPressed, VoicedUntil
from voicelive_tui.session.keeping import RecordingChanged
from voicelive_tui.session.observe import observe
from voicelive_tui.session.reading import Meter
from voicelive_tui.session.state import Connection, Recording, SessionState, Stage
from voicelive_tui.session.transcript import Entry
from voicelive_tui.ui import dashboard, pace
from voicelive_tui.ui.app import VoiceLiveApp
from voicelive_tui.ui.pace import NORMAL
from voicelive_tui.ui.panes.meters import MetersPane
from voicelive_tui.ui.panes.transcript import TranscriptPane


async def pauses_between_levels(state, enough, **ui):
    """The seconds from one reading of the levels to the next, until there are enough of them."""
    live = FakeLive(state, states.SPEAKING_READING)
    app = VoiceLiveApp(lambda: live, Ui(**ui), {})
    read_at = []
    reading = live.reading

    def noted():
        read_at.append(time.monotonic())
        return reading()

    live.reading = noted
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        read_at.clear()
        async with asyncio.timeout(60):
            while not enough(pauses := [later - at for at, later in itertools.pairwise(read_at)]):
                await pilot.pause(0.01)
    return pauses


def three_are_short(pauses):
    return sum(pause < 0.4 for pause in pauses) >= 3  # 0.1 where the machine keeps up


async def test_a_lean_screen_draws_levels_less_often():
    assert min(await pauses_between_levels(states.SPEAKING, lambda pauses: len(pauses) == 2, lean=True)) > 0.8
    await pauses_between_levels(states.SPEAKING, three_are_short)


async def test_a_quiet_screen_draws_levels_as_often_as_a_busy_one(monkeypatch):
    monkeypatch.setattr(pace, "QUIET_AFTER", 0.0)
    await pauses_between_levels(states.IDLE, three_are_short)


async def test_panes_are_left_alone_while_nothing_changes():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        screen = app.screen
        told = []
        screen.watch(screen.query_one(TranscriptPane), "session", lambda: told.append(1), init=False)
        await asyncio.sleep(0.3)
        assert told == []


async def test_counts_wait_and_words_do_not():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        screen = app.screen
        screen.pacing.counts_due = float("inf")
        log = states.event(states.SPEAKING.log, 30.0, "out", "input_audio_buffer.append", size=10)
        app.live.state = counted = replace(states.SPEAKING, log=log)
        await asyncio.sleep(0.3)
        assert screen.session is screen.logged is states.SPEAKING
        screen.pacing.counts_due = 0.0
        await drawn(pilot, counted)
        assert screen.logged is counted
        screen.pacing.counts_due = float("inf")
        *before, last = counted.transcript
        app.live.state = worded = replace(counted, transcript=(*before, replace(last, text=last.text + " more")))
        await drawn(pilot, worded)


async def test_a_new_stage_of_the_connection_does_not_wait_for_the_next_frame(monkeypatch):
    monkeypatch.setattr("voicelive_tui.ui.dashboard.NORMAL", NORMAL._replace(frame=60.0, counts=60.0))
    connecting = SessionState(Connection(stage=Stage.CONNECTING))
    app = app_of(connecting)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        assert "CONNECTING" in screen_text(app)
        app.live.state = replace(connecting, connection=Connection(stage=Stage.READY))
        await pilot.pause()
        assert "READY" in screen_text(app)


async def test_stages_that_pass_in_a_moment_are_not_drawn():
    app = app_of(SessionState(Connection(stage=Stage.CONNECTING)))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        drawn_stages = []
        app.screen.watch(app.screen, "session", lambda now: drawn_stages.append(now.connection.stage), init=False)
        for stage in (Stage.CLOSED, Stage.CONNECTING, Stage.CONFIGURING, Stage.READY):
            app.live.state = replace(app.live.state, connection=Connection(stage=stage))
        await drawn(pilot, app.live.state)
        assert drawn_stages == [Stage.CLOSED, Stage.READY]
        app.live.state = connecting = replace(app.live.state, connection=Connection(stage=Stage.CONNECTING))
        await drawn(pilot, connecting)


@pytest.mark.parametrize("theme", ["voicelive-dark", "ansi-dark"])
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_a_new_screen_has_the_styles_that_another_pass_would_give_it(theme, size):
    app = app_of(states.SPEAKING, theme=theme)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        styles = {widget: widget.styles.base.get_rules() for widget in app.screen.walk_children(with_self=True)}
        app.screen.update_node_styles(animate=False)
        assert styles == {widget: widget.styles.base.get_rules() for widget in styles}


async def test_every_change_is_drawn_in_the_end():
    app = app_of(states.IDLE)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        for number in range(100):
            app.live.state = replace(app.live.state, log=states.event(app.live.state.log, 30.0 + number, "in", "x.y"))
            if number % 30 == 0:
                await asyncio.sleep(0.02)
        await logged(pilot)


async def test_the_session_s_end_comes_nearer_where_nothing_else_happens(monkeypatch):
    ends_at = time.monotonic() + 3600
    connection = replace(states.IDLE.connection, expires_at=states.EPOCH + ends_at)
    app = app_of(replace(states.IDLE, connection=connection))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        assert "ends in" not in screen_text(app)
        monkeypatch.setattr(app.screen, "now", lambda: ends_at - 125)
        async with asyncio.timeout(60):
            while "ends in 2:0" not in screen_text(app):
                await pilot.pause(0.05)


async def test_more_lines_cause_no_layout():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        laid_out = []
        app.screen.screen_layout_refresh_signal.subscribe(app.screen, lambda _: laid_out.append(1), immediate=True)
        log = states.SPEAKING.log
        for n in range(30):
            log = states.event(log, 30.0 + n, "in", "response.done")
            app.live.state = replace(states.SPEAKING, log=log)
            await logged(pilot)
            await pilot.pause()
        assert "3 Events 253  5 Tools" in screen_text(app)
        assert laid_out == []


async def test_an_onset_of_sound_is_drawn_before_the_levels_are_due(monkeypatch):
    monkeypatch.setattr(dashboard, "NORMAL", NORMAL._replace(levels=float("inf")))
    app = app_of(states.IDLE, states.Reading())
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        meters = app.screen.query_one(MetersPane)
        app.live.set_reading(states.Reading(capture=Meter(rms=-20.0)))
        await asyncio.sleep(0.2)
        assert meters.reading is not app.live.reading()
        app.live.stirring = True
        async with asyncio.timeout(60):
            while meters.reading is not app.live.reading():
                await pilot.pause(0.01)


async def test_a_key_without_effect_shows_the_reason():
    app = app_of(states.IDLE)
    said = []
    app.notify = lambda message, **options: said.append((message, options["severity"]))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        live = app.live
        warned = replace(live.state, log=live.state.log.append(9.0, "local", "talk", "[b]no[/b]", severity="warning"))
        for event in (TalkPressed(), VoicedUntil(9.0)):  # a warning that no key caused is not for a toast
            for observer in live.observers:
                observer(event, live.state, warned, 9.0)
        await pilot.pause()
    assert said == [("[b]no[/b]", "warning")]


async def test_a_toast_about_a_recording_shortens_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    app = app_of(replace(states.IDLE, recording=Recording()))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        told = []
        app.screen.notify = lambda message, **_: told.append(message)
        log = states.IDLE.log.append(
            50.0, "local", "recording", "recording into /home/somebody/calls/one", severity="info"
        )
        app.live.receive(RecordingChanged(), replace(app.live.state, log=log))
        assert told == ["recording into ~/calls/one"]


async def test_the_clock_moves_each_second_and_every_ten_seconds_where_nothing_happens():
    app = app_of(states.IDLE)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        screen, began_at = app.screen, states.IDLE.began_at
        shown = []
        for seconds, still in ((7, False), (8, False), (9, True), (10, True), (19, True), (21, True), (22, False)):
            screen.show_elapsed(began_at + seconds, still=still)
            shown.append(screen.elapsed)
        assert shown == ["0:07", "0:08", "0:08", "0:10", "0:10", "0:21", "0:22"]


@pytest.mark.parametrize(
    "state",
    [
        replace(states.IDLE, awaiting=True),
        replace(states.IDLE, connection=replace(states.IDLE.connection, stage=Stage.CONNECTING)),
        replace(states.IDLE, transcript=(Entry("item_c", "tool", states.START, call=Call("function", "f")),)),
    ],
    ids=["an answer", "a connection", "a tool"],
)
async def test_each_second_is_counted_while_the_user_waits_though_nothing_happens(state):
    app = app_of(state)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        shown = []
        for seconds in (7, 8, 9):
            app.screen.show_elapsed(state.began_at + seconds, still=True)
            shown.append(app.screen.elapsed)
        assert shown == ["0:07", "0:08", "0:09"]


async def test_the_clock_agrees_with_the_times_of_the_events():
    began_at = states.IDLE.began_at
    state = observe(RecordingChanged("/tmp/a.vlrec"), SessionState(), began_at - 3)
    state = observe(Connecting("http://localhost", "", "m", ""), state, began_at)
    state = replace(state, log=state.log.append(began_at + 5, "in", "session.created", "{}"))
    app = app_of(state)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        app.screen.show_elapsed(began_at + 7, still=False)
        assert app.screen.elapsed == "0:07"
        times = [line.split()[1] for line in screen_text(app).splitlines() if " • " in line or " ← " in line]
        assert times == ["0:00.000", "0:00.000", "0:05.000"]
