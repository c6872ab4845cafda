"""The one session.update."""

import msgspec
import pytest

from voicelive_tui.config import Session, Transcription, TurnDetection
from voicelive_tui.session.request import session_request


def test_the_defaults_as_they_are_sent() -> None:
    request = session_request(Session())
    assert request == {
        "modalities": ["text", "audio"],
        "instructions": "You are a helpful AI assistant. Respond naturally and conversationally. "
        "Keep your responses concise but engaging.",
        "voice": {"type": "azure-standard", "name": "en-US-Ava:DragonHDLatestNeural"},
        "input_audio_format": "pcm16",
        "input_audio_sampling_rate": 24_000,
        "output_audio_format": "pcm16",
        "turn_detection": {
            "type": "server_vad",
            "threshold": 0.5,
            "prefix_padding_ms": 300,
            "silence_duration_ms": 500,
            "create_response": True,
            "interrupt_response": True,
            "auto_truncate": False,
        },
        "input_audio_noise_reduction": {"type": "azure_deep_noise_suppression"},
        "input_audio_echo_cancellation": {"type": "server_echo_cancellation"},
        "input_audio_transcription": {"model": "whisper-1"},
    }
    assert "model" not in request  # it goes into the URL only


@pytest.mark.parametrize(
    ("model", "transcription"),
    [("gpt-realtime", "whisper-1"), ("gpt-realtime-mini", "whisper-1"), ("gpt-4.1", "azure-speech")],
)
def test_transcription_follows_the_model(model: str, transcription: str) -> None:
    assert session_request(Session(model=model))["input_audio_transcription"] == {"model": transcription}


def test_what_is_switched_off_is_sent_as_null() -> None:
    off = Session(
        noise_reduction="none",
        echo_cancellation=False,
        turn_detection=TurnDetection(type="none"),
        input_audio_transcription=Transcription(model="none"),
    )
    request = session_request(off)
    names = [
        "input_audio_noise_reduction",
        "input_audio_echo_cancellation",
        "turn_detection",
        "input_audio_transcription",
    ]
    assert all(name in request and request[name] is None for name in names)


def test_openai_voices_and_openai_turn_detection() -> None:
    settings = msgspec.structs.replace(Session(voice="alloy"), turn_detection=TurnDetection(type="semantic_vad"))
    request = session_request(settings)
    assert request["voice"] == {"type": "openai", "name": "alloy"}
    assert set(request["turn_detection"]) == {"type", "create_response", "interrupt_response", "auto_truncate"}
