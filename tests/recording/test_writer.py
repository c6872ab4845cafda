"""Files of a bundle: valid after each write, sound at its place, for their owner only."""

import hashlib
import stat
import wave
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from voicelive_tui.audio.format import SAMPLE_RATE
from voicelive_tui.recording import writer as writer_module
from voicelive_tui.recording.spool import Record
from voicelive_tui.recording.writer import BundleWriter, Manifest


def pcm(value: int, samples: int) -> bytes:
    return np.full(samples, value, "<i2").tobytes()


def samples_of(path: Path) -> npt.NDArray[np.int16]:
    """The samples of a WAV file, a row for each channel."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getsampwidth()) == (SAMPLE_RATE, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels()).T


def test_sound_lies_at_its_position_and_the_rest_is_silence(tmp_path: Path) -> None:
    writer = BundleWriter(tmp_path / "talk.vlrec", Manifest(audio_origin=100, received_origin=10))
    writer.add([Record("left", 103, pcm(1, 2)), Record("right", 101, pcm(2, 3)), Record("received", 10, pcm(3, 2))])
    left, right = samples_of(writer.path / "audio.wav")  # readable before it is finished
    assert left.tolist() == [0, 0, 0, 1, 1]
    assert right.tolist() == [0, 2, 2, 2, 0]
    assert samples_of(writer.path / "received.wav").tolist() == [[3, 3]]
    writer.close()


def test_sound_from_before_the_origin_is_left_out(tmp_path: Path) -> None:
    writer = BundleWriter(tmp_path / "talk.vlrec", Manifest(audio_origin=100))
    writer.add([Record("left", 99, pcm(1, 5))])
    assert samples_of(writer.path / "audio.wav").size == 0
    writer.close()


def test_a_full_recording_goes_on_without_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "AUDIO_LIMIT", 4 * 3 * SAMPLE_RATE)  # 3 s of two channels
    writer = BundleWriter(tmp_path / "talk.vlrec", Manifest())
    assert writer.add([Record("left", 0, pcm(1, SAMPLE_RATE))])
    assert not writer.add([Record("left", SAMPLE_RATE, pcm(1, 2 * SAMPLE_RATE))])
    assert not writer.add([Record("left", 3 * SAMPLE_RATE, pcm(1, 1)), Record("wire", 0, b"{}\n")])
    assert samples_of(writer.path / "audio.wav").shape[1] == 3 * SAMPLE_RATE
    assert (writer.path / "wire.jsonl").read_bytes() == b"{}\n"
    writer.close()


def test_a_finished_bundle_has_a_manifest_with_the_hash_of_each_file(tmp_path: Path) -> None:
    writer = BundleWriter(tmp_path / "kept" / "talk.vlrec", Manifest(program="1"))
    begun = msgspec.json.decode((writer.path / "manifest.json").read_bytes(), type=Manifest)
    assert not begun.complete
    writer.add([Record("wire", 0, b"{}\n"), Record("mark", 0, b"[]\n")])
    writer.finish({"model": "m"}, [3], "# words")
    manifest = msgspec.json.decode((writer.path / "manifest.json").read_bytes(), type=Manifest)
    assert (manifest.complete, manifest.session, manifest.masked) == (True, {"model": "m"}, [3])
    files = {path.name: path for path in writer.path.iterdir()}
    assert manifest.files == {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items() if name != "manifest.json"
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.values()} == {0o600}
    assert stat.S_IMODE(writer.path.stat().st_mode) == 0o700


def test_a_bundle_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    BundleWriter(tmp_path / "talk.vlrec", Manifest()).close()
    with pytest.raises(FileExistsError):
        BundleWriter(tmp_path / "talk.vlrec", Manifest())
