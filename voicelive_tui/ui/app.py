"""The application: keymap, suspension, and how it ends."""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.filter import LineFilter, NoColor
from textual.screen import Screen
from textual.widgets import Static

from voicelive_tui.runtime import INTERRUPTED
from voicelive_tui.text import mask, visible
from voicelive_tui.ui.binding import keymap_of
from voicelive_tui.ui.key_queue import KeyQueueApp
from voicelive_tui.ui.themes import THEMES, theme_of

if TYPE_CHECKING:
    from textual.command import Provider

    from voicelive_tui.client.profiles import Profiles
    from voicelive_tui.client.shell import Shell
    from voicelive_tui.config import Ui
    from voicelive_tui.ui.dashboard import DashboardScreen

log = logging.getLogger(__name__)

CLOSE_LIMIT = 3.0
"""Seconds for an orderly end of the conversation."""


def _app_commands() -> "type[Provider]":
    from voicelive_tui.ui.palette import AppCommands  # noqa: PLC0415 - when the palette opens

    return AppCommands


def _session_commands() -> "type[Provider]":
    from voicelive_tui.ui.session_commands import SessionCommands  # noqa: PLC0415 - when the palette opens

    return SessionCommands


class FirstScreen(Screen[None]):
    """Shown at once; the dashboard is loaded behind it."""

    def compose(self) -> ComposeResult:
        yield Static("   STARTING", markup=False)

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        event.refresh_styles = False  # its widgets are new, and were styled when they were mounted


class VoiceLiveApp(KeyQueueApp):
    """The dashboard.

    Args:
        open_session: Makes the session. Called after the first screen is drawn, because its modules take time to load.
        ui: Theme, lean, mouse.
        keys: Binding id to keys, from the configuration; see `keymap.py`.
        profiles: Those of the configuration file.
    """

    TITLE = "voicelive-tui"
    COMMANDS: ClassVar["set[type[Provider] | Callable[[], type[Provider]]]"] = {_app_commands, _session_commands}
    CSS_PATH = "dashboard.tcss"  # a screen's own would be loaded with it, and everything parsed again
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit", id="quit"),
        # Textual's own, with ids so that they can be changed.
        Binding("ctrl+q", "quit", show=False, priority=True, id="quit.everywhere"),
        Binding("ctrl+p", "command_palette", show=False, priority=True, id="palette.everywhere"),
        # Textual would answer Ctrl+C with a hint on how to quit; in a terminal it ends the program.
        Binding("ctrl+c", "interrupted", "End now", show=False, priority=True, id="end"),
        Binding("ctrl+z", "suspend", "Suspend", show=False, priority=True, id="suspend"),  # over help and picker too
    ]

    def __init__(
        self,
        open_session: "Callable[[], Shell]",
        ui: "Ui",
        keys: Mapping[str, str],
        profiles: "Profiles | None" = None,
    ) -> None:
        super().__init__()
        self.live: Shell | None = None
        self.open_session = open_session
        self.ui = ui
        self.keys = keys
        self.profiles = profiles
        self._suspended = self._ending = self._broken = False
        self._disable_tooltips = True  # nothing has one, and each screen would make a widget for them
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = theme_of(ui, self.console.color_system)
        self.stylesheet.set_variables(self.get_css_variables())  # see `refresh_css`
        self.set_keymap(keymap_of(keys))

    def get_driver_class(self) -> type[Driver]:
        if sys.platform == "win32" or "TEXTUAL_DRIVER" in os.environ:
            return super().get_driver_class()
        from voicelive_tui.ui.terminal import TerminalDriver  # noqa: PLC0415 - loads termios

        return TerminalDriver

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Use `NoColor` with NO_COLOR and an ANSI theme.

        Textual chooses its grey filter before the theme is known, and that makes default colours black on black.
        """
        return [NoColor()] if self.no_color and self.native_ansi_color else super().get_line_filters()

    def _fatal_error(self) -> None:
        """Log a defect, and end with a sentence: Textual would print local variables, of which some are secret."""
        error = sys.exception()
        log.error("the dashboard broke down", exc_info=error)
        if not self._broken:  # of several defects Textual shows the first, with advice for its own developers
            self._broken = True
            sentence = mask(f"the program has a defect ({type(error).__name__}: {error}); see the log file")
            self.panic(Text(f"voicelive-tui: {visible(sentence)}"))

    def get_default_screen(self) -> FirstScreen:
        return FirstScreen(id="_default")

    def refresh_css(self, animate: bool = True) -> None:
        # A theme that is set before the start is in the first parse of the styles already; Textual would parse them
        # twice more.
        if self.live is not None:
            super().refresh_css(animate)

    async def on_ready(self) -> None:  # once the first screen is drawn; a refresh would be one of its periods later
        for signal, suspended in ((self.app_suspend_signal, True), (self.app_resume_signal, False)):
            signal.subscribe(self, lambda _, now=suspended: self._set_suspended(now), immediate=True)
        self.live = self.open_session()
        self.push_screen(self.make_screen(self.live))
        if os.environ.get("SSH_CONNECTION") and not self.ui.lean:
            self.notify("A slow line? --lean draws less often.", timeout=6)

    def make_screen(self, live: "Shell") -> "DashboardScreen":
        """The dashboard for a session."""
        from voicelive_tui.ui.dashboard import DashboardScreen  # noqa: PLC0415 - after the first paint

        return DashboardScreen(live, self.ui, self.size, self.profiles)

    def notify(self, message: str, **options: Any) -> None:
        """Show a toast; any text in it may be foreign."""
        super().notify(visible(message), **{**options, "markup": False})

    async def action_quit(self) -> None:
        await self.end(0)

    async def action_interrupted(self) -> None:
        await self.end(INTERRUPTED)

    async def action_suspend(self) -> None:
        """Ctrl+Z: back to the shell with the microphone released; both return with `fg`."""
        if self.live is None:
            self.action_suspend_process()
            return
        await self.live.suspend()
        try:
            self.action_suspend_process()
        finally:
            await self.live.resume()

    def _set_suspended(self, suspended: bool) -> None:
        self._suspended = suspended

    def end_on_signal(self, status: int) -> None:
        """End the program with the exit status of a signal; Ctrl+C is meant for a program that has the terminal."""
        if not (self._suspended and status == INTERRUPTED):
            self.call_later(self.end, status)

    async def end(self, return_code: int) -> None:
        """End the conversation in order, within `CLOSE_LIMIT` seconds, then the program; a second call ends at once."""
        if self._ending:
            self.exit(return_code=return_code)
            return
        self._ending = True
        try:
            async with asyncio.timeout(CLOSE_LIMIT):
                if self.live is not None:
                    await self.live.close()
        except TimeoutError:
            self.log("the conversation did not end in time")
        self.exit(return_code=return_code)
