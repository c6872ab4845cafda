"""`?`: the keys that work now with the ids by which `[keys]` changes them, and the focused pane's numbers explained."""

from collections.abc import Mapping
from itertools import zip_longest
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
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
            sheet.border_subtitle = with_keys(self, Hint("{help.close} closes"))
            yield Static(self._sheet())

    def action_scroll(self, direction: str) -> None:
        sheet = self.query_one(VerticalScroll)
        sheet.scroll_relative(y=1 if direction == "down" else -1, animate=False)

    def _sheet(self) -> Text:
        keys: dict[str, tuple[list[str], str, str]] = {}
        # The focused pane's keys first; those without an id are Textual's own.
        bound = [active for active in self._keys.values() if active.binding.id and active.binding.description]
        for active in sorted(bound, key=lambda active: isinstance(active.node, Screen)):
            if active.enabled and has_key(active.binding):
                words = active.binding.tooltip or active.binding.description
                key = self.app.get_key_display(active.binding)
                keys.setdefault(active.binding.action, ([], words, active.binding.id or ""))[0].append(key)
        sheet = Text()
        for paragraph in self._text.splitlines():
            sheet.append(paragraph + "\n")
        sheet.append("\n")
        rows = [self._row(*row) for row in keys.values()]
        if self.app.size.width < 2 * COLUMN + 8:
            return Text("\n").join((*sheet.split(allow_blank=True), *rows))
        half = -(-len(rows) // 2)
        for left, right in zip_longest(rows[:half], rows[half:], fillvalue=Text()):
            left.truncate(COLUMN, overflow="ellipsis", pad=True)
            right.truncate(COLUMN, overflow="ellipsis")
            sheet.append_text(left).append("  ").append_text(right).append("\n")
        return sheet

    @staticmethod
    def _row(shown: list[str], words: str, binding_id: str) -> Text:
        """A key, its action, and the name of its binding in `[keys]`."""
        return Text.assemble((f"{' '.join(dict.fromkeys(shown)):>9}  ", "bold"), words, (f"  {binding_id}", "dim"))
