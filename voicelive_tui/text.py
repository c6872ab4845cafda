"""The one way foreign text reaches an output, and durations, sizes and clock times in words.

Foreign text is whatever this program did not write: events, device names, file names, log records of libraries. It is
never markup and never an escape sequence: `visible` stands between it and the screen, the console, and the log file.
"""

import re
import unicodedata
from itertools import groupby

from rich.cells import cell_len

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


def encodable(text: str) -> str:
    """The text with lone surrogates replaced: JSON can hold them, but no terminal and no file can."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")


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
