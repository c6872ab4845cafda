"""The session object of `session.update`, from the settings, and back."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from voicelive_tui.config import InterimResponse, Mcp, Session, Settings, Transcription, TurnDetection
from voicelive_tui.tables import merged, nested, values_of

SOUND = ("modalities", "input_audio_format", "input_audio_sampling_rate", "output_audio_format")
"""Fields that must fit this program's sound path."""
TOOL_CHOICES = ("auto", "none", "required")
NULL_MEANS_OFF = frozenset(
    ("turn_detection", "input_audio_transcription", "input_audio_noise_reduction", "input_audio_echo_cancellation")
)
"""Fields whose null means "off" to the service; the null of others stands for its default."""


def wanted_session(settings: Settings) -> dict[str, Any]:
    """The `session` object of all settings.

    For a Foundry agent, what has its default here is left out, so that it stays as the agent was made; instructions may
    not be given at all (protocol, section 4.1).
    """
    request = session_request(settings.session) | _given({"tools": mcp_tools(settings.mcp)})
    if not settings.agent.name:
        return request
    defaults = session_request(Session())
    changed = {name: value for name, value in request.items() if name in SOUND or value != defaults.get(name, "")}
    changed.pop("instructions", None)
    return changed


def session_request(settings: Session) -> dict[str, Any]:
    """The `session` object of `session.update`, as plain JSON.

    The model is not in it: it goes into the URL, and repeating it here is refused by the service. The turn detection
    block is always whole, because the service resets the siblings of whatever a partial block leaves out.
    """
    choice, detection = settings.tool_choice, settings.turn_detection
    optional = {
        "speed": settings.speed,
        "temperature": settings.temperature,
        "max_response_output_tokens": settings.max_response_output_tokens,
        "tool_choice": choice if choice in ("", *TOOL_CHOICES) else {"type": "function", "name": choice},
        "interim_response": interim_response(settings.interim_response),
    }
    return {
        "modalities": list(settings.modalities),
        "instructions": settings.instructions,
        "voice": voice(settings),
        "input_audio_format": "pcm16",
        "input_audio_sampling_rate": 24_000,
        "output_audio_format": "pcm16",
        "turn_detection": None if detection.type == "none" else server_detection(detection),
        "input_audio_noise_reduction": None
        if settings.noise_reduction == "none"
        else {"type": settings.noise_reduction},
        "input_audio_echo_cancellation": {"type": "server_echo_cancellation"} if settings.echo_cancellation else None,
        "input_audio_transcription": transcription(settings.input_audio_transcription, settings.model),
        **_given(optional),
    }


def with_functions(
    session: Mapping[str, Any], declarations: Sequence[Mapping[str, Any]], *, parallel: bool = True
) -> dict[str, Any]:
    """The session object with these functions as its only ones, besides its other tools."""
    others = [tool for tool in session.get("tools", ()) if tool.get("type") != "function"]
    if not declarations and "tools" not in session:
        return dict(session)
    one_at_a_time = {} if parallel else {"parallel_tool_calls": False}
    return {**session, "tools": [*declarations, *others], **one_at_a_time}


def _given(optional: dict[str, Any]) -> dict[str, Any]:
    """The fields that are set."""
    return {name: value for name, value in optional.items() if value not in ("", [], None)}


def transcription(settings: Transcription, chat_model: str) -> dict[str, Any] | None:
    """The transcription object; None switches it off. Models that take audio directly transcribe with whisper-1."""
    model = settings.model or ("whisper-1" if chat_model.startswith("gpt-realtime") else "azure-speech")
    optional = {"language": settings.language, "phrase_list": list(settings.phrase_list)}
    return None if model == "none" else {"model": model, **_given(optional)}


def voice(settings: Session) -> dict[str, Any]:
    """The voice object: Azure's names have a "-" (en-US-AvaNeural), OpenAI's have none (alloy)."""
    if "-" not in settings.voice:
        own = settings.model.startswith("azure-realtime")
        return {"type": "azure-realtime-native" if own else "openai", "name": settings.voice}
    optional = {"rate": settings.voice_rate, "temperature": settings.voice_temperature}
    return {"type": "azure-standard", "name": settings.voice, **_given(optional)}


def interim_response(settings: InterimResponse) -> dict[str, Any] | None:
    """The interim response object; None without one."""
    if settings.type == "none":
        return None
    own = ("texts",) if settings.type == "static" else ("model", "instructions", "max_completion_tokens")
    fields = msgspec.structs.asdict(settings)
    return {
        "type": f"{settings.type}_interim_response",
        "triggers": list(settings.triggers),
        "latency_threshold_ms": settings.latency_threshold_ms,
        **_given({name: list(value) if name == "texts" else value for name, value in fields.items() if name in own}),
    }


def mcp_tools(servers: Sequence[Mcp]) -> list[dict[str, Any]]:
    """The MCP servers as `tools` of a session. Values of headers are the names of variables, each with a "$" before it.

    The shell replaces these names as it sends them: secrets are not part of the state.
    """
    return [
        {
            "type": "mcp",
            "server_label": server.label,
            "server_url": server.url,
            "require_approval": server.require_approval
            if isinstance(server.require_approval, str)
            else {rule: list(tools) for rule, tools in server.require_approval.items()},
            **({"allowed_tools": list(server.allowed_tools)} if server.allowed_tools else {}),
            **({"headers": {name: f"${value}" for name, value in server.headers.items()}} if server.headers else {}),
        }
        for server in servers
    ]


def server_detection(settings: TurnDetection) -> dict[str, Any]:
    """The whole block of the service's turn detection, also where push-to-talk comes first."""
    block: dict[str, Any] = {
        "type": TurnDetection().type if settings.type == "none" else settings.type,
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


_PATHS = {
    "voice": "voice.name",
    "voice_rate": "voice.rate",
    "voice_temperature": "voice.temperature",
    "noise_reduction": "input_audio_noise_reduction.type",
    "echo_cancellation": "input_audio_echo_cancellation",
    "tool_choice": "tool_choice.name",
    "turn_detection.end_of_utterance_model": "turn_detection.end_of_utterance_detection.model",
}
"""Where settings are in the session object, if not under their own names."""
DEFAULTS = dict(values_of(msgspec.to_builtins(Session())))
"""The default of each setting."""
_NOT_IN_SESSION = ("model", "push_to_talk", "barge_in.")
"""Prefixes of the settings that are not in the session object."""


def path_of(key: str) -> tuple[str, ...]:
    """Where a setting is in the session object."""
    return tuple(_PATHS.get(key, key).split("."))


def setting(session: Mapping[str, Any], key: str) -> object:
    """The value of a setting in a session object; None where it has none."""
    top, *rest = path_of(key)
    if top not in session:
        return None
    value: Any = session[top]
    if key == "echo_cancellation":
        return bool(value)
    if value is None and top in NULL_MEANS_OFF:
        return "none" if rest in (["type"], ["model"]) else None
    if isinstance(value, str) and rest:  # a voice by its name, or a tool choice
        return value if rest == ["name"] else None
    for name in rest:
        value = value.get(name) if isinstance(value, Mapping) else None
    if key == "interim_response.type" and isinstance(value, str):  # spelt with hyphens in the service's reference
        return value.replace("-", "_").removesuffix("_interim_response")
    return value


def settings_of(session: Mapping[str, Any], base: Session) -> Session:
    """The settings that ask for a session object: the inverse of `session_request`.

    What no setting can express is left out. Where the object is as `base` asks for it, its settings stay as they are.
    """
    asked, table = session_request(base), msgspec.to_builtins(base)
    for key, default in DEFAULTS.items():
        top = path_of(key)[0]
        if key.startswith(_NOT_IN_SESSION) or session.get(top) == asked.get(top):
            continue
        value = setting(session, key)
        if value is None and top in NULL_MEANS_OFF and session.get(top, "") is None:
            continue  # the other settings of what is off stay as they are
        if key == "instructions" and isinstance(value, str) and value.startswith("@"):
            value = f" {value}"  # a setting with "@" at its beginning names a file
        if key == "voice" and not str(value).isprintable():  # no configuration may have it
            value = None
        table = merged(table, nested(key, default))
        changed = merged(table, nested(key, value))
        with contextlib.suppress(msgspec.ValidationError):  # null, or something for which there is no setting
            msgspec.convert(changed, Session)
            table = changed
    return msgspec.convert(table, Session)
