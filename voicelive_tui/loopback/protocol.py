"""Client events, and the ids and errors that answer them.

Client events are msgspec structs. `parse` turns the text of a WebSocket message into one, or raises the `Refusal`
whose `error` event the service sends. Unknown fields are ignored, as the service does.

Voice Live documents few error codes; the others here are those of the OpenAI Realtime protocol that it builds upon.
"""

import base64
import itertools
import re
import secrets
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from voicelive_tui.loopback.formats import OutputFormat

JsonObject = dict[str, Any]
T = TypeVar("T")

Note = Callable[[str, str, JsonObject], None]
"""Reports what happens in a session to its owner: a kind, a sentence, and data."""

MaxTokens = Annotated[int, Meta(ge=1, le=4096)] | Literal["inf"]
Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]], Meta(max_length=16)
]

MAX_APPEND_BYTES = 15 * 1024 * 1024
"""The most audio that one append may carry (Voice Live's documented limit)."""

_MAX_LEVELS = 64
_MAX_VALUES = 20_000


class Refusal(Exception):  # noqa: N818  the protocol calls it "error", and it is not an error of this program
    """A client event that cannot be carried out; whatever reads a client's fields may raise it. The session goes on.

    Args:
        message: One sentence for the developer of the client.
        code: The protocol's name for the error.
        param: The path of the wrong field.
        fatal: Whether every later client event is refused in the same way.
    """

    def __init__(self, message: str, code: str, param: str | None = None, *, fatal: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.fatal = fatal
        self.event_id: str | None = None

    def as_error(self) -> JsonObject:
        return {
            "type": "invalid_request_error",
            "code": self.code,
            "message": self.message,
            "param": self.param,
            "event_id": self.event_id,
        }


def unsupported(what: str, param: str | None = None) -> Refusal:
    """The refusal of a part of Voice Live that the loopback service does not have."""
    return Refusal(f"The loopback service does not support {what}.", "not_supported", param)


def missing(param: str) -> Refusal:
    """The refusal of an event that lacks a field."""
    return Refusal(f"Missing required parameter: '{param}'.", "missing_required_parameter", param)


def unknown_value(value: Any, known: Iterable[Any], param: str) -> Refusal:
    """The refusal of a value that is none of those `known`, in the words of OpenAI's protocol."""
    *others, last = map(repr, known)
    joint = ", and " if len(others) > 1 else " and " if others else ""
    text = f"Invalid value: {value!r}. Supported values are: {', '.join(others)}{joint}{last}."
    return Refusal(text, "invalid_value", param)


def snapshot(value: Any) -> Any:
    """A copy of JSON that shares nothing with `value`; many times faster than `copy.deepcopy`."""
    return msgspec.json.decode(msgspec.json.encode(value))


def new_id(prefix: str) -> str:
    """An id of the shape that the service uses, such as `item_3f0c...`."""
    return f"{prefix}_{secrets.token_hex(11)}"


class ClientEvent(Struct, tag_field="type", kw_only=True):
    """The fields of every client event."""

    event_id: str | None = None


class SessionUpdate(ClientEvent, tag="session.update"):
    session: JsonObject


class AudioAppend(ClientEvent, tag="input_audio_buffer.append"):
    audio: str


class AudioCommit(ClientEvent, tag="input_audio_buffer.commit"):
    """Turns the buffered audio into a user item."""


class AudioClear(ClientEvent, tag="input_audio_buffer.clear"):
    """Drops the buffered audio."""


class StreamClear(ClientEvent, tag="input_audio.clear"):
    """Drops the audio that is in no turn yet."""


class TurnStart(ClientEvent, tag="input_audio.turn.start"):
    turn_id: str


class TurnAppend(ClientEvent, tag="input_audio.turn.append"):
    turn_id: str
    audio: str


class TurnEnd(ClientEvent, tag="input_audio.turn.end"):
    turn_id: str


class TurnCancel(ClientEvent, tag="input_audio.turn.cancel"):
    turn_id: str


class ItemCreate(ClientEvent, tag="conversation.item.create"):
    item: JsonObject
    previous_item_id: str | None = None


class ItemRetrieve(ClientEvent, tag="conversation.item.retrieve"):
    item_id: str


class ItemTruncate(ClientEvent, tag="conversation.item.truncate"):
    item_id: str
    content_index: int
    audio_end_ms: int


class ItemDelete(ClientEvent, tag="conversation.item.delete"):
    item_id: str


class ResponseParams(Struct):
    """The overrides that `response.create` may carry; unset ones come from the session."""

    commit: bool = True
    cancel_previous: bool | UnsetType = UNSET
    append_input_items: list[JsonObject] = msgspec.field(default_factory=list)
    input_items: list[JsonObject] | UnsetType = UNSET
    modalities: list[Literal["text", "audio"]] | UnsetType = UNSET
    instructions: str | UnsetType = UNSET
    voice: str | JsonObject | UnsetType = UNSET
    output_audio_format: OutputFormat | UnsetType = UNSET
    tools: list[JsonObject] | UnsetType = UNSET
    tool_choice: str | JsonObject | UnsetType = UNSET
    temperature: float | UnsetType = UNSET
    max_output_tokens: MaxTokens | UnsetType = UNSET
    pre_generated_assistant_message: JsonObject | UnsetType = UNSET
    reasoning_effort: str | UnsetType = UNSET
    metadata: Metadata | UnsetType = UNSET
    interim_response: JsonObject | UnsetType = UNSET
    invoke_input: JsonObject | UnsetType = UNSET


class ResponseCreate(ClientEvent, tag="response.create"):
    """Asks for a response; the overrides are read by `convert` once nulls are gone."""

    response: JsonObject | None = None
    additional_instructions: str | None = None


class ResponseCancel(ClientEvent, tag="response.cancel"):
    response_id: str | None = None


_EVENTS: dict[str, type[ClientEvent]] = {
    str(event.__struct_config__.tag): event for event in ClientEvent.__subclasses__()
}
_UNSUPPORTED = ("output_audio_buffer.clear", "input_text.delta", "input_text.done", "session.avatar.connect")


def parse(message: str | bytes) -> ClientEvent:
    """The client event in a WebSocket message, or a `Refusal` in the service's words."""
    try:
        data = msgspec.json.decode(message)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Refusal(f"The message is not valid JSON: {error}.", "invalid_json") from None
    if not isinstance(data, dict):
        raise Refusal("The message is not a JSON object.", "invalid_event")
    event_id = data.get("event_id")
    try:
        return _client_event(data)
    except Refusal as refusal:
        refusal.event_id = event_id if isinstance(event_id, str) else None
        raise


def _client_event(data: JsonObject) -> ClientEvent:
    name = data.get("type")
    if name is None:
        raise missing("type")
    if name in _UNSUPPORTED:
        raise unsupported(f"the event {name!r}", "type")
    event = _EVENTS.get(name) if isinstance(name, str) else None
    if event is None:
        raise unknown_value(name, _EVENTS, "type")
    _check_shape(data)
    return convert(data, event)


def _check_shape(data: JsonObject) -> None:
    """Refuse JSON that would take long to copy, or exceed the stack when it is encoded."""
    level: list[JsonObject | list[Any]] = [data]
    values = 0
    for _ in range(_MAX_LEVELS):
        values += sum(map(len, level))
        if values > _MAX_VALUES:
            break
        inner = itertools.chain.from_iterable(each.values() if isinstance(each, dict) else each for each in level)
        level = [value for value in inner if isinstance(value, dict | list)]
        if not level:
            return
    raise Refusal(f"An event may hold {_MAX_VALUES} values in {_MAX_LEVELS} levels at most.", "invalid_event")


_PLACE = re.compile(r"(?P<what>.*?)(?: - at `(?:key in )?\$\.?(?P<place>.*)`)?", re.DOTALL)
_MISSING = re.compile(r"missing required field `(?P<name>[^`]+)`")


def what_and_where(error: msgspec.ValidationError) -> tuple[str, str]:
    """The parts of msgspec's error text, such as `expected int, got str` and `reply[0].turn`; it has no other form."""
    found = _PLACE.fullmatch(str(error))
    what, place = (found["what"], found["place"] or "") if found else (str(error), "")
    return what[:1].lower() + what[1:], place


def convert(data: Any, kind: type[T], param: str = "") -> T:
    """Decoded JSON as a `kind`; `param` is the path of the field that holds it, and begins that of a `Refusal`."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        what, place = what_and_where(error)
    absent = _MISSING.search(what)
    path = ".".join(part for part in (param, place, absent["name"] if absent else "") if part)
    if absent:
        raise missing(path)
    code = "invalid_type" if ", got `" in what else "invalid_value"
    raise Refusal(f"Invalid value for '{path}': {what}.", code, path or None)


def check_tools(tools: list[JsonObject], where: str) -> None:
    """Refuse tools other than functions with a name, and MCP servers with a label and a URL."""
    for index, tool in enumerate(tools):
        names = {"function": ("name",), "mcp": ("server_label", "server_url")}.get(str(tool.get("type")))
        if names is None:
            raise unsupported(f"tools of type {tool.get('type')!r}", f"{where}.tools[{index}]")
        for name in names:
            if not isinstance(tool.get(name), str) or not tool[name]:
                raise missing(f"{where}.tools[{index}].{name}")


def encode_audio(audio: bytes | bytearray) -> str:
    """Audio as the protocol carries it: base64."""
    return base64.b64encode(audio).decode()


def decode_audio(text: str, param: str) -> bytes:
    """The bytes of a base64 field."""
    try:
        return msgspec.convert(text, bytes)  # as strict as `base64`, and three times as fast
    except msgspec.ValidationError:
        raise not_base64(param) from None


def not_base64(param: str) -> Refusal:
    """The refusal of a field that is not base64."""
    return Refusal(f"Invalid '{param}': expected base64-encoded audio.", "invalid_value", param)
