"""The items of a conversation, in order, and the operations on them.

`Conversation` owns its items; the active response writes into the one item that it is making.
"""

from collections.abc import Iterator
from typing import Any, Literal, Self

from msgspec import Struct, field
from msgspec.structs import asdict

from voicelive_tui.loopback.formats import OUTPUT_FORMATS, AudioFormat
from voicelive_tui.loopback.protocol import JsonObject, Refusal, convert, decode_audio, missing, new_id, unknown_value

ROOT = "root"
"""The `previous_item_id` that places an item before all others."""

_USER_TOKENS_PER_SECOND = 10  # Voice Live: about 10 a second in ...
_ASSISTANT_TOKENS_PER_SECOND = 20  # ... and 20 a second out
_IMAGE_TOKENS = 85

MAX_AUDIO_BYTES = 4 * 1024 * 1024
"""The audio that a conversation keeps for `conversation.item.retrieve`: 87 s at 24 kHz."""


class Tokens(Struct, frozen=True):
    """A count by kind, by the service's rules of thumb: 4 characters a token, 10 or 20 tokens a second."""

    text: int = 0
    audio: int = 0
    image: int = 0

    def __add__(self, other: Self) -> "Tokens":
        return Tokens(self.text + other.text, self.audio + other.audio, self.image + other.image)

    @property
    def total(self) -> int:
        return self.text + self.audio + self.image


def shown_item(kind: str, item_id: str, **fields: Any) -> JsonObject:
    """An item as the protocol shows it."""
    return {"id": item_id, "object": "realtime.item", "type": kind, **fields}


def text_tokens(text: str) -> int:
    """The approximate number of tokens in a text."""
    return -(-len(text) // 4)


def audio_tokens(milliseconds: int, per_second: int = _ASSISTANT_TOKENS_PER_SECOND) -> int:
    """The approximate number of tokens in audio, by default that of an answer."""
    return -(-milliseconds * per_second // 1000)


class Item(Struct, eq=False):
    """One item: its JSON as the protocol shows it, its audio as it went over the wire, and that audio's format."""

    json: JsonObject
    audio: bytearray = field(default_factory=bytearray)
    fmt: AudioFormat = OUTPUT_FORMATS["pcm16"]
    dropped: int = 0
    """The bytes of audio that are no longer kept."""

    @property
    def id(self) -> str:
        return str(self.json["id"])

    @property
    def type(self) -> str:
        return str(self.json["type"])

    @property
    def is_mcp(self) -> bool:
        """Whether it belongs to a call of an MCP tool, or lists such tools."""
        return self.type.startswith("mcp_")

    @property
    def role(self) -> str | None:
        """The author of a message: `user`, `assistant` or `system`."""
        return self.json.get("role")

    @property
    def audio_ms(self) -> int:
        return self.fmt.milliseconds(self.dropped + len(self.audio))

    def drop_audio(self) -> None:
        """Free its audio; its duration stays known."""
        self.dropped += len(self.audio)
        self.audio = bytearray()

    def truncate(self, milliseconds: int) -> None:
        """Shorten its audio, which is at least that long."""
        size = self.fmt.size(milliseconds)
        self.dropped = min(self.dropped, size)
        del self.audio[size - self.dropped :]

    @property
    def text(self) -> str:
        """Its text, transcripts included."""
        if self.type == "message":
            parts = self.json["content"]
            return " ".join(filter(None, (part.get("text") or part.get("transcript") for part in parts)))
        return " ".join(str(self.json.get(name) or "") for name in ("name", "arguments", "output")).strip()

    @property
    def tokens(self) -> Tokens:
        """Its cost as input of the model."""
        images = 0
        if self.type == "message":
            images = sum(part["type"] == "input_image" for part in self.json["content"])
        rate = _ASSISTANT_TOKENS_PER_SECOND if self.role == "assistant" else _USER_TOKENS_PER_SECOND
        # The model gets spoken user items as audio, without their transcript.
        spoken = self.role == "user" and self.audio_ms
        text = 0 if spoken else text_tokens(self.text)
        return Tokens(text, audio_tokens(self.audio_ms, rate), images * _IMAGE_TOKENS)


class Conversation:
    """The items in order. Beyond `MAX_AUDIO_BYTES` the oldest items lose their audio; the newest keeps it."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._by_id: dict[str, Item] = {}

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def get(self, item_id: str, action: str) -> Item:
        """The item with that id; without one, the code of the `Refusal` contains the `action`."""
        if item_id not in self._by_id:
            text = f"Item with item_id '{item_id}' not found."
            raise Refusal(text, f"item_{action}_invalid_item_id", "item_id")
        return self._by_id[item_id]

    def has_call(self, call_id: str) -> bool:
        return any(item.type == "function_call" and item.json["call_id"] == call_id for item in self._items)

    def add(self, item: Item, after: str | None = None) -> str | None:
        """Add an item after the one with the id `after`: at the start for `ROOT`, at the end for None.

        Returns the id of the item before it, if any. Raises `Refusal` where there is no item `after`, or one with this
        id already.
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
        self._limit_audio()
        return self._items[place - 1].id if place else None

    def _limit_audio(self) -> None:
        surplus = sum(len(item.audio) for item in self._items) - MAX_AUDIO_BYTES
        for item in self._items[:-1]:
            if surplus <= 0:
                break
            surplus -= len(item.audio)
            item.drop_audio()

    def remove(self, item_id: str) -> None:
        self._items.remove(self.get(item_id, "delete"))
        del self._by_id[item_id]

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> None:
        """Shorten an assistant's spoken item to the part that was heard, and drop its transcript."""
        item = self.get(item_id, "truncate")
        parts = item.json.get("content") or []
        if item.role != "assistant" or not 0 <= content_index < len(parts):
            text = "Only the audio of assistant messages can be truncated."
            raise Refusal(text, "item_truncate_invalid_item", "item_id")
        if parts[content_index]["type"] != "audio":
            raise Refusal("Only audio content can be truncated.", "unsupported_content_type", "content_index")
        if audio_end_ms < 0 or audio_end_ms > item.audio_ms:
            text = f"Audio content of {item.audio_ms}ms is already shorter than {audio_end_ms}ms"
            raise Refusal(text, "invalid_value", "audio_end_ms")
        item.truncate(audio_end_ms)
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


class _Approval(Struct):
    approval_request_id: str
    approve: bool
    reason: str | None = None
    id: str | None = None


_KINDS: dict[str, type[_Message | _Call | _CallOutput | _Approval]] = {
    "message": _Message,
    "function_call": _Call,
    "function_call_output": _CallOutput,
    "mcp_approval_response": _Approval,
}
_REQUIRED = {"input_audio": "audio", "input_image": "image_url"}  # by the part's type; else its text


def read_item(given: JsonObject, fmt: AudioFormat, where: str = "item") -> Item:
    """The item in the field `where` of a client event."""
    name = given.get("type")
    if not isinstance(name, str):
        raise missing(f"{where}.type")
    if name not in _KINDS:
        raise unknown_value(name, _KINDS, f"{where}.type")
    item = convert(given, _KINDS[name], where)
    item.id = item.id or new_id("item")
    if not isinstance(item, _Message):
        status = {"status": "completed"} if isinstance(item, _Call) else {}
        return Item(shown_item(name, item.id) | asdict(item) | status)
    audio = bytearray()
    content = [_read_part(part, audio, f"{where}.content[{n}]") for n, part in enumerate(item.content)]
    if len(audio) % fmt.sample_bytes:
        raise Refusal("The audio ends within a sample.", "invalid_value", f"{where}.content")
    return Item(shown_item("message", item.id, status="completed", role=item.role, content=content), audio, fmt)


def read_items(given: list[JsonObject], fmt: AudioFormat, where: str) -> list[Item]:
    """The items of a list, as `read_item` reads each."""
    return [read_item(item, fmt, f"{where}[{index}]") for index, item in enumerate(given)]


def _read_part(part: _Part, audio: bytearray, where: str) -> JsonObject:
    required = _REQUIRED.get(part.type, "text")
    if getattr(part, required) is None:
        raise missing(f"{where}.{required}")
    if part.type == "input_audio":
        audio += decode_audio(part.audio or "", f"{where}.audio")
        return {"type": "input_audio", "transcript": part.transcript}
    if part.type == "input_image":
        return {"type": "input_image", "image_url": part.image_url}
    # Recorded from the service: output_text is accepted, and shown as text.
    return {"type": "text" if part.type == "output_text" else part.type, "text": part.text}
