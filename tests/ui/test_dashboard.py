import asyncio
import os
import re
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.widgets import Input

from tests import states
from tests.ui.fake import app_of, settled
from tests.ui.screens import screen_styles, screen_text
from voicelive_tui.session.inputs import (
    InterruptPressed,
    MutePressed,
    ProblemsSeen,
    ResetPressed,
    SessionEdited,
    TalkCancelled,
    TalkPressed,
)
from voicelive_tui.session.state import Device, Microphone
from voicelive_tui.ui.dashboard import DashboardScreen
from voicelive_tui.ui.detail import EventDetail
from voicelive_tui.ui.palette import AppCommands
from voicelive_tui.ui.panes.events import EventsPane
from voicelive_tui.ui.panes.transcript import TranscriptPane
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


def opened(name, monkeypatch):
    """An app that shows a named state, with nothing on the screen that depends on the time or the machine."""
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.setattr("voicelive_tui.ui.timed.monotonic", lambda: states.START + 100)
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


async def test_b_switches_between_the_services_turn_detection_and_push_to_talk():
    block = {"type": "server_vad"}
    for now, then in ((block, None), (None, block)):
        app = app_of(replace(states.IDLE, wanted={"turn_detection": now}, detection=block))
        async with app.run_test(size=(80, 24)) as pilot:
            await settled(pilot)
            await pilot.press("b")
            assert app.live.applied == [SessionEdited({"turn_detection": then})]


async def test_escape_discards_the_turn_by_key_before_anything_else():
    talking = Microphone(capturing=True, push_to_talk=True, talking=True)
    app = app_of(replace(states.IDLE, microphone=talking))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("z", "escape")
        assert app.live.applied == [TalkCancelled()]
        assert app.screen.zoomed


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
        async with asyncio.timeout(60):
            while not screen_text(app).startswith("mic STALLED"):
                await pilot.pause(0.02)
        await pilot.resize_terminal(80, 24)
        await settled(pilot)
        assert "The dashboard needs" not in screen_text(app)


async def test_filter_while_typing_refusal_and_escape():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("3", "slash", *"type:done")
        await pilot.pause()
        assert "3 Events 1 of 223  5 Tools  6 Timeline " in screen_text(app)
        await pilot.press("enter", "slash", *" /(/", "enter")
        await pilot.pause()
        assert "not a regular expression" in screen_text(app)
        assert "1 of 223" in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert "1 of 223" in screen_text(app)
        assert "no regular" not in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert "3 Events 223  5 Tools  6 Timeline " in screen_text(app)


async def test_search_in_the_transcript():
    app = app_of(states.LONG_TRANSCRIPT)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("2", "slash", *"number 7?", "enter")
        await pilot.pause()
        assert "Question 1: what about the number 7?" in screen_text(app)
        assert "“number 7?” 1 of 1" in screen_text(app)


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
        assert "3 Events 1 of 5  5 Tools  6 Timeline " in screen_text(app)
        await pilot.press("slash", *" !dir:in", "enter")
        await pilot.pause()
        assert "No event matches; esc shows all of them." in screen_text(app)
        await pilot.press("escape", "E")
        await pilot.press("E")
        await pilot.pause()
        assert "3 Events 5  5 Tools  6 Timeline " in screen_text(app)
        await pilot.press("2", "k", "s")
        await pilot.pause()
        assert "3 Events 0 of 5  5 Tools " in screen_text(app)
        await pilot.press("s")
        await pilot.pause()
        assert "3 Events 5  5 Tools  6 Timeline " in screen_text(app)
        await pilot.press("2", "S")
        await pilot.pause()
        assert "3 Events 0 of 5  5 Tools  6 Timeline " in screen_text(app)
        await pilot.press("S")
        await pilot.pause()
        assert "3 Events 5  5 Tools  6 Timeline " in screen_text(app)
        app.notify = lambda message, **_: told.append(message)
        await pilot.press("g", "s")
        assert told == ["This line belongs to no item."]


async def test_a_problem_is_pinned_opened_and_dismissed():
    app = app_of(states.FAILED)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "✗ error: invalid_voice: Voice 'absent' is [not]" in screen_text(app)
        await pilot.press("e")
        await pilot.pause()
        assert app.live.applied == [ProblemsSeen()]
        assert app.screen.query_one(EventsPane).selected().type == "error"
        assert "code: invalid_voice" in screen_text(app)
        assert "✗ error:" not in screen_text(app)


async def test_the_inspectors_and_the_line_to_type_in_are_made_when_they_are_first_used():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        assert not app.screen.query(EventDetail)
        assert not app.screen.query(Input)
        await pilot.press("3", "k", "enter", "t")
        assert len(app.screen.query(EventDetail)) == len(app.screen.query(Input)) == 1


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
        assert "paused  f follows" in screen_text(app)
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


async def test_every_action_is_in_the_palette():
    app = app_of(states.IDLE)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        titles = {name for name, *_ in AppCommands(app.screen).commands()}
        assert {
            "Mute",
            "Interrupt",
            "Reset",
            "Reset and keep the history",
            "Rotate the session now",
            "Type",
            "Find",
            "Errors",
            "Deltas",
            "Zoom",
            "Copy",
            "Sound devices",
        } <= titles
        assert {"Help", "Quit", "Theme", "Session", "Transcript", "Events", "Levels", "Suspend"} <= titles
        assert "Pause" in titles  # which the key of Follow does now
        await pilot.press("ctrl+p", *"mute", "enter")
        await pilot.pause()
        await pilot.pause()
        assert MutePressed() in app.live.applied


async def test_each_key_performs_its_action(monkeypatch):
    """From a terminal with push-to-talk, in which every key has its meaning."""
    expected, called = {}, []
    for owner in (DashboardScreen, ScrollList):
        for binding in owner.BINDINGS:
            name, _, arguments = binding.action.rstrip(")").partition("(")
            if hasattr(owner, f"action_{name}"):
                expected |= dict.fromkeys(binding.key.split(","), (name, arguments.strip("'")))
                action = lambda self, *given, name=name: called.append((name, ",".join(map(str, given))))  # noqa: E731
                monkeypatch.setattr(owner, f"action_{name}", action)
    assert len(expected) > 40
    app = app_of(replace(states.SPEAKING, microphone=Microphone(capturing=True, push_to_talk=True)))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        for key, action in expected.items():
            await pilot.press(key)
            await pilot.pause()
            assert (key, called) == (key, [action])
            called.clear()


async def test_keys_are_remapped_by_id():
    app = app_of(states.IDLE, keys={"mute": "u", "list.down": "n"})
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("m")
        assert app.live.applied == []
        await pilot.press("u")
        assert app.live.applied == [MutePressed()]
        assert "u Unmute" in screen_text(app)


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
        at = view.top_of(view.cursor) - view.scroll_offset.y
        assert all(style.reverse for _, style, _ in view.render_line(at))
        assert not any(style.reverse for _, style, _ in view.render_line(at - 1))


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


async def test_the_reason_for_missing_sound_stays_in_view():
    problem = "no sound device found: install something"
    device = Device(problem=problem)
    app = app_of(replace(states.SPEAKING, input=device, output=device, microphone=Microphone()))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        shown = screen_text(app)
        assert "I heard you" in shown
        assert " 4 Levels " in shown  # which a long reason does not displace
        assert f" no microphone or speaker: {problem[:20]}" in shown
        assert "mic none" in shown
        assert re.search(r"no speaker .* -18 dB$", shown, re.MULTILINE)


@pytest.mark.parametrize("identifier", ["it\x1b]52;c;aGVsbG8=\x1b\\x", "item one", "e" + "\u0301" * 9])
async def test_an_id_that_a_filter_cannot_hold_does_not_become_one(identifier):
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


async def test_foreign_text_in_a_toast_is_neither_markup_nor_an_escape_sequence():
    app = app_of(states.IDLE)
    async with app.run_test(size=(80, 24), notifications=True) as pilot, asyncio.timeout(60):
        await settled(pilot)
        app.screen.notify("[b]device[/b] \x1b[2J\u202e", timeout=3.0)  # it covers the prompt
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
