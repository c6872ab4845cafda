"""Panes: the bordered parts of the dashboard.

A pane shows `session` and `reading`. It owns its scroll position, its selection and its filter, posts messages for
what the user wants, and knows nothing of the shell.
"""

from typing import ClassVar, Literal, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from voicelive_tui.session.inputs import Key
from voicelive_tui.session.reading import Reading
from voicelive_tui.session.state import SessionState
from voicelive_tui.ui.canvas import Lines, VerticalGround
from voicelive_tui.ui.hints import Hint, key_of, with_keys
from voicelive_tui.ui.scroll_list import ScrollList
from voicelive_tui.ui.text import Line, spread


class Place(NamedTuple):
    """Identifies what a line shows, so that another pane can find its line for it."""

    item_id: str = ""
    response_id: str = ""
    seq: int | None = None
    """`LogRow.seq`, where the line is one row of the log."""
    opened: bool = False
    """Open the line as well."""


class Pane(VerticalGround):
    """The base of all panes: a head line with the pane's number and name, and a body below it.

    A subclass yields its body in `body`, and shows the session in `show`. What else it can do it declares: `QUERY` for
    the key `/`, `CROSSES_TO` for `e`; `follow`, `copy`, `place` and `go_to` do nothing by default.
    """

    NAME: ClassVar[str] = ""
    NUMBER: ClassVar[str] = ""
    """Of the pane, and by default the key that goes there."""
    HELP_TEXT: ClassVar[str] = ""
    """What the pane shows, for `?`: plain text, a paragraph a line."""
    QUERY: ClassVar[Literal["filter", "search"] | None] = None
    """What the text typed after `/` does."""
    CROSSES_TO: ClassVar[str] = ""
    """The id of the pane that has lines for the same items."""

    DEFAULT_CSS = """
    Pane {
        height: 1fr;
        & > .pane--head { height: 1; }
    }
    """

    session: reactive[SessionState] = reactive(SessionState, init=False, repaint=False)
    reading = Reading()
    """The last reading: no reactive, because it changes ten times a second; see `update_levels`."""
    others: reactive[tuple[str, ...]] = reactive((), init=False, repaint=False)
    """Panes that do not fit now, each as its key and its name; the head lists them."""

    _noted: Line = ()

    class QueryRefused(Message):
        """The text typed after `/` is invalid; the previous query stays in force."""

        def __init__(self, text: str, problem: str) -> None:
            super().__init__()
            self.text, self.problem = text, problem

    class Copied(Message):
        """A text is to be copied to the clipboard."""

        def __init__(self, text: str, what: str) -> None:
            super().__init__()
            self.text = text
            self.what = what

    class Wants(Message):
        """The user wants this of the session."""

        def __init__(self, input_: Key) -> None:
            super().__init__()
            self.input = input_

    def compose(self) -> ComposeResult:
        yield Lines(classes="pane--head")
        yield from self.body()

    def body(self) -> ComposeResult:
        """The widgets under the head; the first focusable one takes the focus for the pane."""
        raise NotImplementedError

    def show(self, session: SessionState) -> None:
        """Show what is new of a session."""
        raise NotImplementedError

    def note(self) -> Line:
        """The part of the head beside the name."""
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

    def copy(self) -> None:
        """Post `Copied` with the line under the cursor."""

    @property
    def target(self) -> Widget:
        """The widget that takes the focus for the pane."""
        return next(child for child in self.children if child.can_focus)

    @property
    def go_key(self) -> str:
        """The key that goes to the pane."""
        return key_of(self, f"pane.{self.id}") or self.NUMBER

    def watch_session(self, old: SessionState, new: SessionState) -> None:
        if self.is_mounted:
            self.show(new)
            if self.note() != self._noted:
                self.show_head()

    def watch_others(self) -> None:
        self.show_head()

    def update_levels(self, reading: Reading) -> None:
        """Draw the parts of a reading that changed; most panes have none."""
        self.reading = reading

    def on_mount(self) -> None:
        self.show(self.session)
        self.show_head()

    def on_resize(self) -> None:
        self.show_head()

    def on_descendant_focus(self, _event: events.DescendantFocus) -> None:
        self.show_head()

    def on_descendant_blur(self, _event: events.DescendantBlur) -> None:
        self.call_after_refresh(self.show_head)

    def on_scroll_list_moved(self) -> None:
        self.show_head()

    def show_head(self) -> None:
        """Draw the head, if it changed."""
        focused = self.has_focus_within
        title: Line = (
            (("▌" if focused else " ") + self.go_key + " ", "accent" if focused else "faint"),
            (self.NAME, "accent" if focused else "dim"),
            (" ", "text"),
            *((f"  {other}", "faint") for other in self.others),
            (" " if self.others else "", "text"),
        )
        # Textual writes a changed line from its left edge to the change, so what changes stands at the left.
        self._noted = note = self.note()
        left: Line = (*title, *note, (" ", "text")) if note else title
        self.query_one(".pane--head", Lines).show(spread(left, (), self.size.width, ("─", "faint")))


class ListPane(Pane):
    """A pane whose body is a list that follows its end."""

    @property
    def view(self) -> ScrollList:
        """The list."""
        raise NotImplementedError

    @property
    def target(self) -> ScrollList:
        return self.view

    def follow(self, following: bool | None = None) -> None:
        self.view.follow(not self.view.following if following is None else following)


def following_note(view: ScrollList) -> Line:
    """A note where a list does not follow its end."""
    return () if view.following else ((with_keys(view, Hint("paused, {follow} follows")), "warn"),)
