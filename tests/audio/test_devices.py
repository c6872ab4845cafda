import subprocess
import sys
import threading
import time

import pytest

from voicelive_tui.audio import devices as backends
from voicelive_tui.audio.devices import AudioError, backend_for, check, run_bounded
from voicelive_tui.audio.paced import PacedBackend
from voicelive_tui.audio.portaudio import PortAudioBackend


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("none", PacedBackend),
        ("file:a.wav", PacedBackend),
        ("", PortAudioBackend),
        ("nonesuch", PortAudioBackend),
        ("3", PortAudioBackend),
        ("ALSA: file", PortAudioBackend),
    ],
)
def test_a_device_name_tells_its_backend(device, expected):
    assert type(backend_for(device)) is expected


def test_no_backend_is_imported_before_it_is_asked_for():
    program = (
        "import sys; import voicelive_tui.audio.devices, voicelive_tui.audio.duplex; "
        "print([m for m in ('sounddevice', 'voicelive_tui.audio.portaudio', 'voicelive_tui.audio.paced', 'asyncio', "
        "'textual') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_call_in_time_gives_its_result_or_its_error():
    assert run_bounded(lambda: threading.current_thread().daemon, "asking") is True
    with pytest.raises(ZeroDivisionError):
        run_bounded(lambda: 1 // 0, "dividing")


def test_a_call_that_hangs_is_left_behind():
    release = threading.Event()
    began = time.monotonic()
    with pytest.raises(AudioError, match=r"opening the speaker took longer than 0.05 s") as caught:
        run_bounded(release.wait, "opening the speaker", 0.05)
    assert time.monotonic() - began < 5
    assert caught.value.kind == "timeout"
    (left,) = [thread for thread in threading.enumerate() if thread.name == "audio: opening the speaker"]
    release.set()
    left.join(5)
    assert not left.is_alive()


def test_a_hanging_call_does_not_keep_the_program_from_ending():
    program = (
        "import time\nfrom voicelive_tui.audio.devices import run_bounded, AudioError\n"
        "try: run_bounded(lambda: time.sleep(60), 'x', 0.05)\nexcept AudioError as e: print(e.kind)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)
    assert (done.stdout, done.stderr) == ("timeout\n", "")


def test_checking_says_for_each_direction_what_would_be_used(tmp_path):
    first, second = check("none", "none")
    assert (first.direction, first.ok, first.sentence) == ("input", True, "none")
    assert (second.direction, second.ok, second.sentence) == ("output", True, "none")
    missing = check(f"file:{tmp_path}/missing.wav", "none")[0]
    assert not missing.ok
    assert "cannot read" in missing.sentence


def test_checking_leaves_the_output_file_alone(tmp_path):
    (tmp_path / "keep.wav").write_bytes(b"precious")
    assert check("none", f"file:{tmp_path}/keep.wav")[1].ok
    assert (tmp_path / "keep.wav").read_bytes() == b"precious"
    assert not check("none", f"file:{tmp_path}/nowhere/keep.wav")[1].ok


def test_every_registered_backend_exists():
    for name in ("none", "file:x", ""):
        assert hasattr(backend_for(name), "open_input")
    assert set(backends.BACKENDS) == {"none", "file:", ""}
