import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.audio import pcm


def sine(hertz: float, seconds: float, rate: int = pcm.SAMPLE_RATE, peak: float = 32767) -> np.ndarray:
    return np.rint(peak * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype("<i2")


def write_wav(path: Path, sound: np.ndarray, rate: int, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as wav:
        wav.setnchannels(channels)
        wav.setsampwidth(width)
        wav.setframerate(rate)
        wav.writeframes(sound.tobytes())
    return path


def test_sums():
    assert pcm.frames_to_ms(480) == 20
    assert pcm.ms_to_frames(40) == 960
    assert pcm.duration_ms(pcm.silence(24_000)) == 1000
    assert pcm.BLOCK_SECONDS == 0.02


def test_a_full_scale_sine_reads_minus_3_dbfs():
    measured = pcm.level(sine(1000, 0.1).tobytes())
    assert measured.rms == pytest.approx(-3.0, abs=0.02)
    assert measured.peak == pytest.approx(0, abs=0.01)


def test_levels_of_silence_of_nothing_and_of_the_lowest_sample():
    assert pcm.level(bytes(960)) == pcm.level(b"") == pcm.level(b"\x01") == pcm.SILENCE
    assert pcm.level(struct.pack("<h", -32768) * 480) == pytest.approx((0, 0), abs=0.001)
    assert pcm.level(struct.pack("<h", 1) * 480).peak == pytest.approx(-90.3, abs=0.1)


@pytest.mark.parametrize(("source", "target"), [(48000, 24000), (24000, 48000), (44100, 24000), (24000, 44100)])
@pytest.mark.parametrize("hertz", [100, 1000, 9000])
def test_resampling_keeps_a_tone_and_adds_nothing_above_65_decibels_below(source, target, hertz):
    out = pcm.samples(pcm.convert(sine(hertz, 0.5, source, 16000).tobytes(), source, target))
    expected = sine(hertz, 0.5, target, 16000).astype(float)
    assert out.size == expected.size
    error = (out - expected)[500:-500]
    assert np.sqrt(np.mean(error**2)) < 16000 * 10 ** (-65 / 20)


def test_resampling_down_rejects_what_would_alias():
    out = pcm.samples(pcm.convert(sine(15000, 0.5, 48000, 16000).tobytes(), 48000, 24000))
    assert pcm.level(out[500:-500].tobytes()).rms < -70


def test_resampling_delays_by_less_than_a_millisecond():
    click = np.zeros(4800, "<i2")
    click[2400] = 30000
    down = pcm.Resampler(48000, 24000)
    out = pcm.samples(down.process(click.tobytes()))
    assert np.argmax(np.abs(out)) / 24000 - 0.05 == pytest.approx(down.delay, abs=1 / 24000)
    assert down.delay < 0.001


@given(
    st.sampled_from([(48000, 24000), (24000, 44100), (44100, 24000), (24000, 48000), (11025, 24000), (24000, 24000)]),
    st.lists(st.integers(0, 500), max_size=12),
)
def test_streaming_gives_the_same_samples_however_the_input_is_cut(rates, cuts):
    sound = np.random.default_rng(0).integers(-20000, 20000, sum(cuts)).astype("<i2")
    resampler = pcm.Resampler(*rates)
    pieces = [resampler.process(piece.tobytes()) for piece in np.split(sound, np.cumsum(cuts))]
    assert b"".join(pieces) == pcm.Resampler(*rates).process(sound.tobytes())
    assert abs(len(b"".join(pieces)) // 2 - sum(cuts) * rates[1] / rates[0]) <= 1


def test_resampling_never_wraps_around():
    square = np.repeat(np.array([32767, -32768] * 20, "<i2"), 50)
    out = pcm.samples(pcm.convert(square.tobytes(), 48000, 24000))
    assert out.max() == 32767
    assert out.min() == -32768
    assert np.abs(np.diff(out.astype(int))).max() <= 65535
    assert (out[10:20] > 20000).all()


def test_mixing_and_duplicating():
    stereo = np.array([100, 200, -32768, -32768, 32767, 32767], "<i2").tobytes()
    assert pcm.samples(pcm.to_mono(stereo, 2)).tolist() == [150, -32768, 32767]
    assert pcm.to_mono(pcm.to_channels(b"\x01\x00\x02\x00", 2), 2) == b"\x01\x00\x02\x00"


def test_a_wav_file_in_the_right_format_is_taken_as_it_is(tmp_path):
    sound = sine(440, 0.1)
    assert pcm.load_wav(write_wav(tmp_path / "a.wav", sound, 24000)) == (sound.tobytes(), "")


def test_a_stereo_file_of_another_rate_is_converted_and_says_so(tmp_path):
    tone = sine(440, 0.5, 44100, 10000)
    sound, note = pcm.load_wav(write_wav(tmp_path / "a.wav", np.repeat(tone, 2), 44100, channels=2))
    assert note == "44100 Hz stereo, converted to 24000 Hz mono"
    assert pcm.frames_in(sound) == 12000
    assert pcm.level(sound) == pytest.approx(pcm.level(tone.tobytes()), abs=0.1)


@pytest.mark.parametrize("width", [1, 3, 4])
def test_other_widths_keep_their_level(tmp_path, width):
    tone = sine(440, 0.1, peak=16000).astype(np.int32)
    if width == 1:
        raw = ((tone >> 8) + 128).astype(np.uint8)
    elif width == 3:
        raw = np.frombuffer((tone << 8).astype("<i4").tobytes(), np.uint8).reshape(-1, 4)[:, :3]
    else:
        raw = (tone << 16).astype("<i4")
    sound, note = pcm.load_wav(write_wav(tmp_path / "a.wav", raw, 24000, width=width))
    assert pcm.level(sound).rms == pytest.approx(pcm.level(tone.astype("<i2").tobytes()).rms, abs=0.2)
    assert note == f"{8 * width} bit, converted to 16 bit"


def test_the_extensible_header_is_understood(tmp_path):
    sound = sine(440, 0.1)
    plain = write_wav(tmp_path / "a.wav", sound, 24000).read_bytes()
    extension = struct.pack("<HHI", 22, 16, 4) + bytes.fromhex("0100000000001000800000aa00389b71")
    fmt = b"fmt " + struct.pack("<I", 40) + b"\xfe\xff" + plain[22:36] + extension
    (tmp_path / "b.wav").write_bytes(plain[:4] + struct.pack("<I", len(plain) + 16) + plain[8:12] + fmt + plain[36:])
    assert pcm.load_wav(tmp_path / "b.wav") == (sound.tobytes(), "")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot read .*: No such file"),
        (b"", "not a PCM WAV file .it ends too early"),
        (b"ID3\x03 this is an mp3 file", "not a PCM WAV file"),
        (b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x03\0\x01\0" + b"\0" * 40, "not a PCM WAV file"),
        ("empty", "holds no sound"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_in_one_sentence(tmp_path, content, says):
    path = tmp_path / "a.wav"
    if content == "empty":
        write_wav(path, np.zeros(0, "<i2"), 24000)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(pcm.AudioFileError, match=says) as caught:
        pcm.load_wav(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(tmp_path_factory, junk):
    path = tmp_path_factory.getbasetemp() / "junk.wav"
    path.write_bytes(b"RIFF\x24\0\0\0WAVEfmt " + junk)
    try:
        sound, _ = pcm.load_wav(path)
    except pcm.AudioFileError:
        return
    assert sound


def test_a_growing_file_is_valid_after_every_write(tmp_path):
    writer = pcm.WavWriter(tmp_path / "a.wav")
    with pytest.raises(pcm.AudioFileError, match="holds no sound"):
        pcm.load_wav(tmp_path / "a.wav")
    for n in range(1, 4):
        writer.write(b"\x01\x02" * 480)
        assert pcm.load_wav(tmp_path / "a.wav")[0] == b"\x01\x02" * 480 * n
    writer.close()
    writer.close()


def test_a_file_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(pcm.AudioFileError, match=r"cannot write .*: No such file"):
        pcm.WavWriter(tmp_path / "nowhere" / "a.wav")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error():
    with pytest.raises(pcm.AudioFileError, match="No space left"):
        pcm.WavWriter("/dev/full")
