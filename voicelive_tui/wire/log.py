"""The event log: rows as plain records, bounded, and shared between the values of the session.

A full log is 50,000 rows. Kept as they are they would be 17 MB in 200,000 objects, in all of the memory that comes and
goes beside them; so rows that are complete are kept in columns, and made anew when they are asked for.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, NamedTuple

Way = Literal["in", "out", "local", "log"]
"""Server event, client event, something local, or a record of Python's logging."""
Severity = Literal["debug", "info", "warning", "error"]


class LogRow(NamedTuple):
    """One line of the event log."""

    seq: int
    """Counts up by one from 0 and never restarts."""
    at: float
    direction: Way
    type: str
    """The event's type; for `log` rows the logger's name."""
    severity: Severity
    item_id: str
    response_id: str
    size: int
    """Bytes of audio where the event carries audio, else 0."""
    text: str
    """JSON of the event (audio replaced by its byte count), or one plain sentence for `local` and `log` rows."""


class Sealed:
    """Rows in columns: what they share is there once, and their texts are one piece of UTF-8."""

    __slots__ = ("_at", "_ends", "_first_seq", "_names", "_sizes", "_texts")

    def __init__(self, rows: tuple[LogRow, ...]) -> None:
        self._first_seq = rows[0].seq
        self._at = array("d", (row.at for row in rows))
        self._sizes = array("Q", (row.size for row in rows))
        known: dict[tuple[Way, str, Severity, str, str], tuple[Way, str, Severity, str, str]] = {}
        names = ((row.direction, row.type, row.severity, row.item_id, row.response_id) for row in rows)
        self._names = tuple(known.setdefault(name, name) for name in names)
        texts = [row.text.encode("utf-8", "surrogatepass") for row in rows]
        self._ends = array("Q", accumulate(map(len, texts)))
        self._texts = b"".join(texts)

    def __len__(self) -> int:
        return len(self._at)

    def __getitem__(self, index: int) -> LogRow:
        text = self._texts[self._ends[index - 1] if index else 0 : self._ends[index]].decode("utf-8", "surrogatepass")
        return LogRow(self._first_seq + index, self._at[index], *self._names[index], self._sizes[index], text)


@dataclass(frozen=True, slots=True, eq=False)
class EventLog:
    """The last `LIMIT` rows and up to a chunk more: sealed chunks and a short tail, so that an append copies little."""

    LIMIT = 50_000
    CHUNK = 256

    sealed: tuple[Sealed, ...] = ()
    tail: tuple[LogRow, ...] = ()
    next_seq: int = 0
    origin: float = 0.0
    """When the very first row came, which may be gone: where the screen counts time from."""

    def append(
        self,
        at: float,
        direction: Way,
        type: str,  # noqa: A002 - the protocol's word
        text: str,
        *,
        severity: Severity = "info",
        item_id: str = "",
        response_id: str = "",
        size: int = 0,
    ) -> "EventLog":
        """The log with one more row; the oldest chunk goes when the limit is passed."""
        row = LogRow(self.next_seq, at, direction, type, severity, item_id, response_id, size, text)
        sealed, tail = self.sealed, (*self.tail, row)
        if len(tail) == self.CHUNK:
            sealed, tail = (*sealed, Sealed(tail)), ()
            if (len(sealed) - 1) * self.CHUNK >= self.LIMIT:
                sealed = sealed[1:]
        return EventLog(sealed, tail, self.next_seq + 1, self.origin if self.next_seq else at)

    def __len__(self) -> int:
        return len(self.sealed) * self.CHUNK + len(self.tail)

    @property
    def first_seq(self) -> int:
        """The number of the oldest row still kept; rows before it are gone."""
        return self.next_seq - len(self)

    def since(self, seq: int) -> Iterator[LogRow]:
        """The rows numbered `seq` and later, oldest first; rows that are gone are skipped."""
        if seq >= self.next_seq:
            return
        chunk, start = divmod(max(seq - self.first_seq, 0), self.CHUNK)
        parts: list[Sealed | tuple[LogRow, ...]] = [*self.sealed[chunk:], self.tail]
        for rows in parts:
            yield from (rows[index] for index in range(start, len(rows)))
            start = 0

    def row(self, seq: int) -> LogRow | None:
        """The row numbered `seq`, or None when it is gone or not there yet."""
        offset = seq - self.first_seq
        if not 0 <= offset < len(self):
            return None
        chunk, index = divmod(offset, self.CHUNK)
        return self.sealed[chunk][index] if chunk < len(self.sealed) else self.tail[index]
