"""A list with a cursor, which follows its end until the user moves the cursor or scrolls."""

import math
from collections.abc import Sequence
from time import monotonic
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.timer import Timer

from voicelive_tui.ui.canvas import Canvas
from voicelive_tui.ui.text import Line, centred, wrap

SCROLL_PERIOD = 0.25
"""Seconds between two scrolls of a list that follows its end: each writes most of the pane."""


def pointed(line: Line) -> Line:
    """The line of the cursor: a mark in place of its first space."""
    return (("›", "accent"), (line[0][0][1:], line[0][1]), *line[1:])


class ScrollList(Canvas, can_focus=True):
    """A list of items.

    A subclass defines `item_line`; where items take several lines, `top_of` and `line`. After every change of `items`
    it calls `items_changed`.
    """

    ALLOW_SELECT = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="list.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="list.down"),
        Binding("ctrl+u,pageup", "half_page(-1)", "Half a page up", show=False, id="list.half_page_up"),
        Binding("ctrl+d,pagedown", "half_page(1)", "Half a page down", show=False, id="list.half_page_down"),
        Binding("g,home", "first", "First", show=False, id="list.first"),
        Binding("G,end", "last", "Last, and follow", show=False, id="list.last"),
        Binding("enter", "open", "Open", show=False, id="list.open"),
    ]

    class Moved(Message):
        """The cursor moved, or following began or ended."""

    class Opened(Message):
        """An item was chosen."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    items: Sequence[Any] = ()
    following = True
    cursor: int | None = None
    """The item under the cursor; None while following."""
    instead = ""
    """What stands in the middle of the pane while there are no items."""
    step = 0.0
    """Share of the pane that a full list moves by while it follows; 0: line by line, see `SCROLL_PERIOD`."""
    _scrolled_at = -math.inf
    _later: Timer | None = None
    """Scrolls what came too soon after the last time."""

    @property
    def allow_vertical_scroll(self) -> bool:
        return True  # and no scroll bar, which would be one more widget, seen or unseen

    @property
    def count(self) -> int:
        """The number of items."""
        return len(self.items)

    def top_of(self, index: int) -> int:
        """The line where an item begins; for `count`, the number of lines."""
        return index

    @property
    def height(self) -> int:
        """The number of lines; more than those of the items if something is drawn below the last one."""
        return self.top_of(self.count)

    def item_at(self, y: int) -> int | None:
        """The item that line `y` belongs to."""
        return y if 0 <= y < self.count else None

    def item_line(self, index: int) -> Line:
        """The line of an item."""
        raise NotImplementedError

    def line(self, y: int) -> Line:
        if y >= self.count:
            return () if self.count else self.empty_line(y)
        return pointed(self.item_line(y)) if y == self.cursor else self.item_line(y)

    def empty_line(self, y: int) -> Line:
        """Line `y` while there are no items."""
        pieces = wrap(self.instead, max(self.size.width - 6, 10))
        lines = centred([((piece, "dim"),) for piece in pieces], *self.size)
        return lines[y] if 0 <= y < len(lines) else ()

    def highlight(self, y: int) -> str:
        """The item under the cursor stands out."""
        return "cursor" if self.cursor is not None and self.item_at(y) == self.cursor else ""

    def items_changed(self) -> None:
        """Scroll if the end is followed, and repaint."""
        height, total = self.size.height, self.height
        if not height:
            return
        if self.cursor is not None and self.cursor >= self.count:
            self.cursor = self.count - 1 if self.count else None
        top = self.scroll_offset.y
        if self.following and total > top + height:
            top = self._followed(top, total - height)
        elif self.following and (total <= top or not self.step):
            top = max(total - height, 0)
        # While following, the list may end in the middle of the pane: the rows below are for new items.
        self.set_height(max(total, top + height) if self.following else total)
        if top == self.scroll_offset.y:
            self.repaint()
        else:
            self.scroll_to(y=top, animate=False)  # which repaints

    def _followed(self, top: int, last: int) -> int:
        """The first line to show next, while the end is followed and `last` would show it."""
        if self.step:
            step = max(int(self.size.height * self.step), 1)
            return top + step if last - top <= step else last
        now = monotonic()
        if last - top < self.size.height and (wait := self._scrolled_at + SCROLL_PERIOD - now) > 0:
            if self._later is None:
                self._later = self.set_timer(wait, self._scroll_now)
            return top
        self._scrolled_at = now
        return last

    def _scroll_now(self) -> None:
        self._later = None
        self.items_changed()

    def on_resize(self) -> None:
        self.items_changed()
        if self.cursor is not None:
            self.go_to(self.cursor)

    def go_to(self, index: int) -> None:
        """Put the cursor on an item, bring it into view and stop following."""
        if not self.count:
            return
        self.following = False
        self.cursor = min(max(index, 0), self.count - 1)
        height, top = self.size.height, self.scroll_offset.y
        first, last = self.top_of(self.cursor), self.top_of(self.cursor + 1)
        self.set_height(max(self.height, top + min(height, last - top)))
        if first < top or last > top + height:
            beside = max(first - height // 2, last - height) if first < top else last - height // 2
            self.scroll_to(y=max(min(first, beside), 0), animate=False)
        self.repaint()
        self.post_message(self.Moved())

    def follow(self, following: bool) -> None:
        self.following = following
        if following:
            self.cursor = None
            self.scroll_to(y=max(self.height - self.size.height, 0), animate=False)
        self.items_changed()
        self.post_message(self.Moved())

    def action_move(self, step: int) -> None:
        if self._moves_within(step):
            return
        start = self.count - 1 if self.following else self.item_at(self.scroll_offset.y) or 0
        self.go_to(start if self.cursor is None else self.cursor + step)

    def action_half_page(self, direction: int) -> None:
        if not self.count or self._moves_within(direction):
            return
        start = self.count - 1 if self.cursor is None else self.cursor
        y = self.top_of(start) + direction * max(self.size.height // 2, 1)
        found = self.item_at(min(max(y, 0), self.top_of(self.count) - 1))
        self.go_to(start + direction if found == start or found is None else found)

    def _moves_within(self, direction: int) -> bool:
        """Move by half a page within an item taller than the pane; False if there is none."""
        if self.cursor is None or not direction:
            return False
        height, top = self.size.height, self.scroll_offset.y
        first, last = self.top_of(self.cursor), self.top_of(self.cursor + 1)
        step = max(height // 2, 1)
        to = min(top + step, last - height) if direction > 0 else max(top - step, first)
        if last - first <= height or (to <= top if direction > 0 else to >= top):
            return False
        self.scroll_to(y=to, animate=False)
        self.post_message(self.Moved())
        return True

    def action_first(self) -> None:
        self.go_to(0)

    def action_last(self) -> None:
        self.follow(True)

    def action_open(self) -> None:
        if self.cursor is None:
            self.action_move(0)
        if self.cursor is not None:
            self.post_message(self.Opened(self.cursor))

    def on_mouse_scroll_up(self) -> None:
        if self.following and self.scroll_offset.y > 0:
            self.follow(False)

    def on_mouse_scroll_down(self) -> None:
        if not self.following and self.scroll_offset.y + self.size.height >= self.height:
            self.follow(True)

    def on_click(self, event: events.Click) -> None:
        index = self.item_at(event.y + self.scroll_offset.y)
        if index is None or self.screen.get_selected_text():
            return
        self.go_to(index)
        if event.chain == 2:
            self.post_message(self.Opened(index))
