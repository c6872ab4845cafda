"""Level meters: how loud both directions are now, with the peak held, and whether sound began or ended.

Everything here is the loop's. Times are `time.monotonic()` seconds, given by the engine.
"""

from collections.abc import Iterable
from typing import NamedTuple

from voicelive_tui.audio.pcm import FLOOR_DBFS, SAMPLE_RATE, SAMPLE_WIDTH, SILENCE, Level, level
from voicelive_tui.audio.playback import PlayedBlock

HOLD_SECONDS = 1.5
"""How long a peak is held, before the hold falls by `HOLD_FALL` dB a second."""
HOLD_FALL = 20.0
SOUND_DBFS = -60.0
"""Above this RMS a chunk is more than a quiet room."""
FRESH_SECONDS = 0.5
"""A microphone that gave no chunk for so long gives silence."""
LONGEST_SECONDS = 0.2
"""Of what the speaker played since the last reading so much counts at most."""


class Meter(NamedTuple):
    """What a level meter shows, in dBFS."""

    rms: float
    peak: float
    hold: float
    """The highest peak of late."""


class Levels(NamedTuple):
    """Both directions now: what is sent of the microphone, and what is being heard from the speaker."""

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
        self._sounding = (False, False)  # as it was then

    def captured(self, measured: Level, now: float) -> None:
        """A chunk was taken from the microphone."""
        self._captured, self._captured_at = measured, now

    def read(self, newest_first: Iterable[PlayedBlock], now: float) -> Levels:
        """The last chunk taken, and what was heard since the last reading (one block at least).

        Args:
            newest_first: Blocks given to the speaker; as many are looked at as were heard since.
            now: The time.
        """
        since, self._read_at = max(self._read_at, now - LONGEST_SECONDS), now
        heard: list[bytes] = []
        current = None
        for block in newest_first:
            if block.at + len(block.pcm) / SAMPLE_WIDTH / SAMPLE_RATE <= since:
                break  # it and those before it were heard by the last reading
            if block.at <= now:
                current = current or block
                if block.segments:
                    heard.append(block.pcm[: block.frames_heard * SAMPLE_WIDTH])
        self._sounding = self._sound_in(now), _is_heard(current, now)
        return Levels(
            self._capture_hold.meter(self._capture_level(now), now),
            self._playback_hold.meter(level(b"".join(heard)), now),
        )

    def stir(self, newest_first: Iterable[PlayedBlock], now: float) -> bool:
        """Whether sound began or ended in either direction since `read`, which costs twenty times as much.

        Sound is what is above `SOUND_DBFS` at the microphone, and what is being heard of an item at the speaker.
        """
        current = next((block for block in newest_first if block.at <= now), None)  # later ones the device still holds
        return (self._sound_in(now), _is_heard(current, now)) != self._sounding

    def _sound_in(self, now: float) -> bool:
        return self._capture_level(now).rms > SOUND_DBFS

    def _capture_level(self, now: float) -> Level:
        return self._captured if now - self._captured_at < FRESH_SECONDS else SILENCE


def _is_heard(block: PlayedBlock | None, now: float) -> bool:
    return block is not None and bool(block.segments) and now < block.at + block.frames_heard / SAMPLE_RATE
