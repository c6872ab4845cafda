import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.audio import pcm
from voicelive_tui.audio.format import (
    SAMPLE_RATE,
    samples_in,
)
from voicelive_tui.audio.wav import AudioFileError, WavWriter, load_wav


def sine(hertz: float, seconds: float, rate: int = SAMPLE_RATE, peak: float = 32767) -> np.ndarray:
    return np.rint(peak * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype("<i2")


def write_wav(path: Path, sound: np.ndarray, rate: int, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as wav:
        wav.setnchannels(channels)
        wav.setsampwidth(width)
        wav.setframerate(rate)
        wav.writeframes(sound.tobytes())
    return path


def test_a_wav_file_in_the_right_format_is_taken_as_it_is(tmp_path):
    sound = sine(440, 0.1)
    assert load_wav(write_wav(tmp_path / "a.wav", sound, 24000)) == (sound.tobytes(), "")


def test_a_stereo_file_of_another_rate_is_converted_and_says_so(tmp_path):
    tone = sine(440, 0.5, 44100, 10000)
    sound, note = load_wav(write_wav(tmp_path / "a.wav", np.repeat(tone, 2), 44100, channels=2))
    assert note == "44100 Hz stereo, converted to 24000 Hz mono"
    assert samples_in(sound) == 12000
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
    sound, note = load_wav(write_wav(tmp_path / "a.wav", raw, 24000, width=width))
    assert pcm.level(sound).rms == pytest.approx(pcm.level(tone.astype("<i2").tobytes()).rms, abs=0.2)
    assert note == f"{8 * width} bit, converted to 16 bit"


def test_the_extensible_header_is_understood(tmp_path):
    sound = sine(440, 0.1)
    plain = write_wav(tmp_path / "a.wav", sound, 24000).read_bytes()
    extension = struct.pack("<HHI", 22, 16, 4) + bytes.fromhex("0100000000001000800000aa00389b71")
    fmt = b"fmt " + struct.pack("<I", 40) + b"\xfe\xff" + plain[22:36] + extension
    (tmp_path / "b.wav").write_bytes(plain[:4] + struct.pack("<I", len(plain) + 16) + plain[8:12] + fmt + plain[36:])
    assert load_wav(tmp_path / "b.wav") == (sound.tobytes(), "")


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
    with pytest.raises(AudioFileError, match=says) as caught:
        load_wav(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(tmp_path_factory, junk):
    path = tmp_path_factory.getbasetemp() / "junk.wav"
    path.write_bytes(b"RIFF\x24\0\0\0WAVEfmt " + junk)
    try:
        sound, _ = load_wav(path)
    except AudioFileError:
        return
    assert sound


def test_a_growing_file_is_valid_after_every_write(tmp_path):
    writer = WavWriter(tmp_path / "a.wav")
    with pytest.raises(AudioFileError, match="holds no sound"):
        load_wav(tmp_path / "a.wav")
    for n in range(1, 4):
        writer.write(b"\x01\x02" * 480)
        assert load_wav(tmp_path / "a.wav")[0] == b"\x01\x02" * 480 * n
    writer.close()
    writer.close()


def test_a_file_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(AudioFileError, match=r"cannot write .*: No such file"):
        WavWriter(tmp_path / "nowhere" / "a.wav")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error():
    with pytest.raises(AudioFileError, match="No space left"):
        WavWriter("/dev/full")
