import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from voicelive_tui.audio import pcm, portaudio
from voicelive_tui.audio.devices import AudioError, Device
from voicelive_tui.audio.engine import AudioEngine
from voicelive_tui.audio.portaudio import StreamClock, _explain, choose, server_is_remote
from voicelive_tui.audio.resample import Resampler


def device(index, name, inputs=1, outputs=1, api="ALSA", default=False):
    return Device(index, name, api, inputs, outputs, 44100, 0.01, 0.01, default, default)


DEVICES = [
    device(0, "HDA Intel: ALC256 Analog (hw:0,0)"),
    device(1, "USB Headset: Audio (hw:1,0)", outputs=0),
    device(2, "pulse"),
    device(3, "default", default=True),
    device(4, "USB Headset", api="JACK Audio Connection Kit"),
    device(5, "HDMI 0", inputs=0),
]


@pytest.mark.parametrize(
    ("wanted", "direction", "found"),
    [
        ("", "input", [3, 2]),
        ("0", "input", [0]),
        ("5", "output", [5]),
        ("pulse", "input", [2]),
        ("PULSE", "input", [2]),
        ("alc256", "input", [0]),
        ("hdmi", "output", [5]),
        ("usb headset", "output", [4]),
        ("USB Headset", "input", [4]),  # exact beats part
        ("ALSA: USB Headset: Audio (hw:1,0)", "input", [1]),
        ("alsa: usb", "input", [1]),
        ("jack audio connection kit: usb", "input", [4]),
        ("pulse, ALSA", "output", [2]),
    ],
)
def test_choosing_a_device(wanted, direction, found):
    assert [d.index for d in choose(wanted, direction, DEVICES)] == found


@pytest.mark.parametrize(
    ("wanted", "direction", "kind", "says"),
    [
        ("9", "input", "not_found", "there is no input device 9; there are: 0 HDA Intel"),
        ("1", "output", "not_found", "there is no output device 1"),
        ("banana", "output", "not_found", 'no output device matches "banana"; there are: 0 HDA'),
        ("hw:", "input", "ambiguous", r"\"hw:\" fits several input devices: 0 HDA.*, 1 USB"),
    ],
)
def test_a_name_that_does_not_fit_is_answered_with_the_candidates(wanted, direction, kind, says):
    with pytest.raises(AudioError, match=says) as caught:
        choose(wanted, direction, DEVICES)
    assert caught.value.kind == kind


def test_no_device_at_all_names_the_remedy():
    with pytest.raises(AudioError, match=r"no sound device found.*README") as caught:
        choose("", "input", [])
    assert caught.value.kind == "no_device"
    with pytest.raises(AudioError, match="no sound device has an input: 5 HDMI 0"):
        choose("", "input", DEVICES[5:])


def test_without_a_default_the_sound_servers_are_tried():
    devices = [device(0, "hw:0"), device(1, "pipewire"), device(2, "pulse")]
    assert [d.name for d in choose("", "output", devices)] == ["pulse", "pipewire"]
    assert [d.name for d in choose("", "output", devices[:1])] == ["hw:0"]


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
def test_where_the_sound_server_is(environment, remote):
    assert server_is_remote(environment) is remote


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


def test_the_clock_begins_anew_when_either_is_set():
    clock = StreamClock()
    clock.offset(1.0, 501.0)
    assert clock.offset(3601.02, 501.02) == pytest.approx(-3100)
    assert clock.offset(1.04, 501.04) == pytest.approx(500)


class PortAudioError(Exception):
    """As sounddevice raises it: text, code, and the host API's own error."""

    def __str__(self) -> str:
        return self.args[0]


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (PortAudioError("Invalid sample rate", -9997), "rate_refused", "neither 24000 Hz nor its own 44100 Hz"),
        (PortAudioError("Device unavailable", -9985), "busy", "busy"),
        (PortAudioError("Unanticipated host error", -9999, (0, -16, "Device or resource busy")), "busy", "busy"),
        (PortAudioError("Illegal combination of I/O devices", -9993), "no_server", "its sound server is gone"),
        (PortAudioError("Unanticipated", -9999, (0, -5, "Input/output error")), "no_server", "has no sink"),
        (PortAudioError("Something\nnew", -9000), "other", "cannot be opened: Something new"),
        (PortAudioError("Error querying device -1"), "other", "Error querying device -1"),
    ],
)
def test_errors_are_explained(error, kind, says):
    explained = _explain(error, DEVICES[2], "output")
    assert explained.kind == kind
    assert says in str(explained)
    assert 'the output device "pulse"' in str(explained)
    assert "\n" not in str(explained)


class Refusing:
    """Stands in for sounddevice: streams of a device that knows one rate and one channel count only."""

    PortAudioError = PortAudioError

    def __init__(self, rate: int, channels: int) -> None:
        self.rate, self.channels = rate, channels
        self.RawInputStream = self.RawOutputStream = self.open

    def open(self, **wanted):
        if wanted["samplerate"] != self.rate:
            raise PortAudioError("Invalid sample rate", -9997)
        if wanted["channels"] != self.channels:
            raise PortAudioError("Invalid number of channels", -9998)
        self.wanted = wanted
        return SimpleNamespace(latency=0.03)


@pytest.fixture
def refusing(monkeypatch):
    def install(rate, channels):
        fake = Refusing(rate, channels)
        monkeypatch.setattr(portaudio, "load", lambda: fake)
        return fake, dataclasses.replace(DEVICES[0], rate=rate)

    return install


TIMES = SimpleNamespace(currentTime=0.0, inputBufferAdcTime=0.0, outputBufferDacTime=0.0)
FINE = SimpleNamespace(input_overflow=False, output_underflow=False)


@pytest.mark.parametrize("rate", [24_000, 48_000, 44_100, 11_025])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_device_with_its_own_rate_and_channels_plays_the_same_sound(refusing, rate, channels):
    fake, found = refusing(rate, channels)
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
def test_a_device_with_its_own_rate_and_channels_captures_the_same_sound(refusing, rate, channels):
    fake, found = refusing(rate, channels)
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


def test_a_device_that_takes_no_rate_is_refused_in_words(refusing):
    _, found = refusing(48_000, 3)
    with pytest.raises(AudioError, match=r"Invalid number of channels"):
        portaudio.PortAudioInput(AudioEngine(), found, "low")
    with pytest.raises(AudioError, match=r"takes neither 24000 Hz nor its own 44100 Hz"):
        portaudio.PortAudioInput(AudioEngine(), dataclasses.replace(found, rate=44_100), "low")


def test_where_portaudio_tells_no_time_the_latency_stands_in():
    clock = StreamClock()
    assert clock.at(0.0, 0.0, 50.0, 0.04) == pytest.approx(50.04)
    assert clock.at(7.03, 7.0, 50.0, 0.04) == pytest.approx(50.03)
