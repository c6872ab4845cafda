"""How long the program takes to start, beside an empty Textual app and beside Azure's Python sample.

    python -m tests.benchmarks.bench_start [RUNS]

Each figure is the median of RUNS (7) runs, which are interleaved, so that a busy moment of the machine meets all of
them. A run of each that is not counted comes first, and writes the modules' byte code. The clock starts before the
process does; it stops when the last of some words is in the bytes for the terminal. Exit status 1 where a target is
missed.
"""

import os
import statistics
import sys
import tempfile
import time

from tests.benchmarks.bench_program import service
from tests.ui.terminal import Terminal

TITLES = ("Session", "Transcript", "Events", "Levels")
SILENT = ("--input-device", "none", "--output-device", "none")


def seconds_until(words: tuple[str, ...], *command: str) -> float:
    """Seconds from the start of a program until all of some words were written to its terminal."""
    with tempfile.TemporaryDirectory() as folder:
        folders = {"XDG_CONFIG_HOME": folder, "XDG_STATE_HOME": folder, "HOME": folder}
        began = time.monotonic()
        with Terminal(
            *command, width=120, height=40, emulate=False, AZURE_VOICELIVE_API_KEY="any", **folders
        ) as terminal:
            got = b""
            while not all(word.encode() in got for word in words):
                got += terminal.read_some(0.002)
                assert time.monotonic() < began + 30, (words, got[-2000:])
            return time.monotonic() - began


def main() -> int:
    """Print a line for each figure: what, measured, target."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    for name in ("SSH_CONNECTION", "PYTHONDONTWRITEBYTECODE"):  # without byte code, each run would compile the program
        os.environ.pop(name, None)
    with service() as endpoint:
        program = ("-m", "voicelive_tui", "--endpoint", endpoint, *SILENT)
        measured = {
            "an empty Textual app": (("nothing",), ("-m", "tests.ui.empty")),
            "the first screen": (("STARTING",), program),
            "all titles of the dashboard": (TITLES, program),
            "--demo, to the word DEMO": (("DEMO",), ("-m", "voicelive_tui", "--demo", *SILENT)),
            "Azure's sample, to session.updated": (("READY",), ("-m", "tests.benchmarks.sample", endpoint)),
            "the same without azure-identity": (("READY",), ("-m", "tests.benchmarks.sample", endpoint, "--bare")),
            "the program, to READY": (("READY",), program),
        }
        for words, command in measured.values():
            seconds_until(words, *command)
        times: dict[str, list[float]] = {name: [] for name in measured}
        for _ in range(runs):
            for name, (words, command) in measured.items():
                times[name].append(seconds_until(words, *command))
    medians = {name: statistics.median(each) for name, each in times.items()}
    for name, seconds in medians.items():
        print(f"{name:48} {seconds:10.2f} s")
    missed = 0
    empty, sample = medians["an empty Textual app"], medians["Azure's sample, to session.updated"]
    for name, base, target in (
        ("the first screen", empty, 1.3),
        ("all titles of the dashboard", empty, 2.0),
        ("--demo, to the word DEMO", empty, 2.0),
        ("the program, to READY", sample, 1.3),
    ):
        ratio = medians[name] / base
        missed += ratio > target
        beside = "an empty app" if base == empty else "the sample"
        verdict = "   MISSED" if ratio > target else ""
        print(f"{f'{name}, times {beside}':48} {ratio:10.2f} x      target {target:g}{verdict}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
