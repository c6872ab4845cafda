"""Calls of MCP tools, which the service makes: listings, approvals, progress and results (protocol, section 3.4h).

The facts of a call are in its entry of the transcript (`Entry.call`), those of a listing too. `tools.py` has what calls
of functions and of MCP tools have in common, and the answer that follows both.
"""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from voicelive_tui.config import Approval
from voicelive_tui.session import inputs, tools
from voicelive_tui.session.calls import NO_USER, Call
from voicelive_tui.session.notes import note, pin
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.transcript import Entry, bounded, change, update
from voicelive_tui.wire.events import error_text, listing, mapping, text

AUTOMATIC = 3
"""Approvals of calls of one server in a turn that are given without asking the user: a model can call in a loop."""
OTHERS = "*"
"""Stands for the tools that a rule by tool does not name."""
LISTING_SECONDS = 10.0
"""From the start of a session, after which a server that has not listed its tools is not waited for."""
SILENT_SECONDS = 60.0
"""Without a result, after which a call is taken to have none: the service cannot be asked, nor the call cancelled."""

Event = Mapping[str, Any]


# --- items ---------------------------------------------------------------------------------------------------------


def observe_item(state: SessionState, item: Event, response_id: str, now: float) -> SessionState:
    """The state with what an item of a type `mcp_*` says."""
    item_id = text(item.get("id"))
    match item.get("type"):
        case "mcp_list_tools" if item_id:
            return _listed(state, item_id, item, now)
        case "mcp_call" if item_id:
            return _called(state, item_id, item, response_id, now)
        case "mcp_approval_request" if item_id:
            return _approval_requested(state, item_id, item, response_id, now)
        case "mcp_approval_response":
            return _decided(state, text(item.get("approval_request_id")), item.get("approve") is True, now)
    return state


def _upsert(state: SessionState, item_id: str, call: Call, response_id: str, now: float) -> SessionState:
    changes: dict[str, Any] = {"call": call} | ({"response_id": response_id} if response_id else {})
    entry = state.entry(item_id)
    if call.server and not (entry and entry.note):
        changes["note"] = f"MCP server {call.server}"
    return replace(state, transcript=update(state.transcript, item_id, "tool", now, **changes))


def _listed(state: SessionState, item_id: str, item: Event, now: float) -> SessionState:
    names = [text(mapping(tool).get("name")) for tool in listing(item.get("tools"))]
    call = _call(state, item_id) or _listing(now)
    call = replace(call, server=text(item.get("server_label")), output=bounded(", ".join(names)))
    return _upsert(state, item_id, call, "", now)


def _listing(now: float) -> Call:
    return Call("listing", "list tools", complete_at=now, started_at=now)


def _called(state: SessionState, item_id: str, item: Event, response_id: str, now: float) -> SessionState:
    approval_id = text(item.get("approval_request_id"))
    if _call(state, item_id) is None and approval_id and _call(state, approval_id):  # the request came first
        behind = (approval_id,)
        renamed = change(state.transcript, approval_id, lambda entry: replace(entry, item_id=item_id, behind=behind))
        state = replace(state, transcript=renamed)
    call = _call(state, item_id) or Call("mcp")
    call = replace(
        call,
        name=text(item.get("name")) or call.name,
        server=text(item.get("server_label")) or call.server,
        approval_id=approval_id or call.approval_id,
    )
    if (arguments := text(item.get("arguments"))) and call.complete_at is None:
        call = replace(call, arguments=bounded(arguments))
    state = _upsert(state, item_id, call, response_id, now)
    if item.get("status") == "incomplete":  # cancelled within its arguments
        return tools.end(state, item_id, now, ended="cancelled")
    error = item.get("error")
    if error or item.get("status") == "failed":
        why = text(error) or (error_text(mapping(error)) if error else "")
        return _over(state, item_id, now, failed=True, output=text(item.get("output")), why=why)
    return state if item.get("output") is None else _over(state, item_id, now, output=text(item["output"]))


def _approval_requested(
    state: SessionState, request_id: str, item: Event, response_id: str, now: float
) -> SessionState:
    """The state with a call that needs an approval: it waits for the user, or is decided by a rule.

    The request belongs to the call that it follows. A service may also announce the call after the approval only; then
    the entry of the request becomes that of the call.
    """
    server, name, arguments = (text(item.get(key)) for key in ("server_label", "name", "arguments"))
    if any(entry.call and entry.call.approval_id == request_id for entry in state.calls if _asked(entry)):
        return state  # it came twice
    known = next(
        (
            entry
            for entry in reversed(state.calls)
            if (call := entry.call)
            and call.kind == "mcp"
            and (call.server, call.name) == (server, name)
            and (call.approval_id == request_id or (not call.approval_id and call.arguments in ("", arguments)))
            and call.started_at is call.ended_at is None
        ),
        None,
    )
    item_id = known.item_id if known else request_id
    response_id = response_id or (state.response.response_id if state.response else "")
    call = (known and known.call) or Call("mcp", name, server)
    call = replace(call, approval_id=request_id, arguments=call.arguments or bounded(arguments))
    state = _complete(_upsert(state, item_id, call, "" if known else response_id, now), item_id, now)
    rule = rule_of(state, server, name)
    if rule == "always" and _approved_in_turn(state, server) < AUTOMATIC:
        return tools.change_call(state, item_id, decided_at=now, approved=True)
    if rule != "never" and state.attended:
        return tools.change_call(state, item_id, waiting_at=now)
    sentence = NO_USER if rule != "never" else "refused by the configuration"
    state = tools.change_call(state, item_id, decided_at=now, approved=False)
    return _over(state, item_id, now, failed=True, why=sentence)


def _asked(entry: Entry) -> bool:
    """Whether an approval of the call was requested, and not only announced with the call."""
    return entry.call is not None and (entry.call.waiting_at is not None or entry.call.decided_at is not None)


def rule_of(state: SessionState, server: str, name: str) -> Approval:
    """The answer to a request for an approval: "ask" (the user), "always" or "never"."""
    rule = state.approvals.get(server, "ask")
    return rule if isinstance(rule, str) else rule.get(name, rule.get(OTHERS, "ask"))


def approvals_changed(event: inputs.ApprovalsChanged, state: SessionState, now: float) -> SessionState:
    """The state with another answer to the requests of a server, for all its tools or for one."""
    before = state.approvals.get(event.server, "ask")
    others = {OTHERS: before} if isinstance(before, str) else before
    rule = {**others, event.tool: event.rule} if event.tool else event.rule
    state = replace(state, approvals={**state.approvals, event.server: rule})
    of = f"{event.server}.{event.tool}" if event.tool else event.server
    return note(state, now, "tool", f"approvals of {of}: {event.rule}")


def tools_of(state: SessionState, server: str) -> list[str]:
    """The tools that a server has listed."""
    listings = [entry.call for entry in state.calls if entry.call and entry.call.kind == "listing"]
    names = next((call.output for call in reversed(listings) if call.server == server), "")
    return names.split(", ") if names else []


def _approved_in_turn(state: SessionState, server: str) -> int:
    """How many calls of a server were approved since the user's last turn without asking the user."""
    count = 0
    for entry in reversed(state.transcript):
        if entry.role == "user":
            break
        call = entry.call
        count += call is not None and call.server == server and bool(call.approved) and call.waiting_at is None
    return count


def _decided(state: SessionState, approval_id: str, approve: bool, now: float) -> SessionState:
    """The state after an approval or a refusal was sent."""
    entry = next((e for e in state.calls if e.call and approval_id and e.call.approval_id == approval_id), None)
    if entry is None or entry.call is None or entry.call.decided_at is not None:
        return state
    return tools.change_call(state, entry.item_id, decided_at=now, approved=approve)


def decisions(event: inputs.Input, before: SessionState, after: SessionState) -> list[dict[str, Any]]:
    """The items that tell the service what the user or a rule decided on this event."""
    match event:
        case inputs.Received(body) if text(mapping(body.get("item")).get("type")).startswith("mcp_"):
            pass
        case inputs.CallApproved() | inputs.CallRefused() | inputs.CallAnswered():
            pass
        case _:
            return []
    old = {entry.item_id: entry.call for entry in before.calls}
    return [
        {"type": "mcp_approval_response", "approval_request_id": call.approval_id, "approve": bool(call.approved)}
        for entry in after.calls
        if (call := entry.call) and call.approval_id and call.decided_at is not None
        if (was := old.get(entry.item_id)) is None or was.decided_at is None
    ]


# --- progress ------------------------------------------------------------------------------------------------------


def observe_progress(event: Event, state: SessionState, now: float) -> SessionState:
    """The state after an event about a call or a listing; repeated ends change nothing."""
    item_id = text(event.get("item_id"))
    match event.get("type"):
        case "mcp_list_tools.in_progress" if item_id and _call(state, item_id) is None:
            return _upsert(state, item_id, _listing(now), "", now)
        case "mcp_list_tools.completed":
            return tools.end(state, item_id, now)
        case "mcp_list_tools.failed":
            call = _call(state, item_id)
            label = f"MCP server {call.server}" if call and call.server else "an MCP server"
            state = tools.end(state, item_id, now, ended="failed", remark=f"{label}: no tools listed")
            return pin(state, now, f"the tools of {label} could not be listed: check its URL and headers", "warning")
        case "response.mcp_call_arguments.done":
            return _complete(tools.append_arguments(state, event), item_id, now)
        case "response.mcp_call.in_progress":
            state = _complete(state, item_id, now)
            call = _call(state, item_id)
            return tools.change_call(state, item_id, started_at=now) if call and call.started_at is None else state
        case "response.mcp_call.completed":
            return _over(state, item_id, now)
        case "response.mcp_call.failed":
            return _over(state, item_id, now, failed=True)
    return state


PROGRESS = (
    "mcp_list_tools.in_progress",
    "mcp_list_tools.completed",
    "mcp_list_tools.failed",
    "response.mcp_call_arguments.done",
    "response.mcp_call.in_progress",
    "response.mcp_call.completed",
    "response.mcp_call.failed",
)
"""Types of the events that `observe_progress` takes."""
ENDS = ("response.mcp_call.completed", "response.mcp_call.failed", "response.output_item.done")
"""Types of the events with which a call may end."""


def is_listing(state: SessionState, now: float) -> bool:
    """Whether a server is still to list its tools: the model cannot call them yet."""
    link = state.connection
    asked = len([tool for tool in listing(state.asked.get("tools")) if mapping(tool).get("type") == "mcp"])
    if not asked or link.ready_at is None or now - link.ready_at > LISTING_SECONDS:
        return False
    calls = [entry.call for entry in state.calls if entry.call and entry.at >= link.started_at]
    return len([call for call in calls if call.kind == "listing" and call.ended_at is not None]) < asked


def silent(state: SessionState, now: float) -> list[inputs.ToolReturned]:
    """The ends of calls that have run for too long."""
    remark = f"no result within {SILENT_SECONDS:.0f} s"
    return [
        inputs.ToolReturned(entry.item_id, "", "timed out", remark)
        for entry in state.open_calls
        if (call := entry.call) and call.kind == "mcp" and call.ended_at is None and not call.waits
        if now - (call.started_at or call.decided_at or call.complete_at or now) > SILENT_SECONDS
    ]


def _call(state: SessionState, item_id: str) -> Call | None:
    entry = state.entry(item_id)
    return entry.call if entry else None


def _complete(state: SessionState, item_id: str, now: float) -> SessionState:
    entry = state.entry(item_id)
    return tools.complete(state, entry, now) if entry else state


def _over(
    state: SessionState, item_id: str, now: float, *, failed: bool = False, output: str = "", why: str = ""
) -> SessionState:
    """The state with a call ended, and its answer due where the others of its response have ended as well."""
    call = _call(state, item_id)
    remark = f"MCP server {call.server}{f': {why}' if why else ''}" if call and call.server else why
    state = tools.end(state, item_id, now, output=output, ended="failed" if failed else "", remark=remark)
    refused = call is not None and call.approved is False and call.ended_at is not None
    if why and not refused:  # the reason comes with the item, after the event of the failure
        state = replace(state, transcript=change(state.transcript, item_id, lambda entry: replace(entry, note=remark)))
    return tools.settle(state, now)
