"""Surgery on the conversation: delete an item, insert one, ask again, branch.

Each of the first three is one client event; the call of a function has two items, deleted together. The answer
(`conversation.item.deleted`, `conversation.item.created`, or an `error` with its event id) changes the transcript. A
branch is a new session that gets the history up to an entry: its items are entries of their own, below a rule, so that
all above stays as it was.
"""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from msgspec.structs import replace

from voicelive_tui.session import inputs, tools, turns
from voicelive_tui.session.barge_in import interrupt
from voicelive_tui.session.history import history
from voicelive_tui.session.notes import NOT_CONNECTED, is_rule, note, remark
from voicelive_tui.session.state import RECENT, InputHandler, Request, SessionState
from voicelive_tui.session.transcript import Entry, EntryStatus, Transcript, find
from voicelive_tui.wire.events import mapping, text

Role = Literal["user", "system", "assistant"]
"""Of an inserted message."""
ROLES: tuple[Role, ...] = get_args(Role)
Surgery = inputs.DeleteItem | inputs.InsertItem | inputs.AskAgain | inputs.Branch


def refusal(event: Surgery, state: SessionState) -> str:
    """The reason why this cannot be done now, or ""."""
    if isinstance(event, inputs.AskAgain):
        busy = state.response or state.awaiting
        return _closed(state) or ("an answer is on its way: interrupt it first" if busy else "")
    entry = state.entry(event.item_id)
    if entry is None or entry.role == "session":
        return "a remark of this program is not an item of the conversation"
    if entry.status is EntryStatus.LISTENING or entry.response_id == state.response != "":
        return "it is not complete yet"
    if isinstance(event, inputs.Branch):
        if state.connection.agent:
            return "the service keeps an agent's conversation: it cannot be branched here"
        return "end the push-to-talk turn first" if state.microphone.talking else ""
    if entry.call and entry.call.kind == "function" and (entry.call.open or not entry.call.output_id):
        return "it is not complete yet: its output, or the answer to it, is to come"
    if entry.at < state.fresh_at:
        return "it belongs to an earlier session: the model does not know it"
    return _closed(state)


def _closed(state: SessionState) -> str:
    if state.restored and state.restored.seeds:
        return "the session is still being given its history"
    return "" if state.ready else NOT_CONNECTED


def requests(event: Surgery, state: SessionState, name: str) -> list[dict[str, Any]]:
    """The client events for a deletion, an insertion or another answer; `name` is the id of an inserted item."""
    match event:
        case inputs.DeleteItem(item_id):
            return [{"type": "conversation.item.delete", "item_id": each} for each in _items_of(state, item_id)]
        case inputs.InsertItem(item_id, role, words):
            part = {"type": "text" if role == "assistant" else "input_text", "text": words}
            item = {"id": name, "type": "message", "role": role, "content": [part]}
            last = _items_of(state, item_id)[0]
            return [{"type": "conversation.item.create", "previous_item_id": last, "item": item}]
        case inputs.AskAgain(instructions) if instructions:
            return [{"type": "response.create", "additional_instructions": instructions}]
    return [{"type": "response.create"}]


def _items_of(state: SessionState, item_id: str) -> list[str]:
    """The items that an entry shows, the last one first: the call of a function and its output are two."""
    entry = state.entry(item_id)
    return [entry.call.output_id, item_id] if entry and entry.call and entry.call.output_id else [item_id]


def _shown_by(state: SessionState, item_id: str) -> str:
    """The entry that shows an item."""
    return next((entry.item_id for entry, call in state.calls if call.output_id == item_id), item_id)


# --- keys ----------------------------------------------------------------------------------------------------------


def _observe(event: Surgery, state: SessionState, now: float) -> SessionState:
    kind, done = _KINDS[type(event)]
    if why := refusal(event, state):
        return note(state, now, kind, f"{kind}: {why}", "warning")
    return done(event, note(state, now, kind, "requested"), now)


def _ask_again(event: inputs.AskAgain, state: SessionState, now: float) -> SessionState:
    state = tools.overtake(interrupt(state, now), now)
    return turns.begin(replace(state, awaiting=True), "service", asked_at=now)


def _branch(event: inputs.Branch, state: SessionState, now: float) -> SessionState:
    """The state with a copy of the history up to an entry below a rule; the next session gets it."""
    part = _up_to(state.transcript, event.item_id)
    items = history(replace(state, transcript=part, fresh_at=0.0)).items
    stem = f"branch-{state.log.next_seq}"
    copies: dict[str, Entry] = {}
    for item_id, item in items:
        if item["type"] != "function_call_output":  # it is in the entry of its call
            copies[item_id] = _copy(part[find(part, item_id)], f"{stem}-{len(copies)}", item, now)
    state = tools.leave(interrupt(turns.abandon(state), now), now)
    state = remark(state, now, f"branch after “{words_of(part[-1])}”: a new session", rule=True)
    transcript = (*state.transcript, *copies.values())
    return replace(state, transcript=transcript, fresh_at=now, lost_at=now, playing="", awaiting=False, problems=())


def _up_to(transcript: Transcript, item_id: str) -> Transcript:
    """The entries of one line of conversation: from the last rule before an entry, to that entry."""
    part = transcript[: find(transcript, item_id) + 1]
    return part[max((at + 1 for at, entry in enumerate(part) if is_rule(entry)), default=0) :]


def _copy(entry: Entry, item_id: str, item: Mapping[str, Any], now: float) -> Entry:
    """An entry with what the new session is given of it."""
    words = "".join(part["text"] for part in item.get("content", ()))
    # No answer to the call of a function is due in the branch.
    call = entry.call and replace(entry.call, overtaken_at=entry.call.overtaken_at or now, output_id="")
    return Entry(item_id, entry.role, now, words, EntryStatus.DONE, typed=entry.typed, call=call, done_at=now)


def words_of(entry: Entry) -> str:
    """The first words of an entry, to name it."""
    words = entry.text or (entry.call.name if entry.call else "")
    return words if len(words) <= 40 else f"{words[:40]}…"


_KINDS: dict[type, tuple[str, InputHandler]] = {
    inputs.DeleteItem: ("delete", lambda event, state, now: state),
    inputs.InsertItem: ("insert", lambda event, state, now: state),
    inputs.AskAgain: ("ask again", _ask_again),
    inputs.Branch: ("branch", _branch),
}
HANDLERS = dict.fromkeys(_KINDS, _observe)


# --- the wire ------------------------------------------------------------------------------------------------------


def sent(state: SessionState, event: Mapping[str, Any]) -> SessionState:
    """The state after a deletion or an insertion was sent: its answer names the event, not always the item."""
    deletes = event.get("type") == "conversation.item.delete"
    item_id = text(event.get("item_id")) if deletes else text(mapping(event.get("item")).get("id"))
    at = item_id if deletes else text(event.get("previous_item_id"))
    if not at:
        return state
    made = Request(text(event.get("event_id")), "delete" if deletes else "insert", item_id, _shown_by(state, at))
    return replace(state, requests=(*state.requests, made)[-RECENT:])


def inserted(state: SessionState, item_id: str) -> bool:
    """Whether this program inserted an item after a chosen one."""
    return any(each.kind == "insert" and each.item_id == item_id != "" for each in state.requests)


def place_after(state: SessionState, item_id: str, previous_item_id: str) -> str:
    """The item after which a new one is shown; "" for the end of the transcript.

    After an item of an earlier session comes what was not given to this one, and a remark.
    """
    if inserted(state, item_id):
        return _shown_by(state, previous_item_id)
    previous = state.entry(previous_item_id)
    return "" if previous is None or previous.at < state.connection.started_at else previous_item_id


def refused(state: SessionState, event_id: str, sentence: str) -> SessionState:
    """The state after an `error`, with its sentence at the entry that it concerns, if it answers one of these."""
    made = next((each for each in state.requests if each.event_id == event_id != ""), None)
    if made is None:
        return state
    what = "not deleted" if made.kind == "delete" else "nothing was inserted after it"
    return state.with_change(made.at, note=f"{what}: {sentence}")
