"""The whole program in a terminal of its own: starts, talks, quits, and leaves the terminal as it found it."""

import json
import os
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.ui.terminal import PATIENCE, Terminal


def empty_home(tmp_path: Path) -> dict[str, str]:
    """An environment with no configuration and no sound server, whatever the machine has."""
    return {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "PULSE_SERVER": f"unix:{tmp_path}/no-server",
        "JACK_NO_START_SERVER": "1",
        "AZURE_VOICELIVE_ENDPOINT": "",
        "AZURE_VOICELIVE_API_KEY": "",
    }


def children(pid: int) -> list[int]:
    """Processes whose parent this was."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def sound_cards(environment: dict[str, str]) -> bool:
    """Whether there is a device even without a sound server; then the demo has no need of its synthetic caller."""
    command = [sys.executable, "-m", "voicelive_tui", "devices", "--json"]
    listed = subprocess.run(command, capture_output=True, env=os.environ | environment, timeout=120, check=False)
    return listed.returncode == 0 and json.loads(listed.stdout) != []


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_a_demo_conversation_from_the_first_screen_to_the_shell_prompt(tmp_path: Path, size: tuple[int, int]) -> None:
    environment = empty_home(tmp_path)
    if sound_cards(environment):
        pytest.skip("this machine has a sound card, which the demo would use in place of its synthetic caller")
    with Terminal("-m", "voicelive_tui", width=size[0], height=size[1], **environment) as terminal:
        terminal.wait_for("synthetic")  # it says that the caller is none of flesh and blood
        terminal.wait_for("What are you good for")
        terminal.wait_for("SPEAKING")
        terminal.write("m")
        terminal.wait_for("MUTED")
        terminal.write("q")
        assert terminal.wait_for_end() == 0
        assert children(terminal.process.pid) == []
        after = termios.tcgetattr(terminal.master)
        assert after[:4] == terminal.before[:4]
        assert terminal.received.rfind(b"\x1b[?1049l") > terminal.received.rfind(b"\x1b[?1049h")
        assert b"\x1b[?25h" in terminal.received[terminal.received.rfind(b"\x1b[?1049h") :]
        assert "conversation of 0:" in terminal.text
        assert "closed with code 1000" in terminal.text.replace("\n", "")
    log = tmp_path / "state" / "voicelive-tui" / "voicelive-tui.log"
    told = log.read_text()
    for step in (
        "connecting to http://127.0.0.1",
        "with model gpt-realtime (the demo's own key)",
        "session configuration sent",
        "session ready: sess_",
        "capture started: synthetic microphone",
        "user started speaking",
        "user stopped speaking",
        "response created: resp_",
        "capture stopped: synthetic microphone",
        "closed with code 1000",
        "cleaned up",
    ):
        assert step in told, told


@pytest.mark.parametrize(
    ("how", "status"),
    [(signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 130), ("\x03", 130)],
)
def test_every_way_to_end_ends_in_the_same_order(tmp_path: Path, how: signal.Signals | str, status: int) -> None:
    with Terminal("-m", "voicelive_tui", "--no-caller", **empty_home(tmp_path)) as terminal:
        terminal.wait_for("READY")
        if isinstance(how, str):
            terminal.write(how)
        else:
            os.kill(terminal.process.pid, how)
        assert terminal.wait_for_end() == status
        assert termios.tcgetattr(terminal.master)[:4] == terminal.before[:4]
        assert "closed with code 1000" in terminal.text.replace("\n", "")


def test_a_refused_connection_leaves_the_dashboard_open_and_says_so_at_the_end(tmp_path: Path) -> None:
    arguments = ("--endpoint", "http://127.0.0.1:9", "--output-device", "none", "--input-device", "none")
    environment = empty_home(tmp_path) | {"AZURE_VOICELIVE_API_KEY": "s3cret-k3y"}
    with Terminal("-m", "voicelive_tui", *arguments, width=120, height=40, **environment) as terminal:
        terminal.wait_for("FAILED")
        terminal.wait_for("connection refused")
        terminal.write("r")
        terminal.read(1.0)
        terminal.write("q")
        assert terminal.wait_for_end() == 1
        assert b"s3cret" not in terminal.received
        assert b"Traceback" not in terminal.received


@pytest.mark.parametrize(
    ("redirection", "sentence"),
    [
        ("</dev/null", "the dashboard needs a terminal, and standard input is none; use: voicelive-tui console"),
        ("<&-", "the dashboard needs a terminal, and standard input is none; use: voicelive-tui console"),
        ("TERM=dumb", "TERM is dumb, and the dashboard must move the cursor; use: voicelive-tui console"),
    ],
)
def test_a_terminal_that_cannot_show_the_dashboard_is_refused(tmp_path: Path, redirection: str, sentence: str) -> None:
    program = f"{sys.executable} -m voicelive_tui --demo"
    line = f"{redirection} {program}" if "=" in redirection else f"{program} {redirection}"
    run = f"import subprocess, sys; sys.exit(subprocess.call(['sh', '-c', {line!r}]))"
    with Terminal("-c", run, width=120, **empty_home(tmp_path)) as terminal:
        assert terminal.wait_for_end() == 2
        assert terminal.text.strip() == f"voicelive-tui: {sentence}"


@pytest.mark.parametrize("arguments", [["--json"], []])
def test_a_console_whose_terminal_is_gone_ends_with_status_0(tmp_path: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "voicelive_tui", "console", "--demo", "--output-device", "none", "--say", "hello"]
    master, terminal = os.openpty()
    streams = {"stdin": terminal, "stdout": terminal, "stderr": terminal}
    environment = os.environ | empty_home(tmp_path)
    # Without a controlling terminal there is no SIGHUP.
    with subprocess.Popen([*command, *arguments], env=environment, start_new_session=True, **streams) as program:
        os.close(terminal)
        os.read(master, 1000)
        os.close(master)
        assert program.wait(timeout=PATIENCE) == 0


def test_signals_that_the_parent_ignores_stay_ignored(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "voicelive_tui", "console", "--demo", "--output-device", "none", "--json"]
    environment = os.environ | empty_home(tmp_path) | {"PYTHONUNBUFFERED": "1"}
    nohup = ["nohup", *command, "--input-device", "none"]
    with subprocess.Popen(nohup, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as program:
        assert program.stdout
        for line in program.stdout:
            if b'"session.updated"' in line:
                break
        program.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            program.wait(timeout=2)
        program.send_signal(signal.SIGTERM)
        program.stdout.read()
        assert program.wait(timeout=PATIENCE) == 0
