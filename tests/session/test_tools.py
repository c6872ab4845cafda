"""Calls of tools in the transcript."""

import pytest

from tests.session.folding import ready
from voicelive_tui.session.transcript import EntryStatus


def test_a_tool_call_is_an_entry_with_its_arguments_and_result() -> None:
    fold = ready()
    call = {"id": "item_c", "type": "function_call", "name": "get_weather", "call_id": "call_1", "arguments": ""}
    ids = {"response_id": "resp_1", "item_id": "item_c", "output_index": 0, "call_id": "call_1"}
    output = {"id": "item_o", "type": "function_call_output", "call_id": "call_1", "output": '{"sunny": true}'}
    fold.feed(
        {"type": "response.output_item.added", "response_id": "resp_1", "output_index": 0, "item": call},
        {"type": "conversation.item.created", "previous_item_id": None, "item": call},
        {"type": "response.function_call_arguments.delta", **ids, "delta": '{"city"'},
        {"type": "response.function_call_arguments.delta", **ids, "delta": ': "Paris"}'},
        {
            "type": "response.function_call_arguments.done",
            **ids,
            "arguments": '{"city": "Paris"}',
            "name": "get_weather",
        },
        {"type": "response.done", "response": {"id": "resp_1", "status": "completed"}},
        {"type": "conversation.item.created", "previous_item_id": "item_c", "item": output},
    )
    (entry,) = fold.state.transcript
    assert entry.call is not None
    assert (entry.role, entry.call.name, entry.call.arguments) == ("tool", "get_weather", '{"city": "Paris"}')
    assert (entry.call.output, entry.status) == ('{"sunny": true}', EntryStatus.DONE)


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


def test_an_approval_request_and_a_server_without_tools_are_reported() -> None:
    fold = ready()
    asks = {"id": "mcpr_1", "type": "mcp_approval_request", "server_label": "maps", "name": "route"}
    fold.feed({"type": "conversation.item.created", "item": asks}, {"type": "mcp_list_tools.failed", "item_id": "x"})
    assert fold.state.transcript[0].note == "MCP server maps waits for an approval, which this program cannot give yet"
    assert [(problem.severity, "MCP" in problem.text) for problem in fold.state.problems] == [("warning", True)]
