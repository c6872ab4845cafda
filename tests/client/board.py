"""A backend whose devices come and go as a test says: a double at the `AudioBackend` seam."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import Any

from tests.conversing import until
from voicelive_tui.audio import paced
from voicelive_tui.audio.devices import NONE, DeviceSpec, Latency
from voicelive_tui.audio.engine import AudioEngine
from voicelive_tui.client.sound import Sound
from voicelive_tui.errors import AudioError


@contextlib.asynccontextmanager
async def watched(sound: Sound) -> AsyncIterator[Sound]:
    """Both directions open and flowing, and watched."""
    await sound.check()
    await sound.start_capture()
    watch = asyncio.create_task(sound.watch())
    try:
        await until(lambda: sound.engine.blocks_in > 5 and sound.engine.blocks_out > 5)
        yield sound
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        await sound.close()


class Quiet:
    """A microphone of digital silence."""

    def read(self, samples: int, _heard: bytes) -> bytes:
        return bytes(samples * 2)


class Board:
    """Streams paced by the clock, by the name of the device; a scan sees which devices are plugged in.

    Attributes:
        plugged: The devices present; "" is the default device.
        journal: What was done, in order.
        hold: Calls ("open mic", "close mic", "interrupt speaker", "rescan") that wait until their event is set.
    """

    def __init__(self, *plugged: str) -> None:
        self.plugged = set(plugged)
        self.seen = set(plugged)
        self.journal: list[str] = []
        self.hold: dict[str, threading.Event] = {}
        self.latencies: list[Latency] = []

    def open_input(self, engine: AudioEngine, device: DeviceSpec) -> Any:
        return self._open(device, lambda: paced.open_input(engine, NONE, Quiet()))

    def open_output(self, engine: AudioEngine, device: DeviceSpec, latency: Latency) -> Any:
        self.latencies.append(latency)
        return self._open(device, lambda: paced.open_output(engine, NONE))

    def rescan(self) -> None:
        self.note("rescan")
        self.seen = set(self.plugged)

    def note(self, what: str) -> None:
        self.journal.append(what)
        if what in self.hold:
            self.hold[what].wait()

    def _open(self, device: DeviceSpec, make: Any) -> Any:
        name = str(device) or "default"
        self.note(f"open {name}")
        if str(device) not in self.seen & self.plugged:
            raise AudioError(f"there is no device {name}")
        return Stream(self, name, make())


class Stream:
    """A paced stream that keeps the board's journal."""

    latency = 0.04

    def __init__(self, board: Board, name: str, paced_stream: Any) -> None:
        self.description, self._board, self._stream = name, board, paced_stream
        self.input_ended = False

    def start(self) -> None:
        self._stream.start()

    def interrupt(self) -> float:
        self._board.note(f"interrupt {self.description}")
        stopped_at: float = self._stream.interrupt()
        return stopped_at

    def close(self) -> None:
        self._board.note(f"close {self.description}")
        self._stream.close()
