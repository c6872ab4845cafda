"""The session object: what a new session reports, what an update may change, and how the service reads it.

The object is kept as plain JSON, so that unknown fields are stored and echoed, as the service does. `Settings.merge`
is its only writer; the structs below give the types and ranges of the known fields.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from voicelive_tui.loopback import models
from voicelive_tui.loopback import protocol as p
from voicelive_tui.loopback.conversation import Item, Tokens, text_tokens
from voicelive_tui.loopback.formats import INPUT_RATES, OUTPUT_FORMATS, AudioFormat, Coding, OutputFormat
from voicelive_tui.loopback.protocol import JsonObject, MaxTokens, Metadata, Refusal, ResponseParams
from voicelive_tui.loopback.vad import Rules

T = TypeVar("T")

_MAX_SESSION_BYTES = 1024 * 1024  # of JSON: every update is answered with the whole of it
_FIXED = ("id", "object", "expires_at")
_NULL_MEANS_OFF = frozenset(
    ("turn_detection", "input_audio_transcription", "input_audio_noise_reduction", "input_audio_echo_cancellation")
)


_Milliseconds = Annotated[int, Meta(ge=0, le=60_000)]


class TurnDetection(Struct):
    """The known fields of `turn_detection`."""

    type: Literal[
        "server_vad", "azure_semantic_vad", "azure_semantic_vad_en", "azure_semantic_vad_multilingual",
        "semantic_vad", "none",
    ]  # fmt: skip
    threshold: Annotated[float, Meta(ge=0, le=1)] | None = None
    prefix_padding_ms: _Milliseconds | None = None
    silence_duration_ms: _Milliseconds | None = None
    speech_duration_ms: _Milliseconds | None = None
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


class Interim(Struct):
    """The interim response while an answer or a call takes long; the names are the SDK's and the reference's."""

    type: Literal[
        "static_interim_response", "llm_interim_response", "static-interim-response", "llm-interim-response"
    ]  # fmt: skip
    triggers: tuple[Literal["latency", "tool"], ...] = ("latency",)
    latency_threshold_ms: _Milliseconds = 2000
    texts: tuple[str, ...] = ()


class _Animation(Struct):
    outputs: list[Literal["blendshapes", "viseme_id"]] = []


class _Update(Struct):
    """The known fields of a `session.update`, for their types and ranges only."""

    model: str | UnsetType = UNSET
    modalities: list[Literal["text", "audio", "animation", "avatar"]] | UnsetType = UNSET
    instructions: str | UnsetType = UNSET
    voice: str | JsonObject | UnsetType = UNSET
    input_audio_format: Coding | UnsetType = UNSET
    input_audio_sampling_rate: int | UnsetType = UNSET
    output_audio_format: OutputFormat | UnsetType = UNSET
    turn_detection: TurnDetection | UnsetType | None = UNSET
    input_audio_transcription: _Transcription | UnsetType | None = UNSET
    input_audio_echo_cancellation: _EchoCancellation | UnsetType | None = UNSET
    tools: list[JsonObject] | UnsetType = UNSET
    tool_choice: str | JsonObject | UnsetType = UNSET
    temperature: float | UnsetType = UNSET
    max_response_output_tokens: MaxTokens | UnsetType = UNSET
    output_audio_timestamp_types: list[Literal["word"]] | UnsetType = UNSET
    animation: _Animation | UnsetType = UNSET
    avatar: JsonObject | UnsetType = UNSET
    interim_response: Interim | UnsetType = UNSET
    metadata: Metadata | UnsetType = UNSET


def without_nulls(fields: JsonObject, kind: type[Struct]) -> JsonObject:
    """The fields without the nulls in fields of `kind`: clients write null for "not set".

    The four fields in which Voice Live reads null as "off" keep it, and so do unknown fields, which are echoed.
    """
    optional = set(kind.__struct_fields__) - _NULL_MEANS_OFF
    return {name: value for name, value in fields.items() if value is not None or name not in optional}


class ResponseConfig(Struct, frozen=True):
    """The settings of one response: the session's, overridden by `response.create`."""

    native: bool
    modalities: tuple[str, ...]
    voice: JsonObject
    output_audio_format: OutputFormat
    conversation_id: str
    """As the protocol shows it: empty with cascades and for uncommitted responses."""
    tools: list[JsonObject]
    tool_choice: Any
    temperature: float | None
    max_tokens: int | None
    """The output limit; None for none."""
    metadata: dict[str, str] | None
    commit: bool
    """Whether the output becomes part of the conversation."""
    interim: Interim | None
    timestamps: bool
    visemes: bool
    parallel_calls: bool

    @property
    def fmt(self) -> AudioFormat:
        return OUTPUT_FORMATS[self.output_audio_format]

    @property
    def speaker(self) -> str:
        return str(self.voice.get("name") or self.voice.get("type"))

    @property
    def spoken(self) -> bool:
        return "audio" in self.modalities


class Settings:
    """One session's object and its rules; `expires_at` is in Unix seconds."""

    def __init__(
        self, session_id: str, model: str, expires_at: int, agent: str = "", conversation_id: str = ""
    ) -> None:
        self.model = model
        self.native = models.is_native(model)
        self.json: JsonObject = models.session_defaults(session_id, model, expires_at)
        if agent:
            about = {"type": "agent", "name": agent, "description": None}
            conversation_id = conversation_id or p.new_id("conv")
            self.json["agent"] = about | {"agent_id": p.new_id("asst"), "thread_id": conversation_id}
        self.conversation_id = conversation_id or (p.new_id("conv") if self.native else "")
        self._default_instructions: str = self.json["instructions"]

    def merge(self, update: JsonObject, *, voice_locked: bool, audio_begun: bool) -> None:
        """Change the fields that a `session.update` names, all of them or none.

        Raises:
            Refusal: A value has the wrong type, is out of range, or may not change after the assistant has spoken
                (`voice_locked`) or user audio has arrived (`audio_begun`).
        """
        changed = without_nulls(update, _Update)
        fields = p.convert(changed, _Update, "session")
        _check(fields)
        if fields.model is not UNSET:
            raise Refusal("The model of a session cannot be set by an update.", "invalid_value", "session.model")
        for name in _FIXED:
            changed.pop(name, None)
        if self.native:
            changed.pop("interim_response", None)
        if "voice" in changed:
            changed["voice"] = models.voice_object(changed["voice"], self.model)
            if voice_locked and changed["voice"] != self.json["voice"]:
                text = "Cannot update a conversation's voice if assistant audio is present."
                raise Refusal(text, "cannot_update_voice", "session.voice")
        models.refuse_for_model(changed, self.model)
        if self.native and changed.get("instructions") == "":
            changed["instructions"] = self._default_instructions
        if changed.get("turn_detection"):
            changed["turn_detection"] = models.whole_turn_detection(changed["turn_detection"], self.model)
        if changed.get("input_audio_transcription"):
            changed["input_audio_transcription"] = models.whole_transcription(changed["input_audio_transcription"])
        if changed.get("input_audio_echo_cancellation"):
            echo = {"reference_source": "server", "channels": 1, **changed["input_audio_echo_cancellation"]}
            changed["input_audio_echo_cancellation"] = echo
        if len(msgspec.json.encode(self.json | changed)) > _MAX_SESSION_BYTES:
            text = "The session is too large: all its fields together may hold 1 MiB of JSON."
            raise Refusal(text, "invalid_value", "session")
        self._settle_input_rate(changed)
        if audio_begun and _channels(self.json | changed) != self.input_format.channels:
            text = "The echo reference cannot be changed after audio was sent."
            raise Refusal(text, "invalid_value", "session.input_audio_echo_cancellation")
        self.json.update(changed)

    def _settle_input_rate(self, changed: JsonObject) -> None:
        """Bring the input's rate in line with its coding."""
        if "input_audio_format" not in changed and "input_audio_sampling_rate" not in changed:
            return
        coding: Coding = changed.get("input_audio_format") or self.json["input_audio_format"]
        rates = INPUT_RATES[coding]
        rate = changed.get("input_audio_sampling_rate")
        if rate is None:
            kept = self.json["input_audio_sampling_rate"]
            changed["input_audio_sampling_rate"] = kept if kept in rates else rates[0]
        elif rate not in rates:
            raise p.unknown_value(rate, rates, "session.input_audio_sampling_rate")

    @property
    def turn_detection(self) -> TurnDetection | None:
        """The turn detection in force, or None in push-to-talk."""
        given = self.json["turn_detection"]
        return None if given is None else p.convert(given, TurnDetection)

    @property
    def rules(self) -> Rules:
        """The detector's rules, with the service's defaults for nulls."""
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
        coding: Coding = self.json["input_audio_format"]
        return AudioFormat(coding, self.json["input_audio_sampling_rate"], _channels(self.json))

    def for_response(self, params: ResponseParams) -> ResponseConfig:
        """The configuration of one response."""
        session = self.json
        if params.tools is not UNSET:
            p.check_tools(params.tools, "response")
        interim = without_nulls(_set_or(params.interim_response, session.get("interim_response")) or {}, Interim)
        if interim and self.native:
            raise no_interim(self.model, "response")
        if params.invoke_input is not UNSET:
            raise p.unsupported("hosted agents", "response.invoke_input")
        voice = session["voice"]
        if params.voice is not UNSET:
            voice = models.voice_object(params.voice, self.model, "response")
        azure = str(voice.get("type", "")).startswith("azure")
        limit = _set_or(params.max_output_tokens, session["max_response_output_tokens"])
        return ResponseConfig(
            native=self.native,
            modalities=("text", "audio") if "audio" in _set_or(params.modalities, session["modalities"]) else ("text",),
            voice=voice,
            output_audio_format=_set_or(params.output_audio_format, session["output_audio_format"]),
            conversation_id=self.conversation_id if params.commit else "",
            tools=_set_or(params.tools, session["tools"]),
            tool_choice=_set_or(params.tool_choice, session["tool_choice"]),
            temperature=None if self.native else _set_or(params.temperature, session.get("temperature")),
            max_tokens=None if limit == "inf" else limit,
            metadata=_set_or(params.metadata, None),
            commit=params.commit,
            interim=p.convert(interim, Interim, "response.interim_response") if interim else None,
            timestamps=azure and "word" in (session["output_audio_timestamp_types"] or ()),
            visemes=azure and "viseme_id" in ((session["animation"] or {}).get("outputs") or ()),
            parallel_calls=session.get("parallel_tool_calls") is not False,
        )

    def context_tokens(self, params: ResponseParams, items: Sequence[Item]) -> Tokens:
        """The model's input: the instructions and the items."""
        instructions = _set_or(params.instructions, self.json["instructions"])
        return sum((item.tokens for item in items), Tokens(text_tokens(instructions)))


def no_interim(model: str, where: str) -> Refusal:
    """The refusal of an interim response by a native model; in a session it does not affect the other fields."""
    text = f"The model '{model}' does not support an interim response."
    return Refusal(text, "invalid_value", f"{where}.interim_response")


def _or(value: T | None, default: T) -> T:
    return default if value is None else value


def _set_or(value: Any, default: Any) -> Any:
    return default if value is UNSET else value


def _channels(session: JsonObject) -> int:
    echo = session["input_audio_echo_cancellation"]
    return 2 if echo and echo.get("reference_source") == "client" else 1


def _check(fields: _Update) -> None:
    """Check what types and ranges do not express."""
    if fields.avatar or (fields.modalities and "avatar" in fields.modalities):
        raise p.unsupported("avatars", "session.avatar")
    if fields.animation and "blendshapes" in fields.animation.outputs:
        raise p.unsupported("blend shapes", "session.animation.outputs")
    if fields.tools:
        p.check_tools(fields.tools, "session")
    if fields.modalities is not UNSET and "text" not in fields.modalities:
        text = "Invalid modalities: audio needs text with it. Supported: ['text'], ['text', 'audio']."
        raise Refusal(text, "invalid_value", "session.modalities")
    echo = fields.input_audio_echo_cancellation
    if echo and (echo.reference_source, echo.channels) not in {("server", 1), ("client", 2)}:
        client = echo.reference_source == "client"
        raise Refusal(
            "The server's echo reference needs 1 channel, the client's 2.",
            "invalid_ec_reference_channels" if client else "invalid_ec_channels_requires_client",
            "session.input_audio_echo_cancellation.channels",
        )
