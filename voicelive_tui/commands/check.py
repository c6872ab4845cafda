"""`voicelive-tui check`: configuration, terminal, audio, credential and endpoint, one after the other."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import click

from voicelive_tui import config_load, logs
from voicelive_tui.audio.devices import DeviceSpec
from voicelive_tui.audio.engine import Direction
from voicelive_tui.audio.streams import probe
from voicelive_tui.client import demo
from voicelive_tui.client.blocking import off_loop
from voicelive_tui.client.connection import BadMessage, ConnectError, LinkClosed, ServiceConnection
from voicelive_tui.commands.setup import FAILED, Options, Setup, load_tools, prepare, unused_rules
from voicelive_tui.config import Audio, Settings
from voicelive_tui.credentials import Credential, CredentialError
from voicelive_tui.endpoint import host_of
from voicelive_tui.errors import AudioError, UserError
from voicelive_tui.runtime import native_stderr_to
from voicelive_tui.text import visible

FIRST_EVENT_LIMIT = 10.0
"""Seconds from the open WebSocket to `session.created`."""

Report = Callable[[str, bool | None, str], None]
"""Takes what was checked, whether it is well (None: a warning), and a sentence."""


def run(options: Options, *, as_json: bool) -> int:
    """Try everything in order; what fails the check is configuration, credential or endpoint. The exit status."""
    results: list[dict[str, Any]] = []

    def report(what: str, ok: bool | None, sentence: str) -> None:
        results.append({"check": what, "ok": ok is not False, "warning": ok is None, "text": sentence})
        if not as_json:
            click.echo(f"{what:<11}{'ok' if ok else 'FAILED' if ok is False else 'warning':<9}{visible(sentence)}")

    good = _check(options, report)
    if as_json:
        click.echo(json.dumps(results, indent=2))
    return 0 if good else FAILED


def _check(options: Options, report: Report) -> bool:
    try:
        setup = prepare(options)
        if setup.settings.ui.theme or setup.settings.keys:
            from voicelive_tui.commands.dashboard import validate_ui  # noqa: PLC0415 - Textual is slow to load

            validate_ui(setup.settings)
    except UserError as error:
        report("config", False, str(error))
        return False
    path = options.config_path or config_load.default_path()
    found = path if path.exists() else f"{path} is not there: defaults"
    profile = f", profile {options.profile}" if options.profile else ""
    report("config", True, f"{found}{profile}; log file {setup.log_path}")
    tools_load = check_tools(setup.settings, report)
    check_terminal(report)
    with native_stderr_to(logs.native_path(setup.log_path)):
        asyncio.run(check_audio(setup.settings.audio, report))
    return asyncio.run(check_service(setup, report)) and tools_load


def check_tools(settings: Settings, report: Report) -> bool:
    """Report whether the files of functions can be imported, and what is in them."""
    if not settings.tools.load:
        return True
    try:
        toolbox = load_tools(settings.tools.load)
    except UserError as error:
        report("tools", False, str(error))
        return False
    report("tools", True, ", ".join(str(tool["name"]) for tool in toolbox.declarations))
    if unused := unused_rules(settings.tools, toolbox):
        report("tools", None, unused)
    return True


def check_terminal(report: Report) -> None:
    """Report whether the dashboard would fit."""
    try:
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):
        report("terminal", None, "stdout is not a terminal: the dashboard needs one, console does not")
        return
    from voicelive_tui.ui.arrangement import LEAST  # noqa: PLC0415 - Textual is slow to load

    fits = columns >= LEAST.width and rows >= LEAST.height
    need = "" if fits else f": the dashboard needs {LEAST.width}x{LEAST.height} at least"
    report("terminal", fits or None, f"{columns}x{rows}{need}")


async def check_audio(settings: Audio, report: Report) -> None:
    """Report whether the devices can be opened; without sound one can still type and read."""
    devices: dict[Direction, str | int] = {"input": settings.input_device, "output": settings.output_device}
    for direction, text in devices.items():
        attempt = partial(probe, direction, DeviceSpec.parse(text), settings.output_latency)
        try:
            report(direction, True, await off_loop(attempt, f"opening the audio {direction}"))
        except AudioError as error:
            report(direction, None, str(error))


async def check_service(setup: Setup, report: Report) -> bool:
    """Open the socket and wait for `session.created`; whether that succeeded."""
    async with contextlib.AsyncExitStack() as stack:
        settings = await demo.start_service(setup.settings, stack, setup.script) if setup.demo else setup.settings
        service, host = settings.service, host_of(settings.service.endpoint)
        credential = Credential(service, demo=setup.demo)
        stack.push_async_callback(credential.close)
        began = time.monotonic()
        try:
            agent = settings.agent if settings.agent.name else None
            connection = await ServiceConnection.open(service, settings.session.model, await credential.get(), agent)
        except CredentialError as error:
            report("credential", False, str(error))
            return False
        except ConnectError as error:
            report("credential", True, credential.kind)
            report("endpoint", False, str(error))
            return False
        report("credential", True, credential.kind)
        stack.push_async_callback(connection.close)
        try:
            async with asyncio.timeout(FIRST_EVENT_LIMIT):
                while (await _event(connection)).get("type") != "session.created":
                    pass
        except TimeoutError:
            report("endpoint", False, f"{host} sent no session.created within {FIRST_EVENT_LIMIT:g} s")
            return False
        except LinkClosed as end:
            report("endpoint", False, f"{host}: {end}")
            return False
        milliseconds = (time.monotonic() - began) * 1000
    report("endpoint", True, f"{host}{' (demo)' if setup.demo else ''}: session created after {milliseconds:.0f} ms")
    return True


async def _event(connection: ServiceConnection) -> dict[str, object]:
    while True:
        with contextlib.suppress(BadMessage):
            return (await connection.receive())[0]
