"""Moments of turns."""

from tests.data import events
from tests.session.folding import CONNECTING, Fold, ready
from voicelive_tui.session import inputs, turns
from voicelive_tui.session.latency import Turn
from voicelive_tui.session.state import SessionState


def test_every_moment_of_a_spoken_turn_is_kept_once() -> None:
    fold = Fold(CONNECTING, inputs.Connected())
    for event in events("native_turn"):
        if event["type"] == "input_audio_buffer.speech_stopped":
            fold.feed(inputs.VoicedUntil(fold.now - 0.5))
        fold.feed(event)
        if event["type"] == "response.audio.delta":
            fold.feed(inputs.PlaybackStarted("item_a", fold.now + 0.040))
    turn = fold.state.turn
    assert turn is not None
    moments = [
        turn.voiced_at,
        turn.speech_stopped_at,
        turn.committed_at,
        turn.created_at,
        turn.first_text_at,
        turn.first_audio_at,
        turn.heard_at,
        turn.done_at,
    ]
    assert None not in moments
    assert moments == sorted(moments)  # type: ignore[type-var]
    assert (turn.number, turn.response_id) == (1, "resp_1")


def test_the_next_turn_replaces_noise_that_was_never_committed() -> None:
    fold = ready()
    for item in ("item_1", "item_2"):
        fold.feed({"type": "input_audio_buffer.speech_started", "item_id": item})
    assert [(turn.number, turn.item_id) for turn in fold.state.turns] == [(1, "item_2")]
    fold.feed({"type": "input_audio_buffer.committed", "item_id": "item_2"})
    fold.feed({"type": "input_audio_buffer.speech_started", "item_id": "item_3"})
    assert [turn.number for turn in fold.state.turns] == [1, 2]


def test_the_list_of_turns_is_bounded() -> None:
    state = SessionState()
    for number in range(turns.LIMIT + 10):
        state = turns.begin(state, "text", asked_at=float(number))
    assert len(state.turns) == turns.LIMIT
    assert state.turns[-1].number == turns.LIMIT + 10


def test_noise_that_was_never_committed_leaves_no_entry() -> None:
    fold = ready()
    for item in ("item_1", "item_2"):
        fold.feed({"type": "input_audio_buffer.speech_started", "item_id": item})
    assert [entry.item_id for entry in fold.state.transcript] == ["item_2"]


def test_text_typed_during_speech_is_a_turn_of_its_own() -> None:
    fold = ready()
    fold.feed({"type": "input_audio_buffer.speech_started", "item_id": "item_s"}, inputs.TextTyped("hello"))
    fold.feed({"type": "response.created", "response": {"id": "resp_t"}})
    fold.feed({"type": "response.audio.delta", "response_id": "resp_t", "item_id": "item_a", "delta": "AAAA"})
    fold.feed(inputs.PlaybackStarted("item_a", fold.now))
    fold.feed({"type": "input_audio_buffer.speech_stopped", "item_id": "item_s"}, inputs.VoicedUntil(fold.now + 1))
    fold.feed({"type": "input_audio_buffer.committed", "item_id": "item_s"})
    fold.feed({"type": "response.done", "response": {"id": "resp_t", "status": "completed"}})
    fold.feed({"type": "response.created", "response": {"id": "resp_s"}})
    spoken, typed = fold.state.turns
    assert (spoken.response_id, typed.response_id) == ("resp_s", "resp_t")
    assert (spoken.item_id, spoken.voiced_at is None, spoken.committed_at is None) == ("item_s", False, False)
    assert (typed.item_id, typed.voiced_at, typed.committed_at) == ("", None, None)
    assert typed.latency is not None
    assert typed.latency >= 0


def test_an_answer_that_came_before_the_end_of_speech_has_no_delay() -> None:
    assert Turn(1, voiced_at=5.0, heard_at=4.0).latency is None
