"""What the dashboard costs: bytes to the terminal, CPU, memory, first paint, and how it bears 2,000 events a second.

    python -m tests.benchmarks.bench_ui [SECONDS]

Each scene runs in a pseudo-terminal of 120x40 for SECONDS (60) after it has settled, with the conversation of
`tests/ui/driver.py` behind it: the real reducer, no sound device, no network, levels that are simulated. Figures of
one run are to be compared with each other; the targets stand beside them. Exit status 1 where one is missed.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.ui.terminal import Terminal

SETTLE = 12.0
"""Seconds before measuring: the start is over, and an idle screen has slowed down."""


def scene(name: str, seconds: float, *options: str, keys: bool = False) -> dict[str, Any]:
    """Run a scene; bytes a second, and what the driver reports."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        env = {"TEXTUAL_COLOR_SYSTEM": "256"} if "--lean" in options else {}
        command = ("-m", "tests.ui.driver", name, "--report", str(report), "--settle", str(SETTLE), *options)
        with Terminal(
            *command, "--seconds", str(SETTLE + seconds + 1), width=120, height=40, emulate=keys, **env
        ) as terminal:
            answers: list[float] = []
            terminal.read(SETTLE)
            began = time.monotonic()
            count = 0
            while (left := began + seconds - time.monotonic()) > 0:
                if not keys:
                    count += len(terminal.read(min(left, 1.0)))
                    continue
                key, words = ("2", "▌2 Transcript") if len(answers) % 2 else ("3", "▌3 Events")
                pressed = time.monotonic()
                terminal.write(key)
                while words not in terminal.text and time.monotonic() < pressed + 5:
                    count += len(terminal.read_some(0.01))
                answers.append((time.monotonic() - pressed) * 1000)
                count += len(terminal.read(0.5))
            terminal.wait_for_end(30)
        return {
            **json.loads(report.read_text()),
            "bytes_per_s": count / seconds,
            "key_ms": sorted(answers),
        }


def first_paint(name: str, runs: int = 5) -> float:
    """Seconds from the start of the interpreter's first line to the first painted screen, the best of some runs."""
    best = float("inf")
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            command = ("-m", "tests.ui.driver", name, "--report", str(report), "--seconds", "1.5")
            with Terminal(*command, width=120, height=40, emulate=False) as terminal:
                terminal.wait_for_end(20)
            best = min(best, json.loads(report.read_text())["first_paint_s"])
    return best


def main() -> int:
    """Print a line for each figure: what, measured, target."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    missed = 0

    def tell(what: str, measured: float, target: float, unit: str) -> None:
        nonlocal missed
        missed += measured > target
        print(
            f"{what:44} {measured:10.2f} {unit:6} target {target:g}{'' if measured <= target else '   MISSED'}",
            flush=True,
        )

    empty, dashboard = first_paint("empty"), first_paint("talk")
    tell("first paint, times an empty Textual app's", dashboard / empty, 1.3, "x")
    for name, options, most_bytes, most_cpu in (
        ("talk", (), 5000, 10.0),
        ("talk", ("--lean",), 1000, 10.0),
        ("idle", (), 100, 1.5),
    ):
        found = scene(name, seconds, *options)
        label = " ".join((name, *options))
        tell(f"{label}: to the terminal", found["bytes_per_s"], most_bytes, "B/s")
        tell(f"{label}: CPU of one core", found["cpu_percent"], most_cpu, "%")
    flood = scene("flood", min(seconds, 30.0), keys=True)
    tell("flood: events lost", flood["sent"] - flood["received"], 0, "")
    print(f"{'flood: events a second':44} {flood['received'] / flood['elapsed_s']:10.0f}")
    tell("flood: a key is answered, 95th percentile", flood["key_ms"][int(len(flood["key_ms"]) * 0.95) - 1], 100, "ms")
    tell("flood: memory at its end", flood["rss_mb"], 130, "MB")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
