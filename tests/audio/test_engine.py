import time

import pytest

from tests.audio.blocks import hear, play_block, tone
from voicelive_tui.audio import engine as module
from voicelive_tui.audio.engine import AudioEngine, Watchdog
from voicelive_tui.audio.format import BLOCK_BYTES, FLOOR_DBFS, silence
from voicelive_tui.audio.pcm import SILENCE


def test_chunks_have_their_length_level_and_times(clock):
    engine = AudioEngine(chunk_ms=40)
    hear(engine, clock, tone(-20, 60))
    chunk = engine.chunk()
    assert len(chunk.pcm) == 1920
    assert chunk.at == pytest.approx(1000.0)
    assert chunk.level.rms == pytest.approx(-20, abs=0.3)
    assert engine.chunk() is None
    assert len(engine.chunk(rest=True).pcm) == 960


def test_mute_sends_silence_at_the_normal_pace(clock):
    engine = AudioEngine()
    engine.muted = True
    hear(engine, clock, tone(-10, 80))
    chunks = [engine.chunk(), engine.chunk(), engine.chunk()]
    assert [c and c.pcm for c in chunks] == [silence(960), silence(960), None]
    assert engine.levels().capture.rms == FLOOR_DBFS
    engine.muted = False
    hear(engine, clock, tone(-10, 40))
    assert engine.chunk().level.rms == pytest.approx(-10, abs=0.3)


def test_half_duplex_gates_while_something_is_heard_and_for_the_tail(clock):
    engine = AudioEngine(half_duplex=True)
    engine.play("a", tone(-10, 100))
    engine.finish("a")
    for n in range(5):
        play_block(engine, clock.now + n * 0.02)
    ends = clock.now + 0.1
    hear(engine, clock, tone(-20, 400))
    chunks = []
    while chunk := engine.chunk():
        chunks.append(chunk)
    for chunk in chunks:
        assert chunk.gated == (chunk.at < ends + module.HALF_DUPLEX_TAIL - 1e-6)
        assert (chunk.level == SILENCE) == chunk.gated
    assert [c.gated for c in chunks].count(True) in {7, 8}
    assert not engine.gated


def test_half_duplex_opens_after_an_interruption(clock):
    engine = AudioEngine(half_duplex=True)
    engine.play("a", tone(-10, 10_000))
    for n in range(10):
        play_block(engine, clock.now + n * 0.02)
    engine.flush()
    engine.settle(clock.now + 0.02)
    engine.captured(silence(480), clock.now + 0.021, clock.now)
    assert engine.gated
    engine.captured(silence(480), clock.now + 0.021 + module.HALF_DUPLEX_TAIL, clock.now)
    assert not engine.gated


def test_full_duplex_never_gates(clock):
    engine = AudioEngine()
    engine.play("a", tone(-10, 1000))
    play_block(engine, clock.now)
    hear(engine, clock, tone(-20, 40))
    assert not engine.chunk().gated


def test_lost_sound_is_counted_but_silence_that_runs_out_is_not(clock):
    engine = AudioEngine()
    engine.captured(silence(480), clock.now, clock.now, overflow=True)
    out = memoryview(bytearray(BLOCK_BYTES))
    engine.fill(out, clock.now, clock.now, underflow=True)
    assert engine.counters().underflows == 0  # it ran out of silence, which is inaudible
    engine.play("a", tone(-10, 100))
    engine.fill(out, clock.now + 0.04, clock.now, underflow=True)
    assert engine.counters().underflows == 0  # still
    engine.fill(out, clock.now + 0.06, clock.now + 0.02, underflow=True)
    counted = engine.counters()
    assert (engine.blocks_in, engine.blocks_out, counted.overflows, counted.underflows) == (1, 3, 1, 1)


def test_playback_that_runs_dry_in_the_middle_of_an_item_is_a_gap(clock):
    engine = AudioEngine()
    engine.play("a", tone(-10, 100))
    for n in range(6):
        play_block(engine, clock.now + n * 0.02)
    assert engine.counters().gaps == 0  # the item may have ended
    engine.play("a", tone(-10, 100))
    play_block(engine, clock.now + 0.12)
    assert engine.counters().gaps == 1


def test_played_blocks_are_available_with_their_times(clock):
    engine = AudioEngine()
    engine.play("a", tone(-10, 20))
    engine.finish("a")
    play_block(engine, 5.0)
    play_block(engine, 5.02)
    first, second = engine.played
    assert (first.at, first.pcm, second.at, second.pcm) == (5.0, tone(-10, 20), 5.02, bytes(BLOCK_BYTES))


def test_discarded_sound_is_not_sent(clock):
    engine = AudioEngine()
    hear(engine, clock, tone(-10, 100))
    engine.discard_captured()
    assert engine.chunk() is None
    assert engine.counters().dropped_ms == 0


class TestWatchdog:
    def ask(self, watchdog, clock, seconds, last):
        found = set()
        for _ in range(int(seconds / 0.1)):
            clock.now += 0.1
            found = watchdog.stalled(clock.now, {"input": last(), "output": last()})
        return found

    def test_open_streams_without_callbacks_are_stalled_after_half_a_second(self, clock):
        watchdog = Watchdog()
        assert self.ask(watchdog, clock, 2, lambda: 0) == set()
        watchdog.opened("input")
        assert self.ask(watchdog, clock, 0.4, lambda: 0) == set()
        assert self.ask(watchdog, clock, 0.2, lambda: 0) == {"input"}
        assert "stalled" in watchdog.reason("input")
        assert self.ask(watchdog, clock, 0.2, lambda: clock.now) == set()
        assert self.ask(watchdog, clock, 0.7, lambda: 0) == {"input"}
        watchdog.closed("input")
        assert self.ask(watchdog, clock, 0.7, lambda: 0) == set()

    def test_a_stream_that_ended_is_stalled_at_once(self, clock):
        watchdog = Watchdog()
        watchdog.opened("output")
        watchdog.ended("output")
        assert self.ask(watchdog, clock, 0.1, lambda: clock.now) == {"output"}
        assert "lost" in watchdog.reason("output")
        watchdog.opened("output")
        assert self.ask(watchdog, clock, 0.1, lambda: clock.now) == set()

    def test_no_stream_is_stalled_after_the_program_was_suspended(self, clock):
        watchdog = Watchdog()
        watchdog.opened("input")
        self.ask(watchdog, clock, 1, lambda: clock.now)
        before = clock.now
        clock.now += 60
        assert watchdog.stalled(clock.now, {"input": before, "output": 0}) == set()

    def test_the_engine_passes_its_last_callbacks_to_the_watchdog(self):
        engine = AudioEngine()
        engine.watchdog.opened("input")
        engine.watchdog.opened("output")
        deadline = time.monotonic() + 60
        while not (stalled := engine.stalled()):
            assert time.monotonic() < deadline, "no stall within 60 s"
            engine.captured(silence(480), time.monotonic(), time.monotonic())
            time.sleep(0.01)
        assert stalled == {"output"}
