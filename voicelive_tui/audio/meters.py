"""Level meters for both directions: the current level, the held peak, and whether sound started or stopped.

Used on the loop only. Times are `time.monotonic()` seconds, passed in by the engine.
"""

from collections.abc import Iterable
from typing import NamedTuple

from voicelive_tui.audio.format import FLOOR_DBFS, SAMPLE_RATE, SAMPLE_WIDTH, samples_in
from voicelive_tui.audio.pcm import SILENCE, Level, level
from voicelive_tui.audio.playback import PlayedBlock

HOLD_SECONDS = 1.5
"""How long a peak is held before it falls by `HOLD_FALL` dB a second."""
HOLD_FALL = 20.0
ACTIVE_DBFS = -60.0
"""RMS above which a chunk is more than the noise of a quiet room."""
FRESH_SECONDS = 0.5
"""Age at which the last chunk no longer counts as the microphone's level."""
LONGEST_SECONDS = 0.2
"""Longest stretch of played sound that one reading covers."""


class Meter(NamedTuple):
    """What a level meter shows, in dBFS."""

    rms: float
    peak: float
    hold: float
    """The highest recent peak."""


class Levels(NamedTuple):
    """The meters of what the microphone sends and of what the speaker plays now."""

    capture: Meter
    playback: Meter


class _Hold:
    """A peak that stays for `HOLD_SECONDS` and then falls."""

    def __init__(self) -> None:
        self._top, self._at = FLOOR_DBFS, 0.0

    def meter(self, measured: Level, now: float) -> Meter:
        fallen = self._top - max(0.0, now - self._at - HOLD_SECONDS) * HOLD_FALL
        if measured.peak >= fallen:
            self._top, self._at = measured.peak, now
            return Meter(measured.rms, measured.peak, measured.peak)
        return Meter(measured.rms, measured.peak, max(FLOOR_DBFS, fallen))


class Meters:
    """The meters of both directions."""

    def __init__(self) -> None:
        self._captured, self._captured_at = SILENCE, 0.0
        self._capture_hold, self._playback_hold = _Hold(), _Hold()
        self._read_at = 0.0
        self._active = (False, False)  # capture and playback at the last reading

    def captured(self, measured: Level, now: float) -> None:
        self._captured, self._captured_at = measured, now

    def read(self, newest_first: Iterable[PlayedBlock], now: float) -> Levels:
        """The level of the last chunk, and of what was heard since the last reading (at least one block).

        The blocks are those given to the speaker; they are read only as far back as the last reading.
        """
        since, self._read_at = max(self._read_at, now - LONGEST_SECONDS), now
        heard: list[bytes] = []
        current = None
        for block in newest_first:
            if block.at + samples_in(block.pcm) / SAMPLE_RATE <= since:
                break  # heard by the last reading, as are those before it
            if block.at <= now:
                current = current or block
                if block.segments:
                    heard.append(block.pcm[: block.samples_heard * SAMPLE_WIDTH])
        self._active = self._capturing(now), _is_heard(current, now)
        return Levels(
            self._capture_hold.meter(self._capture_level(now), now),
            self._playback_hold.meter(level(b"".join(heard)), now),
        )

    def activity_changed(self, newest_first: Iterable[PlayedBlock], now: float) -> bool:
        """Whether either direction started or stopped since the last reading; 20 times cheaper than `read`.

        The microphone is active above `ACTIVE_DBFS`, the speaker while a block with sound of an item is heard.
        """
        current = next((block for block in newest_first if block.at <= now), None)  # the device still holds later ones
        return (self._capturing(now), _is_heard(current, now)) != self._active

    def _capturing(self, now: float) -> bool:
        return self._capture_level(now).rms > ACTIVE_DBFS

    def _capture_level(self, now: float) -> Level:
        return self._captured if now - self._captured_at < FRESH_SECONDS else SILENCE


def _is_heard(block: PlayedBlock | None, now: float) -> bool:
    return block is not None and bool(block.segments) and now < block.at + block.samples_heard / SAMPLE_RATE
