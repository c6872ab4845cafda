"""Recognition of the lines of a script's caller by their sound; of no other words."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from voicelive_tui.audio.pcm import Samples
from voicelive_tui.speech.voice import CALLER, RATE, Voice

_STEPS = 50  # of an envelope, a second
_ALIKE = 0.96  # the least likeness of the same words; other words of the tour reach 0.83, as tones 0.93

_Envelope = NDArray[np.float32]


class Recogniser:
    """Knows some lines as the `voice` speaks them. Synthesizing them takes about 10 ms each."""

    def __init__(self, lines: Iterable[str], voice: Voice) -> None:
        self._lines = {line: _envelope(voice.speak(line, CALLER).samples, RATE) for line in lines}

    def words(self, samples: Samples, rate: int) -> str:
        """The line that is spoken from its start to its end, whatever silence is around it; empty if there is none."""
        heard = _envelope(samples, rate)
        likeness = {line: _likeness(heard, known) for line, known in self._lines.items()}
        return max((line for line in likeness if likeness[line] > _ALIKE), key=likeness.__getitem__, default="")


def _envelope(samples: Samples, rate: int) -> _Envelope:
    """The course of the level, scaled to a length of 1."""
    step = rate // _STEPS
    blocks = samples[: len(samples) // step * step].reshape(-1, step).astype(np.float32)
    course: _Envelope = np.sqrt(np.abs(blocks).mean(axis=1))
    course /= np.linalg.norm(course) or 1.0
    return course


def _likeness(one: _Envelope, other: _Envelope) -> float:
    """The correlation of two envelopes, from 0 to 1, where they fit best."""
    return float(np.correlate(one, other, "full").max()) if len(one) and len(other) else 0.0
