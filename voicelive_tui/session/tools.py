"""Observing calls of tools: functions, which the client runs, and tools of MCP servers, which the service runs.

A call is an entry of the transcript (`Entry.call`). The calls of a response belong together: the assistant is asked for
one answer to all of them, when each has its output and the response is over. `tool_rules.py` decides.
"""

import math
from collections.abc import Mapping
from typing import Any, assert_never

import msgspec
from msgspec.structs import replace

from voicelive_tui.config import Function
from voicelive_tui.session import inputs, turns
from voicelive_tui.session.calls import Call
from voicelive_tui.session.notes import note
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.transcript import EntryStatus, bounded
from voicelive_tui.wire.events import text

LOST_SECONDS, STALLED_SECONDS = 5.0, 20.0
"""See `patience`."""
ITEMS = frozenset({"function_call", "function_call_output"})
"""Types of the items that describe a call of a function; `mcp.py` has the others."""


def change_call(state: SessionState, item_id: str, **changes: Any) -> SessionState:
    """The state with facts of a call changed, if there is that call."""
    call = state.call(item_id)
    return state.with_change(item_id, call=replace(call, **changes)) if call else state


# --- server events -------------------------------------------------------------------------------------------------


def upsert_call(state: SessionState, item: Mapping[str, Any], response_id: str, now: float) -> SessionState:
    """The state with the call that an item of `ITEMS` describes, added or updated."""
    item_id = text(item.get("id"))
    if item.get("type") == "function_call_output":
        return end(state, _call_of(state, item), now, output=text(item.get("output")))
    if not item_id:
        return state
    call = state.call(item_id) or Call("function")
    call = replace(call, name=text(item.get("name")) or call.name, call_id=text(item.get("call_id")))
    if (arguments := text(item.get("arguments"))) and call.complete_at is None:
        call = replace(call, arguments=bounded(arguments))
    changes: dict[str, Any] = {"call": call} | ({"response_id": response_id} if response_id else {})
    return state.with_entry(item_id, "tool", now, **changes)


def _call_of(state: SessionState, output: Mapping[str, Any]) -> str:
    """The item of the call to which an item of the type `function_call_output` belongs, "" if there is none."""
    return next((entry.item_id for entry, call in state.calls if call.call_id == output.get("call_id") != ""), "")


def output_created(state: SessionState, item: Mapping[str, Any]) -> SessionState:
    """The state with the id under which the session has the output of a call."""
    is_output = item.get("type") == "function_call_output"
    return change_call(state, _call_of(state, item), output_id=text(item.get("id"))) if is_output else state


def append_arguments(state: SessionState, event: Mapping[str, Any]) -> SessionState:
    """The state with a delta of a call's arguments appended, or the complete arguments set."""
    item_id = text(event.get("item_id"))
    call = state.call(item_id)
    if call is None or call.complete_at is not None:
        return state
    arguments = text(event.get("arguments")) or call.arguments + text(event.get("delta"))
    return change_call(state, item_id, arguments=bounded(arguments))


def item_done(state: SessionState, item: Mapping[str, Any], now: float) -> SessionState:
    """The state after `response.output_item.done` of a function's call: complete, or cancelled within its arguments."""
    item_id = text(item.get("id"))
    if item.get("type") != "function_call":
        return state
    return complete(state, item_id, now) if item.get("status") != "incomplete" else _cancel(state, item_id, now)


def complete(state: SessionState, item_id: str, now: float) -> SessionState:
    """The state with the arguments of a call complete; that of a function waits where its rule is to ask the user."""
    entry, call = state.entry(item_id), state.call(item_id)
    if entry is None or call is None or call.complete_at is not None or call.ended_at is not None:
        return state
    asks = call.kind == "function" and rule_of(state, call.name).policy == "ask"
    waiting_at = now if asks and state.attended else None
    overtaken_at = now if entry.response_id in state.silenced else call.overtaken_at
    state = change_call(state, item_id, complete_at=now, waiting_at=waiting_at, overtaken_at=overtaken_at)
    return turns.mark(state, turns.of_response(entry.response_id), called_at=now)


def rule_of(state: SessionState, name: str) -> Function:
    """How calls of a function are handled."""
    return state.rules.get(name, Function())


def _cancel(state: SessionState, item_id: str, now: float) -> SessionState:
    return end(state, item_id, now, output=error_output("the call was cancelled"), ended="cancelled")


def response_over(state: SessionState, response_id: str, status: str, now: float) -> SessionState:
    """The state after `response.done`: a call whose own end did not come is complete or cancelled with its response."""
    for entry, call in state.calls if response_id else ():
        if entry.response_id == response_id:
            if call.complete_at is None and call.ended_at is None:
                over = complete if status == "completed" else _cancel
                state = over(state, entry.item_id, now)
            if status == "cancelled" and call.overtaken_at is None:
                state = change_call(state, entry.item_id, overtaken_at=now)
        elif call.answered_by == response_id and call.spoken_at is None:
            # Its answer is not heard: the user went on before its first word, it failed, or it only calls tools again.
            unheard = {"overtaken_at": now} if status == "cancelled" else {"due_at": None}
            state = change_call(state, entry.item_id, **unheard)
    return settle(state, now)


def answered_by(state: SessionState, response_id: str) -> SessionState:
    """The state after `response.created`: the response answers all calls that have their output."""
    for entry, call in state.calls:
        if call.answerable and not call.answered_by and entry.at >= state.fresh_at:
            state = change_call(state, entry.item_id, answered_by=response_id)
            if call.due_at is not None and call.overtaken_at is None:
                which = turns.of_response(response_id)
                state = turns.mark(state, which, called_at=call.complete_at, returned_at=call.due_at)
    return state


def spoken(state: SessionState, response_id: str, now: float) -> SessionState:
    """The state after the first words or sound of a response."""
    for entry, call in state.calls if response_id else ():
        goes_on = call.kind == "mcp" and call.answerable and entry.response_id == response_id and not call.due_at
        if call.spoken_at is None and (goes_on or call.answered_by == response_id):
            state = change_call(state, entry.item_id, answered_by=response_id, spoken_at=now)
    return state


# --- the end of calls ----------------------------------------------------------------------------------------------


def end(
    state: SessionState, item_id: str, now: float, *, output: str = "", ended: str = "", remark: str = ""
) -> SessionState:
    """The state with a call ended; the first end counts, but an output or a failure that it lacks is added."""
    entry = state.entry(item_id)
    if entry is None or entry.call is None:
        return state
    first = entry.call.ended_at is None
    call = replace(
        entry.call,
        output=bounded(entry.call.output or output),
        ended_at=now if first else entry.call.ended_at,
        ended=(ended if first or entry.call.kind == "mcp" else "") or entry.call.ended,
    )
    return state.with_change(
        item_id,
        call=call,
        note=remark if remark and first else entry.note,
        status=EntryStatus.FAILED if call.ended else EntryStatus.DONE,
        done_at=now if entry.done_at is None else entry.done_at,
    )


def error_output(sentence: str) -> str:
    """What the model gets of a call that has no result."""
    return msgspec.json.encode({"error": sentence}).decode()


def settle(state: SessionState, now: float) -> SessionState:
    """The state with an answer due for the calls of each response that is over, if all of them have ended."""
    going_on = {entry.response_id for entry, call in state.calls if call.ended_at is None}
    going_on |= {state.response} - {""}
    for entry, call in state.calls:
        if not call.answerable or entry.response_id in going_on or entry.at < state.fresh_at:
            continue
        if call.due_at is None and call.overtaken_at is None and not call.answered_by and call.ended != "cancelled":
            state = change_call(state, entry.item_id, due_at=now)
            state = turns.mark(state, turns.of_response(entry.response_id), again=True, returned_at=now)
    return state


def overtake(state: SessionState, now: float) -> SessionState:
    """The state after the user went on: calls that are not answered yet will not be."""
    for entry, call in state.open_calls:
        if call.overtaken_at is None:
            state = change_call(state, entry.item_id, overtaken_at=now)
    return state


def leave(state: SessionState, now: float) -> SessionState:
    """The state as another conversation begins: calls that wait for the user will not be made."""
    for entry, call in state.calls:
        if call.waits:
            why = "a new session began before it was decided"
            state = end(state, entry.item_id, now, ended="cancelled", remark=why)
    return overtake(state, now)


def anything_came(state: SessionState, response_id: str) -> bool:
    """Whether there are words, sound or complete calls of a response."""
    entries = (entry for entry in state.transcript if entry.response_id == response_id)
    return any(entry.text or entry.audio_ms or (entry.call and entry.call.complete_at is not None) for entry in entries)


def connection_ended(state: SessionState, response_id: str, now: float) -> SessionState:
    """The state after the end of the connection, within this response: what was not complete will never be.

    If nothing of the response came, the calls that it was to answer are unanswered again.
    """
    lost = response_id and not anything_came(state, response_id)
    for item_id in _unfinished(state):
        state = end(state, item_id, now, ended="cancelled")
    for entry, call in state.open_calls:
        if call.kind == "mcp" and call.ended_at is None:
            state = end(state, entry.item_id, now, ended="failed", remark="the connection was lost before its result")
    for entry, call in state.calls:
        if lost and call.answered_by == response_id:
            state = change_call(state, entry.item_id, answered_by="")
    return settle(state, now)


# --- local inputs --------------------------------------------------------------------------------------------------


def observe_input(event: inputs.CallInput, state: SessionState, now: float) -> SessionState:
    """The state after an input about a call; one that can change nothing is noted."""
    item_id, call = event.item_id, state.call(event.item_id)
    if call is None:
        return note(state, now, "tool", f"there is no call {item_id}", "warning")
    match event:
        case inputs.ToolStarted(again=again):
            return state if again or call.ended_at is not None else change_call(state, item_id, started_at=now)
        case inputs.ToolReturned(_, output, ended, remark, again):
            if again:
                return note(change_call(state, item_id, again=output), now, "tool", f"{call.name} was run again")
            if call.ended_at is not None:
                return note(state, now, "tool", f"{call.name} returned after its call had ended", "warning")
            state = end(state, item_id, now, output=output, ended=ended, remark=remark)
            return settle(note(state, now, "tool", f"{call.name} {ended or 'returned'}"), now)
        case inputs.CallRepeated():
            return state
    if call.ended_at is not None or (isinstance(event, inputs.CallApproved) and not call.waits):
        return note(state, now, "tool", f"the call of {call.name} does not wait for this", "warning")
    match event:
        case inputs.CallApproved(arguments=arguments):
            edited = {} if arguments is None else {"arguments": arguments}
            state = change_call(state, item_id, decided_at=now, approved=True, **edited)
            return note(state, now, "tool", f"{call.name} approved")
        case inputs.CallRefused(_, sentence):
            state = change_call(state, item_id, decided_at=now, approved=False)
            output = error_output(sentence) if call.kind == "function" else ""  # the service has its own words
            state = end(state, item_id, now, output=output, ended="failed", remark=sentence)
            return settle(note(state, now, "tool", f"{call.name} refused"), now)
        case inputs.CallAnswered():
            state = change_call(state, item_id, decided_at=now, approved=True)
            return note(state, now, "tool", f"{call.name} answered by hand")
    assert_never(event)


def response_lost(event: inputs.ResponseLost, state: SessionState, now: float) -> SessionState:
    """The state without a response that shows no sign of life, and without the calls whose arguments do not come."""
    sentence = f"nothing came for {event.seconds:.0f} s: the response is considered over"
    state = note(replace(state, response=""), now, "response lost", sentence, "warning")
    for item_id in _unfinished(state):
        state = _cancel(state, item_id, now)
    return settle(state, now)


def _unfinished(state: SessionState) -> list[str]:
    """The calls of functions whose arguments are still to come."""
    return [
        entry.item_id
        for entry, call in state.open_calls
        if call.kind == "function" and not call.complete_at and not call.ended_at
    ]


def patience(state: SessionState) -> float:
    """Seconds without a server event after which the active response is considered over, if anything waits for that.

    A model may pause within the arguments of a call; after them only `response.done` is to come.
    """
    of_it = [call for entry, call in state.calls if entry.response_id == state.response != ""]
    ended = bool(of_it) and all(call.ended_at is not None for call in of_it)
    return LOST_SECONDS if state.intent.create or ended else STALLED_SECONDS if _unfinished(state) else math.inf


def rule_changed(event: inputs.RuleChanged, state: SessionState, now: float) -> SessionState:
    """The state with another rule for a function."""
    state = replace(state, rules={**state.rules, event.name: event.rule})
    return note(state, now, "tool", f"{event.name}: {event.rule.policy}")
