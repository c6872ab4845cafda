"""Voice activity detection in a stream of audio.

The detector's clock is the audio itself: it counts samples, so audio may arrive faster or slower than real time.
Settings and positions are in milliseconds.

Two rules improve on bare energy. The threshold is relative to a *noise floor* that follows the quietest moments of
the last second and a half. And a steady level is noise however loud it is, since speech never holds one level for half
a second; a fan or mains hum that sets in opens no turn, and quiet speech in a quiet room does. It cannot tell speech
from music or chatter.
"""

from collections import deque
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from voicelive_tui.audio.pcm import Samples

HOP_MS = 20
"""The detector decides once per hop."""

_BAND_HZ = (180.0, 3800.0)  # above mains hum, below most hiss
_QUIETEST_DB = -64.0  # lowest band level of speech at the default threshold
_FLOOR_HOPS = 75  # the noise floor is the lowest level of the last 1.5 s
_STEADY_DB = 4.0  # the level of speech varies by more than this ...
_STEADY_HOPS = 20  # ... within 400 ms
_ONSET_VARIATION_DB = 5.0  # and by this much at its onset


class Rules(Struct, frozen=True):
    """When a turn begins and ends, from the session's `turn_detection`."""

    threshold: float = 0.5
    """0 to 1: the distance of speech from the noise floor (0.5: 9 dB)."""
    prefix_padding_ms: int = 300
    """The audio kept from before the speech."""
    silence_duration_ms: int = 500
    """The silence that ends a turn."""
    speech_duration_ms: int = 200
    """The speech that begins one."""

    @property
    def margin_db(self) -> float:
        """The least distance of speech from the noise floor, in dB."""
        return 3 + 12 * self.threshold

    @property
    def quietest_db(self) -> float:
        """The lowest band level of speech, in dBFS."""
        return _QUIETEST_DB + 20 * (self.threshold - 0.5)


class Edge(Struct, frozen=True):
    """The start or the end of speech."""

    kind: Literal["started", "stopped"]
    at_ms: int
    """The reported position: a start includes the prefix before it, an end the silence after it."""
    began_ms: int
    """Where the speech itself began."""
    last_ms: int
    """Where it was last detected."""


class Detector:
    """Follows a stream of audio that begins at a position on the session's clock, with an assumed noise floor."""

    def __init__(self, rate: int, position_ms: int = 0, floor_db: float = -70.0) -> None:
        self.rules = Rules()
        self.speaking = False
        self._hop = rate * HOP_MS // 1000
        self._rest: Samples = np.zeros(0, np.int16)
        self._now_ms = position_ms
        self._window = np.hanning(self._hop).astype(np.float32)
        bins = np.fft.rfftfreq(self._hop, 1 / rate)
        low, high = np.searchsorted(bins, _BAND_HZ)
        self._band = slice(int(low), int(high))
        self._scale = 2 / (float(self._window.sum()) * 32768.0)
        self._recent: deque[float] = deque([floor_db], _FLOOR_HOPS)
        self._steady: deque[float] = deque(maxlen=_STEADY_HOPS)
        self._loud_since: int | None = None
        self._loud: list[float] = []
        self._last_loud_ms = position_ms
        self._first_ms = position_ms

    @property
    def floor_db(self) -> float:
        """The noise floor in the speech band, in dBFS."""
        return min(self._recent)

    @property
    def speech(self) -> tuple[int, int]:
        """Where the current speech began and where it was last detected, in milliseconds."""
        return self._first_ms, self._last_loud_ms

    def forget_speech(self) -> None:
        """Forget the current speech; it belongs to no turn any more."""
        self.speaking = False
        self._loud_since = None

    def listen(self, samples: Samples) -> list[Edge]:
        """Process the next `samples`; returns the edges found, in order."""
        audio = np.concatenate([self._rest, samples]) if len(self._rest) else samples
        count = len(audio) // self._hop
        self._rest = audio[count * self._hop :].copy()
        levels = self._levels(audio[: count * self._hop].reshape(count, self._hop))
        return [edge for edge in map(self._process, levels) if edge]

    def _levels(self, hops: NDArray[np.int16]) -> list[float]:
        """The level of each hop in the speech band, in dBFS."""
        if not len(hops):
            return []
        levels: list[float] = []
        for begin in range(0, len(hops), 500):  # bounds the memory of a large append
            spectrum = np.fft.rfft(hops[begin : begin + 500] * self._window)[:, self._band]
            power = np.square(spectrum.real).sum(axis=1) + np.square(spectrum.imag).sum(axis=1)
            levels += (10 * np.log10(power * self._scale**2 / 2 + 1e-10)).tolist()
        return levels

    def _process(self, level: float) -> Edge | None:
        self._now_ms += HOP_MS
        self._recent.append(max(level, -80.0))
        self._steady.append(level)
        if len(self._steady) == _STEADY_HOPS and max(self._steady) - min(self._steady) < _STEADY_DB:
            # Noise, however loud: the floor rises to it at once.
            self._recent.clear()
            self._recent.append(max(min(self._steady), -80.0))
        needed = max(self.floor_db + self.rules.margin_db, self.rules.quietest_db)
        if self.speaking:
            return self._find_end(level > needed)
        return self._find_start(level, level > needed)

    def _find_start(self, level: float, loud: bool) -> Edge | None:
        if loud:
            if self._loud_since is None:
                self._loud_since = self._now_ms - HOP_MS
                self._loud = []
            self._loud.append(level)
            self._last_loud_ms = self._now_ms
        elif self._loud_since is not None and self._now_ms - self._last_loud_ms > 100:
            self._loud_since = None  # a click or a cough: too short, and now too long ago
        if self._loud_since is None or not self._is_speech():
            return None
        self.speaking = True
        self._first_ms = self._loud_since
        self._loud_since = None
        begin = max(0, self._first_ms - self.rules.prefix_padding_ms)
        return Edge("started", begin, self._first_ms, self._last_loud_ms)

    def _is_speech(self) -> bool:
        """Whether the loud stretch so far is long enough, and its level varies as that of speech does."""
        levels = self._loud
        if len(levels) * HOP_MS < self.rules.speech_duration_ms:
            return False
        # The first and last hop may be partly filled, which would make a steady level seem to vary.
        inner = levels[1:-1]
        return bool(inner) and max(inner) - min(inner) >= _ONSET_VARIATION_DB

    def _find_end(self, loud: bool) -> Edge | None:
        if loud:
            self._last_loud_ms = self._now_ms
            return None
        if self._now_ms - self._last_loud_ms < self.rules.silence_duration_ms:
            return None
        self.speaking = False
        end = self._last_loud_ms + self.rules.silence_duration_ms
        return Edge("stopped", end, self._first_ms, self._last_loud_ms)
