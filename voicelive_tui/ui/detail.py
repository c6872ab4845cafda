"""The inspector: the JSON of an event or a call as a tree. Strings wrap, long ones are clipped; copies are complete."""

import json
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from voicelive_tui.text import visible
from voicelive_tui.ui.text import clip, wrap
from voicelive_tui.wire.events import is_too_deep

LONG = 2000
"""Cells of a string that are drawn."""
LONG_NAME = 200
INDENT = 2
BESIDE = 3
"""Cells of the border, the padding and the scrollbar."""
MANY = 500
"""Children of one node that are shown, and lines that are open at first: a tree of 100,000 takes seconds."""


class EventDetail(Tree[Any]):
    """The tree. A node's data is its value."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "Down", show=False, id="detail.down"),
        Binding("k", "cursor_up", "Up", show=False, id="detail.up"),
        Binding("ctrl+d", "page_down", "Page down", show=False, id="detail.page_down"),
        Binding("ctrl+u", "page_up", "Page up", show=False, id="detail.page_up"),
        Binding("g", "scroll_home", "First", show=False, id="detail.first"),
        Binding("G", "scroll_end", "Last", show=False, id="detail.last"),
    ]
    DEFAULT_CSS = """
    EventDetail {
        background: transparent;
        padding: 0 0 0 1;
        border-left: solid $foreground 20%;
        scrollbar-size: 0 1;
        &:focus { border-left: solid $accent; background-tint: transparent; }
    }
    """

    def __init__(self) -> None:
        super().__init__("event", id="event-detail")
        self.guide_depth = INDENT
        self.show_guides = False  # they would stand beside the lines of a wrapped string
        self._shown: object = None
        self._at = ""
        self._width = 0

    def show(self, key: object, title: str, value: Any, at: str = "") -> None:
        """Show a JSON value and the time of day; with the same key again nothing changes."""
        if key == self._shown:
            return
        self._shown, self._at = key, at
        self.reset(_named(title), value)
        self._draw()

    def on_mount(self) -> None:
        # Textual sends no `Resize` to a widget that is mounted later, if its place is asked for before it is laid out.
        self.screen.screen_layout_refresh_signal.subscribe(self, self.laid_out, immediate=True)

    def laid_out(self, _screen: Screen[Any]) -> None:
        """Draw the nodes for another width."""
        if self._shown is None or self.outer_size.width == self._width:
            return
        chosen = self.cursor_node or self.root
        self.clear()
        self._draw()
        again = next((node for node in _nodes(self.root) if node.data is chosen.data), self.root)
        self.call_after_refresh(self.move_cursor, again, animate=False)

    def _draw(self) -> None:
        """Add the nodes, as soon as there is room; the root and its value are there already."""
        self._width = self.outer_size.width  # which no scrollbar changes
        if self._width:
            if self._at:
                self.root.add_leaf(Text(self._at, "dim"), self._at)
            self._open()
            self.root.expand()
            self.cursor_line = 0

    def _open(self) -> None:
        """Expand from the top until about `MANY` lines are open."""
        room = MANY - self._fill(self.root)
        waiting = deque(self.root.children)
        while waiting:
            node = waiting.popleft()
            parts = node.data if node.allow_expand else None
            if isinstance(parts, dict | list) and len(parts) <= room:
                room -= self._fill(node)
                node.expand()
                waiting.extend(node.children)

    def _fill(self, node: TreeNode[Any]) -> int:
        """Add a node's children, `MANY` lines or a line for each; how many.

        Nested containers stay closed, and are filled when they are opened.
        """
        value, lines = node.data, 0
        width = self._width - (_depth(node) + 1) * INDENT - BESIDE
        listed = enumerate(value) if isinstance(value, list) else [("", value)]
        for name, part in islice(value.items() if isinstance(value, dict) else listed, MANY):
            if isinstance(part, dict | list) and part:
                node.add(_named(str(name), part), part)
                lines += 1
                continue
            for line in _leaf(str(name), part, width, max(MANY - lines, 1)):
                node.add_leaf(line, part)
                lines += 1
        if isinstance(value, dict | list) and len(value) > MANY:
            node.add_leaf(Text(f"… {len(value) - MANY:,} more, copy has all"), value)
        return lines

    def on_tree_node_expanded(self, event: Tree.NodeExpanded[Any]) -> None:
        if isinstance(event.node.data, dict | list) and not event.node.children:
            self._fill(event.node)

    def action_toggle_expand_all(self) -> None:
        """Expand the node under the cursor and its siblings, up to `MANY` lines, or collapse them."""
        node = self.cursor_node
        if node is None or node.parent is None or any(sibling.is_expanded for sibling in node.siblings):
            super().action_toggle_expand_all()
            return
        room = MANY
        for sibling in (node, *node.siblings):
            if sibling.allow_expand and sibling.is_collapsed:
                room -= min(len(sibling.data or ()), MANY)
                if room < 0:
                    break
                sibling.expand()
        self.call_after_refresh(self.move_cursor, node, animate=False)

    def selected_text(self) -> str:
        """The value under the cursor: a string as it is, anything else as JSON."""
        value = self.cursor_node.data if self.cursor_node is not None else self.root.data
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def parsed(text: str) -> Any:
    """The JSON value of a text; the text itself if it is not JSON, or nested too deeply."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # no JSON, or nested deeper than Python goes
        return text
    return text if is_too_deep([value]) else value


def _named(name: str, value: dict[str, Any] | list[Any] | None = None) -> Text:
    """A container's label; text from the wire is neither markup nor an escape sequence."""
    items = f" [{len(value)}]" if isinstance(value, list) else ""
    return Text.assemble((clip(visible(name[: LONG_NAME * 2]), LONG_NAME), "bold"), (items, "dim"))


def _leaf(name: str, value: Any, width: int, most: int) -> Iterator[Text]:
    """The lines of a value that is not a container, in `width` cells; all but the first are indented."""
    room = min(LONG, most * width)
    text = value if isinstance(value, str) else json.dumps(value)
    name = clip(visible(name[: LONG_NAME * 2]), LONG_NAME)
    head = f"{name}: " if name and text else name
    whole = Text(head + clip(visible(text[: room * 2]), room))
    whole.stylize("dim", 0, len(head) if text else 0)
    at = 0
    for piece in wrap(whole.plain, max(width - INDENT, 8))[:most]:
        line = whole[at : at + len(piece)]
        yield Text(" " * INDENT).append_text(line) if at else line
        at += len(piece)


def _depth(node: TreeNode[Any]) -> int:
    return 0 if node.parent is None else _depth(node.parent) + 1


def _nodes(node: TreeNode[Any]) -> Iterator[TreeNode[Any]]:
    yield node
    for child in node.children:
        yield from _nodes(child)
