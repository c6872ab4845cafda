"""What the flight recorder costs while somebody talks: the same conversation without it and with it.

    python -m tests.benchmarks.bench_recorder [SECONDS]

Two processes of this program talk to a loopback service for SECONDS (20) each, one after the other: first without the
recorder, then with a bundle that is written. The recorder's thread is measured by the kernel's own account of it; its
share of the event loop is the time spent in `Recorder.observe`. Exit status 1 where a target is missed.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.conversing import conversation, speech, until
from voicelive_tui.config import Recording
from voicelive_tui.recording.recorder import Recorder
from voicelive_tui.session import inputs
from voicelive_tui.session.state import Activity, SessionState, Stage

CPU_TARGET, MEMORY_TARGET = 1.5, 5.0


def resident() -> float:
    """Megabytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def thread_seconds(name: str) -> float:
    """The processor time of a thread of this process."""
    for thread in threading.enumerate():
        if thread.name == name:
            fields = Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / 100
    return 0.0


async def talk(seconds: float, folder: str) -> dict[str, float]:
    """Talk for so long, recorded into a folder if one is given."""
    spent = 0.0
    async with conversation() as (live, mouth, seen):
        recorder = None
        if folder:
            recorder = Recorder(live.apply, lambda: live.engine, Recording(folder=folder), Path(folder))

            def observe(event: inputs.Input, before: SessionState, after: SessionState, now: float) -> None:
                nonlocal spent
                began = time.perf_counter()
                recorder.observe(event, before, after, now)
                spent += time.perf_counter() - began

            live.observe(observe)
        await until(lambda: live.state.connection.stage is Stage.READY)
        words = speech("Tell me everything you can measure about this line.")
        mouth.say(words)
        await until(lambda: live.state.activity is Activity.SPEAKING)
        memory, cpu, thread, began = resident(), time.process_time(), thread_seconds("recorder"), time.monotonic()
        spent = 0.0
        while (now := time.monotonic()) < began + seconds:
            if live.state.activity is Activity.READY:
                mouth.say(words)
                await asyncio.sleep(len(words) / 48_000)
            await asyncio.sleep(0.1)
        wall = now - began
        figures = {
            "process": 100 * (time.process_time() - cpu) / wall,
            "thread": 100 * (thread_seconds("recorder") - thread) / wall,
            "loop": 100 * spent / wall,
            "memory": resident() - memory,
            "inputs": len(seen.seen) / wall,
        }
    if recorder is not None:
        await asyncio.to_thread(recorder.close)
        size = sum(file.stat().st_size for file in Path(folder).glob("*/*"))
        figures["bytes"] = size / wall
    return figures


def measured(seconds: float, folder: str) -> dict[str, float]:
    """The figures of a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_recorder", str(seconds), "--into", folder]
    found: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


def main() -> int:
    """Print a line for each figure."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    if "--into" in sys.argv:
        print(json.dumps(asyncio.run(talk(seconds, sys.argv[3]))))
        return 0
    without = measured(seconds, "")
    with tempfile.TemporaryDirectory() as folder:
        recorded = measured(seconds, folder)
    own = recorded["thread"] + recorded["loop"]
    memory = recorded["memory"] - without["memory"]
    print(f"the conversation without the recorder, CPU           {without['process']:6.1f} %")
    print(f"  with it, CPU                                       {recorded['process']:6.1f} %")
    print(f"the recorder's thread, CPU                           {recorded['thread']:6.2f} %")
    print(f"its share of the event loop                          {recorded['loop']:6.2f} %")
    print(f"both                                                 {own:6.2f} %    target {CPU_TARGET}")
    print(f"memory, beside the same conversation without it      {memory:6.1f} MB   target {MEMORY_TARGET}")
    print(f"written                                              {recorded['bytes'] / 1000:6.1f} kB/s")
    return 1 if own > CPU_TARGET or memory > MEMORY_TARGET else 0


if __name__ == "__main__":
    sys.exit(main())
