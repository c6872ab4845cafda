"""Playback and capture beside the drawing dashboard, with the timing policy and without it.

    python -m tests.benchmarks.bench_audio_realtime [--seconds 40] [--only policy|defaults] [--latency low|SECONDS]

The real dashboard draws in a pseudo-terminal of 120x40 at its normal tick; 400 events a second, as JSON off the wire,
go through the real reducer; no network. The speaker plays, and the microphone hears, numbered noise; both recordings
are compared sample by sample. A canary process notes the stalls of the machine itself. The baseline, Python's
defaults, runs in the same call. Ten minutes: `--seconds 600 --only policy`.
"""

import argparse
import asyncio
import base64
import contextlib
import gc
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.bench_audio_bed import started
from tests.sound_bed import Canary, SoundBed
from tests.ui.driver import ScriptedLive
from tests.ui.terminal import Terminal
from voicelive_tui import runtime as realtime
from voicelive_tui.audio.engine import AudioEngine
from voicelive_tui.config import Ui

EVENTS_PER_SECOND = 400


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


class TimedEngine(AudioEngine):
    """Notes the time between callbacks."""

    def __init__(self) -> None:
        super().__init__()
        self.intervals: dict[str, list[float]] = {"in": [], "out": []}
        self._before: dict[str, float] = {}

    def _note(self, way: str, now: float) -> None:
        if before := self._before.get(way):
            self.intervals[way].append(now - before)
        self._before[way] = now

    def fill(self, out: memoryview, at: float, now: float, *, underflow: bool = False) -> None:
        super().fill(out, at, now, underflow=underflow)
        self._note("out", now)

    def captured(self, pcm: bytes, at: float, now: float, *, overflow: bool = False) -> None:
        super().captured(pcm, at, now, overflow=overflow)
        self._note("in", now)


class Collections:
    """How long each garbage collection held the interpreter."""

    def __init__(self) -> None:
        self._began = 0.0
        self.took: dict[int, list[float]] = {}

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self.took.setdefault(info["generation"], []).append(1000 * (time.perf_counter() - self._began))

    def __str__(self) -> str:
        return ", ".join(
            f"generation {g}: {len(ms)}, median/longest {np.median(ms):.0f}/{max(ms):.0f} ms"
            for g, ms in sorted(self.took.items())
        )


class BusyLive(ScriptedLive):
    """A double of the shell: endless answers at `EVENTS_PER_SECOND`; levels and counters of an engine."""

    def __init__(self, engine: AudioEngine, captured: list[bytes]) -> None:
        super().__init__("busy")
        self.engine, self.captured = engine, captured
        self.events = self.drawn = 0

    def reading(self) -> Any:
        self.drawn += 1
        levels, counters = self.engine.levels(), self.engine.counters()
        return self._reading_type(
            capture=self._meter(*levels.capture),
            playback=self._meter(*levels.playback),
            buffered_ms=self.engine.buffered_ms,
            underflows=counters.underflows,
            overflows=counters.overflows,
            stalled=tuple(sorted(self.engine.stalled())),
        )

    async def _play(self) -> None:
        self.open()
        began, sound = time.monotonic(), base64.b64encode(bytes(960)).decode()
        while True:
            await asyncio.sleep(0.01)
            while self.events < (time.monotonic() - began) * EVENTS_PER_SECOND:
                self.receive(**json.loads(self._next(sound)))
            self.engine.events()
            while chunk := self.engine.chunk():
                self.captured.append(chunk.pcm)

    def _next(self, sound: str) -> str:
        """An event as it comes off the wire: a thousand make an answer, every second one carries 20 ms of sound."""
        answer, step = divmod(self.events, 1000)
        self.events += 1
        ids = {"response_id": f"resp_{answer}", "item_id": f"item_{answer}", "output_index": 0, "content_index": 0}
        event: dict[str, Any] = {"type_": "response.audio.delta", "delta": sound, **ids}
        if step == 0:
            event = {"type_": "response.created", "response": {"id": ids["response_id"], "status": "in_progress"}}
        elif step == 1:
            item = {"id": ids["item_id"], "type": "message", "role": "assistant", "status": "in_progress"}
            event = {"type_": "conversation.item.created", "item": item | {"content": []}}
        elif step == 999:
            event = {"type_": "response.done", "response": {"id": ids["response_id"], "status": "completed"}}
        elif step % 2:
            event = {"type_": "response.audio_transcript.delta", "delta": f"word{step} ", **ids}
        return json.dumps(event)


async def beside_dashboard(bed: SoundBed, seconds: float, latency: float | str, policy: realtime.Policy | None) -> str:
    """The figures of one run, in a line."""
    from voicelive_tui.ui.app import VoiceLiveApp

    engine, captured, collections = TimedEngine(), [], Collections()
    sent, spoken = noise(seconds, 1), noise(seconds, 2)
    live = BusyLive(engine, captured)
    app = VoiceLiveApp(lambda: live, Ui(), {})  # type: ignore[arg-type]
    drawing = asyncio.create_task(app.run_async())
    await asyncio.sleep(3)
    if policy:
        policy.settle()
    gc.callbacks.append(collections)
    with bed.recording() as recording:
        microphone, speaker = started(engine, latency)  # type: ignore[arg-type]
        await asyncio.sleep(0.5)
        feeder = bed.speak(spoken.tobytes())
        engine.play("a", sent.tobytes())
        engine.finish("a")
        before, events, drawn = time.process_time(), live.events, live.drawn
        end = time.monotonic() + seconds + 1.5
        while time.monotonic() < end:
            await asyncio.sleep(0.1)
            if policy:
                policy.young()
        used = (time.process_time() - before) / (seconds + 1.5)
        events, drawn = live.events - events, live.drawn - drawn
        microphone.close()
        speaker.close()
        feeder.wait(10)
        recorded = recording.samples
    gc.callbacks.remove(collections)
    await live.close()
    app.exit()
    await drawing
    heard = np.frombuffer(b"".join(captured), "<i2")
    counters = engine.counters()
    (out99, out), (in99, in_) = (np.percentile(engine.intervals[way][20:], [99, 100]) * 1000 for way in ("out", "in"))
    played, captured_ = damage(sent, recorded), damage(spoken, heard)
    return (
        f"speaker lost/inserted {played[0]}/{played[1]}, microphone {captured_[0]}/{captured_[1]} of {sent.size} "
        f"samples; underflows {counters.underflows}, overflows {counters.overflows}, dropped "
        f"{counters.dropped_ms:.0f} ms; "
        f"callback interval p99/max out {out99:.0f}/{out:.0f} in {in99:.0f}/{in_:.0f} ms; "
        f"collections {collections}; {drawn} readings drawn, {events} events, {used:.0%} of a core"
    )


def child(seconds: float, latency: float | str, way: str, report: Path) -> None:
    """One run in this process and terminal."""
    bed = SoundBed()
    bed.start()
    os.environ.update(bed.environment)
    os.environ.pop("SSH_CONNECTION", None)
    try:
        with realtime.policy() if way == "policy" else contextlib.nullcontext() as policy, Canary() as canary:
            figures = asyncio.run(beside_dashboard(bed, seconds, latency, policy))
    finally:
        bed.stop()
    stalls = f"stalls of the machine above 10 ms: {len(canary.stalls)}, the longest {canary.worst * 1000:.0f} ms"
    report.write_text(f"{figures}; {stalls}")


def main(arguments: list[str] | None = None) -> None:
    """Each way in a process and a terminal of its own, as both change the interpreter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--latency", default="low")
    parser.add_argument("--only", choices=["policy", "defaults"])
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        latency = options.latency if options.latency == "low" else float(options.latency)
        child(options.seconds, latency, options.only, options.child)
        return
    print(
        f"Streams of {options.seconds:.0f} s at output latency {options.latency} beside the drawing dashboard. "
        "Target: nothing lost or inserted, but for stalls of the machine."
    )
    for way in (options.only,) if options.only else ("defaults", "policy"):
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report"
            command = ["-m", "tests.benchmarks.bench_audio_realtime", "--seconds", str(options.seconds)]
            command += ["--latency", options.latency, "--only", way, "--child", str(report)]
            with Terminal(*command, width=120, height=40, emulate=False) as terminal:
                while terminal.process.poll() is None:
                    terminal.read(1.0)
                count = len(terminal.received)
            told = report.read_text() if report.exists() else bytes(terminal.received[-2000:]).decode(errors="replace")
        print(f"  {way}: {told}; {count / options.seconds / 1000:.1f} kB/s to the terminal", flush=True)


if __name__ == "__main__":
    main()
