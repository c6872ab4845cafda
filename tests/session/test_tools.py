"""Calls of tools in the transcript."""

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
