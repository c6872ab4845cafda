"""When a session is rotated, what the new one gets, and what failures cost."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.session.folding import REQUEST, Fold, answer, ready, sent
from tests.session.test_reconnect import LOST, RESUMING
from voicelive_tui.session import effects, inputs, rotation
from voicelive_tui.session.reconnect import MOST_CONNECTS, WINDOW_SECONDS
from voicelive_tui.session.state import Stage

SESSION = {**REQUEST, "id": "sess_2", "expires_at": 1e9 + 3600}


def expiring(seconds: float = 100.0, lifetime: float = 1800.0) -> Fold:
    """A session that is ready, and ends in `seconds`."""
    fold = ready()
    began = fold.now - lifetime + seconds
    connection = replace(
        fold.state.connection, started_at=began, epoch=1e9 - began, dated=True, expires_at=1e9 + lifetime
    )
    fold.state = replace(fold.state, connection=connection)
    return fold


def standby(*events: Any) -> list[inputs.OnStandby]:
    """Server events, or inputs, of the link on standby."""
    return [inputs.OnStandby(inputs.Received(event) if isinstance(event, dict) else event) for event in events]


CONFIGURED = standby(
    RESUMING,
    inputs.Connected(1e9, dated=True),
    {"type": "session.created", "session": SESSION},
    inputs.Sent({"type": "session.update", "session": REQUEST}),
    {"type": "session.updated", "session": SESSION},
)


def typed(fold: Fold, words: str = "hello", item_id: str = "u1") -> list[effects.Effect]:
    item = {"id": item_id, "type": "message", "role": "user", "content": [{"type": "input_text", "text": words}]}
    return fold.feed(inputs.TextTyped(words), {"type": "conversation.item.created", "item": item})


def answered(fold: Fold, number: int = 1) -> None:
    """A turn, answered and heard."""
    typed(fold, f"question {number}", f"u{number}")
    fold.feed(*answer(f"a{number}", f"resp_{number}", done=True))
    fold.feed(inputs.PlaybackStarted(f"a{number}", fold.now), inputs.PlaybackFinished(f"a{number}", 1000.0))


@pytest.mark.parametrize(("left", "due"), [(200.0, False), (121.0, False), (119.0, True), (5.0, True)])
def test_a_link_goes_on_standby_two_minutes_before_the_end(left: float, due: bool) -> None:
    fold = expiring(left)
    assert rotation.due(fold.state, fold.now) is due
    assert fold.feed(inputs.RotationDue()) == ([effects.BeginStandby()] if due else [])


@pytest.mark.parametrize(("lifetime", "left", "due"), [(20.0, 11.0, False), (20.0, 9.0, True), (600.0, 119.0, True)])
def test_of_a_short_session_half_is_used(lifetime: float, left: float, due: bool) -> None:
    fold = expiring(left, lifetime)
    assert rotation.due(fold.state, fold.now) is due


def test_a_session_that_does_not_say_when_it_ends_is_not_rotated() -> None:
    fold = ready()
    assert not rotation.due(fold.state, fold.now + 86_400)


@pytest.mark.parametrize("change", [{"reconnect": False}, {"rotate_before": 0.0}, {"over_quota": True}])
def test_rotation_can_be_switched_off(change: dict[str, Any]) -> None:
    fold = expiring()
    fold.state = replace(fold.state, intent=replace(fold.state.intent, **change))
    assert not rotation.due(fold.state, fold.now)
    assert not rotation.due(fold.state, fold.now + 101.0)  # a service that is late


def test_an_edit_while_the_next_session_waits_is_asked_for_in_that_one_too() -> None:
    fold = expiring()
    fold.state = replace(fold.state, wanted={**REQUEST, "temperature": 0.7})
    fold.feed(inputs.RotationDue())
    update, *_ = fold.feed(*CONFIGURED)
    assert isinstance(update, effects.Send)
    fold.feed(inputs.OnStandby(inputs.Sent(update.event)))
    fold.feed(inputs.SessionEdited({"voice": {"type": "openai", "name": "ash"}, "temperature": None}))
    update = fold.feed(inputs.Rotated())[0]
    assert isinstance(update, effects.Send)
    voice = {"type": "openai", "name": "ash"}
    assert update.event["session"] == {**REQUEST, "voice": voice, "temperature": None}


def test_rotations_keep_the_limit_of_connections() -> None:
    fold = expiring()
    fold.state = replace(fold.state, connects=(fold.now - 10.0,) * MOST_CONNECTS)
    assert not rotation.due(fold.state, fold.now)
    assert rotation.due(fold.state, fold.now - 10.0 + WINDOW_SECONDS)


def test_in_a_quiet_moment_the_new_session_takes_over_with_the_history() -> None:
    fold = expiring()
    answered(fold)
    fold.feed(inputs.RotationDue())
    wanted = fold.feed(*CONFIGURED)
    update, take_over = wanted
    assert isinstance(update, effects.Send)
    assert update.standby
    assert update.event["session"] == REQUEST
    assert take_over == effects.TakeOver()
    assert fold.state.connection.session_id == "sess_1"
    wanted = fold.feed(inputs.Rotated())
    restore, sound = wanted
    assert isinstance(restore, effects.Restore)
    assert [event["item"]["id"] for event in restore.events] == ["u1", "a1"]
    assert isinstance(sound, effects.CarryOver)
    connection = fold.state.connection
    assert (connection.session_id, connection.stage) == ("sess_2", Stage.READY)
    assert fold.state.standby is None
    assert fold.state.microphone.capturing
    fold.feed(inputs.HistorySent(restore.history))
    fold.feed(*({"type": "conversation.item.created", "item": event["item"]} for event in restore.events))
    remarks = [entry.text for entry in fold.state.transcript if entry.role == "session"]
    assert remarks == ["rotated: 1 turn restored (about 7 tokens); audio was not"]
    assert not rotation.due(fold.state, fold.now)


def test_a_rotation_waits_for_the_end_of_speech_playback_and_answers() -> None:
    fold = expiring()
    fold.feed(inputs.RotationDue(), *CONFIGURED[:-1])
    speaks = {"type": "input_audio_buffer.speech_started", "item_id": "u1"}
    assert fold.feed(speaks, CONFIGURED[-1]) == [effects.StopPlayback()]
    busy = [
        {"type": "input_audio_buffer.speech_stopped", "item_id": "u1"},
        {"type": "input_audio_buffer.committed", "item_id": "u1"},
        {"type": "conversation.item.input_audio_transcription.completed", "item_id": "u1", "transcript": "hello"},
        *answer(done=True),
        inputs.PlaybackStarted("item_a", fold.now),
    ]
    for event in busy:
        assert effects.TakeOver() not in fold.feed(event, inputs.RotationDue())
    fold.feed(inputs.PlaybackFinished("item_a", 1000.0))
    assert fold.feed(inputs.RotationDue()) == [effects.TakeOver()]


def test_a_tool_that_runs_is_waited_for() -> None:
    fold = expiring()
    typed(fold)
    call = {"id": "c1", "type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"}
    fold.feed(
        {"type": "response.created", "response": {"id": "resp_1"}},
        {"type": "response.output_item.done", "response_id": "resp_1", "item": call},
        {"type": "response.done", "response": {"id": "resp_1", "status": "completed"}},
    )
    assert not rotation.quiet(fold.state)


def test_shortly_before_the_end_an_utterance_moves_with_all_of_its_sound() -> None:
    fold = expiring(16.0)
    fold.feed(inputs.RotationDue(), *CONFIGURED)
    fold.feed({"type": "input_audio_buffer.speech_started", "item_id": "u1"})
    started = fold.now
    assert fold.feed(inputs.RotationDue()) == []
    fold.now += 2.0
    assert fold.feed(inputs.RotationDue()) == [effects.TakeOver()]
    wanted = fold.feed(inputs.Rotated())
    (capture,) = [effect for effect in wanted if isinstance(effect, effects.StartCapture)]
    assert capture.since is not None
    assert capture.since < started
    assert fold.state.entry("u1") is None  # the new session makes another


def test_shortly_before_the_end_an_answer_ends_where_it_is_and_is_still_heard() -> None:
    fold = expiring(5.0)
    typed(fold)
    fold.feed(*answer())
    fold.feed(inputs.RotationDue(), *CONFIGURED)
    wanted = fold.feed(inputs.Rotated())
    assert effects.FinishItem("item_a") in wanted
    assert effects.StopPlayback() not in wanted
    assert "response.create" not in sent(wanted)
    assert fold.state.response == ""


def test_a_turn_that_waits_for_its_answer_is_asked_in_the_new_session() -> None:
    fold = expiring(5.0)
    typed(fold)
    fold.feed(inputs.RotationDue(), *CONFIGURED)
    assert sent(fold.feed(inputs.Rotated())) == ["conversation.item.create", "response.create"]


def test_a_rotation_that_the_user_asks_for_is_prepared_at_once() -> None:
    fold = ready()
    assert fold.feed(inputs.RotatePressed()) == [effects.BeginStandby()]
    assert fold.feed(*CONFIGURED)[-1] == effects.TakeOver()


def test_a_rotation_that_the_user_asks_for_waits_fifteen_seconds_for_a_quiet_moment() -> None:
    fold = ready()
    fold.feed({"type": "input_audio_buffer.speech_started", "item_id": "u1"}, inputs.RotatePressed(), *CONFIGURED)
    assert not rotation.due(fold.state, fold.now + rotation.PATIENCE_SECONDS - 1)
    assert rotation.due(fold.state, fold.now + rotation.PATIENCE_SECONDS)


def test_a_rotation_without_a_session_is_refused_with_a_reason() -> None:
    fold = ready()
    fold.feed(inputs.Disconnected(1000, ""))
    assert fold.feed(inputs.RotatePressed()) == []
    assert fold.state.log.tail[-1].severity == "warning"


@pytest.mark.parametrize(
    "failure",
    [
        inputs.ConnectFailed("HTTP 503", transient=True),
        inputs.Disconnected(1006, "gone"),
        {"type": "error", "error": {"event_id": "configure-1", "message": "no such voice"}},
    ],
)
def test_a_link_on_standby_that_fails_costs_nothing_and_another_follows(failure: Any) -> None:
    fold = expiring()
    answered(fold)
    fold.feed(inputs.RotationDue(), *CONFIGURED[:2])
    before = fold.state
    assert fold.feed(*standby(failure)) == []
    assert fold.state.standby is None
    assert fold.state.connection is before.connection
    assert fold.state.transcript is before.transcript
    assert fold.state.log.tail[-1].type == "not rotated"
    assert not rotation.due(fold.state, fold.now + rotation.PAUSE_SECONDS - 1)
    assert rotation.due(fold.state, fold.now + rotation.PAUSE_SECONDS)


def test_a_session_that_is_lost_goes_on_at_once_on_the_link_on_standby() -> None:
    fold = expiring()
    typed(fold)
    fold.feed(*answer(), inputs.RotationDue(), *CONFIGURED)
    wanted = fold.feed(LOST)
    assert wanted[-1] == effects.TakeOver()
    assert not any(isinstance(effect, effects.Reconnect) for effect in wanted)
    wanted = fold.feed(inputs.Rotated())
    assert isinstance(wanted[-1], effects.StartCapture)
    assert fold.state.lost_at is None
    assert fold.state.connection.stage is Stage.READY


def test_a_session_that_is_lost_while_the_next_one_connects_is_connected_again() -> None:
    fold = expiring()
    fold.feed(inputs.RotationDue(), *CONFIGURED[:2])
    assert isinstance(fold.feed(LOST)[-1], effects.Reconnect)
    fold.feed(RESUMING)
    assert fold.state.standby is None


def test_settings_that_were_changed_meanwhile_are_asked_for_in_the_new_session() -> None:
    fold = expiring()
    fold.feed(inputs.RotationDue(), *CONFIGURED[:-1])
    (edit,) = fold.feed(inputs.SessionEdited({"instructions": "Be brief."}))
    assert isinstance(edit, effects.Send)
    fold.feed(inputs.Sent(edit.event))
    fold.feed(CONFIGURED[-1])
    assert not rotation.due(fold.state, fold.now)  # the service has not answered
    fold.feed({"type": "session.updated", "session": {**REQUEST, "instructions": "Be brief.", "id": "sess_1"}})
    assert fold.feed(inputs.RotationDue()) == [effects.TakeOver()]
    update, *_ = fold.feed(inputs.Rotated())
    assert isinstance(update, effects.Send)
    assert update.event["session"]["instructions"] == "Be brief."


def test_a_message_that_was_not_acknowledged_is_sent_to_the_new_session() -> None:
    fold = expiring(5.0)
    fold.feed(inputs.TextTyped("hello"), inputs.RotationDue(), *CONFIGURED)
    assert sent(fold.feed(inputs.Rotated())) == ["conversation.item.create", "response.create"]


def test_sound_of_the_replaced_session_is_not_truncated_in_the_new_one() -> None:
    fold = expiring(5.0)
    fold.feed(inputs.RotationDue(), *CONFIGURED[:2])  # the link began before the answer
    typed(fold)
    fold.feed(*answer(), *CONFIGURED[2:], inputs.Rotated())
    assert sent(fold.feed(inputs.PlaybackStopped("item_a", 400.0, fold.now))) == []


def test_the_next_session_of_an_agent_is_given_no_history_since_the_service_keeps_it() -> None:
    fold = expiring()
    agent = replace(fold.state.connection, agent="helper")
    fold.state = replace(fold.state, connection=agent)
    answered(fold)
    resuming = replace(RESUMING, agent="helper")
    fold.feed(inputs.RotationDue(), *standby(resuming), *CONFIGURED[1:])
    restore, _ = fold.feed(inputs.Rotated())
    assert isinstance(restore, effects.Restore)
    assert restore.events == ()
    fold.feed(inputs.HistorySent(restore.history))
    assert fold.state.transcript[-1].text == "rotated: the agent keeps its conversation"
