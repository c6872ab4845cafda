import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.audio.capture import CaptureQueue
from voicelive_tui.audio.format import BLOCK_SAMPLES, BLOCK_SECONDS, silence

CYCLE = 60 * BLOCK_SAMPLES


class Microphone:
    """Puts blocks of consecutive sample values, each after a given interval."""

    def __init__(self, queue: CaptureQueue) -> None:
        self.queue = queue
        self.number = 0
        self.now = 100.0

    def block(self, after: float = BLOCK_SECONDS) -> bytes:
        self.now += after
        first = self.number * BLOCK_SAMPLES
        pcm = (np.arange(first, first + BLOCK_SAMPLES) % CYCLE).astype("<i2").tobytes()
        self.number += 1
        self.queue.put(pcm, self.now - 0.03, self.now)
        return pcm


@pytest.fixture
def queue():
    return CaptureQueue()


@pytest.fixture
def microphone(queue):
    return Microphone(queue)


def test_a_chunk_comes_when_it_is_whole_and_has_the_time_of_its_first_sample(queue, microphone):
    first = microphone.block()
    assert queue.take(960) is None
    second = microphone.block()
    taken = queue.take(960)
    assert taken.pcm == first + second
    assert taken.at == pytest.approx(100.02 - 0.03)
    assert queue.take(960) is None


@given(st.lists(st.sampled_from(["block", "take"]), max_size=60), st.integers(20, 100))
def test_whatever_the_chunk_no_sample_is_lost_doubled_or_misdated(steps, chunk_ms):
    queue = CaptureQueue()
    microphone = Microphone(queue)
    put = got = b""
    waiting = 0
    for step in steps:
        if step == "block" and waiting < 25:
            put += microphone.block()
            waiting += 1
        elif step == "take":
            waiting = 0
            while taken := queue.take(chunk_ms * 24):
                assert taken.at == pytest.approx(100.02 - 0.03 + len(got) / 2 / 24000)
                assert len(taken.pcm) == chunk_ms * 48
                got += taken.pcm
    while taken := queue.take(chunk_ms * 24, rest=True):
        got += taken.pcm
    assert got == put
    assert queue.dropped_ms == 0


def test_the_rest_is_given_when_asked_for(queue, microphone):
    assert queue.take(960, rest=True) is None
    block = microphone.block()
    assert queue.take(960, rest=True).pcm == block
    assert queue.take(960, rest=True) is None


def test_sound_that_waits_for_half_a_second_is_dropped_oldest_first_and_counted(queue, microphone):
    blocks = [microphone.block() for _ in range(40)]
    assert queue.take(480).pcm == blocks[15]
    assert queue.dropped_ms == 300


def test_a_burst_after_a_freeze_is_stale_until_it_has_caught_up(queue, microphone):
    microphone.block()
    queue.take(480)
    microphone.block(after=4.3)
    for _ in range(214):
        microphone.block(after=0.0001)
    fresh = [microphone.block() for _ in range(3)]
    got = []
    while taken := queue.take(480):
        got.append(taken.pcm)
    assert got[-3:] == fresh
    assert len(got) <= 25  # half a second at most of what came in the burst
    assert queue.dropped_ms == pytest.approx(4300 - 500, abs=60)


def test_a_hole_with_nothing_after_it_costs_one_block(queue, microphone):
    microphone.block()
    microphone.block(after=4.3)
    blocks = [microphone.block() for _ in range(10)]
    assert queue.take(480)
    assert queue.take(4800).pcm == b"".join(blocks)
    assert queue.dropped_ms == 20


def test_sound_with_an_old_time_is_stale(queue):
    queue.put(silence(480), 100.0, 100.6)
    assert queue.take(480) is None
    assert queue.dropped_ms == 20


def test_blocks_that_come_in_pairs_are_fresh(queue, microphone):
    for _ in range(500):
        microphone.block(after=0.0001)
        microphone.block(after=0.0399)
        queue.take(960)
    assert queue.dropped_ms == 0


def test_a_slow_clock_does_not_add_up_to_staleness(queue, microphone):
    for _ in range(200_000):  # over an hour at 1000 parts in a million
        queue.put(b"\0" * 960, microphone.now, microphone.now)
        microphone.now += BLOCK_SECONDS * 1.001
        queue.take(480)
    assert queue.dropped_ms == 0


def test_clearing_is_not_dropping(queue, microphone):
    for _ in range(10):
        microphone.block()
    queue.take(700)
    queue.clear()
    block = microphone.block()
    assert queue.take(480).pcm == block
    assert queue.dropped_ms == 0


def test_gated_blocks_mark_their_chunk(queue):
    queue.put(silence(480), 100, 100.03)
    queue.put(silence(480), 100.02, 100.05, gated=True)
    assert queue.take(480).gated is False
    assert queue.take(480).gated is True


def test_two_threads_lose_nothing_that_is_not_counted():
    queue = CaptureQueue()
    microphone = Microphone(queue)
    blocks = 20_000

    def callback() -> None:
        for n in range(blocks):
            microphone.block()
            if n % 50 == 0:
                time.sleep(0.0005)

    thread = threading.Thread(target=callback)
    thread.start()
    got = []
    ended = False
    while not ended:
        ended = not thread.is_alive()
        while taken := queue.take(960, rest=ended):
            got.append(np.frombuffer(taken.pcm, "<i2"))
    thread.join()
    samples = np.concatenate(got)
    assert samples.size + queue.lost_samples == blocks * BLOCK_SAMPLES
    jumps = np.diff(samples.astype(int)) % CYCLE
    assert ((jumps - 1) % BLOCK_SAMPLES == 0).all()  # only whole blocks are missing
    assert queue.stale_samples == 0
