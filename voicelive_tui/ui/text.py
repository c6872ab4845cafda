"""Lines for the panes: widths in terminal cells, clipping, wrapping.

A `Line` is what the panes draw: runs of text, each with the name of a tone. Lines are plain data, so that what a
pane says is tested without a screen, and no text in them can be taken for markup.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise

from rich.cells import cell_len, set_cell_size

Span = tuple[str, str]
"""A run of text and its tone: one of `painted.TONES`."""
Line = tuple[Span, ...]


def clip(text: str, width: int) -> str:
    """The text in at most `width` cells, its end replaced by an ellipsis where it was longer."""
    if width <= 0:
        return ""
    # Every character takes a cell at most half of the time: shortening it before measuring keeps a megabyte line cheap.
    if len(text) <= width * 4 and cell_len(text) <= width:
        return text
    return set_cell_size(text[: width * 4], width - 1).rstrip() + "…"


def clip_words(text: str, width: int) -> str:
    """The text as `clip` has it, ending with a whole word or field where that costs little."""
    clipped = clip(text, width)
    if not clipped or clipped == text:
        return clipped
    kept = clipped[:-1]
    if not text[len(kept)].isspace():
        whole = kept[: kept.rfind(" ") + 1].rstrip(" ·,")
        kept = whole if len(whole) > len(kept) * 2 // 3 else kept
    return kept.rstrip(" ·,") + "…"


def clip_left(text: str, width: int) -> str:
    """The text in at most `width` cells, its beginning replaced by an ellipsis where it was longer (ASCII only).

    What is left begins with a whole word where that costs little: event types are words joined by dots and underscores.
    """
    if len(text) <= width:
        return text
    kept = text[len(text) - width + 1 :]
    words = re.split(r"[._]", kept, maxsplit=1)
    return "…" + (words[1] if len(words) == 2 and len(words[0]) <= width // 3 else kept)


def fit(text: str, width: int) -> str:
    """The text in exactly `width` cells: clipped, or padded on the right."""
    clipped = clip(text, width)
    return clipped + " " * (width - cell_len(clipped))


def measured(text: str, tone: str) -> Line:
    """A number and its quiet unit, such as `1.24 s`; a text without a unit as it is."""
    number, gap, unit = text.rpartition(" ")
    return ((number, tone), (gap + unit, "dim")) if unit.isalpha() else ((text, tone),)


def width_of(line: Iterable[Span]) -> int:
    """Cells that a line takes."""
    return sum(cell_len(text) for text, _ in line)


def clipped(line: Line, width: int) -> Line:
    """The line in at most `width` cells."""
    kept: list[Span] = []
    for text, tone in line:
        if shown := clip_words(text, width):
            kept.append((shown, tone))
        width -= cell_len(text)
    return tuple(kept)


def marked(line: Line, wanted: str, tone: str) -> Line:
    """The line with each occurrence of a text, in lower case, in another tone."""
    found = re.finditer(re.escape(wanted), "".join(text for text, _ in line), re.IGNORECASE)
    edges = [edge for match in found for edge in match.span()]  # also those of a match in several spans
    spans: list[Span] = []
    at = 0
    for text, own in line:
        cuts = [0, *(edge - at for edge in edges if 0 < edge - at < len(text)), len(text)]
        for start, end in pairwise(cuts):
            spans.append((text[start:end], tone if bisect_right(edges, at + start) % 2 else own))
        at += len(text)
    return tuple(spans)


def spread(left: Line, right: Line, width: int, fill: Span = (" ", "text")) -> Line:
    """`left` at the left edge and `right` at the right edge of `width` cells; `left` gives way first."""
    kept = clipped(left, width - width_of(right))
    room = width - width_of((*kept, *right))
    return (*kept, (fill[0] * max(room, 0), fill[1]), *right)


def wrap(text: str, width: int) -> list[str]:
    """The text broken at spaces into pieces of at most `width` cells; joined again they are the text itself.

    A word wider than a line is broken too. Spaces at a break stay at the end of the piece before it. No line is broken
    at a no-break space.
    """
    pieces: list[str] = []
    current, used = "", 0
    for word in re.findall(r"[\S\xa0]+[^\S\xa0]*|[^\S\xa0]+", text):
        bare = cell_len(word.rstrip())
        if used + bare > width and current:
            pieces.append(current)
            current, used = "", 0
        if bare > width:
            *full, word = _broken(word, width)  # noqa: PLW2901 - what is left of the word
            pieces += full
        current += word
        used += cell_len(word)
    return [*pieces, current] if current or not pieces else pieces


def centred(lines: list[Line], width: int, height: int) -> list[Line]:
    """Lines in the middle of a pane, as a block."""
    left = max((width - max(map(width_of, lines), default=0)) // 2, 0)
    above = max((height - len(lines)) // 2, 0)
    return [*[()] * above, *(((" " * left, "text"), *line) if line else () for line in lines)]


class Wrapping:
    """Wraps a text that grows: after an addition only the last row is wrapped again.

    A growing answer is drawn 20 times a second; wrapping all of a long one took 15 ms each time.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._text = ""
        self._rows: list[tuple[int, str]] = []

    def rows(self, text: str) -> list[tuple[int, str]]:
        """The rows of a text, each with its place in it; paragraphs end at line feeds."""
        if not text.startswith(self._text):
            self._rows.clear()
        start = self._rows.pop()[0] if self._rows else 0
        for paragraph in text[start:].split("\n"):
            at = start
            for piece in wrap(paragraph, self.width):
                self._rows.append((at, piece))
                at += len(piece)
            start += len(paragraph) + 1
        self._text = text
        return self._rows


def _broken(word: str, width: int) -> list[str]:
    """A word in pieces of at most `width` cells, at least one character each; spaces hang on the last.

    Names and addresses break after one of their dots, underscores and slashes where that leaves a line half full.
    """
    pieces, start, used = [], 0, 0
    for index, character in enumerate(word.rstrip()):
        cells = cell_len(character)
        if used + cells > width and index > start:
            joint = max(word.rfind(mark, start, index) for mark in "._/") + 1
            cut = joint if joint - start > (index - start) // 2 else index
            pieces.append(word[start:cut])
            start, used = cut, cell_len(word[cut:index])
        used += cells
    return [*pieces, word[start:]]
