"""`voicelive-tui check`: terminal, audio, credential and endpoint, tried one after the other."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable

from voicelive_tui import credentials
from voicelive_tui.audio import devices as backends
from voicelive_tui.client.connection import BadMessage, ConnectError, CredentialError, LinkClosed, ServiceConnection
from voicelive_tui.config import Audio, Settings, host_of

FIRST_EVENT_LIMIT = 10.0
"""Seconds from the open WebSocket to `session.created`."""
LEAST_COLUMNS, LEAST_ROWS = 60, 16

Tell = Callable[[str, bool | None, str], None]
"""Takes what was checked, whether it is well (None: a warning), and a sentence."""


def terminal(tell: Tell) -> None:
    """Whether the dashboard would fit."""
    try:
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):
        tell("terminal", None, "stdout is not a terminal: the dashboard needs one, console does not")
        return
    fits = columns >= LEAST_COLUMNS and rows >= LEAST_ROWS
    need = "" if fits else f": the dashboard needs {LEAST_COLUMNS}x{LEAST_ROWS} at least"
    tell("terminal", fits or None, f"{columns}x{rows}{need}")


def audio(settings: Audio, tell: Tell) -> None:
    """Whether the devices can be opened; without sound one can still type and read."""
    for result in backends.check(str(settings.input_device), str(settings.output_device), settings.output_latency):
        tell(result.direction, result.ok or None, result.sentence)


async def service(settings: Settings, tell: Tell, *, demo: bool) -> bool:
    """Open the socket and wait for `session.created`; whether that went well."""
    host = host_of(settings.service.endpoint)
    kind = credentials.kind(settings.service, demo=demo)
    async with credentials.source(settings.service) as source:
        began = time.monotonic()
        try:
            connection = await ServiceConnection.open(settings.service, settings.session.model, await source())
        except CredentialError as problem:
            tell("credential", False, str(problem))
            return False
        except ConnectError as problem:
            tell("credential", True, kind)
            tell("endpoint", False, str(problem))
            return False
        tell("credential", True, kind)
        try:
            async with asyncio.timeout(FIRST_EVENT_LIMIT):
                while (await _event(connection)).get("type") != "session.created":
                    pass
        except TimeoutError:
            tell("endpoint", False, f"{host} sent no session.created within {FIRST_EVENT_LIMIT:g} s")
            return False
        except LinkClosed as end:
            tell("endpoint", False, f"{host}: {end}")
            return False
        finally:
            await connection.close()
    milliseconds = (time.monotonic() - began) * 1000
    tell("endpoint", True, f"{host}{' (demo)' if demo else ''}: session created after {milliseconds:.0f} ms")
    return True


async def _event(connection: ServiceConnection) -> dict[str, object]:
    while True:
        with contextlib.suppress(BadMessage):
            return (await connection.receive())[0]
