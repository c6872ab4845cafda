import asyncio
import subprocess
import sys

import pytest
from msgspec.structs import replace

from tests import states
from tests.ui.fake import FakeLive, app_of, settled
from tests.ui.screens import screen_text
from tests.ui.terminal import Terminal
from voicelive_tui.config import Ui
from voicelive_tui.session.state import Connection, Stage
from voicelive_tui.ui import app as app_module
from voicelive_tui.ui.app import VoiceLiveApp


@pytest.mark.parametrize(
    ("key", "stage", "status"),
    [("q", Stage.READY, 0), ("q", Stage.FAILED, 0), ("ctrl+c", Stage.READY, 130)],
)
async def test_the_end_closes_the_conversation_and_returns_its_exit_status(key, stage, status):
    live = FakeLive(replace(states.IDLE, connection=Connection(stage=stage)))
    app = VoiceLiveApp(lambda: live, Ui(), {})
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.pause()
        await pilot.press(key)
        await pilot.pause()
    assert live.calls == ["run", "close"]
    assert app.return_code == status


async def test_ctrl_c_ends_even_while_typing():
    live = FakeLive(states.IDLE)
    app = VoiceLiveApp(lambda: live, Ui(), {})
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("t", "a", "ctrl+c")
        await pilot.pause()
    assert app.return_code == 130


async def test_a_conversation_that_does_not_end_is_left(monkeypatch):
    monkeypatch.setattr(app_module, "CLOSE_LIMIT", 0.05)
    live = FakeLive(states.IDLE)
    live.close = asyncio.Event().wait
    app = VoiceLiveApp(lambda: live, Ui(), {})
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await app.end(0)
    assert app.return_code == 0


async def test_ssh_offers_lean_once(monkeypatch):
    monkeypatch.setenv("SSH_CONNECTION", "1.2.3.4 5 6.7.8.9 22")
    told = []
    for ui in (Ui(), Ui(lean=True)):
        app = VoiceLiveApp(lambda: FakeLive(states.IDLE), ui, {})
        app.notify = lambda message, **_: told.append(message)
        async with app.run_test(size=(80, 24)) as pilot:
            await settled(pilot)
    assert len(told) == 1
    assert "--lean" in told[0]


BROKEN = """
from voicelive_tui import cli
from voicelive_tui.ui.panes.session import SessionPane

def show(self, session):
    password = "hunter2hunter2"
    raise ValueError("[bold]no\\x1bcZ such field")

SessionPane.show = show
cli.main()
"""


def test_a_defect_of_the_screen_is_one_sentence_and_the_log_file_has_the_rest(tmp_path):
    with Terminal(
        "-c", BROKEN, "--demo", "--log-file", str(tmp_path / "log"), XDG_STATE_HOME=str(tmp_path)
    ) as terminal:
        assert terminal.wait_for_end() == 1
        left = terminal.received[terminal.received.rindex(b"\x1b[?1049l") :].decode()
    assert "voicelive-tui: the program has a defect (ValueError: [bold]no" in left
    assert "\x1bc" not in left
    for word in ("Traceback", "hunter2", "password", "NOTE"):
        assert word not in terminal.received.decode()
    log = (tmp_path / "log").read_text()
    assert "Traceback" in log
    assert "in show" in log
    assert "hunter2" not in log


def test_importing_the_app_loads_neither_sdk_nor_sound():
    code = (
        "import sys, voicelive_tui.ui.app;"
        "heavy = ('azure', 'numpy', 'sounddevice', 'aiohttp', 'voicelive_tui.session.fold');"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_a_toast_is_as_wide_as_its_words_and_breaks_no_path():
    app = app_of(states.IDLE)
    path = "~/.local/share/voicelive-tui/recordings/2026-11-26-083127.vlrec"
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settled(pilot)
        app.notify("Copied.")
        app.notify(f"recorded 0:56; to open it: voicelive-tui {path}")
        while path not in screen_text(app):
            await pilot.pause()
        (line,) = [line for line in screen_text(app).splitlines() if "Copied." in line]
        assert line.partition("▌")[2].strip() == "Copied."
