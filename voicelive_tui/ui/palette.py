"""The command palette: a row for each command, with its name and what it does."""

from collections.abc import Callable, Iterator

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.markup import escape

from voicelive_tui.text import visible

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
    """The commands of the application, see `App.get_system_commands`."""

    def commands(self) -> Iterator[Command]:
        for title, does, run, _ in sorted(self.app.get_system_commands(self.screen), key=lambda each: each.title):
            yield title, does, run
