"""The command palette: a row for each command, with its name and what it does."""

from collections.abc import Callable, Iterator
from functools import partial
from operator import itemgetter
from typing import Any

from textual.app import App
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.markup import escape

from voicelive_tui.session.inputs import RotatePressed
from voicelive_tui.text import visible
from voicelive_tui.ui.live_screen import LiveScreen

NAME = 34
"""Cells of the column of names."""
WEAK = 0.01
"""The score of a query that is in the description alone."""
Command = tuple[str, str, Callable[[], object]]
"""Name, description and action."""


class Commands(Provider):
    """A source of commands; a subclass lists those that can be used now."""

    def commands(self) -> Iterator[Command]:
        raise NotImplementedError

    async def discover(self) -> Hits:
        for name, does, run in self.commands():
            yield DiscoveryHit(self.row(Content(name), does), run, name)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for name, does, run in self.commands():
            score = matcher.match(name) or (query.lower() in does.lower()) * WEAK
            if score:
                yield Hit(score, self.row(matcher.highlight(escape(name)), does), run, name)

    def row(self, name: Content, does: str) -> Content:
        """A command; in a narrow terminal there is no column of names."""
        column = NAME if self.app.size.width >= 2 * NAME else 0
        return Content.assemble(name.stylize("bold"), " " * max(column - name.cell_length, 2), (visible(does), "dim"))


class AppCommands(Commands):
    """Every action that has a key, new sessions, themes and screenshots, by name."""

    def commands(self) -> Iterator[Command]:
        yield from sorted(self._unsorted(), key=itemgetter(0))

    def _unsorted(self) -> Iterator[Command]:
        app, screen = self.app, self.screen
        listed = {*getattr(screen, "REFUSED", ())}
        for node, binding, enabled, _ in screen.active_bindings.values():
            if not enabled or not binding.id or not binding.description or binding.id in listed:
                continue
            if not binding.id.startswith(("list.", "back")):
                listed.add(binding.id)
                does = f"{binding.tooltip} ({app.get_key_display(binding)})".strip()
                yield binding.description, does, partial(app.run_action, binding.action, node)
        if isinstance(screen, LiveScreen) and not screen.REFUSED:
            keep = partial(app.run_action, "reset(True)", screen)
            yield "Reset and keep the history", "A new session that knows what was said", keep
            does = "A new session takes over, unnoticed, in the next quiet moment"
            yield "Rotate the session now", does, partial(screen.apply, RotatePressed())
        yield "Theme", "Change the colours", app.action_change_theme
        picture = partial(save_picture, app)
        yield "Screenshot", "Save the screen as SVG", lambda: app.set_timer(0.1, picture)  # without the palette


def save_picture(app: App[Any]) -> None:
    """Save the screen as SVG in the current folder."""
    try:
        app.notify(f"Saved {app.save_screenshot()}")
    except OSError as problem:
        app.notify(f"The picture cannot be saved: {problem}", severity="error")
