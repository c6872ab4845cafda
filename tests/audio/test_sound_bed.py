"""Real PortAudio streams on the virtual sound bed, judged by what its speaker and microphone recorded.

The faults are real ones too: the server is frozen, killed and restarted, devices are suspended and unplugged.
"""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from tests.client.board import watched
from tests.conversing import until
from tests.sound_bed import missing, require, undisturbed
from voicelive_tui.audio.devices import DEFAULT, DeviceSpec, InputStream, OutputStream
from voicelive_tui.audio.engine import AudioEngine
from voicelive_tui.audio.portaudio import PortAudioBackend, list_devices
from voicelive_tui.audio.streams import open_input, open_output, probe
from voicelive_tui.audio.wav import WavWriter
from voicelive_tui.client.sound import Sound
from voicelive_tui.config import Audio
from voicelive_tui.errors import AudioError

pytestmark = [pytest.mark.sound_bed, pytest.mark.xdist_group("sound_bed")]


@pytest.fixture
def bed(bed, monkeypatch):
    """The bed, with PortAudio restarted on it."""
    for name, value in bed.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    rescan()
    return bed


def rescan() -> None:
    PortAudioBackend().rescan()


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    """Samples none of which is zero."""
    values = np.random.default_rng(seed).integers(1, 8000, round(seconds * 24000)).astype("<i2")
    return values * np.random.default_rng(seed + 1).choice(np.array([-1, 1], "<i2"), values.size)


class Conversation:
    """An engine on the bed, and its events and chunks as a loop would collect them."""

    def __init__(self, engine: AudioEngine) -> None:
        self.engine = engine
        self.events: list = []
        self.captured: list[bytes] = []

    def turn(self) -> None:
        self.events += self.engine.events()
        while chunk := self.engine.chunk():
            self.captured.append(chunk.pcm)

    def until(self, happened: Callable[[], bool], limit: float = 60) -> None:
        deadline = time.monotonic() + limit
        while not happened():
            assert time.monotonic() < deadline, f"nothing within {limit} s"
            self.turn()
            time.sleep(0.005)

    def pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end)

    @property
    def heard(self) -> np.ndarray:
        return np.frombuffer(b"".join(self.captured), "<i2")


class Streams(NamedTuple):
    """A microphone and a speaker that run."""

    microphone: InputStream
    speaker: OutputStream

    def close(self) -> None:
        self.microphone.close()
        self.speaker.close()


@pytest.fixture
def streams_on():
    """Opens both streams on the bed and closes them at the end, even if the sound server is gone by then."""
    with contextlib.ExitStack() as stack:

        def open_(engine: AudioEngine, latency="low") -> Streams:
            opened = Streams(open_input(engine, DEFAULT), open_output(engine, DEFAULT, latency))
            stack.callback(opened.close)
            opened.speaker.start()
            opened.microphone.start()
            return opened

        yield open_


def sound_on(reports: list):
    """A conversation's sound on the bed, watched."""
    return watched(Sound(Audio(), lambda *report: reports.append(report)))


def find(part: np.ndarray, whole: np.ndarray) -> int:
    """Where a stretch of samples lies in a recording, or -1."""
    begins = np.flatnonzero(whole[: whole.size - part.size + 1] == part[0])
    return next((int(at) for at in begins if np.array_equal(whole[at : at + part.size], part)), -1)


def test_speaker_and_microphone_are_exact_to_the_sample(bed, streams_on):
    answer, speech = noise(3, seed=1), noise(3, seed=2)

    def attempt(canary):
        engine = AudioEngine()
        conversation = Conversation(engine)
        # Not at low latency, which a machine crowded with other tests does not keep; the benchmarks do that.
        streams = streams_on(engine, latency=0.2)
        with bed.recording() as recording:
            feeder = bed.speak(speech.tobytes())
            for piece in np.array_split(answer, 20):
                engine.play("a", piece.tobytes())
            engine.finish("a")
            conversation.until(lambda: len(conversation.events) == 2)
            conversation.until(lambda: feeder.poll() is not None)
            conversation.pause(0.3)
            recorded = recording.samples
        streams.close()
        assert find(answer, recorded) >= 0
        assert find(speech, conversation.heard) >= 0
        assert engine.counters().underflows == 0

    undisturbed(attempt)


@pytest.mark.parametrize("latency", ["low", 0.12, 0.2])
def test_barge_in_is_silent_at_once_and_reports_the_heard_part(bed, streams_on, latency):
    def attempt(canary):
        engine = AudioEngine()
        conversation = Conversation(engine)
        streams = streams_on(engine, latency=latency)
        silences, errors = [], []
        with bed.recording() as recording:
            for n in range(8):
                item, value = f"item {n}", 1000 + 100 * n
                engine.play(item, np.full(72_000, value, "<i2").tobytes())
                conversation.until(lambda item=item, n=n: engine.heard_ms(item) > 100 + 7 * n)
                flushed_at = time.monotonic()
                engine.flush()
                (heard,) = engine.settle(streams.speaker.interrupt())
                conversation.pause(0.3)
                silences.append(round(recording.silent_since() - flushed_at, 4))
                # After the first interruption each answer fades in over 72 samples of smaller values.
                recorded = np.count_nonzero(recording.samples == value) + (72 if n else 0)
                errors.append(round(heard.heard_ms - float(recorded) / 24, 1))
        streams.close()
        stall_ms = canary.allowance * 1000
        assert np.median(silences) <= 0.03 + canary.allowance, silences
        assert max(errors) <= 0.1 + stall_ms, errors
        assert np.median(errors) >= -25 - stall_ms, errors

    undisturbed(attempt)


def test_the_next_answer_is_heard_after_an_interruption(bed, streams_on):
    answer = noise(1)

    def attempt(canary):
        engine = AudioEngine()
        conversation = Conversation(engine)
        streams = streams_on(engine, latency="low")
        with bed.recording() as recording:
            engine.play("a", np.full(48000, 9999, "<i2").tobytes())
            conversation.until(lambda: engine.heard_ms("a") > 100)
            engine.flush()
            engine.settle(streams.speaker.interrupt())
            engine.play("a", np.full(48000, 9999, "<i2").tobytes())
            engine.play("b", answer.tobytes())
            engine.finish("b")
            conversation.until(lambda: any(e.item_id == "b" and hasattr(e, "ms") for e in conversation.events))
            conversation.pause(0.2)
            recorded = recording.samples
        streams.close()
        assert find(answer[72:], recorded) >= 0  # the first 3 ms fade in
        assert np.count_nonzero(recorded == 9999) < 24000

    undisturbed(attempt)


def test_the_reported_time_of_the_first_sample_matches_the_recording(bed, streams_on):
    def attempt(canary):
        engine = AudioEngine()
        conversation = Conversation(engine)
        streams = streams_on(engine, latency="low")
        lags = []
        with bed.recording() as recording:
            for n in range(5):
                engine.play(f"item {n}", np.full(4800, 3000, "<i2").tobytes())
                engine.finish(f"item {n}")
                before = len(conversation.events)
                conversation.until(lambda before=before: len(conversation.events) > before)
                conversation.until(lambda before=before: len(conversation.events) > before + 1)
                conversation.pause(0.1)
                lags.append(recording.sound_began() - conversation.events[before].at)
        streams.close()
        # The recorder hands out portions of about 10 ms, after they were played.
        assert -0.005 - canary.allowance <= np.median(lags) <= 0.04 + canary.allowance, lags

    undisturbed(attempt)


def test_a_muted_program_captures_silence_at_the_normal_pace(bed, streams_on):
    engine = AudioEngine()
    conversation = Conversation(engine)
    engine.muted = True
    streams_on(engine)
    feeder = bed.speak(noise(1).tobytes())
    conversation.until(lambda: conversation.heard.size >= 24000)
    conversation.until(lambda: feeder.poll() is not None)
    assert not conversation.heard.any()


def test_a_suspended_microphone_is_noticed_and_goes_on_when_resumed(bed, streams_on):
    engine = AudioEngine()
    conversation = Conversation(engine)
    streams_on(engine)
    conversation.until(lambda: engine.blocks_in > 5)
    bed.pactl("suspend-source", "vmic", "1")
    conversation.until(lambda: engine.stalled() == {"input"})
    assert "stalled" in engine.watchdog.reason("input")
    assert engine.stalled() == {"input"}  # the speaker lives on
    bed.pactl("suspend-source", "vmic", "0")
    conversation.until(lambda: engine.stalled() == set())


async def test_a_microphone_that_ends_is_opened_again(bed):
    speech = noise(2)
    reports: list = []
    async with sound_on(reports) as sound:
        conversation = Conversation(sound.engine)
        bed.pactl("unload-module", "module-remap-source")
        await asyncio.sleep(0.5)
        bed.pactl("load-module", "module-remap-source", "source_name=vmic", "master=vmic_in.monitor", "format=s16le",
                  "rate=24000", "channels=1", "remix=no")  # fmt: skip
        bed.pactl("set-default-source", "vmic")
        # PulseAudio moved the stream to another source without a word, so its end is reported by hand.
        sound.engine.watchdog.ended("input")
        await until(lambda: sound.stalled == {"input"})
        await until(lambda: sound.stalled == set(), "it is back")
        feeder = bed.speak(speech.tobytes())
        await until(lambda: conversation.turn() or feeder.poll() is not None)
        end = time.monotonic() + 0.5
        await until(lambda: conversation.turn() or time.monotonic() > end)
        assert find(speech[24000:26400], conversation.heard) >= 0
    assert [problem for direction, _, problem in reports if direction == "output"] == [""]


async def test_a_frozen_server_does_not_block_the_loop_and_is_used_again_when_it_thaws(bed):
    reports: list = []
    async with sound_on(reports) as sound:
        bed.freeze()
        try:
            began = time.monotonic()
            engine = sound.engine
            engine.play("a", noise(1).tobytes())
            await until(lambda: engine.stalled() == {"input", "output"})
            engine.flush()
            await sound.interrupt()
            assert "does not answer" in reports[-1][2]
            longest, before = 0.0, time.monotonic()
            while time.monotonic() - began < 4:
                await asyncio.sleep(0.01)
                longest, before = max(longest, time.monotonic() - before), time.monotonic()
                while engine.chunk():
                    pass
            assert longest < 2  # a call that waits for the server would wait for all of the 4 s
        finally:
            bed.thaw()
        await until(lambda: sound.stalled == set(), "both are back")
        assert sound.input_open
        assert (await sound.interrupt()) == []
        assert reports[-1][2] == ""


async def test_a_thawed_server_delivers_stale_sound_which_is_dropped(bed, streams_on):
    engine = AudioEngine()
    conversation = Conversation(engine)
    streams_on(engine)
    conversation.until(lambda: engine.blocks_in > 5)
    bed.freeze()
    try:
        began = time.monotonic()
        conversation.until(lambda: engine.stalled() == {"input", "output"})
        conversation.pause(1.5)
        frozen = time.monotonic() - began
    finally:
        bed.thaw()
    conversation.until(lambda: engine.stalled() == set())
    conversation.pause(0.5)
    assert engine.counters().dropped_ms > (frozen - 1.2) * 1000


async def test_a_server_that_is_killed_and_restarted_is_found_again(bed):
    answer = noise(1)
    reports: list = []
    async with sound_on(reports) as sound:
        bed.kill()
        await until(lambda: sound.stalled == {"input", "output"})
        await until(lambda: any("speaker was lost" in problem for _, _, problem in reports))
        await until(lambda: not sound.input_open, "recovery has begun")
        bed.start()
        await until(lambda: sound.stalled == set(), "both are back")
        with bed.recording() as recording:
            sound.engine.play("a", answer.tobytes())
            sound.engine.finish("a")
            await until(lambda: any(hasattr(event, "ms") for event in sound.engine.events()))
            await asyncio.sleep(0.2)
            recorded = recording.samples
        assert find(answer[2400:4800], recorded) >= 0


async def test_switching_the_device_goes_on_and_a_wrong_one_changes_nothing(bed):
    reports: list = []
    async with sound_on(reports) as sound:
        await sound.choose("input", DeviceSpec.parse("pulse"))
        assert reports[-1][1].startswith("pulse, 24000 Hz")
        await sound.choose("input", DeviceSpec.parse("banana"))
        assert reports[-1][2].startswith('no input device matches "banana"')
        assert reports[-1][1].startswith("pulse, 24000 Hz")
        blocks = sound.engine.blocks_in
        await until(lambda: sound.engine.blocks_in > blocks + 5)


def test_the_devices_of_the_bed_are_listed_and_checked(bed):
    devices = {d.name: d for d in list_devices()}
    assert devices["default"].default_input
    assert devices["default"].hostapi == "ALSA"
    assert devices["pulse"].inputs > 0
    for direction in ("input", "output"):
        assert probe(direction, DEFAULT).startswith("default, 24000 Hz, ")


def test_a_server_without_devices_is_distinguished_from_no_server(bed):
    bed.pactl("unload-module", "module-remap-source")
    bed.pactl("unload-module", "module-null-sink")
    try:
        with pytest.raises(AudioError, match="has no source"):
            probe("input", DEFAULT)
        with pytest.raises(AudioError, match="has no sink"):
            probe("output", DEFAULT)
    finally:
        bed.kill()


def test_a_remote_server_gets_a_long_latency_and_the_description_says_so(bed, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    bed.pactl("load-module", "module-native-protocol-tcp", "listen=127.0.0.1", f"port={port}", "auth-anonymous=1")
    monkeypatch.setenv("PULSE_SERVER", f"tcp:127.0.0.1:{port}")
    rescan()
    stream = open_output(AudioEngine(), DEFAULT)
    stream.close()
    assert "the sound server is remote" in stream.description
    assert 150 <= float(stream.description.split(",")[2].split()[0]) <= 300


@pytest.fixture
def jack(monkeypatch, bed):
    """A JACK server that knows 48 kHz only, with the program's output patched to its input."""
    require(
        "" if shutil.which("jackd") and shutil.which("jack_connect") else "JACK is missing (apt-get install jackd2)"
    )
    name = f"bed{os.getpid()}"
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    monkeypatch.delenv("JACK_NO_START_SERVER")
    jackd = subprocess.Popen(
        ["jackd", "-r", "-n", name, "-d", "dummy", "-r", "48000", "-p", "240"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    deadline = time.monotonic() + 60
    while subprocess.run(["jack_lsp"], capture_output=True, check=False).returncode:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    rescan()
    yield
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "none")
    rescan()  # JACK's library aborts the process that leaves a server which has died
    jackd.terminate()
    jackd.wait()


def test_a_device_that_refuses_24_khz_is_opened_at_its_own_rate_and_converted(jack):
    name = next(d.name for d in list_devices() if "JACK" in d.hostapi)
    engine = AudioEngine()
    conversation = Conversation(engine)
    microphone, speaker = open_input(engine, DeviceSpec.parse(name)), open_output(engine, DeviceSpec.parse(name))
    try:
        assert "48000 Hz" in speaker.description
        assert "converted to 24000 Hz" in microphone.description
        speaker.start()
        microphone.start()
        ports = subprocess.run(["jack_lsp"], capture_output=True, text=True, check=True).stdout.split("\n")
        ours = [p for p in ports if not p.startswith("system:")]
        source, sink = next(p for p in ours if "out" in p), next(p for p in ours if "in_" in p)
        subprocess.run(["jack_connect", source, sink], check=True, capture_output=True)
        tone = np.rint(10_000 * np.sin(2 * np.pi * 1000 * np.arange(48_000) / 24_000)).astype("<i2")
        engine.play("a", tone.tobytes())
        engine.finish("a")
        conversation.until(lambda: len(conversation.events) == 2)
        conversation.pause(0.2)
    finally:
        microphone.close()
        speaker.close()
    heard = conversation.heard.astype(float)
    begin = int(np.flatnonzero(np.abs(heard) > 5000)[0])
    middle = heard[begin + 2400 : begin + 36_000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(middle.size)))
    peak = int(spectrum.argmax())
    assert peak * 24_000 / middle.size == pytest.approx(1000, abs=2)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(10_000 / np.sqrt(2), rel=0.02)
    rest = np.delete(spectrum, slice(peak - 8, peak + 9))
    assert 20 * np.log10(rest.max() / spectrum[peak]) < -50


def outside(program: str, **environment: str) -> str:
    """Run a program in a process of its own, for PortAudio is loaded once only."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


PROBE = """
from voicelive_tui.audio.devices import DEFAULT
from voicelive_tui.errors import AudioError
from voicelive_tui.audio.streams import probe
for direction in ("input", "output"):
    try:
        print(probe(direction, DEFAULT))
    except AudioError as error:
        print("failed:", error)
"""


def test_without_the_library_the_package_to_install_is_named():
    found = outside(f"import ctypes.util\nctypes.util.find_library = lambda name: None\n{PROBE}")
    lines = found.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("failed: the PortAudio library is missing: install it") for line in lines)
    assert "libportaudio2" in found


def test_without_a_device_the_message_names_the_remedies(tmp_path):
    require(missing())
    (tmp_path / "asound.conf").write_text("</usr/share/alsa/alsa.conf>\npcm.!default { type pulse }\n")
    found = outside(
        PROBE, PULSE_SERVER=f"unix:{tmp_path}/none", ALSA_CONFIG_PATH=str(tmp_path / "asound.conf"),
        JACK_NO_START_SERVER="1",
    )  # fmt: skip
    assert found.count("failed: no sound device found") == 2
    assert '"none" or "file:PATH.wav"' in found


def test_a_file_is_the_microphone_of_a_real_speaker(bed, tmp_path):
    """Input and output are chosen independently."""
    speech = noise(0.5)
    writer = WavWriter(tmp_path / "speech.wav")
    writer.write(speech.tobytes())
    writer.close()
    engine = AudioEngine()
    conversation = Conversation(engine)
    microphone = open_input(engine, DeviceSpec("file", f"{tmp_path}/speech.wav"))
    speaker = open_output(engine, DEFAULT)
    speaker.start()
    microphone.start()
    with bed.recording() as recording:
        engine.play("a", noise(0.5, seed=9).tobytes())
        engine.finish("a")
        conversation.until(lambda: microphone.input_ended and len(conversation.events) == 2)
        conversation.pause(0.3)
        recorded = recording.samples
    microphone.close()
    speaker.close()
    assert find(speech, conversation.heard) >= 0
    assert recorded.any()
