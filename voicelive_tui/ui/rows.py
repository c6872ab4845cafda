"""Which lines the event list shows: rows chosen by a filter, runs of deltas folded into one line that counts up.

All deltas of one type and item are one line, also where those of several types come in turns, as the sound and the
words of an answer do; the line ends where another event of that item or response comes. Chunks of the microphone are
one line until the client sends something else. The lines are kept in four arrays of integers: 50,000 of them cost
the garbage collector nothing.
"""

from array import array
from bisect import bisect_left
from itertools import takewhile
from typing import NamedTuple

from voicelive_tui.wire import filters
from voicelive_tui.wire.log import EventLog, LogRow

FREQUENT = frozenset({"input_audio_buffer.append", "input_audio.turn.append"})


def foldable(row: LogRow) -> bool:
    """Whether a row is one of a run: a delta, or a chunk of the microphone."""
    return row.type.endswith(".delta") or row.type in FREQUENT


def _key(row: LogRow) -> tuple[str, str, str, str]:
    return (row.direction, row.type, row.item_id, row.response_id)


def _ends(row: LogRow, key: tuple[str, str, str, str]) -> bool:
    direction, _, item_id, response_id = key
    if not item_id and not response_id:
        return row.direction == direction
    return bool(item_id and row.item_id == item_id) or bool(response_id and row.response_id == response_id)


class Fold(NamedTuple):
    """One line of the list."""

    first: int
    """`LogRow.seq` of the first row in it."""
    last: int
    """`LogRow.seq` of the last one."""
    rows: int
    size: int
    """Bytes of audio in all of its rows."""


class Rows:
    """The lines of the event list; brought up to date with `update`, in the order of the log."""

    def __init__(self) -> None:
        self.choose: filters.Filter = filters.everything
        self.unfolded = False
        """Every row has a line of its own, and records of Python's logging are shown."""
        self.records_wanted = False
        """Records of Python's logging are shown because they were asked for by name."""
        self.matching = 0
        """Rows in the lines, folded ones included; rows that left the log at its far end are not counted."""
        self._first, self._last, self._count, self._size = array("q"), array("q"), array("q"), array("q")
        self._next = 0
        self._open: dict[tuple[str, str, str, str], int] = {}
        """Lines that still take rows, by what they are folded by; positions count lines ever made."""
        self._gone = 0
        """Lines that were dropped at the front."""
        self._log = EventLog()
        """The log at the last update: it still has the rows that left since."""

    def __len__(self) -> int:
        return len(self._first)

    def __getitem__(self, index: int) -> Fold:
        return Fold(self._first[index], self._last[index], self._count[index], self._size[index])

    def restart(self) -> None:
        """Forget the lines: the next update goes through the whole log again."""
        for values in (self._first, self._last, self._count, self._size):
            del values[:]
        self._open.clear()
        self._next = self._gone = self.matching = 0
        self._log = EventLog()

    def update(self, log: EventLog) -> int:
        """Take in what is new in the log and drop what left it; how many lines were dropped at the front."""
        if log.next_seq < self._next:
            self.restart()
        for row in log.since(self._next):
            if self._shows(row):
                self._add(row)
        before, self._log = self._log, log
        self._next = log.next_seq
        return self._prune(before, log) if log.first_seq > before.first_seq else 0

    def _shows(self, row: LogRow) -> bool:
        return (row.direction != "log" or self.unfolded or self.records_wanted) and self.choose(row)

    def find(self, row: LogRow, log: EventLog) -> int | None:
        """The line that holds a row, or None where it is filtered out or gone."""
        for index in range(len(self) - 1, -1, -1):
            if self._first[index] <= row.seq <= self._last[index]:
                kept = log.row(self._first[index]) or log.row(self._last[index])
                if kept is not None and _key(kept) == _key(row):
                    return index
        return None

    def _add(self, row: LogRow) -> None:
        self.matching += 1
        if not self.unfolded and foldable(row):
            key = _key(row)
            index = self._open.get(key, -1) - self._gone
            if index >= 0:
                self._last[index] = row.seq
                self._count[index] += 1
                self._size[index] += row.size
                return
            self._open[key] = len(self) + self._gone
        else:
            self._close(row)
        self._first.append(row.seq)
        self._last.append(row.seq)
        self._count.append(1)
        self._size.append(row.size)

    def _close(self, row: LogRow) -> None:
        """Close the runs that a row ends."""
        for key in [key for key in self._open if _ends(row, key)]:
            del self._open[key]

    def _prune(self, before: EventLog, log: EventLog) -> int:
        """Drop the lines whose last row has left the log; a run that goes on loses only the rows that left."""
        end = bisect_left(self._first, log.first_seq)
        kept = [index for index in range(end) if self._last[index] >= log.first_seq]
        keys = {_key(row): index for index in kept if (row := log.row(self._last[index])) is not None}
        for row in takewhile(lambda row: row.seq < log.first_seq, before.since(before.first_seq)):
            if not self._shows(row):
                continue
            self.matching -= 1
            index = keys.get(_key(row), -1)
            if index >= 0 and self._first[index] <= row.seq:
                self._count[index] -= 1
                self._size[index] -= row.size
        for values in (self._first, self._last, self._count, self._size):
            values[:end] = array("q", [values[index] for index in kept])
        dropped = end - len(kept)
        moved = {index + self._gone: at + self._gone + dropped for at, index in enumerate(kept)}
        self._gone += dropped
        self._open = {key: moved.get(at, at) for key, at in self._open.items() if moved.get(at, at) >= self._gone}
        return dropped
