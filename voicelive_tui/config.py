"""Every setting, with its type, default and meaning: defaults, then the TOML file, then the environment, then flags.

The structures below are the reference: `config.toml.example` shows each key once (a test insists), and unknown or
ill-typed keys are errors that name the file, the key and what was expected. Settings are frozen.
"""

import codecs
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from msgspec import Meta, Struct, inspect

from voicelive_tui.endpoint import EndpointError, plain_endpoint, resource_path, shown

APP_NAME = "voicelive-tui"
DEFAULT_INSTRUCTIONS = (
    "You are a helpful AI assistant. Respond naturally and conversationally. Keep your responses concise but engaging."
)

Level = Literal["debug", "info", "warning", "error"]
TurnDetectionType = Literal[
    "server_vad", "azure_semantic_vad", "azure_semantic_vad_multilingual", "semantic_vad", "none"
]
Milliseconds = Annotated[int, Meta(ge=0, le=60_000)]


class ConfigError(Exception):
    """A setting that cannot be used; its text is one sentence for the user."""


class _Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
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


class Transcription(_Section, frozen=True):
    """Transcription of the user's words."""

    model: str = ""
    """Empty: whisper-1 for gpt-realtime models, azure-speech for all others; "none" switches it off."""
    language: str = ""
    """Such as "en-US"; empty: detected by the service."""


class Session(_Section, frozen=True):
    """What `session.update` asks for; the model goes into the URL only."""

    model: Annotated[str, Meta(min_length=1)] = "gpt-realtime"
    voice: Annotated[str, Meta(min_length=1)] = "en-US-Ava:DragonHDLatestNeural"
    """A name with a "-" is an Azure standard voice, any other an OpenAI voice."""
    instructions: str = DEFAULT_INSTRUCTIONS
    """The text itself, or @FILE to read it from a file."""
    modalities: Annotated[tuple[Literal["text", "audio"], ...], Meta(min_length=1)] = ("text", "audio")
    noise_reduction: Literal["azure_deep_noise_suppression", "near_field", "far_field", "none"] = (
        "azure_deep_noise_suppression"
    )
    echo_cancellation: bool = True
    """The service's own echo cancellation."""
    turn_detection: TurnDetection = TurnDetection()
    input_audio_transcription: Transcription = Transcription()


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


class Ui(_Section, frozen=True):
    """The dashboard."""

    theme: str = ""
    """voicelive-dark, voicelive-light, or any of Textual's; ansi-dark and ansi-light use the terminal's colours.

    Empty: voicelive-dark, or ansi-dark where lean, because its colours take a third fewer bytes.
    """
    lean: bool = False
    """Draw less often, and in the terminal's own colours: for slow lines."""
    mouse: bool = True


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
    ui: Ui = Ui()
    logging: Logging = Logging()
    keys: dict[str, str] = {}
    """Keys by binding id, such as "mute" = "f2"."""


ENVIRONMENT = {
    "AZURE_VOICELIVE_ENDPOINT": "service.endpoint",
    "AZURE_VOICELIVE_API_KEY": "service.api_key",
    "AZURE_VOICELIVE_MODEL": "session.model",
    "AZURE_VOICELIVE_VOICE": "session.voice",
    "AZURE_VOICELIVE_INSTRUCTIONS": "session.instructions",
}
"""Environment variables and the keys they set; an empty variable counts as none."""


def default_path() -> Path:
    """The configuration file that is read when `--config` names none; it need not exist."""
    import platformdirs  # noqa: PLC0415 - not needed for --help

    return Path(platformdirs.user_config_dir(APP_NAME, appauthor=False)) / "config.toml"


def load(
    path: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] = os.environ,
    report: Callable[[str], None] = lambda _: None,
) -> Settings:
    """The settings in force.

    Args:
        path: The file named by the user; it must exist. None: the default one, if it is there.
        flags: Values by dotted key (`"session.model"`), which win over everything else.
        environment: See `ENVIRONMENT`.
        report: Gets a sentence for each value that was understood otherwise than written.

    Raises:
        ConfigError: A file that cannot be read, or a key or value that cannot be used.
    """
    settings = _read_file(path or default_path(), may_be_missing=path is None)
    from_environment = {key: environment[name] for name, key in ENVIRONMENT.items() if environment.get(name)}
    for origin, values in (("environment", from_environment), ("command line", flags or {})):
        tree: dict[str, Any] = msgspec.to_builtins(settings)
        for key, value in values.items():
            *sections, leaf = key.split(".")
            branch = tree
            for section in sections:
                branch = branch.setdefault(section, {})
            branch[leaf] = value
        settings = _convert(tree, origin)
    settings = _with_endpoint(settings, report)
    instructions = _text_of(settings.session.instructions)
    return msgspec.structs.replace(
        settings, session=msgspec.structs.replace(settings.session, instructions=instructions)
    )


def _with_endpoint(settings: Settings, report: Callable[[str], None]) -> Settings:
    """The settings with what a pasted URL says besides the resource: the model and the API version in its query.

    Raises:
        ConfigError: The URL and the settings contradict each other, or the URL holds a key.
    """
    service, session = settings.service, settings.session
    if not service.endpoint:
        return settings
    parts = urlsplit(service.endpoint)
    path, cut = resource_path(parts.path)
    if cut:
        report(f"of the endpoint's path only the resource is used; left out: {cut}")
    query = parse_qsl(parts.query, keep_blank_values=True)
    rest: list[tuple[str, str]] = []
    for name, value in query:
        if name.lower() in ("api-key", "authorization"):
            raise ConfigError("the endpoint must not hold a key: give it by AZURE_VOICELIVE_API_KEY")
        if name not in ("model", "api-version"):
            rest.append((name, value))
            continue
        key, now, default = (
            ("session.model", session.model, Session().model)
            if name == "model"
            else ("service.api_version", service.api_version, Service().api_version)
        )
        if now not in (value, default):
            raise ConfigError(f"the endpoint's query says {name}={value!r}, but {key} is {now!r}: give one of them")
        if name == "model":
            session = msgspec.structs.replace(session, model=value or default)
        else:
            service = msgspec.structs.replace(service, api_version=value or default)
        report(f"{key} = {value!r} is taken from the endpoint's query")
    endpoint = parts._replace(path=path, query=urlencode(rest), fragment="").geturl()
    return msgspec.structs.replace(
        settings, service=msgspec.structs.replace(service, endpoint=endpoint), session=session
    )


def _unquoted(value: str) -> str:
    """A value without the spaces, line ends and quotes that copying brings along."""
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1].strip()
    return value


def _read_file(path: Path, *, may_be_missing: bool) -> Settings:
    try:
        raw = path.expanduser().read_bytes()
        utf16 = raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # some editors' "Unicode"
        tree = tomllib.loads(raw.decode("utf-16" if utf16 else "utf-8-sig"))
    except OSError as problem:
        if may_be_missing and isinstance(problem, FileNotFoundError | NotADirectoryError):
            return Settings()
        raise ConfigError(f"{path}: cannot be read: {problem.strerror or problem}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not a text file in UTF-8") from None
    except tomllib.TOMLDecodeError as problem:
        raise ConfigError(f"{path}: not valid TOML: {problem}") from None
    except (ValueError, RecursionError):  # a number of thousands of digits; tables in tables in tables
        raise ConfigError(f"{path}: not valid TOML: a number is too long, or the nesting too deep") from None
    except RuntimeError as problem:  # "~" of an unknown user
        raise ConfigError(f"{path}: cannot be read: {problem}") from None
    return _convert(tree, str(path))


def _convert(tree: Mapping[str, Any], origin: str) -> Settings:
    try:
        settings = msgspec.convert(tree, Settings)
    except msgspec.ValidationError as problem:
        raise ConfigError(f"{origin}: {_sentence(str(problem), tree)}") from None
    service, session = settings.service, settings.session
    plain = {
        "service.api_key": _unquoted(service.api_key),
        "service.api_version": _unquoted(service.api_version),
        "session.model": _unquoted(session.model),
        "session.voice": _unquoted(session.voice),
    }
    for key, value in plain.items():  # they travel in a header, a URL or a frame
        if not value.isprintable():
            raise ConfigError(f"{origin}: {key}: expected printable characters only")
    try:
        endpoint = plain_endpoint(_unquoted(service.endpoint)) if _unquoted(service.endpoint) else ""
    except EndpointError as problem:
        raise ConfigError(f"{origin}: service.endpoint: {problem}") from None
    service = msgspec.structs.replace(
        service, endpoint=endpoint, api_key=plain["service.api_key"], api_version=plain["service.api_version"]
    )
    session = msgspec.structs.replace(
        session, model=plain["session.model"] or Session().model, voice=plain["session.voice"] or Session().voice
    )
    return msgspec.structs.replace(settings, service=service, session=session)


def _sentence(problem: str, tree: Mapping[str, Any]) -> str:
    """Msgspec's message as "key: what was expected". It shows types and limits, never a value that may be secret."""
    what, _, where = problem.partition(" - at `")
    key = where.removesuffix("`").removeprefix("key in `").removeprefix("$").lstrip(".")
    kind = _type_of(key)
    key = _named(key, tree)
    if "unknown field" in what and isinstance(kind, inspect.StructType):
        name = what.split("`")[1]
        known = ", ".join(field.encode_name for field in kind.fields)
        return f"unknown key {f'{key}.' if key else ''}{name} (known here: {known})"
    options = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    words = [repr(value) for option in options if isinstance(option, inspect.LiteralType) for value in option.values]
    if words and "enum" in what:
        more = " or a number" if any(isinstance(option, inspect.FloatType) for option in options) else ""
        return f"{key}: expected {', '.join(words)}{more}"
    what = what[0].lower() + what[1:].replace("`", "")
    return f"{key}: {what}" if key else what


def _named(key: str, tree: Mapping[str, Any]) -> str:
    """A key with the name of the table entry that msgspec writes as "[...]"."""
    table, found, _ = key.partition("[...]")
    if not found:
        return key
    entries: Any = tree
    for name in table.split("."):
        entries = entries[name]
    kind: Any = str if table == "keys" else Level
    for name, value in entries.items():
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            return f"{table}.{name}".replace("`", "'")
    return table


def _type_of(key: str) -> inspect.Type:
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


def _text_of(text: str) -> str:
    """The text, or that of the file it names with "@"."""
    if not text.startswith("@"):
        return text
    name = text[1:]
    try:
        return Path(name).expanduser().read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        reason = "not a text file in UTF-8"
    except OSError as problem:
        reason = problem.strerror or str(problem)
    except (ValueError, RuntimeError) as problem:  # a null character; the home of a user who does not exist
        reason = str(problem)
    raise ConfigError(f"session.instructions: the file {name!r} cannot be read: {reason}")
