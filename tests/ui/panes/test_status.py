import time

import pytest
from msgspec.structs import replace
from textual.app import App

from tests import states
from tests.ui.screens import screen_text
from voicelive_tui.session.continuation import Retry
from voicelive_tui.session.reading import Reading
from voicelive_tui.session.state import Device, Microphone, Problem, Recording, Stage
from voicelive_tui.ui.dashboard import DashboardScreen
from voicelive_tui.ui.panes.status import EXPIRY_NOTICE, Clock, ProblemLine, StatusLine, microphone, service

CLOCK = 9
"""Cells beside the line."""


class OneLine(App[None]):
    BINDINGS = DashboardScreen.BINDINGS
    CSS = "StatusLine, ProblemLine, Clock { height: 1; }"

    def __init__(self, line):
        super().__init__()
        self.line = line

    def compose(self):
        yield self.line


@pytest.mark.parametrize(
    ("mic", "reading", "word_and_tone"),
    [
        (Microphone(), Reading(), ("mic off", "chip")),
        (Microphone(capturing=True), Reading(), ("mic LIVE", "chip-good")),
        (Microphone(capturing=True, muted=True), Reading(), ("mic MUTED", "chip-bad")),
        (Microphone(capturing=True), Reading(gated=True), ("mic gated", "chip-warn")),
        (Microphone(capturing=True, muted=True, ended=True), Reading(), ("mic ended", "chip-warn")),
        (Microphone(capturing=True, push_to_talk=True), Reading(), ("mic waits", "chip")),
        (Microphone(capturing=True, push_to_talk=True, talking=True), Reading(), ("mic LIVE", "chip-good")),
        (Microphone(capturing=True), Reading(stalled=("input",)), ("mic STALLED", "chip-bad")),
    ],
)
def test_the_microphone_label_names_the_fate_of_its_sound(mic, reading, word_and_tone):
    assert microphone(replace(states.IDLE, microphone=mic), reading) == word_and_tone


@pytest.mark.parametrize(
    ("endpoint", "word"),
    [
        ("https://name.services.ai.azure.com", "AZURE"),
        ("wss://eastus.api.cognitive.microsoft.com", "AZURE"),
        ("http://127.0.0.1:8765", "127.0.0.1:8765"),
        ("https://voice.staging.example.com", "voice.staging.…"),
    ],
)
def test_which_service_it_is(endpoint, word):
    assert service(endpoint) == word


def test_no_microphone():
    assert (
        microphone(replace(states.IDLE, microphone=Microphone(), input=Device("", "broken")), Reading())[0]
        == "mic none"
    )


@pytest.mark.parametrize(
    ("name", "word", "tone"),
    [
        ("idle", "READY", "chip"),
        ("listening", "LISTENING", "chip-accent"),
        ("speaking", "SPEAKING", "chip-good"),
        ("failed", "FAILED", "chip-bad"),
    ],
)
async def test_the_word_and_its_tone(name, word, tone):
    line = StatusLine()
    async with OneLine(line).run_test(size=(80, 3)) as pilot:
        line.session = states.NAMED[name]
        line.update_levels(states.SPEAKING_READING)
        await pilot.pause()
        assert word in screen_text(pilot.app).split("\n")[0]
        assert (line.line(0)[0][0].strip(), line.line(0)[0][1]) == (word, tone)


async def test_demo_is_labelled_and_a_near_expiry_is_shown(monkeypatch):
    line = StatusLine()
    ends_at = time.monotonic() + 125
    monkeypatch.setattr("voicelive_tui.ui.timed.monotonic", lambda: ends_at - 125)
    link = replace(states.IDLE.connection, caller=True, expires_at=states.EPOCH + ends_at)
    async with OneLine(line).run_test(size=(100, 3)) as pilot:
        line.session = replace(states.IDLE, connection=link, input=Device("synthetic microphone"))
        await pilot.pause()
        shown = screen_text(pilot.app)
        assert "DEMO  synthetic caller" in shown
        assert "ends in 2:0" in shown
        line.session = replace(states.IDLE, connection=link, input=Device("Headset"))
        await pilot.pause()
        assert "synthetic" not in screen_text(pilot.app)  # another microphone was chosen


async def test_the_time_to_the_end_goes_on_where_nothing_else_does(monkeypatch):
    line = StatusLine()
    async with OneLine(line).run_test(size=(100, 3)) as pilot:
        ends_at = time.monotonic() + EXPIRY_NOTICE + 3600
        link = replace(states.IDLE.connection, expires_at=states.EPOCH + ends_at)
        line.session = replace(states.IDLE, connection=link)
        await pilot.pause()
        assert "ends in" not in screen_text(pilot.app)
        monkeypatch.setattr("voicelive_tui.ui.timed.monotonic", lambda: ends_at - 125)
        line.elapsed = "1:01:00"
        await pilot.pause()
        assert "ends in 2:0" in screen_text(pilot.app)


async def test_sound_that_is_too_old_for_the_next_session_is_counted():
    line = StatusLine()
    async with OneLine(line).run_test(size=(100, 3)) as pilot:
        line.session = states.IDLE
        line.update_levels(Reading(unkept_ms=900.0))
        await pilot.pause()
        assert "lost" not in screen_text(pilot.app)
        line.update_levels(Reading(unkept_ms=4_200.0))
        await pilot.pause()
        assert "4 s lost" in screen_text(pilot.app)


async def test_an_answer_heard_as_far_as_it_came_is_awaited_not_spoken():
    line = StatusLine()
    async with OneLine(line).run_test(size=(100, 3)) as pilot:
        line.session = replace(states.SPEAKING, response="resp_1")
        line.update_levels(states.SPEAKING_READING)
        await pilot.pause()
        assert "SPEAKING" in screen_text(pilot.app)
        line.update_levels(Reading())
        await pilot.pause()
        assert "THINKING" in screen_text(pilot.app)
        assert "waiting for more sound" in screen_text(pilot.app)
        line.update_levels(states.SPEAKING_READING)
        await pilot.pause()
        assert "SPEAKING" in screen_text(pilot.app)


@pytest.mark.parametrize(("gated", "ended"), [(True, False), (False, True)])
async def test_without_a_microphone_the_hint_does_not_ask_the_user_to_speak(gated, ended):
    line = StatusLine()
    async with OneLine(line).run_test(size=(100, 3)) as pilot:
        line.session = replace(states.SPEAKING, microphone=replace(states.SPEAKING.microphone, ended=ended))
        line.update_levels(replace(states.SPEAKING_READING, gated=gated))
        await pilot.pause()
        assert "  i to interrupt " in screen_text(pilot.app)


async def test_the_caller_is_called_synthetic_in_80_columns_too():
    line = StatusLine()
    async with OneLine(line).run_test(size=(80 - CLOCK, 1)) as pilot:
        connection = replace(states.SPEAKING.connection, demo=True, caller=True)
        line.session = replace(states.SPEAKING, connection=connection, input=Device("synthetic microphone"))
        line.update_levels(states.SPEAKING_READING)
        await pilot.pause()
        shown = screen_text(pilot.app)
        assert "SPEAKING" in shown
        assert "i to interrupt, or speak" in shown
        assert "DEMO  synthetic" in shown
        assert "mic LIVE" in shown


async def test_the_service_gives_way_to_the_seconds_until_the_next_try_and_to_nothing_that_fits_anyway(monkeypatch):
    monkeypatch.setattr("voicelive_tui.ui.timed.monotonic", lambda: 1_000.0)
    line = StatusLine()
    async with OneLine(line).run_test(size=(80 - CLOCK, 1)) as pilot:
        lost = replace(states.FAILED, lost_at=1.0, retry=Retry(1_003.0, 3.0, 4))
        for session, shown in ((lost, "r retries, esc stops · in 3 s, try 4 of 5  "), (states.FAILED, "AZURE")):
            line.session = session
            await pilot.pause()
            assert shown in screen_text(pilot.app)
            assert ("AZURE" in screen_text(pilot.app)) is (session is states.FAILED)


async def test_problems_are_pinned_until_seen():
    line = ProblemLine()
    async with OneLine(line).run_test(size=(100, 3)) as pilot:
        two = (Problem("warning", "first", 0), Problem("error", "[second]\x1b[2J", 1))
        line.session = replace(states.IDLE, problems=two)
        await pilot.pause()
        assert "✗ error: [second]␛[2J (and 1 more)" in screen_text(pilot.app)
        line.session = states.IDLE
        assert not line.display


async def test_the_code_of_a_problem_gives_way_to_its_sentence():
    line = ProblemLine()
    async with OneLine(line).run_test(size=(100, 3)) as pilot:
        for words, shown in (
            ("slow", "slow (code rate_limit_near)"),
            ("answers will be slower than before now", "now  "),
            ("answers will be slower than before, and " + "later " * 3 + "ones too", "too  "),
        ):
            line.session = replace(states.IDLE, problems=(Problem("warning", f"{words} (code rate_limit_near)", 0),))
            await pilot.pause()
            assert shown in screen_text(pilot.app)
            assert "…" not in screen_text(pilot.app)


async def test_the_keys_that_are_named_are_those_in_force():
    line, problem = StatusLine(), ProblemLine()
    for shown, sentence in ((line, "f2 to unmute"), (problem, "^g opens it, B dismisses")):
        app = OneLine(shown)
        app.keys = {"mute": "f2,u", "cross": "ctrl+g", "back": "B"}
        async with app.run_test(size=(100, 3)) as pilot:
            muted = Microphone(capturing=True, muted=True)
            # Braces that came over the wire are text.
            said = (Problem("warning", "no {mute}", 0),)
            shown.session = replace(states.IDLE, microphone=muted, problems=said)
            await pilot.pause()
            assert sentence in screen_text(app)
            assert ("no {mute}" in screen_text(app)) is (shown is problem)


async def test_braces_in_text_of_the_service_are_not_keys():
    line = StatusLine()
    async with OneLine(line).run_test(size=(100, 3)) as pilot:
        failed = states.NAMED["failed"]
        line.session = replace(failed, connection=replace(failed.connection, problem="{mute} {} {0}"))
        await pilot.pause()
        assert "{mute} {} {0}" in screen_text(pilot.app)


async def test_clock():
    clock = Clock()
    async with OneLine(clock).run_test(size=(9, 1)) as pilot:
        clock.elapsed = "12:34"
        await pilot.pause()
        assert screen_text(pilot.app).strip() == "12:34"


CALLED = replace(states.IDLE.connection, demo=True, caller=True)
JOINED = replace(states.IDLE, connection=CALLED, input=Device("synthetic microphone"))
SAYING = {
    "i to interrupt, or speak": replace(JOINED, playing="item_a"),
    "t to join in": JOINED,
    "m to unmute": replace(JOINED, microphone=Microphone(capturing=True, muted=True)),
    "space to talk": replace(JOINED, microphone=Microphone(capturing=True, push_to_talk=True)),
    "t to type · no microphone": replace(JOINED, microphone=Microphone(), input=Device("none")),
}


@pytest.mark.parametrize("hint", SAYING)
@pytest.mark.parametrize("recorded", [False, True])
async def test_no_hint_is_cut_in_80_columns_beside_the_demo_and_a_recording(hint, recorded):
    line = StatusLine()
    recording = Recording("talk.vlrec", since=time.monotonic() - 725) if recorded else None
    async with OneLine(line).run_test(size=(80 - CLOCK, 1)) as pilot:
        line.session = replace(SAYING[hint], recording=recording)
        line.update_levels(states.SPEAKING_READING)
        await pilot.pause()
        shown = screen_text(pilot.app)
        assert hint in shown
        assert "…" not in shown
        assert "DEMO" in shown
        assert ("● 12:" in shown) is recorded


async def test_a_hint_begins_with_its_key_which_stands_out():
    line = StatusLine()
    async with OneLine(line).run_test(size=(60 - CLOCK, 1)) as pilot:
        line.session = SAYING["i to interrupt, or speak"]
        line.update_levels(states.SPEAKING_READING)
        await pilot.pause()
        assert "SPEAKING     i to interrupt  " in screen_text(pilot.app)  # ", or speak" has no room
        assert ("i", "title") in line.line(0)


@pytest.mark.parametrize(("width", "shown"), [(120, "r new session · The service"), (60, "r new session  ")])
async def test_what_to_do_comes_before_the_reason_which_gives_way(width, shown):
    line = StatusLine()
    async with OneLine(line).run_test(size=(width - CLOCK, 1)) as pilot:
        ended = replace(CALLED, stage=Stage.CLOSED, problem="The service is stopping for its weekly maintenance.")
        line.session = replace(states.IDLE, connection=ended)
        await pilot.pause()
        assert shown in screen_text(pilot.app)


async def test_a_long_reason_goes_on_in_the_last_row_of_a_tall_line():
    reason = "http://127.0.0.1:46107 answered with HTTP 401: the key or token was refused: check that it belongs to it"
    failed = replace(states.IDLE.connection, stage=Stage.FAILED, problem=reason)
    for height, rest in ((1, "…"), (3, "check that it belongs to it")):
        line = StatusLine()
        async with OneLine(line).run_test(size=(111, height)) as pilot:
            line.styles.height = height
            line.session = replace(states.IDLE, connection=failed)
            await pilot.pause()
            assert "r another try · http://127.0.0.1:46107 answered" in screen_text(pilot.app)
            assert rest in screen_text(pilot.app)
            assert ("…" in screen_text(pilot.app)) is (height == 1)


def test_the_microphone_of_a_recording_is_not_live():
    assert microphone(states.SPEAKING, states.SPEAKING_READING) == ("mic LIVE", "chip-good")
    assert microphone(states.SPEAKING, states.SPEAKING_READING, replayed=True) == ("mic", "chip")
