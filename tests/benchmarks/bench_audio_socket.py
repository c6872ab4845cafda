"""Sound figures from the socket to the speaker and from the microphone to the socket, on the virtual sound bed.

    python -m tests.benchmarks.bench_audio_socket [--trials 17]

The whole shell talks through the real SDK to the loopback service, which runs in a process of its own and notes when
it writes each event to the socket; no dashboard. Speech is a voice in the bed's microphone, and playback is
judged by the speaker's monitor, whose recorder hands out portions of 5 to 10 ms: that is in the times. The baseline,
dropping the program's own queue only as most programs do, runs in the same call with a fourth of the trials.
"""

import argparse
import asyncio
import base64
import contextlib
import logging
import multiprocessing
import os
import tempfile
import time
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.bench_audio_bed import percentiles
from tests.conversing import Recorder, speech, until
from tests.sound_bed import Canary, Recording, SoundBed
from voicelive_tui import runtime as realtime
from voicelive_tui.audio.format import BLOCK_BYTES, SAMPLE_RATE
from voicelive_tui.audio.playback import Heard
from voicelive_tui.audio.wav import WavWriter
from voicelive_tui.client.live import LiveSession
from voicelive_tui.config import Audio, Service, Session, Settings, TurnDetection
from voicelive_tui.session import inputs
from voicelive_tui.session.state import Activity

ANSWER_SECONDS = 12
LATENCIES = ("low", 0.12, 0.2)
NOTED = ("input_audio_buffer.speech_started", "response.audio.delta")


def serve(pipe: Connection, folder: str) -> None:
    """The service's process: tells its endpoint, and when asked what it wrote to the socket since, and when."""
    from aiohttp import web

    from voicelive_tui.loopback.script import Reply, Script
    from voicelive_tui.loopback.service import LoopbackService

    written: list[tuple[str, float]] = []
    send_str = web.WebSocketResponse.send_str

    async def noting(self: web.WebSocketResponse, data: str, compress: int | None = None) -> None:
        kind = next((kind for kind in NOTED if f'"{kind}"' in data[:80]), None)
        if kind:
            written.append((kind, time.monotonic()))
        await send_str(self, data, compress)

    async def run() -> None:
        web.WebSocketResponse.send_str = noting  # type: ignore[method-assign]
        answer = Reply(say="An answer.", play="answer.wav", delay_ms=0, speed=1000.0)  # all of it at once
        async with LoopbackService(script=Script(reply=(answer,), folder=folder)) as service:
            pipe.send(service.endpoint)
            while await asyncio.get_running_loop().run_in_executor(None, pipe.recv):
                pipe.send(tuple(written))
                written.clear()

    asyncio.run(run())


class Trials:
    """What was measured, in seconds unless the name says otherwise."""

    def __init__(self) -> None:
        self.silence: list[float] = []
        self.first_sound: list[float] = []
        self.heard_off_ms: list[float] = []


class Bench:
    """One sound bed and one service; a session for each row of the table."""

    def __init__(self, bed: SoundBed, pipe: Connection, policy: realtime.Policy) -> None:
        self.bed, self.pipe, self.policy = bed, pipe, policy
        self.endpoint: str = pipe.recv()
        voice = np.frombuffer(speech("Stop now, I have something to say."), "<i2")
        begin = int(np.flatnonzero(np.abs(voice) > 300)[0])
        self.words = voice[begin : begin + SAMPLE_RATE].tobytes()

    async def written(self) -> dict[str, list[float]]:
        """When the service wrote which events, since the last call."""
        self.pipe.send(True)
        found: dict[str, list[float]] = {kind: [] for kind in NOTED}
        for kind, at in await asyncio.to_thread(self.pipe.recv):
            found[kind].append(at)
        return found

    @contextlib.asynccontextmanager
    async def session(self, latency: Any) -> AsyncIterator[tuple[LiveSession, Recorder]]:
        """A conversation in which words interrupt and are not answered."""
        rules = TurnDetection(create_response=False, silence_duration_ms=200)
        settings = Settings(
            service=Service(endpoint=self.endpoint, api_key="k3y"),
            session=Session(turn_detection=rules),
            audio=Audio(output_latency=latency),
        )
        live, recorder = LiveSession(settings), Recorder()
        live.observe(recorder)
        running, collecting = asyncio.create_task(live.run()), asyncio.create_task(self._collect())
        try:
            await until(lambda: live.state.microphone.capturing, "capture")
            yield live, recorder
        finally:
            collecting.cancel()
            await live.close()
            await running

    async def _collect(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            self.policy.young()

    async def interruptions(self, latency: Any, trials: int, *, interrupt: bool) -> Trials:
        """Ask for an answer, hear some of it, and speak into it; over and over."""
        measured, rng = Trials(), np.random.default_rng(13)
        async with self.session(latency) as (live, recorder):
            if not interrupt:
                live.sound.interrupt = lambda: _drop_only(live)  # type: ignore[method-assign]
            for _ in range(trials):
                with self.bed.recording() as recording:  # a new one each, as looking through a long one takes long
                    await self._interrupt(live, recorder, recording, measured, 0.15 + rng.uniform(0, 0.1))
        return measured

    async def _interrupt(
        self, live: LiveSession, recorder: Recorder, recording: Recording, measured: Trials, wait: float
    ) -> None:
        await self.written()
        stopped = recorder.count(inputs.PlaybackStopped)
        live.apply(inputs.TextTyped("Go on."))
        await until(lambda: live.state.activity is Activity.SPEAKING, "an answer")
        await asyncio.sleep(wait)
        feeder = self.bed.speak(self.words)
        await until(lambda: recorder.count(inputs.PlaybackStopped) > stopped, "the interruption")
        await until(lambda: feeder.poll() is not None, "the end of the words")
        await until(lambda: live.state.activity is not Activity.LISTENING, "the end of the turn")
        await asyncio.sleep(0.3)  # whatever the device still holds
        written = await self.written()
        measured.first_sound.append(recording.first_sound() - written["response.audio.delta"][0])
        measured.silence.append(recording.silent_since() - written["input_audio_buffer.speech_started"][0])
        heard = [event.heard_ms for _, event in recorder.seen if isinstance(event, inputs.PlaybackStopped)][-1]
        recorded = np.count_nonzero(recording.samples) + bool(stopped)  # a fade in begins with a zero
        measured.heard_off_ms.append(heard - float(recorded) / 24)

    async def sending(self, seconds: float) -> None:
        """From the callback of a chunk's last block to its append; and the processor time, an answer being played."""
        called: list[float] = []
        async with self.session("low") as (live, recorder):
            captured = live.sound.engine.captured

            def numbered(pcm: bytes, at: float, now: float, *, overflow: bool = False) -> None:
                called.append(now)
                number = np.full(BLOCK_BYTES // 2, len(called) - 1, "<i2")  # each block knows its callback
                captured(number.tobytes(), at, now, overflow=overflow)

            live.sound.engine.captured = numbered  # type: ignore[method-assign]
            await live.suspend()
            await live.resume()  # the stream is opened again, with the engine's new callback
            live.apply(inputs.TextTyped("Go on."))
            await until(lambda: live.state.activity is Activity.SPEAKING, "an answer")
            await asyncio.sleep(1)  # all of the answer is there
            first, used, began = len(recorder.seen), time.process_time(), time.monotonic()
            while time.monotonic() - began < seconds:
                await asyncio.sleep(0.1)
                live.reading()  # as the dashboard does
            used = (time.process_time() - used) / (time.monotonic() - began)
            recorder.seen = recorder.seen[first:]
            sent = recorder.events("input_audio_buffer.append")
        delays = [
            at - called[int(np.frombuffer(base64.b64decode(event["audio"])[-2:], "<i2")[0])] for at, event in sent
        ]
        print(f"  callback of a chunk's last block to its append {percentiles(delays)}   target p95 15")
        print(f"  processor time of both streams, levels, chunks and sending: {used:.1%} of one core   target 8 %")


async def _drop_only(live: LiveSession) -> list[Heard]:
    """The baseline: the device plays out what it holds."""
    return live.sound.engine.settle(None)


async def measure(bench: Bench, trials: int) -> None:
    """Print all of it."""
    print("speech_started on the socket to silence; ms, median / 95th percentile / maximum; target 15 / 30 for ours")
    ours = Trials()
    first_at_low: list[float] = []
    for latency in LATENCIES:
        for interrupt in (False, True):
            found = await bench.interruptions(
                latency, trials if interrupt else max(2, trials // 4), interrupt=interrupt
            )
            name = "abort and restart (ours)" if interrupt else "drop own queue (baseline)"
            print(f"  latency {latency!s:4s}  {name:26s} {percentiles(found.silence)}", flush=True)
            if interrupt:
                ours.heard_off_ms += found.heard_off_ms
            if latency == "low":
                first_at_low += found.first_sound
    off = np.array(ours.heard_off_ms)
    within = np.mean((off >= -25) & (off <= 0.1))
    print("First audio delta on the socket to the first sample, low latency; ms, median / 95th percentile / maximum")
    print(f"  {percentiles(first_at_low)}   target 80 / 100; {len(first_at_low)} answers")
    print("What was heard, by our account, less what the monitor recorded")
    print(
        f"  {off.min():.1f} to {off.max():.1f} ms, median {np.median(off):.1f}; {within:.0%} within 25 below "
        f"(target 95 %, never above); {off.size} interruptions"
    )
    print("The microphone's side; ms, median / 95th percentile / maximum")
    await bench.sending(8)


def main(arguments: list[str] | None = None) -> None:
    """Start the bed and the service, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=17, help="interruptions at each of three latencies")
    trials = parser.parse_args(arguments).trials
    logging.getLogger("azure").setLevel(logging.CRITICAL)
    bed = SoundBed()
    bed.start()
    os.environ.update(bed.environment)
    os.environ.pop("SSH_CONNECTION", None)
    ours, theirs = multiprocessing.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        writer = WavWriter(Path(folder) / "answer.wav")
        writer.write(np.full(ANSWER_SECONDS * SAMPLE_RATE, 5000, "<i2").tobytes())
        writer.close()
        service = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, folder))
        service.start()
        try:
            with realtime.policy() as policy, Canary() as canary:
                bench = Bench(bed, ours, policy)
                policy.settle()
                asyncio.run(measure(bench, trials))
            print(f"  (stalls of the machine above 10 ms: {len(canary.stalls)}, longest {canary.worst * 1000:.0f} ms)")
        finally:
            ours.send(False)
            service.join()
            bed.stop()


if __name__ == "__main__":
    main()
