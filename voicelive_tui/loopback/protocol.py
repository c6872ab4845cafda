"""What a client may send, what it may get wrong, and the ids and errors that it gets back.

Client events are msgspec structs: ``parse`` turns the text of a WebSocket message into one of them, or raises the
``Refusal`` whose ``error`` event the service sends. Fields that no struct names are ignored, as the service does.

Voice Live documents few error codes. Those it does not are the ones of the OpenAI Realtime protocol that it is
built upon.
"""

from __future__ import annotations

import base64
import itertools
import re
import secrets
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

JsonObject = dict[str, Any]
T = TypeVar("T")

MAX_APPEND_BYTES = 15 * 1024 * 1024
"""Voice Live: the most sound that one append may carry."""

_MOST_LEVELS = 64
_MOST_VALUES = 20_000


class Refusal(Exception):  # noqa: N818  the protocol's word for it is "error", and this is not a fault of ours
    """A client event that cannot be carried out; the session goes on.

    Args:
        message: One sentence for the developer of the client.
        code: The protocol's name for what is wrong.
        param: Which field is wrong.
        kind: The error's ``type``.
    """

    def __init__(self, message: str, code: str, param: str | None = None, kind: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.kind = kind
        self.event_id: str | None = None

    def as_error(self) -> JsonObject:
        """The ``error`` object of the server event."""
        return {
            "type": self.kind,
            "code": self.code,
            "message": self.message,
            "param": self.param,
            "event_id": self.event_id,
        }


class Unsupported(Refusal):
    """A part of Voice Live that the loopback service does not have (yet)."""

    def __init__(self, what: str, param: str | None = None) -> None:
        super().__init__(f"The loopback service does not support {what}.", "not_supported", param)


def snapshot(value: Any) -> Any:
    """A copy of JSON that shares nothing with ``value``; many times faster than ``copy.deepcopy``."""
    return msgspec.json.decode(msgspec.json.encode(value))


def new_id(prefix: str) -> str:
    """An id of the shape that the service uses, such as ``item_Cx0...``."""
    return f"{prefix}_{secrets.token_hex(11)}"


class ClientEvent(Struct, tag_field="type", kw_only=True):
    """What every client event has."""

    event_id: str | None = None


class SessionUpdate(ClientEvent, tag="session.update", kw_only=True):
    """Change the named fields of the session."""

    session: JsonObject


class AudioAppend(ClientEvent, tag="input_audio_buffer.append", kw_only=True):
    """More sound of the user, base64 in the session's input format."""

    audio: str


class AudioCommit(ClientEvent, tag="input_audio_buffer.commit", kw_only=True):
    """Make the buffered sound a user item."""


class AudioClear(ClientEvent, tag="input_audio_buffer.clear", kw_only=True):
    """Forget the buffered sound."""


class ItemCreate(ClientEvent, tag="conversation.item.create", kw_only=True):
    """Add an item to the conversation."""

    item: JsonObject
    previous_item_id: str | None = None


class ItemRetrieve(ClientEvent, tag="conversation.item.retrieve", kw_only=True):
    """Ask for an item."""

    item_id: str


class ItemTruncate(ClientEvent, tag="conversation.item.truncate", kw_only=True):
    """Say how much of an assistant item was heard."""

    item_id: str
    content_index: int
    audio_end_ms: int


class ItemDelete(ClientEvent, tag="conversation.item.delete", kw_only=True):
    """Remove an item."""

    item_id: str


class ResponseParams(Struct, omit_defaults=True):
    """The overrides that ``response.create`` may carry; unset ones come from the session."""

    commit: bool = True
    cancel_previous: bool | UnsetType = UNSET
    append_input_items: list[JsonObject] = msgspec.field(default_factory=list)
    input_items: list[JsonObject] | UnsetType | None = UNSET
    modalities: list[str] | UnsetType = UNSET
    instructions: str | UnsetType = UNSET
    voice: str | JsonObject | UnsetType = UNSET
    output_audio_format: str | UnsetType = UNSET
    tools: list[JsonObject] | UnsetType = UNSET
    tool_choice: str | JsonObject | UnsetType = UNSET
    temperature: float | UnsetType | None = UNSET
    max_output_tokens: int | str | UnsetType | None = UNSET
    pre_generated_assistant_message: JsonObject | UnsetType | None = UNSET
    reasoning_effort: str | UnsetType | None = UNSET
    metadata: dict[str, str] | None = None
    interim_response: JsonObject | UnsetType | None = UNSET
    invoke_input: JsonObject | UnsetType | None = UNSET


class ResponseCreate(ClientEvent, tag="response.create", kw_only=True):
    """Ask for an answer."""

    response: ResponseParams | None = None
    additional_instructions: str | None = None


class ResponseCancel(ClientEvent, tag="response.cancel", kw_only=True):
    """End the answer that is being made."""

    response_id: str | None = None


class OutputClear(ClientEvent, tag="output_audio_buffer.clear", kw_only=True):
    """Silence the avatar (Voice Live: avatar mode only)."""


class InputTextDelta(ClientEvent, tag="input_text.delta", kw_only=True):
    """A piece of typed text (undocumented)."""


class InputTextDone(ClientEvent, tag="input_text.done", kw_only=True):
    """The end of typed text (undocumented)."""


class AvatarConnect(ClientEvent, tag="session.avatar.connect", kw_only=True):
    """Begin the avatar's WebRTC."""


_EVENTS: dict[str, type[ClientEvent]] = {
    str(event.__struct_config__.tag): event for event in ClientEvent.__subclasses__()
}


def parse(message: str | bytes) -> ClientEvent:
    """The client event in a WebSocket message.

    Raises:
        Refusal: It is none that can be carried out; the message says why, in the service's words.
    """
    try:
        data = msgspec.json.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(f"The message is not valid JSON: {error}.", "invalid_json") from None
    if not isinstance(data, dict):
        raise Refusal("The message is not a JSON object.", "invalid_event")
    event_id = data.get("event_id")
    try:
        return _convert(data)
    except Refusal as refusal:
        refusal.event_id = event_id if isinstance(event_id, str) else None
        raise


def _convert(data: JsonObject) -> ClientEvent:
    name = data.get("type")
    if name is None:
        raise Refusal("Missing required parameter: 'type'.", "missing_required_parameter", "type")
    event = _EVENTS.get(name) if isinstance(name, str) else None
    if event is None:
        known = ", ".join(f"'{each}'" for each in _EVENTS)
        raise Refusal(f"Invalid value: {name!r}. Supported values are: {known}.", "invalid_value", "type")
    _check_shape(data)
    return convert(data, event)


def _check_shape(data: JsonObject) -> None:
    """Refuse what would take the service long to copy, or exceed its stack, on behalf of one client."""
    level: list[JsonObject | list[Any]] = [data]
    values = 0
    for _ in range(_MOST_LEVELS):
        values += sum(map(len, level))
        if values > _MOST_VALUES:
            break
        inner = itertools.chain.from_iterable(each.values() if isinstance(each, dict) else each for each in level)
        level = [value for value in inner if isinstance(value, dict | list)]
        if not level:
            return
    text = f"An event may hold {_MOST_VALUES} values in {_MOST_LEVELS} levels at most."
    raise Refusal(text, "invalid_event")


_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `(?:key in )?\$\.?(?P<place>.*)`)?$", re.DOTALL)
_MISSING = re.compile(r"missing required field `(?P<name>[^`]+)`")


def convert(data: Any, kind: type[T], param: str = "") -> T:
    """``data`` as a ``kind``.

    Args:
        data: Decoded JSON.
        kind: Any type that msgspec knows.
        param: The name of the field that ``data`` is the value of.

    Raises:
        Refusal: It is not of that kind; ``param`` leads to the field that is not.
    """
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), param) from None


def _refusal(text: str, param: str) -> Refusal:
    """Msgspec's words for what is wrong as the service's."""
    found = _PLACE.match(text)
    what, place = (found["what"], found["place"] or "") if found else (text, "")
    place = ".".join(part for part in (param, place) if part) or None
    missing = _MISSING.search(what)
    if missing:
        place = ".".join(part for part in (place, missing["name"]) if part)
        return Refusal(f"Missing required parameter: '{place}'.", "missing_required_parameter", place)
    code = "invalid_type" if ", got `" in what else "invalid_value"
    return Refusal(f"Invalid value for '{place}': {what[:1].lower()}{what[1:]}.", code, place)


def encode_audio(audio: bytes | bytearray) -> str:
    """Sound as the protocol carries it."""
    return base64.b64encode(audio).decode()
