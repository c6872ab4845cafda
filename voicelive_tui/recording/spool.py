"""Records of the recorder, and the ring that holds those of the last minutes."""

import contextlib
import struct
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Literal, NamedTuple, cast, get_args

RING_SECONDS = 600.0
SEGMENT_SECONDS = 60.0

Kind = Literal["wire", "mark", "left", "right", "received"]
_KINDS: tuple[Kind, ...] = get_args(Kind)
_HEAD = struct.Struct("<BqI")


class Record(NamedTuple):
    """A line, or a piece of sound."""

    kind: Kind
    at: int
    """The time of a line in ns, or the position of the sound in samples."""
    data: bytes
    """The line with its end, or PCM16."""


class Segment(NamedTuple):
    """The records of a minute in a file without a name; memory holds none of them."""

    began_ns: int
    before: Sequence[Record]
    """Lines of the time before that a reader needs: the session in force, the devices."""
    received_from: int
    """The first sample of channel 2 that is not older."""
    file: BinaryIO


class Ring:
    """The records of the last `RING_SECONDS`, and up to a segment more."""

    def __init__(self) -> None:
        self._segments: deque[Segment] = deque()

    @property
    def began_ns(self) -> int | None:
        """When the oldest segment began, None while there is none."""
        return self._segments[0].began_ns if self._segments else None

    @property
    def received_from(self) -> int:
        """The first sample of channel 2 in it."""
        return self._segments[0].received_from if self._segments else 0

    def add(self, records: Sequence[Record], now_ns: int, before: Sequence[Record], received: int) -> None:
        """Append records, in order. Raises `OSError` if they cannot be written.

        `before` has the lines that a new segment needs, `received` counts the samples of channel 2 so far.
        """
        if not self._segments or now_ns - self._segments[-1].began_ns > SEGMENT_SECONDS * 1e9:
            older = [record for record in before if record not in records]
            pieces = [record.at for record in records if record.kind == "received"]
            file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - closed with its segment
            self._segments.append(Segment(now_ns, older, min(pieces, default=received), file))
            while now_ns - self._segments[0].began_ns > (RING_SECONDS + SEGMENT_SECONDS) * 1e9:
                self._segments.popleft().file.close()
        self._segments[-1].file.writelines(
            part for kind, at, data in records for part in (_HEAD.pack(_KINDS.index(kind), at, len(data)), data)
        )

    def __iter__(self) -> Iterator[Record]:
        """All records, after the lines that precede the first segment."""
        if self._segments:
            yield from self._segments[0].before
        for file in [segment.file for segment in self._segments]:
            file.flush()
            file.seek(0)
            while head := file.read(_HEAD.size):
                kind, at, size = _HEAD.unpack(head)
                yield Record(_KINDS[kind], at, file.read(size))

    def close(self) -> None:
        """Forget everything, also what a full disk has not taken."""
        while self._segments:
            with contextlib.suppress(OSError):
                self._segments.pop().file.close()
