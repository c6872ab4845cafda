"""What a lost session costs: until the next one is ready, until it has the history, and in memory.

    python -m tests.benchmarks.bench_reconnect [RECONNECTS]

The service is `voicelive-tui serve` in a process of its own, and resets each connection within the answer to the last
message, which is asked for again in each new session. The waits and limits between attempts are taken out. Exit status
1 where a target is missed.
"""

import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.benchmarks.bench_program import resident_mb
from tests.benchmarks.bench_ui import percentile
from tests.conversing import until
from voicelive_tui.client.live import LiveSession
from voicelive_tui.config import Audio, Service, Session, Settings
from voicelive_tui.session import inputs, reconnect
from voicelive_tui.session.state import SessionState, Stage

SCRIPT = """
delay_ms = 0
[[reply]]
match = "^drop"
say = "Never said."
faults = ["reset@response.created"]
[[reply]]
say = "Yes, quite, and at a length that makes it worth restoring."
"""
TURNS = 39
"""Of the history, beside the one that is asked again and again; 1 for memory, or the event log's rows would count."""
WARM = 20
"""Reconnects before memory is compared."""
READY_MS, GROWTH_MB = 100.0, 2.0
"""Targets: p95 from the loss to the new session, and growth of memory from `WARM` reconnects to the last."""


@contextmanager
def service() -> Iterator[str]:
    """The loopback service with `SCRIPT`; its endpoint."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as script:
        script.write(SCRIPT)
        script.flush()
        command = [sys.executable, "-m", "voicelive_tui", "serve", "--json", "--script", script.name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            try:
                ready = process.stdout.readline()
                threading.Thread(target=process.stdout.read, daemon=True).start()  # it has a line for each session
                yield json.loads(ready)["endpoint"]
            finally:
                process.terminate()


class Figures:
    """Takes the moments of each loss, as an observer."""

    def __init__(self) -> None:
        self.ready_ms: list[float] = []
        self.items: list[int] = []
        self.seeding: list[float] = []
        self._began = 0.0

    def __call__(self, event: inputs.Input, before: SessionState, after: SessionState, now: float) -> None:
        if isinstance(event, inputs.HistorySent):
            self._began = now
            self.items.append(len(event.history.seeds))
        if before.lost_at is not None and after.connection.stage is Stage.READY:
            self.ready_ms.append((now - before.lost_at) * 1000)
        if before.restored and before.restored.seeds and after.restored and not after.restored.seeds:
            self.seeding.append(now - self._began)


def resident() -> float:
    """MB of this process."""
    gc.collect()
    return resident_mb(os.getpid())


async def measure(endpoint: str, count: int, turns: int) -> tuple[Figures, float]:
    """The figures of that many losses, and the growth of memory in MB."""
    settings = Settings(
        service=Service(endpoint=endpoint, api_key="any"),
        session=Session(modalities=("text",)),
        audio=Audio(input_device="none", output_device="none"),
    )
    live, figures = LiveSession(settings), Figures()
    running = asyncio.create_task(live.run())
    await until(lambda: live.state.connection.stage is Stage.READY, "the first session")
    for number in range(turns):
        live.apply(inputs.TextTyped(f"question {number}"))
        done = number + 1
        await until(lambda done=done: sum(turn.done_at is not None for turn in live.state.turns) == done, "an answer")
    live.observe(figures)
    live.apply(inputs.TextTyped("drop"))
    await until(lambda: len(figures.ready_ms) >= WARM, "the first reconnects")
    before = resident()
    async with asyncio.timeout(count):  # a second each
        while len(figures.ready_ms) < count:
            await asyncio.sleep(0.01)
    growth = resident() - before
    await live.close()
    await running
    return figures, growth


def main() -> int:
    """Print the figures; the exit status."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    reconnect.FIRST_SECONDS = reconnect.STEADY_SECONDS = 0.0
    reconnect.MOST_CONNECTS = 1_000_000
    began = time.perf_counter()
    with service() as endpoint:
        figures, _ = asyncio.run(measure(endpoint, count, TURNS))
        _, growth = asyncio.run(measure(endpoint, count, 1))
    ready = figures.ready_ms
    p95 = percentile(ready, 0.95)
    rate = sum(figures.items[: len(figures.seeding)]) / sum(figures.seeding)
    print(
        f"{len(ready)} reconnects in {time.perf_counter() - began:.0f} s, {max(figures.items)} items restored in each"
    )
    print(f"loss to session.updated: p50 {percentile(ready, 0.5):.1f} ms, p95 {p95:.1f} (target: {READY_MS:g})")
    print(f"history: {rate:,.0f} items a second until the last was acknowledged")
    print(f"memory after {len(ready)} reconnects: {growth:+.1f} MB since {WARM} (target: under {GROWTH_MB:g})")
    return 0 if p95 < READY_MS and growth < GROWTH_MB else 1


if __name__ == "__main__":
    sys.exit(main())
