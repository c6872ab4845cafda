"""One direction of sound, for the event loop: `InputSide` is the microphone, `OutputSide` the speaker.

Rules. A side owns its device choice, its stream, and the stream's loss and recovery; all of its state is written on the
loop, by one operation at a time. What may block runs in a thread with a time limit (`off_loop`); a stream that arrives
after its limit is closed by that thread.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

from voicelive_tui.audio.devices import (
    DEFAULT,
    NONE,
    SYNTHETIC,
    AudioBackend,
    DeviceSpec,
    InputStream,
    Latency,
    OutputStream,
    Source,
)
from voicelive_tui.audio.engine import AudioEngine, Direction
from voicelive_tui.audio.streams import open_input, open_output
from voicelive_tui.client.blocking import TIME_LIMIT, off_loop
from voicelive_tui.errors import AudioError

log = logging.getLogger(__name__)

CLOSE_LIMIT = 2.0
"""Seconds for closing a stream: two network round trips, or for ever with a frozen sound server."""
BUSY_LIMIT = 0.5
"""Seconds to wait for another operation of the same side."""
EASED_LATENCY = 0.12
"""Output latency in seconds to reopen with after `UNDERFLOWS` underflows within `UNDERFLOW_SECONDS`: three times the
lowest of PulseAudio. Interruptions stay as fast."""
UNDERFLOWS, UNDERFLOW_SECONDS = 3, 30.0

Report = Callable[[Direction, str, str], None]
_S = TypeVar("_S", InputStream, OutputStream)


class Side(Generic[_S]):
    """One direction: its device choice, its stream, its loss and recovery.

    `report` is called with direction, description and problem whenever the stream opens or fails.
    """

    direction: Direction

    def __init__(self, engine: AudioEngine, device: DeviceSpec, report: Report, backend: AudioBackend) -> None:
        self.device = device
        self.stream: _S | None = None
        self.description = ""
        """Of the open stream."""
        self.wanted = False
        """The stream is meant to be open: if it is not, it is recovered."""
        self.replaced = False
        """The default device is open in place of the chosen one."""
        self.lost_at: int | None = None
        """The count of blocks when the stream was lost or last opened again; None once sound flows."""
        self.engine = engine
        self._report = report
        self._backend = backend
        self._operation = asyncio.Lock()

    @property
    def is_hardware(self) -> bool:
        return self.device.is_hardware

    @property
    def has_stalled(self) -> bool:
        """Whether the open stream ended by itself, or a device's callbacks stopped; a late file is only late."""
        watchdog, stalled = self.engine.watchdog, self.direction in self.engine.stalled()
        return self.stream is not None and stalled and (self.is_hardware or watchdog.has_ended(self.direction))

    @property
    def missing(self) -> bool:
        """Whether it is meant to be open, but is neither open nor being opened."""
        return self.wanted and self.stream is None and not self._operation.locked()

    @property
    def needs_recovery(self) -> bool:
        """Whether the stream, or the chosen device, is to be brought back."""
        return self.missing or self.replaced or self.lost_at is not None

    @property
    def blocks(self) -> int:
        """Callbacks so far."""
        return self.engine.blocks_in if self.direction == "input" else self.engine.blocks_out

    async def start(self) -> None:
        """Open the device unless it is open. A failure is reported and not retried."""
        self.wanted = True
        try:
            async with self.exclusive(TIME_LIMIT):
                if self.stream is not None:
                    return
                await self.open(self.device)
        except AudioError as error:
            self.wanted, self.lost_at = False, None
            self._report(self.direction, "", str(error))
        else:
            self._report(self.direction, self.description, "")

    async def stop(self) -> None:
        was, self.wanted = self.description, False
        self.lost_at, self.replaced = None, False
        if was:
            log.info("%s stopped: %s", "capture" if self.direction == "input" else "playback", was)
        try:
            async with self.exclusive():
                await self.close()
        except AudioError as error:
            if was:
                self._report(self.direction, "", str(error))

    async def choose(self, device: DeviceSpec) -> None:
        """Change to another device, or stay with the old one if that fails."""
        try:
            async with self.exclusive(TIME_LIMIT):
                was_open, was_wanted = self.stream is not None, self.wanted
                await self.close()
                self.wanted = True
                try:
                    await self.open(device)
                except AudioError:
                    self.wanted = was_wanted
                    if was_open:
                        with contextlib.suppress(AudioError):
                            await self.open(self.device)
                    raise
                self.device, self.replaced, self.lost_at = device, False, None
        except AudioError as error:
            self._report(self.direction, self.description, str(error))
        else:
            self._report(self.direction, self.description, "")

    def lose(self, why: str) -> None:
        """Note and report a loss, unless it is known."""
        if self.lost_at is None:
            self._report(self.direction, "", why)
        self.lost_at = self.blocks

    def resume(self) -> bool:
        """Report that sound flows again, if it does after a loss."""
        if self.lost_at is None or self.stream is None or self.has_stalled or self.blocks <= self.lost_at:
            return False
        self.lost_at = None
        self._report(self.direction, self.description, "")
        return True

    async def reopen(self, *, or_default: bool = False) -> None:
        """Close the stream and open the device again, or the default one in its place; within `exclusive`."""
        try:
            await self.close()
            self.replaced = False
            try:
                await self.open(self.device)
            except AudioError as error:
                if not or_default or self.device == DEFAULT or not self.is_hardware:
                    raise
                try:
                    await self.open(DEFAULT)
                except AudioError:
                    raise error from None
                self.replaced = True
                self.description += f' (instead of "{self.device}": {error})'
        except AudioError as error:
            self.lose(str(error))
            return
        if self.lost_at is not None:
            self.lost_at = self.blocks
        else:
            self._report(self.direction, self.description, "")

    async def give_up(self) -> None:
        """Close a file that cannot be written further, and keep it: opening it again would empty it."""
        self.wanted = False
        await self.close()

    @contextlib.asynccontextmanager
    async def exclusive(self, limit: float = BUSY_LIMIT) -> AsyncIterator[None]:
        """Keep other operations of this side out. Raises `AudioError` if one takes longer than `limit` seconds."""
        try:
            async with asyncio.timeout(limit):
                await self._operation.acquire()
        except TimeoutError:
            raise AudioError("the sound server does not answer") from None
        try:
            yield
        finally:
            self._operation.release()

    async def open(self, device: DeviceSpec) -> None:
        """Open and start a stream; within `exclusive`. An `AudioError` gives the reason of a failure."""

        def start() -> _S:
            stream = self._open_stream(device)
            try:
                stream.start()
            except AudioError:
                stream.close()
                raise
            return stream

        stream = await off_loop(start, f"opening the audio {self.direction}", discard=lambda late: late.close())
        self.stream, self.description = stream, stream.description
        if not self.wanted:  # `stop` did not wait
            await self.close()

    async def close(self) -> None:
        """Close the stream; within `exclusive`. After an `AudioError` the thread continues to close it."""
        stream, self.stream, self.description = self.stream, None, ""
        if stream is not None:
            await off_loop(stream.close, f"closing the audio {self.direction}", CLOSE_LIMIT)

    def _open_stream(self, device: DeviceSpec) -> _S:
        raise NotImplementedError


class InputSide(Side[InputStream]):
    """The microphone, a file, or a synthetic user."""

    direction = "input"

    def __init__(
        self, engine: AudioEngine, device: DeviceSpec, report: Report, backend: AudioBackend, source: Source | None
    ) -> None:
        super().__init__(engine, SYNTHETIC if source else device, report, backend)
        self.source = source

    @property
    def is_open(self) -> bool:
        """Whether something is captured; the device "none" captures nothing."""
        return self.stream is not None and self.device != NONE

    @property
    def is_microphone(self) -> bool:
        """Whether sound of a device may be expected: it is open and not lost."""
        return self.is_hardware and self.stream is not None and self.lost_at is None

    def _open_stream(self, device: DeviceSpec) -> InputStream:
        source = self.source if device == SYNTHETIC else None
        return open_input(self.engine, device, source, self._backend)


class OutputSide(Side[OutputStream]):
    """The speaker, or a stand-in that plays to nowhere so that the conversation goes on without one."""

    direction = "output"

    def __init__(
        self, engine: AudioEngine, device: DeviceSpec, report: Report, backend: AudioBackend, latency: Latency
    ) -> None:
        super().__init__(engine, device, report, backend)
        self._latency: Latency = latency
        self._stand_in: OutputStream | None = None
        self._underflows, self._underflows_since = 0, time.monotonic()  # as counted at that time

    @property
    def current(self) -> OutputStream | None:
        """The stream that plays: the speaker's, or the stand-in."""
        return self.stream or self._stand_in

    async def ease(self) -> None:
        """Raise the latency after repeated underflows, at the next moment of silence."""
        strained = self.engine.underflows - self._underflows >= UNDERFLOWS
        if strained and self.engine.playing:
            return
        if strained or time.monotonic() - self._underflows_since > UNDERFLOW_SECONDS:
            self._underflows, self._underflows_since = self.engine.underflows, time.monotonic()
        before = self.stream.latency if self.stream else EASED_LATENCY
        if not strained or self.lost_at is not None or before >= EASED_LATENCY:
            return
        self._latency = EASED_LATENCY
        try:
            async with self.exclusive():
                await self.close()
                await self.open(DEFAULT if self.replaced else self.device)
        except AudioError as error:
            self.lose(str(error))
            return
        self.description += f" (raised from {before * 1000:.0f} ms: the speaker ran out of sound repeatedly)"
        self._report("output", self.description, "")

    async def open(self, device: DeviceSpec) -> None:
        await self._end_stand_in()
        try:
            await super().open(device)
        except AudioError:
            self._begin_stand_in()
            raise

    async def close(self) -> None:
        await self._end_stand_in()
        await super().close()

    async def give_up(self) -> None:
        await super().give_up()
        self._begin_stand_in()

    def _begin_stand_in(self) -> None:
        self._stand_in = open_output(self.engine, NONE)
        self._stand_in.start()

    async def _end_stand_in(self) -> None:
        stream, self._stand_in = self._stand_in, None
        if stream is not None:
            await off_loop(stream.close, "closing the stand-in for the speaker")

    def _open_stream(self, device: DeviceSpec) -> OutputStream:
        return open_output(self.engine, device, self._latency, self._backend)
