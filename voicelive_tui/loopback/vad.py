"""Where speech begins and ends in a stream of sound.

The detector keeps to the clock of the sound itself: it counts frames, so that sound may arrive faster or slower
than real time. It is told of the session's settings in milliseconds and reports positions in milliseconds.

It is better than bare energy in two ways. The threshold rides on a *noise floor* that follows the quietest moments
of the last second and a half; and sound that does not waver is noise however loud it is, since speech never holds
one level for half a second: so a fan or mains hum that sets in does not open a turn, and quiet speech in a
quiet room does. It knows no words and no voices: music and chatter are speech to it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from voicelive_tui.loopback.formats import Samples

HOP_MS: Final = 20
"""The detector decides once for so many milliseconds of sound."""

_BAND_HZ = (180.0, 3800.0)  # mains hum lies below, most hiss above
_QUIETEST_DB = -64.0  # band level under which nothing is speech at the default threshold
_FLOOR_HOPS = 75  # the noise floor is the quietest of the last 1.5 s
_STEADY_DB = 4.0  # speech wavers more than this ...
_STEADY_HOPS = 20  # ... within 400 ms
_WAVER_DB = 5.0  # and its beginning by so much


@dataclass(frozen=True, slots=True)
class Rules:
    """When a turn begins and ends, as the session's ``turn_detection`` has it.

    Attributes:
        threshold: 0 to 1; how far above the noise floor speech must lie (0.5: 9 dB).
        prefix_padding_ms: What is kept from before the speech.
        silence_duration_ms: So much silence ends a turn.
        speech_duration_ms: So much speech begins one.
    """

    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500
    speech_duration_ms: int = 200

    @property
    def margin_db(self) -> float:
        """How many dB above the noise floor speech begins."""
        return 3 + 12 * self.threshold

    @property
    def quietest_db(self) -> float:
        """The band level under which nothing is speech."""
        return _QUIETEST_DB + 20 * (self.threshold - 0.5)


@dataclass(frozen=True, slots=True)
class Edge:
    """The beginning or the end of speech.

    Attributes:
        kind: Which of the two.
        at_ms: What the service reports: with the prefix before a beginning, with the silence after an end.
        began_ms: Where the speech itself began.
        last_ms: Where it was last heard.
    """

    kind: Literal["started", "stopped"]
    at_ms: int
    began_ms: int
    last_ms: int


class Detector:
    """Follows one stream of sound at one rate.

    Args:
        rate: Frames a second of the sound to come.
        position_ms: Where the stream stands already on the session's clock.
        floor_db: The noise floor to begin with, when it is known.
    """

    def __init__(self, rate: int, position_ms: int = 0, floor_db: float = -70.0) -> None:
        self.rules = Rules()
        self.speaking = False
        """Whether speech has begun and not ended."""
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
    def position_ms(self) -> int:
        """How far the stream has been followed, on the session's clock."""
        return self._now_ms

    @property
    def speech(self) -> tuple[int, int]:
        """Where the speech under way began, and where it was last heard, in milliseconds."""
        return self._first_ms, self._last_loud_ms

    def forget_speech(self) -> None:
        """Begin anew: what was said so far belongs to no turn any more."""
        self.speaking = False
        self._loud_since = None

    def listen(self, samples: Samples) -> list[Edge]:
        """Follow the stream through the next ``samples``.

        Returns:
            The edges found, in order.
        """
        sound = np.concatenate([self._rest, samples]) if len(self._rest) else samples
        count = len(sound) // self._hop
        self._rest = sound[count * self._hop :].copy()
        edges: list[Edge] = []
        for level in self._levels(sound[: count * self._hop].reshape(count, self._hop)):
            edge = self._hear(level)
            if edge:
                edges.append(edge)
        return edges

    def _levels(self, hops: NDArray[np.int16]) -> list[float]:
        """The level of each hop in the speech band, in dBFS."""
        if not len(hops):
            return []
        levels: list[float] = []
        for begin in range(0, len(hops), 500):  # bounds the memory that a 15 MiB append takes
            spectrum = np.fft.rfft(hops[begin : begin + 500] * self._window)[:, self._band]
            power = np.square(spectrum.real).sum(axis=1) + np.square(spectrum.imag).sum(axis=1)
            levels += (10 * np.log10(power * self._scale**2 / 2 + 1e-10)).tolist()
        return levels

    def _hear(self, level: float) -> Edge | None:
        """Take one hop of that level into account."""
        self._now_ms += HOP_MS
        self._recent.append(max(level, -80.0))
        self._steady.append(level)
        if len(self._steady) == _STEADY_HOPS and max(self._steady) - min(self._steady) < _STEADY_DB:
            # Noise, however loud: the floor rises to it at once.
            self._recent.clear()
            self._recent.append(max(min(self._steady), -80.0))
        needed = max(self.floor_db + self.rules.margin_db, self.rules.quietest_db)
        if self.speaking:
            return self._hear_end(level > needed)
        return self._hear_beginning(level, level > needed)

    def _hear_beginning(self, level: float, loud: bool) -> Edge | None:
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
        """Whether the loud stretch so far is long enough, and wavers as speech does."""
        heard = self._loud
        if len(heard) * HOP_MS < self.rules.speech_duration_ms:
            return False
        # The first and last hop may be partly filled, which would make steady sound seem to waver.
        inner = heard[1:-1]
        return bool(inner) and max(inner) - min(inner) >= _WAVER_DB

    def _hear_end(self, loud: bool) -> Edge | None:
        if loud:
            self._last_loud_ms = self._now_ms
            return None
        if self._now_ms - self._last_loud_ms < self.rules.silence_duration_ms:
            return None
        self.speaking = False
        end = self._last_loud_ms + self.rules.silence_duration_ms
        return Edge("stopped", end, self._first_ms, self._last_loud_ms)
