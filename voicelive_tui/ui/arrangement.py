"""Which panes a terminal of a given size shows, and where: plain functions, no widget.

The style sheet places the panes: each layout is a class of the screen.
"""

from typing import Literal, NamedTuple

from textual.geometry import Size

Layout = Literal["tiny", "compact", "stacked", "beside", "normal", "wide"]
CLASSES = frozenset(("tiny", "compact", "stacked", "beside", "normal", "wide", "tall", "levels", "timeline"))
"""Classes of the screen that place the panes; `levels`, `timeline`: one of them alone."""
PANES = ("session", "transcript", "events", "tools", "timeline")
WORDS = ("session", "transcript")
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


def layout_for(size: Size) -> Layout:
    """The layout for a terminal of this size."""
    width, height = size
    if width < LEAST.width or height < LEAST.height:
        return "tiny"
    if height < 30:
        return "beside" if width >= 140 else "compact"
    if width < 100:
        return "stacked" if height >= 34 else "compact"
    return "wide" if width >= 160 and height >= 40 else "normal"


def arrange(size: Size, current: str, words: str, below: str, *, zoomed: bool, spacious: bool) -> Arrangement:
    """Choose panes and classes for a terminal.

    Args:
        size: Of the terminal.
        current: The pane in use.
        words: Session or transcript, which share a place where two panes fit: the one used last.
        below: Events or tools, which share a place: the one used last.
        zoomed: The pane in use gets all the room.
        spacious: A tall terminal gets a status line of three rows.
    """
    layout = layout_for(size)
    tall = size.height >= 36 and spacious and layout != "tiny"
    if layout == "tiny":
        shown: tuple[str, ...] = ()
    elif zoomed or layout == "compact":
        shown = (current,)
    elif layout in ("stacked", "beside"):
        shown = (words, below)
    else:
        shown = ("session", "transcript", below)
    roomy = spacious and size.width >= ROOMY.width and size.height >= ROOMY.height
    if shown and not zoomed and layout != "compact" and (roomy or current == "timeline"):
        shown = (*shown, "timeline")
    classes = {layout, *(["tall"] if tall else ()), *(shown if shown == ("timeline",) else ())}
    return Arrangement(frozenset(classes), shown)
