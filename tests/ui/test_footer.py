"""The keys at the foot, where the configuration changed them."""

import pytest
from msgspec.structs import replace

from tests import states
from tests.ui.fake import app_of, settled
from tests.ui.screens import screen_text
from voicelive_tui.session.state import Microphone


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"mute": "u"}, ("? Help", "q Quit")),  # a changed key stands after the others, here after that of the help
        ({"help": "f1", "quit": "x", "errors": "!"}, ("f1 Help", "x Quit")),
    ],
)
async def test_help_and_the_way_out_are_at_a_narrow_foot_by_whatever_key(keys, named):
    app = app_of(states.IDLE, keys=keys)
    async with app.run_test(size=(60, 16)) as pilot:
        await settled(pilot)
        foot = screen_text(app).splitlines()[-1]
        for key in named:
            assert key in foot


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
