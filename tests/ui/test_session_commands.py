import pytest
from textual.command import CommandPalette
from textual.widgets import OptionList

from tests import states
from tests.ui.fake import FakeLive, FakeUi, settled
from voicelive_tui.session.code import FORMATS
from voicelive_tui.ui.app import VoiceLiveApp
from voicelive_tui.ui.session_commands import SINGLE_EVENTS


def an_app(live: FakeLive) -> VoiceLiveApp:
    return VoiceLiveApp(lambda: live, FakeUi(), {})


async def choose(pilot, name: str) -> None:
    """Open the palette, type the name of a command, and run it once it is found."""
    await pilot.press("colon", *("space" if letter == " " else letter for letter in name))
    found = pilot.app.screen.query_one(OptionList)
    while not found.option_count or name not in str(found.get_option_at_index(0).prompt):
        await pilot.pause()
    await pilot.press("enter")
    while isinstance(pilot.app.screen, CommandPalette):
        await pilot.pause()
    await pilot.pause()


@pytest.mark.parametrize("form", FORMATS)
async def test_the_palette_copies_the_session_in_force(form):
    app = an_app(FakeLive(states.IDLE))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await choose(pilot, f"Copy the session as {form}")
        assert app.clipboard == FORMATS[form](states.IDLE)


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, _, key in SINGLE_EVENTS])
async def test_the_palette_sends_single_events(name, key):
    app = an_app(FakeLive(states.IDLE))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await choose(pilot, name)
        assert app.live.applied == [key]
