"""Panes: the framed parts of the dashboard.

A pane shows `session` and `reading`. It owns its scroll position, its selection and its filter, posts messages for
what the user wants, and knows nothing of the shell.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.compose import compose
from textual.message import Message
from textual.reactive import var
from textual.widget import Widget

from voicelive_tui.session.inputs import Key
from voicelive_tui.session.latency import Turn
from voicelive_tui.session.reading import Reading
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.transcript import Entry
from voicelive_tui.ui.frame import Framed
from voicelive_tui.ui.hints import Hint, key_of, with_keys
from voicelive_tui.ui.scroll_list import ScrollList
from voicelive_tui.ui.text import Line, Span, clipped, spread, width_of
from voicelive_tui.wire.log import LogRow


class Place(NamedTuple):
    """Identifies what a line shows, so that another pane can find its line for it."""

    item_id: str = ""
    response_id: str = ""
    seq: int | None = None
    """`LogRow.seq`, where the line is one row of the log."""
    opened: bool = False
    """Open the line as well."""
    share: float | None = None
    """Of the line's words: those before the one that is meant."""


_TITLES = ((True, True, True), (True, False, True), (True, False, False), (False, False, True))
"""What there is room for in the top edge: the names of the other tabs, their counts, and the pane's own count."""


class Pane(Framed):
    """The base of all panes: a body in a frame, with the pane's number and name in the top edge.

    A subclass yields its body in `body`, and shows the session in `show`. What else it can do it declares: `QUERY` for
    the key `/`, `CROSSES_TO` for `e`; `follow`, `to_copy`, `place` and `go_to` do nothing by default.
    """

    ID: ClassVar[str] = ""
    NAME: ClassVar[str] = ""
    NUMBER: ClassVar[str] = ""
    """Of the pane, and by default the key that goes there."""
    HELP_TEXT: ClassVar[str] = ""
    """What the pane shows, for `?`: plain text, a paragraph a line."""
    QUERY: ClassVar[Literal["filter", "search"] | None] = None
    """How the text typed after `/` is used."""
    KEYS: ClassVar[tuple[str, ...]] = ("zoom",)
    """Ids of the bindings that the foot shows first while the pane is focused."""
    CROSSES_TO: ClassVar[str] = ""
    """The id of the pane that has lines for the same items."""

    session: var[SessionState] = var(SessionState, init=False)
    reading = Reading()
    """The last reading: no reactive, because it changes ten times a second; see `update_levels`."""
    tabs: Sequence["Pane"] = ()
    """The panes that share this one's place, itself included; the top edge lists them."""
    _known: tuple[bool, bool] | None = None
    """`leaves` and `following` as the foot knows them, which asks for them when it is first drawn."""

    class QueryRefused(Message):
        """The text typed after `/` is invalid; the previous query stays in force."""

        def __init__(self, text: str, problem: str) -> None:
            super().__init__()
            self.text, self.problem = text, problem

    class Wants(Message):
        """The user wants this of the session."""

        def __init__(self, input_: Key) -> None:
            super().__init__()
            self.input = input_

    def __init__(self) -> None:
        super().__init__(id=self.ID)

    def compose(self) -> ComposeResult:
        if self.display:
            yield from self.body()

    def body(self) -> ComposeResult:
        """The widgets in the frame; the first focusable one takes the focus for the pane."""
        raise NotImplementedError

    def show(self, session: SessionState) -> None:
        """Show what is new of a session."""
        raise NotImplementedError

    def count(self) -> Line:
        """What stands behind the name, here and among the tabs of another pane."""
        return ()

    def note(self) -> Line:
        """The part of the top edge at its right end, which changes rarely."""
        return ()

    def query_begins(self) -> str:
        """Prepare for a query that is about to be typed; the text to begin with."""
        return ""

    def query_changed(self, text: str) -> None:
        """Filter or search by a text, "" for everything; `QueryRefused` is posted if it is invalid."""

    def follow(self, following: bool | None = None) -> None:
        """Follow the end of the list, or stop; None: the other of the two."""

    def place(self) -> Place | None:
        """The place of the line under the cursor, or of the last line; None in an empty list."""
        return None

    def go_to(self, place: Place) -> bool:
        """Move the cursor to the line for a place; False if there is none."""
        return False

    def close(self) -> bool:
        """Close what is open beside the list; False if nothing is."""
        return False

    @property
    def leaves(self) -> bool:
        """Whether there is something here that the key `back` leaves: a filter, a search, an inspector."""
        return False

    @property
    def following(self) -> bool:
        """Whether the end of the list is followed."""
        return False

    def to_copy(self) -> tuple[str, str] | None:
        """The text of the line under the cursor, as it came, and what it is; None in an empty list."""
        return None

    @property
    def target(self) -> Widget:
        """The widget that takes the focus for the pane."""
        return next(widget for widget in self.query("*") if widget.can_focus)

    @property
    def go_key(self) -> str:
        """The key that goes to the pane."""
        return key_of(self, f"pane.{self.id}") or self.NUMBER

    def join(self, tabs: Sequence["Pane"]) -> None:
        """Set which panes share this one's place."""
        before, self.tabs = self.tabs, tabs
        if self.display and not self.children:  # it was hidden when the screen was composed
            self.mount_all(compose(self, self.body()))
        if tabs != before:
            self.show_head()

    def watch_session(self, old: SessionState, new: SessionState) -> None:
        if self.is_mounted:
            self.show(new)
            self.show_head()

    def update_levels(self, reading: Reading) -> None:
        """Draw the parts of a reading that changed; most panes have none."""
        self.reading = reading

    def on_resize(self) -> None:  # the first one comes with the first layout
        self.show(self.session)
        self.show_head()

    def on_descendant_focus(self, _event: events.DescendantFocus) -> None:
        self.show_head()

    def on_descendant_blur(self, _event: events.DescendantBlur) -> None:
        self.call_after_refresh(self.show_head)

    def on_scroll_list_moved(self) -> None:
        self.show_head()

    def show_head(self) -> None:
        """Draw the top edge, if it changed."""
        width = self.outer_size.width
        if not self.display or not width:
            return
        before, self._known = self._known, (self.leaves, self.following)
        if before not in (None, self._known):
            self.screen.refresh_bindings()
        focused = self.has_focus_within
        edge = "accent" if focused else "faint"
        corner = ("─╮" if self.sided else "──", edge)
        note = self.note()
        left = self._title(focused, edge, _TITLES[0])
        for shown in _TITLES[1:]:
            if width_of((*left, *note[:1])) <= width - (4 if note else 1):
                break
            left = self._title(focused, edge, shown)
        while len(note) > 2 and width_of((*left, *note)) > width - 4:
            note = note[:-2]
        note = clipped(note, width - width_of(left) - 4)
        right: Line = ((" ", "text"), *note, (" ", "text"), corner) if note else (corner,)
        self.draw_frame(spread(left, right, width, ("─", edge)), "accent" if focused else "edge")

    def _title(self, focused: bool, edge: str, shown: tuple[bool, bool, bool]) -> Line:
        """The left end of the top edge: the tabs, with what `_TITLES` says."""
        named, counted, own_counted = shown
        # Textual writes a changed line from its left edge to the change, so what changes often stands at the left.
        spans: list[Span] = [("╭─" if self.sided else "──", edge)]
        for pane in self.tabs or (self,):
            own = pane is self
            mark = ("▌" if focused and own else " ") + pane.go_key
            name = f"{mark} {pane.NAME}" if own or named else mark
            spans.append((name, ("title" if focused else "strong") if own else "dim"))
            if (own_counted if own else counted) and (count := pane.count()):
                spans += [(" ", "text"), *count]
            spans.append((" ", "text"))
        return tuple(spans)


class ListPane(Pane):
    """A pane whose body is a list that follows its end."""

    VIEW: ClassVar[type[ScrollList]]
    view: ScrollList
    """The list, of the type `VIEW`."""

    def __init__(self) -> None:
        super().__init__()
        self.view = self.VIEW(id=f"{self.ID}-view")

    def body(self) -> ComposeResult:
        yield self.view

    def selected(self) -> Entry | Turn | LogRow | None:
        """What is under the cursor, or at the end."""
        raise NotImplementedError

    def place(self) -> Place | None:
        item = self.selected()
        return None if item is None else Place(item.item_id, item.response_id)

    @property
    def target(self) -> ScrollList:
        return self.view

    @property
    def following(self) -> bool:
        return self.view.following

    def follow(self, following: bool | None = None) -> None:
        self.view.follow(not self.view.following if following is None else following)


def joined(*spans: Span, gap: str = "  ") -> Line:
    """The spans that say something, with gaps between them."""
    said = [span for span in spans if span[0]]
    return tuple(part for at, span in enumerate(said) for part in ((span,) if not at else ((gap, "text"), span)))


def following_note(view: ScrollList) -> Line:
    """A note where a list does not follow its end; the key is that of the pane in use."""
    focused = any(isinstance(node, Pane) and node.has_focus_within for node in view.ancestors)
    follows = with_keys(view, Hint("{follow} follows")) if focused else ""
    return () if view.following else (("paused", "warn"), (follows, "dim"))
