"""What the dashboard alone costs and how quick it is: bytes, CPU, first paint, delays, 2,000 events a second.

    python -m tests.benchmarks.bench_ui [SECONDS]

It takes five minutes with the default of 60 SECONDS a scene, which is what the targets are meant for.

Each scene runs in a pseudo-terminal of 120x40 for SECONDS after it has settled, with the conversation of
`tests/ui/driver.py` behind it: the real reducer, no sound device, no network, levels that are simulated. CPU includes
that conversation's own. In the idle scene that is 25 chunks a second of a silent microphone, 0.8 %: what the program
costs without sound devices is measured by `bench_program.py`, as is its memory. Figures of one run are to be compared
with each other; the targets stand beside them. Exit status 1 where one is missed.
"""

import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.ui.terminal import Terminal

SETTLE = 12.0
"""Seconds before measuring: the start is over, and an idle screen has slowed down."""
QUICK_SETTLE = 3.0
"""The same for scenes that are never idle."""

Watch = Callable[[Terminal, float], dict[str, Any]]


def count_bytes(terminal: Terminal, seconds: float) -> dict[str, Any]:
    """What is written without any key."""
    end = time.monotonic() + seconds
    count = 0
    while (left := end - time.monotonic()) > 0:
        count += len(terminal.read(min(left, 1.0)))
    return {"bytes_per_s": count / seconds}


def press_keys(terminal: Terminal, seconds: float) -> dict[str, Any]:
    """How long it takes until the focus is seen on another pane; an emulator would be slower than the dashboard."""
    end, delays = time.monotonic() + seconds, []
    while time.monotonic() < end:
        key, words = (b"2", "▌2 Transcript".encode()) if len(delays) % 2 else (b"3", "▌3 Events".encode())
        pressed, got = time.monotonic(), b""
        terminal.write(key.decode())
        while words not in got and time.monotonic() < pressed + 5:
            got += terminal.read_some(0.01)
        delays.append((time.monotonic() - pressed) * 1000)
        terminal.read(0.3)
    return {"delays_ms": delays}


def see_level(terminal: Terminal, seconds: float) -> dict[str, Any]:
    """When the microphone's bar appeared and vanished."""
    end, seen, was = time.monotonic() + seconds, [], None
    while time.monotonic() < end:
        terminal.read_some(0.005)
        row = next((y for y, line in enumerate(terminal.screen.display) if "│ mic LIVE" in line[:12]), 0)
        filled = terminal.screen.buffer[row][33].reverse
        if filled is not was:
            seen.append(time.monotonic())
            was = filled
    return {"changes": seen[1:]}


def scene(
    name: str, seconds: float, *options: str, watch: Watch = count_bytes, settle: float = SETTLE, emulate: bool = False
) -> dict[str, Any]:
    """Run a scene; what was watched, and what the driver reports."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        env = {"TEXTUAL_COLOR_SYSTEM": "256"} if "--lean" in options else {}
        command = ("-m", "tests.ui.driver", name, "--report", str(report), "--settle", str(settle), *options)
        with Terminal(
            *command, "--seconds", str(settle + seconds + 1), width=120, height=40, emulate=emulate, **env
        ) as terminal:
            terminal.read(settle)
            found = watch(terminal, seconds)
            terminal.wait_for_end(30)
        return json.loads(report.read_text()) | found


def first_paint(*command: str, words: Sequence[bytes], runs: int = 5) -> list[float]:
    """Seconds from the start of a program until each of some words is on its terminal, the best of some runs."""
    times: list[list[float]] = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            began, got, came = time.monotonic(), b"", []
            folders = {"XDG_CONFIG_HOME": folder, "XDG_STATE_HOME": folder, "HOME": folder}
            with Terminal(*command, width=120, height=40, emulate=False, **folders) as terminal:
                for word in words:
                    while word not in got:
                        got += terminal.read_some(0.002)
                    came.append(time.monotonic() - began)
        times.append(came)
    return [min(each) for each in zip(*times, strict=True)]


def filtering() -> dict[str, float]:
    """Milliseconds to filter a full log."""
    from tests import states
    from voicelive_tui.ui.rows import Rows
    from voicelive_tui.wire import filters
    from voicelive_tui.wire.log import EventLog

    log = EventLog()
    words = {"transcript": "some words that were said, to be looked through " * 6}
    for number in range(EventLog.LIMIT):
        log = states.event(log, number / 50, "in", "response.content_part.done", item_id=f"item_{number // 9}", **words)
    took = {}
    for text in ("nothing-has-this", "/no(thing|body)s/", "is:error", "item:item_77"):
        rows = Rows()
        rows.choose = filters.parse(text)
        began = time.perf_counter()
        rows.update(log)
        took[text] = (time.perf_counter() - began) * 1000
    return took


def percentile(values: Sequence[float], share: float) -> float:
    """By nearest rank."""
    return sorted(values)[max(math.ceil(len(values) * share), 1) - 1]


def main() -> int:
    """Print a line for each figure: what, measured, target."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    missed = 0

    def tell(what: str, measured: float, target: float, unit: str) -> None:
        nonlocal missed
        missed += measured > target
        verdict = "" if measured <= target else "   MISSED"
        print(f"{what:48} {measured:10.2f} {unit:6} target {target:g}{verdict}", flush=True)

    (empty,) = first_paint("-m", "tests.ui.empty", words=[b"nothing"])
    demo = ("-m", "voicelive_tui", "--demo", "--input-device", "none", "--output-device", "none")
    first, whole = first_paint(*demo, words=[b"STARTING", b"2 Transcript"])
    tell("first paint of the program, times an empty app's", first / empty, 1.3, "x")
    print(f"{'  the empty Textual app, from its start on':48} {empty:10.2f} s")
    print(f"{'  the dashboard, behind the first screen':48} {whole:10.2f} s")
    for name, options, most_bytes, most_cpu in (
        ("talk", (), 5000, 10.0),
        ("talk", ("--lean",), 1000, 10.0),
        ("idle", (), 100, None),
    ):
        found = scene(name, seconds, *options, settle=SETTLE if name == "idle" else QUICK_SETTLE)
        label = " ".join((name, *options))
        tell(f"{label}: to the terminal", found["bytes_per_s"], most_bytes, "B/s")
        if most_cpu is None:
            print(f"{f'{label}: CPU of one core':48} {found['cpu_percent']:10.2f} %")
        else:
            tell(f"{label}: CPU of one core", found["cpu_percent"], most_cpu, "%")
    found = scene("meter", min(seconds, 15.0), watch=see_level, settle=QUICK_SETTLE, emulate=True)
    delays = [(at - max(j for j in found["jumps"] if j <= at)) * 1000 for at in found["changes"]]
    # A chunk of 40 ms, and the look for it every 10 ms, come before: 100 of the 150 ms are left for the screen.
    tell(f"a simulated level is drawn, worst of {len(delays)}", max(delays), 100, "ms")
    found = scene("flood", min(seconds, 30.0), watch=press_keys, settle=QUICK_SETTLE)
    print(f"{'flood: events a second':48} {found['sent'] / found['elapsed_s']:10.0f}")
    tell(f"flood: a key is answered, p95 of {len(found['delays_ms'])}", percentile(found["delays_ms"], 0.95), 100, "ms")
    for text, took in filtering().items():
        print(f"{f'50,000 rows filtered by {text}':48} {took:10.2f} ms")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
