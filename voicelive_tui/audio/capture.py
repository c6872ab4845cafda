"""CaptureQueue: microphone blocks with their time, from the input callback to the loop, and chunks made of them.

Rules. The input callback appends to a bounded deque, the loop takes from it; each is atomic under the interpreter lock.
(On a free-threaded build this has to be thought over again.) Each block says how many frames were put before it, so
what the bounded deque pushed out shows as a jump, and the loop alone counts it.

Stale sound. A sound server that was frozen delivers all it recorded meanwhile in one burst, with times that look fresh.
The callback therefore keeps the microphone's own clock: a block that comes more than `STALE_SECONDS` after the time at
which it was due, in a burst, is thrown away and counted. A hole with no burst after it (sound that was lost) costs one
block and sets the clock anew.

Written by the callback: the first group of attributes. By the loop, which also pops the blocks: the second.
"""

from collections import deque
from typing import NamedTuple

from voicelive_tui.audio.pcm import BLOCK_SECONDS, SAMPLE_RATE, SAMPLE_WIDTH, frames_to_ms

STALE_SECONDS = 0.5
"""Microphone sound older than this is not worth sending."""


class Block(NamedTuple):
    """One block as the input callback got it."""

    start: int
    """Frames put before it."""
    pcm: bytes
    at: float
    """ADC time of its first frame (monotonic seconds)."""
    gated: bool
    """The microphone was replaced by silence because of half-duplex."""


class Taken(NamedTuple):
    """Sound taken from the queue."""

    pcm: bytes
    at: float
    """ADC time of its first frame (monotonic seconds)."""
    gated: bool
    """Some of it was gated."""


class CaptureQueue:
    """The bounded queue between the input callback, which puts, and the loop, which takes."""

    def __init__(self) -> None:
        # The callback's.
        self._blocks: deque[Block] = deque(maxlen=round(STALE_SECONDS / BLOCK_SECONDS))
        self._last_at: float | None = None
        self._lag = 0.0  # by how much blocks come later than the microphone's own clock
        self.frames_in = 0
        """Frames put, stale ones not counted."""
        self.stale_frames = 0
        """Frames thrown away by the callback because they came too late."""
        # The loop's.
        self._parts: list[Block] = []
        self._held = 0  # frames in _parts
        self._expected = 0
        self.lost_frames = 0
        """Frames pushed out because nobody took them in time."""

    @property
    def dropped_ms(self) -> float:
        """All sound dropped, in milliseconds."""
        return frames_to_ms(self.stale_frames + self.lost_frames)

    def put(self, pcm: bytes, at: float, now: float, *, gated: bool = False) -> None:
        """Append a block, or drop it as stale.

        Args:
            pcm: Whole frames of mono PCM16.
            at: ADC time of the first frame (monotonic seconds).
            now: The time of the call.
            gated: Whether silence stands in the microphone's place.
        """
        frames = len(pcm) // SAMPLE_WIDTH
        if self._is_stale(frames / SAMPLE_RATE, at, now):
            self.stale_frames += frames
            return
        self._blocks.append(Block(self.frames_in, pcm, at, gated))
        self.frames_in += frames

    def _is_stale(self, length: float, at: float, now: float) -> bool:
        interval = length if self._last_at is None else now - self._last_at
        self._last_at = now
        if interval < length / 2:  # a burst makes good for a hole
            self._lag = max(0.0, self._lag + interval - length)
        elif self._lag > STALE_SECONDS:  # the hole was not made good: from here on it is fresh
            self._lag = 0.0
        else:  # eased a little, or a clock that is slow by a few parts in a million would add up
            self._lag = max(0.0, self._lag * 0.98 + interval - length)
        return self._lag > STALE_SECONDS or now - at > STALE_SECONDS + length

    def take(self, frames: int, *, rest: bool = False) -> Taken | None:
        """Take so many frames, once they are there.

        Args:
            frames: How many.
            rest: Take what there is when there are fewer (not none).
        """
        while self._held < frames and self._blocks:
            block = self._blocks.popleft()
            self.lost_frames += block.start - self._expected
            self._expected = block.start + len(block.pcm) // SAMPLE_WIDTH
            self._parts.append(block)
            self._held += len(block.pcm) // SAMPLE_WIDTH
        if not self._held or (self._held < frames and not rest):
            return None
        pcm = b"".join(part.pcm for part in self._parts)
        taken = Taken(pcm[: frames * SAMPLE_WIDTH], self._parts[0].at, any(part.gated for part in self._parts))
        left = pcm[frames * SAMPLE_WIDTH :]
        self._held = len(left) // SAMPLE_WIDTH
        # What is left is the end of the last block, as a chunk is never shorter than a block.
        last = self._parts[-1]
        left_at = last.at + (len(last.pcm) - len(left)) / SAMPLE_WIDTH / SAMPLE_RATE
        self._parts = [Block(self._expected - self._held, left, left_at, last.gated)] if left else []
        return taken

    def clear(self) -> None:
        """Throw away what nobody took, without counting it as dropped."""
        while self.take(1 << 20, rest=True):
            pass
