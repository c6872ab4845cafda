"""The rows of the session editor: a field each, with the widget that suits its type."""

import re
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Input, Static, TextArea

from voicelive_tui.session.fields import Field
from voicelive_tui.session.outcomes import Outcome
from voicelive_tui.text import excerpt, visible
from voicelive_tui.ui.hints import Hint, with_keys

LOOKS = {
    "invalid": "bad", "refused": "bad", "locked": "warn", "ignored": "warn", "not applied": "warn", "changed": "new",
    "sent": "new", "next session": "new", "in force": "good",
}  # fmt: skip
"""The class of a note by the word of its outcome."""
DEFAULT = "default"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Choice(Static, can_focus=True):
    """One of a few values; `space` and the arrows step through them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,right", "step(1)", "Next value", show=False, id="editor.next"),
        Binding("left", "step(-1)", "Previous value", show=False, id="editor.previous"),
    ]
    value: reactive[str] = reactive("", init=False, layout=False)

    class Changed(Message):
        """Another value was chosen."""

    def __init__(self, choices: tuple[str, ...], value: str) -> None:
        super().__init__(markup=False, classes="value")
        self.choices = choices
        self.set_reactive(Choice.value, value)

    def render(self) -> str:
        mark = {"on": "● ", "off": "○ "}.get(self.value, "")
        return f"{mark}{self.value or DEFAULT}{'' if mark else ' ▾'}"

    def watch_value(self) -> None:
        self.post_message(self.Changed())

    def action_step(self, by: int) -> None:
        at = self.choices.index(self.value) if self.value in self.choices else 0
        self.value = self.choices[(at + by) % len(self.choices)]


class Instructions(TextArea):
    """A text area that the arrow keys leave at its ends, and that shows control characters as symbols."""

    def __init__(self, value: str) -> None:
        super().__init__(_drawable(value), compact=True, classes="value")
        self._given = value

    @property
    def value(self) -> str:
        """The text: as it was given, unless it was edited."""
        return self._given if self.text == _drawable(self._given) else self.text

    @value.setter
    def value(self, value: str) -> None:
        self._given, self.text = value, _drawable(value)

    def action_cursor_down(self, select: bool = False) -> None:
        if self.navigator.is_last_wrapped_line(self.cursor_location) and not select:
            self.screen.focus_next(".value")
        else:
            super().action_cursor_down(select)

    def action_cursor_up(self, select: bool = False) -> None:
        if self.navigator.is_first_wrapped_line(self.cursor_location) and not select:
            self.screen.focus_previous(".value")
        else:
            super().action_cursor_up(select)


class Row(Horizontal):
    """A field: its label, what is typed, and how it stands."""

    DEFAULT_CSS = """
    Row {
        height: 1;
        &.long { height: 4; }
        & > .label { width: 19; padding: 0 1; color: $text-muted; }
        & > .value { width: 4fr; max-width: 34; height: 1; padding: 0 1; background: $foreground 6%; }
        & > Input.value { padding: 0 1; } /* Textual's own rule is as specific as the one above */
        & > .note { width: 3fr; height: 1; padding: 0 1; color: $text-muted; }
        & > .note { text-wrap: nowrap; text-overflow: ellipsis; }
        &.long > .value { width: 6fr; max-width: 100%; height: 4; }
        &.in-use > .label { color: $accent; text-style: bold; }
        & > .value:focus { background: $accent 22%; }
        &:ansi > .value:focus { background: ansi_default; }
        &.unused > .value { color: $text-disabled; }
        & > .bad { color: $error; }
        & > .warn { color: $warning; }
        & > .new { color: $accent; }
        & > .good { color: $success; }
    }
    """

    def __init__(self, field: Field, text: str) -> None:
        super().__init__(classes="long" if field.key == "instructions" else "")
        self.field = field
        self.outcome = Outcome("")
        self.value: Instructions | Choice | Input
        """The widget that holds the text."""
        if field.key == "instructions":
            self.value = Instructions(text)
        elif field.choices or field.flag:
            self.value = Choice(field.choices or ("on", "off"), text)
        else:
            self.value = Input(text, DEFAULT, compact=True, classes="value")

    def compose(self) -> ComposeResult:
        yield Static(self.field.label, classes="label")
        yield self.value
        yield Static(markup=False, classes="note")

    @property
    def text(self) -> str:
        """What is typed."""
        return self.value.value

    @text.setter
    def text(self, text: str) -> None:
        self.value.value = text
        if isinstance(self.value, Input):
            self.value.cursor_position = len(text)

    def show(self, outcome: Outcome) -> None:
        """Show how the field stands, if that changed."""
        if outcome == self.outcome:
            return
        self.outcome = outcome
        note = self.query_one(".note", Static)
        note.update(excerpt(_words(outcome)))
        note.set_classes(f"note {LOOKS.get(outcome.word, '')}")
        self.set_class(outcome.word == "not used", "unused")

    def details(self) -> str:
        """The help and the whole outcome."""
        field = self.field
        range_ = f" ({field.range})" if field.range else ""
        keys = Hint(" · {editor.choose} lists") if field.known or (field.choices and not field.flag) else ""
        renew = Hint(" · {editor.renew}: a new session with this, history kept")
        way_out = with_keys(self, renew) if self.outcome.word == "locked" else ""
        return f"{field.label}: {field.help}{range_}{with_keys(self, keys)}\n{excerpt(_words(self.outcome))}{way_out}"


def _words(outcome: Outcome) -> str:
    return outcome.sentence if outcome.word == "not used" else ": ".join(filter(None, outcome))


def _drawable(text: str) -> str:
    """A text of several lines with symbols for the control characters, which Textual would write to the terminal."""
    return _CONTROL.sub(lambda found: visible(found[0]), text)
