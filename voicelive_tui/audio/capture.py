"""CaptureQueue: microphone blocks with their ADC times, from the input callback to the chunks of the loop.

Rules. The input callback appends to a bounded deque and the loop pops from it; both operations are atomic under the
GIL (a free-threaded build needs another design). Each block carries the number of samples put before it, so the loop
finds what the bounded deque pushed out as a jump in that number, and is the only one to count it.

Stale sound. A sound server that was frozen delivers everything it recorded meanwhile in one burst, with times that look
fresh. The callback therefore keeps the microphone's own clock: a block that arrives in a burst more than
`STALE_SECONDS` after it was due is dropped and counted. A hole that no burst follows (lost sound) costs one block and
resets the clock.

The callback writes the first group of attributes; the loop writes the second, and pops the blocks.
"""

from collections import deque
from typing import NamedTuple

from voicelive_tui.audio.format import BLOCK_SECONDS, SAMPLE_RATE, SAMPLE_WIDTH, samples_in, samples_to_ms

STALE_SECONDS = 0.5
"""Microphone sound older than this is not worth sending."""
AHEAD_SECONDS = 0.2
"""How much of a file may wait for the loop: with what waits for the network, less than is dropped there."""


class Block(NamedTuple):
    """What one input callback got, or several of them."""

    start: int
    """Number of samples put before it."""
    pcm: bytes
    at: float
    """ADC time of the first sample (monotonic seconds)."""
    gated: bool
    """Silence replaces the microphone because of half-duplex, at least in a part of it."""


class CaptureQueue:
    """The bounded queue between the input callback (`put`) and the loop (all other methods)."""

    def __init__(self) -> None:
        # Written by the callback.
        self._blocks: deque[Block] = deque(maxlen=round(STALE_SECONDS / BLOCK_SECONDS))
        self._last_at: float | None = None
        self._lag = 0.0  # seconds by which blocks arrive later than the microphone's own clock says
        self.samples_in = 0
        """Samples put, without stale ones."""
        self.stale_samples = 0
        """Samples that the callback dropped as stale."""
        # Written by the loop.
        self._parts: list[Block] = []
        self._held = 0  # samples in _parts
        self._expected = 0
        self.lost_samples = 0
        """Samples pushed out because the loop was late."""

    @property
    def dropped_ms(self) -> float:
        return samples_to_ms(self.stale_samples + self.lost_samples)

    @property
    def is_behind(self) -> bool:
        """Whether the loop has so much to take that a file had better wait."""
        return len(self._blocks) * BLOCK_SECONDS >= AHEAD_SECONDS

    def put(self, pcm: bytes, at: float, now: float, *, gated: bool = False, live: bool = True) -> None:
        """Append a block, whose first sample had the ADC time `at` (monotonic seconds), or drop it as stale.

        Sound that is not live is never stale.
        """
        samples = samples_in(pcm)
        if live and self._is_stale(samples / SAMPLE_RATE, at, now):
            self.stale_samples += samples
            return
        self._blocks.append(Block(self.samples_in, pcm, at, gated))
        self.samples_in += samples

    def _is_stale(self, length: float, at: float, now: float) -> bool:
        interval = length if self._last_at is None else now - self._last_at
        self._last_at = now
        if interval < length / 2:  # a burst fills a hole
            self._lag = max(0.0, self._lag + interval - length)
        elif self._lag > STALE_SECONDS:  # no burst followed the hole: sound is fresh from here on
            self._lag = 0.0
        else:  # reduced a little each time, or a clock that is slow by a few ppm would add up
            self._lag = max(0.0, self._lag * 0.98 + interval - length)
        return self._lag > STALE_SECONDS or now - at > STALE_SECONDS + length

    def take(self, samples: int, *, rest: bool = False) -> Block | None:
        """Take exactly this many samples, or with `rest` what there is; None while there are not enough."""
        while self._held < samples and self._blocks:
            block = self._blocks.popleft()
            self.lost_samples += block.start - self._expected
            self._expected = block.start + samples_in(block.pcm)
            self._parts.append(block)
            self._held += samples_in(block.pcm)
        if not self._held or (self._held < samples and not rest):
            return None
        pcm = b"".join(part.pcm for part in self._parts)
        first, gated = self._parts[0], any(part.gated for part in self._parts)
        taken = Block(first.start, pcm[: samples * SAMPLE_WIDTH], first.at, gated)
        left = pcm[samples * SAMPLE_WIDTH :]
        self._held = samples_in(left)
        # The remainder is the end of the last block, as a chunk is never shorter than a block.
        last = self._parts[-1]
        left_at = last.at + (samples_in(last.pcm) - self._held) / SAMPLE_RATE
        self._parts = [Block(self._expected - self._held, left, left_at, last.gated)] if left else []
        return taken

    def clear(self) -> None:
        """Discard what is queued, without counting it as dropped."""
        while self.take(1 << 20, rest=True):
            pass
