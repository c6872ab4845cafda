"""Facts about Voice Live's events as they stand on the wire (api-version 2026-07-15), and safe ways to read them.

Nothing that arrives is trusted: a field may be missing, null, or of any type. The readers here return a value of the
type that is asked for, or its empty form.
"""

import json
from collections.abc import Mapping
from typing import Any

ALREADY_ACTIVE = "conversation_already_has_active_response"
BENIGN_ERRORS = frozenset({"response_cancel_not_active", ALREADY_ACTIVE})
"""Errors that only say that the other side was quicker: notes, not failures."""

PCM_BYTES_PER_MS = 48
"""24 kHz, mono, 16 bit."""

_AUDIO_FIELDS = {
    "response.audio.delta": "delta",
    "response.video.delta": "delta",
    "input_audio_buffer.append": "audio",
    "input_audio.turn.append": "audio",
}
"""Where events carry base64 at their top level."""


def text(value: object) -> str:
    """The value if it is a string, else an empty one; see `encodable`."""
    return encodable(value) if isinstance(value, str) else ""


def encodable(string: str) -> str:
    """The string with lone surrogates replaced: JSON can hold them, but no terminal and no file can."""
    if string.isascii():
        return string
    return string.encode("utf-8", "replace").decode("utf-8")


def number(value: object) -> float:
    """The value if it is a finite number that is not negative, else 0."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e15
    return float(value) if good else 0.0  # type: ignore[arg-type]


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def listing(value: object) -> list[Any]:
    """The value if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def base64_size(value: object) -> int:
    """Bytes that a base64 text decodes to; 0 for anything that is no text."""
    return len(value) * 3 // 4 - value[-2:].count("=") if isinstance(value, str) else 0


def audio_size(event: Mapping[str, Any]) -> int:
    """Bytes of sound (or video) that an event carries."""
    name = _AUDIO_FIELDS.get(text(event.get("type")))
    return base64_size(event.get(name)) if name else 0


def without_audio(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event with each piece of base64 sound replaced by `{"bytes": n}`, for logs and `console --json`."""
    name = _AUDIO_FIELDS.get(text(event.get("type")))
    if name:
        return {**event, name: {"bytes": base64_size(event.get(name))}}
    item = event.get("item")  # conversation.item.retrieved brings the sound of whole items
    if not isinstance(item, Mapping) or not isinstance(item.get("content"), list):
        return dict(event)
    content = [
        {**part, "audio": {"bytes": base64_size(part["audio"])}}
        if isinstance(part, Mapping) and isinstance(part.get("audio"), str)
        else part
        for part in item["content"]
    ]
    return {**event, "item": {**item, "content": content}}


def as_json(event: Mapping[str, Any]) -> str:
    """One line of JSON for the log; what is not JSON (it cannot come from the wire) is shown by its `repr`."""
    return encodable(json.dumps(without_audio(event), ensure_ascii=False, separators=(",", ":"), default=repr))


SENTENCE = 1_000
"""Characters of a message from the service that are said; the log's row has all of it."""


def error_text(error: Mapping[str, Any]) -> str:
    """An `error` (or `warning`) object in one line: message, then code and parameter where they are given."""
    message = text(error.get("message"))
    message = " ".join(message[:SENTENCE].split()) + "…" * (len(message) > SENTENCE) or "the service gave no message"
    hints = [f"{name} {value[:100]}" for name in ("code", "param") if (value := text(error.get(name)))]
    return f"{message} ({', '.join(hints)})" if hints else message
