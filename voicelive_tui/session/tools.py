"""Observing calls of tools: functions, which the client runs, and tools of MCP servers, which the service runs.

A call is an entry of the transcript (`Entry.call`). These functions record what happens to it; the calls of a
response belong together, because the assistant is asked for one answer to all of them.
"""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from voicelive_tui.session.calls import Call
from voicelive_tui.session.state import Entry, EntryStatus, SessionState
from voicelive_tui.session.transcript import bounded, change, update
from voicelive_tui.wire.events import error_text, mapping, text

ITEMS = frozenset({"function_call", "function_call_output", "mcp_call", "mcp_approval_request"})
"""Types of the items that describe a call."""


def change_call(state: SessionState, item_id: str, **changes: Any) -> SessionState:
    """The state with facts of a call changed, if there is that call."""

    def changed(entry: Entry) -> Entry:
        return replace(entry, call=replace(entry.call, **changes)) if entry.call else entry

    return replace(state, transcript=change(state.transcript, item_id, changed))


def upsert_call(state: SessionState, item: Mapping[str, Any], response_id: str, now: float) -> SessionState:
    """The state with the call that an item of `ITEMS` describes, added or updated."""
    item_id, kind = text(item.get("id")), item.get("type")
    if kind == "function_call_output":
        entry = next((e for e in state.transcript if e.call and e.call.call_id == item.get("call_id") != ""), None)
        return state if entry is None else end(state, entry.item_id, now, output=text(item.get("output")))
    if not item_id:
        return state
    entry = state.entry(item_id)
    call = (entry and entry.call) or Call("function" if kind == "function_call" else "mcp")
    call = replace(call, name=text(item.get("name")) or call.name)
    if arguments := text(item.get("arguments")):
        call = replace(call, arguments=bounded(arguments))
    if kind == "function_call":
        call = replace(call, call_id=text(item.get("call_id")))
    else:
        call = replace(call, server=text(item.get("server_label")))
    changes: dict[str, Any] = {"call": call} | ({"response_id": response_id} if response_id else {})
    state = replace(state, transcript=update(state.transcript, item_id, "tool", now, **changes))
    return state if kind == "function_call" else _mcp_item(state, item_id, item, now)


def _mcp_item(state: SessionState, item_id: str, item: Mapping[str, Any], now: float) -> SessionState:
    """The state with what an MCP item says of its call; a failed call stays failed whatever it returned."""
    error = item.get("error")
    why = f": {text(error) or error_text(mapping(error))}" if error else ""
    if item.get("type") == "mcp_approval_request":
        why = " waits for an approval, which this program cannot give yet"
    note = f"MCP server {text(item.get('server_label'))}{why}"
    state = replace(state, transcript=change(state.transcript, item_id, lambda entry: replace(entry, note=note)))
    failed = bool(why) or item.get("status") == "failed"
    if not failed and item.get("output") is None:
        return state
    return end(state, item_id, now, output=text(item.get("output")), failed=failed)


def append_arguments(state: SessionState, event: Mapping[str, Any]) -> SessionState:
    """The state with a delta of a call's arguments appended, or the complete arguments set."""
    entry = state.entry(text(event.get("item_id")))
    if entry is None or entry.call is None:
        return state
    arguments = text(event.get("arguments")) or entry.call.arguments + text(event.get("delta"))
    return change_call(state, entry.item_id, arguments=bounded(arguments))


def end(
    state: SessionState, item_id: str, now: float, *, output: str | None = None, failed: bool = False
) -> SessionState:
    """The state with a call ended; the first end counts, but an output and a failure can be added to it."""

    def over(entry: Entry) -> Entry:
        call = entry.call
        if call is None:
            return entry
        failed_now = failed or call.ended == "failed"
        call = replace(
            call,
            output=bounded(output or call.output),
            ended_at=now if call.ended_at is None else call.ended_at,
            ended="failed" if failed_now else call.ended,
        )
        done_at = now if entry.done_at is None else entry.done_at
        return replace(entry, call=call, status=EntryStatus.FAILED if failed_now else EntryStatus.DONE, done_at=done_at)

    return replace(state, transcript=change(state.transcript, item_id, over))
