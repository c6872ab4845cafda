"""The settings in force: defaults, then the TOML file, then a profile in it, then the environment, then flags.

Unknown or ill-typed keys are errors that name the origin, the key and what was expected.
"""

import codecs
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from msgspec import inspect
from msgspec.structs import replace

from voicelive_tui.config import APP_NAME, Approval, ConfigError, Level, Service, Session, Settings, type_of
from voicelive_tui.endpoint import EndpointError, plain_endpoint, resource_path, shown
from voicelive_tui.tables import Table, merged, nested, values_of

ENVIRONMENT = {
    "AZURE_VOICELIVE_ENDPOINT": "service.endpoint",
    "AZURE_VOICELIVE_API_KEY": "service.api_key",
    "AZURE_VOICELIVE_MODEL": "session.model",
    "AZURE_VOICELIVE_VOICE": "session.voice",
    "AZURE_VOICELIVE_INSTRUCTIONS": "session.instructions",
}
"""Environment variables and the keys they set; an empty variable counts as none."""


class Loaded(NamedTuple):
    """Settings, and where they came from."""

    settings: Settings
    sources: Mapping[str, str]
    """By dotted key: "file", "profile NAME", "environment VARIABLE" or "flag"; keys with their default are missing."""
    path: Path
    found: bool
    """There is a file at `path`."""
    profiles: tuple[str, ...]
    """Names of the profiles in the file."""
    profile: str
    """The one in use, or ""."""
    overridden: tuple[str, ...]
    """Keys of it for which the environment or a flag is stronger."""


def default_path() -> Path:
    """The configuration file that is read when `--config` names none; it need not exist."""
    import platformdirs  # noqa: PLC0415 - not needed for --help

    return Path(platformdirs.user_config_dir(APP_NAME, appauthor=False)) / "config.toml"


def load(
    path: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] = os.environ,
    report: Callable[[str], None] = lambda _: None,
    profile: str = "",
) -> Loaded:
    """Load the settings.

    Args:
        path: The file named by the user; it must exist. None: the default one, if it is there.
        flags: Values by dotted key (`"session.model"`), which win over everything else.
        environment: See `ENVIRONMENT`.
        report: Gets a sentence for each value that was understood otherwise than written.
        profile: Name of the `[profiles.NAME]` whose values win over the rest of the file.

    Raises:
        ConfigError: A file that cannot be read, a profile that is not in it, or a key or value that cannot be used.
    """
    place = path or default_path()
    file = _read_file(place, may_be_missing=path is None)
    tree = file or {}
    profiles = tree.pop("profiles", {})
    settings = _convert(tree, str(place), "profiles")
    _validate_profiles(profiles, tree, str(place))
    layers: list[tuple[str, str, Table]] = []
    if profile:
        if profile not in profiles:
            known = ", ".join(profiles) or "none"
            raise ConfigError(f"{place}: there is no profile {profile!r} (known here: {known})")
        layers.append((f"profile {profile}", f"{place}: profile {profile!r}", profiles[profile]))
    for name, key in ENVIRONMENT.items():
        if environment.get(name):
            layers.append((f"environment {name}", "environment", nested(key, environment[name])))
    layers += [("flag", "command line", nested(key, value)) for key, value in (flags or {}).items()]
    sources = dict.fromkeys(dict(values_of(tree)), "file")
    for source, origin, values in layers:
        tree = merged(tree, values)
        sources |= dict.fromkeys(dict(values_of(values)), source)
        settings = _convert(tree, origin)
    if bool(settings.agent.name) != bool(settings.agent.project):
        raise ConfigError("an agent has a name and a project: give both (--agent NAME --project NAME)")
    if settings.service.endpoint:
        for key, value in _from_endpoint(settings, report).items():
            tree = merged(tree, nested(key, value))
            if key != "service.endpoint":
                sources[key] = f"{sources['service.endpoint']}, in the endpoint's query"
        settings = _convert(tree, "the endpoint's query")
    instructions = _text_of(settings.session.instructions)
    settings = replace(settings, session=replace(settings.session, instructions=instructions))
    chosen = profiles[profile] if profile else {}
    overridden = [key for key, _ in values_of(chosen) if sources[key] != f"profile {profile}"]
    return Loaded(settings, sources, place, file is not None, tuple(profiles), profile, tuple(overridden))


def profile_names(path: Path | None = None) -> list[str]:
    """Names of the profiles in the file; none if it cannot be read."""
    try:
        profiles = (_read_file(path or default_path(), may_be_missing=True) or {}).get("profiles")
    except ConfigError:
        return []
    return list(profiles) if isinstance(profiles, dict) else []


def _validate_profiles(profiles: Any, tree: Table, origin: str) -> None:
    """Check every profile, so that a mistake shows before the profile is used."""
    if not isinstance(profiles, dict):
        raise ConfigError(f"{origin}: profiles: expected tables such as [profiles.NAME]")
    for name, values in profiles.items():
        if not isinstance(values, dict):
            raise ConfigError(f"{origin}: profiles.{name}: expected a table")
        _convert(merged(tree, values), f"{origin}: profile {name!r}")


def _from_endpoint(settings: Settings, report: Callable[[str], None]) -> dict[str, str]:
    """What a pasted URL says, by dotted key: the resource's endpoint, the model and the API version in its query.

    Raises `ConfigError` if the URL and the settings contradict each other, or the URL holds a key.
    """
    parts = urlsplit(settings.service.endpoint)
    path, removed = resource_path(parts.path)
    if removed:
        report(f"of the endpoint's path only the resource is used; left out: {removed}")
    known = {
        "model": ("session.model", settings.session.model, Session().model),
        "api-version": ("service.api_version", settings.service.api_version, Service().api_version),
    }
    found: dict[str, str] = {}
    rest: list[tuple[str, str]] = []
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name.lower() in ("api-key", "authorization"):
            raise ConfigError("the endpoint must not hold a key: give it by AZURE_VOICELIVE_API_KEY")
        if name not in known:
            rest.append((name, value))
            continue
        key, before, default = known[name]
        now = found.get(key, before)
        if now not in (value, default):
            raise ConfigError(f"the endpoint's query says {name}={value!r}, but {key} is {now!r}: give one of them")
        report(f"{key} = {value!r} is taken from the endpoint's query")
        if value not in ("", now):
            found[key] = value
    return found | {"service.endpoint": parts._replace(path=path, query=urlencode(rest), fragment="").geturl()}


def _unquoted(value: str) -> str:
    """A value without the spaces, line ends and quotes that copying brings along."""
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1].strip()
    return value


def _read_file(path: Path, *, may_be_missing: bool) -> Table | None:
    """The values in the file; None where there is none and `may_be_missing`."""
    try:
        raw = path.expanduser().read_bytes()
    except OSError as problem:
        if may_be_missing and isinstance(problem, FileNotFoundError | NotADirectoryError):
            return None
        raise ConfigError(f"{path}: cannot be read: {problem.strerror or problem}") from None
    except RuntimeError as problem:  # "~" of an unknown user
        raise ConfigError(f"{path}: cannot be read: {problem}") from None
    import tomllib  # noqa: PLC0415 - many have no file

    try:
        return tomllib.loads(decoded(raw)[0])
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not a text file in UTF-8") from None
    except tomllib.TOMLDecodeError as problem:
        raise ConfigError(f"{path}: not valid TOML: {problem}") from None
    except (ValueError, RecursionError):  # a number of thousands of digits; tables in tables in tables
        raise ConfigError(f"{path}: not valid TOML: a number is too long, or the nesting too deep") from None


def decoded(raw: bytes) -> tuple[str, str]:
    """The text of a file, and the encoding to write it in again.

    Raises `UnicodeDecodeError` for anything but UTF-8, or UTF-16 with a byte order mark.
    """
    if raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):  # some editors' "Unicode"
        return raw.decode("utf-16"), "utf-16"
    marked = raw.startswith(codecs.BOM_UTF8)
    return raw.decode("utf-8-sig"), "utf-8-sig" if marked else "utf-8"


def _convert(tree: Mapping[str, Any], origin: str, *more_known: str) -> Settings:
    try:
        settings = msgspec.convert(tree, Settings)
    except msgspec.ValidationError as problem:
        raise ConfigError(f"{origin}: {_sentence(str(problem), tree, more_known)}") from None
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
    service = replace(
        service, endpoint=endpoint, api_key=plain["service.api_key"], api_version=plain["service.api_version"]
    )
    session = replace(
        session, model=plain["session.model"] or Session().model, voice=plain["session.voice"] or Session().voice
    )
    _check_mcp(settings, origin)
    return replace(settings, service=service, session=session)


def _check_mcp(settings: Settings, origin: str) -> None:
    labels = [server.label for server in settings.mcp]
    for server in settings.mcp:
        if labels.count(server.label) > 1:
            raise ConfigError(f"{origin}: mcp: two servers have the label {server.label!r}")
        if not (re.match(r"https?://[^\s/?#@]+([/?#]\S*)?$", server.url) and _has_host(server.url)):
            expected = "expected http or https, a host, and no user name"
            raise ConfigError(f"{origin}: mcp: the URL {shown(server.url)} of {server.label!r}: {expected}")


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:  # brackets without an IPv6 address
        return False


def _sentence(problem: str, tree: Mapping[str, Any], more_known: Sequence[str]) -> str:
    """Msgspec's message as "key: what was expected". It shows types and limits, never a value that may be secret."""
    what, _, where = problem.partition(" - at `")
    key = where.removesuffix("`").removeprefix("key` in `").removeprefix("$").lstrip(".")
    kind = type_of(key)
    key = _named(key, tree)
    if "unknown field" in what and isinstance(kind, inspect.StructType):
        name = what.split("`")[1]
        known = ", ".join([*(field.encode_name for field in kind.fields), *(() if key else more_known)])
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
    for name in re.findall(r"\w+", table):
        entries = entries[int(name) if isinstance(entries, list) else name]
    kinds: dict[str, Any] = {"keys": str, "headers": str, "approve": Approval}
    kind = kinds.get(table.rpartition(".")[2], Level)
    for name, value in entries.items():
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            return f"{table}.{name}".replace("`", "'")
    return table


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
