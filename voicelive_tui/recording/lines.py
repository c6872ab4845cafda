"""Lines of `wire.jsonl` and `marks.jsonl`: writing and reading them, and the references to sound in them."""

import binascii
import functools
import json
import math
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Raw, Struct

from voicelive_tui.session import inputs
from voicelive_tui.text import mask, masked

MICROPHONE, SPEAKER, RECEIVED = 0, 1, 2
"""The channels."""
LARGEST = 1e12
"""Numbers in a mark are below this: `time.monotonic()` seconds of 30,000 years."""

Direction = Literal["in", "out"]
_REFERENCE = re.compile(r'\{"\$audio":\{"ch":([02]),"at":(\d{1,15}),"len":(\d{1,9})\}\}')
_SECRET_FIELDS = ("headers", "authorization")

NOTHING = Raw(b"null")
"""In place of a frame or an input where there is none."""


class DamageError(ValueError):
    """A line that cannot be read; its text says why."""


class WireLine(Struct, frozen=True, omit_defaults=True):
    """A WebSocket message."""

    n: int
    t_ns: int
    dir: Direction
    frame: Raw = NOTHING
    text: str = ""
    captured_at: float | None = None
    """See `inputs.Sent`."""
    problem: str = ""
    """Why it is not an event, see `inputs.BadMessage`."""
    standby: bool = False
    """Of the link on standby, see `inputs.OnStandby`."""

    @property
    def raw(self) -> str:
        """The message, with references in place of sound."""
        return self.text if self.frame == NOTHING else bytes(self.frame).decode()


class Mark(Struct, frozen=True, omit_defaults=True):
    """Something that is not a message."""

    n: int
    t_ns: int
    input: Raw = NOTHING
    """An input of the fold, an object with its class name in `input`."""
    mark: str = ""
    """"clock", "counters" or "left_out", with its numbers in `values`."""
    values: dict[str, int] = {}


encode = msgspec.json.encode
Line = TypeVar("Line", WireLine, Mark)


@functools.cache
def _input_decoder() -> "msgspec.json.Decoder[inputs.Input]":
    def classes(base: type[inputs.Input]) -> list[Any]:
        return [each for child in base.__subclasses__() for each in (classes(child) or [child])]

    known = [each for each in classes(inputs.Input) if each not in (inputs.Received, inputs.Sent, inputs.BadMessage)]
    return msgspec.json.Decoder(functools.reduce(operator.or_, known))


def samples_of(payload: str) -> bytes:
    """The PCM16 of a base64 text, empty unless the text follows from its samples (no half a sample, no line breaks)."""
    try:
        pcm = binascii.a2b_base64(payload, strict_mode=True)
    except ValueError:
        return b""
    whole = len(pcm) % 2 == 0 and binascii.b2a_base64(pcm, newline=False).decode() == payload
    return pcm if whole else b""


def reference(channel: int, at: int, samples: int) -> str:
    """The JSON in place of a piece of sound."""
    return f'{{"$audio":{{"ch":{channel},"at":{at},"len":{samples}}}}}'


def references(frame: str) -> Iterator[tuple[int, int, int]]:
    """Channel, first sample and number of samples of each piece of sound in a message."""
    for found in _REFERENCE.finditer(frame):
        channel, at, samples = map(int, found.groups())
        yield channel, at, samples


def without_secrets(raw: str) -> str:
    """The text of a message without secrets; see `text.masked`.

    A text that has none is returned as it is; any other is encoded again.
    """
    if mask(raw) == raw and not any(f'"{name}"' in raw for name in _SECRET_FIELDS):
        return raw
    try:
        event = json.loads(raw)
    except (ValueError, RecursionError):
        return mask(raw)
    clean = masked(event)
    return raw if clean == event and mask(raw) == raw else mask(json.dumps(clean, separators=(",", ":")))


def wire_line(
    n: int,
    t_ns: int,
    direction: Direction,
    raw: str,
    *,
    captured_at: float | None = None,
    problem: str = "",
    standby: bool = False,
    plain: bool = False,
) -> bytes:
    """The line of a message, see `WireLine`. Its text, `raw`, has references in place of sound.

    What looks like a reference in a `plain` text is none.
    """
    frame = Raw(raw.encode()) if not plain and not problem and _fits(raw) else NOTHING
    text = "" if frame is not NOTHING else raw.encode("utf-8", "replace").decode()
    return encode(WireLine(n, t_ns, direction, frame, text, captured_at, problem, standby)) + b"\n"


def _fits(raw: str) -> bool:
    """Whether a text is a JSON object on one line."""
    if "\n" in raw or "\r" in raw or not raw.startswith("{"):
        return False
    try:
        msgspec.json.decode(raw)
    except (ValueError, RecursionError):  # no JSON, or it cannot be UTF-8
        return False
    return True


def read(kind: type[Line], line: bytes) -> Line:
    """Read a line of a recording: a `WireLine` or a `Mark`. Raises `DamageError` if it is none."""
    try:
        found = msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DamageError(str(error)) from None
    if not (0 <= found.n < 1e15 and 0 <= found.t_ns < LARGEST * 1e9):
        raise DamageError("a number is out of range")
    return found


def input_of(mark: Mark) -> inputs.Input | None:
    """The input in a mark, None if it has none.

    Raises `DamageError` if it is not an input that this version knows, or a number in it is out of range.
    """
    if mark.input == NOTHING:
        return None
    try:
        found = _input_decoder().decode(mark.input)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise DamageError(str(error)) from None
    inner = found.inner if isinstance(found, inputs.OnStandby) else found
    for value in (getattr(inner, name) for name in inner.__struct_fields__):
        if isinstance(value, int | float) and not (math.isfinite(value) and abs(value) < LARGEST):
            raise DamageError(f"{value} is out of range")
    return found


def with_sound(line: WireLine, sound: Callable[[int, int, int], bytes]) -> str:
    """The message as it was; `sound` gives the PCM16 of a channel from a sample on, that many samples."""
    if line.frame == NOTHING:
        return line.text

    def payload(found: re.Match[str]) -> str:
        channel, at, samples = map(int, found.groups())
        return f'"{binascii.b2a_base64(sound(channel, at, samples), newline=False).decode()}"'

    return _REFERENCE.sub(payload, line.raw)
