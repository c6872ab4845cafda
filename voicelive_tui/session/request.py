"""The session object of `session.update`, from the settings."""

from typing import Any

from voicelive_tui.config import Session, Transcription, TurnDetection

TOOL_CHOICES = ("auto", "none", "required")


def session_request(settings: Session) -> dict[str, Any]:
    """The `session` object of `session.update`, as plain JSON.

    The model is not in it: it goes into the URL, and repeating it here is refused by the service. The turn detection
    block is always whole, because the service resets the siblings of whatever a partial block leaves out.
    """
    optional = {
        "speed": settings.speed,
        "temperature": settings.temperature,
        "max_response_output_tokens": settings.max_response_output_tokens,
        "tool_choice": tool_choice(settings.tool_choice),
    }
    return {
        "modalities": list(settings.modalities),
        "instructions": settings.instructions,
        "voice": voice(settings),
        "input_audio_format": "pcm16",
        "input_audio_sampling_rate": 24_000,
        "output_audio_format": "pcm16",
        "turn_detection": turn_detection(settings.turn_detection),
        "input_audio_noise_reduction": None
        if settings.noise_reduction == "none"
        else {"type": settings.noise_reduction},
        "input_audio_echo_cancellation": {"type": "server_echo_cancellation"} if settings.echo_cancellation else None,
        "input_audio_transcription": transcription(settings.input_audio_transcription, settings.model),
        **_given(optional),
    }


def _given(optional: dict[str, Any]) -> dict[str, Any]:
    """The fields that are set."""
    return {name: value for name, value in optional.items() if value not in ("", [])}


def transcription(settings: Transcription, chat_model: str) -> dict[str, Any] | None:
    """The transcription object; None switches it off."""
    model = settings.model or ("whisper-1" if transcribes_with_whisper(chat_model) else "azure-speech")
    optional = {"language": settings.language, "phrase_list": list(settings.phrase_list)}
    return None if model == "none" else {"model": model, **_given(optional)}


def transcribes_with_whisper(model: str) -> bool:
    """Whether whisper-1 is the model's default transcription: the gpt-realtime family, which takes audio directly."""
    return model.startswith("gpt-realtime")


def voice(settings: Session) -> dict[str, Any]:
    """The voice object: Azure's names have a "-" (en-US-AvaNeural), OpenAI's have none (alloy)."""
    if "-" not in settings.voice:
        own = settings.model.startswith("azure-realtime")
        return {"type": "azure-realtime-native" if own else "openai", "name": settings.voice}
    optional = {"rate": settings.voice_rate, "temperature": settings.voice_temperature}
    return {"type": "azure-standard", "name": settings.voice, **_given(optional)}


def tool_choice(name: str) -> str | dict[str, str]:
    """The choice itself, or the function to call."""
    return name if name in ("", *TOOL_CHOICES) else {"type": "function", "name": name}


def turn_detection(settings: TurnDetection) -> dict[str, Any] | None:
    """The whole turn detection block; None for push-to-talk."""
    if settings.type == "none":
        return None
    block: dict[str, Any] = {
        "type": settings.type,
        "create_response": settings.create_response,
        "interrupt_response": settings.interrupt_response,
        "auto_truncate": settings.auto_truncate,
    }
    if settings.type == "semantic_vad":  # OpenAI's has no energy threshold and no times
        return block | _given({"eagerness": settings.eagerness})
    block |= {
        "threshold": settings.threshold,
        "prefix_padding_ms": settings.prefix_padding_ms,
        "silence_duration_ms": settings.silence_duration_ms,
        **_given({"speech_duration_ms": settings.speech_duration_ms}),
    }
    if settings.end_of_utterance_model:
        block["end_of_utterance_detection"] = {"model": settings.end_of_utterance_model}
    if settings.type.startswith("azure"):
        block |= _given({"languages": list(settings.languages)})
        block |= {"remove_filler_words": True} if settings.remove_filler_words else {}
    return block
