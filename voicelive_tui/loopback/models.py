"""What depends on the model: how it takes audio, what a new session reports, and what an update may not ask for."""

from typing import Any

from voicelive_tui.loopback.protocol import JsonObject, Refusal, missing, unknown_value

INSTRUCTIONS = "You are a line check. You measure the audio that arrives and report the measurements."

AGENT_MODEL = "gpt-4.1"
"""The model of every agent here; a client of an agent does not choose one."""

_NATIVE_VOICE = "azure-realtime-native"
_VOICES = {
    "openai": tuple("alloy ash ballad coral echo sage shimmer verse marin cedar".split()),
    _NATIVE_VOICE: tuple("aarti andrew ava denise diya elsa florian francisca meera xiaoxiao yunxi ximena".split()),
}
"""The types of voice whose names are documented as a list (protocol, section 4.3)."""
_VOICE_OPTIONS = (
    "temperature", "custom_lexicon_url", "custom_text_normalization_url", "prefer_locales", "locale", "style", "pitch",
    "rate", "volume",
)  # fmt: skip
_AZURE_VAD = (
    "neg_threshold", "window_size", "distinct_ci_phones", "require_vowel", "require_vowel_assistant_speaking",
)  # fmt: skip


def is_native(model: str) -> bool:
    """Whether a model takes audio directly; the others use Azure speech to text and back (cascades)."""
    return model.startswith(("gpt-realtime", "phi4-mm-realtime", "azure-realtime"))


def session_defaults(session_id: str, model: str, expires_at: int) -> JsonObject:
    """What `session.created` reports (recorded from the service at api-version 2026-04-10)."""
    native = is_native(model)
    session: JsonObject = {
        "id": session_id,
        "object": "realtime.session",
        "model": f"{model}-global-standard" if model.startswith("gpt-realtime") else model,
        "expires_at": expires_at,
        "modalities": ["audio"] if native else ["audio", "text"],
        "instructions": INSTRUCTIONS,
        "voice": voice_object(_default_voice(model), model),
        "input_audio_format": "pcm16",
        "input_audio_sampling_rate": 24_000,
        "output_audio_format": "pcm16",
        "turn_detection": whole_turn_detection(
            {
                "type": "server_vad",
                "threshold": 0.5,
                "prefix_padding_ms": 300 if native else 400,
                "silence_duration_ms": 200 if model == "gpt-realtime" else 500,
            },
            model,
        ),
        "input_audio_transcription": None if native else whole_transcription({"model": "azure-speech"}),
        "tools": [],
        "tool_choice": "auto",
        "max_response_output_tokens": "inf",
    }
    unset = (
        "input_audio_noise_reduction", "input_audio_echo_cancellation", "avatar", "animation", "include",
        "output_audio_timestamp_types", "truncation_strategy", "greeting", "handoff",
    )  # fmt: skip
    session |= dict.fromkeys(unset)
    if not native:
        session["temperature"] = 1.0 if model.startswith("gpt-5") else 0.8
    if model.startswith("gpt-5"):
        session["reasoning_effort"] = "minimal"
    return session


def whole_transcription(given: JsonObject) -> JsonObject:
    """A transcription object with all its fields (recorded)."""
    unset = dict.fromkeys(("model", "language", "prompt", "delay", "custom_speech", "phrase_list"))
    return unset | given


def voice_object(voice: str | JsonObject, model: str, where: str = "session") -> JsonObject:
    """A voice as the service reports it: an object (recorded: the options of Azure standard voices are nulls).

    Raises:
        Refusal: It has no name; or the model does not have it.
    """
    if isinstance(voice, str):
        own = model.startswith("azure-realtime") and voice in _VOICES[_NATIVE_VOICE]
        voice = {"type": "azure-standard" if "-" in voice else _NATIVE_VOICE if own else "openai", "name": voice}
    if not isinstance(voice.get("name"), str) and voice.get("type") != "avatar-voice-sync":
        raise missing(f"{where}.voice.name")
    _refuse_voice(voice, model, f"{where}.voice")
    return dict.fromkeys(_VOICE_OPTIONS) | voice if voice.get("type") == "azure-standard" else voice


def _refuse_voice(voice: JsonObject, model: str, param: str) -> None:
    """Refuse a voice that the service is known not to have.

    The code and the sentence for an unknown OpenAI voice are those of OpenAI's protocol. Azure's hundreds of names are
    in no document that this was written from, nor is the answer to a wrong one: all are accepted here.
    """
    kind, name = voice.get("type"), voice.get("name")
    if not is_native(model) and (kind == "openai" or name in _VOICES["openai"]):
        raise _refusal(model, "OpenAI voices", param)
    if kind == _NATIVE_VOICE and not model.startswith("azure-realtime"):
        raise _refusal(model, "the voices of azure-realtime", param)
    known = _VOICES.get(kind) if isinstance(kind, str) else None
    if known and name not in known:
        raise unknown_value(name, known, param)


def _default_voice(model: str) -> str:
    if not is_native(model):
        return "en-US-AvaNeural"
    if model.startswith("azure-realtime"):
        return "ava"
    return "alloy" if model == "gpt-realtime" else "marin"


def whole_turn_detection(given: JsonObject, model: str) -> JsonObject | None:
    """A turn detection object with the defaults of all fields that are not given: an update resets siblings."""
    kind = given["type"]
    if kind == "none":
        return None
    whole: JsonObject = {"create_response": True, "interrupt_response": True, "auto_truncate": False}
    if kind != "semantic_vad":
        plain = is_native(model) and kind == "server_vad"
        # Recorded: numbers with native models, nulls (meaning the defaults) with cascades.
        whole |= {
            "threshold": 0.5 if plain else None,
            "prefix_padding_ms": 400 if plain else None,
            "silence_duration_ms": 500 if plain else None,
            "speech_duration_ms": None,
            "idle_timeout_ms": None,
            "appended_text_after_truncation": None,
        }
    if kind.startswith("azure"):
        whole |= {"profile": "classic", "remove_filler_words": False, **dict.fromkeys(_AZURE_VAD)}
    end = given.get("end_of_utterance_detection")
    if isinstance(end, dict):
        defaults = {"threshold": None, "threshold_level": "default", "timeout": None, "timeout_ms": None}
        whole["end_of_utterance_detection"] = defaults | end
        given = {name: value for name, value in given.items() if name != "end_of_utterance_detection"}
    return whole | given


def refuse_for_model(update: JsonObject, model: str) -> None:
    """Refuse what the service refuses for this kind of model, as pydantic-ai and pipecat report it.

    Raises:
        Refusal: The model cannot do it. After an end-of-utterance setting on a native model the service refuses every
            later client event; that refusal is `fatal`.
    """
    native = is_native(model)
    turns = update.get("turn_detection") or {}
    if native and turns.get("end_of_utterance_detection"):
        place = "session.turn_detection.end_of_utterance_detection"
        raise _refusal(model, "end-of-utterance detection", place, fatal=True)
    if native:
        return
    if turns.get("type") == "semantic_vad":
        raise _refusal(model, "turn detection 'semantic_vad'", "session.turn_detection.type")
    reduction = _field(update, "input_audio_noise_reduction", "type")
    if reduction in {"near_field", "far_field"}:
        raise _refusal(model, f"noise reduction {reduction!r}", "session.input_audio_noise_reduction.type")
    if _field(update, "input_audio_transcription", "model") == "whisper-1":
        raise _refusal(model, "transcription by 'whisper-1'", "session.input_audio_transcription.model")


def _field(update: JsonObject, name: str, inner: str) -> Any:
    value = update.get(name)
    found = value.get(inner) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def _refusal(model: str, what: str, param: str, *, fatal: bool = False) -> Refusal:
    return Refusal(f"The model '{model}' does not support {what}.", "invalid_value", param, fatal=fatal)
