"""Barge-in: what is interrupted, who cancels, and what the service is sent."""

from typing import Any

import pytest

from tests.session.folding import Fold, answer, ready, sent
from voicelive_tui.config import BargeIn
from voicelive_tui.session import effects, inputs
from voicelive_tui.session.state import Activity
from voicelive_tui.session.transcript import EntryStatus

SPEECH = {"type": "input_audio_buffer.speech_started", "item_id": "item_u", "audio_start_ms": 0}


def test_silence_is_the_first_effect_and_the_service_cancels_by_itself() -> None:
    fold = ready()
    fold.feed(*answer(), inputs.PlaybackStarted("item_a", fold.now))
    wanted = fold.feed(SPEECH)
    assert wanted[0] == effects.StopPlayback()
    assert sent(wanted) == []
    assert (fold.state.activity, fold.state.barged_in) == (Activity.LISTENING, True)
    assert fold.state.counts.interruptions == 1


def test_playback_stops_even_when_the_response_was_done_long_ago() -> None:
    fold = ready()
    fold.feed(*answer(done=True), inputs.PlaybackStarted("item_a", fold.now))
    assert fold.state.response == ""
    assert fold.feed(SPEECH)[0] == effects.StopPlayback()
    assert fold.state.counts.interruptions == 1


def test_late_audio_of_the_interrupted_response_is_dropped_but_its_words_are_kept() -> None:
    fold = ready()
    fold.feed(*answer(), SPEECH)
    late = answer()[-2:]
    assert not [effect for effect in fold.feed(*late) if isinstance(effect, effects.Play)]
    entry = fold.state.entry("item_a")
    assert entry is not None
    assert entry.text == "one two three four" * 2
    assert entry.audio_ms == 1000


def test_a_new_response_is_heard_again() -> None:
    fold = ready()
    fold.feed(*answer(), SPEECH)
    wanted = fold.feed(*answer("item_b", "resp_2"))
    assert [effect.item_id for effect in wanted if isinstance(effect, effects.Play)] == ["item_b"]


def test_a_truncation_reports_what_was_heard_and_never_more_than_was_received() -> None:
    fold = ready()
    fold.feed(*answer(), SPEECH)
    wanted = fold.feed(inputs.PlaybackStopped("item_a", 5000.0, fold.now))
    assert [dict(effect.event) for effect in wanted if isinstance(effect, effects.Send)] == [
        {
            "type": "conversation.item.truncate",
            "event_id": "truncate-2",
            "item_id": "item_a",
            "content_index": 0,
            "audio_end_ms": 1000,
        }
    ]
    entry = fold.state.entry("item_a")
    assert entry is not None
    assert (entry.status, entry.heard_ms, entry.truncated_ms) == (EntryStatus.INTERRUPTED, 1000, 1000)
    fold.feed(inputs.PlaybackStopped("item_a", 420.9, fold.now))
    assert fold.state.entry("item_a").truncated_ms == 420  # type: ignore[union-attr]


def test_no_truncation_is_sent_to_a_service_that_truncates_by_itself() -> None:
    fold = ready(auto_truncate=True)
    fold.feed(*answer(), SPEECH)
    assert sent(fold.feed(inputs.PlaybackStopped("item_a", 500.0, fold.now))) == []
    fold.feed({"type": "conversation.item.truncated", "item_id": "item_a", "audio_end_ms": 480, "content_index": 0})
    assert fold.state.entry("item_a").truncated_ms == 480  # type: ignore[union-attr]


@pytest.mark.parametrize("detection", [{"interrupt_response": False}, {"type": None}])
def test_the_client_cancels_where_the_service_does_not_interrupt(detection: dict[str, object]) -> None:
    fold = ready(**detection)
    fold.feed(*answer())
    assert sent(fold.feed(SPEECH)) == ["response.cancel"]


def test_the_key_cancels_only_an_active_response() -> None:
    fold = ready()
    fold.feed(*answer())
    assert sent(fold.feed(inputs.InterruptPressed())) == ["response.cancel"]
    assert sent(fold.feed(inputs.InterruptPressed())) == []  # it is cancelled already
    fold = ready()
    fold.feed(*answer(done=True))
    wanted = fold.feed(inputs.InterruptPressed())
    assert (wanted[0], sent(wanted)) == (effects.StopPlayback(), [])


def test_an_interruption_by_key_ends_with_playback_and_the_response() -> None:
    fold = ready()
    fold.feed(*answer(), inputs.PlaybackStarted("item_a", fold.now), inputs.InterruptPressed())
    assert fold.state.activity is Activity.INTERRUPTED
    fold.feed(inputs.PlaybackStopped("item_a", 400.0, fold.now))
    assert fold.state.activity is Activity.INTERRUPTED
    fold.feed({"type": "response.done", "response": {"id": "resp_1", "status": "cancelled"}})
    assert fold.state.activity is Activity.READY


def test_while_the_user_speaks_over_an_answer_the_service_is_listening() -> None:
    fold = ready()
    fold.feed(*answer(), inputs.PlaybackStarted("item_a", fold.now), SPEECH)
    fold.feed(inputs.PlaybackStopped("item_a", 400.0, fold.now))
    fold.feed({"type": "response.done", "response": {"id": "resp_1", "status": "cancelled"}})
    assert (fold.state.activity, fold.state.barged_in) == (Activity.LISTENING, True)
    fold.feed({"type": "input_audio_buffer.speech_stopped", "item_id": "item_u", "audio_end_ms": 900})
    assert fold.state.activity is Activity.THINKING


def test_without_an_answer_nothing_is_interrupted() -> None:
    fold = ready()
    assert sent(fold.feed(inputs.InterruptPressed())) == []
    assert fold.state.log.tail[-1].text == "nothing to interrupt"
    assert sent(fold.feed(SPEECH)) == []
    assert fold.state.counts.interruptions == 0
    assert fold.state.activity is Activity.LISTENING


def test_an_answer_heard_to_its_end_is_neither_interrupted_nor_truncated() -> None:
    fold = ready()
    fold.feed(*answer(done=True), inputs.PlaybackStarted("item_a", fold.now), inputs.PlaybackFinished("item_a", 1000.0))
    fold.feed(SPEECH)
    entry = fold.state.entry("item_a")
    assert entry is not None
    assert (entry.status, fold.state.counts.interruptions) == (EntryStatus.DONE, 0)


def test_the_user_s_words_are_never_cleared() -> None:
    fold = ready()
    fold.feed(*answer(), SPEECH, inputs.PlaybackStopped("item_a", 100.0, fold.now), inputs.InterruptPressed())
    assert not {"input_audio_buffer.clear", "input_audio.clear"} & set(sent(fold.effects))


def test_the_turn_keeps_when_silence_began_and_what_was_unheard() -> None:
    fold = ready()
    fold.feed(*answer(), SPEECH)
    spoken_at = fold.now
    fold.feed(inputs.PlaybackStopped("item_a", 400.0, spoken_at + 0.012))
    interrupted = fold.state.turns[0]
    assert interrupted.interrupted_at == spoken_at
    assert interrupted.silent_at == pytest.approx(spoken_at + 0.012)
    assert interrupted.unheard_ms == 600


def with_rules(fold: Fold, **rules: Any) -> Fold:
    fold.feed(inputs.BargeInEdited(BargeIn(**rules)))
    return fold


def test_always_cancelling_cancels_beside_the_service_and_only_an_active_response() -> None:
    fold = with_rules(ready(), cancel="always")
    fold.feed(*answer())
    assert sent(fold.feed(SPEECH)) == ["response.cancel"]
    fold = with_rules(ready(), cancel="always")
    fold.feed(*answer(done=True))
    assert sent(fold.feed(SPEECH)) == []


def test_never_cancelling_leaves_the_response_to_the_service_but_not_to_the_keys() -> None:
    fold = with_rules(ready(interrupt_response=False), cancel="never")
    fold.feed(*answer())
    assert sent(fold.feed(SPEECH)) == []
    fold = with_rules(ready(interrupt_response=False), cancel="never")
    fold.feed(*answer())
    assert sent(fold.feed(inputs.InterruptPressed())) == ["response.cancel"]


def test_streaming_audio_is_cleared_by_choice_and_only_where_speech_interrupts() -> None:
    fold = with_rules(ready(), clear=True)
    wanted = fold.feed(*answer(), SPEECH)
    stops = [effect for effect in wanted if isinstance(effect, effects.StopPlayback | effects.Send)]
    assert stops[0] == effects.StopPlayback()  # silence comes first
    assert sent(wanted) == ["input_audio.clear"]
    assert sent(with_rules(ready(), clear=True).feed(SPEECH)) == []


def test_without_truncation_the_heard_part_is_not_reported() -> None:
    fold = with_rules(ready(), truncate=False)
    fold.feed(*answer(), SPEECH)
    assert sent(fold.feed(inputs.PlaybackStopped("item_a", 400.0, fold.now))) == []
    entry = fold.state.entry("item_a")
    assert entry is not None
    assert (entry.heard_ms, entry.truncated_ms) == (400.0, None)


def test_single_events_are_sent_whatever_seems_to_be_going_on() -> None:
    fold = ready()
    assert sent(fold.feed(inputs.CancelPressed(), inputs.ClearPressed())) == ["response.cancel", "input_audio.clear"]
    fold.feed(*answer())
    silence, cancel = fold.feed(inputs.CancelPressed())
    assert silence == effects.StopPlayback()
    assert isinstance(cancel, effects.Send)
    assert cancel.event["response_id"] == "resp_1"
    for key in (inputs.CancelPressed(), inputs.ClearPressed()):
        fold = Fold()
        assert fold.feed(key) == []
        assert fold.state.log.tail[-1].text.startswith("not connected")
