"""The command line: options, exit statuses, and what each command does before and after its work.

Nothing heavy is imported at the top: `--help` and shell completion load neither Textual nor Azure nor numpy nor
PortAudio.

Exit statuses: 0 ended as asked, 1 the conversation had failed when it was left, 2 wrong usage or configuration,
130 Ctrl+C.
"""

import asyncio
import contextlib
import dataclasses
import functools
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from voicelive_tui import __version__, config, credentials, logs
from voicelive_tui.audio.native import native_stderr_to
from voicelive_tui.client import startup
from voicelive_tui.commands import fronts
from voicelive_tui.commands.fronts import FAILED, INTERRUPTED
from voicelive_tui.config import ConfigError, Settings

if TYPE_CHECKING:
    from voicelive_tui.session.state import SessionState

    Front = Callable[[Settings, fronts.Joining], Coroutine[Any, Any, tuple[int, SessionState]]]

USAGE = 2

KEY_IS_SEEN = "a key on the command line can be seen by other users of this machine; AZURE_VOICELIVE_API_KEY is safer"

_FLAGS = {
    "endpoint": "service.endpoint",
    "api_version": "service.api_version",
    "api_key": "service.api_key",
    "use_token_credential": "service.use_token_credential",
    "insecure": "service.insecure",
    "model": "session.model",
    "voice": "session.voice",
    "instructions": "session.instructions",
    "turn_detection": "session.turn_detection.type",
    "input_device": "audio.input_device",
    "output_device": "audio.output_device",
    "output_latency": "audio.output_latency",
    "half_duplex": "audio.half_duplex",
    "lean": "ui.lean",
    "log_file": "logging.file",
}
"""Options and the configuration keys they set."""


class _Latency(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions only
    name = "low|SECONDS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | str:
        if value == "low" or isinstance(value, float):
            return value  # type: ignore[no-any-return]
        try:
            return float(value)
        except ValueError:
            self.fail(f"{value!r} is neither 'low' nor a number of seconds", param, ctx)


def _conversation_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a conversation, the same for the dashboard, `console` and `check`."""
    options = [
        click.option("--endpoint", metavar="URL", help="Azure Voice Live endpoint; without any, the demo starts."),
        click.option("--api-version", metavar="V", help="Version of the service's interface."),
        click.option("--model", metavar="NAME", help="Model, such as gpt-realtime or gpt-4.1."),
        click.option("--voice", metavar="NAME", help="Voice; a name with a '-' is an Azure voice."),
        click.option("--instructions", metavar="TEXT", help="System instructions; @FILE reads them from a file."),
        click.option(
            "--api-key", metavar="KEY", help="Key; better in AZURE_VOICELIVE_API_KEY: others can see options."
        ),
        click.option(
            "--use-token-credential", is_flag=True, default=None, help="Sign in with Entra ID instead of a key."
        ),
        click.option(
            "--insecure", is_flag=True, default=None, help="Allow a key to go over plain http to another host."
        ),
        click.option("--demo", is_flag=True, help="Talk to the built-in loopback service, whatever is configured."),
        click.option(
            "--no-caller", is_flag=True, help="Demo without the synthetic caller when there is no microphone."
        ),
        click.option("--input-device", metavar="DEV", help="Index, part of a name, none, or file:PATH.wav."),
        click.option("--output-device", metavar="DEV", help="Index, part of a name, none, or file:PATH.wav."),
        click.option("--output-latency", type=_Latency(), help="Of the speaker."),
        click.option("--half-duplex", is_flag=True, default=None, help="Send silence while the assistant is heard."),
        click.option(
            "--turn-detection",
            type=click.Choice(config.TurnDetectionType.__args__),  # type: ignore[attr-defined]
            help="Who finds the end of a turn; none is push-to-talk.",
        ),
        click.option("--config", "config_path", metavar="PATH", type=click.Path(path_type=Path), help="TOML file."),
        click.option("--log-file", metavar="PATH", help="Where log records go."),
        click.option("--verbose", is_flag=True, help="Log in detail, the SDK included; to the log file."),
        click.option(
            "--lean", is_flag=True, default=None, help="Draw less often, in the terminal's own colours, for slow lines."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=config.APP_NAME)
@_conversation_options
@click.pass_context
def cli(ctx: click.Context, /, **options: Any) -> None:
    """Talk to Azure Voice Live from the terminal and see everything that happens.

    Without a command: the dashboard. With no endpoint anywhere, a demo with a built-in service.
    """
    ctx.obj = {name: value for name, value in options.items() if value not in (None, False)}
    if ctx.invoked_subcommand is None:
        if not sys.stdout.isatty():
            _leave(_complain("the dashboard needs a terminal; without one use: voicelive-tui console"))
        if not sys.stderr.isatty():
            _leave(_complain("the dashboard draws on standard error, which is not the terminal: do not redirect it"))
        _leave(_run(ctx.obj, fronts.dashboard))


@cli.command()
@_conversation_options
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for every event, both ways.")
@click.pass_obj
def console(before: dict[str, Any], /, *, as_json: bool, **options: Any) -> None:
    """The conversation without the dashboard: a line an event."""
    options = _merged(before, options) | {"as_json": as_json}
    _leave(_run(options, functools.partial(fronts.console, as_json=as_json)))


@cli.command()
@_conversation_options
@click.option("--json", "as_json", is_flag=True, help="The results as JSON.")
@click.pass_obj
def check(before: dict[str, Any], /, *, as_json: bool, **options: Any) -> None:
    """Check configuration, terminal, audio, credential and endpoint, a line each."""
    _leave(_check(_merged(before, options), as_json=as_json))


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="The list as JSON.")
def devices(*, as_json: bool) -> None:
    """List input and output devices, and which are the defaults."""
    _leave(_list_devices(as_json=as_json))


class _ServeCommand(click.Command):
    """Its help ends with the faults, which are imported only when it is asked for."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from voicelive_tui.commands.serve import fault_help  # noqa: PLC0415

        with formatter.section("Faults"):
            formatter.write_dl(fault_help())


def _complete_scripts(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Shipped scripts by name, then files."""
    from voicelive_tui.loopback.script import shipped  # noqa: PLC0415

    names = [CompletionItem(name) for name in shipped() if name.startswith(incomplete)]
    return [*names, CompletionItem(incomplete, type="file")]


def _complete_faults(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Faults by name, with what each does."""
    from voicelive_tui.loopback.faults import FAULTS  # noqa: PLC0415

    return [CompletionItem(name, help=effect) for name, effect in FAULTS.items() if name.startswith(incomplete)]


@cli.command(cls=_ServeCommand)
@click.option("--port", default=0, type=click.IntRange(0, 65_535), help="0 takes a free one.", show_default=True)
@click.option("--host", default="127.0.0.1", help="Address to listen on.", show_default=True)
@click.option("--api-key", metavar="KEY", envvar="VOICELIVE_TUI_SERVE_KEY", help="Demand this key of clients.")
@click.option("--tls", "self_signed", is_flag=True, help="Serve https and wss with a certificate made for this run.")
@click.option("--tls-cert", metavar="FILE", help="Serve https and wss with this certificate (PEM), and ...")
@click.option("--tls-key", metavar="FILE", help="... with its key.")
@click.option(
    "--allow-origin", "origins", metavar="ORIGIN", multiple=True, help="Let web pages of this origin connect."
)
@click.option(
    "--script",
    metavar="FILE",
    help="TOML file with the assistant's replies; or a shipped one's name.",
    shell_complete=_complete_scripts,
)
@click.option("--check", "only_check", is_flag=True, help="Check the script, and end.")
@click.option(
    "--fault",
    "faults",
    metavar="NAME[=VALUE][@WHEN]",
    multiple=True,
    help="What goes wrong; see below.",
    shell_complete=_complete_faults,
)
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each session, turn and fault.")
def serve(
    *,
    port: int,
    host: str,
    api_key: str | None,
    self_signed: bool,
    tls_cert: str | None,
    tls_key: str | None,
    origins: Sequence[str],
    script: str | None,
    only_check: bool,
    faults: Sequence[str],
    as_json: bool,
) -> None:
    """Run the loopback service alone, for other Voice Live clients and their tests."""
    from voicelive_tui.commands import serve as serving  # noqa: PLC0415

    try:
        plan = serving.read_script(script) if script else None
        if only_check:
            if plan is None:
                raise ConfigError("--check needs --script FILE")
            click.echo(f"{script}: a good script")
            _leave(0)
        trouble = serving.read_faults(faults)
        tls = serving.read_tls(self_signed=self_signed, cert=tls_cert, key=tls_key)
        if serving.is_open_to_others(host):
            openly = "" if tls else ", unencrypted"
            click.echo(f"{config.APP_NAME}: other machines can reach this service on {host}{openly}", err=True)
        status = asyncio.run(
            serving.serve(
                click.echo,
                host=host,
                port=port,
                api_key=api_key,
                script=plan,
                faults=trouble,
                as_json=as_json,
                wanted_tls=tls,
                allow_origins=origins,
            )
        )
    except ConfigError as problem:
        status = _complain(problem)
    _leave(status)


def _merged(before: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Options may stand before the command as well as after it."""
    return before | {name: value for name, value in options.items() if value not in (None, False)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit with its status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no "→" gets a "?"
    cli(arguments, prog_name=config.APP_NAME)


def _leave(status: int) -> None:
    """Exit; at once where a call into a frozen sound server hangs, since PortAudio's own end would hang as well."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # the reader is gone, or the disk full; the interpreter must not try again
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    backends = sys.modules.get("voicelive_tui.audio.devices")  # where nothing loaded it, nothing can hang
    if backends and backends.hanging():
        os._exit(status)
    sys.exit(status)


def _complain(problem: object) -> int:
    click.echo(f"{config.APP_NAME}: {problem}", err=True)
    return USAGE


def _settings(options: dict[str, Any]) -> tuple[Settings, bool]:
    """The settings in force, and whether this is the demo.

    Raises:
        ConfigError: They cannot be used.
    """
    flags = {_FLAGS[name]: value for name, value in options.items() if name in _FLAGS}
    if "api_key" in options and "use_token_credential" in options:
        raise ConfigError("--api-key and --use-token-credential exclude each other")
    if "api_key" in options:
        flags["service.use_token_credential"] = False
    settings = config.load(options.get("config_path"), flags)
    service = settings.service
    if options.get("demo"):
        return settings, True
    if options.get("endpoint") == "":  # a shell variable that is not set, more likely than a wish for the demo
        raise ConfigError("--endpoint is empty: give a URL, or --demo for the demo")
    if not service.endpoint:
        if "api_key" in options or "use_token_credential" in options:
            raise ConfigError("a credential was given, but no endpoint: add --endpoint URL, or --demo for the demo")
        return settings, True
    credentials.demand(service)
    return settings, False


def _begin(options: dict[str, Any]) -> tuple[Settings, bool, Path]:
    """Settings, whether this is the demo, and the log file that is in use from here on; warns of a key in the open.

    Raises:
        ConfigError: They cannot be used.
    """
    settings, demo = _settings(options)
    log_path = logs.start(settings.logging, verbose=bool(options.get("verbose")), secrets=startup.secrets(settings))
    if "api_key" in options:
        click.echo(f"{config.APP_NAME}: {KEY_IS_SEEN}", err=True)
    return settings, demo, log_path


def _run(options: dict[str, Any], front: "Front") -> int:
    """Hold a conversation behind one of the two fronts."""
    try:
        settings, demo, log_path = _begin(options)
        _demand_files(settings)
        for number, status in fronts.ENDINGS:  # until `_on_signals` has its say there is nothing to put in order
            signal.signal(number, functools.partial(fronts.leave_at_once, status))
        with native_stderr_to(log_path.with_suffix(".native.log")) as native:
            joining = startup.join(
                settings, demo=demo, caller=not options.get("no_caller"), native_messages=native.lines
            )
            status, state = asyncio.run(front(settings, joining))
    except KeyboardInterrupt:
        return INTERRUPTED
    except ConfigError as problem:
        return _complain(problem)
    if not options.get("as_json"):
        with contextlib.suppress(OSError):
            click.echo(fronts.summary(state, log_path))
    return status


def _demand_files(settings: Settings) -> None:
    """Files that stand in for devices can be used; told before the screen opens.

    Raises:
        ConfigError: One cannot.
    """
    source, target = (
        Path(device.removeprefix("file:")) if device.startswith("file:") else None
        for device in (str(settings.audio.input_device), str(settings.audio.output_device))
    )
    if not source and not target:
        return
    from voicelive_tui.audio.wav import AudioFileError, WavWriter, load_wav  # noqa: PLC0415

    try:
        if source and target and target.exists() and target.samefile(source):
            raise ConfigError(f"{source} cannot be the input and the output at once: it would be overwritten")
        if source:
            load_wav(source)
        if target:
            WavWriter(target).close()
    except AudioFileError as problem:
        raise ConfigError(str(problem)) from None
    except OSError as problem:
        raise ConfigError(f"cannot read {source}: {problem.strerror or problem}") from None


def _list_devices(*, as_json: bool) -> int:
    from voicelive_tui.audio.devices import AudioError, list_devices, run_bounded  # noqa: PLC0415

    try:
        with native_stderr_to(os.devnull):
            found = run_bounded(list_devices, "listing sound devices")
    except AudioError as problem:
        _complain(problem)
        return FAILED
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(device) for device in found], indent=2, ensure_ascii=False))
        return 0
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table("", "name", "host API", "channels in/out", "rate", "latency in/out", "default", box=None)
    for device in found:
        defaults = [name for name, yes in (("input", device.default_input), ("output", device.default_output)) if yes]
        table.add_row(
            str(device.index),
            Text(device.name),
            Text(device.hostapi),
            f"{device.inputs}/{device.outputs}",
            f"{device.rate} Hz",
            f"{device.input_latency * 1000:.0f}/{device.output_latency * 1000:.0f} ms",
            " and ".join(defaults),
        )
    Console().print(table)
    return 0


def _check(options: dict[str, Any], *, as_json: bool) -> int:
    """Try everything in order; what fails the check is configuration, credential or endpoint."""
    results: list[dict[str, Any]] = []

    def tell(what: str, ok: bool | None, sentence: str) -> None:
        results.append({"check": what, "ok": ok is not False, "warning": ok is None, "text": sentence})
        if not as_json:
            click.echo(f"{what:<11}{'ok' if ok else 'FAILED' if ok is False else 'warning':<9}{sentence}")

    try:
        good = _checked(options, tell)
    except KeyboardInterrupt:
        return INTERRUPTED
    if as_json:
        click.echo(json.dumps(results, indent=2, ensure_ascii=False))
    return 0 if good else FAILED


def _checked(options: dict[str, Any], tell: Callable[[str, bool | None, str], None]) -> bool:
    try:
        settings, demo, log_path = _begin(options)
    except ConfigError as problem:
        tell("config", False, str(problem))
        return False
    path = options.get("config_path") or config.default_path()
    tell("config", True, f"{path if path.is_file() else f'{path} is not there: defaults'}; log file {log_path}")
    from voicelive_tui.commands import check as checks  # noqa: PLC0415

    async def service() -> bool:
        async with contextlib.AsyncExitStack() as stack:
            reached = await startup.demo_service(settings, stack) if demo else settings
            return await checks.service(reached, tell, demo=demo)

    checks.terminal(tell)
    with native_stderr_to(log_path.with_suffix(".native.log")):
        checks.audio(settings.audio, tell)
    return asyncio.run(service())
