"""Filters of the event log.

A filter is a list of terms separated by spaces, all of which must hold. `!` negates a term.

    word "two words"      the type, the ids or the JSON contain it, ignoring case
    /regex/               a regular expression, searched in the same places; the last / is optional
    dir:in dir:out dir:local dir:log
    is:error is:warning   at least this severe
    type:part             the type, as it came, contains it
    item:id response:id   the row belongs to it; the end of the id is enough
    gap:>0.5 gap:1-2      this long after the row before, in seconds; rows with audio do not count
    time:>1:20 time:5-9   this long after the first session began, in seconds or m:ss
"""

import math
import re
from array import array
from bisect import bisect_left
from collections.abc import Callable

from voicelive_tui.wire.events import unescaped
from voicelive_tui.wire.log import LogRow

Filter = Callable[[LogRow], bool]

_TERM = re.compile(r"""(!?)(?:/((?:\\.|[^/\\])*)/|"([^"]*)"|(\S+))(?:\s+|$)""")
_SEVERITIES = {"warning": ("warning", "error"), "error": ("error",)}
_SECONDS = r"(?:(\d{1,5}):)?(\d{1,7}(?:\.\d{1,6})?)"
_DIRECTIONS = ("in", "out", "local", "log")
_NAMES = ("dir", "is", "type", "item", "response", "gap", "time")
PATIENCE = 0.05
"""Seconds that a regular expression may take for one row; some backtrack without end."""


def everything(_row: LogRow) -> bool:
    """The empty filter."""
    return True


def parse(text: str, origin: Callable[[], float] = lambda: 0.0) -> Filter:
    """Parse a filter; the empty text accepts every row. `origin` gives `EventLog.origin`.

    Raises `ValueError` if the text is not a filter, with one sentence for the user; so does the filter itself when a
    regular expression takes too long.
    """
    terms: list[Filter] = []
    text, position = text.strip(), 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None:  # such as a quotation mark inside a word: take the word literally
            end = text.find(" ", position)
            end = len(text) if end < 0 else end
            terms.append(_contains(text[position:end]))
            position = end + 1
            continue
        inverse, regex, quoted, word = match.groups()
        if regex is not None:
            term = _searches(regex)
        elif quoted is not None:
            term = _contains(quoted)
        else:
            term = _word(word, origin)
        terms.append(_not(term) if inverse else term)
        position = match.end()
    match terms:
        case []:
            return everything
        case [only]:
            return only
        case _:
            return lambda row: all([term(row) for term in terms])  # noqa: C419 - a gap begins at rows others refuse


class _Gap:
    """Accepts rows by the seconds since the row before; both have no audio."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = low, high
        self._seqs, self._times = array("q"), array("d")

    def __call__(self, row: LogRow) -> bool:
        if row.size:
            return False
        index = bisect_left(self._seqs, row.seq)
        if index == len(self._seqs):
            self._seqs.append(row.seq)
            self._times.append(row.at)
        return index > 0 and self._low <= row.at - self._times[index - 1] <= self._high


def _range(name: str, value: str) -> tuple[float, float]:
    """The lower and the upper end, in seconds."""
    match = re.fullmatch(rf"([<>]?){_SECONDS}(?:-{_SECONDS})?", value)
    sign, minutes, seconds, *end = match.groups() if match else ("",) * 5
    if match is None or bool(sign) is (end[1] is not None):
        raise ValueError(f"{name}: takes >1.5, <1:20 or 5-1:20 in seconds or m:ss, not “{value}”")
    low = int(minutes or 0) * 60 + float(seconds)
    if sign:
        return (low, math.inf) if sign == ">" else (-math.inf, low)
    return low, int(end[0] or 0) * 60 + float(end[1])


def _not(term: Filter) -> Filter:
    return lambda row: not term(row)


def _word(word: str, origin: Callable[[], float]) -> Filter:
    if word.startswith("/"):  # the closing / is still to be typed
        return _searches(word[1:])
    name, colon, value = word.partition(":")
    match name if colon else "":
        case "dir":
            if value not in _DIRECTIONS:
                raise ValueError(f"dir: takes one of {', '.join(_DIRECTIONS)}, not “{value}”")
            return lambda row: row.direction == value
        case "is":
            if value not in _SEVERITIES:
                raise ValueError(f"is: takes error or warning, not “{value}”")
            severities = _SEVERITIES[value]
            return lambda row: row.severity in severities
        case "type":
            return lambda row: value.lower() in row.type.lower()
        case "item":
            return lambda row: row.item_id != "" and row.item_id.endswith(value)
        case "response":
            return lambda row: row.response_id != "" and row.response_id.endswith(value)
        case "gap":
            return _Gap(*_range(name, value))
        case "time":
            low, high = _range(name, value)
            return lambda row: low <= max(row.at - origin(), 0.0) <= high  # as it is shown
        case _:
            _check_name(word, name)
            return _contains(word)


def _check_name(word: str, name: str) -> None:
    """Raise `ValueError` for a word that looks like a term with a mistake in it; in quotation marks it is accepted."""
    import difflib  # noqa: PLC0415 - 3 ms that the first paint does not need

    meant = re.sub(r"^(gap|time)([<>])", r"\1:\2", word)
    if meant == word != name and (near := difflib.get_close_matches(name, _NAMES, 1, 0.7)):
        meant = near[0] + word.removeprefix(name)
    if meant != word:
        raise ValueError(f'did you mean {meant}, or "{word}"?')


def _contains(text: str) -> Filter:
    wanted = text.lower()
    return lambda row: any(wanted in place.lower() for place in _places(row))


def _places(row: LogRow) -> tuple[str, ...]:
    return row.type, unescaped(row.text), row.item_id, row.response_id


def _searches(pattern: str) -> Filter:
    import regex  # noqa: PLC0415 - 30 ms that the first paint does not need

    try:
        search = regex.compile(pattern.replace(r"\/", "/"), regex.IGNORECASE).search
    except regex.error as error:
        raise ValueError(f"/{pattern}/ is not a regular expression: {error}") from None

    def chooses(row: LogRow) -> bool:
        try:
            return any(search(place, timeout=PATIENCE) for place in _places(row))
        except TimeoutError:
            raise ValueError(f"/{pattern}/ takes too long: simplify it") from None

    return chooses
