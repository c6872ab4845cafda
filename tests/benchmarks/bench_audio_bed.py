"""Sound figures on the virtual sound bed, at the engine: interruptions, first sound, processor time.

    python -m tests.benchmarks.bench_audio_bed [--trials 20]

Judged by the speaker's monitor. The recorder hands out portions of 5 to 10 ms, which is in the times. Baselines are
measured in the same run: dropping the program's own queue only, as most programs do, and streams with empty callbacks.
"""

import argparse
import os
import resource
import time
from collections.abc import Callable

import numpy as np

from tests.sound_bed import Canary, Recording, SoundBed
from voicelive_tui import runtime as realtime
from voicelive_tui.audio.devices import DEFAULT, InputStream, Latency, OutputStream
from voicelive_tui.audio.engine import AudioEngine
from voicelive_tui.audio.format import SAMPLE_RATE
from voicelive_tui.audio.streams import open_input, open_output


def percentiles(values: list[float]) -> str:
    """Median, 95th percentile and maximum, of seconds, in milliseconds."""
    return " / ".join(f"{float(np.percentile(values, p)) * 1000:6.1f}" for p in (50, 95, 100))


class Loop:
    """Looks every 5 ms for events and chunks, in place of the event loop."""

    def __init__(self, engine: AudioEngine) -> None:
        self.engine = engine

    def until(self, happened: Callable[[], bool]) -> None:
        while not happened():
            self.engine.events()
            while self.engine.chunk():
                pass
            time.sleep(0.005)

    def pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end)


def constant(ms: float, value: int) -> bytes:
    return np.full(round(ms * 24), value, "<i2").tobytes()


def started(engine: AudioEngine, latency: Latency) -> tuple[InputStream, OutputStream]:
    """Both streams of the bed, running."""
    microphone, speaker = open_input(engine, DEFAULT), open_output(engine, DEFAULT, latency)
    microphone.start()
    speaker.start()
    return microphone, speaker


def interruptions(recording: Recording, latency: Latency, trials: int, *, interrupt: bool) -> None:
    engine = AudioEngine()
    loop = Loop(engine)
    microphone, speaker = started(engine, latency)
    rng = np.random.default_rng(11)
    silences, claims, calls = [], [], []
    for n in range(trials):
        value = 1000 + n * 10
        engine.play(f"item {n}", constant(3000, value))
        wanted = 150 + rng.uniform(0, 60)
        loop.until(lambda n=n, wanted=wanted: engine.heard_ms(f"item {n}") > wanted)
        time.sleep(rng.uniform(0, 0.01))
        before = np.count_nonzero(recording.samples == value)
        began = time.monotonic()
        engine.flush()
        stopped_at = speaker.interrupt() if interrupt else None
        calls.append(time.monotonic() - began)
        loop.pause(0.4)
        (heard,) = engine.settle(stopped_at)
        silences.append(recording.silent_since() - began)
        recorded = np.count_nonzero(recording.samples == value) + (72 if n else 0)
        claims.append((heard.heard_ms - recorded / 24) / 1000)
        assert recorded >= before
    microphone.close()
    speaker.close()
    within = np.mean([-0.025 <= c <= 0.0002 for c in claims])
    name = "abort and restart (ours)" if interrupt else "drop own queue"
    print(
        f"  latency {latency!s:4s}  {name:24s} silence {percentiles(silences)}   call {percentiles(calls)}"
        f"   heard: off by {min(claims) * 1000:6.1f} to {max(claims) * 1000:5.1f}, {within:4.0%} within 25 below"
    )


def first_sound(recording: Recording, trials: int) -> None:
    engine = AudioEngine()
    loop = Loop(engine)
    microphone, speaker = started(engine, "low")
    loop.pause(0.3)
    rng = np.random.default_rng(12)
    waits = []
    for n in range(trials):
        loop.pause(0.2 + rng.uniform(0, 0.02))
        began = time.monotonic()
        engine.play(f"item {n}", constant(150, 5000))
        engine.finish(f"item {n}")
        loop.until(lambda: not engine.playing)
        loop.pause(0.1)
        waits.append(recording.sound_began() - began)
    microphone.close()
    speaker.close()
    print(f"  play() to the first sample on the monitor, low latency: {percentiles(waits)}")


def processor_time(seconds: float) -> None:
    def measure(work: Callable[[AudioEngine], None], engine: AudioEngine, streams: list) -> float:
        for stream in streams:
            stream.start()
        before = resource.getrusage(resource.RUSAGE_SELF)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            work(engine)
            time.sleep(0.01)
        after = resource.getrusage(resource.RUSAGE_SELF)
        for stream in streams:
            stream.close()
        return ((after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)) / seconds

    def whole(engine: AudioEngine) -> None:
        engine.events()
        engine.stalled()
        while engine.chunk():
            pass
        if engine.buffered_ms < 1000:
            engine.play("a", constant(1000, 3000))
        if engine.blocks_in % 3 == 0:
            engine.levels()

    class Idle(AudioEngine):
        """Callbacks that do nothing."""

        def fill(self, out: memoryview, at: float, now: float, *, underflow: bool = False) -> None:
            out[:] = bytes(len(out))

        def captured(self, pcm: bytes, at: float, now: float, *, overflow: bool = False) -> None:
            pass

    rows = []
    for make, work in ((Idle, lambda engine: None), (AudioEngine, whole)):
        engine = make()
        streams = [open_input(engine, DEFAULT), open_output(engine, DEFAULT)]
        rows.append(measure(work, engine, streams))
    print(
        f"  processor time of {seconds:.0f} s, of one core: two streams with empty callbacks {rows[0]:.1%}; "
        f"with the engine, levels, chunks and meters {rows[1]:.1%}"
    )


def main(arguments: list[str] | None = None) -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    trials = parser.parse_args(arguments).trials
    bed = SoundBed()
    bed.start()
    os.environ.update(bed.environment)
    os.environ.pop("SSH_CONNECTION", None)
    try:
        with realtime.policy() as policy, Canary() as canary:
            policy.settle()
            print(f"Interruption, {trials} each; ms, median / 95th percentile / maximum")
            for latency in ("low", 0.12, 0.2):
                for interrupt in (False, True):
                    with bed.recording() as recording:
                        interruptions(recording, latency, trials, interrupt=interrupt)
            with bed.recording() as recording:
                print("First sound; ms, median / 95th percentile / maximum")
                first_sound(recording, trials)
            print("Cost")
            processor_time(10)
        print(f"  (longest stall of the machine: {canary.worst * 1000:.0f} ms; {SAMPLE_RATE} Hz)")
    finally:
        bed.stop()


if __name__ == "__main__":
    main()
