"""The session object: what a new session reports, what an update may change, and what the rest of us reads from it.

The object is kept as plain JSON, so that fields nobody here knows are stored and echoed as the service does it.
``merge`` is the only writer; the structs below only say which types the known fields must have.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from voicelive_tui.loopback.formats import INPUT_RATES, OUTPUT_FORMATS, AudioFormat, Coding
from voicelive_tui.loopback.protocol import JsonObject, Refusal, Unsupported, convert
from voicelive_tui.loopback.vad import Rules

_LARGEST = 1024 * 1024  # bytes of JSON: every update is answered with the whole of it

INSTRUCTIONS = "You are a line check. You measure the sound that arrives and say what you measured."


def is_native(model: str) -> bool:
    """Whether a model takes sound directly; the others go by way of Azure speech to text and back."""
    return model.startswith(("gpt-realtime", "phi4-mm-realtime", "azure-realtime"))


class TurnDetection(Struct):
    """The known fields of ``turn_detection``."""

    type: Literal[
        "server_vad",
        "azure_semantic_vad",
        "azure_semantic_vad_en",
        "azure_semantic_vad_multilingual",
        "semantic_vad",
        "none",
    ]
    threshold: float | None = None
    prefix_padding_ms: int | None = None
    silence_duration_ms: int | None = None
    speech_duration_ms: int | None = None
    remove_filler_words: bool | None = None
    create_response: bool | None = None
    interrupt_response: bool | None = None
    auto_truncate: bool | None = None
    eagerness: Literal["auto", "low", "medium", "high"] | None = None


class _EchoCancellation(Struct):
    type: Literal["server_echo_cancellation"] = "server_echo_cancellation"
    reference_source: Literal["server", "client"] = "server"
    channels: int = 1


class _Transcription(Struct):
    model: str


class _Animation(Struct):
    outputs: list[Literal["blendshapes", "viseme_id"]] = []


class _Fields(Struct):
    """The known fields of a session that an update may carry, for their types only."""

    model: str | UnsetType = UNSET
    modalities: list[Literal["text", "audio", "animation", "avatar"]] | UnsetType = UNSET
    instructions: str | UnsetType = UNSET
    voice: str | JsonObject | UnsetType = UNSET
    input_audio_format: Literal["pcm16", "g711_ulaw", "g711_alaw"] | UnsetType = UNSET
    input_audio_sampling_rate: int | UnsetType | None = UNSET
    output_audio_format: str | UnsetType | None = UNSET
    turn_detection: TurnDetection | UnsetType | None = UNSET
    input_audio_transcription: _Transcription | UnsetType | None = UNSET
    input_audio_echo_cancellation: _EchoCancellation | UnsetType | None = UNSET
    tools: list[JsonObject] | UnsetType = UNSET
    tool_choice: str | JsonObject | UnsetType = UNSET
    temperature: float | UnsetType | None = UNSET
    max_response_output_tokens: int | str | UnsetType | None = UNSET
    output_audio_timestamp_types: list[Literal["word"]] | UnsetType | None = UNSET
    animation: _Animation | UnsetType | None = UNSET
    avatar: JsonObject | UnsetType | None = UNSET
    interim_response: JsonObject | UnsetType | None = UNSET
    metadata: dict[str, str] | UnsetType | None = UNSET


class Settings:
    """One session's object and its rules.

    Args:
        session_id: The session's id.
        model: As asked for in the URL.
        expires_at: Unix seconds.
    """

    def __init__(self, session_id: str, model: str, expires_at: int) -> None:
        self.model = model
        self.native = is_native(model)
        self.json: JsonObject = _defaults(session_id, model, expires_at, self.native)
        self._default_instructions: str = self.json["instructions"]

    def merge(self, update: JsonObject, *, voice_locked: bool, audio_begun: bool) -> None:
        """Change the named fields and no others, or none at all.

        Args:
            update: The ``session`` of a ``session.update``.
            voice_locked: Whether the assistant has spoken in this conversation.
            audio_begun: Whether sound of the user has arrived.

        Raises:
            Refusal: A value is of the wrong type or out of range, or may not change any more.
        """
        fields = convert(update, _Fields, "session")
        _refuse_unsupported(fields)
        _check_ranges(fields)
        changed = dict(update)
        for name in ("id", "object", "model", "expires_at"):
            changed.pop(name, None)
        if fields.model is not UNSET and fields.model not in {self.model, self.json["model"]}:
            raise Refusal("The model of a session cannot be changed.", "invalid_value", "session.model")
        if "voice" in changed:
            changed["voice"] = normal_voice(changed["voice"])
            if voice_locked and changed["voice"] != self.json["voice"]:
                text = "Cannot update a conversation's voice if assistant audio is present."
                raise Refusal(text, "cannot_update_voice", "session.voice")
        if self.native and changed.get("instructions") == "":
            changed["instructions"] = self._default_instructions
        if changed.get("turn_detection"):
            changed["turn_detection"] = self._whole_turn_detection(changed["turn_detection"])
        if changed.get("input_audio_echo_cancellation"):
            echo = {"reference_source": "server", "channels": 1, **changed["input_audio_echo_cancellation"]}
            changed["input_audio_echo_cancellation"] = echo
        if len(msgspec.json.encode(self.json | changed)) > _LARGEST:
            text = "The session is too large: all its fields together may hold 1 MiB of JSON."
            raise Refusal(text, "invalid_value", "session")
        self._settle_input_format(changed)
        if audio_begun and _channels(changed, self.json) != self.input_format.channels:
            text = "The echo reference cannot be changed after audio was sent."
            raise Refusal(text, "invalid_value", "session.input_audio_echo_cancellation")
        self.json.update(changed)

    def _settle_input_format(self, changed: JsonObject) -> None:
        """Bring the input's rate in line with its coding."""
        if "input_audio_format" not in changed and "input_audio_sampling_rate" not in changed:
            return
        coding: str = changed.get("input_audio_format") or self.json["input_audio_format"]
        rates = INPUT_RATES[coding]
        rate = changed.get("input_audio_sampling_rate")
        if rate is None:
            kept = self.json["input_audio_sampling_rate"]
            changed["input_audio_sampling_rate"] = kept if kept in rates else rates[0]
        elif rate not in rates:
            allowed = ", ".join(map(str, rates))
            text = f"Invalid value: {rate}. Supported values are: {allowed}."
            raise Refusal(text, "invalid_value", "session.input_audio_sampling_rate")

    def _whole_turn_detection(self, given: JsonObject) -> JsonObject | None:
        """``given`` and the defaults of everything it does not name (Voice Live: siblings are reset)."""
        if given["type"] == "none":
            return None
        whole: JsonObject = {"type": given["type"]}
        if given["type"] != "semantic_vad":
            plain = self.native and given["type"] == "server_vad"
            # Seen of the service: numbers from native models, nulls (meaning the defaults) from the others.
            whole |= {
                "threshold": 0.5 if plain else None,
                "prefix_padding_ms": 400 if plain else None,
                "silence_duration_ms": 500 if plain else None,
                "speech_duration_ms": None,
            }
        if given["type"].startswith("azure"):
            whole["remove_filler_words"] = False
        whole |= {"create_response": True, "interrupt_response": True, "auto_truncate": False}
        return whole | given

    @property
    def turn_detection(self) -> TurnDetection | None:
        """The turn detection in force, or None in push-to-talk."""
        given = self.json["turn_detection"]
        return None if given is None else convert(given, TurnDetection)

    @property
    def rules(self) -> Rules:
        """What turn detection means for the detector, with the service's defaults for nulls."""
        given = self.turn_detection or TurnDetection(type="server_vad")
        azure = given.type.startswith("azure")
        silence = {"low": 1200, "high": 300}.get(given.eagerness or "auto", 500)
        speech = _or(given.speech_duration_ms, 80 if azure else 200)
        if given.remove_filler_words:
            # Without a recogniser the one honest sign of a filler ("umm") is that it is short.
            speech = max(speech, 450)
        return Rules(
            threshold=_or(given.threshold, 0.5),
            prefix_padding_ms=_or(given.prefix_padding_ms, 420 if azure else 400),
            silence_duration_ms=_or(given.silence_duration_ms, silence),
            speech_duration_ms=speech,
        )

    @property
    def input_format(self) -> AudioFormat:
        """How the user's sound arrives."""
        coding: Coding = self.json["input_audio_format"]
        return AudioFormat(coding, self.json["input_audio_sampling_rate"], _channels(self.json, self.json))


def check_response(voice: Any, output_audio_format: Any, max_tokens: Any, where: str) -> None:
    """Whether the overrides of a response have values that can be carried out.

    Raises:
        Refusal: One has not.
    """
    if output_audio_format not in {None, UNSET, *OUTPUT_FORMATS}:
        allowed = ", ".join(OUTPUT_FORMATS)
        text = f"Invalid value: {output_audio_format!r}. Supported values are: {allowed}."
        raise Refusal(text, "invalid_value", f"{where}.output_audio_format")
    if max_tokens not in {None, UNSET, "inf"} and not (
        isinstance(max_tokens, int) and not isinstance(max_tokens, bool) and 1 <= max_tokens <= 4096
    ):
        name = "max_output_tokens" if where == "response" else "max_response_output_tokens"
        text = f"Invalid value: {max_tokens!r}. Expected an integer from 1 to 4096, or 'inf'."
        raise Refusal(text, "invalid_value", f"{where}.{name}")
    if isinstance(voice, dict) and not isinstance(voice.get("name", voice.get("type")), str):
        raise Refusal("Missing required parameter: 'voice.name'.", "missing_required_parameter", f"{where}.voice")


def check_tools(tools: list[JsonObject] | UnsetType, where: str) -> None:
    """Whether the tools are functions.

    Raises:
        Refusal: One is not, or has no name.
    """
    for index, tool in enumerate(tools or ()):
        if tool.get("type") != "function":
            raise Unsupported(f"tools of type {tool.get('type')!r}", f"{where}.tools[{index}]")
        if not isinstance(tool.get("name"), str) or not tool["name"]:
            place = f"{where}.tools[{index}].name"
            raise Refusal(f"Missing required parameter: '{place}'.", "missing_required_parameter", place)


def check_metadata(metadata: dict[str, str] | UnsetType | None, where: str) -> None:
    """Voice Live: at most 16 pairs, keys up to 64 characters, values up to 512.

    Raises:
        Refusal: It is larger.
    """
    pairs = metadata or {}
    if len(pairs) > 16 or any(len(key) > 64 or len(value) > 512 for key, value in pairs.items()):
        text = "Metadata may hold 16 pairs, with keys of 64 and values of 512 characters at most."
        raise Refusal(text, "invalid_value", f"{where}.metadata")


def normal_voice(voice: str | JsonObject) -> JsonObject:
    """A voice as the service reports it: always an object."""
    if isinstance(voice, dict):
        return voice
    return {"type": "azure-standard" if "-" in voice else "openai", "name": voice}


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _channels(changed: JsonObject, current: JsonObject) -> int:
    name = "input_audio_echo_cancellation"
    echo = changed[name] if name in changed else current[name]
    return 2 if echo and echo.get("reference_source") == "client" else 1


def _refuse_unsupported(fields: _Fields) -> None:
    if fields.avatar or (fields.modalities and "avatar" in fields.modalities):
        raise Unsupported("avatars", "session.avatar")
    if fields.interim_response:
        raise Unsupported("interim responses", "session.interim_response")
    if fields.animation and "blendshapes" in fields.animation.outputs:
        raise Unsupported("blend shapes", "session.animation.outputs")
    check_tools(fields.tools, "session")


def _check_ranges(fields: _Fields) -> None:
    check_response(fields.voice, fields.output_audio_format, fields.max_response_output_tokens, "session")
    check_metadata(fields.metadata, "session")
    if fields.modalities is not UNSET and "text" not in fields.modalities:
        text = "Invalid modalities: audio needs text with it. Supported: ['text'], ['text', 'audio']."
        raise Refusal(text, "invalid_value", "session.modalities")
    turns = fields.turn_detection
    if turns:
        for name in ("prefix_padding_ms", "silence_duration_ms", "speech_duration_ms"):
            value = getattr(turns, name)
            if value is not None and not 0 <= value <= 60_000:
                text = f"Invalid value: {value}. Expected 0 to 60000."
                raise Refusal(text, "invalid_value", f"session.turn_detection.{name}")
        if turns.threshold is not None and not 0 <= turns.threshold <= 1:
            text = f"Invalid value: {turns.threshold}. Expected 0 to 1."
            raise Refusal(text, "invalid_value", "session.turn_detection.threshold")
    echo = fields.input_audio_echo_cancellation
    if echo and (echo.reference_source, echo.channels) not in {("server", 1), ("client", 2)}:
        code = "invalid_ec_channels_requires_client"
        if echo.reference_source == "client":
            code = "invalid_ec_reference_channels"
        text = "The server's echo reference needs 1 channel, the client's 2."
        raise Refusal(text, code, "session.input_audio_echo_cancellation.channels")


def _defaults(session_id: str, model: str, expires_at: int, native: bool) -> JsonObject:
    """What ``session.created`` reports (Voice Live: recorded at api-version 2026-04-10)."""
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
    for name in (
        "input_audio_noise_reduction",
        "input_audio_echo_cancellation",
        "avatar",
        "animation",
        "output_audio_timestamp_types",
        "include",
        "interim_response",
        "metadata",
        "truncation_strategy",
        "greeting",
        "handoff",
    ):
        session[name] = None
    if not native:
        session["temperature"] = 1.0 if model.startswith("gpt-5") else 0.8
    if model.startswith("gpt-5"):
        session["reasoning_effort"] = "minimal"
    return session
