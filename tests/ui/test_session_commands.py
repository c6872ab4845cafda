from unittest.mock import Mock

import pytest
from msgspec.structs import replace
from textual.command import CommandPalette
from textual.widgets import Input, OptionList

from tests import states
from tests.ui.fake import FakeLive, settled
from voicelive_tui import config_load
from voicelive_tui.client.profiles import Choice, Profiles
from voicelive_tui.config import Session, Ui
from voicelive_tui.session.code import FORMATS
from voicelive_tui.session.inputs import ResetPressed
from voicelive_tui.session.request import session_request
from voicelive_tui.ui.app import VoiceLiveApp
from voicelive_tui.ui.session_commands import SINGLE_EVENTS, SessionCommands

FILE = """\
[profiles.quiet]
session.voice = "ash"
ui.theme = "nord"
[profiles."[red]loud"]
audio.chunk_ms = 60
"""


def an_app(live: FakeLive, profiles: Profiles | None = None) -> VoiceLiveApp:
    app = VoiceLiveApp(lambda: live, Ui(), {}, profiles)
    app.notify = Mock(wraps=app.notify)
    return app


@pytest.fixture
def profiles(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(FILE)

    def load(name: str) -> Choice:
        loaded = config_load.load(path, {"audio.half_duplex": True}, {}, profile=name)
        return Choice(loaded.settings, True, loaded.overridden)

    return Profiles(path, load, load("").settings)


def toasts(app: VoiceLiveApp) -> list[str]:
    return [call.args[0] for call in app.notify.call_args_list]


async def ended(pilot) -> None:
    """What the palette started is over."""
    await pilot.pause()
    while any(worker.name == "profile" and not worker.is_finished for worker in pilot.app.workers):
        await pilot.pause(0.01)
    await pilot.pause()


async def choose(pilot, name: str, key: str = "colon") -> None:
    """Open the palette, enter the name of a command, and run it once it is found."""
    await pilot.press(key)
    await pilot.pause()
    pilot.app.screen.query_one(Input).value = name  # a key for each letter takes 100 ms
    found = pilot.app.screen.query_one(OptionList)
    while not found.option_count or name not in str(found.get_option_at_index(0).prompt):
        await pilot.pause()
    await pilot.press("enter")
    while isinstance(pilot.app.screen, CommandPalette):
        await pilot.pause()
    await pilot.pause()


async def test_the_palette_copies_the_session_in_force():
    app = an_app(FakeLive(states.IDLE))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        for form, write in FORMATS.items():
            await choose(pilot, f"Copy the session as {form}")
            assert app.clipboard == write(states.IDLE)


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, _, key in SINGLE_EVENTS])
async def test_the_palette_sends_single_events(name, key):
    app = an_app(FakeLive(states.IDLE))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await choose(pilot, name)
        assert app.live.applied == [key]


@pytest.mark.parametrize(
    ("name", "theme", "says"),
    [
        ("quiet", "nord", ["New session with profile quiet."]),
        (
            "[red]loud",
            "voicelive-dark",
            ["New session with profile [red]loud. In force after a restart: audio.chunk_ms."],
        ),
    ],
)
async def test_the_palette_begins_a_new_session_with_a_profile(profiles, name, theme, says):
    live = FakeLive(states.IDLE)
    app = an_app(live, profiles)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await choose(pilot, f"New session with profile {name}")
        await ended(pilot)
        change = next(call for call in live.calls if call[0] == "change_settings")
        assert change == ("change_settings", profiles.settings, f"profile {name}", True)
        assert (
            profiles.settings == config_load.load(profiles.path, {"audio.half_duplex": True}, {}, profile=name).settings
        )
        assert live.applied == [ResetPressed()]
        assert app.theme == theme
        assert toasts(app) == says
        await choose(pilot, "New session without a profile")
        await ended(pilot)
        assert profiles.settings.session.voice != "ash"
        assert app.theme == "voicelive-dark"


async def test_a_profile_that_cannot_be_used_changes_nothing(profiles):
    live = FakeLive(states.IDLE)
    app = an_app(live, profiles)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("colon")
        profiles.path.write_text(FILE.replace("ash", "").replace("voice", "vioce"))
        await pilot.press("escape")
        await choose(pilot, "New session with profile quiet")
        await ended(pilot)
        (toast,) = toasts(app)
        assert "profile 'quiet': unknown key session.vioce" in toast
        assert live.applied == []


async def test_the_settings_are_saved_as_a_profile(profiles):
    wanted = session_request(Session(temperature=0.7))
    app = an_app(FakeLive(replace(states.IDLE, wanted=wanted)), profiles)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await choose(pilot, "Save as profile")
        await pilot.press(*"quieter", "enter")
        await ended(pilot)
        assert config_load.load(profiles.path, environment={}, profile="quieter").settings.session.temperature == 0.7
        assert profiles.path.read_text().startswith(FILE)
        await choose(pilot, "Save as profile")
        await pilot.press(*"quieter", "enter")
        await ended(pilot)
        assert toasts(app) == [
            "Saved profile quieter: --profile quieter uses it.",
            "Replaced profile quieter: --profile quieter uses it.",
        ]


async def test_no_name_saves_nothing_and_a_failure_is_reported(profiles, monkeypatch):
    app = an_app(FakeLive(states.IDLE), profiles)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        for keys in (["escape"], ["space", "enter", "escape"]):
            await choose(pilot, "Save as profile")
            await pilot.press(*keys)
            await ended(pilot)
        assert profiles.path.read_text() == FILE
        assert toasts(app) == []
        await choose(pilot, "Save as profile")
        profiles.path.write_text("not toml")
        await pilot.press("a", "enter")
        await ended(pilot)
        (toast,) = toasts(app)
        assert "not valid TOML" in toast


async def test_without_a_file_that_can_be_read_there_are_no_profiles_to_choose(profiles):
    profiles.path.write_text("not toml")
    app = an_app(FakeLive(states.IDLE), profiles)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        commands = SessionCommands(app.screen)
        await commands.startup()
        names = [name for name, _, _ in commands.commands()]
        assert names == [
            "Save as profile",
            *(name for name, _, _ in SINGLE_EVENTS),
            *(f"Copy the session as {form}" for form in FORMATS),
        ]


async def test_the_editor_offers_the_same_commands(profiles):
    app = an_app(FakeLive(replace(states.IDLE, wanted=session_request(Session(temperature=0.7)))), profiles)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("c")
        await pilot.pause()
        editor = app.screen
        await choose(pilot, "Copy the session as TOML", "ctrl+p")
        assert app.clipboard == FORMATS["TOML"](app.live.state)
        await choose(pilot, "Save as profile", "ctrl+p")
        await pilot.press(*"mine", "enter")
        await ended(pilot)
        assert app.screen is editor
        assert config_load.load(profiles.path, environment={}, profile="mine").settings.session.temperature == 0.7
