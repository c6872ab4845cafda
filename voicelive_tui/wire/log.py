"""The event log: rows as plain records, bounded in number and in bytes, and shared between states.

A full log is 50,000 rows. Kept as objects they would be 17 MB in 200,000 pieces, fragmenting the heap; sealed chunks
are stored column-wise and decoded on access.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, NamedTuple

Way = Literal["in", "out", "local", "log"]
"""Server event, client event, message of this program, or record of Python's logging."""
Severity = Literal["debug", "info", "warning", "error"]


class LogRow(NamedTuple):
    """A row of the event log."""

    seq: int
    """Number of the row, from 0; never restarts."""
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
    """JSON of the event as it came (audio replaced by its byte count), or a sentence for `local` and `log` rows.

    A text of more than `LONGEST` characters keeps its head and its tail, and says how much is left out.
    """


LONGEST = 200_000


def bounded(text: str) -> str:
    """A text of about `LONGEST` characters at most: head, what is left out, tail."""
    if len(text) <= LONGEST:
        return text
    head, tail = LONGEST * 3 // 4, LONGEST // 4
    left_out = len(text) - head - tail
    return f"{text[:head]} … {left_out:,} of {len(text):,} characters left out … {text[-tail:]}"


class Sealed:
    """Rows in columns: equal values and texts are stored once, and the texts are one piece of UTF-8."""

    __slots__ = ("_at", "_ends", "_first_seq", "_names", "_sizes", "_starts", "_texts")

    def __init__(self, rows: tuple[LogRow, ...]) -> None:
        self._first_seq = rows[0].seq
        self._at = array("d", (row.at for row in rows))
        self._sizes = array("Q", (row.size for row in rows))
        known: dict[tuple[Way, str, Severity, str, str], tuple[Way, str, Severity, str, str]] = {}
        names = ((row.direction, row.type, row.severity, row.item_id, row.response_id) for row in rows)
        self._names = tuple(known.setdefault(name, name) for name in names)
        texts = [row.text.encode("utf-8", "surrogatepass") for row in rows]
        unlike = dict.fromkeys(texts)  # most rows are captured sound, of which only the size is kept
        starts = dict(zip(unlike, accumulate(map(len, unlike), initial=0), strict=False))
        self._starts = array("I", (starts[text] for text in texts))
        self._ends = array("I", (starts[text] + len(text) for text in texts))
        self._texts = b"".join(unlike)

    def __len__(self) -> int:
        return len(self._at)

    @property
    def bytes(self) -> int:
        """Bytes of the texts."""
        return len(self._texts)

    def __getitem__(self, index: int) -> LogRow:
        text = self._texts[self._starts[index] : self._ends[index]].decode("utf-8", "surrogatepass")
        return LogRow(self._first_seq + index, self._at[index], *self._names[index], self._sizes[index], text)


@dataclass(frozen=True, slots=True, eq=False)
class EventLog:
    """The latest rows: sealed chunks and a short tail, so that an append copies little.

    At least `LIMIT` rows are kept and up to a chunk more, unless their texts have more than `BYTES` bytes.
    """

    LIMIT = 50_000
    BYTES = 32_000_000
    CHUNK = 256

    sealed: tuple[Sealed, ...] = ()
    tail: tuple[LogRow, ...] = ()
    next_seq: int = 0
    origin: float = 0.0
    """Time of the first row ever appended: the zero of the times on the screen."""
    sealed_bytes: int = 0

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
        """The log with one more row; the oldest chunks are evicted when a limit is passed."""
        row = LogRow(self.next_seq, at, direction, type, severity, item_id, response_id, size, bounded(text))
        sealed, tail, total = self.sealed, (*self.tail, row), self.sealed_bytes
        if len(tail) == self.CHUNK:
            sealed, tail = (*sealed, Sealed(tail)), ()
            total += sealed[-1].bytes
            while sealed and ((len(sealed) - 1) * self.CHUNK >= self.LIMIT or total > self.BYTES):
                total -= sealed[0].bytes
                sealed = sealed[1:]
        return EventLog(sealed, tail, self.next_seq + 1, self.origin if self.next_seq else at, total)

    def newest(self, rows: int) -> "EventLog":
        """The log with its newest rows only: at least that many, and up to two chunks more."""
        chunks = -(-rows // self.CHUNK)
        if len(self.sealed) <= chunks:
            return self
        sealed = self.sealed[-chunks:]
        return EventLog(sealed, self.tail, self.next_seq, self.origin, sum(chunk.bytes for chunk in sealed))

    def __len__(self) -> int:
        return len(self.sealed) * self.CHUNK + len(self.tail)

    @property
    def first_seq(self) -> int:
        """The number of the oldest row still kept."""
        return self.next_seq - len(self)

    def since(self, seq: int) -> Iterator[LogRow]:
        """The kept rows numbered `seq` and later, oldest first."""
        if seq >= self.next_seq:
            return
        chunk, start = divmod(max(seq - self.first_seq, 0), self.CHUNK)
        parts: list[Sealed | tuple[LogRow, ...]] = [*self.sealed[chunk:], self.tail]
        for rows in parts:
            yield from (rows[index] for index in range(start, len(rows)))
            start = 0

    def row(self, seq: int) -> LogRow | None:
        """The row numbered `seq`, or None if it was evicted or is not there yet."""
        offset = seq - self.first_seq
        if not 0 <= offset < len(self):
            return None
        chunk, index = divmod(offset, self.CHUNK)
        return self.sealed[chunk][index] if chunk < len(self.sealed) else self.tail[index]
