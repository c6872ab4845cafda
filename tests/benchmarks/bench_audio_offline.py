"""Sound figures that need no device: rate conversion, the callbacks' cost, and the prebuffer policy.

python -m tests.benchmarks.bench_audio_offline
"""

import time
from collections.abc import Callable

import numpy as np

from voicelive_tui.audio import playback
from voicelive_tui.audio.engine import AudioEngine
from voicelive_tui.audio.format import BLOCK_BYTES, BLOCK_SAMPLES, BLOCK_SECONDS, SAMPLE_RATE, silence
from voicelive_tui.audio.pcm import level
from voicelive_tui.audio.resample import Resampler


def microseconds(call: Callable[[], object], times: int = 2000) -> tuple[float, float]:
    """Median and 99th percentile of one call."""
    took = np.empty(times)
    for n in range(times):
        began = time.perf_counter()
        call()
        took[n] = time.perf_counter() - began
    return float(np.percentile(took, 50) * 1e6), float(np.percentile(took, 99) * 1e6)


class Soxr:
    """The baseline: soxr's streaming resampler on the same bytes."""

    def __init__(self, source: int, target: int, quality: str) -> None:
        import soxr

        self._stream = soxr.ResampleStream(source, target, 1, dtype="int16", quality=quality)

    def process(self, pcm: bytes) -> bytes:
        return self._stream.resample_chunk(np.frombuffer(pcm, "<i2")).tobytes()


def resampling() -> None:
    print("Rate conversion in blocks of 20 ms       delay of a click   held back   alias 15 kHz   µs a block")
    rows: list[tuple[str, Callable[[int, int], Resampler | Soxr]]] = [("Resampler", Resampler)]
    try:
        import soxr  # noqa: F401

        rows += [(f"soxr {q}", lambda s, t, q=q: Soxr(s, t, q)) for q in ("HQ", "MQ", "LQ", "QQ")]
    except ImportError:
        print("  (soxr, the baseline, is not installed)")
    for source, target in ((48_000, 24_000), (24_000, 48_000), (44_100, 24_000)):
        for name, make in rows:
            block = source // 50
            click = np.zeros(source, "<i2")
            click[source // 2] = 30_000
            converter, out, held, fed = make(source, target), [], 0.0, 0
            for piece in np.split(click, 50):
                fed += block
                out.append(np.frombuffer(converter.process(piece.tobytes()), "<i2"))
                held = max(held, fed / source - sum(map(len, out)) / target)
            whole = np.concatenate(out)
            # When the click's peak is given out, in blocks, is later than where it lies by what is held back.
            delay = max(np.abs(whole).argmax() / target - 0.5, 0.0)
            t = np.arange(source)
            tone = np.rint(16_000 * np.sin(2 * np.pi * 15_000 * t / source)).astype("<i2")
            aliased = make(source, target).process(tone.tobytes())
            alias = level(aliased[len(aliased) // 4 : -len(aliased) // 4 & ~1]).rms + 9.2 if source > target else np.nan
            timed = make(source, target)
            quiet = silence(block)
            cost, _ = microseconds(lambda c=timed, b=quiet: c.process(b))
            print(
                f"  {source} to {target}  {name:10s} {delay * 1000:22.2f} ms {held * 1000:8.1f} ms "
                f"{'-' if np.isnan(alias) else f'{alias:.1f} dB':>14s} {cost:10.0f}"
            )


def callbacks() -> None:
    print("\nOne 20 ms block in a callback, µs p50 / p99 (a tight loop; baseline: copy the bytes, no engine)")
    engine = AudioEngine()
    out = memoryview(bytearray(BLOCK_BYTES))
    block = bytes(BLOCK_BYTES)

    def fill() -> None:
        engine.play("a", block)
        engine.fill(out, 0.0, 0.0)

    def copy() -> None:
        out[:] = block

    engine.play("a", block * 10)
    clock = iter(range(10**9))

    def capture() -> None:
        now = next(clock) * BLOCK_SECONDS
        engine.captured(block, now, now)

    for name, call in (("copy", copy), ("play and fill", fill), ("captured", capture)):
        p50, p99 = microseconds(call, 20_000)
        print(f"  {name:14s} {p50:6.1f} / {p99:.1f}   {p50 / 20_000 * 100:.3f} % of a block")
    p50, p99 = microseconds(lambda: level(block), 20_000)
    print(f"  level          {p50:6.1f} / {p99:.1f}   (on the loop)")


def answers_with_gaps(speed: float, jitter_ms: float, prebuffer_ms: float, *, adapt: bool, seed: int) -> np.ndarray:
    """Which of 200 simulated answers of 10 s have a gap, and the wait for their first sound.

    Args:
        speed: The service's, in times real time.
        jitter_ms: Mean of an exponential delay of each delta of 100 ms; order is kept, as TCP does.
        prebuffer_ms: As for `PlaybackQueue`.
        adapt: Whether the queue keeps its target between the answers, as in a conversation.
        seed: Of the delays.

    Returns:
        Rows of (gaps, wait in ms).
    """
    rng = np.random.default_rng(seed)
    rows = []
    queue = playback.PlaybackQueue(prebuffer_ms)
    now = 0.0
    delta = silence(2400)
    for answer in range(200):
        if not adapt:
            queue = playback.PlaybackQueue(prebuffer_ms)
        sent = np.arange(100) * 0.1 / speed
        arrives = list(now + np.maximum.accumulate(sent + rng.exponential(jitter_ms / 1000, 100)))
        first, item, gaps = arrives[0], f"{answer}", queue.gaps
        out = memoryview(bytearray(BLOCK_BYTES))
        begun = None
        while queue.playing(now) or arrives:
            while arrives and arrives[0] <= now:
                arrives.pop(0)
                queue.play(item, delta)
                if not arrives:
                    queue.finish(item)
            queue.fill(out, now, now)
            for event in queue.events(now):
                if isinstance(event, playback.Started):
                    begun = event.at
            now += BLOCK_SECONDS
        rows.append((queue.gaps - gaps, ((begun or now) - first) * 1000))
        now += 2
    return np.array(rows)


def jitter() -> None:
    print("\nSimulated answers of 10 s, 200 each: share with a gap, gaps an answer, median wait for the first sound")
    print("  service, link                    no prebuffer          100 ms, fixed      100 ms, adapting (ours)")
    for speed in (4.0, 1.5, 1.0):
        for mean in (10.0, 40.0, 100.0):
            cells = []
            for prebuffer, adapt in ((0.001, False), (100.0, False), (100.0, True)):
                rows = answers_with_gaps(speed, mean, prebuffer, adapt=adapt, seed=7)
                cells.append(f"{(rows[:, 0] > 0).mean():5.0%} {rows[:, 0].mean():5.2f} {np.median(rows[:, 1]):4.0f} ms")
            print(f"  {speed:3.1f}x real time, {mean:4.0f} ms jitter   " + "   ".join(cells))


def main() -> None:
    """Print all of it."""
    assert BLOCK_SAMPLES / SAMPLE_RATE == BLOCK_SECONDS
    resampling()
    callbacks()
    jitter()


if __name__ == "__main__":
    main()
