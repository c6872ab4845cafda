"""The line to type in, in the dashboard: messages, filters and searches."""

import pytest
from msgspec.structs import replace
from textual import events

from tests import states
from tests.ui.fake import app_of, settled
from tests.ui.screens import screen_text
from voicelive_tui.session.inputs import MutePressed, TextTyped, TypingBegan
from voicelive_tui.session.state import Connection, Stage
from voicelive_tui.ui.arrangement import LEAST
from voicelive_tui.ui.panes.transcript import TranscriptPane
from voicelive_tui.ui.prompt import Prompt


async def test_a_message_is_typed_sent_and_left():
    app = app_of(states.IDLE)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("t", *"quit [m]?", "enter")
        assert app.live.applied == [TypingBegan(), TextTyped("quit [m]?")]
        await pilot.press("t", "x", "escape", "m")
        assert app.live.applied[2:] == [TypingBegan(), MutePressed()]
        await pilot.press("t", "enter")
        assert app.live.applied[4:] == [TypingBegan()]


async def test_all_lines_of_a_paste_are_one_message():
    app = app_of(states.IDLE)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("t", *"say: ")
        app.post_message(events.Paste("first line\nsecond one\r\n\nlast"))
        await pilot.press("enter")
        assert app.live.applied == [TypingBegan(), TextTyped("say: first line second one  last")]


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
        assert "3 Events 0 of 223" in screen_text(app)
        assert "/is:error" in screen_text(app)


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
        assert app.live.applied == [TypingBegan(), TextTyped(said)]


async def test_a_paste_at_once_after_t_is_the_message():
    app = app_of(states.IDLE)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        app.post_message(events.Key("t", "t"))
        app.post_message(events.Paste("pasted words"))
        await pilot.pause()
        await pilot.press("enter")
        assert app.live.applied == [TypingBegan(), TextTyped("pasted words")]


async def test_text_typed_without_a_connection_stays_in_the_prompt():
    app = app_of(replace(states.IDLE, connection=Connection(stage=Stage.CONNECTING)))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("t", "h", "i", "enter")
        await pilot.pause()
        assert app.screen.query_one(Prompt).display
        assert app.screen.query_one(Prompt).text == "hi"


async def test_what_can_be_typed_is_not_cut_in_the_narrowest_terminal():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=LEAST) as pilot:
        await settled(pilot)
        for keys, end in ((("3", "slash"), "gap:>1 time:>1:20"), (("2", "slash"), "go on"), (("t",), "sends it")):
            await pilot.press(*keys)
            await pilot.pause()
            assert screen_text(app).splitlines()[-2].rstrip().endswith(end)
            await pilot.press("escape")
