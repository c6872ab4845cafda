"""The entries of the transcript, in conversation order, which differs from the order of arrival.

An item's place is given by `previous_item_id` in `conversation.item.created`; its words may come before that (cascade
models), and the user's words often come after the answer has begun (native models). So the first event that names an
item makes its entry, and the entry is moved once its place is known.
"""

from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from voicelive_tui.session.calls import Call


class EntryStatus(StrEnum):
    """The state of one line of the transcript."""

    LISTENING = "listening"  # the user is speaking, nothing recognised yet
    PARTIAL = "partial"
    DONE = "done"
    INTERRUPTED = "interrupted"  # generated further than it was heard
    FAILED = "failed"  # transcription or response failed; `note` says why


Role = Literal["user", "assistant", "system", "tool", "session"]
"""Of an entry; `session`: no item, but a remark of this program on the session."""


class Entry(Struct, frozen=True):
    """One line of the transcript: a conversation item."""

    item_id: str
    role: Role
    at: float
    """When an event first named it."""
    text: str = ""
    status: EntryStatus = EntryStatus.PARTIAL
    settled: tuple[int, int] = (-1, 0)
    """The last content part whose words are complete, and the characters of `text` up to its end."""
    follows: str = ""
    """The item before it in the conversation (`previous_item_id`), once known."""
    behind: tuple[str, ...] = ()
    """Ids of the items right after it that have no entry: outputs of functions, approvals."""
    response_id: str = ""
    audio_ms: float = 0.0
    """Milliseconds of its audio received so far."""
    audio_done: bool = False
    """No more of its audio will come."""
    heard_ms: float | None = None
    """Milliseconds that reached the speaker, once playback was interrupted or ended."""
    truncated_ms: int | None = None
    """`audio_end_ms` of the truncation sent or reported for it."""
    note: str = ""
    """Reason of a failure, or another remark."""
    typed: bool = False
    call: Call | None = None
    """Of an entry with the role `tool`."""
    done_at: float | None = None


Transcript = tuple[Entry, ...]

LONGEST = 100_000
"""Characters of one entry's words, arguments or output; the rest is left out, marked by an ellipsis."""
LIMIT, CHARACTERS = 1_000, 500_000
"""Entries, and their characters in all, beyond which the oldest are evicted: nine hours of talk."""

BEHIND = 32
"""Items without an entry that are remembered behind an entry."""


def find(transcript: Transcript, item_id: str) -> int:
    """The index of an item's entry, or -1. Searched from the end: events mostly concern the latest items."""
    for index in range(len(transcript) - 1, -1, -1):
        if transcript[index].item_id == item_id:
            return index
    return -1


def shown_at(transcript: Transcript, item_id: str) -> str:
    """The id of the entry of an item, or of the one that an item without an entry is behind."""
    return next((each.item_id for each in reversed(transcript) if item_id in (each.item_id, *each.behind)), item_id)


def put_behind(transcript: Transcript, item_id: str, previous_item_id: str) -> Transcript:
    """The transcript with the place noted of an item that has no entry."""
    before = find(transcript, shown_at(transcript, previous_item_id))
    if before < 0 or not item_id or shown_at(transcript, item_id) != item_id:
        return transcript
    entry = transcript[before]
    return change(transcript, entry.item_id, behind=(*entry.behind, item_id)[-BEHIND:])


def bounded(words: str) -> str:
    """A text with what is beyond `LONGEST` left out."""
    return words if len(words) <= LONGEST else words[:LONGEST] + "…"


def update(transcript: Transcript, item_id: str, role: Role, now: float, **changes: Any) -> Transcript:
    """The transcript with an item's entry changed; a new entry goes to the end."""
    if "text" in changes:
        changes["text"] = bounded(changes["text"])
    index = find(transcript, item_id)
    if index < 0:
        return (*transcript, replace(Entry(item_id, role, now), **changes))
    return (*transcript[:index], replace(transcript[index], **changes), *transcript[index + 1 :])


def change(transcript: Transcript, item_id: str, /, **changes: Any) -> Transcript:
    """The transcript with an item's entry changed, if there is one."""
    index = find(transcript, item_id)
    if index < 0:
        return transcript
    return (*transcript[:index], replace(transcript[index], **changes), *transcript[index + 1 :])


def place(transcript: Transcript, item_id: str, previous_item_id: str) -> Transcript:
    """The transcript with an item's entry moved right after its previous item.

    Where that is unknown (null for the first item, or not seen yet) it goes before the item known to follow it, and
    stays where it arrived if there is none. Items that follow it, but came earlier, are moved behind it.
    """
    if find(transcript, item_id) < 0 or item_id == previous_item_id:
        return transcript
    transcript = change(transcript, item_id, follows=previous_item_id)
    if find(transcript, previous_item_id) < 0:
        after = _follower(transcript, item_id)
        return _moved(transcript, item_id, find(transcript, after)) if after else transcript
    placed = {previous_item_id}  # guards against cycles in previous_item_id
    before: str | None = previous_item_id
    current: str | None = item_id
    while current and before:
        transcript = _moved(transcript, current, _behind(transcript, before))
        placed.add(current)
        follower = _follower(transcript, current)
        early = follower and follower not in placed and find(transcript, follower) < find(transcript, current)
        before, current = current, follower if early else None
    return transcript


def _behind(transcript: Transcript, item_id: str) -> int:
    """The index right after an item's entry, and after lines there of responses that have no item."""
    index = find(transcript, item_id) + 1
    while index < len(transcript) and transcript[index].item_id == transcript[index].response_id != "":
        index += 1
    return index


def _follower(transcript: Transcript, item_id: str) -> str:
    """The first item known to come right after this one, or ""."""
    return next((entry.item_id for entry in transcript if item_id and entry.follows == item_id), "")


def _moved(transcript: Transcript, item_id: str, to: int) -> Transcript:
    """The transcript with an entry moved before the one now at index `to`."""
    index = find(transcript, item_id)
    rest = (*transcript[:index], *transcript[index + 1 :])
    at = to - (index < to)
    return (*rest[:at], transcript[index], *rest[at:])


def surplus(transcript: Transcript) -> int:
    """Entries to evict: 0, or 10 % at once, because each eviction shifts every view."""
    if len(transcript) <= LIMIT and sum(map(_characters, transcript)) <= CHARACTERS:
        return 0
    return len(transcript) // 10


def _characters(entry: Entry) -> int:
    call = entry.call
    return len(entry.text) + (len(call.arguments) + len(call.output) if call else 0)


def remove(transcript: Transcript, item_id: str) -> Transcript:
    """The transcript without an item."""
    return tuple(entry for entry in transcript if entry.item_id != item_id)
