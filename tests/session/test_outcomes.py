"""How each setting in the editor stands."""

from collections.abc import Collection
from typing import Any

from tests.session.folding import CONNECTING, REQUEST, Fold, answer, ready
from voicelive_tui.session import effects, inputs
from voicelive_tui.session.fields import BY_KEY
from voicelive_tui.session.outcomes import Outcome, Outcomes
from voicelive_tui.session.typed import changes, texts_of

SILENCE = "turn_detection.silence_duration_ms"


def outcome(fold: Fold, key: str, typed: dict[str, str] | None = None, sent: Collection[str] = ()) -> Outcome:
    return Outcomes(fold.state, texts_of(REQUEST) | (typed or {}), sent).of(BY_KEY[key])


def edit(fold: Fold, typed: dict[str, str]) -> None:
    before = texts_of(fold.state.wanted)
    sends = fold.feed(inputs.SessionEdited(changes(before, before | typed, "gpt-realtime")))
    fold.feed(*(inputs.Sent(send.event) for send in sends if isinstance(send, effects.Send)))


def updated(**changed: Any) -> dict[str, Any]:
    return {"type": "session.updated", "session": {**REQUEST, **changed}}


def refusal(param: str | None) -> dict[str, Any]:
    return {"type": "error", "error": {"message": "out of range", "param": param, "event_id": "edit-2"}}


def test_a_setting_that_is_in_force_as_wanted_needs_no_words() -> None:
    assert outcome(ready(), SILENCE) == Outcome("")


def test_a_value_that_is_not_the_one_in_force_is_shown_beside_it() -> None:
    assert outcome(ready(silence_duration_ms=200), SILENCE) == Outcome("", "in force: 200")


def test_from_typing_to_in_force() -> None:
    fold, typed = ready(), {SILENCE: "800"}
    assert outcome(fold, SILENCE, typed) == Outcome("changed", "now 500")
    edit(fold, typed)
    assert outcome(fold, SILENCE, typed, [SILENCE]) == Outcome("sent")
    fold.feed(updated(turn_detection={**REQUEST["turn_detection"], "silence_duration_ms": 800}))
    assert outcome(fold, SILENCE, typed, [SILENCE]) == Outcome("in force")


def test_an_accepted_value_that_is_not_in_force_is_ignored() -> None:
    fold, typed = ready(), {SILENCE: "800"}
    edit(fold, typed)
    fold.feed(updated())
    assert outcome(fold, SILENCE, typed, [SILENCE]) == Outcome("ignored", "in force: 500")


def test_a_value_that_the_service_does_not_report_is_ignored() -> None:
    fold, typed = ready(), {"temperature": "0.7"}
    edit(fold, typed)
    fold.feed(updated())
    assert outcome(fold, "temperature", typed, ["temperature"]) == Outcome("ignored", "in force: the service's default")


def test_a_refusal_is_shown_at_the_field_that_it_names_until_it_is_typed_over() -> None:
    fold, typed = ready(), {SILENCE: "800", "temperature": "0.7"}
    edit(fold, typed)
    fold.feed(refusal("session.turn_detection.silence_duration_ms"))
    said = "out of range (param session.turn_detection.silence_duration_ms)"
    assert outcome(fold, SILENCE, typed, typed) == Outcome("refused", said)
    held = Outcome("not applied", "the same update had silence (ms), which was refused")
    assert outcome(fold, "temperature", typed, typed) == held
    assert outcome(fold, SILENCE, {SILENCE: "700"}, typed) == Outcome("changed", "now 500")


def test_a_refusal_that_names_a_block_or_nothing_counts_for_all_that_changed_in_it() -> None:
    for param in ("session.turn_detection", None):
        fold, typed = ready(), {SILENCE: "800"}
        edit(fold, typed)
        fold.feed(refusal(param))
        assert outcome(fold, SILENCE, typed, typed).word == "refused"
        assert outcome(fold, "turn_detection.threshold", typed).word == ""


def test_the_voice_is_locked_once_the_assistant_has_spoken_in_this_session() -> None:
    fold, typed = ready(), {"voice": "ash"}
    assert outcome(fold, "voice", typed).word == "changed"
    fold.feed(*answer(done=True))
    assert outcome(fold, "voice", typed).word == "locked"
    fold.feed(inputs.ResetPressed(keep=True), inputs.Connecting("e", "v", "gpt-realtime", "key", resumed=True))
    assert outcome(fold, "voice", typed).word == "changed"


def test_what_waits_for_a_session_says_so() -> None:
    fold, typed = ready(), {SILENCE: "800"}
    fold.feed(inputs.Disconnected(1006, "lost"))
    edit(fold, typed)
    assert outcome(fold, SILENCE, typed, [SILENCE]) == Outcome("next session")


def test_what_a_type_or_a_model_does_not_have_is_not_used() -> None:
    fold = ready()
    not_used = Outcome("not used", "not with push-to-talk")
    assert outcome(fold, SILENCE, {"turn_detection.type": "none"}) == not_used
    assert outcome(fold, SILENCE, {"turn_detection.type": "none", SILENCE: "soon"}) == not_used
    assert outcome(fold, "turn_detection.end_of_utterance_model").word == "not used"


def test_known_reactions_of_the_service_are_shown_before_sending() -> None:
    assert outcome(ready(), "instructions", {"instructions": ""}) == Outcome(
        "changed", "gpt-realtime keeps its own instructions when these are empty"
    )


def test_a_text_that_is_not_a_value_is_invalid() -> None:
    assert outcome(ready(), SILENCE, {SILENCE: "soon"}) == Outcome("invalid", "expected a whole number, 0 to 60000")


def refused_configuration(param: str) -> Fold:
    """A new session with another voice, whose configuration the service refuses."""
    fold, typed = ready(), {"voice": "ash", SILENCE: "800"}
    fold.feed(
        inputs.SessionEdited(changes(texts_of(REQUEST), texts_of(REQUEST) | typed, "gpt-realtime"), at_once=False)
    )
    fold.feed(inputs.ResetPressed(keep=True), CONNECTING, inputs.Connected())
    (update,) = fold.feed({"type": "session.created", "session": {}})
    assert isinstance(update, effects.Send)
    error = {"message": "no such voice", "param": param, "event_id": update.event["event_id"]}
    fold.feed(inputs.Sent(update.event), {"type": "error", "error": error})
    return fold


def test_the_refusal_of_a_new_sessions_configuration_is_shown_at_the_field_that_it_names() -> None:
    fold, typed = refused_configuration("session.voice.name"), {"voice": "ash", SILENCE: "800"}
    assert outcome(fold, "voice", typed, typed) == Outcome("refused", "no such voice (param session.voice.name)")
    assert outcome(fold, SILENCE, typed, typed) == Outcome("next session")
    assert outcome(fold, "voice", {"voice": "alloy"}, typed).word == "changed"
    fold.feed(CONNECTING)
    assert outcome(fold, "voice", typed, typed) == Outcome("next session")


def test_a_refused_default_of_a_new_session_is_shown_at_its_field_too() -> None:
    fold = refused_configuration("session.turn_detection.threshold")
    assert outcome(fold, "turn_detection.threshold").word == "refused"
    assert outcome(refused_configuration("session"), "turn_detection.threshold") == Outcome("")  # it names no field


def test_what_this_program_does_itself_is_in_force_at_once_without_a_session_too() -> None:
    fold = ready()
    fold.feed(inputs.Disconnected(1006, "lost"), inputs.TalkEdited(audio_turns=True))
    assert outcome(fold, "push_to_talk", {"push_to_talk": "turns"}, ["push_to_talk"]) == Outcome("in force")


def test_an_interim_response_is_not_used_by_models_that_answer_at_once() -> None:
    assert outcome(ready(), "interim_response.type") == Outcome(
        "not used", "not with gpt-realtime, which answers at once"
    )
