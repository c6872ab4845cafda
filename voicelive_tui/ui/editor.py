"""`c`: the settings of the session, edited while the conversation goes on.

The form lies over the panes; the status line and the levels stay in view. Its widgets hold what is typed, a text each,
and nothing else; `outcomes.py` derives how each field stands.
"""

from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.markup import escape
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static, TextArea
from textual.widgets.option_list import Option

from voicelive_tui.session.fields import FIELDS
from voicelive_tui.session.inputs import BargeInEdited, SessionEdited, TalkEdited
from voicelive_tui.session.outcomes import Outcomes
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.typed import changes, settings_from, wanted_texts
from voicelive_tui.ui.editor_row import DEFAULT, Choice, Row
from voicelive_tui.ui.hints import Hint, key_of, with_keys
from voicelive_tui.ui.live_screen import LiveScreen
from voicelive_tui.ui.text import wrap

UNSENT = frozenset(("changed", "invalid", "locked", "refused", "not applied"))
LEAST_HEIGHT = 8
"""Rows of the form; where the panes have fewer, it covers everything."""


class EditorScreen(ModalScreen[None]):
    """The form over `dashboard`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "send", "Send", tooltip="Ask the service for what changed", id="editor.send"),
        Binding("escape", "leave", "Leave", tooltip="Close a list, or the editor", id="editor.leave"),
        Binding("f4", "external", "$EDITOR", tooltip="Edit the instructions in your editor", id="editor.external"),
        Binding("ctrl+r", "renew", "New session", tooltip="A new session with this, history kept", id="editor.renew"),
        Binding("f2", "save", "Save profile", tooltip="Save what is wanted as a profile", id="editor.save"),
        Binding("f3", "copy", "Copy as", tooltip="Copy the session in force as code", id="editor.copy"),
        Binding("ctrl+y", "decide(True)", "Approve", show=False, tooltip="The call that waits", id="approve"),
        Binding("ctrl+n", "decide(False)", "Refuse", show=False, tooltip="The call that waits", id="refuse"),
        Binding("enter", "choose", "Choose", show=False, tooltip="List the values", id="editor.choose"),
        Binding("down", "move(1)", "Next field", show=False, id="editor.down"),
        Binding("up", "move(-1)", "Previous field", show=False, id="editor.up"),
    ]
    DEFAULT_CSS = """
    EditorScreen {
        background: transparent;
        & > #editor { background: $surface; border-top: solid $accent; border-title-color: $accent; }
        & #form { height: 1fr; overflow-y: auto; scrollbar-size: 1 1; }
        & #form > .group { text-style: bold; }
        & #keys { dock: bottom; height: 1; padding: 0 1; background: $panel; }
        & #keys { text-wrap: nowrap; text-overflow: ellipsis; }
        & #keys { link-style: none; link-color: $foreground; link-style-hover: underline; }
        & #details { height: 2; padding: 0 1; background: $panel; }
        & #values { height: auto; max-height: 8; margin: 0 0 0 19; display: none; border: none; }
    }
    """

    def __init__(self, dashboard: LiveScreen) -> None:
        super().__init__()
        self.dashboard = dashboard
        self._wanted = wanted_texts(dashboard.session)
        self.sent: set[str] = set()
        """Keys of what was sent from here, which report their outcome."""
        self._leaving = False

    def compose(self) -> ComposeResult:
        with Vertical(id="editor"):
            with Vertical(id="form"):  # a scrolling container would take the arrow keys
                for group, fields in groupby(FIELDS, key=attrgetter("group")):
                    yield Static(f" {group}", classes="group")
                    yield from (Row(field, self._wanted[field.key]) for field in fields)
                yield OptionList(id="values", compact=True, markup=False)
            yield Static(id="details", markup=False)
        yield Static(id="keys")  # a Footer is made again at each change of focus, and then the whole form is laid out

    def on_mount(self) -> None:
        keys = (each for each in self.BINDINGS if isinstance(each, Binding) and each.show)
        shown = ((escape(key_of(self, key.id or "")), key) for key in keys)
        foot = (f"[b $accent]{name}[/] [@click=screen.{key.action}]{key.description}[/]" for name, key in shown)
        self.query_one("#keys", Static).update("  ".join(foot))
        self.values = self.query_one("#values", OptionList)
        self.values.can_focus = False
        self.rows = {row.field.key: row for row in self.query(Row)}
        self.place()
        self.dashboard.screen_layout_refresh_signal.subscribe(self, lambda _screen: self.place())
        self.watch(self.dashboard, "session", self.show)

    @property
    def typed(self) -> dict[str, str]:
        """The text of each field."""
        return {key: row.text for key, row in self.rows.items()}

    @property
    def unsent(self) -> int:
        """How many fields hold something that is not asked for."""
        return sum(row.outcome.word in UNSENT for row in self.rows.values())

    # What is shown

    def place(self) -> None:
        """Cover the panes, and nothing else where there is room for that."""
        panes = self.dashboard.query_one("#main").region
        top, height = (panes.y, panes.height) if panes.height >= LEAST_HEIGHT else (0, self.size.height - 1)
        form = self.query_one("#editor")
        form.styles.margin = (top, 0, 0, 0)
        form.styles.height = height

    def show(self, session: SessionState | None = None) -> None:
        """Show how each field stands; a field that was not typed in follows what is wanted."""
        state = session or self.dashboard.session
        typed = self.typed
        outcomes = Outcomes(state, typed, self.sent)
        for key, text in outcomes.wanted.items():
            if text != self._wanted[key] and key not in self.sent and typed[key] == self._wanted[key]:
                self.rows[key].text = typed[key] = text
        self._wanted = outcomes.wanted
        for row in self.rows.values():
            row.show(outcomes.of(row.field))
        unsent = f"· {self.unsent} not sent " if self.unsent else ""
        self.query_one("#editor").border_title = f" Session {unsent}"
        self.show_details()

    def show_details(self) -> None:
        """Explain the field in use."""
        details, text = self.query_one("#details", Static), self.row.details() if self.row else ""
        lines = sum(len(wrap(line, details.content_size.width or self.size.width)) for line in text.split("\n"))
        details.styles.height = min(max(lines, 2), 4)
        details.update(text, layout=False)  # a layout of the whole form takes 30 ms

    @property
    def row(self) -> Row | None:
        """The row of the field in use."""
        return next((node for node in self.focused.ancestors if isinstance(node, Row)), None) if self.focused else None

    def on_descendant_focus(self, _event: events.DescendantFocus) -> None:
        self.values.display = False
        for row in self.rows.values():
            row.set_class(row is self.row, "in-use")
        self.show_details()

    # Typing

    def on_input_changed(self, event: Input.Changed) -> None:
        self.changed()
        if event.input.has_focus:
            self.list_values(event.value)

    @on(Choice.Changed)
    @on(TextArea.Changed)
    def changed(self) -> None:
        """Show the outcome of what was typed."""
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

    @on(Input.Submitted)
    @on(OptionList.OptionSelected)
    def action_choose(self) -> None:
        row = self.row
        if row is None:
            return
        listed = [option for option in self.values.options if not option.disabled] if self.values.display else []
        option = self.values.highlighted_option or (listed[0] if len(listed) == 1 else None)
        if listed and option:
            with self.prevent(Input.Changed):  # which lists the values that contain it
                row.text = "" if option.id == "-" else option.id or ""
            self.changed()
            if isinstance(row.value, Input):
                row.value.select_all()  # as when it gets the focus: what is typed next replaces it
        if self.values.display:
            self.values.display = False
        elif row.field.flag:
            row.text = "off" if row.text == "on" else "on"
        elif row.field.known or row.field.choices:
            self.list_values()
        else:
            self.action_move(1)

    def action_move(self, by: int) -> None:
        if self.values.display:
            (self.values.action_cursor_down if by > 0 else self.values.action_cursor_up)()
        elif by > 0:
            self.focus_next(".value")
        else:
            self.focus_previous(".value")

    @work(exclusive=True)
    async def action_external(self) -> None:
        from voicelive_tui.ui.external import ExternalEditorError, edit  # noqa: PLC0415

        row = self.rows["instructions"]
        row.value.focus()
        try:
            row.text = await edit(self.app, self.typed["instructions"])
        except ExternalEditorError as problem:
            self.notify(str(problem), severity="warning")
        self.changed()

    # Sending

    def action_send(self) -> None:
        self.apply(at_once=True)

    async def action_renew(self) -> None:
        if self.apply(at_once=False):
            await self.dashboard.run_action("reset(True)")

    def apply(self, *, at_once: bool) -> bool:
        """Want what is typed: now, but for a locked voice and what was refused already, or in the next session.

        False where something is invalid.
        """
        session = self.dashboard.session
        typed = self.typed
        outcomes = Outcomes(session, typed, self.sent)
        found = {key: outcomes.of(row.field) for key, row in self.rows.items()}
        for key, outcome in found.items():
            if outcome.word == "invalid":
                self.rows[key].value.focus()
                self.notify(f"{self.rows[key].field.label}: {outcome.sentence}", severity="warning")
                return False
        words = {key: outcome.word for key, outcome in found.items()}
        held = {"not used", *(("locked", "refused") if at_once else ())}
        asked = {key: text for key, text in typed.items() if text != self._wanted[key] and words[key] not in held}
        after = self._wanted | asked
        changed = changes(self._wanted, after, session.connection.model)
        self.sent.update(asked)
        self.values.display = False
        if any(key.startswith("barge_in.") for key in asked):
            self.dashboard.apply(BargeInEdited(settings_from(after, session.connection.model).barge_in))
        if "push_to_talk" in asked:
            self.dashboard.apply(TalkEdited(asked["push_to_talk"] == "turns"))
        if changed:
            self.dashboard.apply(SessionEdited(changed, at_once))
        if "locked" in words.values() and at_once:
            self.notify(with_keys(self, Hint("the voice is locked: {editor.renew} begins a new session with it")))
        elif at_once and not asked:
            self.notify("Nothing has changed.", timeout=3)
        elif changed and not session.ready:
            self.notify("Kept for the next session.", timeout=3)
        self.show()
        return True

    async def action_decide(self, approve: bool) -> None:
        await self.dashboard.run_action(f"decide({approve})")

    def action_save(self) -> None:
        from voicelive_tui.ui.session_commands import save_as_profile  # noqa: PLC0415

        if (profiles := self.dashboard.profiles) is not None:
            if self.unsent:
                self.notify("What is not sent is not saved.", severity="warning", timeout=3)
            self.run_worker(save_as_profile(self.dashboard, profiles))

    def action_copy(self) -> None:
        from voicelive_tui.ui.session_commands import ABOUT, copy_session  # noqa: PLC0415

        session = self.dashboard.session
        forms = [(form, partial(copy_session, self.app, session, form), about) for form, about in ABOUT.items()]
        self.app.search_commands(forms, placeholder="Copy the session in force as …")

    def action_leave(self) -> None:
        if self.values.display:
            self.values.display = False
            return
        self.show()
        if not self._leaving and self.unsent:
            self._leaving = True
            hint = Hint("Not sent yet: {editor.send} sends, {editor.leave} again leaves without.")
            self.notify(with_keys(self, hint), severity="warning", timeout=3)
            return
        self.dismiss()
