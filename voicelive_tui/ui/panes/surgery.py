"""The keys of the transcript pane that change the conversation: delete, insert, ask again, branch."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.binding import Binding, BindingType

from voicelive_tui.session.inputs import AskAgain, Branch, DeleteItem, InsertItem
from voicelive_tui.session.surgery import ROLES, Role, Surgery, refusal, words_of
from voicelive_tui.session.transcript import Entry
from voicelive_tui.ui.hints import Hint, with_keys
from voicelive_tui.ui.panes import ListPane

if TYPE_CHECKING:
    from voicelive_tui.ui.line_dialog import LineDialog


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
            title = f"Insert after “{words_of(entry)}”"
            self.ask(
                lambda words: _dialog(title, words, kinds=ROLES),
                lambda words, role: InsertItem(entry.item_id, cast("Role", role), words),
            )

    def action_ask_again(self) -> None:
        title = "Ask again; instructions for this answer alone, or none"
        self.ask(lambda words: _dialog(title, words, optional=True), lambda words, _: AskAgain(words))

    def ask(self, dialog: "Callable[[str], LineDialog]", event: Callable[[str, str], Surgery], words: str = "") -> None:
        """Let the words of a change be typed; those of one that cannot be done stay in the dialog."""

        def typed(result: tuple[str, str] | None) -> None:
            if result and not self.want(event(*result)) and result[0]:
                self.ask(dialog, event, result[0])

        if why := "" if words else refusal(event("", ROLES[0]), self.session):
            self.notify(why, severity="warning")
        else:
            self.app.push_screen(dialog(words), typed)


def _dialog(title: str, words: str, **options: Any) -> "LineDialog":
    from voicelive_tui.ui.line_dialog import LineDialog  # noqa: PLC0415 - when it is opened

    return LineDialog(title, words, **options)
