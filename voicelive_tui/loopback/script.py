"""Scripts: TOML files that decide what the assistant does.

A script is a list of replies. For each answer the first reply whose conditions all hold is taken; where none holds
the assistant is the line check that it is without a script. ``Script``, ``Reply``, ``Call`` and ``Trouble`` are the
format: their attributes are the keys of the file.
"""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from voicelive_tui.audio.wav import AudioFileError, load_wav
from voicelive_tui.loopback import faults

VARIABLES = {
    "turn": "the number of the user's turn",
    "text": "what the user typed, or the transcript",
    "duration": "how long the user spoke, in seconds",
    "level": "RMS of the user's speech, in dBFS",
    "peak": "peak of the user's speech, in dBFS",
    "floor": "the noise floor, in dBFS",
    "output": "what the tools returned",
}
"""What ``say`` may refer to, as ``{name}``."""

Kind = Literal["speech", "text", "tool", "nothing"]
"""What an answer answers; "nothing" is a response asked for before any turn."""


class ScriptError(Exception):
    """A script that cannot be used; its text is one sentence that says where and why."""


class Call(Struct, forbid_unknown_fields=True, frozen=True):
    """One function call.

    Attributes:
        name: The function; one that the session does not declare is not called.
        arguments: A table, sent as JSON, or a string that is sent as it is (so that it may be bad JSON).
        call_id: Its id; made up when it is left out.
    """

    name: str
    arguments: dict[str, Any] | str = msgspec.field(default_factory=dict)
    call_id: str | None = None

    @property
    def json(self) -> str:
        """The arguments as they are sent, without spaces."""
        if isinstance(self.arguments, str):
            return self.arguments
        return msgspec.json.encode(self.arguments).decode()


class Trouble(Struct, forbid_unknown_fields=True, frozen=True):
    """An ``error`` or a ``warning``.

    Attributes:
        message: Its text.
        code: Its code.
        type: The error's type.
    """

    message: str
    code: str = "scripted"
    type: str = "server_error"


class Reply(Struct, forbid_unknown_fields=True, frozen=True):
    """What to do, and when. All conditions that are given must hold.

    Attributes:
        turn: Condition: this turn of the user, from 1; tool results belong to the turn that caused the call.
        on: Condition: an answer to speech, to typed text, to tool results, or to nothing.
        match: Condition: this regular expression is found in the user's text, in whatever case.
        hears: The transcript of the user's speech: the author's word, since nothing recognises it.
        say: What to say, 10,000 characters at most; see ``VARIABLES``.
        play: A WAV file to play instead of a synthetic voice; its path is relative to the script's.
        delay_ms: From the turn to the first sound.
        speed: How many times faster than real time the sound is sent.
        calls: Functions to call, after what is said.
        errors: ``error`` events, sent before the answer.
        warnings: ``warning`` events, sent before the answer.
        fail: The response fails with this message instead of answering.
        faults: Faults that are armed when this answer begins; see ``serve --help``.
    """

    turn: int | None = None
    on: Kind | None = None
    match: str | None = None
    hears: str | None = None
    say: str | None = None
    play: str | None = None
    delay_ms: int | None = None
    speed: float | None = None
    calls: tuple[Call, ...] = ()
    errors: tuple[Trouble, ...] = ()
    warnings: tuple[Trouble, ...] = ()
    fail: str | None = None
    faults: tuple[str, ...] = ()

    def fits(self, turn: int, kind: Kind, text: str) -> bool:
        """Whether all conditions hold."""
        return (
            self.turn in {None, turn}
            and self.on in {None, kind}
            and (self.match is None or re.search(self.match, text, re.IGNORECASE) is not None)
        )


class Script(Struct, forbid_unknown_fields=True, frozen=True):
    """A whole file.

    Attributes:
        title: What it shows, in a line.
        delay_ms: For replies that do not say: from the turn to the first sound.
        speed: For replies that do not say: how many times faster than real time.
        faults: Faults of every session.
        reply: The replies, in order (``[[reply]]`` in the file).
        folder: Where the file is; not a key of it.
    """

    title: str = ""
    delay_ms: int = 300
    speed: float = 4.0
    faults: tuple[str, ...] = ()
    reply: tuple[Reply, ...] = ()
    folder: str = ""

    def find(self, turn: int, kind: Kind, text: str) -> Reply | None:
        """The first reply whose conditions hold."""
        return next((reply for reply in self.reply if reply.fits(turn, kind, text)), None)

    def hears(self, turn: int) -> str | None:
        """The author's transcript for a spoken turn."""
        fitting = (r.hears for r in self.reply if r.turn in {None, turn} and r.on in {None, "speech"})
        return next((words for words in fitting if words is not None), None)


def load(path: str | Path) -> Script:
    """Read and check a script.

    Raises:
        ScriptError: It cannot be read, or cannot be carried out.
    """
    path = Path(path)
    try:
        script = msgspec.toml.decode(path.read_bytes(), type=Script)
    except OSError as error:
        raise ScriptError(f"Cannot read the script {path}: {error.strerror or error}.") from None
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ScriptError(f"{path}: {_sentence(str(error))}") from None
    if script.folder:
        raise ScriptError(f"{path}: unknown key `folder`.")
    script = msgspec.structs.replace(script, folder=str(path.parent))
    try:
        _check(script)
    except ValueError as error:
        raise ScriptError(f"{path}: {error}") from None
    return script


def shipped() -> dict[str, Path]:
    """The example scripts that come with the package, by name."""
    return {path.stem: path for path in sorted((Path(__file__).parent / "scripts").glob("*.toml"))}


def render(text: str, values: dict[str, str]) -> str:
    """``text`` with its variables filled in."""
    return string.Formatter().vformat(text, (), values)


def _sentence(text: str) -> str:
    """Msgspec's words with the place first, as a reader of the file looks for it."""
    what, _, place = text.partition(" - at `$")
    place = place.rstrip("`").lstrip(".")
    return f"{place}: {what[:1].lower()}{what[1:]}." if place else f"{what[:1].lower()}{what[1:]}."


def _check(script: Script) -> None:
    """What types cannot say. Raises ``ValueError`` with the place and what was expected."""
    _check_pace("", script.delay_ms, script.speed)
    _check_faults("faults", script.faults)
    for index, reply in enumerate(script.reply):
        where = f"reply[{index}]"
        _check_pace(where, reply.delay_ms, reply.speed)
        _check_faults(f"{where}.faults", reply.faults, in_reply=True)
        if reply.turn is not None and reply.turn < 1:
            raise ValueError(f"{where}.turn: expected a number from 1, not {reply.turn}.")
        if reply.match is not None:
            try:
                re.compile(reply.match)
            except re.error as error:
                raise ValueError(f"{where}.match: expected a regular expression: {error}.") from None
        if reply.play is not None:
            try:
                load_wav(Path(script.folder) / reply.play)
            except AudioFileError as error:
                raise ValueError(f"{where}.play: {error}.") from None
        if reply.say is not None:
            _check_variables(f"{where}.say", reply.say)


def _check_pace(where: str, delay_ms: int | None, speed: float | None) -> None:
    dot = f"{where}." if where else ""
    if delay_ms is not None and not 0 <= delay_ms <= 600_000:
        raise ValueError(f"{dot}delay_ms: expected 0 to 600000, not {delay_ms}.")
    if speed is not None and not 0.05 <= speed <= 1000:
        raise ValueError(f"{dot}speed: expected 0.05 to 1000, not {speed}.")


def _check_faults(where: str, given: tuple[str, ...], *, in_reply: bool = False) -> None:
    for index, spec in enumerate(given):
        try:
            fault = faults.parse(spec)
        except faults.FaultError as error:
            raise ValueError(f"{where}[{index}]: {error}") from None
        if in_reply and not fault.can_be_armed:
            raise ValueError(f"{where}[{index}]: {fault.name!r} is for whole sessions; put it above the replies.")


def _check_variables(where: str, text: str) -> None:
    try:
        fields = [
            (name, form, conversion) for _, name, form, conversion in string.Formatter().parse(text) if name is not None
        ]
    except ValueError as error:
        raise ValueError(f"{where}: {error} (a brace itself is written twice).") from None
    for name, form, conversion in fields:
        if name not in VARIABLES or form or conversion:
            known = ", ".join(f"{{{variable}}}" for variable in VARIABLES)
            raise ValueError(f"{where}: unknown variable {{{name}}}; expected one of {known}.")
