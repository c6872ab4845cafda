"""What depends on the model, field by field as recorded from the service or reported by its clients."""

import pytest

from tests.loopback.lab import Lab, clip, error_of, kinds, only, speech
from voicelive_tui.loopback.models import session_defaults, voice_object, whole_transcription, whole_turn_detection

AZURE_VAD = {
    "profile": "classic", "neg_threshold": None, "window_size": None, "distinct_ci_phones": None,
    "require_vowel": None, "require_vowel_assistant_speaking": None, "remove_filler_words": False,
}  # fmt: skip
RESPONDING = {"create_response": True, "interrupt_response": True, "auto_truncate": False}
UNSET = {"idle_timeout_ms": None, "appended_text_after_truncation": None, "speech_duration_ms": None}
NULLS = {"threshold": None, "prefix_padding_ms": None, "silence_duration_ms": None}


def updated(model, **session):
    return only(Lab(model).send("session.update", session=session), "session.updated")["session"]


@pytest.mark.parametrize("model", ["gpt-realtime", "gpt-realtime-2", "gpt-4.1", "gpt-5"])
def test_a_new_session_has_the_recorded_fields_and_no_others(model):
    expected = {
        "id", "object", "model", "expires_at", "modalities", "instructions", "voice", "input_audio_format",
        "input_audio_sampling_rate", "output_audio_format", "turn_detection", "input_audio_transcription", "tools",
        "tool_choice", "max_response_output_tokens", "input_audio_noise_reduction", "input_audio_echo_cancellation",
        "avatar", "animation", "include", "output_audio_timestamp_types", "truncation_strategy", "greeting", "handoff",
    }  # fmt: skip
    if not model.startswith("gpt-realtime"):
        expected.add("temperature")
    if model == "gpt-5":
        expected.add("reasoning_effort")
    assert session_defaults("s", model, 0).keys() == expected


def test_an_updated_server_vad_keeps_all_its_fields():
    given = {"type": "server_vad"}
    numbers = {"threshold": 0.5, "prefix_padding_ms": 400, "silence_duration_ms": 500}
    assert whole_turn_detection(given, "gpt-realtime") == given | RESPONDING | UNSET | numbers
    assert whole_turn_detection(given, "gpt-5") == given | RESPONDING | UNSET | NULLS


def test_an_updated_semantic_vad_is_as_recorded():
    given = {"type": "semantic_vad", "eagerness": "high"}
    assert whole_turn_detection(given, "gpt-realtime") == given | RESPONDING
    given = {"type": "azure_semantic_vad_multilingual", "languages": ["en", "fr"]}
    end = {"model": "semantic_detection_v1_multilingual", "timeout_ms": 800}
    got = whole_turn_detection(given | {"end_of_utterance_detection": end}, "gpt-4.1")
    filled = end | {"threshold": None, "threshold_level": "default", "timeout": None}
    assert got == given | RESPONDING | UNSET | NULLS | AZURE_VAD | {"end_of_utterance_detection": filled}


def test_transcription_and_azure_voices_are_filled_out():
    unset = {"language": None, "prompt": None, "delay": None, "custom_speech": None, "phrase_list": None}
    assert whole_transcription({"model": "whisper-1"}) == {"model": "whisper-1"} | unset
    assert (
        updated("gpt-realtime", input_audio_transcription={"model": "whisper-1"})["input_audio_transcription"]
        == {"model": "whisper-1"} | unset
    )
    voice = voice_object({"type": "azure-standard", "name": "x", "rate": "1.2"}, "gpt-4.1")
    assert voice == {
        "type": "azure-standard", "name": "x", "temperature": None, "custom_lexicon_url": None,
        "custom_text_normalization_url": None, "prefer_locales": None, "locale": None, "style": None, "pitch": None,
        "rate": "1.2", "volume": None,
    }  # fmt: skip
    assert voice_object("alloy", "gpt-realtime") == {"type": "openai", "name": "alloy"}
    assert voice_object("ava", "azure-realtime") == {"type": "azure-realtime-native", "name": "ava"}


@pytest.mark.parametrize(
    ("session", "param"),
    [
        ({"turn_detection": {"type": "semantic_vad"}}, "session.turn_detection.type"),
        ({"voice": "alloy"}, "session.voice"),
        ({"voice": {"type": "openai", "name": "marin"}}, "session.voice"),
        ({"input_audio_noise_reduction": {"type": "near_field"}}, "session.input_audio_noise_reduction.type"),
        ({"input_audio_transcription": {"model": "whisper-1"}}, "session.input_audio_transcription.model"),
    ],
)
def test_cascades_refuse_settings_of_native_models(session, param):
    lab = Lab("gpt-4.1")
    error = error_of(lab.send("session.update", session=session))
    assert (error["code"], error["param"]) == ("invalid_value", param)
    assert "gpt-4.1" in error["message"]
    assert kinds(Lab("gpt-realtime").send("session.update", session=session)) == ["session.updated"]
    assert kinds(lab.send("session.update", session={})) == ["session.updated"]


def test_a_cascade_refuses_an_openai_voice_for_one_response():
    error = error_of(Lab("gpt-4.1").send("response.create", response={"voice": "alloy"}))
    assert (error["code"], error["param"]) == ("invalid_value", "response.voice")


OPENAI_VOICES = "'alloy', 'ash', 'ballad', 'coral', 'echo', 'sage', 'shimmer', 'verse', 'marin', and 'cedar'"
OWN_VOICES = (
    "'aarti', 'andrew', 'ava', 'denise', 'diya', 'elsa', 'florian', 'francisca', 'meera', 'xiaoxiao', 'yunxi', "
    "and 'ximena'"
)


@pytest.mark.parametrize(
    ("model", "voice", "sentence"),
    [
        ("gpt-realtime", "alloyjenny", f"Invalid value: 'alloyjenny'. Supported values are: {OPENAI_VOICES}."),
        ("gpt-realtime-2", {"type": "openai", "name": "nova"},
         f"Invalid value: 'nova'. Supported values are: {OPENAI_VOICES}."),
        ("gpt-realtime", "", f"Invalid value: ''. Supported values are: {OPENAI_VOICES}."),
        ("azure-realtime", {"type": "azure-realtime-native", "name": "eva"},
         f"Invalid value: 'eva'. Supported values are: {OWN_VOICES}."),
        ("gpt-realtime", {"type": "azure-realtime-native", "name": "ava"},
         "The model 'gpt-realtime' does not support the voices of azure-realtime."),
        ("gpt-5", {"type": "openai", "name": "alloyjenny"}, "The model 'gpt-5' does not support OpenAI voices."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["session", "response"])
def test_an_unknown_voice_is_refused_and_the_voice_in_force_stays(model, voice, sentence, where):
    lab = Lab(model)
    before = only(lab.send("session.update", session={}), "session.updated")["session"]["voice"]
    name = "session.update" if where == "session" else "response.create"
    error = error_of(lab.send(name, event_id="mine", **{where: {"voice": voice, "instructions": "Short."}}))
    assert error == {
        "type": "invalid_request_error",
        "code": "invalid_value",
        "message": sentence,
        "param": f"{where}.voice",
        "event_id": "mine",
    }
    after = only(lab.send("session.update", session={}), "session.updated")["session"]
    assert after["voice"] == before
    assert after["instructions"] != "Short."


@pytest.mark.parametrize(
    "voice",
    [
        "en-US-NotDocumentedNeural",
        {"type": "azure-standard", "name": "en-US-Ava:DragonHDLatestNeural"},
        {"type": "azure-custom", "name": "mine", "endpoint_id": "e"},
        {"type": "azure-personal", "name": "me", "model": "DragonLatestNeural"},
        {"type": "avatar-voice-sync", "model": "m"},
    ],
)
@pytest.mark.parametrize("model", ["gpt-realtime", "gpt-4.1"])
def test_azure_voices_are_not_checked_by_name(voice, model):
    got = updated(model, voice=voice)["voice"]
    assert got.items() >= (voice if isinstance(voice, dict) else {"type": "azure-standard", "name": voice}).items()


@pytest.mark.parametrize(
    ("model", "voice"),
    [
        ("gpt-realtime", {"type": "openai", "name": "alloy"}),
        ("gpt-realtime-mini", {"type": "openai", "name": "marin"}),
        ("azure-realtime", {"type": "azure-realtime-native", "name": "ava"}),
    ],
)
def test_the_default_voice_of_native_models(model, voice):
    assert session_defaults("s", model, 0)["voice"] == voice


def test_end_of_utterance_on_a_native_model_is_refused_and_so_is_everything_after():
    turns = {"type": "azure_semantic_vad", "end_of_utterance_detection": {"model": "semantic_detection_v1"}}
    assert kinds(Lab("gpt-4.1").send("session.update", session={"turn_detection": turns})) == ["session.updated"]
    lab = Lab("gpt-realtime")
    first = error_of(lab.send("session.update", session={"turn_detection": turns}, event_id="one"))
    assert first["event_id"] == "one"
    later = error_of(lab.send("session.update", session={}, event_id="two"))
    assert later == first | {"event_id": "two"}
    assert kinds(lab.send("response.create")) == ["error"]


def test_only_cascades_report_the_temperature_of_a_response():
    for model, temperature in (("gpt-realtime", None), ("gpt-4.1", 0.7)):
        lab = Lab(model, temperature=0.7)
        response = only(lab.send("response.create"), "response.created")["response"]
        assert response["temperature"] == temperature


def test_a_spoken_item_is_done_with_the_item_before_it():
    lab = Lab(turn_detection={"type": "server_vad", "silence_duration_ms": 300})
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}], "id": "item_1"}
    lab.send("conversation.item.create", item=item)
    done = only(lab.say(clip(speech(), 1000)) + lab.finish(), "conversation.item.done")
    assert done["previous_item_id"] == "item_1"


def test_two_fast_turns_of_a_cascade_are_answered_each_with_its_own_words():
    vad = {"type": "server_vad", "silence_duration_ms": 300, "interrupt_response": True}
    lab = Lab("gpt-4.1", turn_detection=vad)
    lab.say(clip(speech(), 600, speech("Yes"), 600))
    lab.finish()
    heard = [words for kind, words, _ in lab.notes if kind == "turn"]
    answers = [words for kind, words, _ in lab.notes if kind == "answer" and words.startswith("answer: I heard")]
    assert len(heard) == len(answers) == 2
    for turn, answer in zip(heard, answers, strict=True):
        seconds = turn.partition("[speech, ")[2].partition(" s")[0]
        assert f"for {seconds} seconds" in answer


@pytest.mark.parametrize(
    "field", ["instructions", "voice", "tools", "temperature", "modalities", "tool_choice", "model"]
)
def test_null_in_an_optional_field_counts_as_absent(field):
    lab = Lab()
    before = lab.session.settings.json[field] if field != "temperature" else None
    got = only(lab.send("session.update", session={field: None}), "session.updated")["session"]
    assert got.get(field) == before
    assert kinds(lab.send("response.create", response={field: None}))[0] == "response.created"


@pytest.mark.parametrize(
    "field",
    ["turn_detection", "input_audio_transcription", "input_audio_noise_reduction", "input_audio_echo_cancellation"],
)
def test_null_switches_off_settings_that_have_an_off_state(field):
    assert updated("gpt-4.1", **{field: None})[field] is None
