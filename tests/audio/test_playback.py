import threading
import time

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from voicelive_tui.audio import playback
from voicelive_tui.audio.format import BLOCK_BYTES, BLOCK_SECONDS, samples_to_ms, silence
from voicelive_tui.audio.playback import Finished, Heard, PlaybackQueue, Started

LATENCY = 0.04


class Speaker:
    """Takes blocks from a queue as a device would: one each 20 ms, heard 40 ms later."""

    def __init__(self, queue: PlaybackQueue, now: float = 100.0) -> None:
        self.queue, self.now = queue, now
        self.heard = b""

    def block(self) -> bytes:
        out = bytearray(b"\xaa" * BLOCK_BYTES)
        self.queue.fill(memoryview(out), self.now + LATENCY, self.now)
        self.now += BLOCK_SECONDS
        self.heard += out
        return bytes(out)

    def blocks(self, count: int) -> np.ndarray:
        return np.frombuffer(b"".join(self.block() for _ in range(count)), "<i2")


def sound(ms: float, value: int = 1000) -> bytes:
    return np.full(round(ms * 24), value, "<i2").tobytes()


@pytest.fixture
def queue():
    return PlaybackQueue(prebuffer_ms=100)


@pytest.fixture
def speaker(queue):
    return Speaker(queue)


def test_nothing_to_play_is_silence(queue, speaker):
    assert speaker.block() == bytes(BLOCK_BYTES)
    assert not queue.playing(speaker.now)
    assert queue.events(speaker.now) == []


def test_items_are_played_in_order_sample_by_sample_with_no_hole_between_them(queue, speaker):
    first, second = np.arange(1, 5001, dtype="<i2"), np.arange(5001, 9001, dtype="<i2")
    for piece in np.array_split(first, 7):
        queue.play("a", piece.tobytes())
    queue.finish("a")
    queue.play("b", second.tobytes())
    queue.finish("b")
    heard = speaker.blocks(25)
    assert heard[:9000].tolist() == list(range(1, 9001))
    assert not heard[9000:].any()


def test_halves_of_a_sample_are_joined(queue, speaker):
    whole = np.arange(1, 4801, dtype="<i2").tobytes()
    for start in range(0, len(whole), 777):
        queue.play("a", whole[start : start + 777])
    queue.finish("a")
    assert speaker.blocks(10).tobytes() == whole


def test_half_a_sample_at_the_end_is_left_out(queue, speaker):
    queue.play("a", sound(100) + b"\x7f")
    queue.finish("a")
    assert speaker.blocks(6).tobytes() == sound(100) + silence(480)
    assert queue.events(200.0)[-1].ms == 100


def test_begin_and_end_are_reported_when_they_reach_the_dac(queue, speaker):
    queue.play("a", sound(50))
    queue.finish("a")
    speaker.blocks(3)
    begin = 100.0 + LATENCY
    assert queue.events(begin - 0.001) == []
    assert queue.events(begin) == [Started("a", begin)]
    assert queue.events(begin + 0.049) == []
    assert queue.playing(begin + 0.049)
    assert queue.events(begin + 0.0501) == [Finished("a", pytest.approx(begin + 0.05), 50)]
    assert not queue.playing(begin + 0.051)


def test_an_item_ends_only_once_it_is_marked_complete(queue, speaker):
    queue.play("a", sound(100))
    speaker.blocks(8)
    assert [type(e) for e in queue.events(200.0)] == [Started]
    queue.finish("a")
    assert [type(e) for e in queue.events(200.0)] == [Finished]


def test_an_item_without_sound_makes_no_event(queue, speaker):
    queue.finish("never heard of")
    queue.play("a", b"")
    queue.finish("a")
    speaker.blocks(2)
    assert queue.events(200.0) == []
    assert queue.settle() == []


def test_sound_waits_for_the_prebuffer(queue, speaker):
    queue.play("a", sound(80))
    assert not speaker.blocks(2).any()
    queue.play("a", sound(20))
    assert speaker.blocks(5).all()


def test_a_short_item_that_is_complete_does_not_wait(queue, speaker):
    queue.play("a", sound(20))
    queue.finish("a")
    assert speaker.blocks(1).all()


def test_sound_waits_for_its_prebuffer_at_most_half_as_long_again(queue, speaker):
    queue.play("a", sound(40))
    blocks = speaker.blocks(10).reshape(10, 480)
    assert [bool(b.all()) for b in blocks] == [False] * 8 + [True] * 2  # 160 ms is the first call after 150


def test_after_running_dry_a_longer_prebuffer_is_awaited_and_the_sound_fades_in(queue, speaker):
    queue.play("a", sound(100))
    assert speaker.blocks(6)[:2400].all()
    assert queue.gaps == 0  # perhaps that was all of it
    queue.play("a", sound(180))
    assert not speaker.blocks(1).any()
    assert (queue.gaps, queue.target_ms) == (1, 200)
    queue.play("a", sound(20))
    heard = speaker.blocks(10)
    assert heard[0] == 0
    assert (np.diff(heard[:72]) >= 0).all()
    assert (heard[72:] == 1000).all()
    queue.finish("a")
    speaker.blocks(1)
    assert queue.gaps == 1


def test_the_prebuffer_grows_to_300_ms_and_shrinks_after_30_calm_seconds(queue, speaker):
    for _ in range(5):
        queue.play("a", sound(400))
        speaker.blocks(25)
    assert (queue.gaps, queue.target_ms) == (4, 300)
    queue.finish("a")
    for name in "bcd":
        speaker.now += 31
        queue.play(name, sound(40))
        queue.finish(name)
        speaker.blocks(5)
    assert queue.target_ms == 100


def test_running_dry_at_the_end_is_not_a_gap(queue, speaker):
    queue.play("a", sound(100))
    speaker.blocks(7)
    queue.finish("a")
    queue.play("b", sound(100))
    speaker.blocks(7)
    assert queue.gaps == 0


def test_a_gap_before_the_very_last_sound_counts_too(queue, speaker):
    queue.play("a", sound(100))
    speaker.blocks(7)
    queue.play("a", sound(40))
    queue.finish("a")
    heard = speaker.blocks(2)
    assert queue.gaps == 1
    assert heard[0] == 0
    assert (heard[72:] == 1000).all()


def test_an_item_that_continues_after_its_end_is_played_and_reported_again(queue, speaker):
    for n in (1, 2):
        queue.play("a", sound(100))
        queue.finish("a")
        speaker.blocks(7)
        assert [type(e) for e in queue.events(speaker.now + 1)] == [Started, Finished]
        assert queue.heard_ms("a", speaker.now + 1) == 100 * n
    assert queue.gaps == 0


def test_the_first_sound_does_not_fade_in(queue, speaker):
    queue.play("a", sound(100))
    assert speaker.blocks(1)[0] == 1000


def test_flush_silences_the_next_block_and_late_audio_is_not_played(queue, speaker):
    queue.play("a", sound(500))
    speaker.blocks(3)
    queue.flush(speaker.now)
    assert speaker.block() == bytes(BLOCK_BYTES)
    queue.play("a", sound(500))
    assert speaker.block() == bytes(BLOCK_BYTES)
    queue.play("b", sound(500, 7000))
    heard = speaker.blocks(2)
    assert heard[0] == 0
    assert (heard[72:] == 7000).all()


def test_if_the_device_is_not_stopped_everything_it_took_is_heard(queue, speaker):
    queue.play("a", sound(500))
    queue.play("b", sound(500))
    speaker.blocks(3)
    queue.flush(speaker.now)
    speaker.blocks(1)
    assert queue.settle() == [Heard("a", 60), Heard("b", 0)]
    assert queue.settle() == []
    assert queue.events(200.0) == [Started("a", pytest.approx(100.0 + LATENCY))]
    assert queue.events(200.0) == []


def test_sound_in_the_device_when_it_was_stopped_was_not_heard(queue, speaker):
    queue.play("a", sound(500))
    speaker.blocks(5)
    stopped_at = 100.0 + LATENCY + 0.033
    queue.flush(stopped_at)
    speaker.blocks(5)  # the restarted stream plays silence
    assert queue.settle(stopped_at) == [Heard("a", pytest.approx(33, abs=0.05))]
    assert queue.heard_ms("a", 200.0) == pytest.approx(33, abs=0.05)
    assert not queue.playing(stopped_at + 0.001)
    assert queue.silent_from() == stopped_at


def test_a_device_stopped_before_the_first_sample_has_played_nothing(queue, speaker):
    queue.play("a", sound(500))
    speaker.blocks(2)
    queue.flush(speaker.now)
    assert queue.settle(100.0 + LATENCY / 2) == [Heard("a", 0)]


def test_a_device_stopped_after_the_last_sample_has_finished_the_item(queue, speaker):
    queue.play("a", sound(40))
    queue.finish("a")
    speaker.blocks(3)
    queue.flush(100.0 + LATENCY + 0.03)
    assert queue.settle(100.0 + LATENCY + 0.05) == []
    assert queue.events(200.0) == [
        Started("a", pytest.approx(100.0 + LATENCY)),
        Finished("a", pytest.approx(100.0 + LATENCY + 0.04), 40),
    ]


def test_sound_of_the_next_item_played_before_the_stop_was_settled_still_counts(queue, speaker):
    queue.play("a", sound(500))
    speaker.blocks(3)
    queue.flush(speaker.now)
    stopped_at = speaker.now
    speaker.now += 0.003
    queue.play("b", sound(500, 2000))
    speaker.blocks(2)
    queue.settle(stopped_at)
    assert queue.heard_ms("b", 200.0) == 40


def test_heard_grows_as_the_samples_leave_the_dac(queue, speaker):
    queue.play("a", sound(500))
    speaker.blocks(5)
    begin = 100.0 + LATENCY
    assert queue.heard_ms("a", begin - 1) == 0
    assert queue.heard_ms("a", begin + 0.03) == pytest.approx(30, abs=0.05)
    assert queue.heard_ms("a", begin + 10) == 100
    assert queue.heard_ms("unknown", begin) == 0


def test_heard_outlives_the_history_of_blocks(queue, speaker):
    queue.play("a", sound(100))
    queue.finish("a")
    speaker.blocks(600)
    assert queue.heard_ms("a", speaker.now) == 100


def test_forget_frees_item_ids(queue, speaker):
    queue.play("a", sound(500))
    speaker.blocks(1)
    queue.flush(speaker.now)
    queue.forget()
    assert not speaker.blocks(1).any()
    queue.play("a", sound(500))
    assert speaker.blocks(1)[72:].all()


def test_accounts_of_old_items_are_dropped_but_not_those_of_open_ones(queue, speaker):
    queue.play("never finished", sound(10))
    for n in range(300):
        queue.play(f"item {n}", sound(20))
        queue.finish(f"item {n}")
        speaker.blocks(1)
        queue.events(speaker.now + 1)
    known = [n for n in range(300) if queue.heard_ms(f"item {n}", speaker.now + 1)]
    assert 0 < len(known) < 100
    assert min(known) > 200
    assert queue.heard_ms("never finished", speaker.now + 1) == 10


NO_FADE = np.ones(0, np.float32)


class QueueMachine(RuleBasedStateMachine):
    """Any interleaving of play, finish, flush and fill keeps order, heard and counts true.

    Every sample of the run has its own number as its value, so what was played shows where it came from.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fade, playback.FADE = playback.FADE, NO_FADE
        self.queue = PlaybackQueue(prebuffer_ms=40)
        self.speaker = Speaker(self.queue)
        self.made = 0
        self.count = 0
        self.waiting: list[list] = []  # items with [id, values, complete, samples heard]
        self.flushed: dict[str, int] = {}

    def teardown(self):
        playback.FADE = self.fade

    def current(self) -> list:
        if not self.waiting or self.waiting[-1][2]:
            self.count += 1
            self.waiting.append([f"item {self.count}", [], False, 0])
        return self.waiting[-1]

    @rule(samples=st.integers(0, 3000))
    def play(self, samples):
        values = [1 + (self.made + n) % 30000 for n in range(samples)]
        self.made += samples
        item = self.current()
        item[1] += values
        self.queue.play(item[0], np.array(values, "<i2").tobytes())

    @rule()
    def finish(self):
        if self.waiting:
            self.queue.finish(self.waiting[-1][0])
            self.waiting[-1][2] = True

    @precondition(lambda self: self.flushed)
    @rule(data=st.data())
    def late(self, data):
        self.queue.play(data.draw(st.sampled_from(sorted(self.flushed))), sound(20, 31000))

    @rule(blocks=st.integers(1, 8))
    def fill(self, blocks):
        for _ in range(blocks):
            played = [v for v in np.frombuffer(self.speaker.block(), "<i2").tolist() if v]
            for value in played:
                item = next(i for i in self.waiting if i[3] < len(i[1]))
                assert value == item[1][item[3]]
                item[3] += 1

    @rule(late_by=st.floats(0, 0.1), stopped=st.booleans())
    def flush(self, late_by, stopped):
        now = self.speaker.now
        self.queue.flush(now)
        heard = {h.item_id: h for h in self.queue.settle(now + late_by if stopped else None)}
        assert set(heard) <= {item_id for item_id, *_ in self.waiting}
        for item_id, values, _, played in self.waiting:
            if item_id in heard:
                assert 0 <= heard[item_id].heard_ms <= samples_to_ms(played) <= samples_to_ms(len(values))
                if not stopped:
                    assert heard[item_id].heard_ms == samples_to_ms(played)
            if item_id in heard:
                self.flushed[item_id] = played
        self.waiting = []
        assert self.speaker.block() == bytes(BLOCK_BYTES)

    @rule()
    def events(self):
        for event in self.queue.events(self.speaker.now - LATENCY):
            item = next((i for i in self.waiting if i[0] == event.item_id), None)
            if item and isinstance(event, Finished):
                assert item[2]
                assert item[3] == len(item[1])
                assert event.ms == samples_to_ms(len(item[1]))

    @invariant()
    def buffered_is_what_was_not_played(self):
        unheard = sum(len(values) - played for _, values, _, played in self.waiting)
        assert self.queue.buffered_ms == pytest.approx(samples_to_ms(unheard))


QueueMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestQueueMachine = QueueMachine.TestCase


def test_two_threads_keep_every_sample_in_order(monkeypatch):
    """A real second thread empties the queue while this one fills, flushes and asks."""
    monkeypatch.setattr(playback, "FADE", NO_FADE)
    queue = PlaybackQueue(prebuffer_ms=0)
    out: list[bytes] = []
    stop = threading.Event()

    def callback() -> None:
        clock = 0.0
        while not stop.is_set():
            block = bytearray(BLOCK_BYTES)
            queue.fill(memoryview(block), clock, clock)
            clock += BLOCK_SECONDS
            out.append(bytes(block))

    thread = threading.Thread(target=callback)
    thread.start()
    rng = np.random.default_rng(5)
    accounts: dict[int, tuple[float, bool]] = {}
    deadline = time.monotonic() + 1
    number = 0
    try:
        while time.monotonic() < deadline or number < 50:
            number += 1
            name = str(number)
            samples = 0
            for _ in range(int(rng.integers(1, 6))):
                n = int(rng.integers(1, 2000))
                queue.play(name, np.full(n, number, "<i2").tobytes())
                samples += n
                assert queue.heard_ms(name, 1e9) <= samples_to_ms(samples)
                assert 0 <= queue.buffered_ms <= samples_to_ms(samples)
            if rng.random() < 0.5:
                queue.flush(1e9)
                heard = {h.item_id: h.heard_ms for h in queue.settle()}
                accounts[number] = (heard.get(name, samples_to_ms(samples)), True)
            else:
                queue.finish(name)
                while not any(isinstance(e, Finished) and e.item_id == name for e in queue.events(1e9)):
                    assert time.monotonic() < deadline + 120
                    time.sleep(0.0005)
                accounts[number] = (samples_to_ms(samples), False)
    finally:
        stop.set()
        thread.join()
    played = np.frombuffer(b"".join(out), "<i2")
    numbers = played[played != 0]
    assert (np.diff(numbers) >= 0).all()
    for n, (ms, flushed) in accounts.items():
        counted = samples_to_ms(int((numbers == n).sum()))
        # After a flush the callback may be within a block that it began before.
        assert ms <= counted <= ms + (20 if flushed else 0), n


def test_the_queue_takes_ten_minutes_and_no_more():
    queue = PlaybackQueue()
    minute = b"\1\0" * 24_000 * 60
    taken = [queue.play("item_a", minute) for _ in range(13)]
    assert taken == [True] * 11 + [False] * 2
    assert queue.buffered_ms == 11 * 60_000
    queue.flush(0.0)
    assert queue.play("item_b", minute)
