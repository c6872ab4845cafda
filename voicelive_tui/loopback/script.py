"""Scripts: TOML files that set the assistant's replies.

A script is a list of replies. An answer is the first reply whose conditions all hold; where none holds it is the line
check. `Script`, `Reply`, `Call`, `ScriptedError` and `Line` are the format: their attributes are the keys of the file.
"""

import string
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import regex
from msgspec import Meta, Struct

from voicelive_tui.audio.wav import AudioFileError, load_wav
from voicelive_tui.errors import UserError
from voicelive_tui.loopback import faults
from voicelive_tui.loopback.protocol import what_and_where
from voicelive_tui.speech.line import Line

VARIABLES = {
    "turn": "the number of the user's turn",
    "text": "the typed text, or the transcript",
    "duration": "the duration of the user's speech, in seconds",
    "level": "RMS of the user's speech, in dBFS",
    "peak": "peak of the user's speech, in dBFS",
    "floor": "the noise floor, in dBFS",
    "output": "the output of the tools",
    "history": "the words of all items so far, the user's included, with | between them",
}
"""The variables of `say`, written `{name}`."""

Kind = Literal["speech", "text", "tool", "nothing"]
"""What a response answers; "nothing" if it is requested before any turn."""

MATCH_SECONDS = 0.05
"""The time limit of a reply's `match`: a pattern that backtracks for ever must not stop the service."""

Delay = Annotated[int, Meta(ge=0, le=600_000)]
Speed = Annotated[float, Meta(ge=0.05, le=1000)]


class ScriptError(UserError):
    """A script that cannot be used; its text names the place."""


class Call(Struct, forbid_unknown_fields=True, frozen=True):
    """One call of a function or, with a `server`, of an MCP tool."""

    name: str
    """The function or tool; it is called only if the session declares it, or its server."""
    arguments: dict[str, Any] | str = msgspec.field(default_factory=dict)
    """A table, sent as JSON, or a string, sent as it is (bad JSON, for instance)."""
    call_id: str | None = None
    """Its id; generated when left out."""
    server: str | None = None
    """The label of the MCP server that answers it, one of `[[mcp]]`."""
    output: str | None = None
    """What the server answers."""
    error: str | None = None
    """The server fails with this message instead."""
    delay_ms: Delay = 200
    """From the complete arguments, or the approval, to the server's answer."""

    @property
    def json(self) -> str:
        """The arguments as they are sent, without spaces."""
        if isinstance(self.arguments, str):
            return self.arguments
        return msgspec.json.encode(self.arguments).decode()


class McpTool(Struct, forbid_unknown_fields=True, frozen=True):
    """A tool of an MCP server."""

    name: str
    description: str = ""
    input_schema: dict[str, Any] = msgspec.field(default_factory=lambda: {"type": "object", "properties": {}})


class McpServer(Struct, forbid_unknown_fields=True, frozen=True):
    """An MCP server that clients may declare; any other cannot be reached."""

    label: str
    """The `server_label` by which clients name it; its URL may be any."""
    tools: tuple[McpTool, ...] = ()
    fail: str | None = None
    """Listing its tools fails, for this reason."""
    delay_ms: Delay = 100
    """Of the listing."""


class ScriptedError(Struct, forbid_unknown_fields=True, frozen=True):
    """An `error` or a `warning` event."""

    message: str
    code: str = "scripted"
    type: str = "server_error"


class Reply(Struct, forbid_unknown_fields=True, frozen=True):
    """One reply: its conditions, all of which must hold, and its content."""

    turn: Annotated[int, Meta(ge=1)] | None = None
    """Condition: this turn of the user, from 1; tool results belong to the turn that caused the call."""
    on: Kind | None = None
    """Condition: an answer to speech, to typed text, to tool results, or to nothing."""
    match: str | None = None
    """Condition: this regular expression is found in the user's text, upper or lower case."""
    hears: str | None = None
    """The transcript of the user's speech, as the author wants it: the service has no recogniser."""
    say: str | None = None
    """The text, 10,000 characters at most, with `VARIABLES`."""
    play: str | None = None
    """A WAV file to play in place of a synthetic voice; its path is relative to the script's."""
    delay_ms: Delay | None = None
    """From the turn to the first audio."""
    speed: Speed | None = None
    """The pace of the audio, as a multiple of real time."""
    calls: tuple[Call, ...] = ()
    """Functions and MCP tools to call, after `say`."""
    errors: tuple[ScriptedError, ...] = ()
    """`error` events, sent before the answer."""
    warnings: tuple[ScriptedError, ...] = ()
    """`warning` events, sent before the answer."""
    fail: str | None = None
    """The response fails with this message."""
    faults: tuple[str, ...] = ()
    """Faults that are armed when this response begins; see `serve --help`."""

    def fits(self, turn: int, kind: Kind, text: str) -> bool:
        return (
            self.turn in {None, turn} and self.on in {None, kind} and (self.match is None or _found(self.match, text))
        )


def _found(pattern: str, text: str) -> bool:
    """Whether the pattern is found within `MATCH_SECONDS`; one that takes longer counts as not found."""
    try:
        return regex.search(pattern, text, regex.IGNORECASE, timeout=MATCH_SECONDS) is not None
    except TimeoutError:
        return False


class Script(Struct, forbid_unknown_fields=True, frozen=True):
    """A whole file."""

    title: str = ""
    """What it shows, in a line."""
    delay_ms: Delay = 300
    """The default of the replies."""
    speed: Speed = 4.0
    """The default of the replies."""
    faults: tuple[str, ...] = ()
    """Faults of every session."""
    reply: tuple[Reply, ...] = ()
    """The replies, in order (`[[reply]]` in the file)."""
    caller: tuple[Line, ...] = ()
    """The lines of the demo's caller, who says them again and again (`[[caller]]` in the file)."""
    audio_turns: bool = False
    """Accept the SDK's audio turns as another way into the input buffer; else they are refused."""
    agents: tuple[str, ...] = ()
    """The names of agents; a connection to one of them is accepted."""
    mcp: tuple[McpServer, ...] = ()
    folder: str = ""
    """The file's folder; not a key of the file."""

    def find(self, turn: int, kind: Kind, text: str) -> Reply | None:
        """The first reply whose conditions hold."""
        return next((reply for reply in self.reply if reply.fits(turn, kind, text)), None)

    def hears(self, turn: int) -> str | None:
        """The author's transcript for a spoken turn."""
        fitting = (r.hears for r in self.reply if r.turn in {None, turn} and r.on in {None, "speech"})
        return next((words for words in fitting if words is not None), None)


def named(name: str) -> Script:
    """The script in a file, or the shipped one of that name. Raises `ScriptError` where it cannot be used."""
    path = Path(name)
    if not path.exists() and name in shipped():
        path = shipped()[name]
    try:
        return load(path)
    except ScriptError as error:
        hint = "" if path.exists() else f" (scripts that ship with the program: {', '.join(shipped())})"
        raise ScriptError(f"{error}{hint}") from None


def load(path: str | Path) -> Script:
    """Read and check a script. Raises `ScriptError` where it cannot be read or carried out."""
    path = Path(path)
    try:
        script = msgspec.toml.decode(path.read_bytes(), type=Script)
    except OSError as error:
        raise ScriptError(f"cannot read the script {path}: {error.strerror or error}") from None
    except msgspec.ValidationError as error:
        what, place = what_and_where(error)
        raise ScriptError(f"{path}: {place}: {what}" if place else f"{path}: {what}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ScriptError(f"{path}: {error}") from None
    if script.folder:
        raise ScriptError(f"{path}: unknown key `folder`")
    script = msgspec.structs.replace(script, folder=str(path.parent))
    try:
        _check(script)
    except ValueError as error:
        raise ScriptError(f"{path}: {error}") from None
    return script


def shipped() -> dict[str, Path]:
    """The example scripts of the package, by name."""
    return {path.stem: path for path in sorted((Path(__file__).parent / "scripts").glob("*.toml"))}


def render(text: str, values: dict[str, str]) -> str:
    """`text` with its variables filled in."""
    return string.Formatter().vformat(text, (), values)


def _check(script: Script) -> None:
    """Check what types and ranges do not express. Raises `ValueError` with the place and the reason."""
    _check_faults("faults", script.faults)
    labels = [server.label for server in script.mcp]
    for index, reply in enumerate(script.reply):
        where = f"reply[{index}]"
        _check_faults(f"{where}.faults", reply.faults, in_reply=True)
        for number, call in enumerate(reply.calls):
            if call.server is not None and call.server not in labels:
                known = f"expected one of {', '.join(labels)}" if labels else "the script has no [[mcp]]"
                raise ValueError(f"{where}.calls[{number}].server: unknown MCP server {call.server!r}; {known}")
        if reply.match is not None:
            try:
                regex.compile(reply.match)
            except regex.error as error:
                raise ValueError(f"{where}.match: expected a regular expression: {error}") from None
        if reply.play is not None:
            try:
                load_wav(Path(script.folder) / reply.play)
            except AudioFileError as error:
                raise ValueError(f"{where}.play: {error}") from None
        if reply.say is not None:
            _check_variables(f"{where}.say", reply.say)


def _check_faults(where: str, given: tuple[str, ...], *, in_reply: bool = False) -> None:
    for index, spec in enumerate(given):
        try:
            fault = faults.parse(spec)
        except faults.FaultError as error:
            raise ValueError(f"{where}[{index}]: {error}") from None
        if in_reply and not fault.can_be_armed:
            raise ValueError(f"{where}[{index}]: {fault.name!r} is for whole sessions; put it above the replies")


def _check_variables(where: str, text: str) -> None:
    try:
        fields = [field for field in string.Formatter().parse(text) if field[1] is not None]
    except ValueError as error:
        raise ValueError(f"{where}: {error} (write a literal brace twice)") from None
    for _, name, spec, conversion in fields:
        if name not in VARIABLES or spec or conversion:
            known = ", ".join(f"{{{variable}}}" for variable in VARIABLES)
            raise ValueError(f"{where}: unknown variable {{{name}}}; expected one of {known}")
