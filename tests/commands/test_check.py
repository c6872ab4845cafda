import asyncio
import contextlib
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Awaitable, Callable
from fcntl import ioctl
from pathlib import Path

import azure.identity
import pytest
from aiohttp import web
from azure.core.exceptions import ClientAuthenticationError

from voicelive_tui.client import connection
from voicelive_tui.commands import check
from voicelive_tui.commands.setup import Setup
from voicelive_tui.config import Audio, Function, Service, Settings, Tools
from voicelive_tui.loopback.service import LoopbackService

KEY = "sk-7f3a-not-for-your-eyes"


class Told(list):
    """What was told; call it to tell."""

    def __call__(self, what: str, ok: bool | None, sentence: str) -> None:
        assert KEY not in sentence
        self.append((what, ok, sentence))

    @property
    def verdicts(self) -> list[tuple[str, bool | None]]:
        return [(what, ok) for what, ok, _ in self]


def settings(endpoint: str, **service) -> Setup:
    return Setup(Settings(service=Service(endpoint=endpoint, **({"api_key": KEY} | service))), False, Path())


# --- configuration


def test_a_configuration_from_a_pipe_is_named(tmp_path):
    pipe = tmp_path / "config"
    os.mkfifo(pipe)
    program = [sys.executable, "-m", "voicelive_tui", "check", "--demo", "--config", str(pipe), "--json"]
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path), "PULSE_SERVER": f"unix:{tmp_path}/no-server"}
    with subprocess.Popen(program, env=environment, stdout=subprocess.PIPE) as run:
        pipe.write_text('[session]\nmodel = "gpt-realtime-mini"\n')
        first = json.loads(run.communicate(timeout=120)[0])[0]
    assert (first["ok"], first["text"].split(";")[0]) == (True, str(pipe))


# --- terminal


@pytest.mark.parametrize(("columns", "rows", "ok"), [(80, 24, True), (60, 16, True), (59, 24, None), (80, 15, None)])
def test_the_size_of_the_terminal(monkeypatch, columns, rows, ok):
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    told = Told()
    with os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr(check.sys, "stdout", terminal)
        check.check_terminal(told)
        monkeypatch.undo()
    os.close(master)
    ((what, verdict, sentence),) = told
    assert (what, verdict) == ("terminal", ok)
    assert sentence.startswith(f"{columns}x{rows}")
    assert ("needs 60x16" in sentence) is (ok is None)


def test_no_terminal_is_a_warning(monkeypatch, tmp_path):
    told = Told()
    with (tmp_path / "out").open("w") as file:
        monkeypatch.setattr(check.sys, "stdout", file)
        check.check_terminal(told)
        monkeypatch.undo()
    assert told.verdicts == [("terminal", None)]
    assert "not a terminal" in told[0][2]


# --- audio


def test_audio_that_works():
    told = Told()
    asyncio.run(check.check_audio(Audio(input_device="none", output_device="none"), told))
    assert told.verdicts == [("input", True), ("output", True)]


def test_audio_that_does_not_work_is_a_warning(tmp_path):
    told = Told()
    devices = Audio(input_device=f"file:{tmp_path}/no.wav", output_device=f"file:{tmp_path}/no/out.wav")
    asyncio.run(check.check_audio(devices, told))
    assert told.verdicts == [("input", None), ("output", None)]
    assert "no.wav" in told[0][2]
    assert "out.wav" in told[1][2]


@pytest.mark.parametrize(("content", "ok"), [(b"RIFF\0\0\0\0WAVE precious", True), (b"precious, and no sound", None)])
def test_a_file_that_would_be_written_is_not_touched(tmp_path, content, ok):
    path = tmp_path / "answer.wav"
    path.write_bytes(content)
    told = Told()
    asyncio.run(check.check_audio(Audio(input_device="none", output_device=f"file:{path}"), told))
    assert told.verdicts[1] == ("output", ok)
    assert path.read_bytes() == content


# --- credential and endpoint


async def test_a_service_that_works():
    told = Told()
    assert await check.check_service(Setup(Settings(), True, Path()), told)
    assert told.verdicts == [("credential", True), ("endpoint", True)]
    assert told[0][2] == "the demo's own key"
    assert " (demo): session created after " in told[1][2]


async def test_a_wrong_key():
    told = Told()
    async with LoopbackService(api_key="another") as running:
        assert not await check.check_service(settings(running.endpoint), told)
    assert told.verdicts[-1] == ("endpoint", False)
    assert "HTTP 401: the key or token was refused" in told[-1][2]


async def test_a_port_that_no_service_listens_on():
    told = Told()
    assert not await check.check_service(settings("http://127.0.0.1:1"), told)
    assert told.verdicts == [("credential", True), ("endpoint", False)]
    assert "connection refused" in told[1][2]


async def test_no_token(monkeypatch):
    class NoCredential:
        def get_token(self, *scopes, **options):
            raise ClientAuthenticationError("no account is signed in")

        def close(self) -> None:
            pass

    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", NoCredential)
    told = Told()
    wanted = settings("https://127.0.0.1:1", api_key="", use_token_credential=True)
    assert not await check.check_service(wanted, told)
    assert told.verdicts == [("credential", False)]
    assert "Entra ID gave no token (no account is signed in)" in told[0][2]


@contextlib.asynccontextmanager
async def a_service(talk: Callable[[web.WebSocketResponse], Awaitable[None]]) -> AsyncIterator[Setup]:
    async def accept(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await talk(ws)
        return ws

    app = web.Application()
    app.router.add_get("/voice-live/realtime", accept)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield settings(f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


async def checked(talk: Callable[[web.WebSocketResponse], Awaitable[None]]) -> tuple[bool, str]:
    told = Told()
    async with a_service(talk) as wanted:
        good = await check.check_service(wanted, told)
    assert told.verdicts == [("credential", True), ("endpoint", good)]
    assert told[0][2] == "API key"
    return good, told[1][2]


async def test_a_service_that_says_nothing(monkeypatch):
    async def talk(ws: web.WebSocketResponse) -> None:
        await ws.send_json({"type": "something.else"})
        await ws.receive()

    monkeypatch.setattr(check, "FIRST_EVENT_LIMIT", 0.2)
    good, sentence = await checked(talk)
    assert not good
    assert sentence.endswith("sent no session.created within 0.2 s")


async def test_a_service_that_talks_nonsense():
    async def talk(ws: web.WebSocketResponse) -> None:
        for _ in range(connection.BAD_MESSAGES_LIMIT):
            await ws.send_str("nonsense")
        await ws.receive()

    good, sentence = await checked(talk)
    assert not good
    assert "unreadable messages in a row" in sentence


async def test_a_service_that_closes_at_once():
    async def talk(ws: web.WebSocketResponse) -> None:
        await ws.close(code=1008)

    good, sentence = await checked(talk)
    assert not good
    assert "policy violation (code 1008)" in sentence


async def test_a_service_that_clears_its_throat():
    async def talk(ws: web.WebSocketResponse) -> None:
        for frame in ("{", "", "[]", '{"type": "unknown"}', '{"type": "session.created"}'):
            await ws.send_str(frame)
        await ws.receive()

    good, sentence = await checked(talk)
    assert good
    assert "session created after" in sentence


async def test_a_check_can_be_cancelled():
    reached = asyncio.Event()

    async def talk(ws: web.WebSocketResponse) -> None:
        reached.set()
        await ws.receive()

    async with a_service(talk) as wanted:
        task = asyncio.create_task(check.check_service(wanted, Told()))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


# --- tools


@pytest.mark.parametrize(
    ("source", "ok", "words"),
    [
        ('def add(a: int) -> int:\n    """Add."""\n    return a', True, "add"),
        ("def add(:", False, "line 1: invalid syntax"),
    ],
)
def test_the_functions_of_a_file_are_listed_or_it_is_said_why_not(tmp_path, source, ok, words):
    path = tmp_path / "functions.py"
    path.write_text(source)
    told = Told()
    assert check.check_tools(Settings(tools=Tools(load=(str(path),))), told) is ok
    ((what, verdict, sentence),) = told
    assert (what, verdict) == ("tools", ok)
    assert words in sentence


def test_a_rule_for_a_function_that_was_not_loaded_is_reported():
    told = Told()
    rules = {"set_timer": Function(policy="ask"), "get_wether": Function(policy="ask")}
    assert check.check_tools(Settings(tools=Tools(load=("voicelive_tui.tools.example",), functions=rules)), told)
    what, verdict, sentence = told[-1]
    assert (what, verdict) == ("tools", None)
    assert sentence.startswith("tools.functions: no function 'get_wether' was loaded")


def test_without_tools_there_is_nothing_to_check():
    told = Told()
    assert check.check_tools(Settings(), told)
    assert told == []
