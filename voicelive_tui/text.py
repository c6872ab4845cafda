"""Foreign text for any output, and durations, sizes and clock times in words.

Foreign text is text that this program did not write: events, device names, file names, log records of libraries. Every
output passes it through `visible` (one line), `visible_lines`, or `masked` and `escaped` (JSON), which replace what
moves the cursor, hides or reorders text, and mask secrets: those registered by `hide`, and what looks like one.
"""

import functools
import json
import re
import unicodedata
from itertools import groupby

EXCERPT = 2_000
"""Characters drawn of text outside the conversation."""
MARKS = 4
"""Combining marks drawn on one character. Longer runs ("Zalgo" text) are replaced by their count."""
HIDDEN = "<hidden>"
SHORTEST_SECRET = 6
"""Characters; masking a shorter text would damage ordinary words."""

_INVISIBLE = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    0x7F: "␡",
    **{code: f"⟨{code:02X}⟩" for code in range(0x80, 0xA0)},
    # Directional marks and overrides, separators, zero-width and interlinear characters move or hide others.
    **{
        code: f"⟨{code:04X}⟩"
        for code in (
            0x00AD, 0x061C, 0x180E, 0x200B, 0x200C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2060, 0x2070),
            0xFEFF, *range(0xFFF9, 0xFFFC), 0x115F, 0x1160, 0x3164, 0xFFA0,  # the last four: Hangul fillers
            *range(0x13430, 0x13440), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B),
        )
    },
    # Terminals disagree about the width of joined emoji, flags and presentation selectors. Drawn apart, the columns
    # stay aligned.
    0x200D: "",
    **dict.fromkeys(range(0xFE00, 0xFE10), ""),
    **dict.fromkeys(range(0x1F3FB, 0x1F400), ""),
    **{0x1F1E6 + letter: chr(ord("A") + letter) for letter in range(26)},
    **dict.fromkeys(range(0xD800, 0xE000), "�"),
    **dict.fromkeys(range(0xE0000, 0xE1000), ""),  # tags and variation selectors: never drawn
}  # fmt: skip
_JAMO = "\u1160-\u11ff\ud7b0-\ud7ff"
"""Hangul vowels and finals; like marks, they take no cell of their own."""
_RUN = re.compile(rf"(?:[^\w\s\x00-\u02ff]|[{_JAMO}]){{{MARKS + 1},}}")
"""Runs that may hold too many marks; `_limited` leaves other characters in them alone."""

_hidden: set[str] = set()
_CREDENTIAL = re.compile(
    r"([?&](?:api[-_]?key|key|sig|code|[\w-]*token|[\w-]*secret|password|authorization)="
    r"|\b(?:api[-_]?key|authorization)[\"']?\s*[:=]\s*[\"']?(?:bearer\s+)?"
    r"|\bbearer\s+(?=[^\s\"'<]{16})"
    r"|\b(?=eyJ[\w-]{8,}\.[\w-]{2,}\.))"
    r"[^&\s\"'<\\]+",
    re.IGNORECASE,
)
"""A name of a credential in a query, a header or JSON, then its value; or a JSON Web Token alone."""
_NAMES = frozenset({"api-key", "api_key", "apikey", "authorization"})
_SIGNS = (*_NAMES, "bearer")


def hide(*secrets: str) -> None:
    """Register secrets of this process, which `mask` replaces in every output from now on."""
    _hidden.update(secret for secret in secrets if len(secret) >= SHORTEST_SECRET)


def mask(text: str) -> str:
    """The text without registered secrets and values that look like credentials."""
    for secret in sorted(_hidden, key=len, reverse=True):  # a copy, as threads add to it; one may contain another
        if secret in text:
            text = text.replace(secret, HIDDEN)
    lower = text.lower()  # much faster than the expression, which few texts need
    query = "=" in text and ("?" in text or "&" in text)
    if query or "eyJ" in text or any(sign in lower for sign in _SIGNS):
        return _CREDENTIAL.sub(rf"\1{HIDDEN}", text)
    return text


def _is_mark(character: str) -> bool:
    from rich.cells import cell_len  # noqa: PLC0415 - not needed for --help

    # Characters without a cell count as well: Hangul vowels, and marks newer than this Python's Unicode tables.
    return unicodedata.category(character)[0] == "M" or not cell_len(character)


def _limited(run: re.Match[str]) -> str:
    """The first `MARKS` of each run of marks, and the number of the others."""
    pieces = []
    for are_marks, characters in groupby(run[0], _is_mark):
        piece = "".join(characters)
        over = len(piece) - MARKS
        pieces.append(f"{piece[:MARKS]}⟨+{over:,} marks⟩" if are_marks and over > 0 else piece)
    return "".join(pieces)


def encodable(text: str) -> str:
    """The text with lone surrogates replaced: JSON can hold them, UTF-8 cannot."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")


def visible(text: str) -> str:
    """Foreign text on one line, with symbols for characters that move the cursor, hide or reorder text.

    Its width in cells is the same in every terminal. Secrets are masked.
    """
    text = mask(text)
    if text.isascii() and text.isprintable():
        return text
    return _RUN.sub(_limited, text.translate(_INVISIBLE))


def visible_lines(text: str) -> str:
    """Foreign text of several lines, such as a traceback; see `visible`."""
    return "\n".join(visible(line) for line in text.split("\n"))


def in_markdown(text: str) -> str:
    """Foreign text that Markdown shows as it is."""
    return "".join(f"\\{each}" if each in "\\`*_[]<>#|~" else each for each in visible_lines(text)).strip()


@functools.cache
def _escapes() -> dict[int, str]:
    """JSON's escapes of the characters that `visible` replaces; made when first used, for they take 3 ms."""
    return {code: json.dumps(chr(code))[1:-1] for code in _INVISIBLE}


def masked(value: object, *, hidden: bool = False) -> object:
    """A JSON value without secrets, see `mask`, and without the headers of MCP servers; its shape stays.

    All texts of a `hidden` value are secrets.
    """
    match value:
        case str():
            return HIDDEN if hidden else mask(value)
        case dict():
            names = _NAMES | {"headers"} if value.get("type") == "mcp" else _NAMES
            return {mask(key): masked(inner, hidden=hidden or key.lower() in names) for key, inner in value.items()}
        case list() | tuple():
            return [masked(inner, hidden=hidden) for inner in value]
    return value


def brief(value: object, longest: int) -> str:
    """A JSON value on one line of at most `longest` characters, without secrets; see `visible`."""
    line = visible(json.dumps(masked(value), ensure_ascii=False))
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def escaped(line: str) -> str:
    """A line of JSON with escapes for the characters that `visible` replaces, so that its value stays.

    Secrets are to be masked before, by `masked`: in the text of JSON that could damage it.
    """
    return line.translate(_escapes())


def excerpt(text: str) -> str:
    """The beginning of a foreign text and the number of characters left out; see `visible`."""
    if len(text) <= EXCERPT:
        return visible(text)
    return f"{visible(mask(text)[:EXCERPT])}… and {len(text) - EXCERPT:,} characters more"


def clock(seconds: float) -> str:
    """A position in time as `m:ss` or `h:mm:ss`."""
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


def counted(count: int, noun: str) -> str:
    """A number of things: `1 turn`, `1,200 lines`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def size(count: int) -> str:
    """A number of bytes in three digits: `640 B`, `48 kB`, `1.2 MB`."""
    if count < 1000:
        return f"{count} B"
    if count < 1_000_000:
        return f"{count / 1000:.3g} kB" if count < 999_500 else "1 MB"
    return f"{count / 1_000_000:.3g} MB"


def short_id(identifier: str) -> str:
    """An identifier shortened to its last six characters."""
    return identifier if len(identifier) <= 8 else "…" + identifier[-6:]
