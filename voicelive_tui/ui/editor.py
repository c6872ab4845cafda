"""`c`: the settings of the session, edited while the conversation goes on.

The form lies over the panes; the status line and the levels stay in view. Its widgets hold what is typed, a text each,
and nothing else; `outcomes.py` derives how each field stands.
"""

import re
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.reactive import reactive
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static, TextArea
from textual.widgets.option_list import Option

from voicelive_tui.session.fields import FIELDS, Field, changes, settings_of, wanted_texts
from voicelive_tui.session.inputs import BargeInEdited, SessionEdited
from voicelive_tui.session.outcomes import Outcome, Outcomes
from voicelive_tui.session.state import SessionState, Stage
from voicelive_tui.text import excerpt, visible
from voicelive_tui.ui.footer import Keys
from voicelive_tui.ui.hints import Hint, with_keys

if TYPE_CHECKING:
    from voicelive_tui.ui.app import VoiceLiveApp
    from voicelive_tui.ui.dashboard import DashboardScreen

LOOKS = {
    "invalid": "bad", "refused": "bad", "locked": "warn", "ignored": "warn", "not applied": "warn", "changed": "new",
    "sent": "new", "next session": "new", "in force": "good",
}  # fmt: skip
"""The class of a note by the word of its outcome."""
UNSENT = frozenset(("changed", "invalid", "locked", "refused", "not applied"))
LEAST_HEIGHT = 8
"""Rows of the form; where the panes have fewer, it covers everything."""
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

        def __init__(self, choice: "Choice") -> None:
            super().__init__()
            self.choice = choice

    def __init__(self, choices: tuple[str, ...], value: str) -> None:
        super().__init__(markup=False, classes="value")
        self.choices = choices
        self.set_reactive(Choice.value, value)

    def render(self) -> str:
        mark = {"on": "● ", "off": "○ "}.get(self.value, "")
        return f"{mark}{self.value or DEFAULT}{'' if mark else ' ▾'}"

    def watch_value(self) -> None:
        self.post_message(self.Changed(self))

    def action_step(self, by: int) -> None:
        at = self.choices.index(self.value) if self.value in self.choices else 0
        self.value = self.choices[(at + by) % len(self.choices)]


class Instructions(TextArea):
    """A text area that the arrow keys leave at its ends."""

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

    def __init__(self, field: Field, text: str) -> None:
        super().__init__(classes="long" if field.key == "instructions" else "")
        self.field = field
        self._given, self._outcome = text, Outcome("")

    def compose(self) -> ComposeResult:
        yield Static(self.field.label, classes="label")
        if self.field.key == "instructions":
            yield Instructions(_drawable(self._given), compact=True, classes="value")
        elif self.field.choices or self.field.flag:
            yield Choice(self.field.choices or ("on", "off"), self._given)
        else:
            yield Input(self._given, DEFAULT, compact=True, classes="value")
        yield Static(markup=False, classes="note")

    @property
    def value(self) -> Widget:
        """The widget that holds the text."""
        return self.query_one(".value")

    @property
    def text(self) -> str:
        """What is typed."""
        match self.value:
            case TextArea() as area:
                return self._given if area.text == _drawable(self._given) else area.text
            case Input() | Choice() as field:
                return field.value
        raise NotImplementedError

    @text.setter
    def text(self, text: str) -> None:
        self._given = text
        match self.value:
            case TextArea() as area:
                area.text = _drawable(text)
            case Input() as field:
                field.value = text
                field.cursor_position = len(text)
            case Choice() as field:
                field.value = text

    def show(self, outcome: Outcome) -> None:
        """Show how the field stands, if that changed."""
        if outcome == self._outcome:
            return
        self._outcome = outcome
        note = self.query_one(".note", Static)
        note.update(excerpt(_words(outcome)))
        note.set_classes(f"note {LOOKS.get(outcome.word, '')}")
        self.set_class(outcome.word == "not used", "unused")

    def details(self) -> str:
        """The help and the whole outcome."""
        field = self.field
        range_ = f" ({field.range})" if field.range else ""
        keys = Hint(" · {editor.choose} lists") if field.known or (field.choices and not field.flag) else ""
        return f"{field.label}: {field.help}{range_}{with_keys(self, keys)}\n{excerpt(_words(self._outcome))}"


def _words(outcome: Outcome) -> str:
    return outcome.sentence if outcome.word == "not used" else ": ".join(filter(None, outcome))


def _drawable(text: str) -> str:
    """A text of several lines with symbols for the control characters, which Textual would write to the terminal."""
    return _CONTROL.sub(lambda found: visible(found[0]), text)


class EditorScreen(ModalScreen[None]):
    """The form over `dashboard`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "send", "Send", tooltip="Ask the service for what changed", id="editor.send"),
        Binding("escape", "leave", "Leave", tooltip="Close a list, or the editor", id="editor.leave"),
        Binding("f4", "external", "$EDITOR", tooltip="Edit the instructions in your editor", id="editor.external"),
        Binding("ctrl+n", "renew", "New session", tooltip="A new session with this, history kept", id="editor.renew"),
        Binding("ctrl+p", "app.command_palette", "More", tooltip="Save as profile, copy as code", id="editor.palette"),
        Binding("enter", "choose", "Choose", show=False, tooltip="List the values", id="editor.choose"),
        Binding("down", "move(1)", "Next field", show=False, id="editor.down"),
        Binding("up", "move(-1)", "Previous field", show=False, id="editor.up"),
    ]
    DEFAULT_CSS = """
    EditorScreen {
        background: transparent;
        & > #editor { background: $surface; border-top: solid $accent; border-title-color: $accent; }
        & #form { height: 1fr; overflow-y: auto; scrollbar-size: 1 1; }
        & #form > .group { color: $text-muted; text-style: bold; }
        & #details { height: auto; min-height: 2; max-height: 4; padding: 0 1; background: $panel; }
        & #values { height: auto; max-height: 8; margin: 0 0 0 19; display: none; border: none; }
        & Footer { background: $panel; }
    }
    EditorScreen Row {
        height: auto;
        & > .label { width: 19; padding: 0 1; color: $text-muted; }
        & > .value { width: 34; height: 1; padding: 0 1; background: $foreground 6%; }
        & > .note { width: 1fr; height: 1; padding: 0 1; color: $text-muted; }
        & > .note { text-wrap: nowrap; text-overflow: ellipsis; }
        &.long > .value { width: 2fr; height: 4; padding: 0; }
        &:focus-within > .label { color: $accent; text-style: bold; }
        & > .value:focus { background: $accent 22%; }
        &.unused > .value { color: $text-disabled; }
        & > .bad { color: $error; }
        & > .warn { color: $warning; }
        & > .new { color: $accent; }
        & > .good { color: $success; }
    }
    """

    def __init__(self, dashboard: "DashboardScreen") -> None:
        super().__init__()
        self.dashboard = dashboard
        self._wanted = wanted_texts(dashboard.session)
        self.sent: set[str] = set()
        """Keys of what was sent from here, which report their outcome."""
        self._leaving = False

    def compose(self) -> ComposeResult:
        with Vertical(id="editor"):
            with Vertical(id="form"):  # a scrolling container would take the arrow keys
                group = ""
                for field in FIELDS:
                    if field.group != group:
                        group = field.group
                        yield Static(f" {group}", classes="group")
                    yield Row(field, self._wanted[field.key])
                yield OptionList(id="values", compact=True, markup=False)
            yield Static(id="details", markup=False)
        yield Keys()

    def on_mount(self) -> None:
        self.values = self.query_one("#values", OptionList)
        self.values.can_focus = False
        self.rows = {row.field.key: row for row in self.query(Row)}
        self.place()
        self.watch(self.dashboard, "session", self.show)

    @property
    def typed(self) -> dict[str, str]:
        """The text of each field."""
        return {key: row.text for key, row in self.rows.items()}

    # What is shown

    def place(self) -> None:
        """Cover the panes, and nothing else where there is room for that."""
        panes = self.dashboard.query_one("#main").region
        top, height = (panes.y, panes.height) if panes.height >= LEAST_HEIGHT else (0, self.size.height - 1)
        form = self.query_one("#editor")
        form.styles.margin = (top, 0, 0, 0)
        form.styles.height = height

    def on_resize(self) -> None:
        self.call_after_refresh(self.place)

    def show(self, session: SessionState | None = None) -> None:
        """Show how each field stands; a field that was not typed in follows what is wanted."""
        state = session or self.dashboard.session
        typed = self.typed
        outcomes = Outcomes(state, typed, self.sent)
        for key, text in outcomes.wanted.items():
            if text != self._wanted[key] and key not in self.sent and typed[key] == self._wanted[key]:
                self.rows[key].text = typed[key] = text
        self._wanted = outcomes.wanted
        unsent = 0
        for row in self.rows.values():
            outcome = outcomes.of(row.field)
            row.show(outcome)
            unsent += outcome.word in UNSENT
        title = f" Session · {unsent} not sent " if unsent else " Session "
        self.query_one("#editor").border_title = title
        self.show_details()
        self.call_after_refresh(self.place)  # a problem may have taken a line

    def show_details(self) -> None:
        """Explain the field in use."""
        row = self.row
        self.query_one("#details", Static).update(row.details() if row else "")

    @property
    def row(self) -> Row | None:
        """The row of the field in use."""
        return next((node for node in self.focused.ancestors if isinstance(node, Row)), None) if self.focused else None

    def on_descendant_focus(self, _event: events.DescendantFocus) -> None:
        self.values.display = False
        self.show_details()

    # Typing

    def on_input_changed(self, event: Input.Changed) -> None:
        self.changed()
        if event.input.has_focus:
            self.list_values(event.value)

    def on_choice_changed(self) -> None:
        self.changed()

    def on_text_area_changed(self) -> None:
        self.changed()

    def changed(self) -> None:
        """Show what that means."""
        self._leaving = False
        self.show()

    def list_values(self, words: str = "") -> None:
        """List the values that contain the words, below the field."""
        row = self.row
        if row is None:
            return
        field = row.field
        known = field.known(self.dashboard.session.connection.model) if field.known else {"": field.choices}
        self.values.clear_options()
        for kind, names in known.items():
            found = [name for name in names if words.lower() in name.lower()]
            heading = [Option(kind, disabled=True)] if kind and found else []
            self.values.add_options([*heading, *(Option(name or DEFAULT, id=name or "-") for name in found)])
        self.values.display = self.values.option_count > 0
        self.values.highlighted = None
        if self.values.display:
            self.query_one("#form").move_child(self.values, after=row)
            self.call_after_refresh(self.values.scroll_visible, animate=False)

    def action_choose(self) -> None:
        row = self.row
        if row is None:
            return
        if self.values.display and (option := self.values.highlighted_option):
            row.text = "" if option.id == "-" else option.id or ""
        if self.values.display:
            self.values.display = False
        elif row.field.flag:
            row.text = "off" if row.text == "on" else "on"
        elif row.field.known or row.field.choices:
            self.list_values()
        else:
            self.action_move(1)

    def on_input_submitted(self) -> None:
        self.action_choose()

    def on_option_list_option_selected(self) -> None:
        self.action_choose()

    def action_move(self, by: int) -> None:
        if self.values.display:
            (self.values.action_cursor_down if by > 0 else self.values.action_cursor_up)()
        elif by > 0:
            self.focus_next(".value")
        else:
            self.focus_previous(".value")

    def action_external(self) -> None:
        self.run_worker(self.edit_outside(), exclusive=True)

    async def edit_outside(self) -> None:
        """Edit the instructions in the user's editor."""
        from voicelive_tui.ui.external import ExternalEditorError, edit  # noqa: PLC0415

        app: VoiceLiveApp = self.app  # type: ignore[assignment]
        row = self.rows["instructions"]
        row.value.focus()
        try:
            row.text = await edit(app, self.typed["instructions"])
        except ExternalEditorError as problem:
            self.notify(str(problem), severity="warning")
        self.changed()

    # Sending

    def action_send(self) -> None:
        self.apply(at_once=True)

    def action_renew(self) -> None:
        if self.apply(at_once=False):
            self.dashboard.action_reset(True)

    def apply(self, *, at_once: bool) -> bool:
        """Want what is typed: in this session, but for a locked voice and what was refused already, or in the next.

        Returns:
            Whether it could be done.
        """
        session = self.dashboard.session
        typed = self.typed
        outcomes = Outcomes(session, typed, self.sent)
        found = {key: outcomes.of(row.field).word for key, row in self.rows.items()}
        if wrong := next((key for key, word in found.items() if word == "invalid"), None):
            self.rows[wrong].value.focus()
            self.notify(
                f"{self.rows[wrong].field.label}: {outcomes.of(self.rows[wrong].field).sentence}", severity="warning"
            )
            return False
        held = {"locked", "refused"} if at_once else set()
        asked = {key: text for key, text in typed.items() if text != self._wanted[key] and found[key] not in held}
        after = self._wanted | asked
        changed = changes(self._wanted, after, session.connection.model)
        ours = any(key.startswith("barge_in.") for key in asked)
        self.sent.update(asked)
        if ours:
            self.dashboard.apply(BargeInEdited(settings_of(after, session.connection.model).barge_in))
        if changed:
            self.dashboard.apply(SessionEdited(changed, at_once))
        if "locked" in found.values() and at_once:
            self.notify(with_keys(self, Hint("the voice is locked: {editor.renew} begins a new session with it")))
        elif at_once and not asked:
            self.notify("Nothing has changed.", timeout=3)
        elif changed and session.connection.stage is not Stage.READY:
            self.notify("Kept for the next session.", timeout=3)
        self.show()
        return True

    def action_leave(self) -> None:
        if self.values.display:
            self.values.display = False
            return
        outcomes = Outcomes(self.dashboard.session, self.typed, self.sent)
        if not self._leaving and any(outcomes.of(row.field).word in UNSENT for row in self.rows.values()):
            self._leaving = True
            hint = Hint("Not sent yet: {editor.send} sends, {editor.leave} again leaves without.")
            self.notify(with_keys(self, hint), severity="warning", timeout=3)
            return
        self.dismiss()
