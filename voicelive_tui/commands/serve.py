"""`voicelive-tui serve`: the loopback service alone, for other people's clients and for their tests."""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

from voicelive_tui.commands.setup import complain, warn
from voicelive_tui.config import ConfigError
from voicelive_tui.loopback import faults as faulty
from voicelive_tui.loopback import script as scripts
from voicelive_tui.loopback import tls
from voicelive_tui.loopback.handshake import is_loopback
from voicelive_tui.loopback.service import LoopbackService, ServiceError, ServiceRecord
from voicelive_tui.runtime import end_on_signals
from voicelive_tui.text import visible

Write = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Tls:
    """What was asked for: a certificate with its key, or a self-signed one if there is none."""

    cert: str | None = None
    key: str | None = None


def run(
    *,
    host: str,
    port: int,
    api_key: str | None,
    self_signed: bool,
    tls_cert: str | None,
    tls_key: str | None,
    origins: Sequence[str],
    script: str | None,
    only_check: bool,
    faults: Sequence[str],
    as_json: bool,
) -> int:
    """Run the service, or only check its script; the exit status."""
    try:
        plan = read_script(script) if script else None
        if only_check:
            if plan is None:
                raise ConfigError("--check needs --script FILE")
            click.echo(f"{visible(str(script))}: a good script")
            return 0
        trouble = read_faults(faults)
        wanted_tls = read_tls(self_signed=self_signed, cert=tls_cert, key=tls_key)
        if is_open_to_others(host):
            warn(f"other machines can reach this service on {host}{'' if wanted_tls else ', unencrypted'}")
        return asyncio.run(
            serve(
                click.echo,
                host=host,
                port=port,
                api_key=api_key,
                script=plan,
                faults=trouble,
                as_json=as_json,
                wanted_tls=wanted_tls,
                allow_origins=origins,
            )
        )
    except ConfigError as problem:
        return complain(problem)


def read_script(name: str) -> scripts.Script:
    """The script in a file, or the shipped one of that name.

    Raises:
        ConfigError: It cannot be read; the text gives the place and the reason.
    """
    path = Path(name)
    if not path.exists() and name in scripts.shipped():
        path = scripts.shipped()[name]
    try:
        return scripts.load(path)
    except scripts.ScriptError as error:
        hint = "" if path.exists() else f" (scripts that ship with the program: {', '.join(scripts.shipped())})"
        raise ConfigError(f"{error}{hint}") from None


def read_faults(texts: Sequence[str]) -> list[faulty.Fault]:
    """The faults of the command line.

    Raises:
        ConfigError: A name is unknown, or a value or moment is not allowed.
    """
    try:
        return [faulty.parse(text) for text in texts]
    except faulty.FaultError as error:
        raise ConfigError(str(error)) from None


def read_tls(*, self_signed: bool, cert: str | None, key: str | None) -> Tls | None:
    """What the three TLS options ask for.

    Raises:
        ConfigError: They contradict each other.
    """
    if bool(cert) != bool(key):
        raise ConfigError("--tls-cert and --tls-key belong together")
    if cert and self_signed:
        raise ConfigError("--tls makes a certificate of its own: leave it out, or --tls-cert and --tls-key")
    return Tls(cert, key) if cert or self_signed else None


def fault_help() -> list[tuple[str, str]]:
    """The notation of a fault, then each fault with its effect."""
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
    wanted_tls: Tls | None = None,
    allow_origins: Collection[str] = (),
) -> int:
    """Run the service until SIGTERM, SIGHUP or Ctrl+C; writes a line for each session, turn, answer, error and fault.

    The first line is written when the service listens, and its form is stable: `endpoint: URL`, or as JSON an object
    with `kind` "ready", `endpoint`, and with a self-signed certificate its path as `certificate`.

    Returns:
        The exit status.

    Raises:
        ConfigError: It cannot listen there, or cannot use the certificate.
    """
    ended = asyncio.Event()
    status = 0

    def end(with_status: int) -> None:
        nonlocal status
        status = with_status
        ended.set()

    end_on_signals(end)

    def line(text: str) -> None:
        with contextlib.suppress(OSError):  # `serve | head -1` wants the endpoint, and the sessions go on
            write(text)

    def on_record(record: ServiceRecord) -> None:
        if as_json:
            fields = {"time": record.time, "kind": record.kind, "session": record.session, "text": record.text}
            line(json.dumps({**fields, "data": record.data}, default=repr))
        else:
            moment = datetime.fromtimestamp(record.time).astimezone()
            line(f"{moment:%H:%M:%S}  {record.session[-6:]:<6}  {visible(record.text)}")

    try:
        context, pem = (None, "")
        if wanted_tls:
            cert, key = wanted_tls.cert, wanted_tls.key
            context, pem = (tls.from_files(cert, key), "") if cert and key else tls.self_signed(host)
        service = LoopbackService(
            host=host,
            port=port,
            api_key=api_key,
            script=script,
            faults=faults,
            tls=context,
            allow_origins=allow_origins,
            on_record=on_record,
        )
        with _public(pem) as certificate:
            async with service:
                if as_json:
                    about = {"certificate": certificate} if certificate else {}
                    line(json.dumps({"kind": "ready", "endpoint": service.endpoint, **about}))
                else:
                    line(f"endpoint: {service.endpoint}    (Ctrl+C ends it)")
                    if certificate:
                        line(f"trust it: export SSL_CERT_FILE={certificate}")
                    key_hint = "KEY" if api_key else "anything"
                    line(f"try:      voicelive-tui --endpoint {service.endpoint} --api-key {key_hint}")
                await ended.wait()
    except (ServiceError, tls.TlsError) as error:
        raise ConfigError(str(error)) from None
    return status


@contextlib.contextmanager
def _public(pem: str) -> Iterator[str]:
    """The path of a file that holds the certificate for clients to trust, while the service runs."""
    if not pem:
        yield ""
        return
    with tempfile.NamedTemporaryFile("w", prefix="voicelive-tui-", suffix=".pem") as file:
        file.write(pem)
        file.flush()
        yield file.name


def is_open_to_others(host: str) -> bool:
    """Whether other machines may reach a service on this address."""
    return not is_loopback(host)
