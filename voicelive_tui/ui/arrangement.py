"""Which panes a terminal of a given size shows, and where: plain sums, no widget.

The style sheet does the placing: it knows the layouts as classes of the screen.
"""

from typing import Literal, NamedTuple

from textual.geometry import Size

Layout = Literal["tiny", "compact", "stacked", "beside", "normal", "wide"]
CLASSES = frozenset(("tiny", "compact", "stacked", "beside", "normal", "wide", "tall"))
"""Classes of the screen that an arrangement may set."""
PANES = ("session", "transcript", "events")
LEAST = Size(60, 16)


class Arrangement(NamedTuple):
    """What is shown, and the classes that place it."""

    classes: frozenset[str]
    shown: tuple[str, ...]
    """Of `PANES`."""


def layout_for(size: Size) -> Layout:
    """Which layout a terminal of this size gets."""
    width, height = size
    if width < LEAST.width or height < LEAST.height:
        return "tiny"
    if height < 30:
        return "beside" if width >= 140 else "compact"
    if width < 100:
        return "stacked" if height >= 34 else "compact"
    return "wide" if width >= 160 and height >= 40 else "normal"


def arrange(size: Size, current: str, words: str, *, zoomed: bool, lean: bool) -> Arrangement:
    """The arrangement for a terminal.

    Args:
        size: Of the terminal.
        current: The pane in use.
        words: The pane in use last of those that share a place where there is room for two: session or transcript.
        zoomed: The pane in use is to have all the room.
        lean: Few bytes matter more than a large status line.
    """
    layout = layout_for(size)
    tall = size.height >= 36 and not lean and layout != "tiny"
    if layout == "tiny":
        shown: tuple[str, ...] = ()
    elif zoomed or layout == "compact":
        shown = (current,)
    elif layout in ("stacked", "beside"):
        shown = (words, "events")
    else:
        shown = PANES
    return Arrangement(frozenset((layout, "tall") if tall else (layout,)), shown)
