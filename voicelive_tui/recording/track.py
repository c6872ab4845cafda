"""`Track`: which sample of a channel belongs to which moment."""

from voicelive_tui.audio.format import SAMPLE_RATE, ms_to_samples

GAP = ms_to_samples(100)
"""Sound that begins later than this after the sound before it, in samples, follows a gap; the rest is jitter."""


class Track:
    """The sound of one direction on a sample clock that begins with the recording.

    Blocks follow each other sample by sample as the device delivered them, so that drift is not corrected. Only a gap
    moves the position forward.

    Args:
        began_at: The moment of sample 0 (`time.monotonic()` seconds).
        average_seconds: Over which the distance of device clock and monotonic clock is averaged.
    """

    def __init__(self, began_at: float, average_seconds: float) -> None:
        self._began_at = began_at
        self._window = average_seconds * SAMPLE_RATE
        self._averaged = 0.0
        """Samples in the average so far, at most the window."""
        self._next: int | None = None
        self._ahead = 0.0
        """Average of the monotonic clock's position minus ours, in samples."""

    def place(self, at: float, samples: int) -> int:
        """The position of a block that begins at that moment, in samples."""
        due = (at - self._began_at) * SAMPLE_RATE
        if self._next is None:
            self._next = max(round(due), 0)
        ahead = due - self._next
        if ahead - self._ahead > GAP:
            self._next = round(due - self._ahead)
            self._averaged = 0.0
        elif ahead - self._ahead < -GAP:  # the device changed its idea of the time
            self._ahead, self._averaged = ahead, 0.0
        else:
            self._averaged = min(self._averaged + samples, self._window)
            self._ahead += (ahead - self._ahead) * min(samples / self._averaged, 1.0)
        position = self._next
        self._next += samples
        return position

    def position(self, at: float) -> int:
        """The sample that belongs to a moment."""
        return round((at - self._began_at) * SAMPLE_RATE - self._ahead)
