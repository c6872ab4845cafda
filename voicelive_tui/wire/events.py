"""Reading events: the decoder, readers for fields of any type, the two families of event names, audio payloads.

A field may be missing, null, or of any type. A reader returns a value of its type, or the type's empty form; numbers
are finite and in range.

Voice Live (api-version 2026-07-15) and the OpenAI GA protocol, which Foundry voice agents speak, name the same events
and settings differently. `canonical` and `session_of` translate to Voice Live's names; rows of the event log keep the
names as they came (protocol, supplement).
"""

import binascii
import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from voicelive_tui.text import encodable

ALREADY_ACTIVE = "conversation_already_has_active_response"
BENIGN_ERRORS = frozenset({"response_cancel_not_active", ALREADY_ACTIVE})
"""Errors that only report a race with the service: notes, not failures."""

Event = Mapping[str, Any]
"""The JSON object of an event; its fields may be missing, or of any type."""

BYTES_PER_MS = 48
"""24 kHz, mono, 16 bit."""
DEEPEST = 200
"""Levels of nested objects and arrays; every recursion over an event stays far below Python's limit of 1,000."""
LARGEST = 1e15
"""Numbers below this are read; floats and JSON readers represent them exactly."""
SENTENCE = 1_000
"""Characters quoted of a service's message; the row of the event log has all of it."""

_ALIASES = {
    "response.output_text": "response.text",
    "response.output_audio": "response.audio",
    "response.output_audio_transcript": "response.audio_transcript",
}
_ENDS = ("delta", "done", "annotation.added")
_CANONICAL = {f"{alias}.{end}": f"{name}.{end}" for alias, name in _ALIASES.items() for end in _ENDS} | {
    "conversation.item.added": "conversation.item.created",
    "conversation.item.done": "conversation.item.created",
}
_AUDIO_FIELDS = {
    "response.audio.delta": "delta",
    "response.video.delta": "delta",
    "input_audio_buffer.append": "audio",
    "input_audio.turn.append": "audio",
}
"""Canonical types of events with a base64 payload, and its field at the top level."""
_KEYS = {name: re.compile(rf'"{name}"\s*+:\s*+"') for name in ("delta", "audio")}
_PAYLOAD = re.compile(r'("(?:delta|audio)"\s*+:\s*+)"((?:[^"\\]++|\\.)*+)"')


def _finite(digits: str) -> float | None:
    value = float(digits)
    return value if -LARGEST < value < LARGEST else None


def _bounded(digits: str) -> int | None:
    return int(digits) if len(digits) <= 15 else None


def _refuse(digits: str) -> Any:
    raise ValueError(f"{digits[:20]} is out of range")


_LENIENT = json.JSONDecoder(parse_float=_finite, parse_int=_bounded, parse_constant=lambda _: None)
_STRICT = json.JSONDecoder(
    parse_float=lambda digits: _refuse(digits) if _finite(digits) is None else float(digits),
    parse_int=lambda digits: _refuse(digits) if _bounded(digits) is None else int(digits),
    parse_constant=_refuse,
)


def parse(raw: str, *, strict: bool = False) -> dict[str, Any]:
    """Decode one event. NaN, infinities and numbers from `LARGEST` on become None, or are refused if `strict`.

    Raises `ValueError` if the text is not a JSON object, or is nested more than `DEEPEST` levels.
    """
    try:
        event = (_STRICT if strict else _LENIENT).decode(raw)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(event, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - about the text, not about a type
    if raw.count("[") + raw.count("{") > DEEPEST and is_too_deep([event]):
        raise ValueError("nested too deeply")
    return event


def is_too_deep(level: list[Any]) -> bool:
    """Whether values are nested more than `DEEPEST` levels."""
    for _ in range(DEEPEST):
        values = (value.values() if isinstance(value, dict) else value for value in level)
        level = [inner for value in values for inner in value if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


def unescaped(raw: str) -> str:
    """A JSON text with characters in place of their hexadecimal escapes, for searching."""
    if "\\u" not in raw:
        return raw
    pairs = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), raw)
    return pairs.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


# --- names ---------------------------------------------------------------------------------------------------------


def canonical(kind: str) -> str:
    """Voice Live's name of an event type; unknown types are returned as they are."""
    return _CANONICAL.get(kind, kind)


def session_of(event: Event) -> Mapping[str, Any]:
    """The `session` of an event with Voice Live's field names, whichever family it came in."""
    session = mapping(event.get("session"))
    sides = mapping(session.get("audio"))
    if not sides and "output_modalities" not in session:
        return session
    heard, spoken = mapping(sides.get("input")), mapping(sides.get("output"))
    found: dict[str, Any] = {key: value for key, value in session.items() if key not in ("audio", "output_modalities")}
    if "output_modalities" in session:
        found["modalities"] = session["output_modalities"]
    for side, names in (
        (heard, {"turn_detection": "turn_detection", "transcription": "input_audio_transcription",
                 "noise_reduction": "input_audio_noise_reduction"}),
        (spoken, {"voice": "voice", "speed": "speed"}),
    ):  # fmt: skip
        found |= {name: side[key] for key, name in names.items() if key in side}
    for side, name in ((heard, "input_audio_format"), (spoken, "output_audio_format")):
        if "format" in side:
            form = side["format"]
            found[name] = _FORMATS.get(text(mapping(form).get("type")), text(mapping(form).get("type")) or form)
            if rate := number(mapping(form).get("rate")):
                found[name.replace("format", "sampling_rate")] = int(rate)
    return found


_FORMATS = {"audio/pcm": "pcm16", "audio/pcmu": "g711_ulaw", "audio/pcma": "g711_alaw"}


# --- readers -------------------------------------------------------------------------------------------------------


def text(value: object) -> str:
    """The value if it is a string, without lone surrogates; else an empty string."""
    return encodable(value) if isinstance(value, str) else ""


def number(value: object) -> float:
    """The value if it is a number from 0 to 1e11, else 0: 3 years in ms, or the year 5138 in Unix seconds."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1e11
    return float(value) if good else 0.0  # type: ignore[arg-type]


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def listing(value: object) -> list[Any]:
    """The value if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


@lru_cache(maxsize=2)
def pcm_of(delta: str) -> bytes:
    """The samples of a base64 text, empty if it is not valid. Cached, since `observe` and `policy` both need them."""
    try:
        return binascii.a2b_base64(delta, strict_mode=True)
    except ValueError:
        return b""


def error_text(error: Mapping[str, Any]) -> str:
    """An `error` or `warning` object in one line: the message, then code and parameter where they are given."""
    message = text(error.get("message"))
    message = " ".join(message[:SENTENCE].split()) + "…" * (len(message) > SENTENCE) or "the service gave no message"
    hints = [f"{name} {value[:100]}" for name in ("code", "param") if (value := text(error.get(name)))]
    return f"{message} ({', '.join(hints)})" if hints else message


# --- sound inside events -------------------------------------------------------------------------------------------


def base64_size(value: object) -> int:
    """Bytes that a base64 text decodes to; 0 for anything but a string."""
    return len(value) * 3 // 4 - value[-2:].count("=") if isinstance(value, str) else 0


def _audio_field(event: Event) -> str | None:
    return _AUDIO_FIELDS.get(canonical(text(event.get("type"))))


def audio_size(event: Event) -> int:
    """Bytes of sound (or video) that an event carries."""
    name = _audio_field(event)
    return base64_size(event.get(name)) if name else 0


def without_audio(event: Event) -> dict[str, Any]:
    """The event with each piece of base64 sound replaced by `{"bytes": n}`, for logs and `console --json`."""
    if name := _audio_field(event):
        return {**event, name: {"bytes": base64_size(event.get(name))}}
    item = event.get("item")  # conversation.item.retrieved carries the audio of whole items
    if not isinstance(item, Mapping) or not isinstance(item.get("content"), list):
        return dict(event)
    content = [
        {**part, "audio": {"bytes": base64_size(part["audio"])}}
        if isinstance(part, Mapping) and isinstance(part.get("audio"), str)
        else part
        for part in item["content"]
    ]
    return {**event, "item": {**item, "content": content}}


def payloads(event: Event) -> list[str]:
    """The base64 texts of an event: its own, or those of the parts of a whole item."""
    if name := _audio_field(event):
        found = [event.get(name)]
    else:
        found = [mapping(part).get("audio") for part in listing(mapping(event.get("item")).get("content"))]
    return [payload for payload in found if isinstance(payload, str)]


def raw_with(event: Event, raw: str, substitute: Callable[[str], str | None]) -> str:
    """The text of an event with a JSON value in place of each base64 payload; all else stays byte for byte.

    `substitute` gives the value for a payload, None to leave it.
    """
    held = payloads(event)
    if (name := _audio_field(event)) and held:
        key = _KEYS[name].search(raw)
        end = raw.find('"', key.end()) if key else 0
        if key and raw[key.end() : end] == held[0]:  # ten times as fast as the expression below
            value = substitute(held[0])
            return raw if value is None else f"{raw[: key.end() - 1]}{value}{raw[end + 1 :]}"

    def replaced(found: re.Match[str]) -> str:
        payload = json.loads(f'"{found[2]}"', strict=False)
        value = substitute(payload) if payload in held else None
        return found[0] if value is None else f"{found[1]}{value}"

    return _PAYLOAD.sub(replaced, raw) if held else raw


def raw_without_audio(event: Event, raw: str) -> str:
    """The text of an event with each base64 payload replaced by `{"bytes":n}`; all else stays byte for byte."""
    return raw_with(event, raw, lambda payload: f'{{"bytes":{base64_size(payload)}}}')


def as_json(event: Event) -> str:
    """The text that the SDK sends for a client event, with each base64 payload replaced by `{"bytes": n}`."""
    return json.dumps(without_audio(event), default=repr)
