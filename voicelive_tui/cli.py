"""The command line: options and commands.

Commands are imported when they run: `--help` and shell completion load neither Textual nor Azure nor numpy nor
PortAudio.

Exit statuses: 0 ended as asked, 1 the conversation had failed when it was left, 2 wrong usage or configuration,
130 Ctrl+C.
"""

import functools
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, get_args

import click

from voicelive_tui import __version__, config, logs, runtime
from voicelive_tui.commands.setup import FAILED, Options, check_key_log, complain
from voicelive_tui.errors import UserError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_FILE = click.Path(path_type=Path)


def _latency(value: str) -> float | str:
    try:
        return value if value == "low" else float(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither 'low' nor a number of seconds") from None


def _mcp_server(value: str) -> dict[str, str]:
    """A server as a table of the configuration."""
    server, _, approve = value.partition(";approve=")
    label, found, url = server.partition("=")
    if not found or ";" in url:
        raise click.BadParameter(f"{value!r} is not of the form LABEL=URL[;approve=ask|always|never]")
    return {"label": label, "url": url} | ({"approve": approve} if approve else {})


def _complete_profiles(ctx: click.Context, _param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Profiles of the file in use."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415

    from voicelive_tui.config_load import profile_names  # noqa: PLC0415

    before = ctx.parent.params if ctx.parent else {}
    names = profile_names(ctx.params.get("config_path") or before.get("config_path"))
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _complete_scripts(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Shipped scripts by name, then files."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415

    from voicelive_tui.loopback.script import shipped  # noqa: PLC0415

    names = [CompletionItem(name) for name in shipped() if name.startswith(incomplete)]
    return [*names, CompletionItem(incomplete, type="file")]


class _Option(click.Option):
    """An option of a conversation; the `setting` is the dotted key of the setting that it overrides, if any."""

    def __init__(self, names: Sequence[str], *, setting: str, **attributes: Any) -> None:
        super().__init__(names, **attributes)
        self.setting = setting


def _option(name: str, metavar: str, text: str, setting: str = "", **more: Any) -> Callable[..., Any]:
    """An option; a flag, whose value is None where it is not given, if it has neither a `metavar` nor a type."""
    flag = {} if metavar or "type" in more else {"is_flag": True, "default": None}
    return click.option(name, cls=_Option, setting=setting, metavar=metavar or None, help=text, **flag, **more)


def _conversation_options(command: Callable[..., None], *, several_inputs: bool = False) -> Callable[..., None]:
    """The options of a conversation, the same for the dashboard, `console` (several inputs) and `check`."""
    device = "Index, part of a name, none, or file:PATH.wav"
    devices = f"{device}; several files are played one after another." if several_inputs else f"{device}."
    turns = click.Choice(get_args(config.TurnDetectionType))
    options = (
        _option("--endpoint", "URL", "Azure Voice Live endpoint; without any, the demo starts.", "service.endpoint"),
        _option("--api-version", "V", "Version of the service's interface.", "service.api_version"),
        _option("--model", "NAME", "Model, such as gpt-realtime or gpt-4.1.", "session.model"),
        _option("--voice", "NAME", "Voice; a name with a '-' is an Azure voice.", "session.voice"),
        _option("--instructions", "TEXT", "System instructions; @FILE reads them from a file.", "session.instructions"),
        _option("--api-key", "KEY", "Key; AZURE_VOICELIVE_API_KEY is safer: others see options.", "service.api_key"),
        _option("--use-token-credential", "", "Sign in with Entra ID, not a key.", "service.use_token_credential"),
        _option("--insecure", "", "Allow a key to go over plain http to another host.", "service.insecure"),
        _option("--agent", "NAME", "Foundry agent to talk to, in place of a model; needs Entra ID.", "agent.name"),
        _option("--project", "NAME", "Foundry project of the agent.", "agent.project"),
        _option("--agent-version", "V", "Version of the agent.", "agent.version"),
        _option("--conversation", "ID", "Conversation with the agent to continue.", "agent.conversation"),
        _option(
            "--mcp",
            "LABEL=URL[;approve=...]",
            "MCP server that the service may call; approvals: ask (you; the default), always, or never.",
            "mcp",
            type=_mcp_server,
            multiple=True,
        ),
        _option(
            "--no-reconnect", "", "Do not connect again after a lost session.", "service.reconnect", flag_value=False
        ),
        _option("--demo", "", "Talk to the built-in loopback service, whatever is configured."),
        _option(
            "--script",
            "FILE",
            "Demo with these replies, and lines of its caller: a TOML file, or a shipped one's name.",
            shell_complete=_complete_scripts,
        ),
        _option("--no-caller", "", "Demo without the synthetic caller."),
        _option("--input-device", "DEV", devices, "audio.input_device", multiple=several_inputs),
        _option("--output-device", "DEV", f"{device}.", "audio.output_device"),
        _option("--output-latency", "low|SECONDS", "Of the speaker.", "audio.output_latency", type=_latency),
        _option("--half-duplex", "", "Send silence while the assistant is heard.", "audio.half_duplex"),
        _option(
            "--turn-detection",
            "",
            "How the service detects the end of a turn; none is push-to-talk.",
            "session.turn_detection.type",
            type=turns,
        ),
        _option("--tools", "FILE.py|MODULE[:NAME,...]", "Functions the model may call.", "tools.load", multiple=True),
        click.option("--config", "config_path", metavar="PATH", type=_FILE, help="TOML file."),
        _option("--profile", "NAME", "Use a [profiles.NAME] of the file.", shell_complete=_complete_profiles),
        _option("--record", "DIR", "Record the conversation into this folder, from its start.", "recording.folder"),
        _option("--log-file", "PATH", "Where log records go.", "logging.file"),
        _option("--verbose", "", "Log in detail, the SDK included; to the log file."),
        _option("--lean", "", "Draw less often, in the terminal's own colours, for slow lines.", "ui.lean"),
    )
    for option in reversed(options):
        command = option(command)
    return command


class _Program(click.Group):
    """Ends with the exit status for Ctrl+C, and for what the user can put right; a recording as a command is opened."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        path = Path(args[0])
        named = self.get_command(ctx, args[0]) is None and (path.exists() or path.suffix)
        return super().resolve_command(ctx, ["replay", *args] if named else args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _leave(runtime.INTERRUPTED)
        except UserError as error:
            _leave(complain(error))


@click.group(cls=_Program, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=config.APP_NAME)
@_conversation_options
@click.pass_context
def cli(ctx: click.Context, /, **options: Any) -> None:
    """Talk to Azure Voice Live from the terminal and see everything that happens.

    Without a command: the dashboard. With no endpoint anywhere, a demo with a built-in service. With a recording in
    place of a command: `replay`.
    """
    ctx.obj = _given(options)
    if ctx.invoked_subcommand is None:
        from voicelive_tui.commands import dashboard  # noqa: PLC0415

        _leave(dashboard.run(_options(ctx.obj, {})))


@cli.command()
@functools.partial(_conversation_options, several_inputs=True)
@click.option("--say", "messages", metavar="TEXT", multiple=True, help="Type a message; - types the lines of stdin.")
@click.option(
    "--max-delay", metavar="MS", type=click.FloatRange(min=0), help="Fail if an answer begins later than this."
)
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for every event, both ways.")
@click.option("--replay", metavar="RECORDING", type=_FILE, help="Write a recording's lines.")
@click.pass_obj
def console(
    before: dict[str, Any],
    /,
    *,
    input_device: Sequence[str],
    messages: Sequence[str],
    max_delay: float | None,
    as_json: bool,
    replay: Path | None,
    **options: Any,
) -> None:
    """The conversation without the dashboard: a line an event.

    Several input files, then messages: each comes after the answer to the one before, and the conversation ends with
    the last answer. With messages the microphone stays off, unless --input-device is given.
    """
    if replay is not None:
        from voicelive_tui.commands.replay import write_lines  # noqa: PLC0415

        if messages or max_delay is not None or input_device:
            _leave(complain("--replay holds no conversation: leave out --say, --max-delay and --input-device"))
        _leave(write_lines(replay, as_json=as_json))
    from voicelive_tui.commands import console  # noqa: PLC0415

    first, *files = input_device or (None,)
    script = console.Script(files, messages, max_delay)
    _leave(console.run(_options(before, {**options, "input_device": first}), as_json=as_json, script=script))


@cli.command()
@_conversation_options
@click.option("--json", "as_json", is_flag=True, help="The results as JSON.")
@click.pass_obj
def check(before: dict[str, Any], /, *, as_json: bool, **options: Any) -> None:
    """Check configuration, terminal, audio, credential and endpoint, a line each."""
    from voicelive_tui.commands import check  # noqa: PLC0415

    _leave(check.run(_options(before, options), as_json=as_json))


@cli.command("config")
@_conversation_options
@click.option("--json", "as_json", is_flag=True, help="The settings as JSON.")
@click.pass_obj
def show_config(before: dict[str, Any], /, *, as_json: bool, **options: Any) -> None:
    """Show the configuration file, the settings in force, and where each comes from."""
    from voicelive_tui.commands.config import run  # noqa: PLC0415

    _leave(run(_options(before, options), as_json=as_json))


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="The list as JSON.")
def devices(*, as_json: bool) -> None:
    """List input and output devices, and which are the defaults."""
    from voicelive_tui.commands import devices  # noqa: PLC0415

    _leave(devices.run(as_json=as_json))


class _ServeCommand(click.Command):
    """A command whose help ends with the faults."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from voicelive_tui.loopback.faults import FAULTS, FORM  # noqa: PLC0415

        with formatter.section("Faults"):
            formatter.write_dl([FORM, *FAULTS.items()])


def _complete_faults(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Faults by name, with what each does."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415

    from voicelive_tui.loopback.faults import FAULTS  # noqa: PLC0415

    return [CompletionItem(name, help=effect) for name, effect in FAULTS.items() if name.startswith(incomplete)]


_FORMATS = (
    "md", "srt", "vtt", "json", "latency-csv", "latency-json", "session-json", "session-python", "session-toml", "zip",
)  # fmt: skip


@cli.command()
@click.argument("recording", type=_FILE)
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    default="md",
    show_default=True,
    help="A document, or zip: the whole recording.",
)
@click.option("--output", metavar="FILE", type=_FILE, help="A new file; else standard output.")
@click.option("--redact", type=click.Choice(["strict"]), help="zip: leave out all texts and all sound.")
@click.option("--anyway", is_flag=True, help="zip: although something in it looks like a key.")
def export(recording: Path, form: str, output: Path | None, redact: str | None, anyway: bool) -> None:
    """Export a recording: to read, as subtitles, as numbers, or as one file to share."""
    from voicelive_tui.commands import export  # noqa: PLC0415

    _leave(export.run(recording, form=form, output=output, strict=redact == "strict", anyway=anyway))


@cli.command()
@click.argument("recording", type=_FILE)
@click.option("--output-device", metavar="DEV", help="Index, part of a name, or none.")
@click.option("--config", "config_path", metavar="PATH", type=_FILE, help="TOML file.")
@click.option("--lean", is_flag=True, default=None, help="Draw less often, for slow lines.")
@click.pass_obj
def replay(before: dict[str, Any], /, *, recording: Path, **options: Any) -> None:
    """Open a recording in the dashboard, and play it; a file with a message in each line opens too."""
    from voicelive_tui.commands import replay  # noqa: PLC0415

    _leave(replay.run(_options(before, options), recording))


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
    "--replay",
    metavar="RECORDING",
    type=_FILE,
    help="Play the service's messages of a recording, whatever the client says.",
)
@click.option(
    "--fault",
    "faults",
    metavar="NAME[=VALUE][@WHEN]",
    multiple=True,
    help="What goes wrong; see below.",
    shell_complete=_complete_faults,
)
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each session, turn and fault.")
def serve(**options: Any) -> None:
    """Run the loopback service alone, for other Voice Live clients and their tests."""
    from voicelive_tui.commands import serve  # noqa: PLC0415

    _leave(serve.run(**options))


def _options(before: dict[str, Any], after: dict[str, Any]) -> Options:
    """The options of a conversation, which may stand before the command as well as after it."""
    given = before | _given(after)
    settings = {option.setting: option.name for option in cli.params if isinstance(option, _Option) and option.setting}
    flags = {setting: given[name] for setting, name in settings.items() if name in given}
    if "recording.folder" in flags:
        flags["recording.enabled"] = True
    return Options(
        flags,
        config_path=given.get("config_path"),
        profile=given.get("profile", ""),
        demo="demo" in given,
        caller="no_caller" not in given,
        script=given.get("script", ""),
        verbose="verbose" in given,
    )


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value not in (None, ())}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit with its status."""
    runtime.open_standard_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "→" gets a "?"
    check_key_log()
    try:
        cli(arguments, prog_name=config.APP_NAME)
    except OSError as error:  # click ends by itself where the reader went away
        complain(f"cannot go on: {error.strerror or error}")
        _leave(FAILED)


def _leave(status: int) -> NoReturn:
    """Exit; at once where a call into a frozen sound server hangs, because PortAudio's own end would hang as well."""
    logs.flush()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # the reader is gone, or the disk full; the interpreter must not try again
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    blocking = sys.modules.get("voicelive_tui.client.blocking")  # if nothing loaded it, nothing can hang
    if blocking and blocking.hanging():
        os._exit(status)
    sys.exit(status)
