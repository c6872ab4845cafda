"""Streams without hardware, paced by the clock: files, silence, or a synthetic microphone.

Each stream has a daemon thread that wakes on the same grid of 20 ms of `time.monotonic`, so input and output share a
clock and neither drifts. A late thread catches up. Idle streams do no work: a speaker "none" sleeps until there is
something to play, and a microphone "none" has no thread.
"""

import threading
import time

from voicelive_tui.audio.devices import DeviceSpec, Source
from voicelive_tui.audio.engine import AudioEngine, Direction
from voicelive_tui.audio.format import BLOCK_BYTES, BLOCK_SAMPLES, BLOCK_SECONDS, SAMPLE_WIDTH
from voicelive_tui.audio.wav import AudioFileError, WavWriter, load_wav

NAP_SECONDS = 0.2
"""How long a speaker "none" sleeps at a time: less than `STALL_SECONDS`."""


class _PacedStream:
    """Calls `_tick` once for each 20 ms of the clock, until closed.

    It wakes up for `at_once` ticks at a time, since waking a processor costs more than a tick.
    """

    def __init__(self, engine: AudioEngine, direction: Direction, description: str, at_once: int = 1) -> None:
        self.description = description
        self._engine = engine
        self._direction: Direction = direction
        self._at_once = at_once
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"paced {direction}", daemon=True)

    def start(self) -> None:
        self._engine.watchdog.opened(self._direction)
        self._thread.start()

    def close(self) -> None:
        self._closing = True
        if self._thread.is_alive():
            self._thread.join()
        self._engine.watchdog.closed(self._direction)

    def _run(self) -> None:
        number = _next()
        while True:
            last = number + self._at_once - 1
            time.sleep(max(0.0, last * BLOCK_SECONDS - time.monotonic()))
            if self._closing:  # checked at each wake-up: waiting for an event costs more than the ticks
                return
            try:
                for each in range(number, last + 1):
                    self._tick(each * BLOCK_SECONDS)
            except AudioFileError as error:  # the disk is full or gone
                self._engine.watchdog.ended(self._direction, str(error))
                return
            number = _next() if self._idle() else last + 1

    def _tick(self, at: float) -> None:
        """Do the work of a point of the grid."""
        raise NotImplementedError

    def _idle(self) -> bool:
        """Wait while there is nothing to do, at most `NAP_SECONDS`; whether it did."""
        return False


def _next() -> int:
    """The next point of the grid."""
    return int(time.monotonic() / BLOCK_SECONDS) + 1


class _NoInput:
    """No microphone: nothing is captured."""

    description = "none"
    input_ended = False

    def start(self) -> None:
        pass

    def close(self) -> None:
        pass


class _Recording:
    """A recording as a source, followed by silence."""

    def __init__(self, sound: bytes) -> None:
        self._sound = memoryview(sound)
        self.over = False

    def read(self, samples: int, _heard: bytes) -> bytes:
        size = samples * SAMPLE_WIDTH
        part, self._sound = self._sound[:size], self._sound[size:]
        self.over = not self._sound
        return bytes(part).ljust(size, b"\0")


class PacedInput(_PacedStream):
    """A file or a source as the microphone."""

    def __init__(self, engine: AudioEngine, source: Source, description: str) -> None:
        self._is_file = isinstance(source, _Recording)
        # A file has no real-time source, so a chunk's worth of blocks is read per wake-up.
        blocks = int(engine.chunk_ms / 1000 / BLOCK_SECONDS) if self._is_file else 1
        super().__init__(engine, "input", description, blocks)
        self._source = source
        self._heard_up_to = time.monotonic()

    @property
    def input_ended(self) -> bool:
        return isinstance(self._source, _Recording) and self._source.over

    def _tick(self, at: float) -> None:
        if self._is_file and self._engine.capture_is_behind:
            return  # it goes on later, and loses nothing
        heard = b"" if self._is_file else self._heard(at)
        sound = self._source.read(BLOCK_SAMPLES, heard)
        self._engine.captured(sound, at - BLOCK_SECONDS, time.monotonic(), live=not self._is_file)

    def _heard(self, now: float) -> bytes:
        """What the speaker played up to now, after what was heard before."""
        # A block counts once it was heard to its end. The speaker's thread may be late with it.
        blocks = [b for b in self._engine.played[-50:] if self._heard_up_to < b.at + BLOCK_SECONDS <= now]
        if blocks:
            self._heard_up_to = blocks[-1].at + BLOCK_SECONDS
        return b"".join(block.pcm[: block.samples_heard * SAMPLE_WIDTH] for block in blocks)


class PacedOutput(_PacedStream):
    """Nothing, or a file, as the speaker; the first sample of the file is played at the time of `start`."""

    latency = 0.0

    def __init__(self, engine: AudioEngine, writer: WavWriter | None, description: str) -> None:
        super().__init__(engine, "output", description)
        self._writer = writer

    def interrupt(self) -> float:
        """Return the time: no more than the current block is ever held."""
        return time.monotonic()

    def close(self) -> None:
        self._closing = True
        self._engine.wake()
        super().close()
        if self._writer:
            self._writer.close()

    def _tick(self, at: float) -> None:
        block = bytearray(BLOCK_BYTES)
        self._engine.fill(memoryview(block), at, time.monotonic())
        if self._writer:
            self._writer.write(memoryview(block))

    def _idle(self) -> bool:
        return self._writer is None and self._engine.wait_for_sound(NAP_SECONDS)


def open_input(engine: AudioEngine, device: DeviceSpec, source: Source | None) -> PacedInput | _NoInput:
    """Open a source, or without one a file or nothing, as the microphone. Raises `AudioError` if that fails."""
    if source:
        return PacedInput(engine, source, "synthetic microphone")
    if device.kind != "file":
        return _NoInput()
    sound, note = load_wav(device.value)
    return PacedInput(engine, _Recording(sound), f"{device}, {note}" if note else str(device))


def open_output(engine: AudioEngine, device: DeviceSpec) -> PacedOutput:
    """Open a file or nothing as the speaker. Raises `AudioError` if the file cannot be written."""
    return PacedOutput(engine, WavWriter(device.value) if device.kind == "file" else None, str(device))
