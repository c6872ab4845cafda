"""Keeping the transcript in the order of the conversation, which is not the order of arrival.

An item's place is told by `previous_item_id` in `conversation.item.created`; its words may come before that (cascade
models), and the user's words often come after the answer has begun (native models). So an entry may be made by
whichever event names its item first, and is moved to its place once that is known.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from voicelive_tui.session.state import Entry

Transcript = tuple[Entry, ...]
Role = Literal["user", "assistant", "system", "tool"]


def find(transcript: Transcript, item_id: str) -> int:
    """Where an item's entry stands, or -1. Looked for from the end: events mostly concern the latest items."""
    for index in range(len(transcript) - 1, -1, -1):
        if transcript[index].item_id == item_id:
            return index
    return -1


def update(transcript: Transcript, item_id: str, role: Role, now: float, **changes: Any) -> Transcript:
    """The transcript with an item's entry changed, made at the end where there was none."""
    index = find(transcript, item_id)
    if index < 0:
        return (*transcript, replace(Entry(item_id, role, now), **changes))
    return (*transcript[:index], replace(transcript[index], **changes), *transcript[index + 1 :])


def change(transcript: Transcript, item_id: str, how: Callable[[Entry], Entry]) -> Transcript:
    """The transcript with an item's entry passed through `how`; the same transcript where there is none."""
    index = find(transcript, item_id)
    if index < 0:
        return transcript
    return (*transcript[:index], how(transcript[index]), *transcript[index + 1 :])


def place(transcript: Transcript, item_id: str, previous_item_id: str) -> Transcript:
    """The transcript with an item's entry where the conversation has it: right after the previous item.

    Where that is unknown (null for the first item, or never seen) it stays where it arrived.
    """
    index, previous = find(transcript, item_id), find(transcript, previous_item_id)
    if index < 0:
        return transcript
    entry = replace(transcript[index], placed=True)
    rest = (*transcript[:index], *transcript[index + 1 :])
    at = find(rest, previous_item_id) + 1 if previous >= 0 and previous_item_id != item_id else index
    return (*rest[:at], entry, *rest[at:])


def remove(transcript: Transcript, item_id: str) -> Transcript:
    """The transcript without an item."""
    return tuple(entry for entry in transcript if entry.item_id != item_id)
