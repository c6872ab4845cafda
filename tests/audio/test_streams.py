import pytest

from voicelive_tui.audio.devices import DEFAULT, NONE, DeviceSpec
from voicelive_tui.audio.engine import AudioEngine
from voicelive_tui.audio.streams import open_input, open_output, probe
from voicelive_tui.errors import AudioError


class Backend:
    """Opens what it is given, by name."""

    def open_input(self, engine, device):
        return f"microphone {device}"

    def open_output(self, engine, device, latency):
        return f"speaker {device} {latency}"


def test_hardware_is_opened_by_the_backend():
    engine = AudioEngine()
    assert open_input(engine, DeviceSpec.parse("3"), backend=Backend()) == "microphone 3"
    assert open_output(engine, DEFAULT, 0.2, Backend()) == "speaker  0.2"


def test_a_probe_describes_the_device_of_a_conversation(tmp_path):
    assert probe("input", NONE) == probe("output", NONE) == "none"
    with pytest.raises(AudioError, match="cannot read"):
        probe("input", DeviceSpec("file", f"{tmp_path}/missing.wav"))


def test_a_probe_leaves_the_output_file_alone(tmp_path):
    recording = b"RIFF\0\0\0\0WAVEprecious"
    (tmp_path / "keep.wav").write_bytes(recording)
    (tmp_path / "letter").write_bytes(b"precious")
    probe("output", DeviceSpec("file", f"{tmp_path}/keep.wav"))
    assert (tmp_path / "keep.wav").read_bytes() == recording
    for path in (tmp_path, tmp_path / "letter", tmp_path / "nowhere" / "keep.wav"):
        with pytest.raises(AudioError, match=f"cannot write {path}"):
            probe("output", DeviceSpec("file", str(path)))
