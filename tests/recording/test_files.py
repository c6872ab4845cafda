"""Files of a recording: new ones, for their owner, and WAV files that are valid after each write."""

import stat
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.audio.format import SAMPLE_RATE
from voicelive_tui.recording.files import WaveFile, write_new, write_wave


def pcm(value: int, samples: int) -> bytes:
    return np.full(samples, value, "<i2").tobytes()


def samples_of(path: Path) -> npt.NDArray[np.int16]:
    """The samples of a WAV file, a row for each channel."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getsampwidth()) == (SAMPLE_RATE, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels()).T


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 50), st.integers(1, 10), st.integers(1, 99)), max_size=8),
)
def test_channels_do_not_disturb_one_another_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[int, int, int, int]]
) -> None:
    path = tmp_path_factory.mktemp("any") / "sound.wav"
    file = WaveFile(path, 2)
    expected, length = np.zeros((2, 60), "<i2"), 0
    for channel, at, count, value in pieces:
        file.put(channel, at, pcm(value, count))
        expected[channel, at : at + count] = value
        length = max(length, at + count)
        assert np.array_equal(samples_of(path), expected[:, :length])  # before it is closed
    file.close()


def test_a_piece_of_sound_is_a_wav_file(tmp_path: Path) -> None:
    write_wave(tmp_path / "kept" / "sound.wav", pcm(7, 3))
    assert samples_of(tmp_path / "kept" / "sound.wav").tolist() == [[7, 7, 7]]


def test_files_are_their_owners_and_nothing_is_overwritten(tmp_path: Path) -> None:
    words, sound = tmp_path / "words.md", tmp_path / "sound.wav"
    write_new(words, b"mine")
    write_wave(sound, pcm(1, 1))
    assert {stat.S_IMODE(path.stat().st_mode) for path in (words, sound)} == {0o600}
    with pytest.raises(FileExistsError):
        write_new(words, b"other")
    with pytest.raises(FileExistsError):
        write_wave(sound, pcm(2, 1))
    assert words.read_bytes() == b"mine"
    assert samples_of(sound).tolist() == [[1]]
