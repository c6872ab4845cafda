"""`voicelive-tui serve`: the loopback service by itself, for other people's clients and for their tests."""

import asyncio
import contextlib
import ipaddress
import json
import signal
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from voicelive_tui.config import ConfigError
from voicelive_tui.loopback import faults as faulty
from voicelive_tui.loopback import script as scripts
from voicelive_tui.loopback.service import LoopbackService, ServiceError, ServiceRecord

Write = Callable[[str], None]


def read_script(name: str) -> scripts.Script:
    """The script in a file, or the one that ships under that name.

    Raises:
        ConfigError: It cannot be read; says where and why.
    """
    path = Path(name)
    if not path.exists() and name in scripts.shipped():
        path = scripts.shipped()[name]
    try:
        return scripts.load(path)
    except scripts.ScriptError as problem:
        hint = "" if path.exists() else f" (scripts that ship with the program: {', '.join(scripts.shipped())})"
        raise ConfigError(f"{problem}{hint}") from None


def read_faults(texts: Sequence[str]) -> list[faulty.Fault]:
    """The faults as given on the command line.

    Raises:
        ConfigError: There is no such fault, or its value is off.
    """
    try:
        return [faulty.parse(text) for text in texts]
    except faulty.FaultError as problem:
        raise ConfigError(str(problem)) from None


def fault_help() -> list[tuple[str, str]]:
    """How faults are written, then each fault and what it does."""
    return [faulty.FORM, *faulty.FAULTS.items()]


async def serve(
    write: Write,
    *,
    host: str,
    port: int,
    api_key: str | None,
    script: scripts.Script | None,
    faults: Sequence[faulty.Fault],
    as_json: bool,
) -> int:
    """Run the service until SIGTERM, SIGHUP or Ctrl+C; a line for each session, turn, fault and end.

    Returns:
        The exit status.

    Raises:
        ConfigError: It cannot listen there.
    """
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    status = 0

    def end(with_status: int) -> None:
        nonlocal status
        status = with_status
        ended.set()

    for number, value in ((signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 130)):
        loop.add_signal_handler(number, end, value)

    def say(line: str) -> None:
        with contextlib.suppress(OSError):  # "serve | head -1" wants the endpoint, and its sessions to go on
            write(line)

    def told(record: ServiceRecord) -> None:
        if as_json:
            fields = {"time": record.time, "kind": record.kind, "session": record.session, "text": record.text}
            say(json.dumps({**fields, "data": record.data}, default=repr))
        else:
            moment = datetime.fromtimestamp(record.time).astimezone()
            say(f"{moment:%H:%M:%S}  {record.session[-6:]:<6}  {record.text}")

    service = LoopbackService(host=host, port=port, api_key=api_key, script=script, faults=faults, on_record=told)
    try:
        async with service:
            if as_json:
                say(json.dumps({"kind": "ready", "endpoint": service.endpoint}))
            else:
                say(f"endpoint: {service.endpoint}    (Ctrl+C ends it)")
                key = " --api-key KEY" if api_key else " --api-key anything"
                say(f"try:      voicelive-tui --endpoint {service.endpoint}{key}")
            await ended.wait()
    except ServiceError as problem:
        raise ConfigError(str(problem)) from None
    return status


def is_open_to_others(host: str) -> bool:
    """Whether other machines may reach a service on this address."""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
