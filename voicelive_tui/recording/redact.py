"""What a recording shows when it is shared: the strict redaction, and the search for what looks like a key."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

_KEPT = re.compile(
    r"type|object|status|role|id|.*_id|code|param|input|mark|dir|direction|severity|model|api_version|began_by"
    r"|.*format|program|sdk|eagerness|modalities"
)
"""Names of fields whose text is not content: neither said nor written by a person or a model."""
_TOKEN = re.compile(r"[A-Za-z0-9+/_=.-]{20,500}")
_IDENTIFIER = re.compile(r"(?:[a-z]+_)+[A-Za-z0-9]{1,40}$|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
"""Ids of the protocol, such as `item_...`, and UUIDs."""
ENTROPY = 3.5
"""Bits a character from which on letters and digits are random: words have about 3, hexadecimal keys 3.7."""
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{32,}$")


class Finding(NamedTuple):
    """Something that looks like a key."""

    where: str
    line: int
    token: str
    """Not to be shown: see `begins`."""

    @property
    def begins(self) -> str:
        """Its first four characters."""
        return self.token[:4]


def without_content(value: Any, name: str = "") -> Any:
    """A JSON value without anything that was said, written, or named: lengths in place of texts."""
    match value:
        case dict():
            return {key: without_content(inner, key) for key, inner in value.items()}
        case list():
            return [without_content(inner, name) for inner in value]
        case str() if value and not _KEPT.fullmatch(name):
            return f"<{len(value)} characters>"
    return value


def strict_line(line: bytes) -> bytes:
    """A line of JSON without content; one that is not JSON is left out."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return b""
    return json.dumps(without_content(value), separators=(",", ":")).encode() + b"\n"


def findings(where: str, lines: Iterable[bytes]) -> Iterator[Finding]:
    """The tokens in lines of text that look like keys."""
    for number, line in enumerate(lines, 1):
        for found in _TOKEN.finditer(line.decode("utf-8", "replace")):
            token = found[0].strip("=.-_/+")
            if _looks_like_a_key(token):
                yield Finding(where, number, token)


def _looks_like_a_key(token: str) -> bool:
    if len(token) < 20 or _IDENTIFIER.match(token):
        return False
    if token.startswith("eyJ") or _HEXADECIMAL.match(token):  # the first: JSON in base64, as in tokens of OAuth
        return True
    if not (any(each.isdigit() for each in token) and any(each.isalpha() for each in token)):
        return False
    parts = re.split(r"[-_./]", token)
    longest = max(parts, key=len)  # file names, host names and versions have short parts
    return len(longest) >= 20 and _entropy(longest) >= ENTROPY


def _entropy(token: str) -> float:
    counts = Counter(token).values()
    return -sum(count / len(token) * math.log2(count / len(token)) for count in counts)
