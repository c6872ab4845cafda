"""Keys that switch something are named by what they do now, at the foot, in the help and in the palette."""

import asyncio

import pytest
from msgspec.structs import replace

from tests import states
from tests.ui.fake import app_of, drawn, settled
from tests.ui.screens import screen_text
from voicelive_tui.session.state import Microphone, Recording
from voicelive_tui.ui import keymap, switches


def foot(app):
    return screen_text(app).splitlines()[-1]


@pytest.mark.parametrize(
    ("before", "after", "session"),
    [
        ("m Mute ", "m Unmute ", {"microphone": Microphone(capturing=True, muted=True)}),
        ("w Keep ", "w Stop rec ", {"recording": Recording("a.vlrec", since=states.START)}),
    ],
)
async def test_a_change_of_the_session_renames_its_key(before, after, session):
    app = app_of(states.IDLE)
    async with app.run_test(size=(120, 30)) as pilot:
        await settled(pilot)
        assert before in foot(app)
        app.live.state = replace(states.IDLE, **session)
        await drawn(pilot, app.live.state)
        await pilot.pause()
        assert after in foot(app)
        assert before not in foot(app)


async def test_the_key_of_push_to_talk_begins_a_turn_then_sends_it():
    app = app_of(replace(states.IDLE, microphone=Microphone(capturing=True, push_to_talk=True)))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "space Talk " in foot(app)
        app.live.state = replace(states.IDLE, microphone=Microphone(capturing=True, push_to_talk=True, talking=True))
        await drawn(pilot, app.live.state)
        await pilot.pause()
        assert "space Send " in foot(app)


@pytest.mark.parametrize(
    ("pane", "key", "before", "after"),
    [("2", "z", "z Zoom ", "z Unzoom "), ("3", "f", "f Pause ", "f Follow "), ("3", "d", "d Deltas ", "d Fold ")],
)
async def test_a_key_of_a_pane_is_renamed_and_back(pane, key, before, after):
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press(pane)
        for shown in (before, after, before):
            await pilot.pause()
            assert shown in foot(app)
            await pilot.press(key)


async def test_following_ends_with_the_cursor_and_the_key_of_each_pane_has_its_own_name():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("3", "k")
        await pilot.pause()
        assert "f Follow " in foot(app)
        await pilot.press("2")
        await pilot.pause()
        assert "f Pause " in foot(app)


async def test_help_and_palette_say_what_the_key_does_now():
    app = app_of(replace(states.IDLE, microphone=Microphone(capturing=True, muted=True)))
    async with app.run_test(size=(120, 50)) as pilot:
        await settled(pilot)
        await pilot.press("question_mark")
        await pilot.pause()
        assert "m  Send your voice again  mute" in screen_text(app)
        await pilot.press("escape", "colon", *"unmut")
        async with asyncio.timeout(10):
            while "Send your voice again (m)" not in screen_text(app):
                await pilot.pause()


def test_every_switch_is_a_binding():
    assert keymap.binding_ids().issuperset(switches.BACK)
