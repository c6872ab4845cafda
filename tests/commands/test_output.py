"""Lines for readers that stop, go away or never were there; with real pipes where the system takes part."""

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.commands import output
from voicelive_tui.commands.output import LineOutput

PROGRAM = [sys.executable, "-m", "voicelive_tui"]
BRIEF = ("--script", str(Path(__file__).parents[1] / "data" / "brief.toml"))


class Reader:
    """Takes lines while it is let."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.may_go_on = threading.Event()

    def write(self, line: str) -> None:
        assert self.may_go_on.wait(120)
        self.lines.append(line)


def dropped(count: int) -> str:
    return f"{count} dropped"


async def test_a_reader_that_stops_blocks_nothing_and_dropped_lines_are_counted_in_place(monkeypatch):
    monkeypatch.setattr(output, "WAITING_LIMIT", 100)
    reader = Reader()
    lines = LineOutput(reader.write, dropped)
    began = time.monotonic()
    for _ in range(10_000):
        lines.write("x" * 20)
    assert time.monotonic() - began < 60
    reader.may_go_on.set()
    async with asyncio.timeout(60):
        while len(reader.lines) < 5:
            await asyncio.sleep(0.001)
    lines.write("after")
    assert await lines.close() == 0
    assert reader.lines == ["x" * 20] * 5 + ["9995 dropped", "after"]


async def test_the_end_does_not_wait_for_a_reader_that_has_stopped(monkeypatch):
    monkeypatch.setattr(output, "STUCK_SECONDS", 0.1)
    reader = Reader()
    lines = LineOutput(reader.write, dropped)
    for number in range(3):
        lines.write(str(number))
    assert await lines.close() == 3
    reader.may_go_on.set()


async def test_the_end_waits_for_a_slow_reader(monkeypatch):
    monkeypatch.setattr(output, "STUCK_SECONDS", 2.0)
    taken: list[str] = []

    def write(line: str) -> None:
        time.sleep(0.15)
        taken.append(line)

    lines = LineOutput(write, dropped)
    for number in range(20):
        lines.write(str(number))
    assert await lines.close() == 0
    assert taken == [str(number) for number in range(20)]


@given(st.lists(st.text(max_size=30), max_size=60), st.integers(0, 200))
def test_each_line_is_written_in_order_or_counted(texts, limit):
    written: list[str] = []

    async def run() -> int:
        lines = LineOutput(written.append, dropped)
        for text in texts:
            lines.write(f"line {text}")
        return await lines.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output, "WAITING_LIMIT", limit)
        assert asyncio.run(run()) == 0
    kept = iter(texts)
    missing = 0
    for line in written:
        if line.startswith("line "):
            while f"line {next(kept)}" != line:
                missing += 1
    missing += len(list(kept))
    assert missing == sum(int(line.split()[0]) for line in written if not line.startswith("line "))


# --- the program


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """Nothing of the user's own settings, no sound server, and a place for the log."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AZURE_")}
    folders = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_STATE_HOME": str(tmp_path / "state")}
    return kept | folders | {"PULSE_SERVER": f"unix:{tmp_path}/no-server", "JACK_NO_START_SERVER": "1"}


@contextlib.contextmanager
def unread(settings: dict[str, str], *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A console whose lines go to a pipe that is full and is not read."""
    command = [*PROGRAM, "console", "--demo", "--output-device", "none", "--json", *arguments]
    reading, writing = os.pipe()
    os.write(writing, bytes(fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ) - 10))
    with subprocess.Popen(command, env=settings, stdout=writing, stderr=subprocess.PIPE, text=True) as program:
        os.close(writing)
        try:
            yield program
        finally:
            program.kill()
            os.close(reading)


@pytest.mark.skipif(sys.platform != "linux", reason="asks for the size of a pipe")
def test_a_conversation_goes_on_to_its_end_while_its_lines_are_not_read(settings):
    with unread(settings, *BRIEF, "--say", "hello") as program:
        _, err = program.communicate(timeout=120)
    assert program.returncode == 0
    assert err.endswith("lines were not written: the reader had stopped\n")


@pytest.mark.skipif(sys.platform != "linux", reason="asks for the size of a pipe")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_signals_end_it_while_its_lines_are_not_read(settings, number, status):
    log = Path(settings["XDG_STATE_HOME"]) / "voicelive-tui" / "voicelive-tui.log"
    deadline = time.monotonic() + 120
    with unread(settings, "--input-device", "none") as program:
        while not (log.exists() and "session ready" in log.read_text()):  # the first line has been waiting for long
            assert time.monotonic() < deadline
            time.sleep(0.05)
        program.send_signal(number)
        _, err = program.communicate(timeout=120)
    assert program.returncode == status
    assert "Traceback" not in err


@pytest.mark.parametrize("make", [os.pipe, pty.openpty], ids=["pipe", "terminal"])
def test_an_idle_conversation_ends_when_its_reader_goes_away(settings, make):
    """Without a line to write: as `setsid` and a terminal that is killed leave it, there is no SIGHUP."""
    reading, writing = make()
    command = [*PROGRAM, "console", "--demo", "--input-device", "none", "--output-device", "none"]
    with subprocess.Popen(command, env=settings, stdout=writing, stderr=subprocess.PIPE, text=True) as program:
        os.close(writing)
        try:
            shown = b""
            while b"session ready" not in shown:
                shown += os.read(reading, 4096)
            os.close(reading)
            _, err = program.communicate(timeout=120)
        finally:
            program.kill()
    assert program.returncode == 0
    assert err == ""


@pytest.mark.parametrize(
    ("arguments", "redirection", "statuses", "sentence"),
    [
        ("check --demo", "<&-", {0}, ""),
        ("check --demo", ">&-", {0}, ""),
        ("check --demo", "2>&-", {0}, ""),
        ("check --demo", ">/dev/full", {1}, "voicelive-tui: cannot go on: No space left on device\n"),
        ("check --demo", "2>/dev/full", {0}, ""),
        ("check --demo", "| head -1", {0, 1}, ""),
        ("devices --json", "| true", {0, 1}, ""),
        ("devices --json", ">/dev/full", {1}, "voicelive-tui: cannot go on: No space left on device\n"),
        ("--help", ">/dev/full", {1}, "voicelive-tui: cannot go on: No space left on device\n"),
        ("console --endpoint http://127.0.0.1:1 --say hi", ">&- <&-", {1}, ""),
        ("console --endpoint http://127.0.0.1:1 --say hi", "2>&-", {1}, ""),
        ("console --demo --say hi --output-device none", "| head -1", {0}, ""),
        ("console --endpoint http://127.0.0.1:1 --say ''", "2>/dev/full", {2}, ""),
    ],
)
def test_streams_that_are_closed_or_full_give_no_traceback(settings, arguments, redirection, statuses, sentence):
    command = f"{sys.executable} -m voicelive_tui {arguments} {redirection}; exit ${{PIPESTATUS[0]}}"
    environment = settings | {"AZURE_VOICELIVE_API_KEY": "any"}
    done = subprocess.run(
        ["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode in statuses
    assert done.stderr == sentence


@pytest.mark.skipif(sys.platform != "linux", reason="a disk that is full is /dev/full")
@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_a_log_file_on_a_full_disk_is_one_line_of_the_conversation(settings, arguments):
    command = [*PROGRAM, "console", "--demo", *BRIEF, "--say", "hi", "--output-device", "none"]
    done = subprocess.run(
        [*command, "--log-file", "/dev/full", *arguments],
        env=settings,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.count("the log file /dev/full cannot be written: [Errno 28] No space left on device") == 1
