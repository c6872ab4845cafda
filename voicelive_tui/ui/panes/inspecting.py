"""`InspectingPane`: a list, and beside it the inspector with what was opened."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from voicelive_tui.ui.panes import ListPane
from voicelive_tui.ui.scroll_list import ScrollList
from voicelive_tui.ui.timed import TimedScreen

if TYPE_CHECKING:
    from voicelive_tui.ui.detail import EventDetail


def time_of_day(unix_time: float) -> str:
    """The date and the time here, and its distance from UTC; "" where a recording has a time beyond all dates."""
    try:
        return datetime.fromtimestamp(unix_time).astimezone().isoformat(" ", "milliseconds")
    except (ValueError, OverflowError, OSError):
        return ""


class InspectingPane(ListPane):
    """A subclass gives what the inspector shows in `inspected`."""

    detail: "EventDetail | None" = None
    """The inspector, once it was opened."""

    DEFAULT_CSS = """
    InspectingPane {
        layout: horizontal;
        & ScrollList { width: 1fr; }
        & EventDetail { width: 45%; display: none; }
        &.-detail EventDetail { display: block; }
    }
    """

    def inspected(self, index: int) -> tuple[object, float, str, Any] | None:
        """Of an item of the list: a value that changes with it, its time, a title, and its JSON value."""
        raise NotImplementedError

    @property
    def inspecting(self) -> bool:
        """Whether the inspector is open."""
        return self.has_class("-detail")

    @property
    def leaves(self) -> bool:
        return self.inspecting

    def on_scroll_list_opened(self, message: ScrollList.Opened) -> None:
        message.stop()
        self.open(message.index)

    def on_scroll_list_moved(self) -> None:
        super().on_scroll_list_moved()
        if self.inspecting and self.view.cursor is not None:
            self.open(self.view.cursor)

    def open(self, index: int) -> None:
        """Show an item of the list in the inspector."""
        if (inspected := self.inspected(index)) is not None:
            self.add_class("-detail")
            key, at, title, value = inspected
            known = self.screen.unix_time(at) if isinstance(self.screen, TimedScreen) else None
            if self.detail is None:
                from voicelive_tui.ui.detail import EventDetail  # noqa: PLC0415 - when it is opened

                self.detail = EventDetail()
                self.mount(self.detail)
            self.detail.show(key, title, value, "" if known is None else time_of_day(known))
            self.show_head()

    def to_copy(self) -> tuple[str, str] | None:
        return (self.detail.selected_text(), "this value") if self.detail and self.detail.has_focus else None

    def close(self) -> bool:
        if not self.inspecting:
            return False
        if self.detail and self.detail.has_focus:
            self.screen.set_focus(self.view)
        self.remove_class("-detail")
        self.show_head()
        return True
