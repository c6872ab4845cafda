"""The event log: rows as plain records, bounded, and shared between the values of the session."""

from collections.abc import Iterator
from dataclasses import dataclass
from sys import intern
from typing import Literal, NamedTuple


class LogRow(NamedTuple):
    """One line of the event log: a plain record, so that 50,000 of them cost the collector little."""

    seq: int
    """Counts up by one from 0 and never restarts."""
    at: float
    direction: Literal["in", "out", "local", "log"]
    """Server event, client event, something local, or a record of Python's logging."""
    type: str
    """The event's type; for `log` rows the logger's name."""
    severity: Literal["debug", "info", "warning", "error"]
    item_id: str
    response_id: str
    size: int
    """Bytes of audio where the event carries audio, else 0."""
    text: str
    """JSON of the event (audio replaced by its byte count), or one plain sentence for `local` and `log` rows."""


@dataclass(frozen=True, slots=True, eq=False)
class EventLog:
    """The last `LIMIT` rows, in sealed chunks and a short open tail, so that an append copies 256 rows at most."""

    LIMIT = 50_000
    CHUNK = 256

    sealed: tuple[tuple[LogRow, ...], ...] = ()
    tail: tuple[LogRow, ...] = ()
    next_seq: int = 0

    def append(
        self,
        at: float,
        direction: Literal["in", "out", "local", "log"],
        type: str,  # noqa: A002 - the protocol's word
        text: str,
        *,
        severity: Literal["debug", "info", "warning", "error"] = "info",
        item_id: str = "",
        response_id: str = "",
        size: int = 0,
    ) -> "EventLog":
        """The log with one more row; the oldest chunk goes when the limit is passed."""
        # The same few names come again and again, each time as a new string: a third of the memory of a full log.
        names = intern(type), severity, intern(item_id), intern(response_id)
        row = LogRow(self.next_seq, at, direction, *names, size, text)
        sealed, tail = self.sealed, (*self.tail, row)
        if len(tail) == self.CHUNK:
            sealed, tail = (*sealed, tail), ()
            if len(sealed) * self.CHUNK > self.LIMIT:
                sealed = sealed[1:]
        return EventLog(sealed, tail, self.next_seq + 1)

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
        for rows in (*self.sealed[chunk:], self.tail):
            yield from rows[start:]
            start = 0

    def row(self, seq: int) -> LogRow | None:
        """The row numbered `seq`, or None when it is gone or not there yet."""
        offset = seq - self.first_seq
        if not 0 <= offset < len(self):
            return None
        chunk, index = divmod(offset, self.CHUNK)
        return self.sealed[chunk][index] if chunk < len(self.sealed) else self.tail[index]
