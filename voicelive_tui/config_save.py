"""Writing a profile into the configuration file, whose other text stays as it is, byte for byte."""

import contextlib
import os
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from voicelive_tui.config import ConfigError
from voicelive_tui.config_load import decoded
from voicelive_tui.tables import Table


def save_profile(path: Path, name: str, values: Table) -> None:
    """Write `[profiles.NAME]`, in place of the one that is there.

    A file is replaced as a whole, or not at all; it keeps its mode, and a symbolic link stays one. Raises `ConfigError`
    if it cannot be read or written, or the profile cannot be added to what it holds.
    """
    try:
        target = path.expanduser().resolve()
        raw = target.read_bytes() if target.exists() else b""
        text, encoding = decoded(raw)
        _replace(target, _with_profile(text, name, values).encode(encoding))
    except OSError as problem:
        raise ConfigError(f"{path}: the profile cannot be saved: {problem.strerror or problem}") from None
    except (ValueError, TypeError, TOMLKitError, RuntimeError):
        raise ConfigError(
            f"{path}: the profile {name!r} cannot be added to what the file holds; add it by hand"
        ) from None


def _with_profile(text: str, name: str, values: Table) -> str:
    """The text with the profile. Raises `ValueError` or `TypeError` where that would change something else."""
    wanted = tomllib.loads(text)
    profiles = wanted.setdefault("profiles", {})
    if not isinstance(profiles, dict):
        raise TypeError
    before = profiles.get(name)
    profiles[name] = values
    for changed in _attempts(text, name, before, values):
        with contextlib.suppress(tomllib.TOMLDecodeError):
            if tomllib.loads(changed) == wanted:
                return changed
    raise ValueError


def _attempts(text: str, name: str, before: Table | None, values: Table) -> Iterator[str]:
    """Ways to write the profile, the gentlest first."""
    end = "\r\n" if "\r\n" in text and text.count("\r\n") == text.count("\n") else "\n"
    if before is not None:
        with contextlib.suppress(TOMLKitError):
            document: Any = tomlkit.parse(text)
            _update(document["profiles"][name], before, values)
            changed = tomlkit.dumps(document)
            yield changed if end == "\n" else changed.replace(end, "\n").replace("\n", end)
        document = tomlkit.parse(text)  # a table that becomes empty is lost above
        del document["profiles"][name]
        text = tomlkit.dumps(document)
    gap = "" if not text else end if text.endswith("\n") else end * 2
    yield text + gap + tomlkit.dumps({"profiles": {name: values}}).replace("\n", end)


def _update(table: Any, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Change what differs in a table of the document."""
    for name in before.keys() - after.keys():
        del table[name]
    for name, value in after.items():
        old = before.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            _update(table[name], old, value)
        elif name not in before or old != value:
            table[name] = value


def _replace(target: Path, content: bytes) -> None:
    """Replace the file in one step."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    mode = 0o600  # a key may be added to it
    if target.exists():
        mode = target.stat().st_mode & 0o7777
        os.close(os.open(target, os.O_WRONLY))  # refuses where the file is not to be written
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, mode)
            file.write(content)
            file.flush()
            os.fsync(handle)
        Path(temporary).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
