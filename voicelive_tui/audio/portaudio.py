"""PortAudio through sounddevice: one input stream and one output stream, each on its own, driving an engine.

Two one-way streams, not one duplex stream: in a duplex stream an uneven microphone starves the speaker, neither side
can be lost alone, and the speaker cannot be interrupted without the microphone. Blocks of 20 ms; the input always at
low latency, since higher values make its callbacks come in bursts.

Calls. PortAudio is not made for calls from several threads, and a call hangs while a sound server is frozen. So
opening, closing, listing and rescanning take one lock, `_serial`, and fail with a sentence if an earlier call holds it
for `SERIAL_LIMIT`; only closing waits for as long as it takes, so that no stream is left behind. Interrupting the
speaker waits for nothing but the closing of that speaker.

Rates. A device that refuses 24,000 Hz is opened at its own rate and converted; one that refuses a single channel is
opened with two.
"""

import contextlib
import importlib
import math
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, TypeVar

from voicelive_tui.audio import pcm
from voicelive_tui.audio.devices import Device, DeviceSpec, Latency, choose
from voicelive_tui.audio.engine import AudioEngine, Direction
from voicelive_tui.audio.format import BLOCK_BYTES, BLOCK_SECONDS, SAMPLE_RATE, SAMPLE_WIDTH
from voicelive_tui.audio.resample import Resampler
from voicelive_tui.errors import AudioError

SERIAL_LIMIT = 0.5
"""Seconds to wait for an earlier call; one that takes longer hangs with the sound server."""
REMOTE_LATENCY = 0.2
"""Output latency in seconds if the sound server is at the other end of a network, unless a number was chosen."""
DAC_MARGIN = 0.005
"""Seconds by which DAC times may be early: what was heard, computed from them, was 0 to 13 ms less than the recording
on an idle machine, and once 2 ms more on a busy one."""

_serial = threading.Lock()
_open_streams: "set[_Stream]" = set()
"""Written under `_serial`. Rescanning frees them, and a stream must not be used after that."""

# PortAudio's error codes that mean something to users.
_INVALID_RATE, _INVALID_CHANNELS = -9997, -9998
_UNANTICIPATED, _BAD_DEVICES, _UNAVAILABLE = -9999, -9993, -9985

_INSTALL = {
    "linux": "install it (Debian, Ubuntu: apt-get install libportaudio2 libasound2-plugins; "
    "Fedora: dnf install portaudio alsa-plugins-pulseaudio)",
    "darwin": "install it (brew install portaudio)",
}.get(sys.platform, "reinstall the Python package sounddevice, which brings it")


@contextlib.contextmanager
def _serialised() -> Iterator[None]:
    if not _serial.acquire(timeout=SERIAL_LIMIT):
        raise AudioError("the sound server does not answer")
    try:
        yield
    finally:
        _serial.release()


def load() -> ModuleType:
    """Import sounddevice, which initialises PortAudio: it takes a while, and hangs with a frozen sound server.

    Raises `AudioError` if the PortAudio library is missing or cannot start.
    """
    try:
        return importlib.import_module("sounddevice")
    except OSError as error:
        if "not found" in str(error):
            raise AudioError(f"the PortAudio library is missing: {_INSTALL}") from None
        raise AudioError(f"the PortAudio library cannot be loaded ({error}): {_INSTALL}") from None
    except Exception as error:  # PortAudioError is in the module that failed to load
        raise AudioError(f"PortAudio cannot start: {_one_line(error)}") from None


def list_devices() -> list[Device]:
    """All devices in PortAudio's order (blocking). Raises `AudioError` if PortAudio is missing or fails."""
    with _serialised():
        sd = load()
        try:
            apis = [api["name"] for api in sd.query_hostapis()]
            default_in, default_out = sd.default.device
            return [
                Device(
                    index=info["index"],
                    name=info["name"],
                    hostapi=apis[info["hostapi"]],
                    inputs=info["max_input_channels"],
                    outputs=info["max_output_channels"],
                    rate=round(info["default_samplerate"]),
                    input_latency=info["default_low_input_latency"],
                    output_latency=info["default_low_output_latency"],
                    default_input=info["index"] == default_in,
                    default_output=info["index"] == default_out,
                )
                for info in sd.query_devices()
            ]
        except sd.PortAudioError as error:
            raise AudioError(f"PortAudio cannot list the sound devices: {_one_line(error)}") from None


def server_is_remote(environment: dict[str, str] | os._Environ[str] = os.environ) -> bool:
    """Whether PULSE_SERVER names a server on another machine.

    A TCP address counts as one, even of this host: sound servers are forwarded that way. So does a socket in an SSH
    session, since a local server needs no PULSE_SERVER.
    """
    server = environment.get("PULSE_SERVER", "")
    address = re.sub(r"^\{[^}]*\}", "", server.split()[0]) if server.split() else ""
    if not address:
        return False
    return not address.startswith(("/", "unix:")) or "SSH_CONNECTION" in environment


_S = TypeVar("_S", bound="_Stream")


class StreamClock:
    """Translates PortAudio's stream time to `time.monotonic`.

    The two differ by a constant. Each callback sees that difference plus its own wait for the interpreter, so the
    smallest recent value is used, raised by 10 µs a callback to follow drift. A jump of more than 0.1 s below or 1 s
    above resets it: PortAudio's clock may be the wall clock, which can be set.
    """

    RISE = 10e-6

    def __init__(self) -> None:
        self._offset = math.nan

    def at(self, stamp: float, stream_now: float, now: float, usual: float) -> float:
        """A stream time as monotonic time.

        Args:
            stamp: PortAudio's time at the converter; some host APIs leave it zero.
            stream_now: PortAudio's current time.
            now: The time of the call.
            usual: Offset of the converter from now, used if there is no stamp.
        """
        if not stamp or not stream_now:
            return now + usual
        return stamp + self.offset(stream_now, now)

    def offset(self, stream_now: float, now: float) -> float:
        """The difference to add to a stream time, given PortAudio's current time and the time of the call."""
        seen = now - stream_now
        if not -0.1 < seen - self._offset < 1.0:
            self._offset = seen
        self._offset = min(self._offset + self.RISE, seen)
        return self._offset


class _Stream:
    """A stream of either direction, opened at a rate and channel count that the device accepts."""

    direction: Direction

    def __init__(self, engine: AudioEngine, device: Device, latency: Latency, note: str = "") -> None:
        self._engine = engine
        self._sd = load()
        self._device = device
        self._clock = StreamClock()
        self._expected_end = self._closed = False
        self._life = threading.Lock()  # keeps `interrupt` and `free` apart
        self.input_ended = False
        self._stream = self._open(latency)
        _open_streams.add(self)
        self.latency: float = self._stream.latency
        self.description = f"{device.name}, {self.rate} Hz, {self.latency * 1000:.0f} ms{note}"
        if self.rate != SAMPLE_RATE:
            self.description += f", converted to {SAMPLE_RATE} Hz"

    def _open(self, latency: Latency) -> Any:
        """Open at 24 kHz mono; change the rate or the channels if the device refuses them."""
        sd, make = self._sd, self._sd.RawInputStream if self.direction == "input" else self._sd.RawOutputStream
        self.rate, self.channels = SAMPLE_RATE, 1
        while True:
            try:
                return make(
                    samplerate=self.rate,
                    blocksize=round(self.rate * BLOCK_SECONDS),
                    device=self._device.index,
                    channels=self.channels,
                    dtype="int16",
                    latency=latency,
                    callback=self._prepare(),
                    finished_callback=self._finished,
                )
            except sd.PortAudioError as error:
                code = error.args[1] if len(error.args) > 1 else 0
                if code == _INVALID_RATE and self.rate == SAMPLE_RATE != self._device.rate:
                    self.rate = self._device.rate
                elif code == _INVALID_CHANNELS and self.channels == 1:
                    self.channels = 2
                else:
                    raise _explain(error, self._device, self.direction) from None

    def _prepare(self) -> Callable[..., None]:
        raise NotImplementedError

    def start(self) -> None:
        with _serialised(), self._life:
            if self._closed:
                raise AudioError(f"the {self.direction} stream was closed before its start")
            self._engine.watchdog.opened(self.direction)
            try:
                self._stream.start()
            except self._sd.PortAudioError as error:
                self._engine.watchdog.closed(self.direction)
                raise _explain(error, self._device, self.direction) from None

    def close(self) -> None:
        """End the stream without playing what is buffered; closing twice is harmless."""
        self._engine.watchdog.closed(self.direction)
        with _serial:
            self.free()

    def free(self) -> None:
        """Close the stream; `_serial` is held."""
        with self._life:
            if self._closed:
                return
            self._closed = self._expected_end = True
            _open_streams.discard(self)
            # abort, as stop() waits for what is buffered. Errors of a device that is gone are expected.
            with contextlib.suppress(self._sd.PortAudioError):
                self._stream.abort()
                self._stream.close()

    def _finished(self) -> None:
        if not self._expected_end:
            self._engine.watchdog.ended(self.direction)


class PortAudioInput(_Stream):
    """An open microphone."""

    direction: Direction = "input"

    def _prepare(self) -> Callable[..., None]:
        captured, clock, monotonic = self._engine.captured, self._clock, time.monotonic
        resampler, channels = Resampler(self.rate, SAMPLE_RATE), self.channels

        def callback(indata: Any, _samples: int, times: Any, status: Any) -> None:
            now = monotonic()
            at = clock.at(times.inputBufferAdcTime, times.currentTime, now, -self.latency) - resampler.delay
            sound = resampler.process(pcm.to_mono(memoryview(indata).cast("B"), channels))
            captured(sound, at, now, overflow=bool(status.input_overflow))

        return callback


class PortAudioOutput(_Stream):
    """An open speaker."""

    direction: Direction = "output"

    def _prepare(self) -> Callable[..., None]:
        fill, clock, monotonic = self._engine.fill, self._clock, time.monotonic
        resampler, channels, ready = Resampler(SAMPLE_RATE, self.rate), self.channels, bytearray()

        def callback(outdata: Any, samples: int, times: Any, status: Any) -> None:
            now = monotonic()
            at = clock.at(times.outputBufferDacTime, times.currentTime, now, self.latency) + resampler.delay
            # The rest of the previous block (only if 20 ms is not a whole number of the device's samples).
            at += len(ready) / SAMPLE_WIDTH / self.rate
            underflow = bool(status.output_underflow)
            while len(ready) < samples * SAMPLE_WIDTH:
                block = bytearray(BLOCK_BYTES)
                fill(memoryview(block), at, now, underflow=underflow)
                ready.extend(resampler.process(memoryview(block)))
                at, underflow = at + BLOCK_SECONDS, False
            memoryview(outdata).cast("B")[:] = pcm.to_channels(bytes(ready[: samples * SAMPLE_WIDTH]), channels)
            del ready[: samples * SAMPLE_WIDTH]

        return callback

    def interrupt(self) -> float | None:
        """Abort the stream and start it again: silence within about 10 ms at any latency.

        Dropping only the engine's queue lets the device play what it holds: 40 to 65 ms at low latency, 125 to 165 at
        0.1 s. Raises `AudioError` if the stream did not start again.
        """
        with self._life:
            if self._closed:
                return None
            heard_until = time.monotonic() - DAC_MARGIN
            self._expected_end = True
            try:
                self._stream.abort()
                self._stream.start()
            except self._sd.PortAudioError as error:
                self._engine.watchdog.ended(self.direction)
                raise _explain(error, self._device, self.direction) from None
            finally:
                self._expected_end = False
            return heard_until


class PortAudioBackend:
    """Opens the devices that PortAudio knows; the `AudioBackend` of the program."""

    def open_input(self, engine: AudioEngine, device: DeviceSpec) -> PortAudioInput:
        return self._first(device, "input", lambda found: PortAudioInput(engine, found, "low"))

    def open_output(self, engine: AudioEngine, device: DeviceSpec, latency: Latency) -> PortAudioOutput:
        """Open a speaker. "low" becomes `REMOTE_LATENCY` if the sound server is remote: less breaks up."""
        note = ""
        if latency == "low" and server_is_remote():
            latency, note = REMOTE_LATENCY, " (the sound server is remote)"
        chosen = latency
        return self._first(device, "output", lambda found: PortAudioOutput(engine, found, chosen, note))

    @staticmethod
    def _first(device: DeviceSpec, direction: Direction, make: Callable[[Device], _S]) -> _S:
        failure: AudioError | None = None
        for found in choose(device, direction, list_devices()):
            try:
                with _serialised():
                    return make(found)
            except AudioError as error:
                failure = failure or error
        assert failure is not None
        raise failure

    def rescan(self) -> None:
        """Restart PortAudio, the only way to see devices that came or went. Ends all streams."""
        with _serialised():
            sd = load()
            for stream in tuple(_open_streams):
                stream.free()
            sd._terminate()
            sd._initialize()


def _explain(error: Exception, device: Device, direction: Direction) -> AudioError:
    """A PortAudio error in words for the user, with the remedy."""
    name = f'the {direction} device "{device.name}"'
    code = error.args[1] if len(error.args) > 1 else 0
    host: tuple[int, int, str] | None = error.args[2] if len(error.args) > 2 else None
    host_code = host[1] if host else 0
    text = _one_line(error)
    if code == _INVALID_RATE:
        return AudioError(f"{name} takes neither {SAMPLE_RATE} Hz nor its own {device.rate} Hz; choose another")
    if code == _UNAVAILABLE or host_code in {-16, 16} or "busy" in text.lower():
        return AudioError(f"{name} is busy: another program holds it; close that program or choose another device")
    if code == _BAD_DEVICES:  # PortAudio's error for a PulseAudio that refuses the connection
        return AudioError(f"{name} cannot be reached: its sound server is gone; start it again")
    if code == _UNANTICIPATED and host_code in {-5, -111, -2}:
        word = "source" if direction == "input" else "sink"
        return AudioError(
            f"{name} gives an input/output error: the sound server runs, but has no {word}, or does not let this "
            f"program in (PulseAudio and PipeWire: pactl list short {word}s)"
        )
    return AudioError(f"{name} cannot be opened: {text}")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
