"""PlaybackQueue: the jitter buffer before the speaker, by item, and how much of each item was heard.

Rules. The loop appends to the queue, or replaces the whole deque to flush it; the output callback takes from the deque
it finds, and drops its current block if that deque is a new one. There are no waits and no locks: each crossing is one
operation on an attribute or a deque, atomic under the GIL (a free-threaded build needs another design).

The loop writes the queue's attribute, the tables of items, the first group of an `Item`'s attributes, and
`PlayedBlock.samples_heard` once the block exists. The callback writes everything else.

Prebuffer. An item begins once `prebuffer_ms` of it is queued, or all of it, or some of it has waited half as long
again. If it runs dry before its end, zeros are played, the target grows by 100 ms (to 300 at most) and is awaited
again; 30 s without a gap lower it. Running dry is a gap only if more of the item arrives later; otherwise the item had
ended. After a gap or a flush the sound fades in over 3 ms. There is no fade-out: a flush must take effect at once.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from voicelive_tui.audio.format import BLOCK_SECONDS, SAMPLE_RATE, SAMPLE_WIDTH, samples_in, samples_to_ms
from voicelive_tui.audio.pcm import PCM16

FADE_IN_MS = 3
REBUFFER_STEP_MS = 100
REBUFFER_MAX_MS = 300
REBUFFER_EASE_SECONDS = 30.0
WAIT_RATIO = 1.5
"""Longest wait for the prebuffer, as a multiple of its length (150 ms for 100)."""
HISTORY_SECONDS = 10.0
LONGEST_MS = 600_000.0
"""Sound that may wait to be played: ten minutes, 29 MB."""
KEPT_ITEMS = 64
"""Items whose accounts are kept after their end, for late audio and late questions."""

FADE = np.linspace(0, 1, FADE_IN_MS * SAMPLE_RATE // 1000, endpoint=False, dtype=np.float32)


@dataclass(slots=True, eq=False)
class Item:
    """The playback account of one conversation item, in samples."""

    id: str
    # Written by the loop.
    received: int = 0
    """Samples that came from the service."""
    complete: bool = False
    """All of the item has arrived."""
    flushed: bool = False
    """Interrupted: audio that arrives later is dropped."""
    announced: bool = False
    """`Started` was reported."""
    carry: bytes = b""
    """Half a sample, until its other half arrives."""
    # Written by the callback.
    taken: int = 0
    """Samples given to the device, including the block being filled."""
    consumed: int = 0
    """Samples given to the device in blocks that are in `PlaybackQueue.played`."""
    begun_at: float = math.inf
    """When the first sample reaches the DAC."""
    ended_at: float = 0.0
    """When the last sample consumed so far has left the DAC."""


class Segment(NamedTuple):
    """A stretch of one item within a played block, in samples."""

    item: Item
    start: int
    """Offset in the item."""
    offset: int
    """Offset in the block."""
    samples: int


@dataclass(slots=True, eq=False)
class PlayedBlock:
    """What one output callback gave to the device."""

    at: float
    """When its first sample reaches the DAC (monotonic seconds)."""
    pcm: bytes
    """The sound, including zeros."""
    segments: tuple[Segment, ...]
    """Which samples of which items it holds; empty for a block of silence."""
    samples_heard: int = field(init=False)
    """Its whole length, or less if the device was stopped before its end."""

    def __post_init__(self) -> None:
        self.samples_heard = samples_in(self.pcm)

    def heard_by(self, now: float) -> int:
        """Samples of this block that have left the DAC by then."""
        passed = (now - self.at) * SAMPLE_RATE
        return 0 if passed <= 0 else int(min(self.samples_heard, passed))


class Started(NamedTuple):
    """The first sample of an item reached the DAC."""

    item_id: str
    at: float


class Finished(NamedTuple):
    """The last sample of an item left the DAC."""

    item_id: str
    at: float
    ms: float
    """Length of the item in milliseconds."""


PlaybackEvent = Started | Finished


class Heard(NamedTuple):
    """How much of an interrupted item was heard."""

    item_id: str
    heard_ms: float
    """Milliseconds of the item that left the DAC; never more than its length."""


class PlaybackQueue:
    """The queue between the loop, which plays and flushes, and the output callback, which fills blocks."""

    def __init__(self, prebuffer_ms: float = 100) -> None:
        # Written by the loop.
        self._queue: deque[tuple[Item, memoryview]] = deque()
        self._items: dict[str, Item] = {}
        self._open: dict[str, Item] = {}  # received, and not yet heard to the end
        self._stopped: list[Item] = []  # flushed, and not yet settled
        self._events: list[PlaybackEvent] = []
        self._stopped_at = (math.nan, 0.0)  # `sounding_until` when the device was stopped, and the time of that

        # Written by the callback.
        self._seen = self._queue
        self._item = self._nothing = Item("")
        self._block = memoryview(b"")
        self._offset = 0
        self._flowing = False
        self._dry: Item | None = None
        self._faded = FADE.size
        self._waiting_since: float | None = None
        self._calm_since = 0.0
        self._prebuffer_ms = prebuffer_ms
        self.played: deque[PlayedBlock] = deque(maxlen=round(HISTORY_SECONDS / BLOCK_SECONDS))
        """The blocks of the last ten seconds, including silence, oldest first.

        Other threads iterate over its `copy()`, which never leaves C. (`tuple(played)` allocates while it iterates,
        which may run the garbage collector, and with it another thread.)
        """
        self.target_ms = prebuffer_ms
        """The prebuffer in force."""
        self.gaps = 0
        """How many times an item ran dry before its end."""
        self.sounding_until = 0.0
        """When the last sample of an item consumed so far leaves the DAC."""

    # --- on the loop

    def play(self, item_id: str, pcm: bytes) -> bool:
        """Append sound to an item; False if the queue is full (`LONGEST_MS`). Sound of a flushed item is dropped.

        The bytes may end within a sample: its first half waits for the second.
        """
        item = self._items.get(item_id)
        if item is None:
            item = self._items[item_id] = Item(item_id)
            if len(self._items) > KEPT_ITEMS:
                old = next((known for known in self._items if known not in self._open and known != item_id), None)
                self._items.pop(old or "", None)
        if item.flushed:
            return True
        if self.buffered_ms > LONGEST_MS:
            return False
        pcm, item.carry = item.carry + pcm, b""
        if len(pcm) % SAMPLE_WIDTH:
            pcm, item.carry = pcm[:-1], pcm[-1:]
        if pcm:
            self._open[item_id] = item
            item.complete = False
            # The count before the block, so that the callback never takes more than was received.
            item.received += samples_in(pcm)
            self._queue.append((item, memoryview(pcm)))
        return True

    def finish(self, item_id: str) -> None:
        if item := self._items.get(item_id):
            item.carry = b""
            item.complete = True

    def flush(self, now: float) -> None:
        """Drop everything that the device has not taken yet; `settle` reports on the items."""
        self._collect_events(now)
        self._queue = deque()
        for item in self._open.values():
            item.flushed = True
            self._stopped.append(item)
        self._open.clear()

    def settle(self, stopped_at: float | None = None) -> list[Heard]:
        """The items that were flushed since the last call and interrupted, in the order of their arrival.

        What the device still held when it was stopped, at `stopped_at`, was never heard; None: it plays that out. An
        item that was heard to its end all the same is reported as `Finished` by `events` instead.
        """
        if stopped_at is not None:
            for block in self.played.copy():
                # Blocks of other items played since were not stopped.
                if any(segment.item.flushed for segment in block.segments):
                    block.samples_heard = block.heard_by(stopped_at)
            if self._stopped:
                self._stopped_at = (self.sounding_until, stopped_at)
        found = []
        for item in self._stopped:
            heard = self._heard(item, math.inf)
            if item.complete and heard == item.received:
                self._events.append(Finished(item.id, item.ended_at, samples_to_ms(heard)))
            else:
                found.append(Heard(item.id, samples_to_ms(heard)))
        self._stopped = []
        return found

    def forget(self) -> None:
        """Drop the queue and all accounts, so that item ids may be used again."""
        self._queue = deque()
        self._items.clear()
        self._open.clear()
        self._stopped.clear()
        self._events.clear()

    def events(self, now: float) -> list[PlaybackEvent]:
        """The items that started or ended at the DAC since the last call."""
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
                self._events.append(Finished(item.id, item.ended_at, samples_to_ms(item.received)))

    def heard_ms(self, item_id: str, now: float) -> float:
        """Milliseconds of the item that have left the DAC by now; 0.0 for an unknown item."""
        item = self._items.get(item_id)
        return samples_to_ms(self._heard(item, now)) if item else 0.0

    def _heard(self, item: Item, now: float) -> int:
        """Samples of the item that have left the DAC by then, from the last of its blocks that started by then."""
        consumed = item.consumed  # read first: a block that arrives meanwhile only adds to the history
        first = None
        for block in reversed(self.played.copy()):
            for segment in reversed(block.segments):
                if segment.item is item:
                    if (samples := block.heard_by(now) - segment.offset) > 0:
                        return segment.start + min(samples, segment.samples)
                    first = segment.start
        return consumed if first is None else first

    @property
    def buffered_ms(self) -> float:
        """Sound that the device has not taken yet, in milliseconds."""
        return samples_to_ms(sum(item.received - item.consumed for item in self._open.values()))

    def playing(self, now: float) -> bool:
        """Whether an item waits or is being heard, including gaps within it."""
        return bool(self._open) or self.silent_from() > now

    def silent_from(self) -> float:
        """When the sound given to the device so far ends, or was stopped (callable from either thread)."""
        until = self.sounding_until
        mark, stopped_at = self._stopped_at
        return min(until, stopped_at) if until == mark else until

    # --- in the output callback

    def fill(self, out: memoryview, at: float, now: float) -> None:
        """Fill a block, with silence where no sound is due; see `AudioEngine.fill`."""
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
            if self._faded < FADE.size:
                self._fade_in(out[position : position + take])
            self._note(segments, item, position // SAMPLE_WIDTH, take // SAMPLE_WIDTH)
            self._offset += take
            position += take
        out[position:] = bytes(size - position)
        # The block enters the history before its samples count as consumed, see `_heard`.
        self.played.append(PlayedBlock(at, bytes(out), tuple(segments)))
        for segment in segments:
            item = segment.item
            if not segment.start:
                item.begun_at = at + segment.offset / SAMPLE_RATE
            item.ended_at = self.sounding_until = at + (segment.offset + segment.samples) / SAMPLE_RATE
            item.consumed = segment.start + segment.samples

    @staticmethod
    def _note(segments: list[Segment], item: Item, offset: int, samples: int) -> None:
        if segments and segments[-1].item is item:
            _, start, offset, before = segments.pop()
            segments.append(Segment(item, start, offset, before + samples))
        else:
            segments.append(Segment(item, item.taken, offset, samples))
        item.taken += samples

    def _ready(self, item: Item, now: float) -> bool:
        """Whether enough is queued to begin, or to continue after a gap."""
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
            or samples_to_ms(item.received - item.taken) >= self.target_ms
            or (now - self._waiting_since) * 1000 >= self.target_ms * WAIT_RATIO
        )

    def _fade_in(self, out: memoryview) -> None:
        sound = np.frombuffer(out, dtype=PCM16)[: FADE.size - self._faded]
        sound[:] = sound * FADE[self._faded : self._faded + sound.size]
        self._faded += sound.size
