"""Keys in sentences, where the configuration changed them."""

import pytest
from msgspec.structs import replace

from tests import states
from tests.ui.fake import app_of, settled
from tests.ui.screens import screen_text
from voicelive_tui.session.state import Device, Microphone, Stage
from voicelive_tui.ui.hints import Hint, key_of, with_keys

CLOSED = replace(states.IDLE.connection, stage=Stage.CLOSED, problem="gone")
ALONE = replace(states.IDLE, transcript=(), microphone=Microphone(), input=Device("", "no device"))
WAITING = replace(ALONE, microphone=Microphone(capturing=True, push_to_talk=True))
KEYS = {
    "mute": "f2,u",
    "interrupt": "ctrl+x",
    "talk": "colon",
    "palette": "ctrl+o",
    "type": "T",
    "reset": "f5",
    "follow": "?",
    "help": "f1",
    "back": "B",
    "pane.events": "f3",
}


@pytest.mark.parametrize(
    ("state", "sentences"),
    [
        (replace(states.IDLE, microphone=Microphone(capturing=True, muted=True)), ["f2 to unmute"]),
        (states.SPEAKING, ["^x to interrupt, or speak"]),
        (WAITING, [": to talk", "Press : to talk, or press T to type a message."]),
        (replace(WAITING, microphone=replace(WAITING.microphone, talking=True)), [": to send"]),
        (ALONE, ["T to type · no microphone", "Press T to type a message."]),
        (replace(states.IDLE, connection=CLOSED), ["Press f5 for a new session."]),
    ],
)
async def test_sentences_name_the_keys_in_force(state, sentences):
    app = app_of(state, keys=KEYS)
    async with app.run_test(size=(140, 40)) as pilot:
        await settled(pilot)
        shown = screen_text(app)
        for sentence in sentences:
            assert sentence in shown
        assert " f3 Events" in shown


async def test_a_list_names_the_keys_in_force():
    app = app_of(states.SPEAKING, keys=KEYS)
    async with app.run_test(size=(140, 40)) as pilot:
        await settled(pilot)
        await pilot.press("f3", "k")
        await pilot.pause()
        assert "paused  ? follows" in screen_text(app)
        await pilot.press("slash", *"nowhere", "enter")
        await pilot.pause()
        assert "No event matches; B shows all of them." in screen_text(app)


async def test_a_key_is_named_as_at_the_foot_and_only_in_a_hint():
    app = app_of(states.IDLE, keys={"mute": "slash", "query": "f2"})
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        named = {name: key_of(app.screen, name) for name in ("mute", "query", "help", "quit", "list.up", "back", "no")}
        assert named == {"mute": "/", "query": "f2", "help": "?", "quit": "q", "list.up": "↑", "back": "esc", "no": ""}
        await pilot.press("f2")  # a prompt takes the keys of characters for itself
        assert with_keys(app.screen, Hint("{mute} and {no}, {}")) == "/ and no, {}"
        assert with_keys(app.screen, "{mute}") == "{mute}"
