"""Sample rate conversion for devices and files that do not use 24 kHz."""

import math

import numpy as np
import numpy.typing as npt

from voicelive_tui.audio.format import SAMPLE_WIDTH, samples_in, silence
from voicelive_tui.audio.pcm import PCM16, samples

PIECE_SAMPLES = 16_384
"""Samples that `convert` filters at once: the filter's windows take 60 to 400 times as much memory."""


class Resampler:
    """Streaming conversion of mono PCM16 by a polyphase windowed-sinc filter. Not for use by several threads.

    The filter spans 32 periods of the lower rate (Kaiser, beta 8) and is centred on the lower rate's Nyquist
    frequency. Its delay is half the span, 0.67 ms at 24 kHz, and the same for every block; soxr's HQ holds back up to
    39 ms and delivers in uneven portions (`tests/benchmarks/bench_audio_offline.py` measures both).

    Output is returned as soon as its input is there: n input samples give `n * target / source` samples, ± 1.
    """

    SPAN = 32
    BETA = 8.0

    def __init__(self, source_rate: int, target_rate: int) -> None:
        if source_rate <= 0 or target_rate <= 0:
            raise ValueError(f"sample rates must be positive, not {source_rate} and {target_rate}")
        common = math.gcd(source_rate, target_rate)
        self._up, self._down = target_rate // common, source_rate // common
        low = min(source_rate, target_rate)
        self.taps = 1 if source_rate == target_rate else math.ceil(self.SPAN * source_rate / low) | 1
        self.delay = (self.taps - 1) / 2 / source_rate
        """How far the output lags behind the input, in seconds."""
        self._filters = self._design(low / source_rate)
        self._history = np.zeros(self.taps - 1, dtype=np.float32)
        self._phase = 0  # position of the next output sample, in 1/up input samples from the first new one

    def _design(self, cutoff: float) -> npt.NDArray[np.float32]:
        """One row of taps for each of the `up` positions between two input samples; each row sums to one."""
        if self.taps == 1:
            return np.ones((1, 1), dtype=np.float32)
        position = np.arange(self._up)[:, None] / self._up
        # Row p computes the value `p/up` of an input sample after the middle of its window.
        t = np.arange(self.taps)[None, :] - (self.taps - 1) / 2 - position
        edge = self.taps / 2
        window = np.i0(self.BETA * np.sqrt(np.clip(1 - (t / edge) ** 2, 0, None))) / np.i0(self.BETA)
        rows = np.sinc(cutoff * t) * window
        rows /= rows.sum(axis=1, keepdims=True)
        return rows.astype(np.float32)

    def skip_delay(self) -> None:
        """Leave out the output before the input's first sample; to be called before the first `process`."""
        self._phase = (self.taps - 1) // 2 * self._up

    def process(self, pcm: bytes | memoryview) -> bytes:
        """Convert the next stretch of a stream; input that later output needs is kept."""
        if self.taps == 1:
            return bytes(pcm)
        x = np.concatenate((self._history, samples(pcm)), dtype=np.float32)
        new = x.size - (self.taps - 1)
        count = max(0, -(-(new * self._up - self._phase) // self._down))
        at = self._phase + self._down * np.arange(count)
        self._phase += self._down * count - self._up * new
        self._history = x[new:]
        if not count:
            return b""
        windows = np.lib.stride_tricks.sliding_window_view(x, self.taps)[at // self._up]
        y = np.einsum("ij,ij->i", windows, self._filters[at % self._up])
        converted: bytes = np.rint(y).clip(-32768, 32767).astype(PCM16).tobytes()
        return converted


def convert(pcm: bytes, source_rate: int, target_rate: int) -> bytes:
    """Convert a whole recording without the filter's delay: the output starts where the input starts."""
    if source_rate == target_rate:
        return pcm
    resampler = Resampler(source_rate, target_rate)
    resampler.skip_delay()
    step = PIECE_SAMPLES * SAMPLE_WIDTH
    pieces = [resampler.process(pcm[at : at + step]) for at in range(0, len(pcm), step)]
    pieces.append(resampler.process(silence(resampler.taps)))  # drives the last samples out of the filter
    return b"".join(pieces)[: round(samples_in(pcm) * target_rate / source_rate) * SAMPLE_WIDTH]
