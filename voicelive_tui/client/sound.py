"""The audio engine and its two streams, for the event loop: opened, cut, switched and closed without ever blocking it.

A sound server may freeze, and then a call into PortAudio returns never. So each blocking call runs in a daemon thread
of its own with a time limit; one that outlives it is left behind, and does not keep the program from ending.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from voicelive_tui.audio.devices import (
    CUT_TIME_LIMIT,
    THREAD_PREFIX,
    TIME_LIMIT,
    AudioError,
    Checked,
    OutputStream,
    Source,
    output_for,
)
from voicelive_tui.audio.duplex import DIRECTIONS, Duplex
from voicelive_tui.audio.engine import AudioEngine, Direction, Heard
from voicelive_tui.config import Audio

log = logging.getLogger(__name__)

WATCH_SECONDS = 0.25
RETRY_SECONDS = 2.0
"""Between tries to open a device that went away."""
EASED_LATENCY = 0.12
"""Seconds that the speaker's device is given to hold once it ran out of sound `UNDERFLOWS` times in
`UNDERFLOW_SECONDS`: three times the lowest on PulseAudio. Interrupting is no slower for it, see `Duplex.cut`."""
UNDERFLOWS, UNDERFLOW_SECONDS = 3, 30.0

_T = TypeVar("_T")
Report = Callable[[Direction, str, str], None]


async def off_loop(call: Callable[[], _T], what: str, limit: float = TIME_LIMIT) -> _T:
    """Run a blocking call in a daemon thread, and wait for it without blocking the loop.

    Raises:
        AudioError: It took longer than `limit` seconds; and whatever the call raises.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def finish(result: _T | None, problem: BaseException | None) -> None:
        if done.done():
            return  # nobody waits any more
        if problem is not None:
            done.set_exception(problem)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, problem = None, None
        try:
            result = call()
        except BaseException as error:
            problem = error
        try:
            loop.call_soon_threadsafe(finish, result, problem)
        except RuntimeError:
            pass  # the loop is closed: the program is ending

    threading.Thread(target=run, name=f"{THREAD_PREFIX}{what}", daemon=True).start()
    try:
        return await asyncio.wait_for(done, limit)
    except TimeoutError:
        raise AudioError(f"{what} took longer than {limit:g} s: the sound server does not answer", "timeout") from None


class Sound:
    """The engine and its two streams (`Duplex`), awaitable.

    Args:
        audio: Devices and latencies.
        report: Called on the loop with direction, description and problem, whenever a stream opens or fails.
        source: A synthetic microphone in place of the input device.
    """

    def __init__(self, audio: Audio, report: Report, source: Source | None = None) -> None:
        self.engine = AudioEngine(chunk_ms=audio.chunk_ms, half_duplex=audio.half_duplex)
        self.devices: dict[Direction, str] = {"input": str(audio.input_device), "output": str(audio.output_device)}
        self._source = source
        self._duplex = Duplex(
            self.engine,
            "none" if source else self.devices["input"],
            self.devices["output"],
            audio.output_latency,
            source,
        )
        self._report = report
        self._open: dict[Direction, str] = {}  # what is open, in words
        self._lost: dict[Direction, int] = {}  # and the count of blocks at that time: it grows once sound flows again
        self._underflows, self._underflows_since = 0, time.monotonic()  # as counted at that time
        self._stand_in: OutputStream | None = None  # plays to nobody, so that a conversation without a speaker goes on

    @property
    def input_open(self) -> bool:
        """Whether a microphone, or what stands in for it, is open; "none" is not one."""
        return "input" in self._open and (self._source is not None or self.devices["input"] != "none")

    @property
    def input_ended(self) -> bool:
        """Whether the file that stands in for the microphone is over."""
        return self._duplex.input_ended

    @property
    def stalled(self) -> set[Direction]:
        """The directions that stopped by themselves, until sound flows again."""
        return self.engine.stalled() | self._lost.keys()

    @property
    def output_latency_ms(self) -> float:
        """What the speaker's device holds, in milliseconds."""
        return self._duplex.output_latency * 1000

    async def check(self) -> None:
        """Open what a conversation would use, and report on it: the speaker stays open, the microphone does not."""
        await self._begin("output")
        await self._begin("input")
        await self.stop_capture()

    async def start_capture(self) -> None:
        """Open the microphone and let it run. A failure is reported, not raised."""
        await self._begin("input")

    async def stop_capture(self) -> None:
        """Close the microphone."""
        await self._end("input")

    async def cut(self) -> list[Heard]:
        """Silence the speaker itself, whatever it holds; `engine.flush()` has been called before.

        Returns:
            What was heard of each item that was dropped.
        """
        stopped_at = None
        try:
            cut = self._stand_in.cut if self._stand_in else self._duplex.cut
            stopped_at = await off_loop(cut, "stopping the speaker", CUT_TIME_LIMIT)
        except AudioError as problem:
            self._report("output", self._open.get("output", ""), str(problem))
        return self.engine.settle(stopped_at)

    async def choose(self, direction: Direction, device: str) -> None:
        """Change to another device while the conversation goes on; it goes on with the old one where that fails."""
        if direction == "output":
            await self._end_stand_in()
        try:
            description = await off_loop(
                lambda: self._duplex.switch(direction, device), f"changing the audio {direction}", 2 * TIME_LIMIT
            )
        except AudioError as problem:
            self._report(direction, self._open.get(direction, ""), str(problem))
            if direction == "output" and direction not in self._open:
                await self._begin_stand_in()
            return
        self.devices[direction] = device
        self._open[direction] = description
        if direction == "input":
            self._source = None
        self._report(direction, description, "")

    async def close(self) -> None:
        """Close everything, within a limit."""
        await self._end_stand_in()
        for direction in DIRECTIONS:
            await self._end(direction)

    async def watch(self) -> None:
        """Notice streams that stall or end, say so, and bring them back: the same device, else the default one.

        A speaker that runs out of sound again and again gets a higher latency at the next moment of silence.
        """
        lost, next_try, complaint = self._lost, 0.0, ""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            stalled = self.engine.stalled()
            for direction in tuple(lost):
                if direction in self._open and direction not in stalled and self._blocks(direction) > lost[direction]:
                    del lost[direction]
                    self._report(direction, self._open[direction], "")
                    complaint = ""
            new = stalled - lost.keys()
            for direction in new:
                lost[direction] = self._blocks(direction)
                self._report(direction, "", self.engine.watchdog.reason(direction))
            # The search may close the other direction: where that is about to go as well, its own reason is said first.
            if not new and (lost or self._duplex.incomplete) and time.monotonic() > next_try:
                await self._recover(stalled)
                lost |= {direction: self._blocks(direction) for direction in lost}
                next_try = time.monotonic() + RETRY_SECONDS
            if self._is_microphone and not lost and complaint != self.engine.complaint():
                complaint = self.engine.complaint()
                self._report("input", self._open["input"], complaint)
            await self._ease_output()

    async def _recover(self, stalled: set[Direction]) -> None:
        for direction in stalled:
            self._open.pop(direction, None)
        await self._end_stand_in()
        try:
            results = await off_loop(lambda: self._duplex.recover(stalled), "bringing sound back", 2 * TIME_LIMIT)
        except AudioError as problem:
            hung = self._duplex.missing - self._lost.keys()  # that the others are lost has been said
            results = [Checked(direction, ok=False, sentence=str(problem)) for direction in hung]
        for result in results:
            direction, before = result.direction, self._open.pop(result.direction, "")
            if result.ok:
                self._open[direction] = result.sentence
            elif direction not in self._lost:  # it was well, and was closed to find the other one
                self._lost[direction] = self._blocks(direction)
                self._report(direction, "", result.sentence)
            if result.ok and direction not in self._lost and result.sentence != before:
                self._report(direction, result.sentence, "")
        if "output" not in self._open:
            await self._begin_stand_in()

    async def _ease_output(self) -> None:
        """Let the speaker hold more when it ran out of sound repeatedly; that waits for a moment of silence."""
        strained = self.engine.underflows - self._underflows >= UNDERFLOWS
        if strained and self.engine.playing:
            return
        if strained or time.monotonic() - self._underflows_since > UNDERFLOW_SECONDS:
            self._underflows, self._underflows_since = self.engine.underflows, time.monotonic()
        before = self.output_latency_ms
        if not strained or "output" not in self._open or "output" in self._lost or before >= EASED_LATENCY * 1000:
            return
        try:
            opened = await off_loop(lambda: self._duplex.ease(EASED_LATENCY), "raising the speaker's latency")
        except AudioError as problem:
            self._open.pop("output")
            self._report("output", "", str(problem))
            return
        self._open["output"] = f"{opened} (raised from {before:.0f} ms: the speaker ran out of sound repeatedly)"
        self._report("output", self._open["output"], "")

    @property
    def _is_microphone(self) -> bool:
        """Whether the input is a device, of which sound may be expected; not a file, a synthetic user, or nothing."""
        return self.input_open and self._source is None and not self.devices["input"].startswith("file:")

    def _blocks(self, direction: Direction) -> int:
        return self.engine.blocks_in if direction == "input" else self.engine.blocks_out

    async def _begin(self, direction: Direction) -> None:
        if direction in self._open:
            return
        if direction == "output":
            await self._end_stand_in()
        try:
            (result,) = await off_loop(lambda: self._duplex.open(direction), f"opening the audio {direction}")
        except AudioError as problem:
            result = Checked(direction, ok=False, sentence=str(problem))
        if result.ok:
            self._open[direction] = result.sentence
            self._report(direction, result.sentence, "")
            return
        self._report(direction, "", result.sentence)
        await self._end(direction)  # it is not to be tried again behind the user's back
        if direction == "output":
            await self._begin_stand_in()

    async def _end(self, direction: Direction) -> None:
        if was := self._open.pop(direction, None):
            log.info("%s stopped: %s", "capture" if direction == "input" else "playback", was)
        self._lost.pop(direction, None)
        try:
            await off_loop(lambda: self._duplex.close(direction), f"closing the audio {direction}")
        except AudioError as problem:
            if was:  # else why it could not be opened has been said
                self._report(direction, "", str(problem))

    async def _begin_stand_in(self) -> None:
        if self._stand_in is None:
            self._stand_in = output_for("none").open(self.engine)
            self._stand_in.start()

    async def _end_stand_in(self) -> None:
        if self._stand_in is not None:
            stream, self._stand_in = self._stand_in, None
            await off_loop(stream.close, "closing the stand-in for the speaker")
