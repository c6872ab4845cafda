"""Panes: the bordered parts of the dashboard.

A pane is given `session` and `reading` and shows them; what it owns itself is where it is scrolled to,
what is selected and what is filtered. It says what the user wants with messages, and knows nothing of the shell.
"""

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from voicelive_tui.session.state import Reading, SessionState
from voicelive_tui.ui.canvas import Lines, VerticalGround
from voicelive_tui.ui.hints import Hint, key_of, with_keys
from voicelive_tui.ui.scroll_list import ScrollList
from voicelive_tui.ui.text import Line, spread


class Pane(VerticalGround):
    """The base of all panes: a head line with the pane's number and name, and a body below it.

    A subclass yields its body in `body`, and shows the session in `show`.
    """

    NAME: ClassVar[str] = ""
    NUMBER: ClassVar[str] = ""
    """Of the pane, and by default the key that goes there."""
    HELP_TEXT: ClassVar[str] = ""
    """What the pane shows, for `?`: plain text, a paragraph a line."""

    DEFAULT_CSS = """
    Pane {
        height: 1fr;
        & > .pane--head { height: 1; }
    }
    """

    session: reactive[SessionState] = reactive(SessionState, init=False, repaint=False)
    reading = Reading()
    """What the sound path showed last: a plain value, for it comes ten times a second; see `hear`."""
    others: reactive[tuple[str, ...]] = reactive((), init=False, repaint=False)
    """Panes that there is no room for now, each as its key and its name; the head names them."""

    _noted: Line = ()

    class QueryRefused(Message):
        """What was typed after `/` cannot be understood; what was in force before stays."""

        def __init__(self, text: str, problem: str) -> None:
            super().__init__()
            self.text, self.problem = text, problem

    class Copied(Message):
        """The user wants a text in the clipboard."""

        def __init__(self, text: str, what: str) -> None:
            super().__init__()
            self.text = text
            self.what = what

    def compose(self) -> ComposeResult:
        """A head, then the body."""
        yield Lines(classes="pane--head")
        yield from self.body()

    def body(self) -> ComposeResult:
        """The widgets under the head; the first that can have the focus stands for the pane."""
        raise NotImplementedError

    def show(self, session: SessionState) -> None:
        """Show what is new of a session."""
        raise NotImplementedError

    def note(self) -> Line:
        """What the head says beside the name."""
        return ()

    @property
    def target(self) -> Widget:
        """The widget that has the focus when the pane has it."""
        return next(child for child in self.children if child.can_focus)

    @property
    def go_key(self) -> str:
        """The key that goes to the pane."""
        return key_of(self, f"pane.{self.id}") or self.NUMBER

    def watch_session(self, old: SessionState, new: SessionState) -> None:
        """The tick brought a new value."""
        if self.is_mounted:
            self.show(new)
            if self.note() != self._noted:
                self.show_head()

    def watch_others(self) -> None:
        """Another layout."""
        self.show_head()

    def hear(self, reading: Reading) -> None:
        """The tick brought new levels; most panes do not care."""
        self.reading = reading

    def on_mount(self) -> None:
        """Show what there is already."""
        self.show(self.session)
        self.show_head()

    def on_resize(self) -> None:
        """The head is as wide as the pane."""
        self.show_head()

    def on_descendant_focus(self, _event: events.DescendantFocus) -> None:
        """The focused pane's head stands out."""
        self.show_head()

    def on_descendant_blur(self, _event: events.DescendantBlur) -> None:
        """See above."""
        self.call_after_refresh(self.show_head)

    def on_scroll_list_moved(self) -> None:
        """The head tells where the list is."""
        self.show_head()

    def show_head(self) -> None:
        """Draw the head anew, if it changed."""
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


def following_note(view: ScrollList) -> Line:
    """Whether a list follows its end, in words."""
    return () if view.following else ((with_keys(view, Hint("paused, {follow} follows")), "warn"),)
