"""The event log: rows as plain records, bounded in number and in bytes, and shared between states.

A full log is 50,000 rows. Kept as objects they would be 17 MB in 200,000 pieces, fragmenting the heap; sealed chunks
are compressed, to about 25 bytes a row in a conversation, and unpacked on access.
"""

import pickle
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec

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
    """Rows as one compressed piece."""

    __slots__ = ("_packed", "bytes")

    def __init__(self, rows: tuple[LogRow, ...]) -> None:
        plain = pickle.dumps(rows)
        self.bytes = len(plain)
        """Bytes of the rows when they are unpacked."""
        self._packed = zlib.compress(plain, 1)

    @property
    def rows(self) -> tuple[LogRow, ...]:
        return _unpacked(self._packed)


@lru_cache(maxsize=4)
def _unpacked(packed: bytes) -> tuple[LogRow, ...]:
    rows: tuple[LogRow, ...] = pickle.loads(zlib.decompress(packed))  # noqa: S301 - packed by this process
    return rows


class EventLog(msgspec.Struct, frozen=True, eq=False):
    """The latest rows: sealed chunks and a short tail, so that an append copies little.

    At least `LIMIT` rows are kept and up to a chunk more, unless they have more than `BYTES` bytes unpacked.
    """

    LIMIT = 50_000
    BYTES = 32_000_000
    CHUNK = 256

    sealed: tuple[Sealed, ...] = ()
    tail: tuple[LogRow, ...] = ()
    next_seq: int = 0
    origin: float = 0.0
    """The zero of the times on the screen: when the first session began, until then the first row ever appended."""
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
        for sealed in self.sealed[chunk:]:
            yield from sealed.rows[start:]
            start = 0
        yield from self.tail[start:]

    def row(self, seq: int) -> LogRow | None:
        """The row numbered `seq`, or None if it was evicted or is not there yet."""
        offset = seq - self.first_seq
        if not 0 <= offset < len(self):
            return None
        chunk, index = divmod(offset, self.CHUNK)
        return self.sealed[chunk].rows[index] if chunk < len(self.sealed) else self.tail[index]
