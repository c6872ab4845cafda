"""Commands of the palette that concern the session as a whole: profiles, single events, the session as code."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any

from textual.app import App

from voicelive_tui.client.profiles import Profiles
from voicelive_tui.errors import UserError
from voicelive_tui.session.code import FORMATS
from voicelive_tui.session.inputs import CancelPressed, ClearPressed, Key
from voicelive_tui.session.state import SessionState
from voicelive_tui.text import visible
from voicelive_tui.ui.line_dialog import LineDialog
from voicelive_tui.ui.live_screen import LiveScreen
from voicelive_tui.ui.palette import Command, Commands
from voicelive_tui.ui.themes import theme_of
from voicelive_tui.ui.tool_commands import tool_commands


def copy_session(app: App[Any], state: SessionState, form: str) -> None:
    """Put the session in force on the clipboard in one of the `FORMATS`."""
    copied = FORMATS[form](state)
    app.copy_to_clipboard(copied)
    app.notify(f"Copied the session as {form}: {len(copied):,} characters.", timeout=2)


async def use_profile(screen: LiveScreen, profiles: Profiles, name: str) -> None:
    """Begin a new session with a profile, or without one for ""."""
    try:
        choice, after_restart = await asyncio.to_thread(profiles.switch, name)
    except UserError as problem:
        screen.notify(str(problem), severity="error")
        return
    origin = f"profile {name}" if name else "no profile"
    await screen.live.change_settings(choice.settings, origin, demo=choice.demo)
    screen.app.theme = theme_of(choice.settings.ui, screen.app.console.color_system)
    await screen.run_action("reset")
    sentences = [f"New session with {origin}."]
    if choice.overridden:
        sentences.append(f"The environment or a flag is stronger for {', '.join(choice.overridden)}.")
    if after_restart:
        sentences.append(f"In force after a restart: {', '.join(after_restart)}.")
    screen.notify(" ".join(sentences), severity="warning" if choice.overridden or after_restart else "information")


async def save_as_profile(screen: LiveScreen, profiles: Profiles) -> None:
    """Ask for a name, and save the settings in use as a profile. To be run by a worker."""
    names = await asyncio.to_thread(profiles.names)
    there = f" (there are: {', '.join(names)})" if names else ""
    answer = await screen.app.push_screen_wait(LineDialog(f"Save as profile{there}", enter="saves"))
    if answer is None:
        return
    name, _ = answer
    try:
        left_out = await asyncio.to_thread(profiles.save, name, screen.session)
    except UserError as problem:
        screen.notify(str(problem), severity="error")
        return
    more = f" Not saved, because it looks like a secret: {', '.join(left_out)}." if left_out else ""
    done = f"{'Replaced' if name in names else 'Saved'} profile {name}: --profile {name} uses it.{more}"
    screen.notify(done, severity="warning" if more else "information")


class SessionCommands(Commands):
    """Begins sessions with a profile, saves one, sends single events, and copies the session."""

    async def startup(self) -> None:
        self.live_screen = next((each for each in self.app.screen_stack if isinstance(each, LiveScreen)), None)
        profiles = self.live_screen and self.live_screen.profiles
        self.names = await asyncio.to_thread(profiles.names) if profiles else []

    def commands(self) -> Iterator[Command]:
        screen = self.live_screen
        if screen is None:  # as long as the first screen is shown
            return

        def in_worker(work: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], object]:
            return lambda: screen.run_worker(work(), name="profile")

        if (profiles := screen.profiles) is not None:
            for name in self.names and [*self.names, ""]:
                with_it = f"with profile {visible(name)}" if name else "without a profile"
                does = f"Reset with {'the settings of the profile' if name else 'the rest of the configuration'}"
                yield f"New session {with_it}", does, in_worker(partial(use_profile, screen, profiles, name))
            save = partial(save_as_profile, screen, profiles)
            yield "Save as profile", "Save the settings in use under a name in the configuration", in_worker(save)
        if not screen.REFUSED:
            yield from tool_commands(screen)
            for name, does, key in SINGLE_EVENTS:
                yield name, does, partial(screen.apply, key)
        for form, does in ABOUT.items():
            yield f"Copy the session as {form}", does, partial(copy_session, self.app, screen.session, form)


SINGLE_EVENTS: tuple[tuple[str, str, Key], ...] = (
    ("Cancel the response", "Send response.cancel, whether or not one seems active", CancelPressed()),
    ("Clear streaming audio", "Send input_audio.clear: sound that is in no turn yet is dropped", ClearPressed()),
)
ABOUT = {
    "JSON": "The session.update that asks for what is in force",
    "Python": "A program for azure-ai-voicelive",
    "TOML": "Settings for the configuration file",
}
