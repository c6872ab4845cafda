"""`voicelive-tui serve`: the loopback service alone, for other people's clients and for their tests."""

import asyncio
import contextlib
import json
import re
import ssl
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import asdict

from voicelive_tui.commands.output import LineOutput, to_stdout
from voicelive_tui.commands.setup import warn
from voicelive_tui.config import ConfigError
from voicelive_tui.loopback import faults as faulty
from voicelive_tui.loopback import script as scripts
from voicelive_tui.loopback import tls
from voicelive_tui.loopback.handshake import is_loopback
from voicelive_tui.loopback.replay import Recorded
from voicelive_tui.loopback.service import LoopbackService, ServiceRecord
from voicelive_tui.runtime import end_on_signals
from voicelive_tui.session import inputs
from voicelive_tui.text import counted, visible
from voicelive_tui.wire.events import mapping, parse, text

if TYPE_CHECKING:
    from voicelive_tui.recording.bundle import Bundle
    from voicelive_tui.recording.lines import WireLine


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
    replay: Path | None,
    faults: Sequence[str],
    as_json: bool,
) -> int:
    """Run the service, or only check its script; the exit status."""
    plan = scripts.named(script) if script else None
    if only_check:
        if plan is None:
            raise ConfigError("--check needs --script FILE")
        click.echo(f"{visible(str(script))}: the script is valid")
        return 0
    injected = [faulty.parse(text) for text in faults]
    if replay and (plan or injected):
        raise ConfigError("--replay plays a recording as it is: leave out --script and --fault")
    context, pem = _tls(host, self_signed=self_signed, cert=tls_cert, key=tls_key)
    if not is_loopback(host):
        warn(f"other machines can reach this service on {host}{'' if context else ', unencrypted'}")
    render = _as_json if as_json else _as_text
    with contextlib.ExitStack() as stack, _public(pem) as certificate:
        recorded = sessions_of(replay, stack) if replay else ()
        output = LineOutput(to_stdout, lambda count: render(_dropped(count)))
        service = LoopbackService(
            host=host,
            port=port,
            api_key=api_key,
            script=plan,
            faults=injected,
            tls=context,
            allow_origins=origins,
            replay=recorded,
            on_record=lambda record: output.write(render(record)),
        )
        key_hint = "KEY" if api_key else "anything"
        return asyncio.run(_serve(service, output, certificate, key_hint, as_json=as_json))


def sessions_of(path: Path, stack: contextlib.ExitStack) -> list[list[Recorded]]:
    """The sessions of a recording, open until the stack closes. Raises `BundleError` if there is none.

    One that took over in a rotation is a session of its own, for a client that rotates as well. For any other the
    session before it goes on with the same messages, except the history that the new one was told.
    """
    from voicelive_tui.recording.bundle import Bundle, BundleError  # noqa: PLC0415
    from voicelive_tui.recording.lines import Mark  # noqa: PLC0415

    bundle = stack.enter_context(Bundle(path))
    sessions: list[list[Recorded]] = []
    serving: list[list[Recorded]] = []
    standby: list[Recorded] = []
    items, history = set(), set()
    for line in bundle.moments():
        if isinstance(line, Mark):
            if standby and isinstance(bundle.input(line), inputs.Rotated):
                sessions.append(standby)
                serving, standby = [*serving, standby], []
            continue
        if line.problem:
            continue
        event = parse(line.raw)
        kind, item_id = text(event.get("type")), text(mapping(event.get("item")).get("id"))
        message = Recorded(line.t_ns / 1e9, line.dir, partial(_unexpired, bundle, line), kind.endswith(".append"))
        if line.standby:
            standby = [message] if kind == "session.created" else [*standby, message]
            continue
        if kind == "session.created":
            sessions.append([])
            serving = sessions[-1:]
        if kind == "conversation.item.create" and item_id in items:
            history.add(item_id)
        told = kind.startswith("conversation.item.create") and item_id in history
        for session in serving[-1:] if told else serving:
            session.append(message)
        if kind == "conversation.item.created" and item_id:
            items.add(item_id)
            history.discard(item_id)
    for flaw in bundle.flaws:
        warn(flaw)
    if not sessions:
        raise BundleError(f"{path} has no session to play: it holds no session.created")
    return sessions


def _unexpired(bundle: "Bundle", line: "WireLine") -> str:
    """A message whose session expires as long after it as it did, and not in the past."""

    def later(found: re.Match[str]) -> str:
        lasted = int(found[2]) - (bundle.manifest.unix_ns + line.t_ns - bundle.manifest.t_ns) / 1e9
        return f"{found[1]}{time.time() + min(max(lasted, 300), 3_600):.0f}"

    return re.sub(r'("expires_at":\s*)(\d{9,11})\b', later, bundle.text(line))


def _tls(host: str, *, self_signed: bool, cert: str | None, key: str | None) -> tuple[ssl.SSLContext | None, str]:
    """The context that the TLS options ask for, and the certificate where it was made for this run."""
    if bool(cert) != bool(key):
        raise ConfigError("--tls-cert and --tls-key belong together")
    if cert and self_signed:
        raise ConfigError("--tls makes a certificate of its own: leave it out, or --tls-cert and --tls-key")
    if cert and key:
        return tls.from_files(cert, key), ""
    return tls.self_signed(host) if self_signed else (None, "")


async def _serve(
    service: LoopbackService, output: LineOutput, certificate: str, key_hint: str, *, as_json: bool
) -> int:
    """Run the service until SIGTERM, SIGHUP or Ctrl+C; the exit status. Raises `ServiceError` if it cannot listen.

    The first line is written when the service listens, and its form is stable: `endpoint: URL`, or as JSON an object
    with `kind` "ready", `endpoint`, and with a self-signed certificate its path as `certificate`. A reader that stops
    or goes away, as `serve | head -1` does, loses lines; the sessions go on.
    """
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def end(status: int) -> None:
        if not ended.done():
            ended.set_result(status)

    end_on_signals(end)
    async with service:
        if as_json:
            about = {"certificate": certificate} if certificate else {}
            output.write(json.dumps({"kind": "ready", "endpoint": service.endpoint, **about}))
        else:
            output.write(f"endpoint: {service.endpoint}    (Ctrl+C ends it)")
            if certificate:
                output.write(f"trust it: export SSL_CERT_FILE={certificate}")
            output.write(f"try:      voicelive-tui --endpoint {service.endpoint} --api-key {key_hint}")
        status = await ended
    await output.close()
    return status


def _dropped(count: int) -> ServiceRecord:
    text = f"{counted(count, 'line')} dropped: the reader had stopped"
    return ServiceRecord(time.time(), "dropped", "", text, {"count": count})


def _as_json(record: ServiceRecord) -> str:
    return json.dumps(asdict(record), default=repr)


def _as_text(record: ServiceRecord) -> str:
    moment = datetime.fromtimestamp(record.time).astimezone()
    return f"{moment:%H:%M:%S}  {record.session[-6:]:<6}  {visible(record.text)}"


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
