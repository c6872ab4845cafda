"""One line to type in, above the keys: a message, a filter, or a search."""

from typing import ClassVar, Literal

from textual import events
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.reactive import var
from textual.widgets import Input, Static

from voicelive_tui.text import visible
from voicelive_tui.ui.hints import Hint, with_keys

Purpose = Literal["say", "filter", "search"]
_LABELS: dict[Purpose, tuple[str, str]] = {
    "say": (" say ", "a message to the assistant; enter sends it"),
    "filter": (" filter ", "words /regex/ !not is:error type: gap:>1 time:>1:20"),
    "search": (" search ", Hint("words of the transcript; {match.next} and {match.previous} go on")),
}


class LineInput(Input):
    """An input that joins the lines of a paste."""

    def on_paste(self, event: events.Paste) -> None:
        event.text = " ".join(event.text.splitlines())  # Textual's own handler, which is called next, takes the first


class Prompt(Horizontal):
    """Hidden until `ask`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave", id="prompt.leave"),
        Binding("tab,shift+tab", "stay", show=False),
    ]
    DEFAULT_CSS = """
    Prompt {
        height: 1; display: none;
        & > #prompt-label { width: auto; color: $accent; text-style: bold; }
        & > Input { width: 1fr; background: transparent; }
        & > #prompt-problem { width: auto; max-width: 80%; color: $error; text-wrap: nowrap; text-overflow: ellipsis; }
    }
    """

    problem: var[str] = var("", init=False)
    """Why the text is invalid."""

    class Submitted(Message):
        """Enter was pressed."""

        def __init__(self, purpose: Purpose, text: str) -> None:
            super().__init__()
            self.purpose, self.text = purpose, text

    class Changed(Submitted):
        """The text changed."""

    class Left(Message):
        """Escape was pressed; `before` is the initial text."""

        def __init__(self, purpose: Purpose, before: str) -> None:
            super().__init__()
            self.purpose, self.before = purpose, before

    purpose: Purpose = "say"
    _before = ""

    @property
    def text(self) -> str:
        """The text typed so far."""
        return self.query_one(Input).value

    def ask(self, purpose: Purpose, text: str = "") -> None:
        """Appear and take the focus."""
        if not self.children:  # the start does without them
            self.mount(
                Static("", id="prompt-label", markup=False),
                LineInput(compact=True, select_on_focus=False),
                Static("", id="prompt-problem", markup=False),
            )
        self.purpose, self._before, self.problem = purpose, text, ""
        label, placeholder = _LABELS[purpose]
        self.query_one("#prompt-label", Static).update(label)
        field = self.query_one(Input)
        field.placeholder = with_keys(self, placeholder)
        with self.prevent(Input.Changed):
            field.value = text
        self.display = True
        self.screen.set_focus(field)  # now, not when there is time, as `field.focus()` does

    def watch_problem(self, problem: str) -> None:
        self.query_one("#prompt-problem", Static).update(visible(problem))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(self.purpose, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self.problem:
            return
        self.display = False
        self.post_message(self.Submitted(self.purpose, event.value))

    def action_stay(self) -> None:
        """Keep the focus in the prompt until it is submitted or left."""

    def action_leave(self) -> None:
        self.display = False
        self.post_message(self.Left(self.purpose, self._before))
