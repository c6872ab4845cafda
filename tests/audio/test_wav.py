import os
import struct
import threading
import tracemalloc
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
from voicelive_tui.audio.wav import AudioFileError, WavWriter, check_target, load_wav


def sine(hertz: float, seconds: float, rate: int = SAMPLE_RATE, peak: float = 32767) -> np.ndarray:
    return np.rint(peak * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype("<i2")


def fmt(tag: int = 1, channels: int = 1, rate: int = 24000, bits: int = 16) -> bytes:
    block = channels * bits // 8
    return struct.pack("<HHIIHH", tag, channels, rate & 0xFFFFFFFF, 0, block, bits)


def riff(form: bytes, *, data: bytes | None = None, size: int | None = None, before: bytes = b"") -> bytes:
    """A WAV file with that `fmt ` chunk, other chunks `before` it, and a data chunk that claims `size` bytes."""
    body = before + b"fmt " + struct.pack("<I", len(form)) + form
    if data is not None:
        body += b"data" + struct.pack("<I", len(data) if size is None else size) + data
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def loaded(path: Path, content: bytes) -> tuple[bytes, str]:
    path.write_bytes(content)
    return load_wav(path)


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
        (b"", "is not a WAV file that can be played .it is empty"),
        (b"ID3\x03 this is an mp3 file", "it does not begin with a RIFF/WAVE header"),
        (riff(fmt(rate=0), data=b"1234"), "its rate of 0 Hz is not between 1000 and 384000"),
        (riff(fmt(rate=4_000_000_000), data=b"1234"), "its rate of 4000000000 Hz"),
        (riff(fmt(channels=0), data=b"1234"), "it claims 0 channels"),
        (riff(fmt(tag=0x55), data=b"1234"), "its coding 0x0055 is none of PCM, float, A-law and mu-law"),
        (riff(fmt(bits=64), data=b"12345678"), "it has 64 bit samples in 8 bytes"),
        (riff(fmt()[:12], data=b"1234"), "its format is incomplete"),
        (riff(fmt()), "it holds no sound chunk"),
        (b"RIFF\0\0\0\0WAVE" + b"data\4\0\0\0" + b"1234", "its sound comes before its format"),
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
    with pytest.raises(AudioFileError, match=r"cannot write .*: its folder does not exist"):
        WavWriter(tmp_path / "nowhere" / "a.wav")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error():
    with pytest.raises(AudioFileError, match="No space left"):
        WavWriter("/dev/full")


TONE = sine(440, 0.1, peak=16000)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 100_000])
def test_a_streamed_or_truncated_file_is_read_to_its_end(tmp_path, size):
    note = "its length field is wrong: read to the end of the file"
    assert loaded(tmp_path / "a.wav", riff(fmt(), data=TONE.tobytes(), size=size)) == (TONE.tobytes(), note)


def test_half_a_sample_at_the_end_is_left_out(tmp_path):
    assert loaded(tmp_path / "a.wav", riff(fmt(), data=TONE.tobytes() + b"x"))[0] == TONE.tobytes()


def test_rf64_has_its_length_in_a_chunk_of_its_own(tmp_path):
    ds64 = b"ds64" + struct.pack("<IQQQI", 28, 0, len(TONE.tobytes()), 0, 0)
    content = riff(fmt(), data=TONE.tobytes() + b"LISTtail", size=0xFFFFFFFF, before=ds64)
    assert loaded(tmp_path / "a.wav", b"RF64" + content[4:]) == (TONE.tobytes(), "")


def test_an_extensible_header_behind_a_long_chunk_is_understood(tmp_path):
    long = b"LIST" + struct.pack("<I", 5001) + b"x" * 5002  # odd sizes are padded
    extension = struct.pack("<HHI", 22, 16, 4) + bytes.fromhex("0100000000001000800000aa00389b71")
    content = riff(fmt(tag=0xFFFE) + extension, data=TONE.tobytes(), before=long)
    assert loaded(tmp_path / "a.wav", content) == (TONE.tobytes(), "")


@pytest.mark.parametrize(("bits", "kind"), [(32, "<f4"), (64, "<f8")])
def test_float_samples_are_limited_to_full_scale(tmp_path, bits, kind):
    values = np.array([0.0, 0.5, -0.5, 1.0, 7.5, -7.5, np.nan, np.inf], kind)
    sound, note = loaded(tmp_path / "a.wav", riff(fmt(tag=3, bits=bits), data=values.tobytes()))
    assert pcm.samples(sound).tolist() == [0, 16384, -16384, 32767, 32767, -32767, 0, 32767]
    assert note == "float, converted to 16 bit"


@pytest.mark.parametrize(("tag", "silence", "loud"), [(6, 0xD5, 0xAA), (7, 0xFF, 0x80)])
def test_g711_is_decoded(tmp_path, tag, silence, loud):
    sound, note = loaded(tmp_path / "a.wav", riff(fmt(tag=tag, bits=8), data=bytes([silence, loud] * 100)))
    assert abs(int(pcm.samples(sound)[0])) <= 8
    assert pcm.samples(sound)[1] > 30000
    assert note == f"{'A-law' if tag == 6 else 'mu-law'}, converted to 16 bit"


def test_stereo_in_anti_phase_does_not_cancel_itself_out(tmp_path):
    both = np.stack([TONE, -TONE], axis=1).astype("<i2")
    sound, note = loaded(tmp_path / "a.wav", riff(fmt(channels=2), data=both.tobytes()))
    assert sound == TONE.tobytes()
    assert "anti-phase: only the left one is used" in note


def test_an_hour_of_another_rate_does_not_need_gigabytes(tmp_path):
    tracemalloc.start()
    try:
        sound, _ = loaded(tmp_path / "a.wav", riff(fmt(rate=44100), data=bytes(2 * 44100 * 60)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert samples_in(sound) == 24000 * 60
    assert peak < 12 * len(sound)


def test_a_pipe_is_read_once_and_its_sound_is_there_again(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(riff(fmt(), data=TONE.tobytes()),))
    writer.start()
    assert load_wav(pipe)[0] == TONE.tobytes()
    writer.join()
    assert load_wav(pipe)[0] == TONE.tobytes()


def test_an_endless_device_is_refused_at_once():
    with pytest.raises(AudioFileError, match="does not begin with a RIFF"):
        load_wav("/dev/zero")


def test_a_path_in_the_home_folder_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.wav").write_bytes(riff(fmt(), data=TONE.tobytes()))
    assert load_wav("~/a.wav")[0] == TONE.tobytes()


@given(
    st.binary(max_size=60).map(lambda raw: riff(raw, data=b"1234" * 20))
    | st.tuples(
        st.sampled_from([1, 3, 6, 7, 0xFFFE, 0]) | st.integers(0, 0xFFFF),
        st.integers(0, 70),
        st.integers(0, 400_000) | st.sampled_from([8000, 24000, 44100]),
        st.sampled_from([8, 16, 24, 32, 64]) | st.integers(0, 70),
        st.binary(max_size=300),
        st.integers(0, 0xFFFFFFFF) | st.integers(0, 300),
        st.binary(max_size=30),
    ).map(lambda p: riff(fmt(*p[:4]), data=p[4], size=p[5], before=p[6]))
)
def test_no_file_breaks_the_reader(tmp_path_factory, content):
    try:
        sound, _ = loaded(tmp_path_factory.getbasetemp() / "any.wav", content)
    except AudioFileError:
        return
    assert sound
    assert len(sound) % 2 == 0


def test_a_file_is_written_in_the_home_folder_or_refused_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    WavWriter("~/out.wav").close()
    assert (tmp_path / "out.wav").is_file()
    with pytest.raises(AudioFileError, match=r"^cannot write ~no-such-user/out.wav: "):
        WavWriter("~no-such-user/out.wav")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"precious words", "it is not a WAV file and would be overwritten"),
        (b"RIFF1234WAVEdata", ""),
        (b"", ""),
        (None, ""),
    ],
)
def test_a_file_of_another_kind_is_never_overwritten(tmp_path, content, says):
    path = tmp_path / "notes.txt"
    if content is not None:
        path.write_bytes(content)
    if not says:
        check_target(path)
        assert (path.read_bytes() if path.exists() else None) == content  # and a check leaves it alone
        WavWriter(path).close()
        return
    for use in (check_target, WavWriter):
        with pytest.raises(AudioFileError, match=says):
            use(path)
    assert path.read_bytes() == content


def test_a_file_that_was_deleted_is_reported(tmp_path):
    writer = WavWriter(tmp_path / "a.wav")
    (tmp_path / "a.wav").unlink()

    def write_on():
        for _ in range(100):
            writer.write(b"\0\0" * 480)

    with pytest.raises(AudioFileError, match=r"a\.wav: it was deleted"):
        write_on()
    writer.close()
