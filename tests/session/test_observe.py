"""Observing alone, as a replay does; both families of names; answers without responses."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.data import events
from tests.session.folding import CONNECTING, READY, Fold, answer, ready
from tests.session.test_fold import ALL, LOCAL, damaged
from tests.session.test_reconnect import LOST, RESUMING
from voicelive_tui.session import inputs
from voicelive_tui.session.headline import headline
from voicelive_tui.session.observe import observe
from voicelive_tui.session.state import Activity, SessionState
from voicelive_tui.session.transcript import EntryStatus

FACTS = [name for name in SessionState.__struct_fields__ if name not in ("intent", "log")]
"""Fields that `observe` writes; `log` compares by identity."""
GA_TYPES = {
    "response.text.": "response.output_text.",
    "response.audio.": "response.output_audio.",
    "response.audio_transcript.": "response.output_audio_transcript.",
}


def facts(state: SessionState) -> dict[str, Any]:
    return {name: getattr(state, name) for name in FACTS} | {"log": list(state.log.since(0))}


def observed(*sequence: inputs.Input | dict[str, Any]) -> SessionState:
    state, now = Fold().state, 1_000.0
    for event in sequence:
        now += 0.010
        state = observe(inputs.Received(event) if isinstance(event, dict) else event, state, now)
    return state


def replayed(fold: Fold) -> SessionState:
    """The inputs of a fold, observed without the plans of its client."""
    state = Fold().state
    for event, now in fold.inputs:
        state = observe(event, state, now)
    return state


@settings(max_examples=200)
@given(st.lists(damaged() | st.sampled_from(ALL) | LOCAL, max_size=40))
def test_observing_alone_gives_the_facts_that_the_fold_has(sequence: list[Any]) -> None:
    fold = Fold(*sequence)
    assert facts(replayed(fold)) == facts(fold.state)


def test_a_lost_session_that_is_continued_is_observed_without_its_client() -> None:
    fold = Fold(CONNECTING, *READY, inputs.TextTyped("hello"), *answer(done=True), LOST)
    assert fold.state.retry is not None
    assert facts(replayed(fold)) == facts(fold.state)
    fold.feed(RESUMING, *READY)
    assert fold.state.restored is not None
    assert fold.state.restored.seeds
    assert facts(replayed(fold)) == facts(fold.state)


@pytest.mark.parametrize("name", ["native_turn", "cascade_turn"])
def test_a_recorded_session_is_observed_with_no_client(name: str) -> None:
    state = observed(CONNECTING, inputs.Connected(), *events(name))
    assert [(entry.role, entry.text, entry.status) for entry in state.transcript] == [
        ("user", "What is the largest lake?", EntryStatus.DONE),
        ("assistant", "It is Lake Superior.", EntryStatus.DONE),
    ]
    assert (state.usage.sums.total, state.turn_count) == (143, 1)
    assert state.in_force["turn_detection"]["type"]


def in_ga_names(event: dict[str, Any]) -> list[dict[str, Any]]:
    """An event as the OpenAI GA family names it."""
    event = json.loads(json.dumps(event).replace('"type": "audio"', '"type": "output_audio"'))
    if event["type"] == "conversation.item.created":
        return [{**event, "type": f"conversation.item.{end}"} for end in ("added", "done")]
    for ours, theirs in GA_TYPES.items():
        if event["type"].startswith(ours):
            event["type"] = event["type"].replace(ours, theirs)
    if session := event.get("session"):
        detection = session.pop("turn_detection", None)
        transcription = session.pop("input_audio_transcription", None)
        formats = session.pop("input_audio_format", None), session.pop("output_audio_format", None)
        session["output_modalities"] = session.pop("modalities", None)
        session["audio"] = {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000} if formats[0] else None,
                "turn_detection": detection,
                "transcription": transcription,
            },
            "output": {"format": {"type": "audio/pcm"}, "voice": session.pop("voice", None)},
        }
    return [event]


@pytest.mark.parametrize("name", ["native_turn", "cascade_turn"])
def test_a_turn_in_the_names_of_the_other_family_is_the_same_turn(name: str) -> None:
    theirs = [event for ours in events(name) for event in in_ga_names(ours)]
    assert {event["type"] for event in theirs} >= {"response.output_audio.delta", "conversation.item.added"}
    # Only what does not depend on the number of events (`added` and `done`) and their times is comparable.
    ours_state, state = (observed(CONNECTING, inputs.Connected(), *sequence) for sequence in (events(name), theirs))
    assert [(e.item_id, e.text, e.status, e.audio_ms, e.follows) for e in state.transcript] == [
        (e.item_id, e.text, e.status, e.audio_ms, e.follows) for e in ours_state.transcript
    ]
    assert state.usage.sums == ours_state.usage.sums
    assert state.in_force["modalities"] == ours_state.in_force["modalities"]
    assert state.in_force["turn_detection"] == ours_state.in_force["turn_detection"]
    assert state.in_force["voice"] == ours_state.in_force["voice"]
    (turn,) = state.turns
    assert None not in (turn.committed_at, turn.created_at, turn.first_text_at, turn.first_audio_at, turn.done_at)
    types = {row.type for row in state.log.since(0)}
    assert "response.output_audio.delta" in types
    assert "response.audio.delta" not in types


def test_an_answer_without_any_response_does_not_belong_to_a_turn_still_being_spoken() -> None:
    fold = ready()
    fold.feed(
        {"type": "input_audio_buffer.speech_started", "item_id": "item_u"},
        {"type": "input_audio_buffer.speech_stopped", "item_id": "item_u"},
        {"type": "input_audio_buffer.committed", "item_id": "item_u"},
        {"type": "response.output_audio_transcript.delta", "item_id": "item_a", "delta": "Hel"},
        {"type": "input_audio_buffer.speech_started", "item_id": "item_v"},
        {"type": "response.output_audio_transcript.delta", "item_id": "item_a", "delta": "lo"},
    )
    first, second = fold.state.turns
    assert first.first_text_at is not None
    assert second.first_text_at is None


def test_what_was_asked_for_follows_from_what_was_sent() -> None:
    state = observed(
        CONNECTING,
        inputs.Sent({"type": "session.update", "session": {"voice": "alloy", "modalities": ["text"]}}),
        inputs.Sent({"type": "session.update", "session": {"audio": {"output": {"voice": "ash"}}}}),
    )
    assert state.asked == {"voice": "ash", "modalities": ["text"]}


def test_the_wanted_session_survives_a_reset_and_ids_go_on_counting() -> None:
    fold = ready()
    fold.state = replace(fold.state, wanted={"voice": "ash"})
    fold.feed(CONNECTING, inputs.Connected())
    sends = [
        effect.event
        for effect in (*fold.feed({"type": "session.created", "session": {}}), *fold.effects)
        if getattr(effect, "event", {}).get("type") == "session.update"
    ]
    assert sends[0]["session"] == {"voice": "ash"}
    ids = [effect.event["event_id"] for effect in fold.effects if hasattr(effect, "event")]
    assert len(ids) == len(set(ids)) > 0


def test_another_program_s_answers_are_not_waited_for_at_the_speaker() -> None:
    state = observed(*events("native_turn"))
    assert state.activity is Activity.READY
    assert state.unheard == []


def test_what_another_program_does_is_known_without_its_connection() -> None:
    turn = events("native_turn")
    words = {headline(observed(*turn[:count])).word for count in range(len(turn) + 1)}
    assert words == {"starting", "ready", "listening", "thinking"}


def test_another_program_s_barge_in_is_seen_by_what_it_sends() -> None:
    state = observed(
        *events("native_turn"),
        *answer("item_b", "resp_b"),
        inputs.Sent({"type": "response.cancel"}),
        inputs.Sent({"type": "conversation.item.truncate", "item_id": "item_b", "audio_end_ms": 300}),
    )
    entry = state.entry("item_b")
    assert entry is not None
    assert (entry.status, entry.heard_ms, entry.audio_ms) == (EntryStatus.INTERRUPTED, 300, 1000)
    assert state.counts.interruptions == 1


def test_another_program_s_turns_begin_with_what_it_commits_or_types() -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
    state = observed(
        *events("native_turn")[:2],
        {"type": "input_audio_buffer.committed", "item_id": "item_t"},
        *answer("item_a", "resp_a", done=True),
        inputs.Sent({"type": "conversation.item.create", "item": item}),
        inputs.Sent({"type": "response.create"}),
        *answer("item_b", "resp_b", done=True),
    )
    assert [(turn.began_by, turn.response_id) for turn in state.turns] == [("talk", "resp_a"), ("text", "resp_b")]
    assert all(turn.done_at for turn in state.turns)


def test_the_row_of_a_device_that_fails_names_the_direction_once() -> None:
    state = ready().state
    for problem in ("no sound device found", "the speaker was lost"):
        state = observe(inputs.DeviceChanged("output", "", problem), state, 9.0)
    said = [row.text for row in state.log.since(0)][-2:]
    assert said == ["speaker: no sound device found", "the speaker was lost"]
