"""The dialects of the OpenAI paths, translated to and from Voice Live's.

`/openai/realtime` is the preview protocol of Azure OpenAI: Voice Live's event names, voices as plain names.
`/openai/v1/realtime` speaks OpenAI's GA protocol: other event names, a nested session object, and a
`conversation.item.done` when an item is complete (protocol supplement of 2026-11-25).
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from voicelive_tui.loopback.protocol import JsonObject, new_id

_TO_GA = {
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "conversation.item.created": "conversation.item.added",
}
_PARTS = {"text": "output_text", "audio": "output_audio"}
_FORMATS = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
_CODINGS = {name: coding for coding, name in _FORMATS.items()}
_INPUT = {
    "turn_detection": "turn_detection",
    "transcription": "input_audio_transcription",
    "noise_reduction": "input_audio_noise_reduction",
}
"""GA's names in `audio.input`, and Voice Live's in the session."""
_PATHS = {renamed: f"audio.input.{name}" for name, renamed in _INPUT.items()} | {
    "input_audio_format": "audio.input.format.type",
    "input_audio_sampling_rate": "audio.input.format.rate",
    "output_audio_format": "audio.output.format.type",
    "voice": "audio.output.voice",
    "modalities": "output_modalities",
    "max_response_output_tokens": "max_output_tokens",
    "input_items": "input",
}
"""Where GA has the fields of a session or a response, which the `param` of an error names."""
_FIELD = re.compile(r"(?P<where>session|response)\.(?P<field>\w+)")


class VoiceLive:
    """Voice Live's own dialect: nothing is translated."""

    def client_event(self, message: str | bytes) -> str | bytes:
        """A client's message as Voice Live writes it."""
        return message

    def server_events(self, event: JsonObject) -> list[JsonObject]:
        """A server event as this dialect writes it; one event may become several or none."""
        return [event]


class Preview(VoiceLive):
    """The preview protocol of Azure OpenAI."""

    def client_event(self, message: str | bytes) -> str | bytes:
        return _edited(message, _without_model)

    def server_events(self, event: JsonObject) -> list[JsonObject]:
        for name in ("session", "response"):
            if name in event:
                event = {**event, name: {**event[name], "voice": _voice_name(event[name]["voice"])}}
        return [event]


class GeneralAvailability(VoiceLive):
    """OpenAI's GA protocol."""

    def __init__(self) -> None:
        self._previous: dict[str, Any] = {}

    def client_event(self, message: str | bytes) -> str | bytes:
        return _edited(message, _from_ga)

    def server_events(self, event: JsonObject) -> list[JsonObject]:
        kind = event["type"]
        if kind == "conversation.item.done":  # made here, for every item
            return []
        event = {**event, "type": _TO_GA.get(kind, kind)}
        if kind == "error":
            event["error"] = _error_to_ga(event["error"])
        if "session" in event:
            event["session"] = _session_to_ga(event["session"])
        if "response" in event:
            event["response"] = _response_to_ga(event["response"])
        item: JsonObject = {}
        if "item" in event:
            event["item"] = item = _item_to_ga(event["item"])
        if kind == "conversation.item.created":
            self._previous[item["id"]] = event["previous_item_id"]
            if item.get("status", "completed") == "completed":
                return [event, self._done(item)]
        if kind == "response.output_item.done" and item["id"] in self._previous:
            return [event, self._done(item)]
        return [event]

    def _done(self, item: JsonObject) -> JsonObject:
        previous = self._previous.pop(item["id"])
        event_id = new_id("event")
        return {"type": "conversation.item.done", "event_id": event_id, "previous_item_id": previous, "item": item}


def _edited(message: str | bytes, edit: Callable[[JsonObject], None]) -> str | bytes:
    """A client's message after `edit`; anything but a JSON object is left for the session to refuse."""
    try:
        event = msgspec.json.decode(message)
        if not isinstance(event, dict):
            return message
        edit(event)
        return msgspec.json.encode(event)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return message


def _without_model(event: JsonObject) -> None:
    if isinstance(event.get("session"), dict):
        event["session"].pop("model", None)  # OpenAI's clients repeat it; Voice Live refuses it


def _from_ga(event: JsonObject) -> None:
    for name, rename in (("session", _session_from_ga), ("response", _response_from_ga)):
        if isinstance(event.get(name), dict):
            event[name] = rename(event[name])


def _voice_name(voice: Any) -> Any:
    return voice.get("name", voice) if isinstance(voice, dict) else voice


def _format_to_ga(name: Any, rate: Any) -> JsonObject:
    coding = name if name in _FORMATS else "pcm16"
    return {"type": _FORMATS[coding], "rate": rate} if coding == "pcm16" else {"type": _FORMATS[coding]}


def _format_from_ga(fmt: Any) -> Any:
    """Voice Live's name of a format; what is not a format is left for the session to refuse."""
    kind = fmt.get("type") if isinstance(fmt, dict) else None
    return _CODINGS.get(kind, fmt) if isinstance(kind, str) else fmt


def _modalities_from_ga(given: Any) -> Any:
    return ["text", "audio"] if given == ["audio"] else given  # GA: audio comes with its transcript


def _session_from_ga(given: JsonObject) -> JsonObject:
    session = {name: value for name, value in given.items() if name not in {"type", "model", "audio", "tracing"}}
    if "output_modalities" in session:
        session["modalities"] = _modalities_from_ga(session.pop("output_modalities"))
    if "max_output_tokens" in session:
        session["max_response_output_tokens"] = session.pop("max_output_tokens")
    source = _object(given.get("audio"), "input")
    session |= {renamed: source[name] for name, renamed in _INPUT.items() if name in source}
    if fmt := source.get("format"):
        session["input_audio_format"] = _format_from_ga(fmt)
        if isinstance(fmt, dict) and "rate" in fmt:
            session["input_audio_sampling_rate"] = fmt["rate"]
    return session | _output_from_ga(given)


def _response_from_ga(given: JsonObject) -> JsonObject:
    renamed = {"output_modalities", "input", "conversation", "audio"}
    response = {name: value for name, value in given.items() if name not in renamed}
    if "output_modalities" in given:
        response["modalities"] = _modalities_from_ga(given["output_modalities"])
    if "input" in given:
        response["input_items"] = given["input"]
    if given.get("conversation") == "none":
        response["commit"] = False
    return response | _output_from_ga(given)


def _output_from_ga(given: JsonObject) -> JsonObject:
    target = _object(given.get("audio"), "output")
    output = {"output_audio_format": _format_from_ga(target.get("format")), "voice": target.get("voice")}
    return {name: value for name, value in output.items() if value}


def _object(value: Any, name: str) -> JsonObject:
    inner = value.get(name) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def _modalities_to_ga(modalities: list[str]) -> list[str]:
    return ["audio"] if "audio" in modalities else ["text"]


def _session_to_ga(session: JsonObject) -> JsonObject:
    kept = ("id", "model", "expires_at", "instructions", "tools", "tool_choice", "include")
    return {
        "type": "realtime",
        "object": "realtime.session",
        **{name: session[name] for name in kept},
        "output_modalities": _modalities_to_ga(session["modalities"]),
        "max_output_tokens": session["max_response_output_tokens"],
        "audio": {
            "input": {
                "format": _format_to_ga(session["input_audio_format"], session["input_audio_sampling_rate"]),
                **{name: session[renamed] for name, renamed in _INPUT.items()},
            },
            "output": _output_to_ga(session),
        },
    }


def _response_to_ga(response: JsonObject) -> JsonObject:
    kept = ("id", "object", "status", "status_details", "usage", "conversation_id", "max_output_tokens", "metadata")
    return {
        **{name: response[name] for name in kept},
        "output": [_item_to_ga(item) for item in response["output"]],
        "output_modalities": _modalities_to_ga(response["modalities"]),
        "audio": {"output": _output_to_ga(response)},
    }


def _output_to_ga(given: JsonObject) -> JsonObject:
    return {"format": _format_to_ga(given["output_audio_format"], 24_000), "voice": _voice_name(given["voice"])}


def _error_to_ga(error: JsonObject) -> JsonObject:
    """The error of a client event, with the field that it names where GA has it."""
    param = error["param"]
    if not (found := _FIELD.match(param or "")) or found["field"] not in _PATHS:
        return error
    renamed = f"{found['where']}.{_PATHS[found['field']]}{param[found.end() :]}"
    return {**error, "param": renamed, "message": error["message"].replace(f"'{param}'", f"'{renamed}'")}


def _item_to_ga(item: JsonObject) -> JsonObject:
    if item.get("role") != "assistant":
        return item
    parts = [{**part, "type": _PARTS.get(part["type"], part["type"])} for part in item["content"]]
    return {**item, "content": parts}
