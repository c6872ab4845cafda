"""Backends: who drives an `AudioEngine`, how a device is named, and how blocking calls are kept off the event loop.

Rules of an `AudioBackend`.

- Input and output are opened, cut and closed independently, and may belong to different backends.
- Every method may block for as long as a sound server likes, even for ever. The loop never calls them directly but
  through `run_bounded` (or in a thread of its own), one call at a time.
- A started stream calls ``engine.fill`` or ``engine.captured`` with times of `time.monotonic`, and tells the
  engine's watchdog when it starts, is closed, and ends by itself.
- What goes wrong is an `AudioError`, which the user can read.

A new backend is a module with such a class, and one line in `BACKENDS`.
"""

import importlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from voicelive_tui.audio.engine import AudioEngine, Direction

Kind = Literal[
    "no_library", "no_device", "no_server", "not_found", "ambiguous", "busy", "rate_refused", "file", "timeout", "other"
]
Latency = float | Literal["low"]
"""Output latency in seconds, or "low": the lowest that serves on the way to the speaker."""

TIME_LIMIT = 5.0
"""Seconds allowed to a call that opens, closes or lists devices."""
CUT_TIME_LIMIT = 1.0
"""Seconds allowed to a cut: 2 ms are usual, over a network two round trips."""
THREAD_PREFIX = "audio: "
"""How the threads of blocking calls are named; see `hanging`."""

_T = TypeVar("_T")


class AudioError(Exception):
    """Sound does not work; the text is one sentence or two with the remedy.

    Attributes:
        kind: What sort of trouble, for code that acts on it.
    """

    def __init__(self, text: str, kind: Kind = "other") -> None:
        super().__init__(text)
        self.kind = kind


class Source(Protocol):
    """A synthetic microphone, given to the "none" input."""

    def read(self, frames: int, heard: bytes) -> bytes:
        """The next sound (called in the pacing thread, every 20 ms).

        Args:
            frames: How many frames to return.
            heard: What the speaker played meanwhile, PCM16 of any length.
        """


class InputStream(Protocol):
    """An open microphone. `start`, then `close`."""

    @property
    def description(self) -> str:
        """Device and format for logs: "pulse, 24000 Hz, 40 ms"."""

    @property
    def input_ended(self) -> bool:
        """True once a file that stands in for the microphone is over; a device never ends."""

    def start(self) -> None:
        """Begin to capture."""

    def close(self) -> None:
        """End; closing again is harmless."""


class OutputStream(Protocol):
    """An open speaker. `start`, then `cut` as often as needed, then `close`."""

    @property
    def latency(self) -> float:
        """Seconds that the device holds, by its own account."""

    @property
    def description(self) -> str:
        """Device and format for logs: "pulse, 24000 Hz, 40 ms"."""

    def start(self) -> None:
        """Begin to play; the stream plays silence while the engine has nothing else."""

    def cut(self) -> float:
        """Silence the device now, whatever it holds, and go on with what the engine has next.

        Returns:
            Up to when the device was certainly still heard (monotonic seconds): for ``engine.settle``.
        """

    def close(self) -> None:
        """End; closing again is harmless."""


class AudioBackend(Protocol):
    """Opens streams. See the rules at the head of this module."""

    def open_input(self, engine: AudioEngine, device: str, source: Source | None) -> InputStream:
        """Open a microphone; an `AudioError` tells why not."""

    def open_output(self, engine: AudioEngine, device: str, latency: Latency) -> OutputStream:
        """Open a speaker; an `AudioError` tells why not."""

    def devices(self) -> list["Device"]:
        """The devices there are."""

    def rescan(self) -> None:
        """Look for devices anew. Streams of this backend must be closed before."""


@dataclass(frozen=True, slots=True)
class Device:
    """One device, as ``devices`` lists it."""

    index: int
    name: str
    hostapi: str
    inputs: int
    """Channels."""
    outputs: int
    """Channels."""
    rate: int
    """The device's own rate, frames a second."""
    input_latency: float
    """The lowest it offers, seconds."""
    output_latency: float
    """The lowest it offers, seconds."""
    default_input: bool
    default_output: bool


BACKENDS = {
    "none": "voicelive_tui.audio.paced:PacedBackend",
    "file:": "voicelive_tui.audio.paced:PacedBackend",
    "": "voicelive_tui.audio.portaudio:PortAudioBackend",
}
"""Device name, or how it begins (with a colon), to the backend's class. The empty beginning fits all other names."""


def backend_for(device: str) -> AudioBackend:
    """The backend of a device name. Its module is imported only now, PortAudio's may take a while."""
    key = next(k for k in BACKENDS if device == k or (k.endswith(":") and device.startswith(k)) or not k)
    module, _, name = BACKENDS[key].partition(":")
    backend: AudioBackend = getattr(importlib.import_module(module), name)()
    return backend


class Input:
    """A chosen microphone, not yet open."""

    def __init__(self, device: str, source: Source | None = None) -> None:
        self.device = device
        self._source = source

    def open(self, engine: AudioEngine) -> InputStream:
        """Open it (blocking). An `AudioError` tells why it cannot be."""
        return backend_for(self.device).open_input(engine, self.device, self._source)


class Output:
    """A chosen speaker, not yet open."""

    def __init__(self, device: str, latency: Latency = "low") -> None:
        self.device = device
        self._latency = latency

    def open(self, engine: AudioEngine) -> OutputStream:
        """Open it (blocking). An `AudioError` tells why it cannot be."""
        return backend_for(self.device).open_output(engine, self.device, self._latency)


def input_for(device: str, source: Source | None = None) -> Input:
    """Choose a microphone.

    Args:
        device: Empty for the default device; its index; its name or a unique part of it, the name of its host API
            before it or not ("ALSA: pulse"); "none" for none; "file:PATH.wav" to play a file in real time, then
            silence.
        source: For "none": stands in for the microphone.
    """
    return Input(device, source)


def output_for(device: str, latency: Latency = "low") -> Output:
    """Choose a speaker.

    Args:
        device: As for `input_for`; "none" for nobody, "file:PATH.wav" writes what the speaker would have played.
        latency: Of the device.
    """
    return Output(device, latency)


def list_devices() -> list[Device]:
    """All devices that PortAudio knows (blocking).

    Raises:
        AudioError: PortAudio is not there, or fails.
    """
    return backend_for("").devices()


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether one direction works."""

    direction: Direction
    ok: bool
    sentence: str


def check(input_device: str, output_device: str, latency: Latency = "low") -> list[Checked]:
    """Open and close what a conversation would use (blocking; each direction at most `TIME_LIMIT`).

    A file that would be written is not touched.
    """
    engine = AudioEngine()

    def trial(direction: Direction, device: str) -> Checked:
        def attempt() -> str:
            if direction == "output" and device.startswith("file:"):
                path = Path(device.removeprefix("file:"))
                if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
                    raise AudioError(f"cannot write {path}", "file")
                return device
            stream: InputStream | OutputStream = (
                input_for(device).open(engine) if direction == "input" else output_for(device, latency).open(engine)
            )
            stream.close()
            return stream.description

        try:
            return Checked(direction, ok=True, sentence=run_bounded(attempt, f"opening the audio {direction}"))
        except AudioError as error:
            return Checked(direction, ok=False, sentence=str(error))

    return [trial("input", input_device), trial("output", output_device)]


def run_bounded(call: Callable[[], _T], what: str, limit: float = TIME_LIMIT) -> _T:
    """Run a blocking call in a daemon thread and wait for it, but not for ever.

    A call that outlives its limit is left alone; see `hanging`.

    Args:
        call: What to run.
        what: What it does, for the message: "opening the microphone".
        limit: Seconds.

    Raises:
        AudioError: Of kind "timeout" when it took too long; whatever the call itself raises.
    """
    result: list[_T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            result.append(call())
        except BaseException as error:  # handed to the caller's thread
            failure.append(error)

    thread = threading.Thread(target=run, name=f"{THREAD_PREFIX}{what}", daemon=True)
    thread.start()
    thread.join(limit)
    if thread.is_alive():
        raise AudioError(f"{what} took longer than {limit:g} s: the sound server does not answer", "timeout")
    if failure:
        raise failure[0]
    return result[0]


def hanging() -> bool:
    """Whether a blocking call still hangs. Then leave by `os._exit`: PortAudio's own exit handler would hang too."""
    return any(thread.name.startswith(THREAD_PREFIX) for thread in threading.enumerate())
