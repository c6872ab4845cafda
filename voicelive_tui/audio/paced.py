"""PacedBackend: sound without hardware, at the pace of the clock. Files, silence, or a synthetic microphone.

Each stream has a daemon thread that wakes on the same grid of 20 ms of `time.monotonic`, so input and output keep one
clock and neither drifts. A late thread makes up for what it missed. What nobody would notice is not done: a speaker to
nowhere sleeps until there is something to play, and no microphone needs no thread at all.
"""

import threading
import time
from collections.abc import Callable

from voicelive_tui.audio.devices import AudioError, Device, Latency, Source
from voicelive_tui.audio.engine import AudioEngine, Direction
from voicelive_tui.audio.format import BLOCK_BYTES, BLOCK_SAMPLES, BLOCK_SECONDS
from voicelive_tui.audio.wav import AudioFileError, WavWriter, load_wav

FILE_PREFIX = "file:"


NAP_SECONDS = 0.2
"""How long a speaker to nowhere sleeps at a time: less than what is taken for a stall."""


class _Ticker:
    """Calls back once for each 20 ms of the clock, until closed.

    Args:
        engine: Its watchdog is told.
        direction: Of the stream.
        tick: Is given the time on the grid.
        idle: Waits while there is nothing to tick for, `NAP_SECONDS` at most; True where it did.
        at_once: So many ticks are made up for together: each waking of a processor costs more than a tick.
    """

    def __init__(
        self,
        engine: AudioEngine,
        direction: Direction,
        tick: Callable[[float], None],
        idle: Callable[[], bool] = lambda: False,
        at_once: int = 1,
    ) -> None:
        self._engine = engine
        self._direction: Direction = direction
        self._tick = tick
        self._idle = idle
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
            if self._closing:  # looked at when it wakes anyway: to wait for it costs more than the ticks
                return
            try:
                for each in range(number, last + 1):
                    self._tick(each * BLOCK_SECONDS)
            except AudioFileError as error:  # the disk is full or gone
                self._engine.watchdog.ended(self._direction, str(error))
                return
            number = _next() if self._idle() else last + 1


def _next() -> int:
    """The next point of the grid."""
    return int(time.monotonic() / BLOCK_SECONDS) + 1


class NoInput:
    """No microphone: nothing is captured."""

    description = "none"
    input_ended = False

    def start(self) -> None:
        """Nothing to start."""

    def close(self) -> None:
        """Nothing to close."""


class _Recording:
    """A recording in the microphone's place, then silence."""

    def __init__(self, sound: bytes) -> None:
        self._sound = memoryview(sound)
        self.over = False

    def read(self, frames: int, _heard: bytes) -> bytes:
        part, self._sound = self._sound[: frames * 2], self._sound[frames * 2 :]
        self.over = not self._sound
        return bytes(part).ljust(frames * 2, b"\0")


class PacedInput:
    """A file or a source as the microphone."""

    def __init__(self, engine: AudioEngine, source: Source, description: str) -> None:
        self.description = description
        self._engine = engine
        self._source = source
        self._heard_up_to = time.monotonic()
        # Of a file nobody hears when its blocks come, as long as they are there when the chunk they make up is due.
        recorded = isinstance(source, _Recording)
        blocks = int(engine.chunk_ms / 1000 / BLOCK_SECONDS) if recorded else 1
        self._ticker = _Ticker(engine, "input", self._tick, at_once=blocks)

    @property
    def input_ended(self) -> bool:
        """Whether all of the file was captured."""
        return isinstance(self._source, _Recording) and self._source.over

    def start(self) -> None:
        """Begin to capture; a file begins here."""
        self._ticker.start()

    def close(self) -> None:
        """End."""
        self._ticker.close()

    def _tick(self, at: float) -> None:
        heard = b"" if isinstance(self._source, _Recording) else self._heard(at)
        sound = self._source.read(BLOCK_SAMPLES, heard)
        self._engine.captured(sound, at - BLOCK_SECONDS, time.monotonic())

    def _heard(self, now: float) -> bytes:
        """What the speaker, real or not, played since the last tick."""
        since, self._heard_up_to = self._heard_up_to, now
        # A block counts when it has been heard to its end.
        blocks = (b for b in self._engine.played[-50:] if since < b.at + BLOCK_SECONDS <= now)
        return b"".join(block.pcm[: block.samples_heard * 2] for block in blocks)


class PacedOutput:
    """Nothing, or a file, as the speaker."""

    latency = 0.0

    def __init__(self, engine: AudioEngine, writer: WavWriter | None, description: str) -> None:
        self.description = description
        self._engine = engine
        self._writer = writer
        self._ticker = _Ticker(engine, "output", self._tick, self._idle)

    def start(self) -> None:
        """Begin to play: the first sample of the file is now."""
        self._ticker.start()

    def cut(self) -> float:
        """Nothing to cut: no more than the block of the moment is ever held."""
        return time.monotonic()

    def close(self) -> None:
        """End, with a whole file."""
        self._ticker.close()
        if self._writer:
            self._writer.close()

    def _idle(self) -> bool:
        return self._writer is None and self._engine.wait_for_sound(NAP_SECONDS)

    def _tick(self, at: float) -> None:
        block = bytearray(BLOCK_BYTES)
        self._engine.fill(memoryview(block), at, time.monotonic())
        if self._writer:
            self._writer.write(memoryview(block))


class PacedBackend:
    """Opens "none" and "file:PATH.wav"."""

    def open_input(self, engine: AudioEngine, device: str, source: Source | None) -> PacedInput | NoInput:
        """Open nothing, a source or a file as the microphone.

        Raises:
            AudioError: The file cannot be used.
        """
        if not device.startswith(FILE_PREFIX):
            return PacedInput(engine, source, "synthetic microphone") if source else NoInput()
        try:
            sound, note = load_wav(device.removeprefix(FILE_PREFIX))
        except AudioFileError as error:
            raise AudioError(str(error), "file") from None
        return PacedInput(engine, _Recording(sound), f"{device}, {note}" if note else device)

    def open_output(self, engine: AudioEngine, device: str, latency: Latency) -> PacedOutput:
        """Open nothing or a file as the speaker; no latency.

        Raises:
            AudioError: The file cannot be written.
        """
        if not device.startswith(FILE_PREFIX):
            return PacedOutput(engine, None, "none")
        try:
            return PacedOutput(engine, WavWriter(device.removeprefix(FILE_PREFIX)), device)
        except AudioFileError as error:
            raise AudioError(str(error), "file") from None

    def devices(self) -> list[Device]:
        """None to choose from."""
        return []

    def rescan(self) -> None:
        """Nothing to look for."""
