"""What depends on the model: how it takes audio, and what a new session reports."""

from voicelive_tui.loopback.protocol import JsonObject

INSTRUCTIONS = "You are a line check. You measure the audio that arrives and report the measurements."


def is_native(model: str) -> bool:
    """Whether a model takes audio directly; the others use Azure speech to text and back."""
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
        "voice": {"type": "openai", "name": "alloy" if model == "gpt-realtime" else "marin"}
        if native
        else {"type": "azure-standard", "name": "en-US-AvaNeural"},
        "input_audio_format": "pcm16",
        "input_audio_sampling_rate": 24_000,
        "output_audio_format": "pcm16",
        "turn_detection": {
            "type": "server_vad",
            "threshold": 0.5,
            "prefix_padding_ms": 300 if native else 400,
            "silence_duration_ms": 200 if model == "gpt-realtime" else 500,
            "speech_duration_ms": None,
            "create_response": True,
            "interrupt_response": True,
            "auto_truncate": False,
            "idle_timeout_ms": None,
            "appended_text_after_truncation": None,
        },
        "input_audio_transcription": None if native else {"model": "azure-speech", "language": None},
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "max_response_output_tokens": "inf",
    }
    unset = (
        "input_audio_noise_reduction", "input_audio_echo_cancellation", "avatar", "animation", "include",
        "output_audio_timestamp_types", "interim_response", "metadata", "truncation_strategy", "greeting", "handoff",
    )  # fmt: skip
    session |= dict.fromkeys(unset)
    if not native:
        session["temperature"] = 1.0 if model.startswith("gpt-5") else 0.8
    if model.startswith("gpt-5"):
        session["reasoning_effort"] = "minimal"
    return session
