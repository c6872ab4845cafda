"""The inspector: the JSON of an event or a call as a tree. Long strings are clipped; a copied value is complete."""

import json
from collections import deque
from itertools import islice
from typing import Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from voicelive_tui.text import visible
from voicelive_tui.ui.text import clip
from voicelive_tui.wire.events import is_too_deep

LONG = 200
"""Cells of a string, or of a name, that are drawn."""
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
        self.guide_depth = 2
        self._shown: object = None

    def show(self, key: object, title: str, value: Any) -> None:
        """Show a JSON value; with the same key again nothing changes."""
        if key == self._shown:
            return
        self._shown = key
        self.reset(_label(title, "" if isinstance(value, dict | list) else value), value)
        if isinstance(value, dict | list):
            self._open(value)
        self.root.expand()
        self.cursor_line = 0

    def _open(self, value: dict[str, Any] | list[Any]) -> None:
        """Expand from the top until about `MANY` lines are open."""
        _fill(self.root)
        room = MANY - len(value)
        waiting = deque(self.root.children)
        while waiting:
            node = waiting.popleft()
            parts = node.data if node.allow_expand else None
            if isinstance(parts, dict | list) and len(parts) <= room:
                room -= len(parts)
                _fill(node)
                node.expand()
                waiting.extend(node.children)

    def on_tree_node_expanded(self, event: Tree.NodeExpanded[Any]) -> None:
        if isinstance(event.node.data, dict | list) and not event.node.children:
            _fill(event.node)

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
    """The JSON value of a text; the text itself if it is no JSON, or nested too deep."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # no JSON, or nested deeper than Python goes
        return text
    return text if is_too_deep([value]) else value


def _label(name: str, value: Any) -> Text:
    """A node's label; text from the wire is neither markup nor an escape sequence."""
    shown = clip(visible(name[: LONG * 2]), LONG)
    if isinstance(value, dict):
        return Text.assemble((shown, "bold"), (" {}" if not value else "", "dim"))
    if isinstance(value, list):
        return Text.assemble((shown, "bold"), (f" [{len(value)}]", "dim"))
    text = value if isinstance(value, str) else json.dumps(value)
    if value == "":
        return Text(shown)
    return Text.assemble((f"{shown}: ", "dim"), clip(visible(text[: LONG * 2]), LONG))


def _fill(node: TreeNode[Any]) -> None:
    """Add a node's children; nested containers stay closed, and are filled when they are opened."""
    value = node.data or ()
    for name, part in islice(value.items() if isinstance(value, dict) else enumerate(value), MANY):
        if isinstance(part, dict | list) and part:
            node.add(_label(str(name), part), part)
        else:
            node.add_leaf(_label(str(name), part), part)
    if len(value) > MANY:
        node.add_leaf(Text(f"… {len(value) - MANY:,} more, copy has all"), value)
