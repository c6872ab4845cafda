"""Commands of the palette that concern the session as a whole."""

from collections.abc import Callable, Iterator
from functools import partial

from textual.app import App
from textual.command import DiscoveryHit, Hit, Hits, Provider

from voicelive_tui.session.code import FORMATS
from voicelive_tui.session.inputs import CancelPressed, ClearPressed, Key
from voicelive_tui.session.state import SessionState
from voicelive_tui.ui.live_screen import LiveScreen

Command = tuple[str, str, Callable[[], None]]
"""Its name, what it does, and how."""


def copy_session(app: App[object], state: SessionState, form: str) -> None:
    """Put the session in force on the clipboard in one of the `FORMATS`."""
    copied = FORMATS[form](state)
    app.copy_to_clipboard(copied)
    app.notify(f"Copied the session as {form}: {len(copied):,} characters.", timeout=2)


class SessionCommands(Provider):
    """Sends single events, and copies the session."""

    async def discover(self) -> Hits:
        for name, does, run in self.commands():
            yield DiscoveryHit(name, run, help=does)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for name, does, run in self.commands():
            if (score := matcher.match(name)) > 0:
                yield Hit(score, matcher.highlight(name), run, help=does)

    def commands(self) -> Iterator[Command]:
        """What can be done now."""
        if not isinstance(self.screen, LiveScreen):
            return
        for name, does, key in SINGLE_EVENTS:
            yield name, does, partial(self.screen.apply, key)
        for form, does in ABOUT.items():
            yield f"Copy the session as {form}", does, partial(copy_session, self.app, self.screen.session, form)


SINGLE_EVENTS: tuple[tuple[str, str, Key], ...] = (
    ("Cancel the response", "Send response.cancel, whether or not one seems active", CancelPressed()),
    ("Clear streaming audio", "Send input_audio.clear: sound that is in no turn yet is dropped", ClearPressed()),
)
ABOUT = {
    "JSON": "The session.update that asks for what is in force",
    "Python": "A program for azure-ai-voicelive",
    "TOML": "Settings for the configuration file",
}
