"""Playback and capture beside a busy Textual app, with the timing policy and without it.

    python -m tests.benchmarks.bench_audio_realtime [--seconds 60] [--rounds 1]

The app draws 20 times a second and takes 400 small JSON events a second, kept as records. The speaker plays, and the
microphone hears, numbered noise; both recordings are compared sample by sample. A canary process notes the stalls of
the machine itself. The baseline, Python's defaults, runs in the same call.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import time
from collections import deque

import numpy as np

from tests.sound_bed import Canary, SoundBed


def noise(seconds: float, seed: int) -> np.ndarray:
    """Samples none of which is zero."""
    rng = np.random.default_rng(seed)
    return (rng.integers(1, 8000, round(seconds * 24_000)) * rng.choice([-1, 1], round(seconds * 24_000))).astype("<i2")


def damage(sent: np.ndarray, recorded: np.ndarray) -> tuple[int, int]:
    """Samples of what was sent that are missing in the recording, and samples that were put in between.

    Walks along both, and looks for the next stretch of 50 equal samples wherever they part.
    """
    begins = np.flatnonzero(recorded[:-50] == sent[0])
    at = next((int(b) for b in begins if np.array_equal(recorded[b : b + 50], sent[:50])), None)
    if at is None:
        return sent.size, 0
    here, lost, inserted = 0, 0, 0
    while here < sent.size and at < recorded.size:
        length = min(sent.size - here, recorded.size - at)
        differ = np.flatnonzero(sent[here : here + length] != recorded[at : at + length])
        if not differ.size:
            here += length
            break
        here, at = here + int(differ[0]), at + int(differ[0])
        found = None
        for skip in range(0, min(48_000, sent.size - here - 50), 1):
            probe = sent[here + skip : here + skip + 50]
            near = recorded[at : at + 96_000]
            candidates = np.flatnonzero(near[:-50] == probe[0]) if near.size > 50 else []
            match = next((int(c) for c in candidates if np.array_equal(near[c : c + 50], probe)), None)
            if match is not None:
                found = skip, match
                break
        if found is None:
            break
        lost, inserted = lost + found[0], inserted + found[1]
        here, at = here + found[0], at + found[1]
    return lost + sent.size - here, inserted


def run(seconds: float, *, managed: bool) -> None:
    """One round in this process: the app, the streams, and a line of figures."""
    from textual.app import App, ComposeResult
    from textual.widgets import DataTable, Log, ProgressBar, Sparkline

    from voicelive_tui import realtime
    from voicelive_tui.audio.duplex import Duplex
    from voicelive_tui.audio.engine import AudioEngine

    intervals: dict[str, list[float]] = {"in": [], "out": []}

    class Timed(AudioEngine):
        def __init__(self) -> None:
            super().__init__()
            self.last = {"in": 0.0, "out": 0.0}

        def note(self, way: str, now: float) -> None:
            intervals[way].append(now - self.last[way])
            self.last[way] = now

        def fill(self, out: memoryview, at: float, now: float, *, underflow: bool = False) -> None:
            super().fill(out, at, now, underflow=underflow)
            self.note("out", now)

        def captured(self, pcm: bytes, at: float, now: float, *, overflow: bool = False) -> None:
            super().captured(pcm, at, now, overflow=overflow)
            self.note("in", now)

    engine = Timed()
    sent, spoken = noise(seconds, 1), noise(seconds, 2)
    captured: list[bytes] = []
    collections: list[tuple[int, float]] = []  # generation, and when it began (negative) or ended

    def watch_collector(phase: str, info: dict[str, int]) -> None:
        collections.append((info["generation"], time.perf_counter() * (-1 if phase == "start" else 1)))

    class Busy(App[None]):
        def compose(self) -> ComposeResult:
            yield Sparkline([0.0] * 60)
            yield ProgressBar(total=100)
            yield DataTable()
            yield Log(max_lines=2000)

        def on_mount(self) -> None:
            self.query_one(DataTable).add_columns("what", "how much")
            self.records: deque[dict[str, str]] = deque(maxlen=50_000)
            self.drawn = 0
            self.began = time.monotonic()
            self.events = 0
            self.set_interval(0.05, self.tick)
            self.set_interval(0.01, self.loop_side)

        def tick(self) -> None:
            self.drawn += 1
            levels = engine.levels()
            self.query_one(Sparkline).data = [float(self.drawn % n) for n in range(1, 61)]
            self.query_one(ProgressBar).update(progress=levels.playback.rms + 96)
            table = self.query_one(DataTable)
            table.clear()
            for name, value in list(vars(self).items())[:8]:
                table.add_row(name[:20], str(value)[:20])
            self.query_one(Log).write_lines([str(r["type"]) for r in list(self.records)[-20:]])

        def loop_side(self) -> None:
            due = int((time.monotonic() - self.began) * 400)
            while self.events < due:
                self.events += 1
                event = {"type": "response.audio.delta", "event_id": f"e{self.events}", "delta": "x" * 400}
                self.records.append(json.loads(json.dumps(event)))
            engine.events()
            while chunk := engine.chunk():
                captured.append(chunk.pcm)

    async def conversation(app: Busy) -> None:
        import asyncio

        with bed.recording() as recording:
            duplex = Duplex(engine, latency="low")
            assert all(opened.ok for opened in duplex.open())
            await asyncio.sleep(0.5)
            feeder = bed.speak(spoken.tobytes())
            engine.play("a", sent.tobytes())
            engine.finish("a")
            before = time.process_time()
            end = time.monotonic() + seconds + 1.5
            while time.monotonic() < end:
                await asyncio.sleep(0.1)
                if managed:
                    policy.young()
            used = (time.process_time() - before) / (seconds + 1.5)
            duplex.close()
            feeder.wait(10)
            recorded = recording.samples
        app.exit()
        heard = np.frombuffer(b"".join(captured), "<i2")
        counters = engine.counters()
        out = np.percentile(intervals["out"][20:], [99, 100]) * 1000
        inn = np.percentile(intervals["in"][20:], [99, 100]) * 1000
        pauses: dict[int, list[float]] = {}
        for (generation, began), (_, ended) in zip(collections[::2], collections[1::2], strict=False):
            pauses.setdefault(generation, []).append(1000 * (ended + began))
        collected = ", ".join(
            f"generation {g}: {len(p)}, median/longest {np.median(p):.0f}/{max(p):.0f} ms"
            for g, p in sorted(pauses.items())
        )
        speaker, microphone = damage(sent, recorded), damage(spoken, heard)
        results.append(
            f"{'policy  ' if managed else 'defaults'} speaker lost/inserted {speaker[0]}/{speaker[1]}, microphone "
            f"{microphone[0]}/{microphone[1]} of {sent.size}; underflow flags {counters.underflows}, overflow "
            f"{counters.overflows}, dropped {counters.dropped_ms:.0f} ms; callback interval p99/max out "
            f"{out[0]:.0f}/{out[1]:.0f} in {inn[0]:.0f}/{inn[1]:.0f} ms; "
            f"collections {collected or 'none'}; {app.drawn} ticks, {app.events} events, "
            f"{used:.0%} of a core"
        )

    import asyncio
    import contextlib

    results: list[str] = []
    bed = SoundBed()
    bed.start()
    os.environ.update(bed.environment)
    os.environ.pop("SSH_CONNECTION", None)
    gc.callbacks.append(watch_collector)

    async def whole() -> None:
        app = Busy()
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.pause()
            if managed:
                policy.settle()
            collections.clear()
            await conversation(app)

    try:
        with realtime.policy() if managed else contextlib.nullcontext() as policy, Canary() as canary:
            asyncio.run(whole())
    finally:
        gc.callbacks.remove(watch_collector)
        bed.stop()
    print(f"  {results[0]}; longest stall of the machine {canary.worst * 1000:.0f} ms", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Each way in a process of its own, as both change the interpreter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", choices=["policy", "defaults"])
    options = parser.parse_args(arguments)
    if options.only:
        run(options.seconds, managed=options.only == "policy")
        return
    print(f"Streams of {options.seconds:.0f} s beside a busy Textual app")
    for _ in range(options.rounds):
        for way in ("defaults", "policy"):
            subprocess.run(
                [sys.executable, "-m", __spec__.name, "--only", way, "--seconds", str(options.seconds)], check=True
            )


if __name__ == "__main__":
    main()
