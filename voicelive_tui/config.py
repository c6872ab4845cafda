"""Every setting, with its type, default and meaning.

The structures below are the reference: `config.toml.example` shows each key once (a test insists). Settings are frozen.
`config_load.py` reads them from the file, a profile, the environment and flags.
"""

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct, inspect

from voicelive_tui.endpoint import shown
from voicelive_tui.errors import UserError

APP_NAME = "voicelive-tui"
DEFAULT_INSTRUCTIONS = (
    "You are a helpful AI assistant. Respond naturally and conversationally. Keep your responses concise but engaging."
)

Level = Literal["debug", "info", "warning", "error"]
TurnDetectionType = Literal[
    "server_vad", "azure_semantic_vad", "azure_semantic_vad_multilingual", "semantic_vad", "none"
]
Milliseconds = Annotated[int, Meta(ge=0, le=60_000)]
Seconds = Annotated[float, Meta(gt=0, le=600)]
Unset = Literal[""]
"""The service's default."""
Approval = Literal["ask", "always", "never"]


class ConfigError(UserError):
    """A setting that cannot be used."""


class _Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Common behaviour of all sections."""


class Service(_Section, frozen=True):
    """Endpoint and credentials."""

    endpoint: str = ""
    """http, https, ws or wss; with or without a path. Empty: the demo."""
    api_version: str = "2026-07-15"
    api_key: str = ""
    """Better kept in the environment (AZURE_VOICELIVE_API_KEY)."""
    use_token_credential: bool = False
    """Sign in with Entra ID (azure-identity's DefaultAzureCredential) instead of a key."""
    insecure: bool = False
    """Allow a key or token to go to a plain http or ws endpoint that is not this machine."""
    reconnect: bool = True
    """Connect again by itself after a session was lost."""
    rotate_before: Annotated[float, Meta(ge=0, le=1800)] = 120
    """Seconds before a session's end from which on a new one takes over, in a quiet moment; at the latest an eighth of
    them before. 0, or without `reconnect`: never."""

    def __rich_repr__(self) -> list[tuple[str, str]]:
        hidden = "<hidden>" if self.api_key else ""
        return [("endpoint", shown(self.endpoint)[1:-1]), ("api_version", self.api_version), ("api_key", hidden)]

    def __repr__(self) -> str:
        return f"Service({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"


class TurnDetection(_Section, frozen=True):
    """How the service finds the end of a turn. Always sent whole: a partial block resets its siblings."""

    type: TurnDetectionType = "server_vad"
    """`none` is push-to-talk."""
    threshold: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.5
    prefix_padding_ms: Milliseconds = 300
    silence_duration_ms: Milliseconds = 500
    create_response: bool = True
    interrupt_response: bool = True
    auto_truncate: bool = False
    """Let the service truncate by its own guess; false: we truncate by what was really heard."""
    speech_duration_ms: Milliseconds | Unset = ""
    """Of speech before a turn begins."""
    remove_filler_words: bool = False
    """Azure's types: "umm" does not interrupt."""
    languages: tuple[str, ...] = ()
    """Azure's types."""
    end_of_utterance_model: Literal[
        "", "semantic_detection_v1", "semantic_detection_v1_en", "semantic_detection_v1_multilingual"
    ] = ""
    """Waits where a sentence is not finished; refused by models that take audio directly."""
    eagerness: Literal["", "auto", "low", "medium", "high"] = ""
    """Of `semantic_vad`."""


class BargeIn(_Section, frozen=True):
    """What this client does when you speak over the assistant, besides silence at the speaker."""

    cancel: Literal["auto", "always", "never"] = "auto"
    """Send `response.cancel`; `auto`: only where the service does not interrupt by itself. Keys cancel in any case."""
    clear: bool = False
    """Send `input_audio.clear`, as some samples do: it can erase the words that interrupt."""
    truncate: bool = True
    """Report how much of the answer was heard, unless the service truncates."""


class Transcription(_Section, frozen=True):
    """Transcription of the user's words."""

    model: str = ""
    """Empty: whisper-1 for gpt-realtime models, azure-speech for all others; "none" switches it off."""
    language: str = ""
    """Such as "en-US"; empty: detected by the service."""
    phrase_list: Annotated[tuple[str, ...], Meta(max_length=499)] = ()
    """Names and terms to expect; azure-speech."""


class InterimResponse(_Section, frozen=True):
    """The response while an answer or a tool takes long; only by cascaded models with an Azure voice, and agents."""

    type: Literal["none", "llm", "static"] = "none"
    triggers: Annotated[tuple[Literal["latency", "tool"], ...], Meta(min_length=1)] = ("latency",)
    latency_threshold_ms: Milliseconds = 2000
    texts: tuple[str, ...] = ()
    """Of `static`: the service says one of them."""
    model: str = ""
    """Of `llm`: it writes the words."""
    instructions: str = ""
    """Of `llm`."""
    max_completion_tokens: Annotated[int, Meta(ge=1, le=4096)] | Unset = ""
    """Of `llm`."""


class Session(_Section, frozen=True):
    """What `session.update` asks for; the model goes into the URL only."""

    model: Annotated[str, Meta(min_length=1)] = "gpt-realtime"
    voice: Annotated[str, Meta(min_length=1)] = "en-US-Ava:DragonHDLatestNeural"
    """A name with a "-" is an Azure standard voice, any other an OpenAI voice, or one of azure-realtime's own."""
    voice_rate: str = ""
    """Of Azure voices: "1.2", "+20%" or "fast"."""
    voice_temperature: Annotated[float, Meta(ge=0, le=1)] | Unset = ""
    """Of Azure's HD voices."""
    speed: Annotated[float, Meta(ge=0.25, le=1.5)] | Unset = ""
    """Of OpenAI voices; Voice Live's reference does not have it."""
    instructions: str = DEFAULT_INSTRUCTIONS
    """The text itself, or @FILE to read it from a file."""
    modalities: Annotated[tuple[Literal["text", "audio"], ...], Meta(min_length=1)] = ("text", "audio")
    noise_reduction: Literal["azure_deep_noise_suppression", "near_field", "far_field", "none"] = (
        "azure_deep_noise_suppression"
    )
    echo_cancellation: bool = True
    """The service's own echo cancellation."""
    temperature: Annotated[float, Meta(ge=0, le=1.2)] | Unset = ""
    """Of the model; the documentation says 0.6 to 1.2, the SDK 0 to 1."""
    max_response_output_tokens: Annotated[int, Meta(ge=1, le=4096)] | Literal["inf", ""] = ""
    tool_choice: str = ""
    """auto, none, required, or the name of a function."""
    push_to_talk: Literal["buffer", "turns"] = "buffer"
    """`turns` is experimental: the SDK's `input_audio.turn` events, which the service's reference does not have."""
    turn_detection: TurnDetection = TurnDetection()
    barge_in: BargeIn = BargeIn()
    input_audio_transcription: Transcription = Transcription()
    interim_response: InterimResponse = InterimResponse()


class Agent(_Section, frozen=True):
    """A Foundry agent to talk to, in place of a model; it needs Entra ID."""

    name: str = ""
    """Empty: a model answers."""
    project: str = ""
    """The Foundry project of the agent."""
    version: str = ""
    """Empty: the latest."""
    conversation: str = ""
    """Id of a conversation to continue."""


class Mcp(_Section, frozen=True):
    """An MCP server. The service calls it, not this program."""

    label: Annotated[str, Meta(min_length=1, max_length=64)]
    url: str
    allowed_tools: tuple[str, ...] = ()
    """Empty: all that it has."""
    require_approval: Literal["always", "never"] | dict[Literal["always", "never"], tuple[str, ...]] = "always"
    """Whether the service asks before it calls a tool, or for which tools; it asks for those in neither list."""
    approve: Approval | dict[str, Approval] = "ask"
    """The answer when the service asks: that of the user, or always the same; for all tools, or by tool."""
    headers: dict[str, str] = {}
    """Environment variables by the header of the server's requests that gets their value."""


class Audio(_Section, frozen=True):
    """Sound devices."""

    input_device: str | int = ""
    """Index, (part of a) name, "none", or "file:PATH.wav"; empty: the system's default."""
    output_device: str | int = ""
    """As `input_device`; a file receives what the speaker would have played."""
    output_latency: Literal["low"] | Annotated[float, Meta(gt=0, le=1)] = "low"
    """"low", or seconds up to 1."""
    chunk_ms: Annotated[int, Meta(ge=20, le=100)] = 40
    """Sound per `input_audio_buffer.append`."""
    half_duplex: bool = False
    """Send silence while the assistant is heard: no echo, and no interrupting by voice."""


class Function(_Section, frozen=True):
    """How calls of one function are handled."""

    policy: Literal["auto", "ask", "stub", "fail"] = "auto"
    """Run it at once, run it when the user approves, answer with `answer`, or fail with `error`."""
    answer: str = ""
    """The output of a stub, or @FILE to read it from a file."""
    error: str = "the service is not available"
    """The error for the model when the function is to fail."""
    delay: Annotated[float, Meta(ge=0, le=600)] = 0.0
    """Seconds before it is run or answered."""
    timeout: Seconds | Unset = ""
    """Seconds; empty: that of all tools."""


class Tools(_Section, frozen=True):
    """Functions that the model can call."""

    load: tuple[str, ...] = ()
    """FILE.py or package.module, perhaps with ":name,name" for some of its functions. Importing a file runs it."""
    timeout: Seconds = 20.0
    """Seconds for a call; then the model gets an error."""
    parallel: bool = True
    """Let the model call several at once."""
    functions: dict[str, Function] = {}
    """By name."""


class Ui(_Section, frozen=True):
    """The dashboard."""

    theme: str = ""
    """voicelive-dark, voicelive-light, or any of Textual's; ansi-dark and ansi-light use the terminal's colours.

    Empty: voicelive-dark, or ansi-dark where lean, because its colours take a third fewer bytes.
    """
    lean: bool = False
    """Draw less often, and in the terminal's own colours: for slow lines."""
    mouse: bool = True
    slow_delays: tuple[Seconds, Seconds] = (1.5, 3.0)
    """Seconds from which on the delay of an answer is a warning, and an alarm."""

    def __post_init__(self) -> None:
        if self.slow_delays[0] > self.slow_delays[1]:
            raise ValueError("expected the shorter one of `slow_delays` first")


class Recording(_Section, frozen=True):
    """The flight recorder, which keeps the last ten minutes for the key that saves them."""

    enabled: bool = True
    folder: str = ""
    """Record every conversation into this folder from its start. Empty: only what a key keeps, in the data folder."""
    format: Literal["wav", "flac"] = "wav"
    """Of the sound of a recording once it has ended. FLAC needs the extra `record`."""
    device_names: bool = False
    """Let recordings name sound devices and sound files."""
    host_names: bool = True
    """Let recordings name the hosts of the service and of MCP servers."""


class Logging(_Section, frozen=True):
    """Where log records go, and from which level on."""

    level: Level = "info"
    file: str = ""
    """Empty: the user's state folder. The file is rotated."""
    levels: dict[str, Level] = {}
    """Levels by logger name, such as "azure.ai.voicelive" = "debug"."""


class Settings(_Section, frozen=True):
    """All sections."""

    service: Service = Service()
    session: Session = Session()
    audio: Audio = Audio()
    tools: Tools = Tools()
    ui: Ui = Ui()
    recording: Recording = Recording()
    logging: Logging = Logging()
    agent: Agent = Agent()
    mcp: tuple[Mcp, ...] = ()
    keys: dict[str, str] = {}
    """Keys by binding id, such as "mute" = "f2"."""


def type_of(key: str) -> inspect.Type:
    """What msgspec knows of the type of a dotted key; of the last part that exists, if not all of it does."""
    kind: inspect.Type = inspect.type_info(Settings)
    for name in filter(None, re.sub(r"\[.*?\]", ".*", key).split(".")):
        if isinstance(kind, inspect.StructType):
            kind = next((field.type for field in kind.fields if field.encode_name == name), kind)
        elif isinstance(kind, inspect.DictType):
            kind = kind.value_type
        elif isinstance(kind, inspect.VarTupleType):
            kind = kind.item_type
        while isinstance(kind, inspect.Metadata):
            kind = kind.type
    return kind
