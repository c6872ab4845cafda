"""Barge-in: what is interrupted, who cancels the response, and which truncation the service needs.

The service interrupts its own generation when `interrupt_response` is in force, so `response.cancel` is sent only where
it does not, or where the user pressed a key. It generates faster than real time: the response is often done long before
playback is, so playback stops whether or not a response is active. `SessionState.barge_in` has the user's choices.
`input_audio.clear` is sent only by choice, and `input_audio_buffer.clear` never: both erase the user's words (protocol
section 3.4c).

`interrupt` and `stopped` observe; `should_cancel`, `should_clear` and `truncation` serve the policy.
"""

from typing import Any

from msgspec.structs import replace

from voicelive_tui.session import turns
from voicelive_tui.session.state import RECENT, SessionState
from voicelive_tui.session.transcript import EntryStatus
from voicelive_tui.wire.events import mapping


def service_setting(state: SessionState, name: str, default: bool) -> bool:
    """A switch of the turn detection in force; null means the service's default, no detection False."""
    block = mapping(state.in_force.get("turn_detection", state.asked.get("turn_detection")))
    value = block.get(name, None if block else False)
    return value if isinstance(value, bool) else default


def active_response(state: SessionState) -> str:
    """The id of the response being generated, unless it was interrupted already; else ""."""
    return "" if state.response in state.silenced else state.response


def interrupt(state: SessionState, now: float) -> SessionState:
    """The state with the answer being generated or played interrupted; unchanged if there is none.

    Late audio of it is dropped by id from now on.
    """
    response_id, unheard = active_response(state), state.unheard
    if not response_id and not unheard:
        return state
    state = turns.mark(state, turns.of_response(response_id or unheard[0].response_id), interrupted_at=now)
    ids = ((response_id,) if response_id else ()) + tuple(entry.item_id for entry in unheard)
    return replace(state, silenced=(*state.silenced, *ids)[-RECENT:], counts=state.counts.plus(interruptions=1))


def should_cancel(before: SessionState, *, by_key: bool) -> str:
    """The id of the response that this client has to cancel, from the state before an interruption; else ""."""
    when = "always" if by_key else before.barge_in.cancel
    service_does = when == "auto" and service_setting(before, "interrupt_response", default=True)
    return "" if service_does or when == "never" else active_response(before)


def should_clear(before: SessionState) -> bool:
    """Whether speech over an answer is to be followed by `input_audio.clear`."""
    return before.barge_in.clear and bool(active_response(before) or before.unheard)


def stopped(state: SessionState, item_id: str, heard_ms: float, at: float) -> SessionState:
    """The state after playback of an item was stopped: `heard_ms` of it were heard, silence began at `at`."""
    playing = "" if state.playing == item_id else state.playing
    entry = state.entry(item_id)
    if entry is None:
        return replace(state, playing=playing)
    heard_ms = min(heard_ms, entry.audio_ms)  # a truncation beyond the item's end is refused
    unheard_ms = entry.audio_ms - heard_ms
    state = turns.mark(state, turns.of_response(entry.response_id), silent_at=at, unheard_ms=unheard_ms)
    truncated_ms = int(heard_ms) if client_truncates(state) else entry.truncated_ms
    interrupted = {"status": EntryStatus.INTERRUPTED, "heard_ms": heard_ms, "truncated_ms": truncated_ms}
    return replace(state.with_change(item_id, **interrupted), playing=playing)


def client_truncates(state: SessionState) -> bool:
    """Whether this client has to report what was heard: `auto_truncate` is off, and it is not switched off here."""
    wanted = state.barge_in.truncate and not service_setting(state, "auto_truncate", default=False)
    return wanted and state.ready


def truncation(state: SessionState, item_id: str) -> dict[str, Any] | None:
    """The `conversation.item.truncate` for an item whose playback was interrupted, if the service needs it."""
    entry = state.entry(item_id)
    if entry is None or not client_truncates(state) or entry.at < state.connection.started_at:  # of a lost session
        return None
    return {
        "type": "conversation.item.truncate",
        "item_id": item_id,
        "content_index": 0,
        "audio_end_ms": entry.truncated_ms,
    }
