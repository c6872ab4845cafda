"""A line of text to be typed over the dashboard, for a purpose that its title names."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input

from voicelive_tui.text import visible
from voicelive_tui.ui.hints import Hint, with_keys
from voicelive_tui.ui.prompt import LineInput


class LineDialog(ModalScreen[tuple[str, str] | None]):
    """Returns the text and the kind chosen for it; None if it was left.

    Args:
        title: What the text is for.
        text: To begin with.
        kinds: One of which `tab` chooses; none: there is no choice.
        optional: The text may be empty.
        enter: What the key does, in words.
        check: Raises `ValueError` with the reason for a text that is invalid.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Leave", id="line.leave"),
        Binding("tab", "kind(1)", "Next kind", show=False, id="line.kind"),
        Binding("shift+tab", "kind(-1)", "Previous kind", show=False),
    ]
    DEFAULT_CSS = """
    LineDialog {
        align: center bottom;
        & > Vertical {
            width: 100%; max-width: 110; height: 3; margin: 0 0 1 0;
            background: $surface; border: round $accent; padding: 0 1;
            border-title-color: $accent; border-subtitle-color: $text-muted;
        }
        & Input { width: 1fr; background: transparent; }
    }
    """

    def __init__(
        self,
        title: str,
        text: str = "",
        kinds: tuple[str, ...] = (),
        *,
        optional: bool = False,
        enter: str = "sends",
        check: Callable[[str], object] = str,  # to which any text is valid
    ) -> None:
        super().__init__()
        self._enter, self._check = enter, check
        self._title, self._text, self._kinds, self._optional = title, text, kinds, optional
        self._kind = 0

    def compose(self) -> ComposeResult:
        with Vertical():
            yield LineInput(self._text, compact=True, select_on_focus=False)

    def on_mount(self) -> None:
        self.show_title()

    def show_title(self) -> None:
        """Show the purpose, the kind, and the keys."""
        frame = self.query_one(Vertical)
        title, choose = self._title, ""
        if self._kinds:
            title, choose = f"{title} as {self._kinds[self._kind]}", "{line.kind} changes the kind · "
        frame.border_title = Content(visible(title))  # a plain string would be markup
        frame.border_subtitle = with_keys(self, Hint(f"enter {self._enter} · " + choose + "{line.leave} leaves"))

    def action_kind(self, step: int) -> None:
        if self._kinds:
            self._kind = (self._kind + step) % len(self._kinds)
            self.show_title()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value.strip()
        try:
            self._check(text)
        except ValueError as problem:
            self.query_one(Vertical).border_subtitle = Content(visible(str(problem)))
            return
        if text or self._optional:
            self.dismiss((text, self._kinds[self._kind] if self._kinds else ""))
