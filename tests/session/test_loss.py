"""A session that continues a lost one: what it is given of the conversation, and how the answers are counted."""

from typing import Any

from tests.session.folding import READY, answer, ready, sent, sent_events
from tests.session.test_reconnect import LOST, RESUMING
from voicelive_tui.session import inputs


def talked() -> Any:
    """A session with two turns that was lost, and is ready again; what was sent to it is in `effects`."""
    fold = ready()
    for number in (1, 2):
        item = {"id": f"u{number}", "type": "message", "role": "user",
                "content": [{"type": "input_text", "text": f"question {number}"}]}  # fmt: skip
        fold.feed(inputs.TextTyped(f"question {number}"), {"type": "conversation.item.created", "item": item})
        fold.feed(*answer(f"a{number}", f"resp_{number}", done=True))
        fold.feed(inputs.PlaybackStarted(f"a{number}", fold.now), inputs.PlaybackFinished(f"a{number}", 1000.0))
    fold.feed(LOST, RESUMING)
    fold.effects.clear()
    fold.feed(*READY)
    return fold


def seeds(fold: Any) -> list[Any]:
    return [event for event in sent_events(fold.effects) if event["event_id"].startswith("seed-")]


def test_the_new_session_gets_the_history_and_no_request() -> None:
    fold = talked()
    assert sent(fold.effects) == ["session.update"] + ["conversation.item.create"] * 4
    assert [event["item"]["id"] for event in seeds(fold)] == ["u1", "a1", "u2", "a2"]
    before = fold.state.transcript
    fold.feed(*({"type": "conversation.item.created", "item": event["item"]} for event in seeds(fold)))
    *entries, remark = fold.state.transcript
    assert tuple(entries) == before  # nothing twice, nothing moved
    assert remark.text == "new session after 0.0 s: 2 turns restored (about 14 tokens); audio was not"


def test_a_refused_item_is_left_out_and_counted_and_the_rest_goes_on() -> None:
    fold = talked()
    first, second, third, last = seeds(fold)
    fold.feed({"type": "conversation.item.created", "item": first["item"]})
    fold.feed({"type": "error", "error": {"event_id": second["event_id"], "message": "no"}})
    fold.feed(*({"type": "conversation.item.created", "item": event["item"]} for event in (third, last)))
    assert fold.state.problems == ()
    assert "the service refused 1 item" in fold.state.transcript[-1].text


def test_an_item_that_comes_back_under_another_id_stays_one_entry() -> None:
    fold = talked()
    first, *rest = seeds(fold)
    renamed = {**first["item"], "id": "other"}
    created = [renamed, *(event["item"] for event in rest)]
    fold.feed(*({"type": "conversation.item.created", "item": item} for item in created))
    *entries, remark = fold.state.transcript
    assert [entry.item_id for entry in entries] == ["other", "a1", "u2", "a2"]
    assert remark.role == "session"


def test_the_next_item_goes_below_everything_of_the_lost_session() -> None:
    fold = talked()
    fold.feed(*({"type": "conversation.item.created", "item": event["item"]} for event in seeds(fold)))
    item = {"id": "u3", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "more"}]}
    fold.feed({"type": "conversation.item.created", "previous_item_id": "u1", "item": item})
    assert [entry.item_id for entry in fold.state.transcript][-1] == "u3"


def test_the_next_spoken_turn_goes_below_the_remark_on_the_lost_session() -> None:
    fold = talked()
    fold.feed(*({"type": "conversation.item.created", "item": event["item"]} for event in seeds(fold)))
    fold.feed({"type": "input_audio_buffer.speech_started", "item_id": "u3"})
    fold.feed({"type": "input_audio_buffer.committed", "item_id": "u3", "previous_item_id": "a2"})
    assert [entry.role for entry in fold.state.transcript][-3:] == ["assistant", "session", "user"]


def test_a_drop_while_the_history_is_given_begins_it_again() -> None:
    fold = talked()
    first = seeds(fold)
    fold.feed({"type": "conversation.item.created", "item": first[0]["item"]}, LOST, RESUMING)
    fold.effects.clear()
    fold.feed(*READY)
    assert [event["item"] for event in seeds(fold)] == [event["item"] for event in first]


def test_a_message_that_was_not_acknowledged_is_sent_again_and_asked_once() -> None:
    fold = ready()
    fold.feed(inputs.TextTyped("hello"), LOST, RESUMING)
    fold.effects.clear()
    fold.feed(*READY)
    assert sent(fold.effects) == ["session.update", "conversation.item.create", "response.create"]
    item = {"id": "u1", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
    fold.feed({"type": "conversation.item.created", "item": item}, LOST, RESUMING)
    fold.effects.clear()
    fold.feed(*READY)  # acknowledged, so it is history now; still unanswered
    assert sent(fold.effects) == ["session.update", "conversation.item.create", "response.create"]
    assert len(seeds(fold)) == 1


def test_an_answer_that_had_begun_is_not_asked_for_again() -> None:
    fold = ready()
    item = {"id": "u1", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
    fold.feed(inputs.TextTyped("hello"), {"type": "conversation.item.created", "item": item}, *answer(), LOST, RESUMING)
    fold.effects.clear()
    fold.feed(*READY)
    assert "response.create" not in sent(fold.effects)


def test_an_answer_of_which_nothing_came_is_asked_for_again() -> None:
    fold = ready()
    item = {"id": "u1", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
    fold.feed(inputs.TextTyped("hello"), {"type": "conversation.item.created", "item": item})
    fold.feed({"type": "response.created", "response": {"id": "resp_1"}}, LOST, RESUMING)
    fold.effects.clear()
    fold.feed(*READY)
    assert sent(fold.effects).count("response.create") == 1


def test_the_sound_of_a_lost_session_is_not_truncated_in_the_new_one() -> None:
    fold = ready()
    fold.feed(*answer(), inputs.PlaybackStarted("item_a", 1.0), LOST, RESUMING, *READY)
    assert sent(fold.feed(inputs.PlaybackStopped("item_a", 400.0, fold.now))) == []
