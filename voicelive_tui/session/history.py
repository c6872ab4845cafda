"""The conversation so far as client events, for a session that continues a lost one.

What the user said goes as `input_text` and what the assistant said as `text`, as far as it was heard: assistant sound
cannot be created (protocol, section 2.2). A function call goes with its output, or not at all.

Items are sent one after another without `previous_item_id`: each is appended, so the refusal of one does not
affect those after it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from voicelive_tui.session.latency import Turn
from voicelive_tui.session.reading import Reading
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.transcript import Entry, EntryStatus
from voicelive_tui.wire.events import listing

TURNS, TOKENS = 40, 8_000
"""Limits of what is sent; the oldest is left out."""
TOKEN_CHARACTERS = 4
"""Characters of a token: an estimate."""
LONGEST_ID = 32
"""Characters of an id that the service accepts from a client."""
MS_PER_CHARACTER = 60.0
"""Speech at about 16 characters a second."""
READING_SECONDS = 2.0
"""Of words that have no sound."""

Item = Mapping[str, Any]


class History(NamedTuple):
    """The conversation as a new session gets it."""

    items: tuple[tuple[str, Item], ...] = ()
    """The id of an entry of the transcript, and the `item` of a `conversation.item.create`."""
    turns: int = 0
    """Turns of the user among them."""
    tokens: int = 0
    """Their size: an estimate."""
    wordless: int = 0
    """Turns of the user that were not transcribed, and are left out."""


def history(state: SessionState) -> History:
    """The conversation since the model last started without a history, within the limits."""
    if state.connection.agent:  # the service keeps its conversation
        return History()
    items: list[tuple[str, Item]] = []
    turns = characters = wordless = 0
    for entry in reversed(state.transcript):
        if entry.at < state.fresh_at:
            break
        spoken = entry.role == "user"
        new = () if _never_sounded(entry, state) else _items(entry)
        size = sum(_size(item) for item in new)
        if characters + size > TOKENS * TOKEN_CHARACTERS or (spoken and turns + wordless == TURNS):
            break
        items += [(entry.item_id, item) for item in reversed(new)]
        characters += size
        turns += spoken and bool(new)
        wordless += spoken and not new and entry.status is not EntryStatus.LISTENING
    return History(tuple(reversed(items)), turns, -(-characters // TOKEN_CHARACTERS), wordless)


def _never_sounded(entry: Entry, state: SessionState) -> bool:
    """Whether an answer in sound failed with its session before its first sound."""
    in_sound = "audio" in listing(state.wanted.get("modalities"))
    return entry.role == "assistant" and entry.status is EntryStatus.FAILED and not entry.audio_ms and in_sound


def _items(entry: Entry) -> tuple[Item, ...]:
    """The items that an entry becomes, none where it has no words."""
    names = {"id": entry.item_id} if len(entry.item_id) <= LONGEST_ID else {}
    if entry.role == "tool":
        call = entry.call
        ended = call and call.call_id and call.ended_at is not None and call.ended != "cancelled"
        return call_items(entry) if ended else ()
    words = entry.text
    if entry.role == "assistant":
        # All sound that arrived is played to its end, even after the loss.
        heard = heard_characters(entry, Reading(heard_item=entry.item_id, heard_ms=entry.audio_ms))
        words = words[:heard]
    if entry.role == "session" or not words.strip():
        return ()
    part = {"type": "text" if entry.role == "assistant" else "input_text", "text": words.strip()}
    return ({"type": "message", **names, "role": entry.role, "content": [part]},)


def call_items(entry: Entry) -> tuple[Item, Item]:
    """The items of a function's call and of its output."""
    call = entry.call
    assert call is not None
    names = {"id": entry.item_id} if len(entry.item_id) <= LONGEST_ID else {}
    made = {"call_id": call.call_id, "name": call.name, "arguments": call.arguments}
    output = {"type": "function_call_output", "call_id": call.call_id, "output": call.output}
    return {"type": "function_call", **names, **made}, output


def _size(item: Item) -> int:
    """Characters of an item that the model reads."""
    texts = (item.get("name", ""), item.get("arguments", ""), item.get("output", ""))
    return sum(map(len, texts)) + sum(len(part["text"]) for part in item.get("content", ()))


def heard_characters(entry: Entry, reading: Reading) -> int | None:
    """How many characters of an entry were heard, up to the end of a word; None for one that has no sound to hear.

    The service does not say when each word sounds, so this is an estimate: the share of the item's sound that was heard
    is taken as the share of its characters. While an item is still being generated its words are ahead of its sound,
    and its length is estimated from its characters at `MS_PER_CHARACTER`.
    """
    if entry.role != "assistant" or not entry.audio_ms:
        return None if entry.heard_ms is None else 0
    if entry.heard_ms is not None:
        heard = entry.heard_ms
    else:
        heard = reading.heard_ms if reading.heard_item == entry.item_id else 0.0
    length = entry.audio_ms
    whole = entry.done_at is not None and entry.status is not EntryStatus.FAILED  # else more words came than sound
    if not whole:
        length = max(length, len(entry.text) * MS_PER_CHARACTER)
    if heard >= length - 1 and whole:
        return len(entry.text)
    at = min(int(len(entry.text) * heard / length), len(entry.text))
    while 0 < at < len(entry.text) and not entry.text[at - 1].isspace():
        at += 1
    return at


def spoken(entry: Entry, turn: Turn | None) -> tuple[float, float]:
    """When an entry of a turn was said: begin and end."""
    if entry.role == "user":
        start = (turn and turn.speech_started_at) or entry.at
        end = (turn and turn.speech_stopped_at) or start + READING_SECONDS
    else:
        start = (turn and turn.heard_at) or entry.at
        milliseconds = entry.audio_ms if entry.heard_ms is None else entry.heard_ms
        end = start + (milliseconds / 1000 or READING_SECONDS)
    return start, max(end, start + 0.1)


def owes_answer(state: SessionState) -> bool:
    """Whether calls of tools await their answer, or the latest turn: complete, known in words, nothing answered."""
    if any(call.due_at is not None for _, call in state.open_calls):
        return True
    turn = state.turn
    if turn is None or turn.response_id or turn.began_by == "service" or state.fresh_at > (turn.ended_speaking_at or 0):
        return False
    if turn.began_by == "text":
        return True
    entry = state.entry(turn.item_id)
    return turn.committed_at is not None and entry is not None and bool(entry.text)
