from tests.session.folding import answer, ready, sent
from voicelive_tui.session import effects, inputs


def test_a_typed_message_is_sent_and_answered() -> None:
    fold = ready()
    wanted = fold.feed(inputs.TextTyped("  hello [b] "))
    assert sent(wanted) == ["conversation.item.create", "response.create"]
    item = next(e.event["item"] for e in wanted if isinstance(e, effects.Send) and "item" in e.event)
    assert item["content"] == [{"type": "input_text", "text": "hello [b]"}]
    assert fold.feed(inputs.TextTyped("   ")) == []


def test_a_message_typed_over_an_answer_waits_for_the_cancelled_response_to_end() -> None:
    fold = ready()
    fold.feed(*answer())
    assert sent(fold.feed(inputs.TextTyped("stop"))) == ["response.cancel", "conversation.item.create"]
    done = {"type": "response.done", "response": {"id": "resp_1", "status": "cancelled"}}
    assert sent(fold.feed(done)) == ["response.create"]
    assert sent(fold.feed(done)) == []


def test_the_interrupt_key_withdraws_a_requested_answer() -> None:
    fold = ready()
    fold.feed(*answer(), inputs.TextTyped("stop"), inputs.InterruptPressed())
    done = {"type": "response.done", "response": {"id": "resp_1", "status": "cancelled"}}
    assert sent(fold.feed(done)) == []


def test_a_response_that_never_ends_does_not_block_the_next_question() -> None:
    fold = ready()
    fold.feed(*answer())  # and no response.done ever comes for it
    assert sent(fold.feed(inputs.TextTyped("anyone there?"))) == ["response.cancel", "conversation.item.create"]
    nothing = {"type": "error", "error": {"message": "no active response", "code": "response_cancel_not_active"}}
    assert sent(fold.feed(nothing)) == ["response.create"]
    assert fold.state.response == ""
    assert sent(fold.feed(nothing)) == []


def test_a_cancelled_response_that_never_ends_is_cancelled_again_by_the_next_question() -> None:
    fold = ready()
    fold.feed(*answer(), inputs.InterruptPressed())  # and no response.done comes for the cancellation
    assert sent(fold.feed(inputs.TextTyped("anyone there?"))) == ["conversation.item.create", "response.cancel"]
    nothing = {"type": "error", "error": {"message": "no active response", "code": "response_cancel_not_active"}}
    assert sent(fold.feed(nothing)) == ["response.create"]


def test_a_late_report_that_nothing_was_cancelled_leaves_the_next_response_active() -> None:
    fold = ready()
    fold.feed(*answer(), inputs.InterruptPressed())
    fold.feed({"type": "response.done", "response": {"id": "resp_1", "status": "completed"}}, *answer("b", "resp_2"))
    fold.feed({"type": "error", "error": {"message": "no active response", "code": "response_cancel_not_active"}})
    assert fold.state.response == "resp_2"
