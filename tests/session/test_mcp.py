"""Calls of MCP tools: what the service reports of them, approvals, and the answer that is asked for."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.session.folding import CONNECTING, Fold, answer, ready, sent
from voicelive_tui.session import effects, inputs, mcp
from voicelive_tui.session.calls import NO_USER, Call, CallState
from voicelive_tui.session.transcript import EntryStatus

TO_BERN = '{"to": "Bern"}'


def mcp_call(**more: object) -> dict[str, object]:
    return {"id": "mcp_1", "type": "mcp_call", "server_label": "maps", "name": "route", "arguments": "", **more}


def test_an_mcp_call_is_an_entry_like_a_function_call() -> None:
    fold = ready()
    ids = {"response_id": "resp_1", "item_id": "mcp_1", "output_index": 0}
    fold.feed(
        {"type": "response.output_item.added", "response_id": "resp_1", "item": mcp_call()},
        {"type": "response.mcp_call_arguments.delta", **ids, "delta": '{"to": '},
        {"type": "response.mcp_call_arguments.done", **ids, "arguments": '{"to": "Bern"}'},
        {"type": "response.mcp_call.in_progress", "item_id": "mcp_1", "output_index": 0},
    )
    (entry,) = fold.state.transcript
    assert entry.call is not None
    assert (entry.role, entry.call.name, entry.call.arguments) == ("tool", "route", '{"to": "Bern"}')
    assert (entry.note, entry.status) == ("MCP server maps", EntryStatus.PARTIAL)
    done = mcp_call(arguments='{"to": "Bern"}', output="98 km")
    fold.feed({"type": "response.output_item.done", "response_id": "resp_1", "item": done})
    (entry,) = fold.state.transcript
    assert entry.call is not None
    assert (entry.call.output, entry.status) == ("98 km", EntryStatus.DONE)


@pytest.mark.parametrize("error", ["no road", {"code": "none", "message": "no road"}])
def test_a_failed_mcp_call_has_its_reason(error: object) -> None:
    fold = ready()
    fold.feed(
        {"type": "response.output_item.added", "response_id": "resp_1", "item": mcp_call()},
        {"type": "response.mcp_call.failed", "item_id": "mcp_1", "output_index": 0},
    )
    assert fold.state.transcript[0].status is EntryStatus.FAILED
    fold.feed({"type": "response.output_item.done", "response_id": "resp_1", "item": mcp_call(error=error)})
    (entry,) = fold.state.transcript
    assert entry.status is EntryStatus.FAILED
    assert entry.note.startswith("MCP server maps: ")
    assert "no road" in entry.note


@pytest.mark.parametrize("over", [{"type": "response.mcp_call.completed", "item_id": "mcp_1"}, {"output": ""}])
def test_an_mcp_call_can_finish_without_a_result(over: dict[str, object]) -> None:
    fold = ready()
    fold.feed({"type": "response.output_item.added", "response_id": "resp_1", "item": mcp_call()})
    done = {"type": "response.output_item.done", "response_id": "resp_1", "item": mcp_call(**over)}
    fold.feed(over if "type" in over else done)
    assert fold.state.transcript[0].status is EntryStatus.DONE


def test_a_failed_mcp_call_stays_failed_whatever_it_returned() -> None:
    fold = ready()
    fold.feed(
        {"type": "response.output_item.added", "response_id": "resp_1", "item": mcp_call()},
        {"type": "response.mcp_call.failed", "item_id": "mcp_1"},
        {"type": "response.output_item.done", "item": mcp_call(status="failed", output="no road")},
    )
    (entry,) = fold.state.transcript
    assert entry.call is not None
    assert (entry.status, entry.call.output) == (EntryStatus.FAILED, "no road")


# --- the sequences of Microsoft's samples (protocol, sections 3.4h and 7)


def asking(server: str = "maps", approvals: Any = "ask", *, attended: bool = True) -> Fold:
    fold = ready()
    fold.state = replace(fold.state, approvals={server: approvals}, attended=attended)
    return fold


def arguments(item_id: str = "mcp_1", response: str = "resp_1", **call: object) -> list[dict[str, Any]]:
    """A response begins to call a tool: its arguments, complete."""
    ids = {"response_id": response, "item_id": item_id, "output_index": 0}
    item = mcp_call(id=item_id, **call)
    return [
        {"type": "response.created", "response": {"id": response, "status": "in_progress"}},
        {"type": "response.output_item.added", "response_id": response, "output_index": 0, "item": item},
        {"type": "conversation.item.created", "previous_item_id": None, "item": item},
        {"type": "response.mcp_call_arguments.delta", **ids, "delta": TO_BERN},
        {"type": "response.mcp_call_arguments.done", **ids, "arguments": TO_BERN},
    ]


def request(number: int = 1, **more: object) -> dict[str, Any]:
    item = {"id": f"mcpr_{number}", "type": "mcp_approval_request", "server_label": "maps", "name": "route"}
    return {"type": "conversation.item.created", "item": {**item, "arguments": TO_BERN, **more}}


def done(response: str = "resp_1", status: str = "completed") -> dict[str, Any]:
    return {"type": "response.done", "response": {"id": response, "status": status}}


def progress(kind: str, item_id: str = "mcp_1") -> dict[str, Any]:
    return {"type": f"response.mcp_call.{kind}", "item_id": item_id, "output_index": 0}


def result(item_id: str = "mcp_1", response: str = "resp_1", **more: object) -> dict[str, Any]:
    item = mcp_call(**{"id": item_id, "arguments": TO_BERN, "output": "98 km", **more})
    return {"type": "response.output_item.done", "response_id": response, "output_index": 0, "item": item}


def call_of(fold: Fold, item_id: str = "mcp_1") -> Call:
    entry = fold.state.entry(item_id)
    assert entry is not None
    assert entry.call is not None
    return entry.call


def approvals(wanted: list[effects.Effect]) -> list[tuple[str, bool]]:
    """The approvals and refusals that were sent."""
    items = [effect.event["item"] for effect in wanted if isinstance(effect, effects.Send) and "item" in effect.event]
    return [(item["approval_request_id"], item["approve"]) for item in items if item["type"] == "mcp_approval_response"]


def creates(wanted: list[effects.Effect]) -> int:
    return sent(wanted).count("response.create")


def test_a_call_without_approval_as_in_the_sample() -> None:
    fold = asking()
    assert creates(fold.feed(*arguments(), done(), progress("in_progress"))) == 0
    assert call_of(fold).state is CallState.RUNNING
    assert creates(fold.feed(progress("completed"))) == 1
    assert call_of(fold).state is CallState.PENDING
    assert creates(fold.feed(result(), progress("completed"), result())) == 0, "duplicates, as the quickstart sees them"
    fold.feed(*answer(response="resp_2", done=True))
    call = call_of(fold)
    assert (call.state, call.output, call.answered_by) == (CallState.SPOKEN, "98 km", "resp_2")
    assert call.complete_at is not None
    assert call.started_at is not None
    assert call.ended_at is not None
    assert call.complete_at < call.started_at < call.ended_at
    assert [turn.called_at for turn in fold.state.turns] == [call.complete_at]
    assert [turn.returned_at for turn in fold.state.turns] == [call.ended_at]


def test_a_call_with_approval_as_in_the_sample() -> None:
    fold = asking()
    wanted = fold.feed(*arguments(), request(), done())
    assert (approvals(wanted), creates(wanted)) == ([], 0)
    call = call_of(fold)
    assert (call.state, call.approval_id) == (CallState.AWAITING, "mcpr_1")
    assert [entry.item_id for entry in fold.state.transcript] == ["mcp_1"], "the request has no line of its own"
    wanted = fold.feed(inputs.CallApproved("mcp_1"))
    assert (approvals(wanted), creates(wanted)) == ([("mcpr_1", True)], 0)
    assert call_of(fold).state is CallState.RUNNING
    response = {"id": "x", "type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
    wanted = fold.feed(
        {"type": "conversation.item.created", "item": response}, progress("in_progress"), progress("completed")
    )
    assert (approvals(wanted), creates(wanted)) == ([], 1)


def test_a_call_that_ends_before_its_response_is_answered_after_it() -> None:
    fold = asking()
    wanted = fold.feed(*arguments(), progress("in_progress"), progress("completed"), result())
    assert creates(wanted) == 0
    assert creates(fold.feed(done())) == 1


@pytest.mark.parametrize(
    "ends",
    [
        [progress("failed")],
        [progress("failed"), result(output=None, error="no road")],
        [result(output=None, error="no road"), progress("failed")],
        [result(output="")],
    ],
)
def test_a_failed_or_silent_call_is_followed_by_an_answer_as_well(ends: list[dict[str, Any]]) -> None:
    fold = asking()
    assert creates(fold.feed(*arguments(), done(), progress("in_progress"), *ends)) == 1


def test_a_call_without_any_result_is_given_up() -> None:
    fold = asking()
    fold.feed(*arguments(), done(), progress("in_progress"))
    assert mcp.silent(fold.state, fold.now + mcp.SILENT_SECONDS - 1) == []
    (end,) = mcp.silent(fold.state, fold.now + mcp.SILENT_SECONDS + 1)
    assert creates(fold.feed(end)) == 1
    assert call_of(fold).state is CallState.TIMED_OUT
    fold.feed(*answer(response="resp_2", done=True))
    assert creates(fold.feed(progress("completed"), result())) == 0, "too late"


def test_a_call_that_waits_for_the_user_is_not_given_up() -> None:
    fold = asking()
    fold.feed(*arguments(), request(), done())
    assert mcp.silent(fold.state, fold.now + 10 * mcp.SILENT_SECONDS) == []


def test_several_calls_of_a_response_get_one_answer() -> None:
    fold = asking()
    fold.feed(*arguments(), *arguments("mcp_2", name="traffic")[1:], done())
    assert creates(fold.feed(progress("completed"))) == 0
    assert creates(fold.feed(progress("failed", "mcp_2"))) == 1


def test_a_result_that_comes_after_the_user_went_on_is_late() -> None:
    fold = asking()
    fold.feed(*arguments(), done(), progress("in_progress"))
    fold.feed({"type": "input_audio_buffer.speech_started", "item_id": "item_u", "audio_start_ms": 0})
    assert creates(fold.feed(progress("completed"), result())) == 0
    assert call_of(fold).state is CallState.STALE


def test_words_of_the_same_response_after_the_result_are_its_answer() -> None:
    fold = asking()
    words = answer("item_a", "resp_1")[1:]
    assert creates(fold.feed(*arguments(), progress("in_progress"), progress("completed"), *words, done())) == 0
    assert call_of(fold).state is CallState.SPOKEN


def test_a_call_that_is_cancelled_within_its_arguments_has_no_answer() -> None:
    fold = asking()
    fold.feed(*arguments()[:-1])
    wanted = fold.feed(result(output=None, status="incomplete"), done(status="cancelled"))
    assert (creates(wanted), call_of(fold).state) == (0, CallState.CANCELLED)


def test_a_call_goes_on_when_its_response_is_cancelled() -> None:
    fold = asking()
    fold.feed(*arguments(), progress("in_progress"), done(status="cancelled"))
    assert call_of(fold).ended_at is None
    assert creates(fold.feed(progress("completed"))) == 0
    assert call_of(fold).state is CallState.STALE


def test_the_end_of_the_connection_ends_a_call() -> None:
    fold = asking()
    fold.feed(*arguments(), done(), progress("in_progress"), inputs.Disconnected(1006, "lost"))
    assert call_of(fold).state is CallState.FAILED
    fold.feed(replace(CONNECTING, resumed=True), inputs.Connected(), {"type": "session.created", "session": {}})
    assert creates(fold.feed({"type": "session.updated", "session": {}})) == 1


# --- listings


def listing(*names: str, label: str = "maps") -> dict[str, Any]:
    item = {
        "id": "mcpl_1",
        "type": "mcp_list_tools",
        "server_label": label,
        "tools": [{"name": name} for name in names],
    }
    return {"type": "conversation.item.created", "previous_item_id": None, "item": item}


@pytest.mark.parametrize("item_first", [True, False])
def test_the_tools_of_a_server_are_a_line_of_the_transcript(item_first: bool) -> None:
    began, ended = ({"type": f"mcp_list_tools.{kind}", "item_id": "mcpl_1"} for kind in ("in_progress", "completed"))
    items = [listing("route", "traffic")]
    fold = asking()
    wanted = fold.feed(*([*items, began, ended] if item_first else [began, *items, ended]))
    assert sent(wanted) == []
    (entry,) = fold.state.transcript
    assert entry.call is not None
    assert (entry.status, entry.note, entry.call.output) == (EntryStatus.DONE, "MCP server maps", "route, traffic")
    assert entry.call.state is CallState.ANSWERED
    fold.feed(*answer(done=True))
    assert call_of(fold, "mcpl_1").state is CallState.ANSWERED, "a response does not change a listing"


def test_a_server_whose_tools_cannot_be_listed_is_named() -> None:
    fold = asking()
    fold.feed(
        {"type": "mcp_list_tools.in_progress", "item_id": "mcpl_1"},
        listing(label="docs"),
        {"type": "mcp_list_tools.failed", "item_id": "mcpl_1"},
    )
    assert fold.state.transcript[0].status is EntryStatus.FAILED
    (problem,) = fold.state.problems
    assert (problem.severity, problem.text) == (
        "warning",
        "the tools of MCP server docs could not be listed: check its URL and headers",
    )


def test_a_running_listing_is_not_work_of_the_assistant() -> None:
    fold = asking()
    fold.feed({"type": "mcp_list_tools.in_progress", "item_id": "mcpl_1"})
    assert fold.state.open_calls == []
    assert fold.state.activity.value == "ready"


def test_a_message_of_the_console_waits_for_the_listings() -> None:
    fold = asking()
    servers = [{"type": "mcp", "server_label": label} for label in ("maps", "docs")]
    fold.feed(
        inputs.Sent({"type": "session.update", "session": {"tools": [*servers, {"type": "function", "name": "f"}]}})
    )
    assert mcp.is_listing(fold.state, fold.now)
    assert not mcp.is_listing(fold.state, fold.now + mcp.LISTING_SECONDS), "not for ever"
    fold.feed(listing("route"), {"type": "mcp_list_tools.completed", "item_id": "mcpl_1"})
    assert mcp.is_listing(fold.state, fold.now)
    fold.feed({"type": "mcp_list_tools.in_progress", "item_id": "mcpl_2"})
    fold.feed({"type": "mcp_list_tools.failed", "item_id": "mcpl_2"})
    assert not mcp.is_listing(fold.state, fold.now)
    assert not mcp.is_listing(ready().state, 0.0), "no server"


# --- approvals by rule


def asked(number: int) -> list[dict[str, Any]]:
    """A response with a call that needs an approval."""
    return [*arguments(f"mcp_{number}", f"resp_{number}"), request(number), done(f"resp_{number}")]


def ended(number: int) -> list[dict[str, Any]]:
    return [progress("in_progress", f"mcp_{number}"), progress("completed", f"mcp_{number}")]


@pytest.mark.parametrize(("rule", "approve"), [("always", True), ("never", False)])
@pytest.mark.parametrize("by_tool", [True, False])
def test_a_rule_decides_in_place_of_the_user(rule: str, approve: bool, by_tool: bool) -> None:
    fold = asking(approvals={"route": rule} if by_tool else rule)
    wanted = fold.feed(*asked(1))
    assert approvals(wanted) == [("mcpr_1", approve)]
    assert (call_of(fold).approved, call_of(fold).waits) == (approve, False)
    assert creates(wanted) == (0 if approve else 1), "a refused call is answered as well"
    assert creates(fold.feed(progress("failed"), result(output=None, error="refused"))) == (1 if approve else 0)


def test_a_rule_for_another_tool_does_not_apply() -> None:
    fold = asking(approvals={"traffic": "always"})
    assert approvals(fold.feed(*asked(1))) == []
    assert call_of(fold).waits


def test_only_three_calls_of_a_server_in_a_turn_are_approved_without_asking() -> None:
    fold = asking(approvals="always")
    for number in (1, 2, 3):
        assert approvals(fold.feed(*asked(number), *ended(number))) == [(f"mcpr_{number}", True)]
    assert approvals(fold.feed(*asked(4))) == []
    assert call_of(fold, "mcp_4").waits
    assert approvals(fold.feed(inputs.CallApproved("mcp_4"), *ended(4))) == [("mcpr_4", True)]
    fold.feed({"type": "input_audio_buffer.speech_started", "item_id": "item_u", "audio_start_ms": 0})
    assert approvals(fold.feed(*asked(5))) == [("mcpr_5", True)], "another turn"


def test_a_rule_is_changed_while_the_session_runs() -> None:
    fold = asking(approvals={"route": "never"})
    fold.feed(inputs.ApprovalsChanged("maps", "always"))
    assert approvals(fold.feed(*asked(1))) == [("mcpr_1", True)]


def test_a_rule_for_one_tool_leaves_those_of_the_others() -> None:
    fold = asking(approvals="always")
    fold.feed(inputs.ApprovalsChanged("maps", "never", "route"))
    assert approvals(fold.feed(*asked(1))) == [("mcpr_1", False)]
    assert mcp.rule_of(fold.state, "maps", "traffic") == "always"
    fold.feed(inputs.ApprovalsChanged("maps", "ask"))
    assert mcp.rule_of(fold.state, "maps", "route") == "ask"


@pytest.mark.parametrize("rule", ["ask", "never"])
def test_without_a_user_a_call_that_needs_one_is_refused(rule: str) -> None:
    fold = asking(approvals=rule, attended=False)
    wanted = fold.feed(*asked(1))
    assert (approvals(wanted), creates(wanted)) == ([("mcpr_1", False)], 1)
    entry = fold.state.entry("mcp_1")
    assert entry is not None
    assert entry.status is EntryStatus.FAILED
    assert (NO_USER in entry.note) is (rule == "ask")


def test_the_user_refuses() -> None:
    fold = asking()
    fold.feed(*asked(1))
    wanted = fold.feed(inputs.CallRefused("mcp_1", "not now"))
    assert (approvals(wanted), creates(wanted)) == ([("mcpr_1", False)], 1)
    assert approvals(fold.feed(inputs.CallRefused("mcp_1", "not now"), inputs.CallApproved("mcp_1"))) == []
    fold.feed(progress("failed"), result(output=None, error="The call was not approved."))
    assert fold.state.transcript[0].note == "not now", "the user's words stay"


def test_an_approval_is_sent_before_the_answer_is_asked_for() -> None:
    fold = asking()
    fold.feed(*asked(1))
    assert sent(fold.feed(inputs.CallRefused("mcp_1", "no"))) == ["conversation.item.create", "response.create"]


def test_a_request_that_comes_twice_is_decided_once() -> None:
    fold = asking(approvals="always")
    wanted = fold.feed(*arguments(), request(), {**request(), "type": "response.output_item.done"}, request(), done())
    assert approvals(wanted) == [("mcpr_1", True)]
    assert len(fold.state.transcript) == 1


def test_a_request_may_come_before_its_call() -> None:
    fold = asking()
    fold.feed({"type": "response.created", "response": {"id": "resp_1"}}, request(), done())
    assert call_of(fold, "mcpr_1").state is CallState.AWAITING
    fold.feed(inputs.CallApproved("mcpr_1"))
    fold.feed(result(output=None, approval_request_id="mcpr_1"), progress("in_progress"))
    assert [(entry.item_id, entry.behind) for entry in fold.state.transcript] == [("mcp_1", ("mcpr_1",))]
    assert (call_of(fold).approved, call_of(fold).state) == (True, CallState.RUNNING)


def test_the_decision_of_another_program_is_seen() -> None:
    fold = asking()
    fold.feed(*asked(1))
    item = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
    assert sent(fold.feed(inputs.Sent({"type": "conversation.item.create", "item": item}))) == []
    assert call_of(fold).state is CallState.RUNNING


# --- in any order


happenings = st.sampled_from([
    *arguments(), request(), done(), done(status="cancelled"), progress("in_progress"), progress("completed"),
    progress("failed"), result(), result(output=None, error="no road"), result(status="incomplete", output=None),
    *arguments("mcp_2")[1:], request(2), progress("completed", "mcp_2"), listing("route"),
    {"type": "mcp_list_tools.failed", "item_id": "mcpl_1"}, {"type": "error", "error": {"message": "x"}},
    {"type": "input_audio_buffer.speech_started", "item_id": "item_u"},
    inputs.CallApproved("mcp_1"), inputs.CallRefused("mcp_1", "no"), inputs.CallApproved("mcp_2"),
    inputs.Disconnected(1006, "lost"),
])  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(happenings, max_size=20), st.sampled_from(["ask", "always", "never"]), st.booleans())
def test_no_order_of_events_decides_a_call_twice_or_asks_twice(events: list[Any], rule: str, attended: bool) -> None:
    fold = asking(approvals=rule, attended=attended)
    fold.feed(*events)
    decided = [request_id for request_id, _ in approvals(fold.effects)]
    assert len(decided) == len(set(decided))
    ends = sum(call.answerable for _, call in fold.state.calls)
    assert creates(fold.effects) <= ends
