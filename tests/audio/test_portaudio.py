import dataclasses
import functools
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.audio import pcm, portaudio
from voicelive_tui.audio.devices import Device, DeviceSpec
from voicelive_tui.audio.engine import AudioEngine
from voicelive_tui.audio.portaudio import PortAudioBackend, StreamClock, server_is_remote
from voicelive_tui.audio.resample import Resampler
from voicelive_tui.errors import AudioError


def device(index, name, inputs=1, outputs=1, api="ALSA", default=False):
    return Device(index, name, api, inputs, outputs, 44100, 0.01, 0.01, default, default)


DEVICES = [device(0, "HDA Intel: ALC256 Analog (hw:0,0)"), device(1, "default"), device(2, "pulse")]


@pytest.mark.parametrize(
    ("environment", "remote"),
    [
        ({}, False),
        ({"PULSE_SERVER": ""}, False),
        ({"PULSE_SERVER": "unix:/run/user/1000/pulse/native"}, False),
        ({"PULSE_SERVER": "/run/user/1000/pulse/native"}, False),
        ({"PULSE_SERVER": "{0123abc}unix:/run/pulse tcp:elsewhere"}, False),
        ({"PULSE_SERVER": "tcp:127.0.0.1:24713"}, True),
        ({"PULSE_SERVER": "laptop.example"}, True),
        ({"PULSE_SERVER": "unix:/tmp/pulse-user.sock", "SSH_CONNECTION": "1.2.3.4 5 6.7.8.9 22"}, True),
        ({"SSH_CONNECTION": "1.2.3.4 5 6.7.8.9 22"}, False),
    ],
)
def test_a_sound_server_is_remote_or_local_by_its_address(environment, remote):
    assert server_is_remote(environment) is remote


@given(st.text(), st.booleans())
def test_any_address_of_a_sound_server_is_either_remote_or_local(address, ssh):
    assert server_is_remote({"PULSE_SERVER": address} | ({"SSH_CONNECTION": "1"} if ssh else {})) in {True, False}


def test_the_clock_takes_the_least_delayed_of_late_callbacks():
    clock = StreamClock()
    rng = np.random.default_rng(3)
    offsets = [
        clock.offset(n * 0.02, 500.0 + n * 0.02 + delay) for n, delay in enumerate(rng.exponential(0.005, size=500))
    ]
    assert max(abs(o - 500.0) for o in offsets[50:]) < 0.001


def test_the_clock_follows_a_drift():
    clock = StreamClock()
    for n in range(50_000):
        offset = clock.offset(n * 0.02, 500.0 + n * 0.02 * (1 + 200e-6))
    assert offset == pytest.approx(500.0 + 1000 * 200e-6, abs=0.0005)


def test_the_clock_resets_when_either_is_set():
    clock = StreamClock()
    clock.offset(1.0, 501.0)
    assert clock.offset(3601.02, 501.02) == pytest.approx(-3100)
    assert clock.offset(1.04, 501.04) == pytest.approx(500)


class PortAudioError(Exception):
    """As sounddevice raises it: text, code, and the host API's own error."""

    def __str__(self) -> str:
        return self.args[0]


class SoundDevice:
    """Stands in for the module sounddevice, with devices that accept one rate and one channel count.

    Attributes:
        wanted: The arguments of the last stream opened.
        failure: Raised by the next call that opens or starts a stream.
        journal: The calls, in order.
        hold: Calls that wait until their event is set.
    """

    PortAudioError = PortAudioError
    default = SimpleNamespace(device=(1, 1))

    def __init__(self, rate: int = 24_000, channels: int = 1) -> None:
        self.rate, self.channels = rate, channels
        self.RawInputStream = self.RawOutputStream = self.open
        self.failure: PortAudioError | None = None
        self.journal: list[str] = []
        self.hold: dict[str, threading.Event] = {}

    def call(self, what: str) -> None:
        self.journal.append(what)
        if what in self.hold:
            self.hold[what].wait()
        if self.failure and what in {"open", "start"}:
            raise self.failure

    def open(self, **wanted):
        self.call("open")
        if wanted["samplerate"] != self.rate:
            raise PortAudioError("Invalid sample rate", -9997)
        if wanted["channels"] != self.channels:
            raise PortAudioError("Invalid number of channels", -9998)
        self.wanted = wanted
        calls = {what: functools.partial(self.call, what) for what in ("start", "abort", "close")}
        return SimpleNamespace(latency=0.03, **calls)

    def query_hostapis(self):
        return [{"name": "ALSA"}]

    def query_devices(self):
        keys = ("max_input_channels", "max_output_channels", "default_samplerate")
        latencies = {"default_low_input_latency": 0.01, "default_low_output_latency": 0.01}
        return [
            {
                "index": d.index,
                "name": d.name,
                "hostapi": 0,
                **dict(zip(keys, (1, 1, 44_100.0), strict=True)),
                **latencies,
            }
            for d in DEVICES
        ]

    def _terminate(self) -> None:
        self.call("terminate")

    def _initialize(self) -> None:
        self.call("initialize")


@pytest.fixture
def install(monkeypatch):
    def install(rate=24_000, channels=1):
        fake = SoundDevice(rate, channels)
        monkeypatch.setitem(sys.modules, "sounddevice", fake)
        return fake, dataclasses.replace(DEVICES[0], rate=rate)

    return install


PULSE = DeviceSpec.parse("pulse")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (PortAudioError("Invalid sample rate", -9997), "neither 24000 Hz nor its own 44100 Hz"),
        (PortAudioError("Device unavailable", -9985), "busy"),
        (PortAudioError("Unanticipated host error", -9999, (0, -16, "Device or resource busy")), "busy"),
        (PortAudioError("Illegal combination of I/O devices", -9993), "its sound server is gone"),
        (PortAudioError("Unanticipated", -9999, (0, -5, "Input/output error")), "has no sink"),
        (PortAudioError("Something\nnew", -9000), "cannot be opened: Something new"),
        (PortAudioError("Error querying device -1"), "Error querying device -1"),
    ],
)
def test_errors_are_explained(install, error, says):
    fake, _ = install()
    fake.failure = error
    with pytest.raises(AudioError) as caught:
        PortAudioBackend().open_output(AudioEngine(), PULSE, "low")
    assert says in str(caught.value)
    assert 'the output device "pulse"' in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_closed_stream_ignores_interruptions_and_further_closing(install):
    fake, _ = install()
    stream = PortAudioBackend().open_output(AudioEngine(), PULSE, "low")
    stream.start()
    assert stream.interrupt() is not None
    stream.close()
    assert stream.interrupt() is None
    stream.close()
    with pytest.raises(AudioError, match="closed before its start"):
        stream.start()
    assert fake.journal == ["open", "start", "abort", "start", "abort", "close"]


def test_a_stream_that_does_not_come_back_after_an_interruption_is_lost(install):
    fake, _ = install()
    engine = AudioEngine()
    stream = PortAudioBackend().open_output(engine, PULSE, "low")
    stream.start()
    fake.failure = PortAudioError("Illegal combination of I/O devices", -9993)
    with pytest.raises(AudioError, match="its sound server is gone"):
        stream.interrupt()
    assert engine.stalled() == {"output"}
    stream.close()


def test_a_restart_of_portaudio_first_closes_the_streams_that_were_left(install):
    fake, _ = install()
    backend = PortAudioBackend()
    stream = backend.open_output(AudioEngine(), PULSE, "low")
    backend.rescan()
    stream.close()
    assert fake.journal == ["open", "abort", "close", "terminate", "initialize"]


def test_while_a_call_hangs_others_fail_with_a_sentence_but_the_speaker_can_be_interrupted(install, monkeypatch):
    monkeypatch.setattr(portaudio, "SERIAL_LIMIT", 0.05)
    fake, _ = install()
    backend = PortAudioBackend()
    speaker = backend.open_output(AudioEngine(), PULSE, "low")
    speaker.start()
    fake.hold["open"] = threading.Event()
    hanging = threading.Thread(target=lambda: backend.open_input(AudioEngine(), PULSE).close())
    hanging.start()
    while fake.journal[-1] != "open":
        hanging.join(0.01)
    for call in (portaudio.list_devices, backend.rescan, lambda: backend.open_input(AudioEngine(), PULSE)):
        with pytest.raises(AudioError, match="the sound server does not answer"):
            call()
    assert speaker.interrupt() is not None
    fake.hold["open"].set()
    hanging.join()
    speaker.close()
    assert fake.journal[-2:] == ["abort", "close"]


def test_closing_waits_for_an_interruption_that_hangs(install):
    fake, _ = install()
    stream = PortAudioBackend().open_output(AudioEngine(), PULSE, "low")
    stream.start()
    fake.hold["abort"] = threading.Event()
    threads = [threading.Thread(target=stream.interrupt), threading.Thread(target=stream.close)]
    for thread in threads:
        thread.start()
        while "abort" not in fake.journal:
            thread.join(0.01)
    threads[1].join(0.05)
    assert "close" not in fake.journal
    fake.hold["abort"].set()
    for thread in threads:
        thread.join()
    assert fake.journal == ["open", "start", "abort", "start", "abort", "close"]


TIMES = SimpleNamespace(currentTime=0.0, inputBufferAdcTime=0.0, outputBufferDacTime=0.0)
FINE = SimpleNamespace(input_overflow=False, output_underflow=False)


@pytest.mark.parametrize("rate", [24_000, 48_000, 44_100, 11_025])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_device_with_its_own_rate_and_channels_plays_the_same_sound(install, rate, channels):
    fake, found = install(rate, channels)
    engine = AudioEngine()
    stream = portaudio.PortAudioOutput(engine, found, "low")
    assert f"{rate} Hz" in stream.description
    assert ("converted" in stream.description) is (rate != 24_000)
    tone = np.rint(10_000 * np.sin(np.arange(24_000) * 0.1)).astype("<i2")
    engine.play("a", tone.tobytes())
    engine.finish("a")
    blocks = []
    for _ in range(50):
        out = bytearray(fake.wanted["blocksize"] * channels * 2)
        fake.wanted["callback"](out, fake.wanted["blocksize"], TIMES, FINE)
        blocks.append(np.frombuffer(out, "<i2").reshape(-1, channels))
    heard = np.concatenate(blocks)
    assert (heard == heard[:, :1]).all()
    expected = pcm.samples(Resampler(24_000, rate).process(tone.tobytes()))
    size = min(len(heard), expected.size)
    assert size > rate * 0.98
    assert heard[:size, 0].tolist() == expected[:size].tolist()


@pytest.mark.parametrize("rate", [24_000, 48_000, 44_100, 11_025])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_device_with_its_own_rate_and_channels_captures_the_same_sound(install, rate, channels):
    fake, found = install(rate, channels)
    engine = AudioEngine(chunk_ms=20)
    portaudio.PortAudioInput(engine, found, "low")
    tone = np.rint(10_000 * np.sin(np.arange(rate) * 0.1)).astype("<i2")
    captured = b""
    block = fake.wanted["blocksize"]
    for start in range(0, rate - block + 1, block):
        inside = np.repeat(tone[start : start + block], channels).tobytes()
        fake.wanted["callback"](inside, block, TIMES, FINE)
        while chunk := engine.chunk():
            captured += chunk.pcm
    expected = Resampler(rate, 24_000).process(tone.tobytes())
    assert len(captured) > 46_000
    assert expected.startswith(captured)


def test_a_device_that_accepts_no_rate_is_refused_with_a_sentence(install):
    _, found = install(48_000, 3)
    with pytest.raises(AudioError, match=r"Invalid number of channels"):
        portaudio.PortAudioInput(AudioEngine(), found, "low")
    with pytest.raises(AudioError, match=r"takes neither 24000 Hz nor its own 44100 Hz"):
        portaudio.PortAudioInput(AudioEngine(), dataclasses.replace(found, rate=44_100), "low")


def test_without_times_from_portaudio_the_latency_is_used():
    clock = StreamClock()
    assert clock.at(0.0, 0.0, 50.0, 0.04) == pytest.approx(50.04)
    assert clock.at(7.03, 7.0, 50.0, 0.04) == pytest.approx(50.03)
