"""The whole program on the virtual sound bed: what the user sees when sound fails, and hears when it works.

The program runs in a pseudo-terminal of its own and talks to the loopback service; the faults are real ones of a real
sound server. Speech enters by the bed's microphone, and playback is judged by its speaker's monitor.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.conversing import speech
from tests.sound_bed import RATE, Canary, SoundBed, require, undisturbed
from tests.test_program import empty_home
from tests.ui.terminal import Terminal
from voicelive_tui.audio.wav import WavWriter

pytestmark = [pytest.mark.sound_bed, pytest.mark.xdist_group("sound_bed")]

MICROPHONE = ("module-remap-source", "source_name=vmic", "master=vmic_in.monitor", "format=s16le", f"rate={RATE}",
              "channels=1", "remix=no")  # fmt: skip


@contextlib.contextmanager
def program(tmp_path: Path, *arguments: str, **environment: str) -> Iterator[Terminal]:
    """The dashboard in a terminal of 120x40."""
    command = arguments if arguments[:1] == ("-c",) else ("-m", "voicelive_tui", *arguments)
    with Terminal(*command, width=120, height=40, **empty_home(tmp_path) | environment) as terminal:
        yield terminal
        assert b"Traceback" not in terminal.received


@contextlib.contextmanager
def conversation(tmp_path: Path, bed: SoundBed) -> Iterator[Terminal]:
    """A demo conversation with the bed's microphone and speaker, the same session from start to end."""
    with program(tmp_path, **bed.environment) as terminal:
        terminal.wait_for("mic LIVE")
        yield terminal
    log = (tmp_path / "state" / "voicelive-tui" / "voicelive-tui.log").read_text()
    assert log.count("session ready: ") == 1


def end(terminal: Terminal) -> None:
    """Quit; the terminal is as it was and the session closed in order."""
    terminal.write("q")
    assert terminal.wait_for_end() == 0
    assert termios.tcgetattr(terminal.master)[:4] == terminal.before[:4]
    assert "closed with code 1000" in terminal.text.replace("\n", "")


@contextlib.contextmanager
def saying(bed: SoundBed, words: str = "Hello there, can you hear me well?") -> Iterator[None]:
    """Speak into the microphone during the block, and wait for the end of the words."""
    feeder = bed.speak(speech(words))
    try:
        yield
    finally:
        feeder.wait(60)


def converse(terminal: Terminal, bed: SoundBed) -> None:
    """Speak, and wait until the answer is on the speaker."""
    with bed.recording() as recording, saying(bed):
        terminal.wait_for("I heard you for")
        terminal.wait_for("SPEAKING")
        recording.wait_until(lambda: bool(recording.samples.any()))


def test_an_unplugged_microphone_is_reported_and_used_again(bed: SoundBed, tmp_path: Path) -> None:
    room = np.random.default_rng(1).integers(-31, 32, 60 * RATE).astype("<i2")  # as every real one, it carries noise
    with conversation(tmp_path, bed) as terminal:
        feeder = bed.speak(room.tobytes())
        terminal.wait_for("-65 dB")
        # PulseAudio moves the stream to the speaker's monitor without a word.
        bed.pactl("unload-module", "module-remap-source")
        terminal.wait_for("gives only zeros")
        bed.pactl("load-module", *MICROPHONE)
        bed.pactl("set-default-source", "vmic")
        terminal.wait_for("! microphone:", gone=True)
        terminal.wait_for("-65 dB")
        feeder.kill()
        feeder.wait()
        converse(terminal, bed)
        end(terminal)


def test_a_suspended_microphone_stalls_and_resumes(bed: SoundBed, tmp_path: Path) -> None:
    with conversation(tmp_path, bed) as terminal:
        bed.pactl("suspend-source", "vmic", "1")
        terminal.wait_for("mic STALLED", "the microphone stalled: its device is suspended")
        assert "! speaker" not in terminal.text
        terminal.read(3)  # attempts to bring it back, all in vain
        assert "mic STALLED" in terminal.text
        bed.pactl("suspend-source", "vmic", "0")
        terminal.wait_for("mic LIVE")
        end(terminal)


def test_a_frozen_sound_server_freezes_neither_screen_nor_keys_and_is_used_again_when_it_thaws(
    bed: SoundBed, tmp_path: Path
) -> None:
    with conversation(tmp_path, bed) as terminal:
        bed.freeze()
        try:
            terminal.wait_for("mic STALLED")
            terminal.wait_for("! speaker: the speaker stalled")
            terminal.write("thello there\r")
            terminal.wait_for("You typed: hello there")  # the conversation goes on in writing
        finally:
            bed.thaw()
        terminal.wait_for("mic STALLED", gone=True)
        terminal.wait_for("! speaker", gone=True)
        terminal.wait_for("SPEAKING", gone=True)
        converse(terminal, bed)
        end(terminal)


def test_the_program_quits_while_the_sound_server_is_frozen(bed: SoundBed, tmp_path: Path) -> None:
    with conversation(tmp_path, bed) as terminal:
        bed.freeze()
        terminal.wait_for("mic STALLED")
        end(terminal)


def test_the_demo_runs_with_a_sound_server_that_is_frozen_from_the_start(bed: SoundBed, tmp_path: Path) -> None:
    bed.freeze()
    with program(tmp_path, **bed.environment) as terminal:
        terminal.wait_for("the sound server does not answer")
        terminal.wait_for("LISTENING")  # the synthetic caller speaks
        end(terminal)


def test_a_killed_sound_server_is_reported_and_used_again_after_its_restart(bed: SoundBed, tmp_path: Path) -> None:
    with conversation(tmp_path, bed) as terminal:
        bed.kill()
        lost = "was lost: its device or its sound server is gone"
        terminal.wait_for(f"the microphone {lost}", f"the speaker {lost}", "mic STALLED")
        bed.start()
        terminal.wait_for("mic LIVE")
        terminal.wait_for("! speaker:", gone=True)
        converse(terminal, bed)
        end(terminal)


def test_a_conversation_works_on_a_device_that_only_accepts_48_khz(tmp_path: Path) -> None:
    require("" if shutil.which("jackd") and shutil.which("jack_lsp") else "JACK is missing (apt-get install jackd2)")
    name = f"program{os.getpid()}"
    jackd = subprocess.Popen(
        ["jackd", "-r", "-n", name, "-d", "dummy", "-r", "48000", "-p", "240"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    environment = {"JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1"}
    try:
        deadline = time.monotonic() + 60
        while subprocess.run(["jack_lsp"], env=os.environ | environment, capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with program(tmp_path, **environment) as terminal:
            terminal.wait_for("mic LIVE")
            for words in ("system, 48000 Hz", "converted to 24000 Hz"):
                terminal.wait_until(lambda words=words: terminal.text.count(words) == 2, f"2 times {words!r}")  # type: ignore[misc]
            terminal.write("thello there, this is to be said back to me in full\r")
            terminal.wait_for("SPEAKING")
            terminal.wait_for("SPEAKING", gone=True)  # it was played to its end at the device's pace
            end(terminal)
    finally:
        jackd.terminate()
        jackd.wait()


WITHOUT_LIBRARY = """
import ctypes.util
ctypes.util.find_library = lambda name: None
from voicelive_tui.__main__ import main
main()
"""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("-c", WITHOUT_LIBRARY), "the PortAudio library is missing"), ((), "no sound device found")],
    ids=["no library", "no device"],
)
def test_without_sound_the_demo_runs_and_the_screen_shows_the_reason_and_the_remedy(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "voicelive_tui", "devices", "--json"],
        env=os.environ | empty_home(tmp_path), capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    if not arguments and listed.returncode == 0 and json.loads(listed.stdout):
        pytest.skip("this machine has a sound card")
    with program(tmp_path, *arguments) as terminal:
        terminal.wait_for(words)
        terminal.wait_for("! speaker:")
        terminal.wait_for("libasound2-plugins")  # what to install
        terminal.wait_for("SPEAKING")
        end(terminal)


@contextlib.contextmanager
def service(script: Path) -> Iterator[str]:
    """The loopback service with a script, in a process of its own; its endpoint."""
    command = [sys.executable, "-m", "voicelive_tui", "serve", "--json", "--script", str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline())["endpoint"]
        finally:
            process.terminate()
            process.stdout.read()


FIRST, SECOND = 4000, 5000
"""The samples of the two answers."""


def test_speaking_into_an_answer_stops_it_and_the_service_learns_what_was_heard(bed: SoundBed, tmp_path: Path) -> None:
    for value, seconds in ((FIRST, 10), (SECOND, 1)):
        writer = WavWriter(tmp_path / f"{value}.wav")
        writer.write(np.full(seconds * RATE, value, "<i2").tobytes())
        writer.close()
    script = tmp_path / "answers.toml"
    script.write_text(
        f'[[reply]]\nturn = 1\nsay = "A long one."\nplay = "{FIRST}.wav"\n'
        f'[[reply]]\nsay = "A short one."\nplay = "{SECOND}.wav"\n'
    )

    def attempt(canary: Canary) -> None:
        with (
            service(script) as endpoint,
            program(tmp_path, "--endpoint", endpoint, AZURE_VOICELIVE_API_KEY="k3y", **bed.environment) as terminal,
            bed.recording() as recording,
        ):
            terminal.wait_for("mic LIVE")
            with saying(bed):
                terminal.wait_for("SPEAKING")
            terminal.read(1)
            with saying(bed, "No wait, stop, something else."):
                terminal.wait_for("conversation.item.truncated")
            row = re.compile(r"conversation\.item\.truncate .* at ([\d.]+) (m?s)\b")
            terminal.wait_until(lambda: bool(row.search(terminal.text)), "what was heard")
            told = row.search(terminal.text)
            assert told
            told_ms = float(told[1]) * (1 if told[2] == "ms" else 1000)
            heard_ms = np.count_nonzero(recording.samples == FIRST) / 24
            terminal.wait_for("A short one.")
            terminal.wait_until(lambda: np.count_nonzero(recording.samples == SECOND) > 0.9 * RATE, "the second answer")
            terminal.wait_for("SPEAKING", gone=True)
            end(terminal)
            samples = recording.samples
        assert np.count_nonzero(samples == FIRST) / 24 == heard_ms  # no late audio was played
        assert 1000 < heard_ms < 9000
        stall_ms = canary.allowance * 1000
        assert -30 - stall_ms <= told_ms - heard_ms <= 10 + stall_ms, (told_ms, heard_ms)  # the screen rounds to 10 ms

    undisturbed(attempt)
