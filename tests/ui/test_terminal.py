"""The dashboard in a pseudo-terminal, drawn by a terminal emulator; see `driver.py` for what plays behind it."""

import asyncio
import contextlib
import errno
import math
import os
import pty
import random
import re
import signal
import termios
import time
import tty
import wave
from array import array
from pathlib import Path

import pytest

from tests.conversing import until
from tests.ui.terminal import Terminal
from voicelive_tui.loopback.service import LoopbackService
from voicelive_tui.ui.terminal import TerminalDriver, Writer


def dashboard(scene, *options, **terminal):
    return Terminal("-m", "tests.ui.driver", scene, *options, **terminal)


def has_layout(terminal):
    lines = terminal.screen.display
    head, foot = lines[0] + lines[1], lines[-1]
    return (
        any(word in head for word in ("READY", "LISTENING", "THINKING", "SPEAKING", "INTERRUPTED", "MUTED"))
        and re.search("m (Mute|Unmute)", foot)
        and "Quit" in foot
        and " 4 Levels ──" in terminal.text
        and "2 Transcript" in terminal.text
    )


def assert_layout(terminal):
    """The screen is right as soon as all of it is drawn: what was read last may end in the middle of it."""
    terminal.wait_until(lambda: has_layout(terminal), "the layout is broken")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_a_conversation_and_the_end(width, height):
    with dashboard("talk", width=width, height=height) as terminal:
        terminal.wait_for("LISTENING")
        terminal.wait_for("SPEAKING")
        terminal.wait_for("I heard you for three seconds.")
        assert_layout(terminal)
        terminal.write("m")
        terminal.wait_for("mic MUTED")
        terminal.write("q")
        assert terminal.wait_for_end() == 0
        assert termios.tcgetattr(terminal.master) == terminal.before
        assert b"\x1b[?1049l" in terminal.received[-200:]


def test_ctrl_c_ends_with_130():
    with dashboard("talk") as terminal:
        terminal.wait_for("LISTENING")
        terminal.write("\x03")
        assert terminal.wait_for_end() == 130
        assert termios.tcgetattr(terminal.master) == terminal.before


def test_hostile_text_is_drawn_and_not_obeyed():
    with dashboard("hostile") as terminal:
        terminal.wait_for("lone ? surrogate")
        assert_layout(terminal)
        terminal.write("g")
        terminal.wait_for("[bold red]markup[/] and [link=javascript:1]more[/link]")
        terminal.wait_for("escape ␛[2J␛[H␛]0;title␇")
        for _ in range(7):
            terminal.write("j")
            terminal.read(0.2)
            assert_layout(terminal)
        terminal.write("3E")
        terminal.wait_for("is:error")
        terminal.write("\r")
        terminal.wait_for("code:")
        terminal.write("\x1b")
        terminal.wait_for("code:", gone=True)
        terminal.write("E")
        terminal.wait_for("connecting to")
        assert_layout_of_events(terminal)
        terminal.write("Gs")  # an id may come to stand in a filter, and a filter in the prompt
        terminal.wait_for("The id of this item holds")
        terminal.write("/")
        terminal.wait_for("esc Leave")
        terminal.write("\x1b")
        terminal.wait_for("Mute")
        for obeyed in (b"\x1b]52", b"\x1b]0;title", b"\x1b[10A", b"\xc2\x9b", "\u202e".encode(), b"\xcc\x81" * 5):
            assert obeyed not in terminal.received
        terminal.write("q")
        assert terminal.wait_for_end() == 0


def assert_layout_of_events(terminal):
    def has_layout_of_events():
        lines = terminal.screen.display
        return "3 Events" in lines[1] + lines[2] and "Mute" in lines[-1]

    terminal.wait_until(has_layout_of_events, "the layout is broken")


def test_wide_characters_keep_the_columns():
    """What follows a wide character stands where the program believes it to stand."""
    with dashboard("hostile", width=120, height=40) as terminal:
        terminal.wait_for("lone ? surrogate")
        terminal.write("2zgjjjjj")
        terminal.wait_for("You        wide")
        # The emulator shows nothing in the second cell of a wide character: columns are characters plus wide ones.
        terminal.wait_for("👩👩👧 DE 👍 ❤ end")
        line = next(line for line in terminal.screen.display if "漢字" in line and "You" in line)
        assert line.index("漢字") < line.index("👩👩👧 DE 👍 ❤ end")
        assert_layout(terminal)


def test_a_storm_of_resizes():
    chance = random.Random(7)
    with dashboard("talk", width=120, height=40) as terminal:
        terminal.wait_for("LISTENING")
        for _ in range(25):
            terminal.resize(chance.randint(20, 220), chance.randint(5, 70))
            terminal.read(0.03)
        terminal.resize(50, 12)
        terminal.wait_for("at least 60x16")
        terminal.resize(80, 24)
        terminal.wait_for("4 Levels ──")
        terminal.read(0.5)
        assert_layout(terminal)
        terminal.write("q")
        assert terminal.wait_for_end() == 0


def test_a_pane_that_comes_into_use_does_not_have_the_whole_screen_written():
    with dashboard("idle", width=120, height=40) as terminal:
        terminal.wait_for("▌2 Transcript", "m Mute", "mic LIVE")
        before = len(terminal.received)
        for key, pane in ("3", "3 Events"), ("7", "7 Delay"), ("1", "1 Session"), ("2", "2 Transcript"):
            terminal.write(key)
            terminal.wait_for(f"▌{pane}")
        terminal.read(0.5)
        assert len(terminal.received) - before < 60_000  # the whole screen has 20,000


def state_of(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_suspend_and_resume():
    with dashboard("idle") as terminal:
        terminal.wait_for("mic LIVE")
        terminal.write("\x1a")
        end = time.monotonic() + 10
        while state_of(terminal.process.pid) != "T":
            assert time.monotonic() < end
            terminal.read(0.05)
        assert termios.tcgetattr(terminal.master) == terminal.before
        terminal.screen.reset()
        os.kill(terminal.process.pid, signal.SIGCONT)
        terminal.wait_for("mic LIVE")
        terminal.wait_for("Mute")
        assert_layout(terminal)
        terminal.write("q")
        assert terminal.wait_for_end() == 0


def test_without_colour_words_say_everything():
    with dashboard("idle", NO_COLOR="1") as terminal:
        terminal.wait_for("READY")
        terminal.wait_for("mic LIVE")
        terminal.write("m")
        terminal.wait_for("mic MUTED")
        assert_layout(terminal)
        colours = re.findall(rb"[34]8;2;(\d+);(\d+);(\d+)", bytes(terminal.received))
        assert colours
        assert all(red == green == blue for red, green, blue in colours)


@pytest.mark.parametrize("environ", [{"TERM": "xterm", "COLORTERM": ""}, {}], ids=["16 colours", "lean"])
def test_without_colour_the_terminals_own_stay_as_they_are(tmp_path, environ):
    options = ("--demo", "--input-device", "none", "--output-device", "none", *([] if environ else ["--lean"]))
    environ |= {"NO_COLOR": "1", "XDG_STATE_HOME": str(tmp_path)}
    with Terminal("-m", "voicelive_tui", *options, **environ) as terminal:
        terminal.wait_for("READY")
        terminal.wait_for("Mute")
        cells = [cell for row in terminal.screen.buffer.values() for cell in row.values()]
        assert {(cell.fg, cell.bg) for cell in cells} == {("default", "default")}
        assert any(cell.bold for cell in cells)
        terminal.write("q")
        assert terminal.wait_for_end() == 0


@pytest.mark.parametrize("term", ["xterm", "xterm-256color"])
def test_without_colour_the_chosen_row_of_a_list_is_seen(term):
    with dashboard("idle", NO_COLOR="1", TERM=term, COLORTERM="") as terminal:
        terminal.wait_for("Mute")
        terminal.write(":")
        terminal.wait_for("Search for commands")
        terminal.write("\x1b[B")
        rows = terminal.screen.buffer
        terminal.wait_until(
            lambda: any(all(rows[y][x].underscore for x in range(20, 30)) for y in range(24)), "no row stands out"
        )


@pytest.mark.parametrize("theme", ["", "voicelive-light"])
def test_lean_has_colours_of_few_bytes(tmp_path, theme):
    """The terminal's own 16, or of a theme that was asked for the nearest of 256."""
    config = tmp_path / "config.toml"
    config.write_text(f'[ui]\ntheme = "{theme}"\n')
    options = ("--demo", "--input-device", "none", "--output-device", "none", "--config", str(config))
    with Terminal("-m", "voicelive_tui", *options, "--lean", XDG_STATE_HOME=str(tmp_path)) as terminal:
        terminal.wait_for("READY")
        terminal.write("q")
        assert terminal.wait_for_end() == 0
    assert re.search(rb"\x1b\[[\d;]*3[1-6][;m]", terminal.received) or theme
    assert bool(re.search(rb"[34]8;5;", terminal.received)) is bool(theme)
    assert not re.search(rb"[34]8;2;", terminal.received)


def test_text_typed_in_one_piece_with_its_key_is_the_message():
    with dashboard("idle") as terminal:
        terminal.wait_for("mic LIVE")
        terminal.write("tmend it, q")
        terminal.wait_for("say mend it, q")
        terminal.wait_for("esc Leave")
        terminal.write("\x1b")
        terminal.wait_for("m Mute", "mic LIVE")
        terminal.write("3")
        terminal.wait_for("▌3 Events")
        terminal.write("/is:error")
        terminal.wait_for("filter is:error")


@pytest.mark.parametrize("mouse", [True, False])
def test_the_mouse_can_be_left_to_the_terminal(tmp_path, mouse):
    config = tmp_path / "config.toml"
    config.write_text(f"[ui]\nmouse = {str(mouse).lower()}\n")
    folders = {"XDG_STATE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    options = ("--demo", "--input-device", "none", "--output-device", "none", "--config", str(config))
    with Terminal("-m", "voicelive_tui", *options, **folders) as terminal:
        terminal.wait_for("READY")
        terminal.write("q")
        assert terminal.wait_for_end() == 0
        assert (b"\x1b[?1000h" in terminal.received) is mouse


def tone(path, seconds):
    """A WAV file with a second of silence after each second of sound: something for the meters to draw."""
    sound = [int(8000 * math.sin(at * 2 * math.pi * 220 / 24_000)) for at in range(24_000)]
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        for second in range(seconds):
            file.writeframes(array("h", [0] * 24_000 if second % 2 else sound).tobytes())


@contextlib.asynccontextmanager
async def conversation(tmp_path):
    """The program in a terminal, and the types of the events that it sends to a service."""
    tone(tmp_path / "tone.wav", 60)
    sent = []
    environment = {
        "AZURE_VOICELIVE_API_KEY": "a-k3y",
        "XDG_CONFIG_HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path),
    }
    async with LoopbackService(api_key="a-k3y", on_client_event=lambda _, event: sent.append(event["type"])) as service:
        arguments = (
            "--endpoint", service.endpoint, "--input-device", f"file:{tmp_path}/tone.wav", "--output-device", "none",
        )  # fmt: skip
        with Terminal("-m", "voicelive_tui", *arguments, width=120, height=40, **environment) as terminal:
            await asyncio.to_thread(terminal.wait_for, "mic LIVE")
            yield terminal, sent


def appended(sent):
    return sent.count("input_audio_buffer.append")


async def draw_much(terminal, sent, times):
    """Let the program draw far more than what fits in any buffer, and do not read it."""
    for _ in range(times):
        terminal.write("zz")  # all of the screen, twice
        before = appended(sent)
        await until(lambda before=before: appended(sent) >= before + 5, "the conversation goes on")


async def test_a_terminal_that_is_not_read_does_not_stop_the_conversation(tmp_path):
    async with conversation(tmp_path) as (terminal, sent):
        await draw_much(terminal, sent, 10)
        before = appended(sent)
        await until(lambda: appended(sent) >= before + 50, "the conversation goes on")
        terminal.screen.reset()  # what is not drawn again is missing
        await asyncio.to_thread(terminal.wait_for, "m Mute")
        for name in ("1 Session", "2 Transcript", "3 Events", "turn detection", "mic LIVE", "the WebSocket is open"):
            await asyncio.to_thread(terminal.wait_for, name)
        await asyncio.to_thread(assert_layout, terminal)
        terminal.write("q")
        assert await asyncio.to_thread(terminal.wait_for_end) == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
async def test_a_signal_ends_the_program_while_its_terminal_is_not_read(tmp_path, number, status):
    async with conversation(tmp_path) as (terminal, sent):
        await draw_much(terminal, sent, 10)
        os.kill(terminal.process.pid, number)
        assert await asyncio.to_thread(terminal.process.wait, 60) == status
        assert termios.tcgetattr(terminal.master)[:4] == terminal.before[:4]
        # Drawing was discarded, and what is left of it may end in the middle of a control sequence.
        _, cancel, restored = terminal.read_rest().partition(b"\x18")
        assert cancel
        assert b"conversation of 0:" in restored.partition(b"\x1b[?1049l")[2]


FULL = """
import os
from textual.app import App
from voicelive_tui.ui.terminal import TerminalDriver

class Driver(TerminalDriver):
    def stop_application_mode(self):
        while not self._writer.drain():
            pass
        terminal = os.open(os.ttyname(2), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            while True:
                os.write(terminal, b"x")
        except BlockingIOError:
            super().stop_application_mode()

class Full(App):
    def get_driver_class(self):
        return Driver

    def on_ready(self):
        self.exit()

Full().run()
print("the last line")
"""


def test_a_terminal_that_is_full_when_the_program_ends_is_restored():
    with Terminal("-c", FULL) as terminal:
        assert terminal.process.wait(60) == 0
        assert b"the last line" in terminal.read_rest().partition(b"\x1b[?1049l")[2]


@pytest.mark.parametrize("blocking", [True, False])
def test_output_is_written_whole_or_dropped(blocking, monkeypatch):
    """Another program on the same terminal may have made it non-blocking."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.set_blocking(slave, blocking)
    calls = []
    writer = Writer(slave, lambda: calls.append("caught up"), lambda: calls.append("gone"))
    writer.start()
    writer.write("x" * 300_000)
    writer.write("dropped")
    assert not writer.drain()  # the terminal is not being read
    monkeypatch.setattr("voicelive_tui.ui.terminal.DRAIN_LIMIT", 60.0)
    assert calls == []
    received = b""
    while len(received) < 300_000:
        received += os.read(master, 65_536)
    assert writer.drain()
    writer.write("next")
    assert received + os.read(master, 100) == b"x" * 300_000 + b"next"
    assert calls == ["caught up"]
    os.close(master)
    writer.join(60)  # nothing more is written: it finds out by itself
    assert calls == ["caught up", "gone"]
    os.close(slave)


class Ending:
    """What a `TerminalDriver` needs of the application; it notes how it is ended."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    def action_quit(self):
        self.ended.set()

    def call_later(self, action, *arguments):
        action(*arguments)


async def test_a_terminal_whose_keys_cannot_be_read_any_more_ends_the_program(monkeypatch):
    """EIO, as where the shell has ended and left the program in the background."""

    def read(fileno, size, read=os.read):
        if fileno == terminal.fileno():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(fileno, size)

    monkeypatch.setattr(os, "read", read)
    with Path("/dev/zero").open("rb") as terminal:  # always has something to read
        app = Ending()
        driver = TerminalDriver(app)
        driver.fileno = terminal.fileno()
        await asyncio.to_thread(driver.run_input_thread)
        async with asyncio.timeout(60):
            await app.ended.wait()


def test_a_terminal_that_is_gone_ends_the_program():
    """As `setsid` and a terminal emulator that is killed leave it: there is no SIGHUP."""
    with dashboard("idle") as terminal:
        terminal.wait_for("mic LIVE")
        terminal.disconnect()
        assert terminal.process.wait(60) == 0
