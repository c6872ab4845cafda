"""Calls of tools in the transcript: functions, which the client runs, and MCP tools, which the service runs."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from voicelive_tui.session.state import Entry, EntryStatus
from voicelive_tui.session.transcript import Transcript, change, update
from voicelive_tui.wire.events import error_text, mapping, text

ITEMS = frozenset({"function_call", "function_call_output", "mcp_call", "mcp_approval_request"})
"""Types of the items that describe a call."""


def upsert_call(transcript: Transcript, item: Mapping[str, Any], response_id: str, now: float) -> Transcript:
    """The transcript with the call that an item of `ITEMS` describes, added or updated."""
    item_id = text(item.get("id"))
    if item.get("type") == "function_call_output":
        call = next((entry for entry in transcript if entry.call_id and entry.call_id == item.get("call_id")), None)
        done = {"output": text(item.get("output")), "status": EntryStatus.DONE, "done_at": now}
        return transcript if call is None else update(transcript, call.item_id, "tool", now, **done)
    if not item_id:
        return transcript
    changes: dict[str, Any] = {"tool": text(item.get("name"))}
    if response_id:
        changes["response_id"] = response_id
    if arguments := text(item.get("arguments")):
        changes["arguments"] = arguments
    if item.get("type") == "function_call":
        changes["call_id"] = text(item.get("call_id"))
    else:
        before = next((entry for entry in transcript if entry.item_id == item_id), None)
        changes |= _of_mcp(item, before, now)
    return update(transcript, item_id, "tool", now, **changes)


def _of_mcp(item: Mapping[str, Any], before: Entry | None, now: float) -> dict[str, Any]:
    """Changes of an MCP call's entry; a failed call stays failed whatever it returned."""
    changes: dict[str, Any] = {"note": f"MCP server {text(item.get('server_label'))}"}
    failed = item.get("status") == "failed" or (before is not None and before.status is EntryStatus.FAILED)
    if item.get("type") == "mcp_approval_request":
        failed = True
        changes["note"] += " waits for an approval, which this program cannot give yet"
    if item.get("output") is not None:
        changes |= {"output": text(item["output"]), "status": EntryStatus.DONE, "done_at": now}
    if error := item.get("error"):
        failed = True
        changes["note"] += f": {text(error) or error_text(mapping(error))}"
    return changes | ({"status": EntryStatus.FAILED, "done_at": now} if failed else {})


def append_arguments(transcript: Transcript, event: Mapping[str, Any]) -> Transcript:
    """The transcript with a delta of a call's arguments appended, or the complete arguments set."""

    def grown(entry: Entry) -> Entry:
        return replace(entry, arguments=text(event.get("arguments")) or entry.arguments + text(event.get("delta")))

    return change(transcript, text(event.get("item_id")), grown)


def finish_call(transcript: Transcript, item_id: str, status: EntryStatus, now: float) -> Transcript:
    """The transcript with a call finished; the first end counts."""

    def over(entry: Entry) -> Entry:
        return entry if entry.done_at is not None else replace(entry, status=status, done_at=now)

    return change(transcript, item_id, over)
