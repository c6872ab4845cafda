import struct

import numpy as np
import pytest

from voicelive_tui.audio import pcm
from voicelive_tui.audio.format import (
    SAMPLE_RATE,
)


def sine(hertz: float, seconds: float, rate: int = SAMPLE_RATE, peak: float = 32767) -> np.ndarray:
    return np.rint(peak * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype("<i2")


def test_a_full_scale_sine_reads_minus_3_dbfs():
    measured = pcm.level(sine(1000, 0.1).tobytes())
    assert measured.rms == pytest.approx(-3.0, abs=0.02)
    assert measured.peak == pytest.approx(0, abs=0.01)


def test_levels_of_silence_of_nothing_and_of_the_lowest_sample():
    assert pcm.level(bytes(960)) == pcm.level(b"") == pcm.level(b"\x01") == pcm.SILENCE
    assert pcm.level(struct.pack("<h", -32768) * 480) == pytest.approx((0, 0), abs=0.001)
    assert pcm.level(struct.pack("<h", 1) * 480).peak == pytest.approx(-90.3, abs=0.1)


def test_channels_are_mixed_and_repeated():
    stereo = np.array([100, 200, -32768, -32768, 32767, 32767], "<i2").tobytes()
    assert pcm.samples(pcm.to_mono(stereo, 2)).tolist() == [150, -32768, 32767]
    assert pcm.to_mono(pcm.to_channels(b"\x01\x00\x02\x00", 2), 2) == b"\x01\x00\x02\x00"
