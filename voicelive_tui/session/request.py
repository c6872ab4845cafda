"""The session object of `session.update`, from the settings."""

from typing import Any

from voicelive_tui.config import Session, TurnDetection


def session_request(settings: Session) -> dict[str, Any]:
    """The `session` object of `session.update`, as plain JSON.

    The model is not in it: it goes into the URL, and repeating it here is refused by the service. The turn detection
    block is always whole, because the service resets the siblings of whatever a partial block leaves out.
    """
    transcription = settings.input_audio_transcription
    model = transcription.model or ("whisper-1" if transcribes_with_whisper(settings.model) else "azure-speech")
    return {
        "modalities": list(settings.modalities),
        "instructions": settings.instructions,
        "voice": voice(settings.voice),
        "input_audio_format": "pcm16",
        "input_audio_sampling_rate": 24_000,
        "output_audio_format": "pcm16",
        "turn_detection": turn_detection(settings.turn_detection),
        "input_audio_noise_reduction": None
        if settings.noise_reduction == "none"
        else {"type": settings.noise_reduction},
        "input_audio_echo_cancellation": {"type": "server_echo_cancellation"} if settings.echo_cancellation else None,
        "input_audio_transcription": None
        if model == "none"
        else {"model": model} | ({"language": transcription.language} if transcription.language else {}),
    }


def transcribes_with_whisper(model: str) -> bool:
    """Whether whisper-1 is the model's default transcription: the gpt-realtime family, which takes audio directly."""
    return model.startswith("gpt-realtime")


def voice(name: str) -> dict[str, str]:
    """The voice object: Azure's names have a "-" (en-US-AvaNeural), OpenAI's have none (alloy)."""
    return {"type": "azure-standard" if "-" in name else "openai", "name": name}


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
    if settings.type != "semantic_vad":  # OpenAI's has no energy threshold and no times
        block |= {
            "threshold": settings.threshold,
            "prefix_padding_ms": settings.prefix_padding_ms,
            "silence_duration_ms": settings.silence_duration_ms,
        }
    return block
