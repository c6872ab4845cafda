"""What the commands share: settings and the log file, exit statuses, and how a conversation begins and ends."""

import asyncio
import contextlib
import os
import shlex
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import msgspec
from msgspec.structs import replace

from voicelive_tui import config_load, logs, runtime
from voicelive_tui.commands.output import print_line
from voicelive_tui.config import APP_NAME, Agent, Audio, ConfigError, Mcp, Recording, Settings, Tools
from voicelive_tui.credentials import Credential
from voicelive_tui.text import clock, counted, hide, visible

if TYPE_CHECKING:
    from voicelive_tui.client.live import LiveSession
    from voicelive_tui.loopback.script import Script
    from voicelive_tui.session.state import SessionState
    from voicelive_tui.tools.run import Toolbox

    Open = Callable[[], LiveSession]
    """Makes the session; the dashboard calls it behind its first screen."""
    Hold = Callable[[Settings, Open], Coroutine[Any, Any, tuple[int, SessionState | None]]]
    """Holds a conversation: the exit status, and the state at the end."""

DEMO_TOOLS = ("voicelive_tui.tools.example",)
"""The functions that the demo's assistant can call where the user names none."""

FAILED, USAGE = 1, 2
"""Exit statuses, besides 0 and `runtime.INTERRUPTED`."""

KEY_IS_SEEN = "a key on the command line can be seen by other users of this machine; AZURE_VOICELIVE_API_KEY is safer"


class Options(msgspec.Struct, frozen=True):
    """The options of a conversation, as given on the command line."""

    flags: Mapping[str, Any] = {}
    """Settings by dotted key."""
    config_path: Path | None = None
    profile: str = ""
    demo: bool = False
    caller: bool = True
    """Let a synthetic caller speak in a demo without a microphone."""
    script: str = ""
    """A file, or a shipped script's name, for the demo's service."""
    verbose: bool = False
    more_inputs: tuple[str, ...] = ()
    """Input files of `console` after the first one."""


class Setup(NamedTuple):
    """What a command starts with."""

    settings: Settings
    demo: bool
    log_path: Path
    script: "Script | None" = None
    """Of the demo's service, where one is named."""


def complain(problem: object) -> int:
    """Report wrong usage or configuration; the exit status for it."""
    warn(problem)
    return USAGE


def warn(problem: object) -> None:
    """Write a sentence to stderr, if it can be written."""
    with contextlib.suppress(OSError):
        click.echo(f"{APP_NAME}: {visible(str(problem))}", err=True)


def load(options: Options, report: Callable[[str], None] = warn) -> config_load.Loaded:
    """Load the settings. Raises `ConfigError` where they cannot be used."""
    flags = options.flags
    if "service.api_key" in flags:
        if "service.use_token_credential" in flags:
            raise ConfigError("--api-key and --use-token-credential exclude each other")
        flags = {**flags, "service.use_token_credential": False}
    return config_load.load(options.config_path, flags, report=report, profile=options.profile)


def usable(options: Options, settings: Settings) -> tuple[Settings, bool]:
    """The settings, and whether the conversation is with the loopback service; all others need a credential.

    Raises `ConfigError` if that is missing, or the value of an MCP server's header.
    """
    if options.demo:  # whatever is configured
        if agent := options.flags.get("agent.name"):
            raise ConfigError(f"the demo has no agent {agent!r}: give --endpoint URL in place of --demo")
        settings = replace(settings, agent=Agent())
    else:
        _require_credential(settings, options.flags)
    hide(settings.service.api_key, *_mcp_secrets(settings.mcp))
    return settings, options.demo or not settings.service.endpoint


def prepare(options: Options) -> Setup:
    """Load the settings, require a credential, and open the log file. Raises `UserError` where one cannot be used."""
    settings, demo = usable(options, load(options).settings)
    script = _load_script(options.script, demo=demo)
    log_path = logs.start(settings.logging, verbose=options.verbose, report=warn)
    if "service.api_key" in options.flags:
        warn(KEY_IS_SEEN)
    return Setup(settings, demo, log_path, script)


def _mcp_secrets(servers: Sequence[Mcp]) -> list[str]:
    """The values of the servers' headers. Raises `ConfigError` where a variable is not set."""
    for server in servers:
        for header, variable in server.headers.items():
            if not os.environ.get(variable):
                raise ConfigError(
                    f"mcp: the environment variable {variable} is not set; {server.label!r} needs it as {header}"
                )
    return [os.environ[variable] for server in servers for variable in server.headers.values()]


def check_key_log() -> None:
    """Go on without a file for TLS keys that cannot be written; Python's `ssl` would fail when it is imported."""
    if path := os.environ.get("SSLKEYLOGFILE"):
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        except OSError as error:
            del os.environ["SSLKEYLOGFILE"]
            warn(f"SSLKEYLOGFILE: {path} cannot be written ({error.strerror}): no TLS keys are logged")


def _require_credential(settings: Settings, flags: Mapping[str, Any]) -> None:
    if settings.agent.name and not settings.service.endpoint:
        raise ConfigError(f"the demo has no agent {settings.agent.name!r}: add --endpoint URL")
    if settings.agent.name and not settings.service.use_token_credential:
        raise ConfigError("an agent takes no key: --use-token-credential signs in with Entra ID (after `az login`)")
    if flags.get("service.endpoint") == "":  # an unset shell variable, more likely than a wish for the demo
        raise ConfigError("--endpoint is empty: give a URL, or --demo for the demo")
    if settings.service.endpoint:
        if missing := Credential(settings.service).missing:
            raise ConfigError(missing)
    elif {"service.api_key", "service.use_token_credential"} & flags.keys():
        raise ConfigError("a credential was given, but no endpoint: add --endpoint URL, or --demo for the demo")


def _load_script(name: str, *, demo: bool) -> "Script | None":
    """The script of that name, if one is given."""
    if not name:
        return None
    if not demo:
        raise ConfigError("--script is for the demo: add --demo")
    from voicelive_tui.loopback.script import named  # noqa: PLC0415

    return named(name)


def load_tools(names: Sequence[str]) -> "Toolbox":
    """Import the functions of the user. Raises `ConfigError` where they cannot be imported."""
    from voicelive_tui.tools import ToolError  # noqa: PLC0415
    from voicelive_tui.tools.run import Toolbox  # noqa: PLC0415

    try:
        return Toolbox(names)
    except ToolError as error:
        raise ConfigError(f"tools: {error}") from None


def unused_rules(settings: Tools, toolbox: "Toolbox") -> str:
    """A sentence about rules for functions that were not loaded, such as a misspelt name; else empty."""
    names = [str(tool["name"]) for tool in toolbox.declarations]
    unused = [name for name in settings.functions if name not in names]
    if not unused or not names:
        return ""
    return f"tools.functions: no function {unused[0]!r} was loaded: its rule is not used (loaded: {', '.join(names)})"


def run_conversation(options: Options, hold: "Hold", *, quiet: bool = False, attended: bool = True) -> int:
    """Hold a conversation, then print its summary unless `quiet`; the exit status."""
    settings, demo, log_path, script = prepare(options)
    validate_files(settings.audio, options.more_inputs)
    _require_recording(settings.recording)
    runtime.exit_on_signals()
    toolbox = load_tools(settings.tools.load)
    if unused := unused_rules(settings.tools, toolbox):
        warn(unused)
    with runtime.native_stderr_to(logs.native_path(log_path)) as native, contextlib.ExitStack() as stack:

        def open_session() -> "LiveSession":
            from voicelive_tui.client.live import LiveSession  # noqa: PLC0415

            live = LiveSession(
                settings,
                demo=demo,
                caller=options.caller,
                script=script,
                native_messages=native.lines,
                toolbox=load_tools(DEMO_TOOLS) if demo and not settings.tools.load else toolbox,
                attended=attended,
            )
            if settings.recording.enabled:
                stack.callback(_record(live, settings.recording))
            return live

        status, state = asyncio.run(hold(settings, open_session))
    if not quiet:
        print_line(summary(state, log_path))
    return status


def _require_recording(settings: Recording) -> None:
    """Refuse a recording that could not be made: no FLAC, no folder. Raises `ConfigError`."""
    if settings.enabled and settings.format == "flac":
        from voicelive_tui.recording.flac import missing  # noqa: PLC0415

        if problem := missing():
            raise ConfigError(f"recording.format: {problem}")
    if settings.enabled and settings.folder:
        try:
            Path(settings.folder).expanduser().mkdir(mode=0o700, parents=True, exist_ok=True)
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(f"recording.folder: {settings.folder!r} cannot be made: {reason}") from None


def _record(live: "LiveSession", settings: Recording) -> Callable[[], None]:
    """Let the flight recorder observe a session; the result ends it."""
    import platformdirs  # noqa: PLC0415 - not needed for --help

    from voicelive_tui.recording.recorder import Recorder  # noqa: PLC0415

    folder = Path(platformdirs.user_data_dir(APP_NAME, appauthor=False)) / "recordings"
    recorder = Recorder(live.apply, lambda: live.engine, settings, folder)
    live.observe(recorder.observe)
    return recorder.close


def validate_files(audio: Audio, more_inputs: Sequence[str]) -> None:
    """Check files that stand in for devices, and write none. Raises `UserError` where one cannot be used."""
    sources = [device[5:] for device in (str(audio.input_device), *more_inputs) if device.startswith("file:")]
    speaker = str(audio.output_device)
    if not sources and not speaker.startswith("file:"):
        return
    from voicelive_tui.audio.wav import check_target, load_wav  # noqa: PLC0415

    target = Path(speaker[5:]) if speaker.startswith("file:") else None
    if target:
        check_target(target)
    try:
        for source in sources:
            load_wav(source)
            if target and target.expanduser().exists() and target.expanduser().samefile(Path(source).expanduser()):
                raise ConfigError(f"{source} cannot be the input and the output at once: it would be overwritten")
    except OSError as error:
        raise ConfigError(f"cannot read {source}: {error.strerror or error}") from None


def summary(state: "SessionState | None", log_path: Path) -> str:
    """What stays in the scrollback: length, turns, tokens, why it ended, where the log is, what opens the recording."""
    parts, end, opens = ["no session"], "", ""
    if state is not None:
        connection, usage = state.connection, state.usage.sums
        if connection.ready_at is not None:
            parts = [f"conversation of {clock((connection.ended_at or time.monotonic()) - state.began_at)}"]
            parts += [counted(state.turn_count, "turn")]
            parts += [f"{state.counts.interruptions} interrupted"] if state.counts.interruptions else []
            parts += [f"{usage.total:,} tokens ({usage.input:,} in, {usage.output:,} out)"] if usage.total else []
        code = f"closed with code {connection.close_code}" if connection.close_code else ""
        end = visible(connection.problem) or code
        if state.recording and state.recording.path:
            opens = f"\nto open the recording: {APP_NAME} {visible(shlex.quote(state.recording.path))}"
    return f"{APP_NAME}: {', '.join(parts)}{f'; {end}' if end else ''}; log: {visible(str(log_path))}{opens}"
