"""The sound of a conversation, for the event loop: the engine and its two sides, watched and recovered.

Recovery. PortAudio sees devices that came or went only after a restart, which ends all its streams. So a lost side is
first opened again alone. If that fails, PortAudio is restarted; if that costs a stream that works, only while nothing
is played, and at most once in `RESCAN_SECONDS`. A device that stays away is replaced by the default one.
"""

import asyncio
import contextlib
import logging
import time

from voicelive_tui.audio.devices import AudioBackend, DeviceSpec, Source
from voicelive_tui.audio.engine import AudioEngine, Direction
from voicelive_tui.audio.playback import Heard
from voicelive_tui.audio.streams import PORTAUDIO
from voicelive_tui.client.blocking import off_loop
from voicelive_tui.client.side import InputSide, OutputSide, Report
from voicelive_tui.config import Audio
from voicelive_tui.errors import AudioError

log = logging.getLogger(__name__)

INTERRUPT_LIMIT = 1.0
"""Seconds for an interruption: 2 ms are usual, over a network two round trips."""
WATCH_SECONDS = 0.25
RETRY_SECONDS = 2.0
"""Between attempts to recover a lost side."""
RESCAN_SECONDS = 10.0


class Sound:
    """The engine and its two sides.

    `report` is called on the loop with direction, description and problem whenever a stream opens or fails. A `source`
    is a synthetic microphone in place of the input device.
    """

    def __init__(
        self, audio: Audio, report: Report, source: Source | None = None, backend: AudioBackend = PORTAUDIO
    ) -> None:
        self.engine = AudioEngine(chunk_ms=audio.chunk_ms, half_duplex=audio.half_duplex)
        microphone, speaker = DeviceSpec.parse(audio.input_device), DeviceSpec.parse(audio.output_device)
        self._input = InputSide(self.engine, microphone, report, backend, source)
        self._output = OutputSide(self.engine, speaker, report, backend, audio.output_latency)
        self._sides: tuple[InputSide, OutputSide] = (self._input, self._output)
        self._report = report
        self._backend = backend
        self._rescanned_at = -RESCAN_SECONDS
        self._recorded = False

    @property
    def devices(self) -> dict[Direction, DeviceSpec]:
        return {"input": self._input.device, "output": self._output.device}

    @property
    def has_source(self) -> bool:
        """Whether there is a synthetic microphone to choose."""
        return self._input.source is not None

    @property
    def input_open(self) -> bool:
        """Whether a microphone, or a replacement for it, is open."""
        return self._input.is_open

    @property
    def input_ended(self) -> bool:
        """Whether the file in place of the microphone has ended."""
        return self._input.stream is not None and self._input.stream.input_ended

    @property
    def stalled(self) -> set[Direction]:
        """The directions that stopped by themselves, until sound flows again."""
        return {side.direction for side in self._sides if side.lost_at is not None or side.has_stalled}

    @property
    def output_latency_ms(self) -> float:
        """What the speaker's device holds, in milliseconds; 0 without one."""
        return self._output.stream.latency * 1000 if self._output.stream else 0.0

    async def check(self) -> None:
        """Open what a conversation would use, and report it: the speaker stays open, the microphone does not.

        A file is not opened for writing before a session is ready; see `start_capture`.
        """
        if self._output.device.kind != "file":
            await self._output.start()
        await self._input.start()
        await self._input.stop()

    async def start_capture(self) -> None:
        """Open the microphone, and once the file that replaces the speaker. A failure is reported, not raised."""
        if self._output.device.kind == "file" and not self._recorded:
            self._recorded = True  # opening it again would empty it
            await self._output.start()
        await self._input.start()

    async def stop_capture(self) -> None:
        await self._input.stop()

    async def interrupt(self) -> list[Heard]:
        """Silence the speaker itself, whatever it holds; to be called after `engine.flush`.

        It waits for no other operation of either side. Returns what was heard of each item that was dropped.
        """
        stopped_at = None
        try:
            if stream := self._output.current:
                stopped_at = await off_loop(stream.interrupt, "stopping the speaker", INTERRUPT_LIMIT)
        except AudioError as error:
            self._report("output", self._output.description, str(error))
        return self.engine.settle(stopped_at)

    async def choose(self, direction: Direction, device: DeviceSpec) -> None:
        """Change to another device while the conversation goes on, or stay with the old one if that fails."""
        await (self._input if direction == "input" else self._output).choose(device)

    async def close(self) -> None:
        """Close everything, within a limit."""
        for side in self._sides:
            await side.stop()

    async def watch(self) -> None:
        """Report streams that stall or end, and recover them; report a silent or clipped microphone."""
        next_try, complaint = 0.0, ""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for side in self._sides:
                if side.resume():
                    complaint = ""
            lost = [side for side in self._sides if side.has_stalled and side.lost_at is None]
            for side in lost:
                side.lose(self.engine.watchdog.reason(side.direction))
            # Recovery may close the other side: if that is about to be lost as well, its own reason comes first.
            if not lost and time.monotonic() > next_try and any(side.needs_recovery for side in self._sides):
                await self._recover()
                next_try = time.monotonic() + RETRY_SECONDS
            if self._input.is_microphone and complaint != self.engine.complaint():
                complaint = self.engine.complaint()
                self._report("input", self._input.description, complaint)
            await self._output.ease()

    async def _recover(self) -> None:
        """Bring back what is lost: the same device, else after a restart of PortAudio that one or the default."""
        lost = [side for side in self._sides if side.missing or side.has_stalled]
        try:
            for side in lost:
                async with side.exclusive():
                    await (side.reopen() if side.is_hardware else side.give_up())
            hardware = [side for side in self._sides if side.wanted and side.is_hardware]
            if not any(side.replaced or (side in lost and side.stream is None) for side in hardware):
                return
            due = time.monotonic() - self._rescanned_at >= RESCAN_SECONDS and not self.engine.playing
            if any(side.stream for side in hardware) and not due:
                return
            async with contextlib.AsyncExitStack() as stack:
                for side in hardware:
                    await stack.enter_async_context(side.exclusive())
                for side in hardware:
                    with contextlib.suppress(AudioError):  # opening it again will fail as well
                        await side.close()
                self._rescanned_at = time.monotonic()
                with contextlib.suppress(AudioError):
                    await off_loop(self._backend.rescan, "looking for sound devices")
                for side in hardware:
                    await side.reopen(or_default=True)
        except AudioError as error:  # another operation of a side takes long; the next attempt comes soon
            log.debug("recovery postponed: %s", error)
