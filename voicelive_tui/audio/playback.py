"""PlaybackQueue: blocks of sound by item, from the loop to the output callback, and what was heard of each.

Rules. The loop appends to the queue, or replaces the whole deque to flush it; the output callback takes from whichever
deque it finds and drops its current block when that is another one than before. Nothing waits and nothing locks: each
crossing is one attribute or one deque operation, atomic under the interpreter lock. (On a free-threaded build this has
to be thought over again.)

Written by the loop: the queue's attribute, the tables of items, of an `Item` its first group of attributes, and
``PlayedBlock.frames_heard`` once the block exists. Written by the callback: all the rest.

Prebuffer. An item begins when ``prebuffer_ms`` of it is there, or all of it, or once some of it has waited half as long
again. When it runs dry before its end, zeros are played, the target grows by 100 ms (to 300 at most) and is awaited
again; 30 s without a gap bring it back. A gap counts only when more of the item came after it: what ran dry at its end
was complete. After a gap or a flush the sound fades in over 3 ms. There is no fade-out: a flush is to be heard at once.
"""

import math
from collections import deque
from typing import NamedTuple

import numpy as np

from voicelive_tui.audio.pcm import (
    BLOCK_SECONDS,
    SAMPLE_RATE,
    SAMPLE_WIDTH,
    frames_to_ms,
    ms_to_frames,
)

FADE_IN_MS = 3
REBUFFER_STEP_MS = 100
REBUFFER_MAX_MS = 300
REBUFFER_EASE_SECONDS = 30.0
WAIT_RATIO = 1.5
"""Sound that waits for its prebuffer waits at most so many times the prebuffer's length (150 ms for 100)."""
HISTORY_SECONDS = 10.0
KEPT_ITEMS = 64
"""Finished or flushed items whose figures are kept, so that late audio and late questions find them."""

_FADE = np.linspace(0, 1, ms_to_frames(FADE_IN_MS), endpoint=False, dtype=np.float32)


class Item:
    """The playback account of one conversation item, in frames."""

    __slots__ = (
        "announced", "begun_at", "carry", "complete", "consumed", "ended_at", "flushed", "id", "received", "taken",
    )  # fmt: skip

    def __init__(self, item_id: str) -> None:
        self.id = item_id
        # The loop's.
        self.received = 0
        """Frames that came from the service."""
        self.complete = False
        """No more will come."""
        self.flushed = False
        """Interrupted: what comes later is never heard."""
        self.announced = False
        """`Started` was given out."""
        self.carry = b""
        """Half a frame, until its other half comes."""
        # The callback's.
        self.taken = 0
        """Frames given to the device, the block being filled included."""
        self.consumed = 0
        """Frames given to the device, as far as ``PlaybackQueue.played`` tells."""
        self.begun_at = math.inf
        """When the first frame reaches the DAC."""
        self.ended_at = 0.0
        """When the last frame consumed so far has left the DAC."""


class Segment(NamedTuple):
    """A stretch of one item within a played block, in frames."""

    item: Item
    start: int
    """Counted from the item's beginning."""
    offset: int
    """Counted from the block's beginning."""
    frames: int


class PlayedBlock:
    """What one output callback gave to the device.

    Attributes:
        at: When its first frame reaches the DAC (monotonic seconds).
        pcm: The sound, zeros included.
        segments: Which frames of which items it holds; empty for a block of silence.
        frames_heard: Its whole length, or less when the device was cut before its end.
    """

    __slots__ = ("at", "frames_heard", "pcm", "segments")

    def __init__(self, at: float, pcm: bytes, segments: tuple[Segment, ...]) -> None:
        self.at = at
        self.pcm = pcm
        self.segments = segments
        self.frames_heard = len(pcm) // SAMPLE_WIDTH

    def heard_by(self, now: float) -> int:
        """The frames of this block that have left the DAC by then."""
        passed = (now - self.at) * SAMPLE_RATE
        return 0 if passed <= 0 else int(min(self.frames_heard, passed))


class Started(NamedTuple):
    """The first sample of an item reached the DAC."""

    item_id: str
    at: float


class Finished(NamedTuple):
    """The last sample of an item left the DAC."""

    item_id: str
    at: float
    ms: float
    """The item's whole length in milliseconds."""


PlaybackEvent = Started | Finished


class Heard(NamedTuple):
    """How much of an interrupted item was heard."""

    item_id: str
    heard_ms: float
    """Milliseconds of the item that left the DAC: never more than the item holds."""
    received_ms: float
    """Milliseconds that had come from the service."""


class PlaybackQueue:
    """The queue between the loop, which plays and flushes, and the output callback, which fills blocks.

    Args:
        prebuffer_ms: Sound to have before an item begins, in milliseconds.
    """

    def __init__(self, prebuffer_ms: float = 100) -> None:
        # The loop's.
        self._queue: deque[tuple[Item, memoryview]] = deque()
        self._items: dict[str, Item] = {}
        self._open: dict[str, Item] = {}  # those of which sound was received and not yet heard to the end
        self._stopped: list[Item] = []  # flushed, not yet settled
        self._events: list[PlaybackEvent] = []
        self._cut = (math.nan, 0.0)  # `sounding_until` as it was when the device was cut, and when that was
        self.late_frames = 0
        """Frames that came for an item after its flush, and were dropped."""

        # The callback's.
        self._seen = self._queue
        self._item = self._nothing = Item("")
        self._block = memoryview(b"")
        self._offset = 0
        self._flowing = False
        self._dry: Item | None = None
        self._faded = _FADE.size
        self._waiting_since: float | None = None
        self._calm_since = 0.0
        self._prebuffer_ms = prebuffer_ms
        self.played: deque[PlayedBlock] = deque(maxlen=round(HISTORY_SECONDS / BLOCK_SECONDS))
        """The last ten seconds of blocks, silence included, oldest first.

        Other threads iterate over its ``copy()``, which is made without ever leaving C. (``tuple(played)`` allocates
        while it iterates, which may run the garbage collector, and with it another thread.)
        """
        self.target_ms = prebuffer_ms
        """The prebuffer in force."""
        self.gaps = 0
        """How often an item ran dry before its end."""
        self.sounding_until = 0.0
        """When the last frame consumed so far leaves the DAC (silence not counted)."""

    # --- the loop's side

    def play(self, item_id: str, pcm: bytes) -> None:
        """Append sound to an item; of an item that was flushed it is dropped and counted.

        Bytes may end within a frame: the half frame waits for its other half.
        """
        item = self._items.get(item_id)
        if item is None:
            item = self._items[item_id] = Item(item_id)
            if len(self._items) > KEPT_ITEMS:
                old = next((known for known in self._items if known not in self._open and known != item_id), None)
                self._items.pop(old or "", None)
        if item.flushed:
            self.late_frames += len(pcm) // SAMPLE_WIDTH
            return
        pcm, item.carry = item.carry + pcm, b""
        if len(pcm) % SAMPLE_WIDTH:
            pcm, item.carry = pcm[:-1], pcm[-1:]
        if pcm:
            self._open[item_id] = item
            item.complete = False
            # First the count, then the block, so that the callback never took more than was received.
            item.received += len(pcm) // SAMPLE_WIDTH
            self._queue.append((item, memoryview(pcm)))

    def finish(self, item_id: str) -> None:
        """No more sound of this item will come."""
        if item := self._items.get(item_id):
            item.carry = b""
            item.complete = True

    def flush(self, now: float) -> None:
        """Drop everything that the device has not taken yet; `settle` tells what that was."""
        self._collect_events(now)
        self._queue = deque()
        for item in self._open.values():
            item.flushed = True
            self._stopped.append(item)
        self._open.clear()

    def settle(self, stopped_at: float | None = None) -> list[Heard]:
        """Account for the items that were flushed since the last call.

        Args:
            stopped_at: When the device was cut: what it still held then was never heard. None when it was left to
                play out what it had taken.

        Returns:
            Each interrupted item, in the order in which they came. One that was heard to its end after all is not
            among them: `events` tells of it.
        """
        if stopped_at is not None:
            for block in self.played.copy():
                # What was played since, of other items, was not cut.
                if any(segment.item.flushed for segment in block.segments):
                    block.frames_heard = block.heard_by(stopped_at)
            if self._stopped:
                self._cut = (self.sounding_until, stopped_at)
        found = []
        for item in self._stopped:
            heard = self._heard(item, math.inf)
            if item.complete and heard == item.received:
                self._events.append(Finished(item.id, item.ended_at, frames_to_ms(heard)))
            else:
                found.append(Heard(item.id, frames_to_ms(heard), frames_to_ms(item.received)))
        self._stopped = []
        return found

    def forget(self) -> None:
        """Begin anew: drop the queue and every account, so that an item id may be used again."""
        self._queue = deque()
        self._items.clear()
        self._open.clear()
        self._stopped.clear()
        self._events.clear()

    def events(self, now: float) -> list[PlaybackEvent]:
        """What has begun or ended at the DAC since the last call."""
        self._collect_events(now)
        found, self._events = self._events, []
        return found

    def _collect_events(self, now: float) -> None:
        for item in tuple(self._open.values()):
            if not item.announced and item.begun_at <= now:
                item.announced = True
                self._events.append(Started(item.id, item.begun_at))
            if item.complete and item.consumed == item.received and item.ended_at <= now:
                del self._open[item.id]
                item.announced = False
                self._events.append(Finished(item.id, item.ended_at, frames_to_ms(item.received)))

    def heard_ms(self, item_id: str, now: float) -> float:
        """Milliseconds of the item that have left the DAC by now; 0.0 for an item that is not known."""
        item = self._items.get(item_id)
        return frames_to_ms(self._heard(item, now)) if item else 0.0

    def _heard(self, item: Item, now: float) -> int:
        """The frames of the item that have left the DAC by then: those of its last block that has begun to."""
        consumed = item.consumed  # read first: a block that comes meanwhile only adds to the history
        first = None
        for block in reversed(self.played.copy()):
            for segment in reversed(block.segments):
                if segment.item is item:
                    if (frames := block.heard_by(now) - segment.offset) > 0:
                        return segment.start + min(frames, segment.frames)
                    first = segment.start
        return consumed if first is None else first

    @property
    def buffered_ms(self) -> float:
        """Sound that waits to be taken by the device, in milliseconds."""
        return frames_to_ms(sum(item.received - item.consumed for item in self._open.values()))

    def playing(self, now: float) -> bool:
        """Whether an item waits or is being heard, gaps within it included."""
        return bool(self._open) or self.silent_from() > now

    def silent_from(self) -> float:
        """When the sound given to the device so far ends, or was cut (either thread may ask)."""
        until = self.sounding_until
        mark, stopped_at = self._cut
        return min(until, stopped_at) if until == mark else until

    # --- the callback's side

    def fill(self, out: memoryview, at: float, now: float) -> None:
        """Fill one block; what is not there is silence.

        Args:
            out: The device's buffer, bytes, writable.
            at: When its first frame reaches the DAC (monotonic seconds).
            now: The time of the call.
        """
        queue = self._queue
        if queue is not self._seen:
            self._seen = queue
            self._block, self._offset = memoryview(b""), 0
            self._item, self._dry = self._nothing, None
            self._flowing = False
            self._faded = 0
        position, size = 0, len(out)
        segments: list[Segment] = []
        while position < size:
            if self._offset == len(self._block):
                if not queue:
                    if self._flowing:
                        self._flowing, self._waiting_since = False, None
                        self._dry = None if self._item.complete else self._item
                    break
                item, self._block = queue.popleft()
                self._offset = 0
                if item is not self._item:
                    self._item, self._flowing, self._waiting_since = item, False, None
            item = self._item
            if not self._flowing and not self._ready(item, now):
                break
            self._flowing = True
            take = min(size - position, len(self._block) - self._offset)
            out[position : position + take] = self._block[self._offset : self._offset + take]
            if self._faded < _FADE.size:
                self._fade_in(out[position : position + take])
            self._note(segments, item, position // SAMPLE_WIDTH, take // SAMPLE_WIDTH)
            self._offset += take
            position += take
        out[position:] = bytes(size - position)
        # The block is in the history before its frames count as consumed, see _heard.
        self.played.append(PlayedBlock(at, bytes(out), tuple(segments)))
        for segment in segments:
            item = segment.item
            if not segment.start:
                item.begun_at = at + segment.offset / SAMPLE_RATE
            item.ended_at = self.sounding_until = at + (segment.offset + segment.frames) / SAMPLE_RATE
            item.consumed = segment.start + segment.frames

    @staticmethod
    def _note(segments: list[Segment], item: Item, offset: int, frames: int) -> None:
        if segments and segments[-1].item is item:
            _, start, offset, before = segments.pop()
            segments.append(Segment(item, start, offset, before + frames))
        else:
            segments.append(Segment(item, item.taken, offset, frames))
        item.taken += frames

    def _ready(self, item: Item, now: float) -> bool:
        """Whether enough is there to begin, or to go on after a gap."""
        if self._dry is item:
            self.gaps += 1
            self._calm_since = now
            self._faded = 0
            self.target_ms = max(self.target_ms, min(self.target_ms + REBUFFER_STEP_MS, REBUFFER_MAX_MS))
        elif self.target_ms > self._prebuffer_ms and now - self._calm_since > REBUFFER_EASE_SECONDS:
            self.target_ms = max(self._prebuffer_ms, self.target_ms - REBUFFER_STEP_MS)
            self._calm_since = now
        self._dry = None
        if self._waiting_since is None:
            self._waiting_since = now
        return (
            item.complete
            or frames_to_ms(item.received - item.taken) >= self.target_ms
            or (now - self._waiting_since) * 1000 >= self.target_ms * WAIT_RATIO
        )

    def _fade_in(self, out: memoryview) -> None:
        sound = np.frombuffer(out, dtype="<i2")[: _FADE.size - self._faded]
        sound[:] = sound * _FADE[self._faded : self._faded + sound.size]
        self._faded += sound.size
