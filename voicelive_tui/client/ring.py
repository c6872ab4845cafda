"""`Ring`: the last seconds of captured sound, for what was said while there was no session."""

from collections import deque

from voicelive_tui.audio.engine import Chunk
from voicelive_tui.audio.format import SAMPLE_RATE, SAMPLE_WIDTH, duration_ms, samples_in

RING_SECONDS = 15.0


class Ring:
    """Captured sound of the last seconds; what is muted or gated is silence already."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._chunks: deque[Chunk] = deque()
        self._kept_ms = 0.0
        self._ends_at = float("-inf")  # of the newest chunk that was pushed out

    def add(self, chunk: Chunk) -> None:
        """Keep a chunk, and push out what is older than `seconds`."""
        self._chunks.append(chunk)
        self._kept_ms += duration_ms(chunk.pcm)
        while self._kept_ms > self._seconds * 1000:
            gone = self._chunks.popleft()
            self._kept_ms -= duration_ms(gone.pcm)
            self._ends_at = _end(gone)

    def since(self, at: float) -> list[Chunk]:
        """The chunks that end after this moment, oldest first."""
        return [chunk for chunk in self._chunks if _end(chunk) > at]

    def newest(self, count: int) -> list[Chunk]:
        """The latest chunks, oldest first."""
        return list(self._chunks)[max(len(self._chunks) - count, 0) :]

    def missing_ms(self, at: float) -> float:
        """Milliseconds since this moment that were pushed out."""
        return max(self._ends_at - at, 0.0) * 1000

    def clear(self) -> None:
        """Forget everything, as when the microphone is closed."""
        self._chunks.clear()
        self._kept_ms, self._ends_at = 0.0, float("-inf")


def from_moment(chunk: Chunk, at: float) -> Chunk:
    """The chunk without what was captured before this moment."""
    early = max(round((at - chunk.at) * SAMPLE_RATE), 0)
    return chunk._replace(pcm=chunk.pcm[early * SAMPLE_WIDTH :], at=max(chunk.at, at))


def _end(chunk: Chunk) -> float:
    return chunk.at + samples_in(chunk.pcm) / SAMPLE_RATE
