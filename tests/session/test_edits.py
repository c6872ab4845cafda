"""Edits of the live session, and the service's answers."""

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tests.session.folding import CONNECTING, REQUEST, Fold, ready
from voicelive_tui.config import BargeIn
from voicelive_tui.session import effects, inputs
from voicelive_tui.session.edits import other_detection
from voicelive_tui.session.request import NULL_MEANS_OFF as OFF
from voicelive_tui.session.state import SessionState

WHOLE = {**REQUEST["turn_detection"], "silence_duration_ms": 800}
EDIT = inputs.SessionEdited({"turn_detection": WHOLE})


def edit(fold: Fold, *edits: inputs.SessionEdited) -> list[effects.Effect]:
    """Feed edits, and then what was sent for them."""
    sends = fold.feed(*edits)
    fold.feed(*(inputs.Sent(send.event) for send in sends if isinstance(send, effects.Send)))
    return sends


def error(event_id: str | None, param: str = "session.turn_detection.silence_duration_ms") -> dict[str, Any]:
    return {"type": "error", "error": {"message": "no", "code": "invalid_value", "param": param, "event_id": event_id}}


def test_an_edit_sends_one_update_with_the_changed_fields_whole() -> None:
    fold = ready()
    (send,) = fold.feed(EDIT)
    assert isinstance(send, effects.Send)
    assert send.event == {
        "type": "session.update",
        "event_id": "edit-2",
        "session": {"turn_detection": WHOLE},
    }
    assert fold.state.wanted == REQUEST | {"turn_detection": WHOLE}


def test_an_edit_is_asked_for_again_by_the_session_after_it() -> None:
    fold = ready()
    fold.feed(EDIT, inputs.Disconnected(1006, "lost"), inputs.Connecting("e", "v", "m", "c", resumed=True))
    fold.feed(inputs.Connected())
    (send,) = fold.feed({"type": "session.created", "session": {}})
    assert isinstance(send, effects.Send)
    assert send.event["session"]["turn_detection"] == WHOLE


def test_an_edit_without_a_session_waits_for_the_next_one() -> None:
    fold = ready()
    fold.feed(inputs.Disconnected(1000, ""))
    assert fold.feed(EDIT) == []
    assert fold.state.wanted["turn_detection"] == WHOLE
    (row,) = fold.state.log.since(fold.state.log.next_seq - 1)
    assert row.text == "turn_detection: in the next session"


def test_an_edit_for_the_next_session_sends_nothing_now() -> None:
    fold = ready()
    assert fold.feed(inputs.SessionEdited({"voice": {"type": "openai", "name": "ash"}}, at_once=False)) == []
    assert fold.state.wanted["voice"]["name"] == "ash"


def test_a_refused_edit_is_taken_back() -> None:
    fold = ready()
    edit(fold, EDIT)
    assert fold.state.asked["turn_detection"] == WHOLE
    fold.feed(error("edit-2"))
    assert fold.state.wanted == fold.state.asked == REQUEST
    assert fold.state.edits[0].refusal["message"] == "no"
    assert fold.state.problems[-1].text.startswith("no (code invalid_value")


def test_a_refusal_that_repeats_no_id_is_matched_by_the_field_that_it_names() -> None:
    fold = ready()
    edit(fold, EDIT)
    fold.feed(error(None, "item.call_id"))
    assert fold.state.wanted["turn_detection"] == WHOLE
    fold.feed(error(None))
    assert fold.state.wanted == REQUEST


def test_a_refusal_leaves_what_a_later_edit_changed_since() -> None:
    fold = ready()
    later = {**WHOLE, "silence_duration_ms": 900}
    edit(fold, EDIT, inputs.SessionEdited({"turn_detection": later, "temperature": 0.7}))
    fold.feed(error("edit-2"))
    assert fold.state.wanted == REQUEST | {"turn_detection": later, "temperature": 0.7}


def test_two_refused_edits_of_a_field_lead_back_to_what_was_accepted() -> None:
    fold = ready()
    later = inputs.SessionEdited({"turn_detection": {**WHOLE, "silence_duration_ms": 900}})
    edit(fold, EDIT, later)
    fold.feed(error("edit-2"), error("edit-3"))
    assert fold.state.wanted == REQUEST


def test_a_field_that_is_set_to_nothing_is_no_longer_asked_for() -> None:
    fold = ready()
    fold.feed(inputs.SessionEdited({"temperature": 0.7}))
    (send,) = fold.feed(inputs.SessionEdited({"temperature": None, "turn_detection": None}))
    assert isinstance(send, effects.Send)
    assert send.event["session"] == {"temperature": None, "turn_detection": None}
    assert fold.state.wanted == REQUEST | {"turn_detection": None}


def test_the_service_answers_edits_in_order() -> None:
    fold = ready()
    edit(fold, EDIT, EDIT)
    fold.feed({"type": "session.updated", "session": {**REQUEST, "turn_detection": WHOLE}})
    assert [edit.answered for edit in fold.state.edits] == [True, False]


def test_an_update_before_the_edit_was_sent_does_not_answer_it() -> None:
    fold = ready()
    fold.feed(EDIT, {"type": "session.updated", "session": REQUEST})
    assert not fold.state.edits[0].answered


def test_the_detection_that_push_to_talk_replaced_comes_back_whole() -> None:
    fold = ready()
    fold.feed(EDIT)
    assert other_detection(fold.state) == {"turn_detection": None}
    fold.feed(inputs.SessionEdited(other_detection(fold.state)))
    assert fold.state.wanted["turn_detection"] is None
    assert other_detection(fold.state) == {"turn_detection": WHOLE}


def test_other_rules_for_barge_in_are_in_force_at_once_and_ask_the_service_for_nothing() -> None:
    fold = ready()
    rules = BargeIn(cancel="never", clear=True, truncate=False)
    assert fold.feed(inputs.BargeInEdited(rules)) == []
    assert fold.state.barge_in == rules
    assert fold.state.log.tail[-1].text == "barge-in: cancel never, clear true, truncate false"


def test_a_detection_left_to_an_agent_is_the_one_to_which_push_to_talk_returns() -> None:
    own = {"type": "azure_semantic_vad", "threshold": 0.4}
    wanted = {name: value for name, value in REQUEST.items() if name != "turn_detection"}
    state = SessionState(wanted=wanted, in_force={"turn_detection": own}, detection=WHOLE)
    assert other_detection(state) == {"turn_detection": None}
    fold = Fold(inputs.SessionEdited({"turn_detection": None}), state=state)
    assert other_detection(fold.state) == {"turn_detection": own}


def test_the_way_of_push_to_talk_is_changed_without_asking_the_service() -> None:
    fold = ready()
    assert fold.feed(inputs.TalkEdited(audio_turns=True)) == []
    assert fold.state.audio_turns
    assert fold.state.log.tail[-1].text == "push-to-talk: audio turns (experimental)"
    fold.feed(inputs.SessionEdited(other_detection(fold.state)))
    fold.feed({"type": "session.updated", "session": {**REQUEST, "turn_detection": None}})
    assert [send.event["type"] for send in fold.feed(inputs.TalkPressed()) if isinstance(send, effects.Send)] == [
        "input_audio.turn.start"
    ]


def test_an_edit_while_a_session_is_configured_is_asked_for_as_soon_as_that_is_done() -> None:
    fold = Fold(CONNECTING, inputs.Connected())
    (configure,) = fold.feed({"type": "session.created", "session": {}})
    assert isinstance(configure, effects.Send)
    fold.feed(inputs.Sent(configure.event))
    assert fold.feed(EDIT) == []
    update, capture = fold.feed({"type": "session.updated", "session": REQUEST})
    assert isinstance(update, effects.Send)
    assert update.event["session"]["turn_detection"] == WHOLE
    assert capture == effects.StartCapture()
    assert fold.feed(inputs.Sent(update.event), {"type": "session.updated", "session": REQUEST}) == []


STEPS = st.lists(
    st.tuples(st.just("edit"), st.sampled_from(["voice", "temperature"]), st.sampled_from([None, 1, 2, 3]))
    | st.tuples(st.sampled_from(["accept", "refuse"])),
    max_size=12,
)


@given(STEPS)
@example([("edit", "voice", None)] * 4 + [("refuse",), ("accept",), ("accept",), ("refuse",)])
def test_whatever_the_service_refuses_what_is_wanted_is_what_it_has_when_it_has_answered_all(steps: Any) -> None:
    fold = ready()
    service: dict[str, Any] = dict(REQUEST)
    waiting: list[effects.Send] = []

    def answer_next(answer: str) -> None:
        update = waiting.pop(0)
        if answer == "refuse":
            fold.feed(error(update.event["event_id"], "session"))
            return
        service.update(update.event["session"])
        fold.feed({"type": "session.updated", "session": service})

    for step in [*steps, *[("accept",)] * len(steps)]:
        if step[0] == "edit":
            (send,) = fold.feed(inputs.SessionEdited({step[1]: step[2]}))
            assert isinstance(send, effects.Send)
            fold.feed(inputs.Sent(send.event))
            waiting.append(send)
        elif waiting:
            answer_next(step[0])
    assert fold.state.wanted == {name: value for name, value in service.items() if value is not None or name in OFF}
