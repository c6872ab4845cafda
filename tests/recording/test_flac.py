"""FLAC in place of WAV: the same samples, damage, and what happens without soundfile."""

import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.recording.test_bundle import zipped
from voicelive_tui.cli import cli
from voicelive_tui.recording import bundle as bundles
from voicelive_tui.recording import flac
from voicelive_tui.recording.bundle import Bundle
from voicelive_tui.recording.spool import Record
from voicelive_tui.recording.writer import BundleWriter, Manifest

SOUND = np.random.default_rng(3).integers(-32768, 32768, 50_000).astype("<i2").tobytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A bundle with sound in FLAC on the left, a second later on the right, and none in channel 2."""
    writer = BundleWriter(tmp_path / "a.vlrec", Manifest(audio_origin=10), flac=True)
    writer.add([Record("left", 10, SOUND), Record("right", 24_010, SOUND)])
    writer.finish({}, (), "")
    return writer.path


def test_the_samples_are_the_same_in_a_folder_and_in_a_zip(path: Path, tmp_path: Path) -> None:
    files = {file.name: file.stat().st_mode & 0o777 for file in path.iterdir()}
    assert "audio.flac" in files
    assert "audio.wav" not in files
    assert set(files.values()) == {0o600}
    for place in (path, zipped(path, tmp_path / "a.zip", "a.vlrec/")):
        with Bundle(place) as bundle:
            assert set(bundle.manifest.files) == files.keys() - {"manifest.json"}
            assert bundle.sound(0, 10, 50_000) == SOUND
            assert bundle.sound(1, 24_010, 50_000) == SOUND
            assert not any(bundle.sound(1, 10, 24_000))
            assert bundle.flaws == []


def test_without_soundfile_a_recording_opens_without_sound(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    monkeypatch.setattr(bundles, "missing", lambda: "FLAC needs soundfile")
    with Bundle(path) as bundle:
        assert bundle.flaws == ["audio.flac cannot be read (FLAC needs soundfile)"]
        assert not any(bundle.sound(0, 10, 100))


@pytest.mark.parametrize("content", [b"", b"fLaC", b"RIFF" * 20, bytes(1_000)])
def test_a_damaged_file_is_named(path: Path, content: bytes) -> None:
    (path / "audio.flac").write_bytes(content)
    with Bundle(path) as bundle:
        (flaw,) = bundle.flaws
        assert flaw.startswith("audio.flac cannot be read (")


def test_more_sound_than_the_limit_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "LARGEST_AUDIO", 1_000)
    with Bundle(path) as bundle:
        assert bundle.flaws == ["audio.flac cannot be read (more than 1,000 bytes of sound)"]


def test_sound_that_cannot_be_compressed_stays_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    writer = BundleWriter(tmp_path / "a.vlrec", Manifest(), flac=True)
    writer.add([Record("left", 0, SOUND)])
    (writer.path / "audio.new").write_text("in the way")
    writer.finish({}, (), "")
    assert "audio.wav stays a WAV file" in caplog.text
    with Bundle(writer.path) as bundle:
        assert bundle.manifest.complete
        assert bundle.sound(0, 0, 50_000) == SOUND


def test_the_setting_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flac, "find_spec", lambda _: None)
    config = tmp_path / "config.toml"
    config.write_text(f'[recording]\nformat = "flac"\n[logging]\nfile = "{tmp_path}/log"\n')
    done = CliRunner().invoke(cli, ["console", "--demo", "--config", str(config)])
    sentence = "voicelive-tui: recording.format: FLAC needs soundfile: pip install 'voicelive-tui[record]'\n"
    assert (done.exit_code, done.stderr) == (2, sentence)
