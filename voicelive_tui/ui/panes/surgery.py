"""The keys of the transcript pane that change the conversation: delete, insert, ask again, branch."""

from typing import ClassVar, cast

from textual.binding import Binding, BindingType

from voicelive_tui.session.inputs import AskAgain, Branch, DeleteItem, InsertItem
from voicelive_tui.session.surgery import ROLES, Role, Surgery, refusal, words_of
from voicelive_tui.session.transcript import Entry
from voicelive_tui.ui.hints import Hint, with_keys
from voicelive_tui.ui.line_dialog import LineDialog
from voicelive_tui.ui.panes import ListPane


class SurgeryPane(ListPane):
    """A list of entries of the conversation; a subclass gives the selected one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "delete", "Delete", show=False, tooltip="Delete this item", id="item.delete"),
        Binding("a", "insert", "Insert", show=False, tooltip="Insert a message after this", id="item.insert"),
        Binding("A", "ask_again", "Ask again", show=False, tooltip="Ask for another answer", id="item.ask"),
        Binding("B", "branch", "Branch", show=False, tooltip="A new session up to this item", id="item.branch"),
    ]

    def selected(self) -> Entry | None:
        raise NotImplementedError

    def want(self, event: Surgery) -> bool:
        """Ask for a change, or show why it cannot be done; False then."""
        if why := refusal(event, self.session):
            self.notify(why, severity="warning")
            return False
        self.post_message(self.Wants(event))
        return True

    def action_delete(self) -> None:
        if self.view.cursor is None:  # the last entry may be another one by now
            self.notify(with_keys(self, Hint("Move to an entry first: {list.up}")), timeout=3)
        elif entry := self.selected():
            self.want(DeleteItem(entry.item_id))

    def action_branch(self) -> None:
        if (entry := self.selected()) and self.want(Branch(entry.item_id)):
            self.follow(True)

    def action_insert(self) -> None:
        if entry := self.selected():
            self.insert_after(entry)

    def insert_after(self, entry: Entry, text: str = "") -> None:
        """Let a message be typed; one that cannot be inserted stays in the dialog."""

        def typed(result: tuple[str, str] | None) -> None:
            if result and not self.want(InsertItem(entry.item_id, cast("Role", result[1]), result[0])):
                self.insert_after(entry, result[0])

        if why := "" if text else refusal(InsertItem(entry.item_id, "user", ""), self.session):
            self.notify(why, severity="warning")
            return
        self.app.push_screen(LineDialog(f"Insert after “{words_of(entry)}”", text, ROLES), typed)

    def action_ask_again(self, text: str = "") -> None:
        def typed(result: tuple[str, str] | None) -> None:
            if result and not self.want(AskAgain(result[0])) and result[0]:
                self.action_ask_again(result[0])

        if why := "" if text else refusal(AskAgain(), self.session):
            self.notify(why, severity="warning")
            return
        title = "Ask again; instructions for this answer alone, or none"
        self.app.push_screen(LineDialog(title, text, optional=True), typed)
