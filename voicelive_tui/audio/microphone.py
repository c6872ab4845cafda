"""Judgements on captured sound: voiced or not, clipped, nothing but zeros, or the speaker's own signal.

Used on the loop only.
"""

import math

import numpy as np
import numpy.typing as npt

from voicelive_tui.audio.format import FLOOR_DBFS
from voicelive_tui.audio.pcm import Level, samples

VOICED_DBFS = -45.0
"""Lowest RMS of a voiced chunk ..."""
VOICED_OVER_NOISE = 9.0
"""... which also exceeds the noise floor by this many dB."""
NOISE_RISE = 3.0
"""The noise floor follows a quieter chunk at once, and rises by at most this many dB a second."""
ZEROS_SECONDS = 3.0
"""Zeros of this duration mean that no microphone is connected: a real one always carries noise."""
CLIPPED_SAMPLES = 3
"""Consecutive samples at full scale that make a wave clipped."""
CLIPPING_SECONDS = 2.0
"""How long the complaint about a clipped chunk stands."""
MONITOR_DBFS = -50.0
"""Lowest peak of a chunk that is compared with what was played ..."""
MONITOR_CHUNKS = 3
"""... and comparisons in a row that found that signal, at any volume."""
MONITOR_EVERY = 25
"""Each n-th chunk is compared: it takes 2 ms."""
MONITOR_CORRELATION = 0.99
"""A microphone picks the speaker up with the room's echo and noise, which lie far below this."""


class MicrophoneMonitor:
    """Judges the microphone by its chunks."""

    def __init__(self) -> None:
        self.last_voiced_at: float | None = None
        """When the last voiced chunk ended at the ADC.

        A chunk is voiced if its RMS is at least `VOICED_DBFS` and `VOICED_OVER_NOISE` above the noise floor, the level
        of the quietest recent chunk. Good for latency figures; the service has better means to detect speech.
        """
        self._noise = VOICED_DBFS - VOICED_OVER_NOISE
        self._zeros = 0.0  # seconds of sound
        self._clipped_at = -math.inf
        self._copies = self._compared = 0

    def judge(self, pcm: bytes, level: Level, ended_at: float, seconds: float) -> None:
        """Take a chunk as it came from the microphone, neither muted nor gated.

        Its last sample ended at the ADC time `ended_at` (monotonic seconds).
        """
        if level.peak <= FLOOR_DBFS:
            self._zeros += seconds
            return
        self._zeros = 0.0
        self._noise = min(level.rms, self._noise + NOISE_RISE * seconds)
        if level.rms >= max(VOICED_DBFS, self._noise + VOICED_OVER_NOISE):
            self.last_voiced_at = ended_at
        if level.peak >= -0.01 and _is_clipped(pcm):
            self._clipped_at = ended_at

    def compare(self, pcm: bytes, level: Level, played: bytes) -> None:
        """Compare a chunk with what was played before it.

        A sound server that lost its microphone may take the monitor of the speaker in its place, without a word.
        """
        if level.peak <= MONITOR_DBFS:
            return
        self._compared += 1
        if self._compared % MONITOR_EVERY == 0:
            self._copies = self._copies + 1 if _is_part(samples(pcm), samples(played)) else 0

    def pause(self) -> None:
        """Note that the microphone is muted or gated: the zeros captured now are not its own."""
        self._zeros = 0.0

    def complaint(self, now: float) -> str:
        """What is wrong with the microphone's sound, in words for the user; empty if nothing is."""
        if self._zeros > ZEROS_SECONDS:
            return "the microphone gives only zeros: it is muted, switched off or unplugged"
        if self._copies >= MONITOR_CHUNKS:
            return "the microphone gives the speaker's own signal: it is the speaker's monitor; choose another device"
        if now - self._clipped_at < CLIPPING_SECONDS:
            return "the microphone clips: lower its input level"
        return ""


def _is_part(x: npt.NDArray[np.int16], whole: npt.NDArray[np.int16]) -> bool:
    """Whether a signal is a part of another one, at any volume: by normalized cross-correlation."""
    if len(whole) < len(x):
        return False
    a, b = x.astype(float), whole.astype(float)
    n = len(b)
    products = np.fft.irfft(np.fft.rfft(b) * np.conj(np.fft.rfft(a, n)), n)[: n - len(a) + 1]
    sums = np.concatenate(([0.0], np.cumsum(b * b)))
    energies = (sums[len(a) :] - sums[: -len(a)]) * (a @ a)
    return bool(np.any((products > 0) & (products**2 > MONITOR_CORRELATION**2 * np.maximum(energies, 1.0))))


def _is_clipped(pcm: bytes) -> bool:
    """Whether `CLIPPED_SAMPLES` samples in a row are at the same end of the scale."""
    x = samples(pcm)
    for end in (x == 32767, x == -32768):
        if np.convolve(end, np.ones(CLIPPED_SAMPLES), "valid").max() >= CLIPPED_SAMPLES - 0.5:
            return True
    return False
