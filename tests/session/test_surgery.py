"""Deleting and inserting items, asking again, and branching."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.session.folding import Fold, answer, ready, sent, sent_events
from tests.session.test_reconnect import RESUMING
from voicelive_tui.session import effects, inputs
from voicelive_tui.session.surgery import refusal

SEED = "conversation.item.create"


def created(item_id: str, role: str, words: str, previous: str | None = None) -> dict[str, Any]:
    part = {"type": "text" if role == "assistant" else "input_text", "text": words}
    item = {"id": item_id, "type": "message", "role": role, "status": "completed", "content": [part]}
    return {"type": "conversation.item.created", "previous_item_id": previous, "item": item}


def talked() -> Fold:
    """Two messages of the user with their answers."""
    fold = ready()
    for number, previous in ((1, None), (2, "a1")):
        fold.feed(created(f"u{number}", "user", f"question {number}", previous))
        fold.feed(created(f"a{number}", "assistant", f"answer {number}", f"u{number}"))
    return fold


def do(fold: Fold, event: inputs.Key) -> dict[str, Any]:
    """The one client event of a change, as it was sent."""
    (send,) = (effect for effect in fold.feed(event) if isinstance(effect, effects.Send))
    fold.feed(inputs.Sent(send.event))
    return dict(send.event)


def shown(fold: Fold) -> list[str]:
    return [entry.text for entry in fold.state.transcript]


def test_a_deletion_leaves_the_transcript_when_the_service_has_confirmed_it() -> None:
    fold = talked()
    event = do(fold, inputs.DeleteItem("a1"))
    assert (event["type"], event["item_id"]) == ("conversation.item.delete", "a1")
    assert "answer 1" in shown(fold)
    fold.feed({"type": "conversation.item.deleted", "item_id": "a1"})
    assert shown(fold) == ["question 1", "question 2", "answer 2"]


def test_a_refused_deletion_is_noted_at_its_entry() -> None:
    fold = talked()
    event = do(fold, inputs.DeleteItem("a1"))
    fold.feed({"type": "error", "error": {"message": "Item not found.", "event_id": event["event_id"]}})
    entry = fold.state.entry("a1")
    assert entry is not None
    assert entry.note.startswith("not deleted: Item not found.")
    assert [each.note for each in fold.state.transcript if each is not entry] == [""] * 3


@pytest.mark.parametrize(("role", "kind"), [("user", "input_text"), ("system", "input_text"), ("assistant", "text")])
def test_an_inserted_message_stands_after_its_entry(role: Any, kind: str) -> None:
    fold = talked()
    event = do(fold, inputs.InsertItem("u1", role, "by the way"))
    assert event["previous_item_id"] == "u1"
    assert event["item"]["content"] == [{"type": kind, "text": "by the way"}]
    fold.feed(created(event["item"]["id"], role, "by the way", "u1"))
    assert shown(fold) == ["question 1", "by the way", "answer 1", "question 2", "answer 2"]
    assert fold.state.turn_count == 0  # it is not a turn of the user


def test_a_message_is_inserted_among_the_items_of_a_restored_history_too() -> None:
    fold = talked()
    fold.feed(inputs.Disconnected(1006, "lost"), RESUMING, inputs.Connected())
    fold.feed({"type": "session.created", "session": {}}, {"type": "session.updated", "session": {}})
    assert "given its history" in refusal(inputs.DeleteItem("u1"), fold.state)
    for entry in fold.state.transcript:
        fold.feed(created(entry.item_id, entry.role, entry.text))
    event = do(fold, inputs.InsertItem("u1", "system", "be brief"))
    fold.feed(created(event["item"]["id"], "system", "be brief", "u1"))
    assert shown(fold)[:3] == ["question 1", "be brief", "answer 1"]


def test_an_insertion_does_not_acknowledge_a_typed_message() -> None:
    fold = talked()
    fold.feed(inputs.TextTyped("still waiting"))
    event = do(fold, inputs.InsertItem("u1", "user", "something else"))
    fold.feed(created(event["item"]["id"], "user", "something else", "u1"))
    assert [words for _, words in fold.state.intent.typed] == ["still waiting"]


def test_a_refused_insertion_is_noted_at_the_entry_before_it() -> None:
    fold = talked()
    event = do(fold, inputs.InsertItem("u1", "user", "x"))
    fold.feed({"type": "error", "error": {"message": "No.", "event_id": event["event_id"]}})
    assert [entry.note for entry in fold.state.transcript][:2] == ["nothing was inserted after it: No.", ""]


def test_asking_again_silences_the_answer_that_is_heard_and_may_carry_instructions() -> None:
    fold = ready()
    fold.feed(*answer(done=True), inputs.PlaybackStarted("item_a", fold.now))
    wanted = fold.feed(inputs.AskAgain("in French"))
    assert wanted[0] == effects.StopPlayback()
    (create,) = (effect.event for effect in wanted if isinstance(effect, effects.Send))
    assert (create["type"], create["additional_instructions"]) == ("response.create", "in French")
    assert fold.state.awaiting
    fold.feed(*answer("item_b", "resp_2"))
    assert fold.state.turn is not None
    assert fold.state.turn.response_id == "resp_2"
    assert fold.state.turn.asked_at is not None
    assert "additional_instructions" not in do(talked(), inputs.AskAgain())


def test_a_refusal_of_another_answer_ends_the_wait_for_it() -> None:
    fold = talked()
    event = do(fold, inputs.AskAgain())
    fold.feed({"type": "error", "error": {"message": "No.", "event_id": event["event_id"]}})
    assert not fold.state.awaiting


def test_a_branch_gives_a_new_session_the_history_up_to_the_entry_and_keeps_the_rest_above_a_rule() -> None:
    fold = talked()
    assert fold.feed(inputs.Branch("u2")) == [effects.StopPlayback(), effects.Reconnect()]
    old = ["question 1", "answer 1", "question 2", "answer 2"]
    assert shown(fold) == [*old, "branch after “question 2”: a new session", *old[:3]]
    fold.feed(inputs.Disconnected(1000, ""), RESUMING, inputs.Connected(), {"type": "session.created", "session": {}})
    (restore,) = (e for e in fold.feed({"type": "session.updated", "session": {}}) if isinstance(e, effects.Restore))
    items = [event["item"] for event in restore.events]
    assert [item["content"][0]["text"] for item in items] == old[:3]
    assert [item["id"] for item in items] == [entry.item_id for entry in fold.state.transcript[5:]]
    assert "response.create" not in sent(fold.effects)


def test_a_branch_can_be_left_for_the_line_of_conversation_above_its_rule() -> None:
    fold = talked()
    fold.feed(inputs.Branch("u1"), inputs.Branch("a1"))
    assert shown(fold)[-2:] == ["question 1", "answer 1"]


def test_a_branch_leaves_no_typed_message_and_no_turn_behind_that_would_be_answered_in_it() -> None:
    fold = talked()
    fold.feed(inputs.TextTyped("unanswered"), inputs.Branch("a1"), inputs.Disconnected(1000, ""))
    fold.feed(RESUMING, inputs.Connected(), {"type": "session.created", "session": {}})
    assert sent(fold.feed({"type": "session.updated", "session": {}})) == [SEED] * 2


def test_what_an_answer_s_hearer_did_not_hear_is_not_in_the_branch() -> None:
    fold = ready()
    fold.feed(*answer(), {"type": "input_audio_buffer.speech_started", "item_id": "item_u"})
    fold.feed(inputs.PlaybackStopped("item_a", 500.0, fold.now))
    fold.feed({"type": "response.done", "response": {"id": "resp_1", "status": "cancelled"}})
    heard = shown(fold)[0]
    fold.feed(inputs.Branch("item_a"))
    assert heard.startswith(shown(fold)[-1])
    assert len(shown(fold)[-1]) < len(heard)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (inputs.DeleteItem("nowhere"), "not an item of the conversation"),
        (inputs.DeleteItem("item_a"), "not complete yet"),
        (inputs.Branch("item_a"), "not complete yet"),
        (inputs.AskAgain(), "interrupt it first"),
    ],
)
def test_what_cannot_be_done_now_has_a_reason_and_sends_nothing(event: Any, reason: str) -> None:
    fold = ready()
    fold.feed(*answer())
    assert reason in refusal(event, fold.state)
    assert fold.feed(event) == []
    assert reason in fold.state.log.tail[-1].text


CALL = {"id": "c1", "type": "function_call", "name": "time", "call_id": "k1", "arguments": "{}"}
OUTPUT = {"id": "o1", "type": "function_call_output", "call_id": "k1", "output": "noon"}


def called() -> Fold:
    """A conversation with a function's call."""
    fold = talked()
    fold.feed({"type": "conversation.item.created", "previous_item_id": "a2", "item": CALL})
    fold.feed({"type": "conversation.item.created", "previous_item_id": "c1", "item": OUTPUT})
    return fold


def test_a_function_s_call_is_deleted_with_its_output_which_is_an_item_of_its_own() -> None:
    fold = called()
    sends = sent_events(fold.feed(inputs.DeleteItem("c1")))
    assert [event["item_id"] for event in sends] == ["o1", "c1"]
    fold.feed(*map(inputs.Sent, sends))
    error = {"type": "error", "error": {"message": "not found", "event_id": sends[0]["event_id"]}}
    fold.feed(error)
    assert fold.state.transcript[-1].note.startswith("not deleted: not found")
    fold.feed({"type": "conversation.item.deleted", "item_id": "c1"})
    assert shown(fold)[-1] == "answer 2"


def test_a_message_after_a_function_s_call_stands_after_its_output_too() -> None:
    fold = called()
    event = do(fold, inputs.InsertItem("c1", "user", "Are you sure?"))
    assert event["previous_item_id"] == "o1"
    fold.feed(created("u3", "user", "Later.", "o1"))
    fold.feed({"type": "conversation.item.created", "previous_item_id": "o1", "item": event["item"]})
    assert shown(fold)[-2:] == ["Are you sure?", "Later."]


def test_a_function_s_call_cannot_be_changed_before_its_output_is_there() -> None:
    fold = talked()
    fold.feed({"type": "conversation.item.created", "previous_item_id": "a2", "item": CALL})
    for event in (inputs.DeleteItem("c1"), inputs.InsertItem("c1", "user", "x")):
        assert refusal(event, fold.state).startswith("it is not complete yet")


def test_a_function_s_call_and_its_output_stay_together_and_go_into_a_branch() -> None:
    fold = called()
    fold.feed(inputs.Branch("c1"), inputs.Disconnected(1000, ""), RESUMING, inputs.Connected())
    fold.feed({"type": "session.created", "session": {}})
    (restore,) = (e for e in fold.feed({"type": "session.updated", "session": {}}) if isinstance(e, effects.Restore))
    assert [event["item"]["type"] for event in restore.events][-2:] == ["function_call", "function_call_output"]
    assert len(restore.events) == 6
    copied = fold.state.transcript[-1].call
    assert copied is not None
    assert (copied.name, copied.arguments, copied.output, copied.due_at) == ("time", "{}", "noon", None)
    assert "response.create" not in sent(fold.effects)


def test_an_item_of_an_earlier_session_can_be_branched_from_but_not_changed() -> None:
    fold = talked()
    fold.feed(inputs.Disconnected(1000, ""), inputs.Connecting("e", "v", "m", "c"), inputs.Connected())
    fold.feed({"type": "session.created", "session": {}}, {"type": "session.updated", "session": {}})
    assert "an earlier session" in refusal(inputs.DeleteItem("u1"), fold.state)
    assert refusal(inputs.Branch("a1"), fold.state) == ""
    fold.feed(inputs.Branch("a1"))
    assert shown(fold)[-2:] == ["question 1", "answer 1"]


def test_without_a_session_nothing_is_changed_but_a_branch_connects() -> None:
    fold = talked()
    fold.feed(inputs.Disconnected(1000, ""))
    for event in (inputs.DeleteItem("u1"), inputs.InsertItem("u1", "user", "x"), inputs.AskAgain()):
        assert fold.feed(event) == []
        assert "not connected" in fold.state.log.tail[-1].text
    assert effects.Reconnect() in fold.feed(inputs.Branch("u1"))


LINES = st.lists(
    st.tuples(st.sampled_from(["user", "assistant", "system"]), st.text(max_size=12)), min_size=1, max_size=12
)


@given(LINES, st.data())
def test_a_branch_shows_exactly_what_its_session_is_given(lines: list[tuple[str, str]], data: st.DataObject) -> None:
    fold = ready()
    for number, (role, words) in enumerate(lines):
        fold.feed(created(f"i{number}", role, words, f"i{number - 1}" if number else None))
    above = fold.state.transcript
    chosen = data.draw(st.sampled_from(above))
    fold.feed(inputs.Branch(chosen.item_id))
    rule, *below = fold.state.transcript[len(above) :]
    assert fold.state.transcript[: len(above)] == above
    assert rule.role == "session"
    fold.feed(inputs.Disconnected(1000, ""), RESUMING, inputs.Connected(), {"type": "session.created", "session": {}})
    (restore,) = (e for e in fold.feed({"type": "session.updated", "session": {}}) if isinstance(e, effects.Restore))
    items = [event["item"] for event in restore.events]
    sent_items = [(item["id"], item["role"], item["content"][0]["text"]) for item in items]
    assert sent_items == [(entry.item_id, entry.role, entry.text) for entry in below]
    assert [entry.text for entry in below] == [
        entry.text.strip() for entry in above[: above.index(chosen) + 1] if entry.text.strip()
    ]
