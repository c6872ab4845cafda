"""Which panes a terminal of a given size shows, and where: plain functions, no widget.

The style sheet places the panes: each layout is a class of the screen.
"""

from typing import Literal, NamedTuple

from textual.geometry import Size

Layout = Literal["tiny", "compact", "stacked", "beside", "normal", "wide"]
CLASSES = frozenset(("tiny", "compact", "stacked", "beside", "normal", "wide", "tall", "zoomed", "levels", "timeline"))
"""Classes of the screen that place the panes; `levels`, `timeline`: one of them alone."""
PANES = ("session", "transcript", "events", "tools", "timeline", "delay")
"""In the order of their numbers, which is that of the tabs."""
WORDS = ("session", "transcript", "delay")
BELOW = ("events", "tools")
"""Of these one is shown; where two panes fit, so it is of `WORDS`."""
ROOMY = Size(180, 55)
"""Columns and rows from which on the timeline is always there; else while it is in use."""
LEAST = Size(60, 16)
"""Columns and rows; a smaller terminal shows a sentence in place of the panes."""


class Arrangement(NamedTuple):
    """The panes shown, and the classes that place them."""

    classes: frozenset[str]
    shown: tuple[str, ...]
    """Of `PANES`."""

    def tabs(self, name: str) -> tuple[str, ...]:
        """The panes that share the place of a shown one, itself included."""
        if len(self.shown) == 1:
            return PANES
        return tuple(
            each
            for each in PANES
            if each == name or (name != "timeline" and each not in self.shown and (each in WORDS) == (name in WORDS))
        )


def layout_for(size: Size) -> Layout:
    """The layout for a terminal of this size."""
    width, height = size
    if width < LEAST.width or height < LEAST.height:
        return "tiny"
    if height < 30:
        return "beside" if width >= 140 else "compact"
    if width < 100:
        return "stacked" if height >= 34 else "compact"
    return "wide" if width >= 180 and height >= 40 else "normal"


def arrange(size: Size, current: str, words: str, below: str, *, zoomed: bool, spacious: bool) -> Arrangement:
    """Choose panes and classes for a terminal.

    Args:
        size: Of the terminal.
        current: The pane in use.
        words: Session, transcript or delay, which share a place where two panes fit: the one used last.
        below: Events or tools, which share a place: the one used last.
        zoomed: The pane in use gets all the room.
        spacious: A tall terminal gets a status line of three rows.
    """
    layout = layout_for(size)
    classes: set[str] = {layout}
    if layout == "tiny":
        return Arrangement(frozenset(classes), ())
    if size.height >= 36 and spacious:
        classes.add("tall")
    if zoomed:
        classes.add("zoomed")
    if zoomed or layout == "compact":
        return Arrangement(frozenset((*classes, *(("timeline",) if current == "timeline" else ()))), (current,))
    shown = (*((words,) if layout in ("stacked", "beside") else WORDS), below)
    roomy = spacious and size.width >= ROOMY.width and size.height >= ROOMY.height
    return Arrangement(frozenset(classes), (*shown, "timeline") if roomy or current == "timeline" else shown)
