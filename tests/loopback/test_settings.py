"""The session object: what it reports, how it is changed, and what may not change."""

import pytest

from voicelive_tui.loopback.formats import AudioFormat
from voicelive_tui.loopback.models import is_native
from voicelive_tui.loopback.protocol import Refusal
from voicelive_tui.loopback.settings import Settings
from voicelive_tui.loopback.vad import Rules


def settings(model="gpt-realtime"):
    return Settings("sess_1", model, 1_700_000_000)


def merge(current, update, *, voice_locked=False, audio_begun=False):
    current.merge(update, voice_locked=voice_locked, audio_begun=audio_begun)
    return current.json


def refusal(update, model="gpt-realtime", **state):
    current = settings(model)
    before = dict(current.json)
    with pytest.raises(Refusal) as info:
        merge(current, update, **state)
    assert current.json == before, "all or nothing"
    return info.value


@pytest.mark.parametrize(
    ("model", "native"),
    [
        ("gpt-realtime", True), ("gpt-realtime-mini", True), ("gpt-realtime-2.1", True),
        ("phi4-mm-realtime", True), ("azure-realtime", True),
        ("gpt-4o", False), ("gpt-4.1-nano", False), ("gpt-5", False), ("phi4-mini", False),
    ],
)  # fmt: skip
def test_models_that_take_audio_directly(model, native):
    assert is_native(model) is native


@pytest.mark.parametrize(
    ("model", "reported", "voice", "prefix", "silence", "transcribes"),
    [
        ("gpt-realtime", "gpt-realtime-global-standard", "alloy", 300, 200, False),
        ("gpt-realtime-2", "gpt-realtime-2-global-standard", "marin", 300, 500, False),
        ("gpt-4.1", "gpt-4.1", "en-US-AvaNeural", 400, 500, True),
        ("gpt-5", "gpt-5", "en-US-AvaNeural", 400, 500, True),
    ],
)
def test_the_settings_that_a_new_session_reports(model, reported, voice, prefix, silence, transcribes):
    json = settings(model).json
    assert json["model"] == reported
    assert json["voice"]["name"] == voice
    assert json["turn_detection"]["prefix_padding_ms"] == prefix
    assert json["turn_detection"]["silence_duration_ms"] == silence
    assert (json["input_audio_transcription"] is not None) is transcribes
    assert json["expires_at"] == 1_700_000_000


def test_unknown_fields_and_values_are_stored_and_echoed():
    update = {
        "brand_new": {"a": [1, None]},
        "turn_detection": {"type": "azure_semantic_vad", "speech_duration_assistant_speaking_ms": 800},
        "input_audio_transcription": {"model": "whisper-1", "prompt": "x"},
    }
    json = merge(settings(), update)
    assert json["brand_new"] == {"a": [1, None]}
    assert json["turn_detection"]["speech_duration_assistant_speaking_ms"] == 800
    assert json["input_audio_transcription"]["prompt"] == "x"


def test_a_partial_turn_detection_resets_its_siblings():
    current = settings()
    merge(current, {"turn_detection": {"type": "server_vad", "silence_duration_ms": 900, "threshold": 0.9}})
    json = merge(current, {"turn_detection": {"type": "server_vad"}})
    assert json["turn_detection"]["silence_duration_ms"] == 500
    assert json["turn_detection"]["threshold"] == 0.5
    assert json["turn_detection"]["create_response"] is True


def test_cascade_models_report_nulls_that_mean_defaults():
    current = settings("gpt-5")
    json = merge(current, {"turn_detection": {"type": "azure_semantic_vad"}})
    assert json["turn_detection"]["threshold"] is None
    assert json["turn_detection"]["remove_filler_words"] is False
    assert current.rules == Rules(0.5, 420, 500, 80)


def test_null_and_none_mean_push_to_talk():
    for off in (None, {"type": "none"}):
        current = settings()
        assert merge(current, {"turn_detection": off})["turn_detection"] is None
        assert current.turn_detection is None


def test_eagerness_and_fillers_change_the_rules():
    current = settings()
    merge(current, {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}})
    assert current.rules.silence_duration_ms == 1200
    merge(current, {"turn_detection": {"type": "azure_semantic_vad", "remove_filler_words": True}})
    assert current.rules.speech_duration_ms == 450


def test_echo_cancellation_comes_back_filled():
    json = merge(settings(), {"input_audio_echo_cancellation": {"type": "server_echo_cancellation"}})
    assert json["input_audio_echo_cancellation"] == {
        "type": "server_echo_cancellation",
        "reference_source": "server",
        "channels": 1,
    }


def test_input_formats_and_their_rates():
    current = settings()
    assert current.input_format == AudioFormat("pcm16", 24_000)
    assert merge(current, {"input_audio_format": "g711_ulaw"})["input_audio_sampling_rate"] == 8000
    merge(current, {"input_audio_format": "pcm16", "input_audio_sampling_rate": 44_100})
    assert current.input_format == AudioFormat("pcm16", 44_100)
    echo = {"type": "server_echo_cancellation", "reference_source": "client", "channels": 2}
    merge(current, {"input_audio_echo_cancellation": echo, "input_audio_sampling_rate": 16_000})
    assert current.input_format == AudioFormat("pcm16", 16_000, 2)


def test_an_empty_instruction_leaves_the_default_of_native_models():
    assert merge(settings(), {"instructions": ""})["instructions"]
    assert merge(settings("gpt-4.1"), {"instructions": ""})["instructions"] == ""


def test_the_voice_cannot_change_after_it_has_spoken():
    error = refusal({"voice": "echo"}, voice_locked=True)
    assert error.code == "cannot_update_voice"
    merge(settings(), {"voice": "alloy"}, voice_locked=True)
    assert merge(settings(), {"voice": "echo"})["voice"] == {"type": "openai", "name": "echo"}


def test_the_model_and_the_identity_stay():
    for model in ("gpt-4.1", "gpt-realtime"):
        assert refusal({"model": model}).param == "session.model"
    json = merge(settings(), {"id": "sess_2", "expires_at": 0})
    assert (json["id"], json["expires_at"]) == ("sess_1", 1_700_000_000)
    assert json["model"] == "gpt-realtime-global-standard"


@pytest.mark.parametrize(
    ("update", "code", "param"),
    [
        ({"turn_detection": {"type": "x"}}, "invalid_value", "turn_detection.type"),
        ({"turn_detection": {}}, "missing_required_parameter", "turn_detection.type"),
        ({"turn_detection": {"type": "server_vad", "threshold": "x"}}, "invalid_type", "turn_detection.threshold"),
        ({"turn_detection": {"type": "server_vad", "threshold": 2}}, "invalid_value", "turn_detection.threshold"),
        ({"turn_detection": {"type": "server_vad", "silence_duration_ms": -1}}, "invalid_value",
         "turn_detection.silence_duration_ms"),
        ({"modalities": ["audio"]}, "invalid_value", "modalities"),
        ({"modalities": ["video"]}, "invalid_value", "modalities[0]"),
        ({"modalities": ["text", "avatar"]}, "not_supported", "avatar"),
        ({"avatar": {"character": "lisa"}}, "not_supported", "avatar"),
        ({"interim_response": {"type": "silence"}}, "invalid_value", "interim_response.type"),
        ({"animation": {"outputs": ["blendshapes"]}}, "not_supported", "animation.outputs"),
        ({"tools": [{"type": "mcp", "server_label": "x"}]}, "missing_required_parameter", "tools[0].server_url"),
        ({"tools": [{"type": "web_search"}]}, "not_supported", "tools[0]"),
        ({"tools": [{"type": "function"}]}, "missing_required_parameter", "tools[0].name"),
        ({"voice": {}}, "missing_required_parameter", "voice.name"),
        ({"voice": {"type": "openai"}}, "missing_required_parameter", "voice.name"),
        ({"voice": {"type": [], "name": {}}}, "missing_required_parameter", "voice.name"),
        ({"voice": "alloyjenny"}, "invalid_value", "voice"),
        ({"voice": 5}, "invalid_type", "voice"),
        ({"input_audio_format": "mp3"}, "invalid_value", "input_audio_format"),
        ({"input_audio_sampling_rate": 11_025}, "invalid_value", "input_audio_sampling_rate"),
        ({"input_audio_format": "g711_alaw", "input_audio_sampling_rate": 24_000}, "invalid_value",
         "input_audio_sampling_rate"),
        ({"output_audio_format": "mp3"}, "invalid_value", "output_audio_format"),
        ({"max_response_output_tokens": 5000}, "invalid_value", "max_response_output_tokens"),
        ({"max_response_output_tokens": "lots"}, "invalid_value", "max_response_output_tokens"),
        ({"metadata": {str(n): "" for n in range(17)}}, "invalid_value", "metadata"),
        ({"input_audio_transcription": {}}, "missing_required_parameter", "input_audio_transcription.model"),
        ({"input_audio_echo_cancellation": {"channels": 2}}, "invalid_ec_channels_requires_client",
         "input_audio_echo_cancellation.channels"),
        ({"input_audio_echo_cancellation": {"reference_source": "client"}}, "invalid_ec_reference_channels",
         "input_audio_echo_cancellation.channels"),
    ],
)  # fmt: skip
def test_what_is_refused(update, code, param):
    error = refusal(update)
    assert (error.code, error.param) == (code, f"session.{param}")


def test_the_echo_reference_cannot_change_after_audio_was_sent():
    echo = {"type": "server_echo_cancellation", "reference_source": "client", "channels": 2}
    error = refusal({"input_audio_echo_cancellation": echo}, audio_begun=True)
    assert (error.code, error.param) == ("invalid_value", "session.input_audio_echo_cancellation")
    assert merge(settings(), {"input_audio_echo_cancellation": echo})["input_audio_echo_cancellation"] == echo


def test_a_session_object_is_limited_in_size():
    """Unknown fields are kept, and every update is answered with all of them."""
    current = settings()
    for name in "abc":
        merge(current, {name: "x" * 300_000})
    with pytest.raises(Refusal, match="too large"):
        merge(current, {"d": "x" * 300_000})
    assert "d" not in current.json
    assert merge(current, {"a": None, "d": "x" * 300_000})["a"] is None
