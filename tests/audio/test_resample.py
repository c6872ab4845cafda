import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.audio import pcm
from voicelive_tui.audio.format import SAMPLE_RATE
from voicelive_tui.audio.resample import Resampler, convert


def sine(hertz: float, seconds: float, rate: int = SAMPLE_RATE, peak: float = 32767) -> np.ndarray:
    return np.rint(peak * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype("<i2")


@pytest.mark.parametrize(("source", "target"), [(48000, 24000), (24000, 48000), (44100, 24000), (24000, 44100)])
@pytest.mark.parametrize("hertz", [100, 1000, 9000])
def test_resampling_keeps_a_tone_and_adds_nothing_above_65_decibels_below(source, target, hertz):
    out = pcm.samples(convert(sine(hertz, 0.5, source, 16000).tobytes(), source, target))
    expected = sine(hertz, 0.5, target, 16000).astype(float)
    assert out.size == expected.size
    error = (out - expected)[500:-500]
    assert np.sqrt(np.mean(error**2)) < 16000 * 10 ** (-65 / 20)


def test_resampling_down_rejects_what_would_alias():
    out = pcm.samples(convert(sine(15000, 0.5, 48000, 16000).tobytes(), 48000, 24000))
    assert pcm.level(out[500:-500].tobytes()).rms < -70


def test_resampling_delays_by_less_than_a_millisecond():
    click = np.zeros(4800, "<i2")
    click[2400] = 30000
    down = Resampler(48000, 24000)
    out = pcm.samples(down.process(click.tobytes()))
    assert np.argmax(np.abs(out)) / 24000 - 0.05 == pytest.approx(down.delay, abs=1 / 24000)
    assert down.delay < 0.001


@given(
    st.sampled_from([(48000, 24000), (24000, 44100), (44100, 24000), (24000, 48000), (11025, 24000), (24000, 24000)]),
    st.lists(st.integers(0, 500), max_size=12),
)
def test_streaming_gives_the_same_samples_however_the_input_is_cut(rates, cuts):
    sound = np.random.default_rng(0).integers(-20000, 20000, sum(cuts)).astype("<i2")
    resampler = Resampler(*rates)
    pieces = [resampler.process(piece.tobytes()) for piece in np.split(sound, np.cumsum(cuts))]
    assert b"".join(pieces) == Resampler(*rates).process(sound.tobytes())
    assert abs(len(b"".join(pieces)) // 2 - sum(cuts) * rates[1] / rates[0]) <= 1


def test_resampling_never_wraps_around():
    square = np.repeat(np.array([32767, -32768] * 20, "<i2"), 50)
    out = pcm.samples(convert(square.tobytes(), 48000, 24000))
    assert out.max() == 32767
    assert out.min() == -32768
    assert np.abs(np.diff(out.astype(int))).max() <= 65535
    assert (out[10:20] > 20000).all()
