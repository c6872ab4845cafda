"""`?`: the keys that work now with the ids by which `[keys]` changes them, and the focused pane's numbers explained."""

from collections.abc import Mapping
from itertools import zip_longest
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from voicelive_tui.ui.binding import has_key
from voicelive_tui.ui.hints import Hint, with_keys

COLUMN = 54
"""Cells of a column of keys."""


class HelpScreen(ModalScreen[None]):
    """A sheet over the dashboard."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q", "dismiss", "Close", id="help.close"),
        Binding("j,down", "scroll('down')", "Down", show=False, id="help.down"),
        Binding("k,up", "scroll('up')", "Up", show=False, id="help.up"),
    ]

    def __init__(self, title: str, text: str, bindings: Mapping[str, ActiveBinding]) -> None:
        super().__init__()
        self._pane_title, self._text, self._keys = title, text, bindings

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="sheet") as sheet:
            sheet.border_title = f"Help: {self._pane_title}"
            sheet.border_subtitle = with_keys(self, Hint(r"last word: the name in \[keys] · {help.close} closes"))
            yield Static(self._sheet())

    def action_scroll(self, direction: str) -> None:
        sheet = self.query_one(VerticalScroll)
        sheet.scroll_relative(y=1 if direction == "down" else -1, animate=False)

    def _sheet(self) -> Text:
        own: dict[str, tuple[list[str], str, str]] = {}
        others: dict[str, tuple[list[str], str, str]] = {}
        for node, binding, enabled, _ in self._keys.values():
            if enabled and binding.id and binding.description and has_key(binding):  # without an id: Textual's own
                group = others if isinstance(node, App | Screen) else own
                row = group.setdefault(binding.action, ([], binding.tooltip or binding.description, binding.id))
                row[0].append(self.app.get_key_display(binding))
        rows = [*self._group(self._pane_title, own), Text(), *self._group("Everywhere", others)]
        rows = rows if own else rows[2:]
        if self.app.size.width >= 2 * COLUMN + 8:
            half = -(-len(rows) // 2)
            for left in rows[:half]:
                left.truncate(COLUMN, overflow="ellipsis", pad=True)
            rows = [Text("  ").join(pair) for pair in zip_longest(rows[:half], rows[half:], fillvalue=Text())]
        return Text("\n").join((Text(self._text), Text(), *rows))

    def _group(self, name: str, keys: Mapping[str, tuple[list[str], str, str]]) -> list[Text]:
        return [Text.assemble(" " * 11, (name, "underline")), *(self._row(*row) for row in keys.values())]

    @staticmethod
    def _row(shown: list[str], words: str, binding_id: str) -> Text:
        """A key, its action, and the name of its binding in `[keys]`."""
        return Text.assemble((f"{' '.join(dict.fromkeys(shown)):>9}  ", "bold"), words, (f"  {binding_id}", "dim"))
