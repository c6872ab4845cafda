"""Text for the screen: foreign text made harmless, widths in terminal cells, times and sizes in words.

A `Line` is what the panes draw: runs of text, each with the name of a tone. Lines are plain data, so that what a
pane says is tested without a screen, and no text in them can be taken for markup.
"""

import re
import unicodedata
from collections.abc import Iterable
from itertools import groupby

from rich.cells import cell_len, set_cell_size

Span = tuple[str, str]
"""A run of text and its tone: one of `canvas.TONES`."""
Line = tuple[Span, ...]

EXCERPT = 2_000
"""Characters of what is not the conversation itself that are drawn."""
MARKS = 4
"""Combining marks drawn on one character; a run beyond that is a joke or an attack, and is told by its length."""

_INVISIBLE = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    0x7F: "␡",
    **{code: f"⟨{code:02X}⟩" for code in range(0x80, 0xA0)},
    # Directional marks and overrides, separators, zero-width and interlinear characters: they move or hide others.
    **{
        code: f"⟨{code:04X}⟩"
        for code in (
            0x00AD, 0x061C, 0x180E, 0x200B, 0x200C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2060, 0x2070),
            0xFEFF, *range(0xFFF9, 0xFFFC), 0x115F, 0x1160, 0x3164, 0xFFA0,  # the last four: fillers of Korean
            *range(0x13430, 0x13440), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B),
        )
    },
    # Terminals disagree about the width of joined emoji, of flags and of presentation selectors. Drawn apart, every
    # one of them keeps the columns.
    0x200D: "",
    **dict.fromkeys(range(0xFE00, 0xFE10), ""),
    **dict.fromkeys(range(0x1F3FB, 0x1F400), ""),
    **{0x1F1E6 + letter: chr(ord("A") + letter) for letter in range(26)},
    **dict.fromkeys(range(0xD800, 0xE000), "�"),
    **dict.fromkeys(range(0xE0000, 0xE1000), ""),  # tags and variation selectors: never drawn
}  # fmt: skip
_JAMO = "\u1160-\u11ff\ud7b0-\ud7ff"
"""Vowels and finals of Korean: they take no cell of their own, as marks do."""
_RUN = re.compile(rf"(?:[^\w\s\x00-\u02ff]|[{_JAMO}]){{{MARKS + 1},}}")
"""Where too many marks may stand: marks are no letters; nor are other things, which `_limited` leaves alone."""


def _is_mark(character: str) -> bool:
    # What takes no cell counts as well: vowels of Korean, and marks that are newer than this Python.
    return unicodedata.category(character)[0] == "M" or not cell_len(character)


def _limited(run: re.Match[str]) -> str:
    """The first `MARKS` of each run of marks, and how many more there are."""
    pieces = []
    for are_marks, characters in groupby(run[0], _is_mark):
        piece = "".join(characters)
        over = len(piece) - MARKS
        pieces.append(f"{piece[:MARKS]}⟨+{over:,} marks⟩" if are_marks and over > 0 else piece)
    return "".join(pieces)


def visible(text: str) -> str:
    """Foreign text as it may be drawn: control and escape characters as symbols, nothing that moves the cursor.

    The result holds no character that a terminal obeys, and its width in cells is the same in every terminal.
    """
    if text.isascii() and text.isprintable():
        return text
    return _RUN.sub(_limited, text.translate(_INVISIBLE))


def excerpt(text: str) -> str:
    """Foreign text as it may be drawn, and no more of it than somebody reads: the event has all of it."""
    if len(text) <= EXCERPT:
        return visible(text)
    return f"{visible(text[:EXCERPT])}… and {len(text) - EXCERPT:,} characters more"


def clip(text: str, width: int) -> str:
    """The text in at most `width` cells, its end replaced by an ellipsis where it was longer."""
    if width <= 0:
        return ""
    # Every character takes a cell at most half of the time: a cut before measuring keeps a megabyte line cheap.
    if len(text) <= width * 4 and cell_len(text) <= width:
        return text
    return set_cell_size(text[: width * 4], width - 1).rstrip() + "…"


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


def width_of(line: Iterable[Span]) -> int:
    """Cells that a line takes."""
    return sum(cell_len(text) for text, _ in line)


def spread(left: Line, right: Line, width: int, fill: Span = (" ", "text")) -> Line:
    """`left` at the left edge and `right` at the right edge of `width` cells; `left` gives way first."""
    room = width - width_of(right)
    kept: list[Span] = []
    for text, tone in left:
        if (shown := clip(text, room)) != "":
            kept.append((shown, tone))
        room -= cell_len(shown)
    return (*kept, (fill[0] * max(room, 0), fill[1]), *right)


def wrap(text: str, width: int) -> list[str]:
    """The text broken at spaces into pieces of at most `width` cells; joined again they are the text itself.

    A word wider than a line is broken where the line ends. Spaces at a break hang on the end of the piece before it.
    """
    pieces: list[str] = []
    current, used = "", 0
    for word in re.findall(r"\S+\s*|\s+", text):
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


class Wrapping:
    """Text that grows, in rows: after more was added, only what the last row held is broken anew.

    An answer is looked at 20 times a second while it grows; broken as a whole each time, a long one took 15 ms.
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
    """A word in pieces of at most `width` cells, at least one character each; spaces hang on the last."""
    pieces, start, used = [], 0, 0
    for index, character in enumerate(word.rstrip()):
        cells = cell_len(character)
        if used + cells > width and index > start:
            pieces.append(word[start:index])
            start, used = index, 0
        used += cells
    return [*pieces, word[start:]]


def clock(seconds: float) -> str:
    """A position in time as `m:ss`, with hours where needed."""
    minutes, rest = divmod(int(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def duration(milliseconds: float) -> str:
    """A length of time: `85 ms`, `1.24 s`, `3:05`."""
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 99_995:
        return f"{milliseconds / 1000:.2f} s"
    return clock(milliseconds / 1000)


def size(count: int) -> str:
    """A number of bytes in three digits: `640 B`, `48 kB`, `1.2 MB`."""
    if count < 1000:
        return f"{count} B"
    if count < 1_000_000:
        return f"{count / 1000:.3g} kB" if count < 999_500 else "1 MB"
    return f"{count / 1_000_000:.3g} MB"


def short_id(identifier: str) -> str:
    """The last six characters: enough to tell ids apart, few enough to read."""
    return identifier if len(identifier) <= 8 else "…" + identifier[-6:]
