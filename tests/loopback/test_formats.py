"""The codes of G.711 against the tables of the standard, and against themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.loopback.formats import OUTPUT_FORMATS, AudioFormat, encode_speech

ULAW = AudioFormat("g711_ulaw", 8000)
ALAW = AudioFormat("g711_alaw", 8000)


@pytest.mark.parametrize(
    ("fmt", "code", "value"),
    [  # ITU-T G.711, tables 1a, 1b, 2a and 2b, scaled to 16 bits
        (ULAW, 0xFF, 0), (ULAW, 0x7F, 0), (ULAW, 0x80, 32124), (ULAW, 0x00, -32124), (ULAW, 0xFE, 8),
        (ALAW, 0xD5, 8), (ALAW, 0x55, -8), (ALAW, 0xAA, 32256), (ALAW, 0x2A, -32256), (ALAW, 0xD4, 24),
    ],
)  # fmt: skip
def test_codes_of_the_standard(fmt, code, value):
    assert fmt.decode(bytes([code])).tolist() == [value]


@pytest.mark.parametrize("fmt", [ULAW, ALAW])
def test_every_code_means_the_same_there_and_back(fmt):
    values = fmt.decode(bytes(range(256)))
    assert fmt.decode(fmt.encode(values)).tolist() == values.tolist()


@given(st.integers(-32768, 32767))
def test_a_sample_comes_back_within_a_step(value):
    for fmt in (ULAW, ALAW):
        back = int(fmt.decode(fmt.encode(np.array([value], np.int16)))[0])
        assert abs(back - value) <= max(8, abs(value) / 16) + (644 if abs(value) > 32_000 else 0)


def test_sizes_and_durations():
    stereo = AudioFormat("pcm16", 24_000, 2)
    assert stereo.sample_bytes == 4
    assert stereo.milliseconds(9600) == 100
    assert stereo.size(100) == 9600
    assert stereo.decode(np.array([1, 2, 3, 4], "<i2").tobytes()).tolist() == [1, 3]
    assert ULAW.size(100) == 800


@pytest.mark.parametrize("name", OUTPUT_FORMATS)
def test_a_tone_keeps_its_pitch_and_its_length_in_every_output_format(name):
    fmt = OUTPUT_FORMATS[name]
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(24_000) / 24_000)).astype(np.int16)
    samples = fmt.decode(encode_speech(tone, fmt)).astype(float)
    assert len(samples) == fmt.rate
    assert int(np.argmax(np.abs(np.fft.rfft(samples)))) == 440
