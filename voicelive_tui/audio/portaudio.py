"""PortAudio through sounddevice: one input stream and one output stream, each on its own, driving an engine.

Imported late: loading the library takes a while, fails where it is missing, and hangs for as long as a frozen sound
server likes. So does every other blocking call here, see the rules in `backends`.

Two one-way streams, not one duplex stream: a duplex stream lets an uneven microphone starve the speaker, cannot lose
one side alone, and cannot be cut without losing the microphone. Blocks of 20 ms; the input always at low latency, for
higher values make its callbacks come in bursts.

Rates. A device that refuses 24,000 Hz is opened at its own rate and converted by `Resampler`; one that has no
single channel is opened with two.
"""

import contextlib
import importlib
import math
import os
import re
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

from voicelive_tui.audio import pcm
from voicelive_tui.audio.devices import AudioError, Device, Latency, Source
from voicelive_tui.audio.engine import AudioEngine, Direction
from voicelive_tui.audio.format import BLOCK_BYTES, BLOCK_SECONDS, SAMPLE_RATE
from voicelive_tui.audio.resample import Resampler

REMOTE_LATENCY = 0.2
"""Output latency in seconds where the sound server is at the other end of a network, unless a number was chosen."""
DAC_MARGIN = 0.005
"""By so many seconds DAC times may be too early: what was heard, worked out from them, lay 0 to 13 ms below the
recording on an idle machine, and once 2 ms above it on a crowded one."""
FALLBACKS = ("default", "pulse", "pipewire")
"""Devices tried in this order where PortAudio names no default that works."""

# PortAudio's error codes that say something to users.
_INVALID_RATE, _INVALID_CHANNELS = -9997, -9998
_UNANTICIPATED, _BAD_DEVICES, _UNAVAILABLE = -9999, -9993, -9985

_INSTALL = {
    "linux": "install it (Debian, Ubuntu: apt-get install libportaudio2 libasound2-plugins; "
    "Fedora: dnf install portaudio alsa-plugins-pulseaudio)",
    "darwin": "install it (brew install portaudio)",
}.get(sys.platform, "reinstall the Python package sounddevice, which brings it")
_NO_DEVICE = {
    "linux": "no sound device found: check that a sound server runs and that the ALSA plugins for it are installed "
    "(Debian, Ubuntu: apt-get install libasound2-plugins); on a remote host forward your own sound server "
    'as the README shows; or use "none" or "file:PATH.wav" as the device',
}.get(sys.platform, 'no sound device found: plug one in, or use "none" or "file:PATH.wav" as the device')


def load() -> ModuleType:
    """Import sounddevice, which initialises PortAudio.

    Raises:
        AudioError: There is no PortAudio library, or it cannot start.
    """
    try:
        return importlib.import_module("sounddevice")
    except OSError as error:
        if "not found" in str(error):
            raise AudioError(f"the PortAudio library is missing: {_INSTALL}", "no_library") from None
        raise AudioError(f"the PortAudio library cannot be loaded ({error}): {_INSTALL}", "no_library") from None
    except Exception as error:  # PortAudioError is in the module that failed to load
        raise AudioError(f"PortAudio cannot start: {_one_line(error)}") from None


def list_devices() -> list[Device]:
    """All devices, in PortAudio's order (blocking)."""
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


def choose(wanted: str, direction: Direction, devices: list[Device]) -> list[Device]:
    """The devices to try for a name, best first.

    Args:
        wanted: Index, exact name, unique part of a name, either with "HOST API: " or "HOST API, " and the like before
            or after it; empty for the default. Case does not matter.
        direction: Only devices with channels in this direction count.
        devices: Those there are.

    Raises:
        AudioError: None fits ("not_found", "no_device"), or several do ("ambiguous").
    """
    able = [d for d in devices if (d.inputs if direction == "input" else d.outputs) > 0]
    if not able:
        raise AudioError(
            _NO_DEVICE if not devices else f"no sound device has an {direction}: {_names(devices)}", "no_device"
        )
    if not wanted:
        default = [d for d in able if (d.default_input if direction == "input" else d.default_output)]
        named = [d for name in FALLBACKS for d in able if d.name == name]
        return list(dict.fromkeys(default + named)) or able[:1]
    if re.fullmatch(r"\d+", wanted):
        found = [d for d in able if d.index == int(wanted)]
        if not found:
            raise AudioError(f"there is no {direction} device {wanted}; there are: {_names(able)}", "not_found")
        return found
    words = wanted.casefold()
    exact = [d for d in able if words in _full_names(d)]
    found = exact or [d for d in able if any(words in name for name in _full_names(d))]
    if not found:
        raise AudioError(f'no {direction} device matches "{wanted}"; there are: {_names(able)}', "not_found")
    if len(found) > 1:
        raise AudioError(
            f'"{wanted}" fits several {direction} devices: {_names(found)}; give more of the name, its host API '
            '("ALSA: pulse"), or the index',
            "ambiguous",
        )
    return found


def _full_names(device: Device) -> tuple[str, ...]:
    name, api = device.name.casefold(), device.hostapi.casefold()
    return name, f"{api}: {name}", f"{api}:{name}", f"{name}, {api}"


def _names(devices: list[Device]) -> str:
    return ", ".join(f"{d.index} {d.name} ({d.hostapi})" for d in devices)


def server_is_remote(environment: dict[str, str] | os._Environ[str] = os.environ) -> bool:
    """Whether PULSE_SERVER leads to another machine.

    A TCP address does, even of this host: it is how a sound server is forwarded. A socket does where this is an SSH
    session, for a local server needs no PULSE_SERVER.
    """
    server = environment.get("PULSE_SERVER", "")
    address = re.sub(r"^\{[^}]*\}", "", server.split()[0]) if server.split() else ""
    if not address:
        return False
    return not address.startswith(("/", "unix:")) or "SSH_CONNECTION" in environment


_S = TypeVar("_S", bound="_Stream")


class StreamClock:
    """Translates PortAudio's stream time to `time.monotonic`.

    The two run alike but for their zero. Each callback sees the difference, made larger by what the callback had to
    wait for the interpreter; so the smallest of late is taken, rising by 10 µs a callback to follow a drift. A jump of
    more than 0.1 s below or 1 s above (PortAudio's clock may be the wall clock, which people set) begins anew.
    """

    RISE = 10e-6

    def __init__(self) -> None:
        self._offset = math.nan

    def at(self, stamp: float, stream_now: float, now: float, usual: float) -> float:
        """A stream time as monotonic time.

        Args:
            stamp: What PortAudio calls the time at the converter; some host APIs leave it zero.
            stream_now: What it calls the current time.
            now: The time of the call.
            usual: How far from now the converter usually is, for those.
        """
        if not stamp or not stream_now:
            return now + usual
        return stamp + self.offset(stream_now, now)

    def offset(self, stream_now: float, now: float) -> float:
        """What to add to a stream time, given the stream's "current time" and the time of the call."""
        seen = now - stream_now
        if not -0.1 < seen - self._offset < 1.0:
            self._offset = seen
        self._offset = min(self._offset + self.RISE, seen)
        return self._offset


class _Stream:
    """What both directions share: opening at a rate and channel count that the device takes, and closing."""

    direction: Direction

    def __init__(self, engine: AudioEngine, device: Device, latency: Latency, note: str = "") -> None:
        self._engine = engine
        self._sd = load()
        self._device = device
        self._clock = StreamClock()
        self._closing = False
        self.input_ended = False
        self._stream = self._open(latency)
        self.latency: float = self._stream.latency
        self.description = f"{device.name}, {self.rate} Hz, {self.latency * 1000:.0f} ms{note}"
        if self.rate != SAMPLE_RATE:
            self.description += f", converted to {SAMPLE_RATE} Hz"

    def _open(self, latency: Latency) -> Any:
        """Try 24 kHz mono first; give way in rate or channels where the device says that this is the trouble."""
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
        """Begin."""
        self._engine.watchdog.opened(self.direction)
        try:
            self._stream.start()
        except self._sd.PortAudioError as error:
            self._engine.watchdog.closed(self.direction)
            raise _explain(error, self._device, self.direction) from None

    def close(self) -> None:
        """End at once; closing again is harmless."""
        self._closing = True
        self._engine.watchdog.closed(self.direction)
        # abort, as stop() waits for what is buffered; errors of a device that is gone anyway are no news.
        with contextlib.suppress(self._sd.PortAudioError):
            self._stream.abort()
            self._stream.close()

    def _finished(self) -> None:
        if not self._closing:
            self._engine.watchdog.ended(self.direction)


class PortAudioInput(_Stream):
    """A microphone."""

    direction: Direction = "input"

    def _prepare(self) -> Callable[..., None]:
        captured, clock, monotonic = self._engine.captured, self._clock, time.monotonic
        if (self.rate, self.channels) == (SAMPLE_RATE, 1):

            def callback(indata: Any, _frames: int, times: Any, status: Any) -> None:
                now = monotonic()
                at = clock.at(times.inputBufferAdcTime, times.currentTime, now, -self.latency)
                captured(bytes(indata), at, now, overflow=bool(status.input_overflow))

            return callback

        resampler, channels = Resampler(self.rate, SAMPLE_RATE), self.channels

        def converting(indata: Any, _frames: int, times: Any, status: Any) -> None:
            now = monotonic()
            at = clock.at(times.inputBufferAdcTime, times.currentTime, now, -self.latency) - resampler.delay
            sound = resampler.process(pcm.to_mono(memoryview(indata).cast("B"), channels))
            captured(sound, at, now, overflow=bool(status.input_overflow))

        return converting


class PortAudioOutput(_Stream):
    """A speaker."""

    direction: Direction = "output"

    def _prepare(self) -> Callable[..., None]:
        fill, clock, monotonic = self._engine.fill, self._clock, time.monotonic
        if (self.rate, self.channels) == (SAMPLE_RATE, 1):

            def callback(outdata: Any, _frames: int, times: Any, status: Any) -> None:
                now = monotonic()
                at = clock.at(times.outputBufferDacTime, times.currentTime, now, self.latency)
                fill(memoryview(outdata).cast("B"), at, now, underflow=bool(status.output_underflow))

            return callback

        resampler, channels, ready = Resampler(SAMPLE_RATE, self.rate), self.channels, bytearray()

        def converting(outdata: Any, frames: int, times: Any, status: Any) -> None:
            now = monotonic()
            at = clock.at(times.outputBufferDacTime, times.currentTime, now, self.latency) + resampler.delay
            # What is left of the block before (only where 20 ms are no whole number of the device's frames).
            at += len(ready) / 2 / self.rate
            underflow = bool(status.output_underflow)
            while len(ready) < frames * 2:
                block = bytearray(BLOCK_BYTES)
                fill(memoryview(block), at, now, underflow=underflow)
                ready.extend(resampler.process(memoryview(block)))
                at, underflow = at + BLOCK_SECONDS, False
            memoryview(outdata).cast("B")[:] = pcm.to_channels(bytes(ready[: frames * 2]), channels)
            del ready[: frames * 2]

        return converting

    def cut(self) -> float:
        """Abort the stream and start it again: silence within about 10 ms whatever its latency.

        Dropping the engine's queue alone lets the device play out what it holds, 40 to 65 ms at low latency and 125 to
        165 at 0.1 s.
        """
        heard_until = time.monotonic() - DAC_MARGIN
        self._closing = True  # the end of the stream is our own doing
        try:
            self._stream.abort()
            self._stream.start()
        except self._sd.PortAudioError as error:
            self._engine.watchdog.ended(self.direction)
            raise _explain(error, self._device, self.direction) from None
        finally:
            self._closing = False
        return heard_until


class PortAudioBackend:
    """Opens the devices that PortAudio knows."""

    def open_input(self, engine: AudioEngine, device: str, source: Source | None) -> PortAudioInput:
        """Open a microphone, at low latency.

        Raises:
            AudioError: Why none can be opened.
        """
        return self._first(device, "input", lambda found: PortAudioInput(engine, found, "low"))

    def open_output(self, engine: AudioEngine, device: str, latency: Latency) -> PortAudioOutput:
        """Open a speaker. "low" means `REMOTE_LATENCY` where the sound server is remote: less breaks up.

        Raises:
            AudioError: Why none can be opened.
        """
        note = ""
        if latency == "low" and server_is_remote():
            latency, note = REMOTE_LATENCY, " (the sound server is remote)"
        chosen = latency
        return self._first(device, "output", lambda found: PortAudioOutput(engine, found, chosen, note))

    @staticmethod
    def _first(device: str, direction: Direction, make: Callable[[Device], _S]) -> _S:
        problem: AudioError | None = None
        for found in choose(device, direction, list_devices()):
            try:
                return make(found)
            except AudioError as error:
                problem = problem or error
        assert problem is not None
        raise problem

    def devices(self) -> list[Device]:
        """What PortAudio knows; `rescan` to know more."""
        return list_devices()

    def rescan(self) -> None:
        """Start PortAudio anew, the only way to see devices that came or went."""
        sd = load()
        sd._terminate()
        sd._initialize()


def _explain(error: Exception, device: Device, direction: Direction) -> AudioError:
    """A PortAudio error in words, with the remedy."""
    name = f'the {direction} device "{device.name}"'
    code = error.args[1] if len(error.args) > 1 else 0
    host: tuple[int, int, str] | None = error.args[2] if len(error.args) > 2 else None
    host_code = host[1] if host else 0
    text = _one_line(error)
    if code == _INVALID_RATE:
        return AudioError(
            f"{name} takes neither {SAMPLE_RATE} Hz nor its own {device.rate} Hz; choose another", "rate_refused"
        )
    if code == _UNAVAILABLE or host_code in {-16, 16} or "busy" in text.lower():
        return AudioError(
            f"{name} is busy: another program holds it; close that program or choose another device", "busy"
        )
    if code == _BAD_DEVICES:  # what PortAudio says of a PulseAudio that refuses the connection
        return AudioError(f"{name} cannot be reached: its sound server is gone; start it again", "no_server")
    if code == _UNANTICIPATED and host_code in {-5, -111, -2}:
        word = "source" if direction == "input" else "sink"
        return AudioError(
            f"{name} gives an input/output error: the sound server runs, but has no {word}, or does not let this "
            f"program in (PulseAudio and PipeWire: pactl list short {word}s)",
            "no_server",
        )
    return AudioError(f"{name} cannot be opened: {text}")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
