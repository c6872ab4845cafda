"""The whole program in a terminal of 120x40 with open streams: bytes, processor time, memory, delays, a flood.

    python -m tests.benchmarks.bench_program [SECONDS]

It takes ten minutes with the default of 20 SECONDS a scene. The real program talks through the real SDK to a service
in a process of its own: `voicelive-tui serve`, or one of `scripted.py`. Its streams are
PortAudio's on the virtual sound bed. The service's and the sound server's processor time is not counted. A canary notes
how long the machine itself stalled; `tests/ui/plain.py` is what Textual's own widgets take on the same machine. Exit
status 1 where a target is missed.
"""

import json
import math
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyte

from tests.benchmarks.bench_audio_realtime import damage, noise
from tests.benchmarks.bench_ui import percentile, press_keys
from tests.benchmarks.scripted import Conversation, Flood
from tests.conversing import speech
from tests.sound_bed import RATE, Canary, Recording, SoundBed
from tests.ui.terminal import Terminal
from voicelive_tui.audio.format import silence
from voicelive_tui.audio.wav import WavWriter

SETTLE = 6.0
"""Seconds until the start is over and a screen on which nothing happens has slowed down."""
FLOOD_EVENTS = 2000
ROOM_DBFS = -55
"""RMS of the noise of a quiet room in the microphone."""
ENTRA = """#!/bin/sh
echo '{"accessToken": "t", "expiresOn": "2099-01-01 00:00:00.000000", "expires_on": 4070908800, "tokenType": "Bearer"}'
"""
"""Stands in for the Azure CLI, which azure-identity asks for a token."""


@contextmanager
def service() -> Iterator[str]:
    """The loopback service in a process of its own; its endpoint."""
    command = [sys.executable, "-m", "voicelive_tui", "serve", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline())["endpoint"]
        finally:
            process.terminate()
            process.stdout.read()


@contextmanager
def program(
    endpoint: str, bed: SoundBed | None, *options: str, emulate: bool = False, **env: str
) -> Iterator[Terminal]:
    """The program, with an endpoint, in a terminal; with the bed's devices where no others are named."""
    with tempfile.TemporaryDirectory() as folder:
        folders = {"XDG_CONFIG_HOME": folder, "XDG_STATE_HOME": folder, "HOME": folder}
        key = {"AZURE_VOICELIVE_API_KEY": "any"} if "--use-token-credential" not in options else {}
        command = ("-m", "voicelive_tui", "--endpoint", endpoint, *options)
        with Terminal(
            *command, width=120, height=40, emulate=emulate, **((bed.environment if bed else {}) | folders | key | env)
        ) as terminal:
            yield terminal
            terminal.write("q")
            terminal.wait_for_end(10)


@contextmanager
def unheard(
    endpoint: str, bed: SoundBed | None, sound: bytes | None, *options: str, emulate: bool = False
) -> Iterator[Terminal]:
    """The program with no speaker, and with a file as its microphone or none."""
    with tempfile.TemporaryDirectory() as folder:
        microphone = "none"
        if sound is not None:
            microphone = f"file:{folder}/said.wav"
            writer = WavWriter(microphone.removeprefix("file:"))
            writer.write(sound)
            writer.close()
        devices = ("--input-device", microphone, "--output-device", "none")
        with program(endpoint, bed, *devices, *options, emulate=emulate) as terminal:
            yield terminal


def screen(terminal: Terminal) -> str:
    """What stands on the terminal, of which only the bytes were kept."""
    drawn = pyte.Screen(terminal.screen.columns, terminal.screen.lines)
    pyte.ByteStream(drawn).feed(bytes(terminal.received))
    return "\n".join(drawn.display)


def counted(pattern: str, shown: str) -> int:
    """The number that a pattern finds on the screen."""
    found = re.search(pattern, shown)
    assert found, f"no {pattern} in\n{shown}"
    return int(found[1].replace(",", ""))


def processor_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Memory of a process in use now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def cost(terminal: Terminal, seconds: float) -> tuple[float, float]:
    """Bytes a second to the terminal, and percent of a core, without any key."""
    before, began, count = processor_seconds(terminal.process.pid), time.monotonic(), 0
    while (left := began + seconds - time.monotonic()) > 0:
        count += len(terminal.read(min(left, 1.0)))
    took = time.monotonic() - began
    return count / took, (processor_seconds(terminal.process.pid) - before) / took * 100


def hush(seconds: float) -> bytes:
    """Digital silence."""
    return silence(round(seconds * RATE))


def room(seconds: float) -> bytes:
    """The noise of a quiet room."""
    rms = 32768 * 10 ** (ROOM_DBFS / 20)
    return np.random.default_rng(3).normal(0, rms, round(seconds * RATE)).astype("<i2").tobytes()


def said(seconds: float) -> bytes:
    """Somebody who asks, and waits for the answer, again and again; in a quiet room."""
    words = np.frombuffer(speech("Hello there, can you hear me well? Tell me something about this line."), "<i2")
    turn = np.concatenate([words, np.zeros(9 * RATE, "<i2")])
    voice = np.tile(turn, math.ceil(seconds * RATE / turn.size))[: round(seconds * RATE)]
    return (voice + np.frombuffer(room(seconds), "<i2")[: voice.size]).astype("<i2").tobytes()


FILLED, NEVER_FILLED = 30, 104
"""Columns of the microphone's bar in a terminal of 120: left of the tone's level, and right of it."""


def _ground(cell: Any) -> str:
    """The colour that fills a cell of the emulated screen."""
    return str(cell.fg if cell.reverse else cell.bg)


class MeterWatch:
    """When a tone came to the microphone's end, and when its level was seen on the screen."""

    def __init__(self, bed: SoundBed, terminal: Terminal) -> None:
        self._terminal = terminal
        self.seen: list[float] = []
        """When the level was seen to rise."""
        burst = (8000 * np.sin(np.arange(int(0.7 * RATE)) * 2 * np.pi * 440 / RATE)).astype("<i2")
        rng = np.random.default_rng(4)
        pieces = [np.concatenate([burst, np.zeros(int(rng.uniform(2.0, 2.3) * RATE), "<i2")]) for _ in range(60)]
        self._sound = np.concatenate(pieces).tobytes()
        self._bed = bed

    def run(self, seconds: float) -> list[float]:
        """Delays in seconds, from the portion of the recording in which the tone began."""
        recording = Recording(os.environ | self._bed.environment, "vmic")
        feeder = self._bed.speak(self._sound)
        end, was = time.monotonic() + seconds, False
        while time.monotonic() < end:
            self._terminal.read_some(0.005)
            lines = enumerate(self._terminal.screen.display)
            row = next((y for y, line in lines if line.lstrip("│ ").startswith("mic LIVE")), 0)
            cells = self._terminal.screen.buffer[row]
            filled = _ground(cells[FILLED]) != _ground(cells[NEVER_FILLED])
            if filled and not was:
                self.seen.append(time.monotonic())
            was = filled
        feeder.kill()
        feeder.wait()
        recording.stop()
        began = recording.sounds_began()
        return [
            min((at - start for at in self.seen if start <= at < following), default=math.inf)
            for start, following in zip(began, [*began[1:], math.inf], strict=True)
            if start < end - 1  # the last may come to the screen after the end
        ]


def words_on_the_screen(words: int) -> tuple[list[float], float, float]:
    """Send words in a mixed conversation of 60 events a second, with a file as the microphone.

    Returns:
        Seconds from the service's socket to the bytes for the terminal, of each word, infinite for one not drawn; bytes
        a second to the terminal; percent of a core.
    """
    conversation = Conversation(words)
    seen: dict[int, float] = {}
    with unheard(conversation.endpoint, None, said(words / 20 + 40), emulate=True) as terminal:
        over = False
        while not over:  # of a changed line only the difference is written, so the emulated screen is read
            terminal.screen.dirty.clear()
            count = len(terminal.read_some(0.05))
            now, shown = terminal.read_at, terminal.screen.buffer
            lines = ["".join(shown[y][x].data for x in range(120)) for y in sorted(terminal.screen.dirty)]
            over = any("flood.over" in line for line in lines)
            for word in re.findall(r"w(\d{4})(?!\d)", "\n".join(lines)):
                seen.setdefault(int(word), now)
            if not seen:
                began, used, total = now, processor_seconds(terminal.process.pid), 0
            total += count
        seconds = time.monotonic() - began
        percent = (processor_seconds(terminal.process.pid) - used) / seconds * 100
        sent = conversation.sent()
    conversation.end()
    return [seen.get(number, math.inf) - at for number, at in enumerate(sent)], total / seconds, percent


def flood_beside_sound(bed: SoundBed, seconds: float) -> dict[str, float]:
    """2,000 events a second, with sound among them, while keys are pressed."""
    faded = 20 * RATE // 1000  # what begins is faded in
    sent = noise(seconds - 2, 5)
    flood = Flood(round(seconds * FLOOD_EVENTS), FLOOD_EVENTS, sent.tobytes())
    found: dict[str, float] = {}
    with bed.recording() as recording, program(flood.endpoint, bed) as terminal:
        over = threading.Event()
        ended: list[tuple[int, float]] = []

        def wait() -> None:
            ended.append((len(flood.sent()), time.monotonic()))
            over.set()

        threading.Thread(target=wait, daemon=True).start()
        terminal.read(4)
        before, began = processor_seconds(terminal.process.pid), time.monotonic()
        delays = press_keys(terminal, seconds - 5)["delays_ms"]
        found["cpu"] = (processor_seconds(terminal.process.pid) - before) / (time.monotonic() - began) * 100
        terminal.write("3")
        while b"flood.over" not in terminal.received[-20_000:] and time.monotonic() < began + 3 * seconds:
            terminal.read_some(0.01)
        assert over.wait(5)
        count, ended_at = ended[0]
        found["behind_ms"] = max(time.monotonic() - ended_at, 0) * 1000
        terminal.read(3)
        for key in "1z":  # the session pane alone
            terminal.write(key)
            terminal.read(1)
        shown = screen(terminal)
        found["underflows"] = counted(r"underflows ([\d,]+)", shown)
        # And the session's two events, and the one that tells of the end.
        found["events_lost"] = count + 3 - counted(r"events +sent [\d,]+  received ([\d,]+)", shown)
        found["key_p95_ms"] = percentile(delays, 0.95)
    found["lost"], found["inserted"] = damage(sent[faded:], recording.samples)
    flood.end()
    return found


def memory(bed: SoundBed, *options: str, events: int, **env: str) -> float:
    """Megabytes in use after a number of events at full speed."""
    flood = Flood(events)
    with program(flood.endpoint, bed, *options, **env) as terminal:
        seen = b""
        while b"flood.over" not in seen:
            seen = (seen + terminal.read_some(0.05))[-40_000:]
        terminal.read(2)
        flood.sent()
        used = resident_mb(terminal.process.pid)
    flood.end()
    return used


class Report:
    """Prints a line for each figure, what, measured, target; and counts the targets missed."""

    def __init__(self) -> None:
        self.missed = 0

    def tell(self, what: str, measured: float, unit: str, target: float | None = None) -> None:
        late = target is not None and measured > target
        self.missed += late
        aim = "" if target is None else f" target {target:g}{'   MISSED' if late else ''}"
        print(f"{what:52} {measured:10.2f} {unit:6}{aim}", flush=True)


def without_devices(report: Report, bed: SoundBed, seconds: float) -> None:
    """Bytes and processor time; to be asked before there is a sound server, which wakes the machine for nothing."""
    with service() as endpoint:
        for name, sound, settle, most_cpu in (("idle", None, SETTLE, 1.5), ("talking", said, 6.0, 10)):
            with unheard(endpoint, bed, sound and sound(settle + seconds + 20)) as terminal:
                terminal.read(settle)
                a_second, percent = cost(terminal, seconds)
            report.tell(f"{name}, without sound devices: to the terminal", a_second, "B/s", 5000 if sound else 100)
            report.tell(f"{name}, without sound devices: CPU of one core", percent, "%", most_cpu)
        with unheard(endpoint, bed, said(seconds + 26), "--lean") as terminal:
            terminal.read(6.0)
            report.tell("talking --lean: to the terminal", cost(terminal, seconds)[0], "B/s", 1000)
    delays, a_mixed, percent_mixed = words_on_the_screen(round(seconds * 20))
    drawn = [delay * 1000 for delay in delays]
    report.tell(f"a word from the wire to the screen, median of {len(drawn)}", percentile(drawn, 0.5), "ms", 30)
    report.tell("  at 60 events/s in a mixed conversation, 95th percentile", percentile(drawn, 0.95), "ms", 80)
    report.tell("  to the terminal", a_mixed, "B/s")
    report.tell("  CPU of one core", percent_mixed, "%")
    with Terminal("-m", "tests.ui.plain", width=120, height=40, emulate=False) as terminal:
        terminal.read(3.0)
        plain_a_second, plain_percent = cost(terminal, min(seconds, 10.0))
    report.tell("a plain Textual screen: to the terminal", plain_a_second, "B/s")
    report.tell("a plain Textual screen: CPU of one core", plain_percent, "%")
    report.tell("  of its bytes, talking without sound devices takes", a_second / plain_a_second * 100, "%")
    report.tell("  of its CPU", percent / plain_percent * 100, "%")


def with_devices(report: Report, bed: SoundBed, seconds: float) -> None:
    """Bytes and processor time, and how soon a level and an event are seen."""
    with Canary() as canary, service() as endpoint:
        for name, sound, settle, most_bytes, most_cpu in (
            ("idle, digital silence", hush, SETTLE, 100, 9),
            (f"idle, a room of {ROOM_DBFS} dBFS", room, SETTLE, None, 9),
            ("talking", said, 6.0, 5000, 18),
        ):
            with program(endpoint, bed) as terminal:
                feeder = bed.speak(sound(settle + seconds + 20))
                terminal.read(settle)
                a_second, percent = cost(terminal, seconds)
                feeder.kill()
                feeder.wait()
            report.tell(f"{name}: to the terminal", a_second, "B/s", most_bytes)
            report.tell(f"{name}: CPU of one core", percent, "%", most_cpu)
        with program(endpoint, bed, emulate=True) as terminal:
            terminal.wait_for("mic LIVE")
            delays = [delay * 1000 for delay in MeterWatch(bed, terminal).run(max(seconds, 30.0))]
        report.tell(f"sound at the microphone to its level, median of {len(delays)}", percentile(delays, 0.5), "ms")
        report.tell("  95th percentile", percentile(delays, 0.95), "ms", 150)
    print(f"  (longest stall of the machine: {canary.worst * 1000:.0f} ms)")


def flooded(report: Report, bed: SoundBed, seconds: float) -> None:
    """See `flood_beside_sound`."""
    with Canary() as canary:
        found = flood_beside_sound(bed, max(seconds, 20.0) + 10)
    report.tell("flood: CPU of one core", found["cpu"], "%")
    report.tell("flood: a key is answered, 95th percentile", found["key_p95_ms"], "ms", 100)
    report.tell("flood: last event drawn after it was sent", found["behind_ms"], "ms")
    report.tell("flood: events sent and not counted on the screen", found["events_lost"], "", 0)
    report.tell("flood: samples of the answer lost", found["lost"], "", 0)
    report.tell("flood: samples put in between", found["inserted"], "", 0)
    report.tell("flood: underflows", found["underflows"], "", 0)
    print(f"  (stalls of the machine above 10 ms: {len(canary.stalls)}, longest {canary.worst * 1000:.0f} ms)")


def grown(report: Report, bed: SoundBed) -> None:
    """Memory with a full log, and after ten times as much."""
    full, long = memory(bed, events=50_000), memory(bed, events=550_000)
    report.tell("memory after 50,000 events", full, "MB", 130)
    report.tell("  more after 550,000 events", long - full, "MB", 5)
    with tempfile.TemporaryDirectory() as folder:
        cli = Path(folder) / "az"
        cli.write_text(ENTRA)
        cli.chmod(0o755)
        path = {"PATH": f"{folder}:{os.environ['PATH']}", "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential"}
        used = memory(bed, "--use-token-credential", events=50_000, **path)
        report.tell("memory after 50,000 events, with Entra ID", used, "MB", 150)


def main() -> int:
    """Measure everything."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    report, bed = Report(), SoundBed()
    without_devices(report, bed, seconds)
    bed.start()
    try:
        with_devices(report, bed, seconds)
        flooded(report, bed, seconds)
        grown(report, bed)
    finally:
        bed.stop()
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
