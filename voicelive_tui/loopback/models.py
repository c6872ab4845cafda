"""What depends on the model: how it takes audio, what a new session reports, and what an update may not ask for."""

from typing import Any

from voicelive_tui.loopback.protocol import JsonObject, Refusal

INSTRUCTIONS = "You are a line check. You measure the audio that arrives and report the measurements."

AGENT_MODEL = "gpt-4.1"
"""The model of every agent here; a client of an agent does not choose one."""

_OPENAI_VOICES = frozenset("alloy ash ballad coral echo sage shimmer verse marin cedar".split())
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
        "voice": whole_voice(
            {"type": "openai", "name": "alloy" if model == "gpt-realtime" else "marin"}
            if native
            else {"type": "azure-standard", "name": "en-US-AvaNeural"}
        ),
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


def whole_voice(given: JsonObject) -> JsonObject:
    """A voice object with all its fields (recorded: those of Azure standard voices are nulls)."""
    return dict.fromkeys(_VOICE_OPTIONS) | given if given.get("type") == "azure-standard" else given


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


def refuse_for_model(update: JsonObject, model: str, where: str = "session") -> None:
    """Refuse what the service refuses for this kind of model, as pydantic-ai and pipecat report it.

    Raises:
        Refusal: The model cannot do it. After an end-of-utterance setting on a native model the service refuses every
            later client event; that refusal is `fatal`.
    """
    native = is_native(model)
    turns = update.get("turn_detection") or {}
    if native and turns.get("end_of_utterance_detection"):
        place = f"{where}.turn_detection.end_of_utterance_detection"
        raise _refusal(model, "end-of-utterance detection", place, fatal=True)
    if native:
        return
    if turns.get("type") == "semantic_vad":
        raise _refusal(model, "turn detection 'semantic_vad'", f"{where}.turn_detection.type")
    if _field(update, "voice", "type") == "openai" or _field(update, "voice", "name") in _OPENAI_VOICES:
        raise _refusal(model, "OpenAI voices", f"{where}.voice")
    reduction = _field(update, "input_audio_noise_reduction", "type")
    if reduction in {"near_field", "far_field"}:
        raise _refusal(model, f"noise reduction {reduction!r}", f"{where}.input_audio_noise_reduction.type")
    if _field(update, "input_audio_transcription", "model") == "whisper-1":
        raise _refusal(model, "transcription by 'whisper-1'", f"{where}.input_audio_transcription.model")


def _field(update: JsonObject, name: str, inner: str) -> Any:
    value = update.get(name)
    found = value.get(inner) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def _refusal(model: str, what: str, param: str, *, fatal: bool = False) -> Refusal:
    return Refusal(f"The model '{model}' does not support {what}.", "invalid_value", param, fatal=fatal)
