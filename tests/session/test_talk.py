"""Push-to-talk by key, over a gap, and switched on and off in the session."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.session.folding import REQUEST, Fold, answer, ready, sent, sent_events
from tests.session.test_reconnect import LOST, RESUMING
from voicelive_tui.session import effects, inputs
from voicelive_tui.session.state import Activity, Stage
from voicelive_tui.session.talk import waits_for_commit

COMMITTED = {"type": "input_audio_buffer.committed", "item_id": "item_u", "previous_item_id": None}
SPEAKS = {"type": "input_audio_buffer.speech_started", "item_id": "item_s", "audio_start_ms": 0}


def updated(detection: Any) -> dict[str, Any]:
    return {"type": "session.updated", "session": {**REQUEST, "id": "sess_1", "turn_detection": detection}}


def reopened(fold: Fold) -> list[effects.Effect]:
    """Let the next session be configured; the effects of that."""
    session = {**REQUEST, "id": "sess_2", "turn_detection": None}
    fold.feed(RESUMING, inputs.Connected(), {"type": "session.created", "session": session})
    return fold.feed({"type": "session.updated", "session": session})


def test_a_turn_that_is_discarded_sends_neither_commit_nor_response() -> None:
    fold = ready(type=None)
    fold.feed(inputs.TalkPressed())
    fold.now += 1
    wanted = fold.feed(inputs.TalkCancelled())
    assert wanted[0] == effects.DropTalk()
    assert sent(wanted) == ["input_audio_buffer.clear"]
    assert (fold.state.activity, fold.state.turns) == (Activity.READY, ())
    assert fold.feed(inputs.TalkCancelled()) == []


def test_a_turn_begun_and_ended_while_reconnecting_is_committed_after_its_sound_in_the_next_session() -> None:
    fold = ready(type=None)
    fold.feed(LOST)
    lost_at = fold.now
    assert [type(effect) for effect in fold.feed(inputs.TalkPressed())] == [effects.StopPlayback, effects.BeginTalk]
    fold.now += 1
    assert fold.feed(inputs.TalkPressed()) == [effects.EndTalk()]  # nothing to send it to
    wanted = reopened(fold)
    (late,) = [effect for effect in wanted if isinstance(effect, effects.StartCapture)]
    assert late.since is not None
    assert late.since <= lost_at
    assert sent(wanted[wanted.index(late) :]) == ["input_audio_buffer.commit", "response.create"]
    assert sent(fold.feed(COMMITTED)) == []


def test_a_turn_begun_while_reconnecting_is_ended_in_the_next_session() -> None:
    fold = ready(type=None)
    fold.feed(LOST, inputs.TalkPressed())
    fold.now += 1
    assert sent(reopened(fold)) == []
    fold.feed(inputs.CaptureChanged(capturing=True))
    assert fold.state.activity is Activity.LISTENING
    assert sent(fold.feed(inputs.TalkPressed())) == ["input_audio_buffer.commit", "response.create"]


def test_a_commit_that_was_lost_with_the_session_is_sent_again() -> None:
    fold = ready(type=None)
    fold.now += 1
    fold.feed(inputs.TalkPressed())
    began_at = fold.now
    fold.now += 1
    fold.feed(inputs.TalkPressed(), LOST)
    wanted = reopened(fold)
    (late,) = [effect for effect in wanted if isinstance(effect, effects.StartCapture)]
    assert late.since == pytest.approx(began_at - 0.3)  # with its pre-roll
    assert sent(wanted) == ["input_audio_buffer.commit", "response.create"]
    fold.feed(COMMITTED, LOST)
    assert sent(reopened(fold)) == []  # the service has it, without a transcription


def test_a_turn_discarded_while_reconnecting_is_not_sent() -> None:
    fold = ready(type=None)
    fold.feed(LOST, inputs.TalkPressed(), inputs.TalkCancelled())
    assert sent(reopened(fold)) == []


def test_without_a_session_to_come_the_key_has_no_effect_and_a_reason() -> None:
    fold = ready(type=None)
    fold.feed(inputs.Disconnected(1000, ""))
    assert fold.feed(inputs.TalkPressed()) == []
    assert fold.state.log.tail[-1].text == "not connected: reset for a new session"


def test_a_switch_to_push_to_talk_abandons_the_utterance_and_clears_what_the_service_heard() -> None:
    fold = ready()
    fold.feed(SPEAKS)
    assert fold.state.activity is Activity.LISTENING
    assert sent(fold.feed(updated(None))) == ["input_audio_buffer.clear"]
    assert fold.state.microphone.push_to_talk
    assert (fold.state.activity, fold.state.transcript, fold.state.turns) == (Activity.READY, (), ())
    assert sent(fold.feed(updated(None))) == []  # no other change clears


def test_a_switch_back_ends_the_turn_by_key_and_sends_sound_on() -> None:
    fold = ready(type=None)
    fold.feed(inputs.TalkPressed())
    assert fold.feed(updated(REQUEST["turn_detection"])) == []
    microphone = fold.state.microphone
    assert (microphone.talking, microphone.push_to_talk, microphone.sending) == (False, False, True)
    assert fold.state.connection.stage is Stage.READY


def test_a_committed_turn_survives_a_switch() -> None:
    fold = ready(type=None)
    fold.feed(inputs.TalkPressed())
    fold.now += 1
    fold.feed(inputs.TalkPressed(), updated(REQUEST["turn_detection"]), COMMITTED)
    assert [turn.item_id for turn in fold.state.turns] == ["item_u"]


def with_audio_turns() -> Fold:
    fold = ready(type=None)
    fold.state = replace(fold.state, audio_turns=True)
    fold.now += 1
    return fold


def refusal(turn_id: str) -> dict[str, Any]:
    return {"type": "error", "error": {"message": "no such event", "code": "invalid_value", "event_id": turn_id}}


def test_an_audio_turn_takes_the_place_of_the_buffer() -> None:
    fold = with_audio_turns()
    wanted = fold.feed(inputs.TalkPressed())
    (start,) = sent_events(wanted)
    assert wanted.index(effects.Send(start)) < wanted.index(effects.BeginTalk(fold.now - 0.3))  # before its sound
    fold.now += 1
    end, create = sent_events(fold.feed(inputs.TalkPressed()))
    assert [event["type"] for event in (start, end, create)] == [
        "input_audio.turn.start",
        "input_audio.turn.end",
        "response.create",
    ]
    assert {start["event_id"], start["turn_id"], end["event_id"], end["turn_id"]} == {start["turn_id"]}


@pytest.mark.parametrize("seconds", [0.05, 1.0])
def test_an_audio_turn_that_is_too_short_or_discarded_is_cancelled(seconds: float) -> None:
    fold = with_audio_turns()
    fold.feed(inputs.TalkPressed())
    fold.now += seconds
    key = inputs.TalkPressed() if seconds < 0.1 else inputs.TalkCancelled()
    assert sent(fold.feed(key)) == ["input_audio.turn.cancel"]


def test_a_refused_audio_turn_in_progress_goes_on_with_the_buffer_and_is_reported_once() -> None:
    fold = with_audio_turns()
    (start,) = sent_events(fold.feed(inputs.TalkPressed()))
    began_at = fold.now
    wanted = fold.feed(refusal(start["turn_id"]))
    assert sent(wanted) == ["input_audio.turn.cancel"]
    assert wanted[-1] == effects.StartCapture(pytest.approx(began_at - 0.3))  # its sound once more
    assert fold.feed(refusal(start["turn_id"]), refusal(start["turn_id"])) == []  # each piece of its sound
    (problem,) = fold.state.problems
    assert fold.state.counts.errors == 1
    assert "goes on with the input buffer: no such event" in problem.text
    fold.now += 1
    assert sent(fold.feed(inputs.TalkPressed())) == ["input_audio_buffer.commit", "response.create"]
    assert "input_audio.turn.start" not in sent(fold.feed(inputs.TalkPressed()))


def test_an_audio_turn_refused_after_its_end_is_committed_to_the_buffer() -> None:
    fold = with_audio_turns()
    (start,) = sent_events(fold.feed(inputs.TalkPressed()))
    fold.now += 1
    fold.feed(inputs.TalkPressed(), *answer())  # to what came before
    wanted = fold.feed(refusal(start["turn_id"]))
    assert wanted[0] == effects.StopPlayback()
    assert sent(wanted) == ["response.cancel", "input_audio_buffer.commit"]
    done = {"type": "response.done", "response": {"id": "resp_1", "status": "cancelled"}}
    assert sent(fold.feed(done)) == ["response.create"]


def test_an_audio_turn_does_not_outlive_its_connection() -> None:
    fold = with_audio_turns()
    fold.feed(inputs.TalkPressed(), LOST)
    reopened(fold)
    fold.feed(inputs.CaptureChanged(capturing=True))
    fold.now += 1
    assert sent(fold.feed(inputs.TalkPressed())) == ["input_audio_buffer.commit", "response.create"]


STEPS = st.sampled_from(["key", "key", "escape", "wait", "blink", "lose", "reopen", "commit", "switch"])


@given(st.lists(STEPS, max_size=40), st.booleans())
def test_whatever_happens_each_turn_is_committed_and_asked_for_once(steps: list[str], turns_of_the_sdk: bool) -> None:
    fold = with_audio_turns() if turns_of_the_sdk else ready(type=None)
    ended = 0  # turns, by the key
    commits: list[str] = []
    for step in steps:
        before = fold.state
        connected = before.connection.stage is Stage.READY
        match step:
            case "key" | "escape":
                wanted = fold.feed(inputs.TalkPressed() if step == "key" else inputs.TalkCancelled())
                ended += any(isinstance(effect, effects.EndTalk) for effect in wanted)
                assert connected or sent(wanted) == []
            case "wait" | "blink":
                fold.now += 1 if step == "wait" else 0.02
                wanted = []
            case "lose":
                wanted = fold.feed(LOST) if connected else []
            case "reopen":
                wanted = [] if connected else reopened(fold)
                fold.feed(inputs.CaptureChanged(capturing=True))
            case "commit":
                wanted = fold.feed({**COMMITTED, "item_id": f"item_{len(commits)}"}) if waits_for_commit(before) else []
            case _:
                block = REQUEST["turn_detection"] if before.microphone.push_to_talk else None
                wanted = fold.feed(updated(block)) if connected else []
        ends = [kind for kind in sent(wanted) if kind in ("input_audio_buffer.commit", "input_audio.turn.end")]
        assert sent(wanted).count("response.create") == len(ends) <= 1
        commits += ends
        microphone = fold.state.microphone
        assert microphone.push_to_talk or not microphone.talking
        if step != "reopen":  # where a commit that was lost is sent again
            assert len(ends) <= (connected and step == "key")
    assert len(set(fold.state.turns)) == len(fold.state.turns)
    assert [turn.number for turn in fold.state.turns] == list(range(1, len(fold.state.turns) + 1))
    assert sum(turn.speech_stopped_at is not None for turn in fold.state.turns) <= ended
