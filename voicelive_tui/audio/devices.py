"""Devices: how one is named, which of those present a name means, and what every backend of them provides.

Rules of an `AudioBackend`.

- Input and output streams are opened, interrupted and closed independently, and may belong to different backends.
- Every method may block for as long as a sound server is frozen, so the event loop calls none of them directly.
- A started stream calls `engine.fill` or `engine.captured` with times of `time.monotonic`, and informs the engine's
  watchdog when it starts, is closed, and ends by itself.
- Failures are raised as `AudioError`, with a text for the user.
"""

import re
import sys
from dataclasses import dataclass
from typing import Literal, Protocol

from voicelive_tui.audio.engine import AudioEngine, Direction
from voicelive_tui.errors import AudioError

Latency = float | Literal["low"]
"""Output latency in seconds, or "low": the lowest that works on the way to the speaker."""

FALLBACKS = ("default", "pulse", "pipewire")
"""Devices tried in this order if PortAudio names no default that works."""
_NO_DEVICE = {
    "linux": "no sound device found: check that a sound server runs and that the ALSA plugins for it are installed "
    "(Debian, Ubuntu: apt-get install libasound2-plugins); on a remote host forward your own sound server "
    'as the README shows; or use "none" or "file:PATH.wav" as the device',
}.get(sys.platform, 'no sound device found: plug one in, or use "none" or "file:PATH.wav" as the device')


@dataclass(frozen=True, slots=True)
class Device:
    """A device that PortAudio knows."""

    index: int
    name: str
    hostapi: str
    inputs: int
    """Number of input channels."""
    outputs: int
    """Number of output channels."""
    rate: int
    """The device's own rate, samples a second."""
    input_latency: float
    """The lowest it offers, in seconds."""
    output_latency: float
    """The lowest it offers, in seconds."""
    default_input: bool
    default_output: bool

    def channels(self, direction: Direction) -> int:
        return self.inputs if direction == "input" else self.outputs

    def is_default(self, direction: Direction) -> bool:
        return self.default_input if direction == "input" else self.default_output

    def full_names(self) -> tuple[str, ...]:
        """The names that mean this device, in lower case: without its host API, or with it before or after."""
        name, api = self.name.casefold(), self.hostapi.casefold()
        return name, f"{api}: {name}", f"{api}:{name}", f"{name}, {api}"


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """A parsed `--input-device` or `--output-device`; `str()` gives the option's value."""

    kind: Literal["default", "index", "name", "none", "file", "synthetic"]
    value: str = ""
    """The index, the name or a part of it, or the path."""

    @classmethod
    def parse(cls, text: str | int) -> "DeviceSpec":
        """Parse the option's value.

        It is empty for the default device; an index; a name or a unique part of one, with or without its host API
        ("ALSA: pulse"); "none"; or "file:PATH.wav", which is played as the microphone, then silence, or receives what
        the speaker would have played.
        """
        text = str(text)
        if text.startswith("file:"):
            return cls("file", text.removeprefix("file:"))
        if text in {"", "none"}:
            return cls("none" if text else "default")
        return cls("index" if re.fullmatch("[0-9]{1,9}", text) else "name", text)

    def __str__(self) -> str:
        return (
            f"file:{self.value}" if self.kind == "file" else "" if self.kind == "default" else self.value or self.kind
        )

    @property
    def is_hardware(self) -> bool:
        """Whether PortAudio opens it."""
        return self.kind not in {"none", "file", "synthetic"}


DEFAULT, NONE = DeviceSpec("default"), DeviceSpec("none")
SYNTHETIC = DeviceSpec("synthetic")
"""The `Source` that the session was given; no option names it."""


def choose(wanted: DeviceSpec, direction: Direction, devices: list[Device]) -> list[Device]:
    """The devices with channels in this direction that a default, index or name spec means, best first.

    Raises `AudioError` if no device fits, or several do.
    """
    if wanted.kind == "name" and wanted.value.casefold().endswith(".wav"):
        raise AudioError(f'"{wanted}" is not an {direction} device; for a sound file use file:{wanted}')
    able = [device for device in devices if device.channels(direction) > 0]
    if not able:
        raise AudioError(f"no sound device has an {direction}: {_names(devices)}" if devices else _NO_DEVICE)
    if wanted.kind == "default":
        default = [device for device in able if device.is_default(direction)]
        named = [device for name in FALLBACKS for device in able if device.name == name]
        return list(dict.fromkeys(default + named)) or able[:1]
    if wanted.kind == "index":
        found = [device for device in able if device.index == int(wanted.value)]
        if not found:
            raise AudioError(f"there is no {direction} device {wanted}; there are: {_names(able)}")
        return found
    words = wanted.value.casefold()
    found = [device for device in able if words in device.full_names()]
    found = found or [device for device in able if any(words in name for name in device.full_names())]
    if not found:
        raise AudioError(f'no {direction} device matches "{wanted}"; there are: {_names(able)}')
    if len(found) > 1:
        raise AudioError(
            f'"{wanted}" matches several {direction} devices: {_names(found)}; give more of the name, its host API '
            '("ALSA: pulse"), or the index'
        )
    return found


def _names(devices: list[Device]) -> str:
    return ", ".join(f"{device.index} {device.name} ({device.hostapi})" for device in devices)


class Source(Protocol):
    """A synthetic microphone."""

    def read(self, samples: int, heard: bytes, /) -> bytes:
        """The next samples, as PCM16; called every 20 ms in the thread of the stream.

        `heard` is what the speaker played since the last call: PCM16 of any length.
        """


class Stream(Protocol):
    """An open device. Call `start`, then `close`; closing twice is harmless."""

    @property
    def description(self) -> str:
        """Device and format: "pulse, 24000 Hz, 40 ms"."""

    def start(self) -> None: ...

    def close(self) -> None: ...


class InputStream(Stream, Protocol):
    """An open microphone."""

    @property
    def input_ended(self) -> bool:
        """Whether the file in place of the microphone has ended; always False for a device."""


class OutputStream(Stream, Protocol):
    """An open speaker; it plays silence while the engine has nothing else."""

    @property
    def latency(self) -> float:
        """Seconds of sound that the device holds, as reported by it."""

    def interrupt(self) -> float | None:
        """Silence the device at once, whatever it holds, and continue with what the engine has next.

        Returns the time until which the device was certainly heard (monotonic seconds), for `AudioEngine.settle`; None
        if the stream is closed.
        """


class AudioBackend(Protocol):
    """Opens the streams of devices. See the rules in the module's docstring."""

    def open_input(self, engine: AudioEngine, device: DeviceSpec) -> InputStream: ...

    def open_output(self, engine: AudioEngine, device: DeviceSpec, latency: Latency) -> OutputStream: ...

    def rescan(self) -> None:
        """Look for devices that came or went. Ends all streams of this backend."""
