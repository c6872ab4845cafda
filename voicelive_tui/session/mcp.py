"""Calls of MCP tools, which the service makes: listings, approvals, progress and results (protocol, section 3.4h).

The facts of a call are in its entry of the transcript (`Entry.call`), those of a listing too. `tools.py` has what calls
of functions and of MCP tools have in common, and the answer that follows both.
"""

from typing import Any

from msgspec.structs import replace

from voicelive_tui.config import Approval
from voicelive_tui.session import inputs, tools
from voicelive_tui.session.calls import NO_USER, Call
from voicelive_tui.session.notes import note, pin
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.transcript import bounded
from voicelive_tui.wire.events import Event, error_text, listing, mapping, text

AUTOMATIC = 3
"""Approvals of calls of one server in a turn that are given without asking the user: a model can call in a loop."""
OTHERS = "*"
"""Stands for the tools that a rule by tool does not name."""
LISTING_SECONDS = 10.0
"""From the start of a session; later no server is waited for that has not listed its tools."""
SILENT_SECONDS = 60.0
"""After which a call without a result counts as timed out: the service cannot be asked, nor the call cancelled."""


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
    return state.with_entry(item_id, "tool", now, **changes)


def _listed(state: SessionState, item_id: str, item: Event, now: float) -> SessionState:
    names = [text(mapping(tool).get("name")) for tool in listing(item.get("tools"))]
    call = state.call(item_id) or _listing(now)
    call = replace(call, server=text(item.get("server_label")), output=bounded(", ".join(names)))
    return _upsert(state, item_id, call, "", now)


def _listing(now: float) -> Call:
    return Call("listing", "list tools", complete_at=now, started_at=now)


def _called(state: SessionState, item_id: str, item: Event, response_id: str, now: float) -> SessionState:
    approval_id = text(item.get("approval_request_id"))
    if state.call(item_id) is None and approval_id and state.call(approval_id):  # the request came first
        state = state.with_change(approval_id, item_id=item_id, behind=(approval_id,))
    call = state.call(item_id) or Call("mcp")
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
    if any(call.approval_id == request_id and _asked(call) for _, call in state.calls):
        return state  # it came twice
    response_id = response_id or state.response
    item_id, call = request_id, Call("mcp", name, server)
    for entry, known in state.calls:
        this = known.approval_id == request_id or (not known.approval_id and known.arguments in ("", arguments))
        waits = known.kind == "mcp" and known.started_at is known.ended_at is None
        if this and waits and (known.server, known.name) == (server, name):
            item_id, call, response_id = entry.item_id, known, ""
    call = replace(call, approval_id=request_id, arguments=call.arguments or bounded(arguments))
    state = tools.complete(_upsert(state, item_id, call, response_id, now), item_id, now)
    rule = rule_of(state, server, name)
    if rule == "always" and _approved_in_turn(state, server) < AUTOMATIC:
        return tools.change_call(state, item_id, decided_at=now, approved=True)
    if rule != "never" and state.attended:
        return tools.change_call(state, item_id, waiting_at=now)
    sentence = NO_USER if rule != "never" else "refused by the configuration"
    state = tools.change_call(state, item_id, decided_at=now, approved=False)
    return _over(state, item_id, now, failed=True, why=sentence)


def _asked(call: Call) -> bool:
    """Whether an approval of the call was requested, and not only announced with the call."""
    return call.waiting_at is not None or call.decided_at is not None


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
    listings = [call.output for _, call in state.calls if call.kind == "listing" and call.server == server]
    names = listings[-1] if listings else ""
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
    for entry, call in state.calls:
        if call.approval_id == approval_id != "" and call.decided_at is None:
            return tools.change_call(state, entry.item_id, decided_at=now, approved=approve)
    return state


def decisions(event: inputs.Input, before: SessionState, after: SessionState) -> list[dict[str, Any]]:
    """The items that tell the service what the user or a rule decided on this event."""
    match event:
        case inputs.Received(body) if text(mapping(body.get("item")).get("type")).startswith("mcp_"):
            pass
        case inputs.CallApproved() | inputs.CallRefused() | inputs.CallAnswered():
            pass
        case _:
            return []
    decided = {entry.item_id for entry, call in before.calls if call.decided_at is not None}
    return [
        {"type": "mcp_approval_response", "approval_request_id": call.approval_id, "approve": bool(call.approved)}
        for entry, call in after.calls
        if call.approval_id and call.decided_at is not None and entry.item_id not in decided
    ]


# --- progress ------------------------------------------------------------------------------------------------------


def observe_progress(event: Event, state: SessionState, now: float) -> SessionState:
    """The state after an event about a call or a listing; repeated ends change nothing."""
    item_id = text(event.get("item_id"))
    match event.get("type"):
        case "mcp_list_tools.in_progress" if item_id and state.call(item_id) is None:
            return _upsert(state, item_id, _listing(now), "", now)
        case "mcp_list_tools.completed":
            return tools.end(state, item_id, now)
        case "mcp_list_tools.failed":
            call = state.call(item_id)
            label = f"MCP server {call.server}" if call and call.server else "an MCP server"
            state = tools.end(state, item_id, now, ended="failed", remark=f"{label}: no tools listed")
            return pin(state, f"the tools of {label} could not be listed: check its URL and headers", "warning")
        case "response.mcp_call_arguments.done":
            return tools.complete(tools.append_arguments(state, event), item_id, now)
        case "response.mcp_call.in_progress":
            state = tools.complete(state, item_id, now)
            call = state.call(item_id)
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
    calls = [call for entry, call in state.calls if entry.at >= link.started_at and call.kind == "listing"]
    return sum(call.ended_at is not None for call in calls) < asked


def silent(state: SessionState, now: float) -> list[inputs.ToolReturned]:
    """The ends of calls that have run for too long."""
    remark = f"no result within {SILENT_SECONDS:.0f} s"
    return [
        inputs.ToolReturned(entry.item_id, "", "timed out", remark)
        for entry, call in state.open_calls
        if call.kind == "mcp" and call.ended_at is None and not call.waits
        if now - (call.started_at or call.decided_at or call.complete_at or now) > SILENT_SECONDS
    ]


def _over(
    state: SessionState, item_id: str, now: float, *, failed: bool = False, output: str = "", why: str = ""
) -> SessionState:
    """The state with a call ended, and its answer due where the others of its response have ended as well."""
    call = state.call(item_id)
    remark = f"MCP server {call.server}{f': {why}' if why else ''}" if call and call.server else why
    state = tools.end(state, item_id, now, output=output, ended="failed" if failed else "", remark=remark)
    refused = call is not None and call.approved is False and call.ended_at is not None
    if why and not refused:  # the reason comes with the item, after the event of the failure
        state = state.with_change(item_id, note=remark)
    return tools.settle(state, now)
