"""`?`: the keys that work now with the ids by which `[keys]` changes them, and the focused pane's numbers explained."""

from collections.abc import Mapping
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from voicelive_tui.ui.app import UNBOUND
from voicelive_tui.ui.hints import Hint, with_keys


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
        # Keys of the whole dashboard first; those without an id are Textual's own.
        bound = [active for active in self._keys.values() if active.binding.id and active.binding.description]
        for active in sorted(bound, key=lambda active: not isinstance(active.node, Screen)):
            if active.enabled and active.binding.key != UNBOUND:
                words = active.binding.tooltip or active.binding.description
                key = self.app.get_key_display(active.binding)
                keys.setdefault(active.binding.action, ([], words, active.binding.id or ""))[0].append(key)
        sheet = Text()
        for paragraph in self._text.splitlines():
            sheet.append(paragraph + "\n")
        sheet.append("\n")
        for shown, words, binding_id in keys.values():
            sheet.append(f"{' '.join(dict.fromkeys(shown)):>14}  ", "bold")
            sheet.append(words)
            sheet.append(f"  {binding_id}\n", "dim")  # what [keys] in the configuration calls it
        return sheet
