"""Opens a microphone or a speaker by its device spec. Everything here blocks, see the rules in `devices`."""

from voicelive_tui.audio import paced
from voicelive_tui.audio.devices import AudioBackend, DeviceSpec, InputStream, Latency, OutputStream, Source
from voicelive_tui.audio.engine import AudioEngine, Direction
from voicelive_tui.audio.portaudio import PortAudioBackend
from voicelive_tui.audio.wav import check_target

PORTAUDIO = PortAudioBackend()


def open_input(
    engine: AudioEngine, device: DeviceSpec, source: Source | None = None, backend: AudioBackend = PORTAUDIO
) -> InputStream:
    """Open a microphone: the device, or a synthetic source in its place. Raises `AudioError` if it cannot be opened."""
    if source is None and device.is_hardware:
        return backend.open_input(engine, device)
    return paced.open_input(engine, device, source)


def open_output(
    engine: AudioEngine, device: DeviceSpec, latency: Latency = "low", backend: AudioBackend = PORTAUDIO
) -> OutputStream:
    """Open a speaker. Raises `AudioError` if it cannot be opened."""
    return backend.open_output(engine, device, latency) if device.is_hardware else paced.open_output(engine, device)


def probe(direction: Direction, device: DeviceSpec, latency: Latency = "low") -> str:
    """Open and close what a conversation would use, and return its description; no file is written.

    Raises `AudioError` if it cannot be opened.
    """
    if direction == "output" and device.kind == "file":
        check_target(device.value)
        return str(device)
    engine = AudioEngine()
    stream = open_input(engine, device) if direction == "input" else open_output(engine, device, latency)
    stream.close()
    return stream.description
