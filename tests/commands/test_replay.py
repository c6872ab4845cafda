"""`console --replay` and the start of `replay`: the lines of the live console, and what bad recordings get."""

import asyncio
import json
import re
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

from tests.conversing import speech, until
from tests.recording.bundles import make_bundle
from tests.recording.test_recorder import recorded
from tests.ui.terminal import Terminal
from voicelive_tui.commands.lines import JsonLines, TextLines
from voicelive_tui.config import Recording
from voicelive_tui.session.state import Activity


def run(*arguments: object) -> tuple[int, str, str]:
    program = [sys.executable, "-m", "voicelive_tui", *map(str, arguments)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


def timeless(line: str) -> Any:
    """A line without its times, and without remarks on the recorder itself; a delay as a number of two digits."""
    if not line.startswith("{"):
        return re.sub(r"^\d\d:\d\d:\d\d  ", "", line)
    event: dict[str, Any] = json.loads(line)["event"]
    return {name: value for name, value in event.items() if name not in ("at", "alive_at")}


async def test_a_recording_has_the_lines_of_the_live_console(tmp_path: Path) -> None:
    live_lines: dict[type, list[str]] = {TextLines: [], JsonLines: []}
    async with recorded(tmp_path, Recording(folder=str(tmp_path), device_names=True)) as (live, mouth, _):
        writers = [kind(live_lines[kind].append) for kind in (TextLines, JsonLines)]
        for writer in writers:
            live.observe(writer.observe)
        mouth.say(speech())
        await until(lambda: live.state.activity is Activity.SPEAKING)
        await until(lambda: live.state.activity is Activity.READY)
    for writer in writers:
        await writer.output.close()
    (path,) = tmp_path.glob("*.vlrec")
    for kind, options in ((TextLines, ()), (JsonLines, ("--json",))):
        status, out, err = await asyncio.to_thread(run, "console", "--replay", path, *options)
        printed = [timeless(line) for line in out.splitlines()]
        expected = [timeless(line) for line in live_lines[kind]]
        assert (status, err) == (0, "")
        assert expected
        # The writers were there a little later than the recorder.
        assert printed[printed.index(expected[0]) :][: len(expected)] == expected


def test_the_times_are_those_of_the_recording(tmp_path: Path) -> None:
    status, out, _ = run("console", "--replay", make_bundle(tmp_path), "--json")
    assert status == 0
    lines = [json.loads(line) for line in out.splitlines()]
    assert (lines[0]["time"], lines[0]["t"]) == (1_800_000_000.0, 0.0)
    assert lines[-1]["event"]["turns"] == 3
    assert 29 < lines[-1]["t"] < 31


def test_a_path_without_a_recording_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    for path, says in (
        (tmp_path / "missing.vlrec", "cannot open .*missing.vlrec: No such file"),
        (tmp_path, "is not a recording: it has no wire.jsonl"),
        (tmp_path / "empty.jsonl", "holds no message"),
    ):
        status, out, err = run("console", "--replay", path)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert re.search(says, err)


def test_lines_that_cannot_be_read_are_named_and_the_rest_is_written(tmp_path: Path) -> None:
    file = tmp_path / "dump.jsonl"
    event = {"type": "session.created", "session": {"id": "sess_9"}}
    file.write_text(f"{json.dumps(event)}\n{{broken\n{json.dumps({'type': 'x'})}\n")
    status, out, err = run("console", "--replay", file, "--json")
    assert [json.loads(line)["event"]["type"] for line in out.splitlines()] == ["session.created", "x"]
    assert status == 0
    assert "1 line cannot be read" in err


def test_the_dashboard_needs_a_terminal(tmp_path: Path) -> None:
    status, _, err = run("replay", make_bundle(tmp_path, 1))
    assert (status, "use: voicelive-tui console --replay" in err) == (2, True)


def test_a_replay_plays_pauses_jumps_and_gives_the_terminal_back(tmp_path: Path) -> None:
    path = make_bundle(tmp_path)
    options = ("--output-device", "none")
    with Terminal("-m", "voicelive_tui", "replay", *options, str(path), width=120, height=40) as terminal:
        terminal.wait_for("REPLAY  ▶ ×1")  # it plays by itself
        terminal.wait_for("0:01.")
        terminal.write(" ")
        terminal.wait_for("REPLAY  ‖ ×1")
        terminal.write("0")
        terminal.wait_for("0:00.0 / 0:30")
        terminal.write("\x1b[C")  # right
        terminal.wait_for("0:05.0 / 0:30")
        terminal.wait_for("This is answer 0.")
        terminal.write("$")
        terminal.wait_for("This is answer 2.")
        terminal.write("q")
        assert terminal.wait_for_end() == 0
        assert termios.tcgetattr(terminal.master) == terminal.before
        assert b"\x1b[?1049l" in terminal.received[-200:]
