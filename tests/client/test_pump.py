"""Captured sound on its way to the link, and playback events on their way to the fold."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from msgspec.structs import replace

from tests.conversing import until
from tests.session.folding import Fold, ready
from voicelive_tui.audio.format import BLOCK_BYTES, BLOCK_SECONDS, ms_to_samples, silence
from voicelive_tui.client.pump import AudioPump
from voicelive_tui.client.sound import Sound
from voicelive_tui.config import Audio
from voicelive_tui.session import inputs
from voicelive_tui.session.state import SessionState

LOUD = np.tile(np.array([9000, -9000], "<i2"), ms_to_samples(20) // 2).tobytes()
"""A block that counts as voiced."""


class Bench:
    """A pump whose engine is driven by hand; the link and the fold keep what they get."""

    def __init__(self, fold: Fold) -> None:
        self.fold, self.sent, self.seen = fold, list[tuple[bytes, bool]](), list[inputs.Input]()
        self.sound = Sound(Audio(input_device="none", output_device="none"), lambda *_: None)
        self.link: Any = self
        self.pump = AudioPump(self.sound, self, lambda: self.link)

    @property
    def state(self) -> SessionState:
        return self.fold.state

    def send_audio(self, pcm: bytes, at: float, *, late: bool = False) -> None:
        self.sent.append((pcm, late))

    def apply(self, event: inputs.Input) -> None:
        self.seen.append(event)
        self.fold.feed(event)

    def capture(self, *blocks: bytes) -> None:
        """Blocks that end now, as from the input callback."""
        now = time.monotonic()
        for number, block in enumerate(blocks):
            at = now - (len(blocks) - number) * BLOCK_SECONDS
            self.sound.engine.captured(block, at, at + BLOCK_SECONDS)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.pump.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def speaking(fold: Fold) -> Fold:
    """The fold with an activity, so that the pump does not rest."""
    fold.state = replace(fold.state, awaiting=True)
    return fold


async def test_whole_chunks_go_to_the_link_while_the_microphone_sends() -> None:
    bench = Bench(speaking(ready()))
    async with bench.running():
        bench.capture(LOUD, LOUD, LOUD)
        await until(lambda: bench.sent)
    assert bench.sent == [(LOUD * 2, False)]  # 40 ms; the third block waits for a fourth


async def test_between_push_to_talk_turns_nothing_is_sent_or_kept() -> None:
    fold = speaking(ready(type=None))
    bench = Bench(fold)
    async with bench.running():
        bench.capture(LOUD, LOUD)
        await until(lambda: bench.sound.engine.chunk() is None and bench.sound.engine.last_voiced_at)
    assert bench.sent == []
    assert bench.pump.ring.since(0.0) == []


async def test_the_end_of_a_push_to_talk_turn_sends_the_incomplete_chunk_and_reports_the_voice() -> None:
    bench = Bench(ready(type=None))
    bench.capture(LOUD, LOUD, LOUD)
    bench.pump.finish_turn()
    assert [len(pcm) for pcm, _ in bench.sent] == [2 * BLOCK_BYTES, BLOCK_BYTES]
    (report,) = bench.seen
    assert report == inputs.VoicedUntil(bench.sound.engine.last_voiced_at or 0.0)


async def test_sound_of_the_gap_is_sent_late_and_reported_with_its_voice() -> None:
    bench = Bench(ready())
    since = time.monotonic() - 1.0
    bench.capture(LOUD, LOUD)
    bench.pump.finish_turn()
    bench.sent.clear()
    bench.seen.clear()
    bench.pump.send_late(since)
    assert bench.sent == [(LOUD * 2, True)]
    assert bench.seen == [inputs.SentLate(40.0, True, 0.0)]


async def test_without_a_link_nothing_is_reported_as_sent() -> None:
    bench = Bench(ready())
    bench.link = None
    bench.capture(LOUD, LOUD)
    bench.pump.finish_turn()
    bench.seen.clear()
    bench.pump.send_late(0.0)
    assert (bench.sent, bench.seen) == ([], [])


async def test_silence_alone_is_never_reported_as_a_voice() -> None:
    bench = Bench(ready())
    bench.capture(silence(480), silence(480))
    bench.pump.finish_turn()
    assert bench.seen == []


async def test_the_start_and_the_end_of_an_item_are_reported_with_their_times() -> None:
    bench = Bench(ready())
    engine = bench.sound.engine
    async with bench.running():
        engine.play("item_a", LOUD)
        engine.finish("item_a")
        bench.pump.wake()
        now = time.monotonic()
        engine.fill(memoryview(bytearray(BLOCK_BYTES)), now, now)
        await until(lambda: len(bench.seen) == 2)
    assert bench.seen == [inputs.PlaybackStarted("item_a", now), inputs.PlaybackFinished("item_a", 20.0)]
