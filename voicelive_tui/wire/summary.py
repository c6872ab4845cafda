"""A row of the event log in one line: the values at the paths that matter for its type, or all plain fields.

A field of an event may be missing or of any type; summarising a row never raises.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from voicelive_tui.text import duration, short_id, size, visible
from voicelive_tui.wire.events import Event, canonical, listing, mapping, parse
from voicelive_tui.wire.log import LogRow

LONG = 20_000
"""Characters up to which an event is parsed for its summary."""


def summarize(row: LogRow) -> str:
    """A row's summary: one line, sanitized; the row's text where it is not an event or has unusable numbers."""
    if row.direction in ("local", "log"):
        return visible(row.text[:LONG])
    if len(row.text) > LONG:
        return f"{len(row.text):,} characters"
    try:
        event = parse(row.text, strict=True)
    except ValueError:
        return visible(row.text)
    kind = canonical(row.type)
    if kind in _FIELDS:
        parts = [field.words(event) for field in _FIELDS[kind]]
    else:
        parts = _SPECIAL.get(kind, _plain_fields)(event)
    return visible(" · ".join(filter(None, (*parts, size(row.size) if row.size else ""))))


# --- values in words -----------------------------------------------------------------------------------------------


def _plain(value: Any) -> str:
    """A string or number; "" for null and containers."""
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _quoted(value: Any) -> str:
    return f"“{value}”" if isinstance(value, str) and value else ""


def _position(value: Any) -> str:
    return f"at {duration(value)}" if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _tokens(value: Any) -> str:
    return f"{_plain(value)} tokens" if _plain(value) else ""


def _at(event: Event, path: str) -> Any:
    """The value at a path such as `item.content.0.text`, or None where the path ends early."""
    value: Any = event
    for key in path.split("."):
        if isinstance(value, list):
            value = value[int(key)] if key.isdigit() and int(key) < len(value) else None
        else:
            value = mapping(value).get(key)
    return value


class _Field(NamedTuple):
    """A part of a summary."""

    paths: str
    """Paths separated by spaces; the first that has words counts."""
    shown: Callable[[Any], str] = _plain

    def words(self, event: Event) -> str:
        return next(filter(None, (self.shown(_at(event, path)) for path in self.paths.split())), "")


# --- by type -------------------------------------------------------------------------------------------------------


def _plain_fields(event: Event) -> list[str]:
    hidden = ("type", "event_id", "item_id", "response_id", "output_index", "content_index", "previous_item_id")
    return [f"{key} {_plain(value)[:60]}" for key, value in event.items() if key not in hidden and _plain(value)]


def _item(event: Event) -> list[str]:
    item = mapping(event.get("item"))
    kind, name = _plain(item.get("type")), _plain(item.get("name"))
    words = _Field("item.content.0.text item.content.0.transcript item.output", _quoted).words(event)
    return [
        _plain(item.get("role")) if kind == "message" else kind,
        "" if words else _plain(_at(event, "item.content.0.type")),
        f"{name}({_plain(item.get('arguments'))})" if name else "",
        words,
        _plain(item.get("status")),
    ]


def _call(event: Event) -> list[str]:
    return [f"{_plain(event.get('name'))}({_plain(event.get('arguments'))})"]


def _limits(event: Event) -> list[str]:
    limits = map(mapping, listing(event.get("rate_limits")))
    return [
        " ".join(_plain(limit.get(key)) for key in ("name", "remaining")) + f" of {_plain(limit.get('limit'))} left"
        for limit in limits
    ]


_SESSION = (
    _Field("session.model"),
    _Field("session.voice.name session.voice session.audio.output.voice"),
    _Field("session.turn_detection.type session.audio.input.turn_detection.type"),
    _Field("session.id", lambda value: short_id(_plain(value))),
)
_PROBLEM = (_Field("error.code error.type warning.code warning.type"), _Field("error.message warning.message"))
_RESPONSE = (
    _Field("response.status"),
    _Field("response.status_details.reason response.status_details.error.message"),
    _Field("response.usage.total_tokens", _tokens),
)
_WORDS = (_Field("delta transcript text arguments", _quoted),)
_PART = (_Field("part.type"), _Field("part.transcript part.text", _quoted))
_START, _END = (_Field("audio_start_ms", _position),), (_Field("audio_end_ms", _position),)

_FIELDS: dict[str, tuple[_Field, ...]] = {
    "session.created": _SESSION,
    "session.updated": _SESSION,
    "session.update": _SESSION,
    "error": _PROBLEM,
    "warning": _PROBLEM,
    "input_audio_buffer.append": (),
    "input_audio.turn.append": (),
    "input_audio_buffer.speech_started": _START,
    "input_audio_buffer.speech_stopped": _END,
    "input_audio_buffer.committed": (),
    "conversation.item.truncate": _END,
    "conversation.item.truncated": _END,
    "conversation.item.input_audio_transcription.delta": _WORDS,
    "conversation.item.input_audio_transcription.completed": _WORDS,
    "conversation.item.input_audio_transcription.failed": _PROBLEM,
    "response.create": (_Field("response.instructions", _quoted),),
    "response.created": _RESPONSE,
    "response.done": _RESPONSE,
    "response.content_part.added": _PART,
    "response.content_part.done": _PART,
    "response.text.delta": _WORDS,
    "response.text.done": _WORDS,
    "response.audio.delta": (),
    "response.audio_transcript.delta": _WORDS,
    "response.audio_transcript.done": _WORDS,
    "response.audio_timestamp.delta": (_Field("text", _quoted), _Field("audio_offset_ms", _position)),
    "response.function_call_arguments.delta": _WORDS,
    "response.mcp_call_arguments.delta": _WORDS,
}
_SPECIAL: dict[str, Callable[[Event], list[str]]] = {
    "conversation.item.create": _item,
    "conversation.item.created": _item,
    "conversation.item.retrieved": _item,
    "response.output_item.added": _item,
    "response.output_item.done": _item,
    "response.function_call_arguments.done": _call,
    "rate_limits.updated": _limits,
}
