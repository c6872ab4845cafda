import asyncio
import os
import re
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from textual import events

from tests import states
from tests.ui.fake import FakeLive, FakeUi
from tests.ui.screens import screen_styles, screen_text
from voicelive_tui.audio.devices import AudioError
from voicelive_tui.session.inputs import (
    InterruptPressed,
    MutePressed,
    ProblemsSeen,
    ResetPressed,
    TalkPressed,
    TextTyped,
    VoicedUntil,
)
from voicelive_tui.session.reading import DeviceChoice, Meter
from voicelive_tui.session.state import Connection, Device, Microphone, SessionState, Stage
from voicelive_tui.ui import dashboard, pace
from voicelive_tui.ui.app import VoiceLiveApp
from voicelive_tui.ui.dashboard import DashboardScreen
from voicelive_tui.ui.detail import EventDetail
from voicelive_tui.ui.help import HelpScreen
from voicelive_tui.ui.pace import NORMAL
from voicelive_tui.ui.panes import status
from voicelive_tui.ui.panes.events import EventsPane
from voicelive_tui.ui.panes.meters import MetersPane
from voicelive_tui.ui.panes.transcript import TranscriptPane
from voicelive_tui.ui.picker import DevicePicker
from voicelive_tui.ui.prompt import Prompt
from voicelive_tui.ui.scroll_list import ScrollList
from voicelive_tui.wire.log import EventLog

SNAPSHOTS = Path(__file__).parent / "snapshots"
SNAPSHOTS_OF = (
    "idle_80x24",
    "speaking_80x24",
    "speaking_120x40",
    "speaking_200x60",
    "interrupted_120x40",
    "interrupted_200x60",
    "failed_80x24",
    "failed_120x40",
    "long_transcript_120x40",
)


def app_of(state, reading=states.SPEAKING_READING, keys=None, **ui):
    return VoiceLiveApp(lambda: FakeLive(state, reading), FakeUi(**ui), keys or {})


async def settled(pilot):
    """The dashboard is open, and the state of the shell is drawn."""
    while len(pilot.app.screen_stack) < 2 or not pilot.app.screen_stack[1].is_mounted:
        await pilot.pause()
    while pilot.app.screen_stack[1].session is not pilot.app.live.state:
        await pilot.pause(0.005)
    await pilot.pause()
    await pilot.pause()


def opened(name, monkeypatch):
    """An app that shows a named state, with nothing on the screen that depends on the time or the machine."""
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.setattr("voicelive_tui.ui.panes.session.monotonic", lambda: states.START + 100)
    state = states.NAMED[name]
    state = replace(state, began_at=0.0)  # no clock
    return app_of(state, states.SPEAKING_READING if name == "speaking" else states.Reading())


@pytest.mark.parametrize("shown", SNAPSHOTS_OF)
async def test_words_of_the_screen(shown, monkeypatch):
    name, _, size = shown.rpartition("_")
    width, height = map(int, size.split("x"))
    app = opened(name, monkeypatch)
    async with app.run_test(size=(width, height)) as pilot:
        await settled(pilot)
        compare(screen_text(app), f"{shown}.txt")


async def test_colours_of_the_screen(monkeypatch):
    app = opened("interrupted", monkeypatch)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        compare(screen_styles(app), "interrupted_120x40.styles.txt")


def looks(app):
    """The different looks of a screen's cells, as CSS."""
    return [look.partition(": ")[2] for look in screen_styles(app).split("\n")[app.size.height :]]


async def test_no_color_leaves_no_colour(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app = opened("speaking", monkeypatch)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        colours = re.findall(r"#(\w\w)(\w\w)(\w\w)", "".join(looks(app)))
        assert len(colours) > 10
        assert all(red == green == blue for red, green, blue in colours)


async def levels_read_in_a_second_and_a_half(state, **ui):
    live = FakeLive(state, states.SPEAKING_READING)
    app = VoiceLiveApp(lambda: live, FakeUi(**ui), {})
    reads = 0
    reading = live.reading

    def counted():
        nonlocal reads
        reads += 1
        return reading()

    live.reading = counted
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        reads = 0
        await asyncio.sleep(1.5)
        return reads


async def test_a_lean_screen_draws_levels_less_often():
    lean = await levels_read_in_a_second_and_a_half(states.SPEAKING, lean=True)
    assert 1 <= lean <= 2  # every 1.2 s
    assert await levels_read_in_a_second_and_a_half(states.SPEAKING) > 2 * lean  # 15 where the machine keeps up


async def test_a_quiet_screen_draws_levels_as_often_as_a_busy_one(monkeypatch):
    monkeypatch.setattr(pace, "QUIET_AFTER", 0.0)
    assert await levels_read_in_a_second_and_a_half(states.IDLE) > 4  # 18 where the machine keeps up


def compare(shown, file):
    """With what is in tests/ui/snapshots; UPDATE_SNAPSHOTS=1 writes it."""
    path = SNAPSHOTS / file
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown + "\n")
    assert shown + "\n" == path.read_text()


@pytest.mark.parametrize(
    ("key", "input_"),
    [
        ("m", MutePressed()),
        ("i", InterruptPressed()),
        ("r", ResetPressed()),
    ],
)
async def test_keys_are_inputs(key, input_):
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press(key)
        assert app.live.applied == [input_]


async def test_muted_is_unmistakable_and_at_once():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("m")
        await pilot.pause()
        assert screen_text(app).count("mic MUTED") == 2


async def test_space_talks_only_in_push_to_talk():
    app = app_of(states.IDLE)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("space")
        assert app.live.applied == []
        assert "Talk" not in screen_text(app)
        app.live.state = replace(states.IDLE, microphone=Microphone(capturing=True, push_to_talk=True))
        await settled(pilot)
        assert "space Talk" in screen_text(app)
        await pilot.press("space")
        assert app.live.applied == [TalkPressed()]


async def test_a_message_is_typed_sent_and_left():
    app = app_of(states.IDLE)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("t", *"quit [m]?", "enter")
        assert app.live.applied == [TextTyped("quit [m]?")]
        await pilot.press("t", "x", "escape", "m")
        assert app.live.applied[1:] == [MutePressed()]
        await pilot.press("t", "enter")
        assert len(app.live.applied) == 2


async def test_all_lines_of_a_paste_are_one_message():
    app = app_of(states.IDLE)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("t", *"say: ")
        app.post_message(events.Paste("first line\nsecond one\r\n\nlast"))
        await pilot.press("enter")
        assert app.live.applied == [TextTyped("say: first line second one  last")]


@pytest.mark.parametrize("stage", [Stage.FAILED, Stage.CLOSED])
async def test_without_a_session_no_prompt_opens_that_would_take_the_next_keys(stage):
    app, told = app_of(replace(states.IDLE, connection=Connection(stage=stage))), []
    app.notify = lambda message, **_: told.append(message)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("t", "q")
        assert told == ["not connected: press r to connect"]
        await pilot.pause()
    assert app.live.calls[-1] == "close"


@pytest.mark.parametrize(("size", "key"), [((4, 24), "o"), ((1, 1), "o"), ((4, 24), "colon"), ((12, 5), "colon")])
async def test_lists_to_choose_from_open_in_any_terminal(size, key):
    app = app_of(states.IDLE)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        await pilot.press(key)
        await pilot.pause()
        assert len(app.screen_stack) == 3
        await pilot.press("down", "escape")
        await pilot.pause()
        assert len(app.screen_stack) == 2


async def test_a_terminal_too_small_for_the_dashboard_still_shows_the_microphone():
    app = app_of(states.IDLE, states.Reading())
    async with app.run_test(size=(30, 8)) as pilot:
        await settled(pilot)
        assert screen_text(app).split("\n")[:3] == ["mic LIVE", "The dashboard needs at least", "60x16 characters."]
        await pilot.press("m")
        await pilot.pause()
        assert screen_text(app).startswith("mic MUTED")
        app.live.set_reading(states.Reading(stalled=("input",)))
        app.live.stirring = True
        await asyncio.sleep(0.3)
        assert screen_text(app).startswith("mic STALLED")
        await pilot.resize_terminal(80, 24)
        await settled(pilot)
        assert "The dashboard needs" not in screen_text(app)


async def test_filter_while_typing_refusal_and_escape():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("3", "slash", *"type:done")
        await pilot.pause()
        assert "/type:done  1 of 223" in screen_text(app)
        await pilot.press("enter", "slash", *" /(/", "enter")
        await pilot.pause()
        assert "no regular expression" in screen_text(app)
        assert "1 of 223" in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert "1 of 223" in screen_text(app)
        assert "no regular" not in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert "3 Events 223" in screen_text(app)


async def test_a_filter_typed_in_one_burst_is_accepted_although_its_beginning_is_invalid():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("3", "slash")
        for key in "is:error":  # as a paste or a slow line brings it: all at once
            app.post_message(events.Key(key, key))
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert app.focused.id == "events-view"
        assert "/is:error  0 of 223" in screen_text(app)


async def test_escape_leaves_hidden_panes_alone_and_tab_stays_in_the_prompt():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("3", "k", "enter", "2", "escape")
        await pilot.pause()
        assert app.focused.id == "transcript-view"
        await pilot.press("slash", "a", "tab")
        assert app.focused.parent.id == "prompt"
        app.screen.set_focus(app.screen.query_one(TranscriptPane).target)  # as a click does
        await pilot.press("escape")
        await pilot.pause()
        assert not app.screen.query_one(Prompt).display


async def test_search_in_the_transcript():
    app = app_of(states.LONG_TRANSCRIPT)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("2", "slash", *"number 7?", "enter")
        await pilot.pause()
        assert "Question 1: what about the number 7?" in screen_text(app)
        assert "“number 7?” 1 of 1" in screen_text(app)


async def test_one_pane_in_a_small_terminal_and_zoom_in_a_large_one():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "2 Transcript   1 Session  3 Events" in screen_text(app)
        assert "I heard you" in screen_text(app)
        await pilot.press("3")
        await pilot.pause()
        assert "response.created" in screen_text(app)
        assert "I heard you" not in screen_text(app)
        await pilot.press("1")
        await pilot.pause()
        assert "turn detection" in screen_text(app)
        await pilot.resize_terminal(120, 40)
        await settled(pilot)
        for words in ("turn detection", "I heard you", "response.created", "mic LIVE"):
            assert words in screen_text(app)
        await pilot.press("3", "z")
        await pilot.pause()
        assert "turn detection" not in screen_text(app)
        assert "mic LIVE" in screen_text(app)
        await pilot.press("z", "4", "z")
        await pilot.pause()
        assert "device latency" in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert "turn detection" in screen_text(app)


@pytest.mark.parametrize("push_to_talk", [False, True])
async def test_help_and_the_way_out_are_at_the_foot_however_narrow_it_is(push_to_talk):
    app = app_of(replace(states.IDLE, microphone=Microphone(capturing=True, push_to_talk=push_to_talk)))
    async with app.run_test(size=(60, 16)) as pilot:
        await settled(pilot)
        foot = screen_text(app).splitlines()[-1]
        assert foot.startswith("m Mute space Talk i Interrupt" if push_to_talk else "m Mute i Interrupt")
        assert foot.endswith("? Help q Quit")
        assert "Errors" not in foot
        await pilot.resize_terminal(100, 24)
        await settled(pilot)
        assert screen_text(app).splitlines()[-1].endswith("E Errors ? Help q Quit")


async def test_too_small_names_the_least_size():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(50, 12)) as pilot:
        await settled(pilot)
        assert "60x16" in screen_text(app)
        await pilot.resize_terminal(80, 24)
        await settled(pilot)
        assert "60x16" not in screen_text(app)
        assert "I heard you" in screen_text(app)
        await pilot.pause()
        assert app.screen.focused is app.screen.query_one(TranscriptPane).view


async def test_tab_goes_round_the_panes():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        seen = []
        for _ in range(4):
            await pilot.press("tab")
            seen.append(app.focused.id)
        assert sorted(seen) == ["events-view", "meters-bars", "session-view", "transcript-view"]


async def test_from_words_to_events_and_back():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        events, transcript = app.screen.query_one(EventsPane), app.screen.query_one(TranscriptPane)
        await pilot.press("k", "k", "e")
        await pilot.pause()
        assert app.focused.id == "events-view"
        assert events.selected().item_id == "item_u2"
        await pilot.press("g", "j", "j", "j", "j", "j", "e")
        await pilot.pause()
        assert app.focused.id == "transcript-view"
        assert transcript.selected().item_id == "item_u1"


async def test_only_the_events_of_an_item_and_only_errors():
    told = []
    app = app_of(replace(states.FAILED, transcript=states.SPEAKING.transcript))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("E")
        await pilot.pause()
        assert "/is:error  1 of 5" in screen_text(app)
        await pilot.press("slash", *" !dir:in", "enter")
        await pilot.pause()
        assert "no event matches; esc shows all of them" in screen_text(app)
        await pilot.press("escape", "E")
        await pilot.press("E")
        await pilot.pause()
        assert "3 Events 5" in screen_text(app)
        await pilot.press("2", "k", "s")
        await pilot.pause()
        assert "/item:item_a2  0 of 5" in screen_text(app)
        await pilot.press("s")
        await pilot.pause()
        assert "3 Events 5" in screen_text(app)
        await pilot.press("2", "S")
        await pilot.pause()
        assert "/response:resp_2  0 of 5" in screen_text(app)
        await pilot.press("S")
        await pilot.pause()
        assert "3 Events 5" in screen_text(app)
        app.notify = lambda message, **_: told.append(message)
        await pilot.press("g", "s")
        assert told == ["This line belongs to no item."]


async def test_a_problem_is_pinned_opened_and_dismissed():
    app = app_of(states.FAILED)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "✗ error: invalid_voice: Voice 'nobody' is [not]" in screen_text(app)
        await pilot.press("e")
        await pilot.pause()
        assert app.live.applied == [ProblemsSeen()]
        assert app.screen.query_one(EventsPane).selected().type == "error"
        assert "code: invalid_voice" in screen_text(app)
        assert "✗ error:" not in screen_text(app)


async def test_an_event_opens_and_closes():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("3", "k", "enter")
        await pilot.pause()
        assert app.screen.query_one(EventDetail).display
        assert "transcript: Why is the second answer slower?" in screen_text(app)
        await pilot.press("tab")
        assert app.focused.id == "event-detail"
        await pilot.press("escape")
        await pilot.pause()
        assert not app.screen.query_one(EventDetail).display


async def test_copy_goes_to_the_clipboard():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("k", "k", "y")
        assert app.clipboard == "Why is the second answer slower? 為什麼？"
        await pilot.press("3", "g", "j", "y")
        assert '"session.created"' in app.clipboard


async def test_follow_and_unfold():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("3", "f")
        await pilot.pause()
        assert "paused, f follows" in screen_text(app)
        await pilot.press("f", "d")
        await pilot.pause()
        assert "paused" not in screen_text(app)
        assert "unfolded" in screen_text(app)


async def test_a_new_session_is_followed_from_its_beginning():
    app = app_of(states.LONG_TRANSCRIPT)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("2", "k", "3", "k")
        assert not app.screen.query_one(EventsPane).view.following
        await pilot.press("r")
        assert app.screen.query_one(EventsPane).view.following
        assert app.screen.query_one(TranscriptPane).view.following


async def test_the_picker_explains_an_empty_list_and_reports_the_result_of_a_choice():
    told = []
    app = app_of(replace(states.IDLE, input=Device("Headset, 24000 Hz"), output=Device("", "it is [busy]")))
    app.notify = lambda message, **_: told.append(message)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("o")
        await pilot.pause()
        await pilot.press("enter", "j", "j", "enter")
        await pilot.pause()
        assert told == ["Microphone: Headset, 24000 Hz", "Speaker: it is [busy]"]
        await pilot.press("escape")

        async def none():
            raise AudioError("the PortAudio library is [missing]")

        app.live.devices = none
        await pilot.press("o")
        await pilot.pause()
        assert "the PortAudio library is [missing]" in screen_text(app)


async def in_use():
    return [DeviceChoice("input", spec, f"device {spec}", spec == "2") for spec in ("0", "1", "2", "none")]


async def test_devices_are_listed_and_chosen():
    app = app_of(states.IDLE)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("o")
        await pilot.pause()
        assert isinstance(app.screen, DevicePicker)
        shown = screen_text(app)
        assert "● USB microphone [front]" in shown
        assert "Speaker" in shown
        await pilot.press("j", "enter")
        await pilot.pause()
        await pilot.press("p")
        assert app.live.calls[1:] == [("choose", "input", "2"), "test_tone"]
        await pilot.press("escape")
        app.live.devices = in_use
        await pilot.press("o")
        await pilot.pause()
        await pilot.press("enter")
        assert app.live.calls[-1] == ("choose", "input", "2")  # the cursor begins on what is in use
        await pilot.press("escape")
        assert not isinstance(app.screen, DevicePicker)


async def test_help_explains_the_focused_pane():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 60)) as pilot:
        await settled(pilot)
        await pilot.press("1", "question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        shown = " ".join(screen_text(app).split())
        assert "last voiced microphone sample → turn committed" in shown
        assert shown.index("m Send silence in place of the microphone, or end that mute") < shown.index("↑ k Up")
        await pilot.press("escape", "3", "f1")
        await pilot.pause()
        assert "dir:in" in screen_text(app)


async def test_every_action_is_in_the_palette():
    app = app_of(states.IDLE)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        titles = {command.title for command in app.get_system_commands(app.screen)}
        assert {
            "Mute",
            "Interrupt",
            "Reset",
            "Reset and keep the history",
            "Type",
            "Find",
            "Errors",
            "Deltas",
            "Zoom",
            "Copy",
            "Sound devices",
        } <= titles
        assert {"Help", "Quit", "Theme", "Session", "Transcript", "Events", "Levels", "Suspend", "Follow"} <= titles
        await pilot.press("ctrl+p", *"mute", "enter")
        await pilot.pause()
        await pilot.pause()
        assert MutePressed() in app.live.applied


OWN_KEYS = [
    (key, binding)
    for owner, bindings in ((DashboardScreen, DashboardScreen.BINDINGS), (ScrollList, ScrollList.BINDINGS))
    for binding in bindings
    if hasattr(owner, f"action_{binding.action.partition('(')[0]}")
    for key in binding.key.split(",")
]


@pytest.mark.parametrize(("key", "binding"), OWN_KEYS, ids=[key for key, _ in OWN_KEYS])
async def test_each_key_performs_its_action(key, binding, monkeypatch):
    """From a terminal with push-to-talk, in which every key has its meaning."""
    called = []
    name = f"action_{binding.action.partition('(')[0]}"
    owner = DashboardScreen if hasattr(DashboardScreen, name) else ScrollList
    monkeypatch.setattr(owner, name, lambda self, *arguments: called.append(arguments))
    state = replace(states.SPEAKING, microphone=Microphone(capturing=True, push_to_talk=True))
    app = app_of(state)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press(key)
        await pilot.pause()
    expected = binding.action.partition("(")[2].rstrip(")").strip("'")
    assert [",".join(map(str, arguments)) for arguments in called] == [expected]


async def test_keys_are_remapped_by_id():
    app = app_of(states.IDLE, keys={"mute": "u", "list.down": "n"})
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("m")
        assert app.live.applied == []
        await pilot.press("u")
        assert app.live.applied == [MutePressed()]
        assert "u Mute" in screen_text(app)


async def drawn(pilot, state):
    """Wait until the screen shows a state."""
    async with asyncio.timeout(10):
        while pilot.app.screen.session is not state:
            await pilot.pause(0.01)


async def logged(pilot):
    """Wait until the event list shows the state of the shell."""
    async with asyncio.timeout(10):
        while pilot.app.screen.logged is not pilot.app.live.state:
            await pilot.pause(0.01)


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


async def test_every_change_is_drawn_in_the_end():
    app = app_of(states.IDLE)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        for number in range(100):
            app.live.state = replace(app.live.state, log=states.event(app.live.state.log, 30.0 + number, "in", "x.y"))
            if number % 30 == 0:
                await asyncio.sleep(0.02)
        await logged(pilot)


@pytest.mark.parametrize("theme", ["ansi-dark", "voicelive-light", "textual-dark"])
async def test_themes(theme):
    app = app_of(states.SPEAKING, theme=theme)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert app.theme == theme
        assert "SPEAKING" in screen_text(app)


async def test_in_the_terminal_s_own_colours_the_cursor_is_its_line_reversed():
    app = app_of(states.SPEAKING, theme="ansi-dark")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("3", "k")
        await settled(pilot)
        view = app.screen.query_one(EventsPane).view
        at = view.cursor - view.scroll_offset.y
        assert all(style.reverse for _, style, _ in view.render_line(at))
        assert not any(style.reverse for _, style, _ in view.render_line(at - 1))


async def test_help_and_prompt_name_the_keys_in_force():
    keys = {"debug": "x", "query": "g", "match.next": "v", "help.close": "c", "devices.close": "w"}
    app = app_of(states.SPEAKING, keys=keys)
    async with app.run_test(size=(120, 60)) as pilot:
        await settled(pilot)
        await pilot.press("2", "g")
        await settled(pilot)
        assert "words of the transcript; v and N go on" in screen_text(app)
        await pilot.press("escape", "3", "question_mark")
        await settled(pilot)
        shown = screen_text(app)
        assert "counts up; x shows every one" in shown
        assert "g filters: word" in shown
        assert "c closes" in shown
        await pilot.press("c", "o")
        await settled(pilot)
        assert "p plays a test tone · w closes" in screen_text(app)


async def test_suspend_releases_the_microphone(monkeypatch):
    app = app_of(states.IDLE)
    monkeypatch.setattr(app, "action_suspend_process", lambda: app.live.calls.append("stopped"))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("ctrl+z")
        assert app.live.calls == ["run", "suspend", "stopped", "resume"]


async def test_suspend_works_over_help_too(monkeypatch):
    app = app_of(states.IDLE)
    monkeypatch.setattr(app, "action_suspend_process", lambda: app.live.calls.append("stopped"))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("question_mark")
        await settled(pilot)
        await pilot.press("ctrl+z")
        assert app.live.calls == ["run", "suspend", "stopped", "resume"]


async def test_below_the_least_size_there_is_nothing_but_the_microphone_and_a_sentence():
    app = app_of(replace(states.FAILED, connection=states.IDLE.connection))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("t")
        assert app.screen.query_one(Prompt).display
        assert "✗ error" in screen_text(app)
        await pilot.resize_terminal(59, 15)
        await settled(pilot)
        shown = screen_text(app).split()
        assert shown == ["mic", "none", *"The dashboard needs at least 60x16 characters.".split()]


async def test_the_session_s_end_comes_nearer_where_nothing_else_happens(monkeypatch):
    connection = replace(states.IDLE.connection, expires_at=states.EPOCH + time.monotonic() + 3600)
    app = app_of(replace(states.IDLE, connection=connection))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        assert "ends in" not in screen_text(app)
        later = time.monotonic() + 3600 - 125
        monkeypatch.setattr(status, "time", SimpleNamespace(monotonic=lambda: later))
        async with asyncio.timeout(10):
            while "ends in 2:0" not in screen_text(app):
                await pilot.pause(0.05)


@pytest.mark.parametrize(("keys", "said"), [("thello", "hello"), ("tmute it", "mute it"), ("tttt/", "ttt/")])
async def test_keys_that_come_at_once_after_t_are_the_message(keys, said):
    """A batched line brings all of them in one piece, before anything was drawn."""
    app = app_of(states.IDLE)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        for key in (*keys, "\r"):
            name = {" ": "space", "/": "slash", "\r": "enter"}.get(key, key)
            app.post_message(events.Key(name, key))
        await pilot.pause()
        await pilot.pause()
        assert app.live.applied == [TextTyped(said)]


async def test_a_paste_at_once_after_t_is_the_message():
    app = app_of(states.IDLE)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        app.post_message(events.Key("t", "t"))
        app.post_message(events.Paste("pasted words"))
        await pilot.pause()
        await pilot.press("enter")
        assert app.live.applied == [TextTyped("pasted words")]


async def test_two_panes_where_there_is_room_for_two():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(80, 50)) as pilot:
        await settled(pilot)
        shown = screen_text(app)
        assert "2 Transcript   1 Session ─" in shown
        assert "I heard you" in shown
        assert "response.created" in shown
        await pilot.press("1")
        await pilot.pause()
        shown = screen_text(app)
        assert "1 Session   2 Transcript " in shown
        assert "turn detection" in shown
        assert "response.created" in shown
        assert "I heard you" not in shown
        await pilot.press("3")
        await pilot.pause()
        assert "turn detection" in screen_text(app)


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
        assert "3 Events 253" in screen_text(app)
        assert laid_out == []


async def test_the_footer_is_rebuilt_only_for_other_keys():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        before = list(app.screen.query("FooterKey"))
        await pilot.press("3", "2", "tab")
        await pilot.pause()
        assert list(app.screen.query("FooterKey")) == before
        await pilot.press("t")
        await pilot.pause()
        await pilot.pause()
        assert list(app.screen.query("FooterKey")) != before


async def test_the_reason_for_missing_sound_stays_in_view():
    problem = "no sound device found: install something"
    device = Device(problem=problem)
    app = app_of(replace(states.SPEAKING, input=device, output=device, microphone=Microphone()))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        shown = screen_text(app)
        assert "I heard you" in shown
        assert f"4 Levels no microphone and speaker: {problem}" in shown
        assert "mic none" in shown
        assert "no speaker  -18 dB" in shown


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
        async with asyncio.timeout(10):
            while meters.reading is not app.live.reading():
                await pilot.pause(0.01)


@pytest.mark.parametrize("identifier", ["it\x1b]52;c;aGVsbG8=\x1b\\x", "item one", "e" + "\u0301" * 9])
async def test_an_id_that_is_no_text_becomes_no_filter(identifier):
    log = states.event(EventLog(), 1.0, "in", "x.y", item_id=identifier)
    app = app_of(replace(states.IDLE, log=log))
    said = []
    app.notify = lambda message, **_: said.append(message)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("3", "s")
        await pilot.pause()
        assert said == ["The id of this item holds characters that no filter has."]
        assert app.screen.query_one(EventsPane).query_text == ""


async def test_text_typed_without_a_connection_stays_in_the_prompt():
    app = app_of(replace(states.IDLE, connection=Connection(stage=Stage.CONNECTING)))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("t", "h", "i", "enter")
        await pilot.pause()
        assert app.screen.query_one(Prompt).display
        assert app.screen.query_one(Prompt).text == "hi"


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


async def test_foreign_text_in_a_toast_is_neither_markup_nor_an_escape_sequence():
    app = app_of(states.IDLE)
    async with app.run_test(size=(80, 24), notifications=True) as pilot, asyncio.timeout(10):
        await settled(pilot)
        app.screen.notify("[b]device[/b] \x1b[2J\u202e")
        while "[b]device[/b] ␛[2J⟨202E⟩" not in screen_text(app):
            await pilot.pause(0.02)
        app.screen.query_one(Prompt).ask("filter")
        app.screen.query_one(Prompt).problem = "[b]odd[/b] \x1b[2J"
        while "[b]odd[/b] ␛[2J" not in screen_text(app):
            await pilot.pause(0.02)


async def test_a_search_that_is_left_changes_nothing():
    app = app_of(states.LONG_TRANSCRIPT)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        view = app.screen.query_one(TranscriptPane).view
        await pilot.press("2", "slash", *"question 1", "escape")
        await pilot.pause()
        assert (view.following, view.cursor, view.matches) == (True, None, [])
        await pilot.press("slash", *"question 1", "enter", "N")
        before = view.cursor, view.scroll_offset.y, list(view.matches)
        assert before[2]
        await pilot.press("slash", *"question 30", "escape")
        await pilot.pause()
        assert (view.cursor, view.scroll_offset.y, view.matches) == before
