"""What matters of an event in one line: a function for each type of event, and a fallback for types unknown.

Nothing in an event can be relied upon: every field may be missing or of the wrong type.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from voicelive_tui.text import duration, short_id, size, visible
from voicelive_tui.wire.log import LogRow

Event = Mapping[str, Any]

LONG = 20_000
"""Events of more characters than this are not parsed for a summary; opening one shows all of it."""


def summarize(row: LogRow) -> str:
    """A row's summary: no line breaks, nothing that a terminal obeys."""
    if row.direction in ("local", "log"):
        return visible(row.text[:LONG])
    if len(row.text) > LONG:
        return f"{len(row.text):,} characters"
    try:
        event = json.loads(row.text)
    except (ValueError, RecursionError):
        return visible(row.text)
    if not isinstance(event, dict):
        return visible(row.text)
    parts = [part for part in _BY_TYPE.get(row.type, _other)(event) if part]
    if row.size:
        parts.append(size(row.size))
    return visible(" · ".join(parts))


def _at(value: Any, *path: str | int) -> Any:
    """The value at a path, or None where the path ends early."""
    for key in path:
        if isinstance(value, Mapping) and isinstance(key, str):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value


def _text(value: Any) -> str:
    """A value as words: "" for None and for containers."""
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _quoted(value: Any) -> str:
    return f"“{value}”" if isinstance(value, str) and value else ""


def _ms(value: Any, what: str) -> str:
    return f"{what} {duration(value)}" if isinstance(value, int | float) else ""


def _session(event: Event) -> list[str]:
    session = _at(event, "session")
    voice = _at(session, "voice")
    return [
        _text(_at(session, "model")),
        _text(_at(voice, "name")) or _text(voice),
        _text(_at(session, "turn_detection", "type")),
        short_id(_text(_at(session, "id"))),
    ]


def _problem(event: Event) -> list[str]:
    problem = _at(event, "error") or _at(event, "warning")
    return [_text(_at(problem, "code")) or _text(_at(problem, "type")), _text(_at(problem, "message"))]


def _item(event: Event) -> list[str]:
    item = _at(event, "item")
    content = _at(item, "content", 0)
    words = _quoted(_at(content, "text") or _at(content, "transcript"))
    name = _text(_at(item, "name"))
    kind = _text(_at(item, "type"))
    return [
        _text(_at(item, "role")) if kind == "message" else kind,
        _text(_at(content, "type")) if not words else "",
        name + "(" + _text(_at(item, "arguments")) + ")" if name else "",
        words or _quoted(_at(item, "output")),
        _text(_at(item, "status")),
    ]


def _response(event: Event) -> list[str]:
    response = _at(event, "response")
    usage, details = _at(response, "usage"), _at(response, "status_details")
    tokens = _text(_at(usage, "total_tokens"))
    return [
        _text(_at(response, "status")),
        _text(_at(details, "reason")) or _text(_at(details, "error", "message")),
        f"{tokens} tokens" if tokens else "",
    ]


def _create(event: Event) -> list[str]:
    return [_quoted(_at(event, "response", "instructions"))]


def _words(event: Event) -> list[str]:
    for key in ("delta", "transcript", "text", "arguments"):
        if words := _quoted(_at(event, key)):
            return [words]
    return []


def _call(event: Event) -> list[str]:
    return [f"{_text(_at(event, 'name'))}({_text(_at(event, 'arguments'))})"]


def _part(event: Event) -> list[str]:
    part = _at(event, "part")
    return [_text(_at(part, "type")), _quoted(_at(part, "transcript") or _at(part, "text"))]


def _word_time(event: Event) -> list[str]:
    return [_quoted(_at(event, "text")), _ms(_at(event, "audio_offset_ms"), "at")]


def _limits(event: Event) -> list[str]:
    limits = _at(event, "rate_limits")
    return [
        f"{_text(_at(limit, 'name'))} {_text(_at(limit, 'remaining'))} of {_text(_at(limit, 'limit'))} left"
        for limit in (limits if isinstance(limits, list) else [])
    ]


def _nothing(_event: Event) -> list[str]:
    return []


def _other(event: Event) -> list[str]:
    """The plain fields of an event that has no summary of its own."""
    hidden = ("type", "event_id", "item_id", "response_id", "output_index", "content_index", "previous_item_id")
    return [f"{key} {_text(value)[:60]}" for key, value in event.items() if key not in hidden and _text(value)]


_BY_TYPE: dict[str, Callable[[Event], list[str]]] = {
    "session.created": _session,
    "session.updated": _session,
    "session.update": _session,
    "error": _problem,
    "warning": _problem,
    "input_audio_buffer.append": _nothing,
    "input_audio_buffer.speech_started": lambda event: [_ms(_at(event, "audio_start_ms"), "at")],
    "input_audio_buffer.speech_stopped": lambda event: [_ms(_at(event, "audio_end_ms"), "at")],
    "input_audio_buffer.committed": _nothing,
    "conversation.item.create": _item,
    "conversation.item.created": _item,
    "conversation.item.done": _item,
    "conversation.item.retrieved": _item,
    "conversation.item.truncate": lambda event: [_ms(_at(event, "audio_end_ms"), "at")],
    "conversation.item.truncated": lambda event: [_ms(_at(event, "audio_end_ms"), "at")],
    "conversation.item.input_audio_transcription.delta": _words,
    "conversation.item.input_audio_transcription.completed": _words,
    "conversation.item.input_audio_transcription.failed": _problem,
    "response.create": _create,
    "response.created": _response,
    "response.done": _response,
    "response.output_item.added": _item,
    "response.output_item.done": _item,
    "response.content_part.added": _part,
    "response.content_part.done": _part,
    "response.text.delta": _words,
    "response.text.done": _words,
    "response.audio.delta": _nothing,
    "response.audio_transcript.delta": _words,
    "response.audio_transcript.done": _words,
    "response.audio_timestamp.delta": _word_time,
    "response.function_call_arguments.delta": _words,
    "response.function_call_arguments.done": _call,
    "response.mcp_call_arguments.delta": _words,
    "rate_limits.updated": _limits,
}
