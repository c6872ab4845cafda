"""The items of a conversation, in order, and what may be done to them.

``Conversation`` owns its items; the response under way writes into the one item that it is making.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

from voicelive_tui.loopback.formats import AudioFormat
from voicelive_tui.loopback.protocol import JsonObject, Refusal, Unsupported, convert, new_id

ROOT = "root"
"""The ``previous_item_id`` that means: before every other item."""

_USER_TOKENS_A_SECOND = 10  # Voice Live: about 10 a second in ...
_ASSISTANT_TOKENS_A_SECOND = 20  # ... and 20 a second out
_IMAGE_TOKENS = 85


@dataclass(frozen=True, slots=True)
class Tokens:
    """A count by kind, by the service's rules of thumb: 4 characters a token, 10 or 20 tokens a second."""

    text: int = 0
    audio: int = 0
    image: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.text + other.text, self.audio + other.audio, self.image + other.image)

    @property
    def total(self) -> int:
        """All kinds together."""
        return self.text + self.audio + self.image


def text_tokens(text: str) -> int:
    """About how many tokens a text has."""
    return -(-len(text) // 4)


def audio_tokens(milliseconds: int) -> int:
    """About how many tokens an answer's sound has."""
    return -(-milliseconds * _ASSISTANT_TOKENS_A_SECOND // 1000)


@dataclass(slots=True, eq=False)
class Item:
    """One item.

    Attributes:
        json: As the protocol shows it.
        audio: Its sound as it went over the wire.
        form: How that sound is coded.
    """

    json: JsonObject
    audio: bytearray = field(default_factory=bytearray)
    form: AudioFormat = field(default_factory=lambda: AudioFormat("pcm16", 24_000))

    @property
    def id(self) -> str:
        """The item's id."""
        return str(self.json["id"])

    @property
    def type(self) -> str:
        """The item's type, such as ``message``."""
        return str(self.json["type"])

    @property
    def role(self) -> str | None:
        """Whose message it is."""
        return self.json.get("role")

    @property
    def audio_ms(self) -> int:
        """How long its sound lasts."""
        return self.form.milliseconds(len(self.audio))

    @property
    def text(self) -> str:
        """All its words."""
        if self.type == "message":
            parts = self.json["content"]
            return " ".join(filter(None, (part.get("text") or part.get("transcript") for part in parts)))
        return " ".join(str(self.json.get(name) or "") for name in ("name", "arguments", "output")).strip()

    @property
    def tokens(self) -> Tokens:
        """What the item costs as input."""
        images = 0
        if self.type == "message":
            images = sum(part["type"] == "input_image" for part in self.json["content"])
        rate = _ASSISTANT_TOKENS_A_SECOND if self.role == "assistant" else _USER_TOKENS_A_SECOND
        # The words of spoken user items are not part of what the model gets.
        spoken = self.role == "user" and self.audio
        text = 0 if spoken else text_tokens(self.text)
        return Tokens(text, -(-self.audio_ms * rate // 1000), images * _IMAGE_TOKENS)


class Conversation:
    """The items in order."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._by_id: dict[str, Item] = {}

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    @property
    def last(self) -> Item | None:
        """The newest item."""
        return self._items[-1] if self._items else None

    def get(self, item_id: str, action: str) -> Item:
        """The item with that id.

        Raises:
            Refusal: There is none; ``action`` names in its code what was wanted of it.
        """
        if item_id not in self._by_id:
            text = f"Item with item_id '{item_id}' not found."
            raise Refusal(text, f"item_{action}_invalid_item_id", "item_id")
        return self._by_id[item_id]

    def has_call(self, call_id: str) -> bool:
        """Whether some function call has that id."""
        return any(item.type == "function_call" and item.json["call_id"] == call_id for item in self._items)

    def add(self, item: Item, after: str | None = None) -> str | None:
        """Insert an item, at the end unless ``after`` says otherwise.

        Returns:
            The id of the item before it.

        Raises:
            Refusal: There is no item ``after``, or one of this id exists already.
        """
        if item.id in self._by_id:
            raise Refusal(f"An item with id '{item.id}' exists already.", "duplicate_item_id", "item.id")
        place = len(self._items)
        if after == ROOT:
            place = 0
        elif after:
            if after not in self._by_id:
                text = f"Previous item with id '{after}' not found."
                raise Refusal(text, "item_create_invalid_previous_item_id", "previous_item_id")
            place = self._items.index(self._by_id[after]) + 1
        self._items.insert(place, item)
        self._by_id[item.id] = item
        return self._items[place - 1].id if place else None

    def remove(self, item_id: str) -> None:
        """Take an item out.

        Raises:
            Refusal: There is none of that id.
        """
        self._items.remove(self.get(item_id, "delete"))
        del self._by_id[item_id]

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> None:
        """Cut an assistant's spoken item to what was heard; its transcript goes.

        Raises:
            Refusal: There is none of that id, it has no such sound, or it is shorter than that.
        """
        item = self.get(item_id, "truncate")
        parts = item.json.get("content") or []
        if item.role != "assistant" or not 0 <= content_index < len(parts):
            text = "Only the sound of assistant messages can be truncated."
            raise Refusal(text, "item_truncate_invalid_item", "item_id")
        if parts[content_index]["type"] != "audio":
            raise Refusal("This content part has no sound.", "item_truncate_invalid_item", "content_index")
        if audio_end_ms < 0 or audio_end_ms > item.audio_ms:
            text = f"Audio content of {item.audio_ms}ms is already shorter than {audio_end_ms}ms"
            raise Refusal(text, "invalid_value", "audio_end_ms")
        del item.audio[item.form.size(audio_end_ms) :]
        parts[content_index]["transcript"] = None


class _Part(Struct):
    type: Literal["input_text", "input_audio", "input_image", "text", "output_text"]
    text: str | None = None
    audio: str | None = None
    transcript: str | None = None
    image_url: str | None = None


class _Message(Struct):
    role: Literal["user", "system", "assistant"]
    content: list[_Part]
    id: str | None = None


class _Call(Struct):
    name: str
    call_id: str
    arguments: str
    id: str | None = None


class _CallOutput(Struct):
    call_id: str
    output: str
    id: str | None = None


_KINDS: dict[str, type[_Message | _Call | _CallOutput]] = {
    "message": _Message,
    "function_call": _Call,
    "function_call_output": _CallOutput,
}
_NEEDS = {
    "input_text": "text",
    "text": "text",
    "output_text": "text",
    "input_audio": "audio",
    "input_image": "image_url",
}


def read_item(given: JsonObject, form: AudioFormat, where: str = "item") -> Item:
    """A client's item as one of ours.

    Args:
        given: The item of the client event.
        form: How its sound is coded.
        where: The name of the field it is in, for the error.

    Raises:
        Refusal: It cannot be one.
    """
    name = given.get("type")
    if not isinstance(name, str):
        text = f"Missing required parameter: '{where}.type'."
        raise Refusal(text, "missing_required_parameter", f"{where}.type")
    if name.startswith("mcp_"):
        raise Unsupported(f"items of type {name!r}", f"{where}.type")
    if name not in _KINDS:
        text = f"Invalid value: {name!r}. Supported values are: {', '.join(map(repr, _KINDS))}."
        raise Refusal(text, "invalid_value", f"{where}.type")
    item = convert(given, _KINDS[name], where)
    item_id = item.id or new_id("item")
    shown: JsonObject = {"id": item_id, "object": "realtime.item", "type": name}
    if isinstance(item, _Call):
        call = {"name": item.name, "call_id": item.call_id, "arguments": item.arguments}
        return Item(shown | call | {"status": "completed"})
    if isinstance(item, _CallOutput):
        return Item(shown | {"call_id": item.call_id, "output": item.output})
    audio = bytearray()
    content = [_read_part(part, audio, f"{where}.content[{n}]") for n, part in enumerate(item.content)]
    if len(audio) % form.frame_bytes:
        raise Refusal("The audio does not hold whole frames.", "invalid_value", f"{where}.content")
    return Item(shown | {"status": "completed", "role": item.role, "content": content}, audio, form)


def _read_part(part: _Part, audio: bytearray, where: str) -> JsonObject:
    needed = _NEEDS[part.type]
    if getattr(part, needed) is None:
        place = f"{where}.{needed}"
        raise Refusal(f"Missing required parameter: '{place}'.", "missing_required_parameter", place)
    if part.type == "input_audio":
        audio += decode_base64(part.audio or "", f"{where}.audio")
        return {"type": "input_audio", "transcript": part.transcript}
    if part.type == "input_image":
        return {"type": "input_image", "image_url": part.image_url}
    # Seen of the service: output_text is taken, and shown as text.
    return {"type": "text" if part.type == "output_text" else part.type, "text": part.text}


def decode_base64(text: str, where: str) -> bytes:
    """The bytes of a base64 field.

    Raises:
        Refusal: It is not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise not_base64(where) from None


def not_base64(where: str) -> Refusal:
    """What to raise for a field that is no base64."""
    return Refusal(f"Invalid '{where}': expected base64-encoded audio.", "invalid_value", where)
