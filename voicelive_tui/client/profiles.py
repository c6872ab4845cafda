"""The profiles of the configuration file, for a program that runs: names, switching, saving."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from voicelive_tui import config_load
from voicelive_tui.config import Settings
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.wanted import settings_in_use
from voicelive_tui.tables import Table, difference, values_of
from voicelive_tui.text import masked

AT_ONCE = (
    "agent.",
    "audio.half_duplex.",
    "audio.input_device.",
    "audio.output_device.",
    "mcp.",
    "service.api_key.",
    "service.api_version.",
    "service.endpoint.",
    "service.insecure.",
    "service.use_token_credential.",
    "session.",
    "tools.functions.",
    "tools.parallel.",
    "ui.theme.",
)
"""Prefixes of the settings that change at once or with the next session; all others need a restart."""
NEVER_SAVED = ("service.api_key", "service.insecure", "logging")
"""A key belongs in no file that is shared, and sending one unencrypted is decided each time."""


class Choice(NamedTuple):
    """Settings to go on with."""

    settings: Settings
    demo: bool
    overridden: Sequence[str] = ()
    """Keys of the profile for which the environment or a flag is stronger."""


class Profiles:
    """The profiles of one file. Its methods read and write it: call them off the event loop.

    Args:
        path: The file, None for the default one.
        load: Loads the settings with a profile ("" for none) and raises `UserError` if they cannot be used.
        settings: Those with which the program started.
    """

    def __init__(self, path: Path | None, load: Callable[[str], Choice], settings: Settings) -> None:
        self.path, self._load = path, load
        self.settings = self._at_start = settings

    def names(self) -> list[str]:
        """Names of the profiles in the file; none if it cannot be read."""
        return config_load.profile_names(self.path)

    def switch(self, name: str) -> tuple[Choice, list[str]]:
        """Go over to a profile, or to the settings without one for ""; also the keys whose values need a restart.

        Raises `UserError` if it is not in the file any more, or cannot be used.
        """
        choice = self._load(name)
        self.settings = choice.settings
        changed = dict(values_of(difference(msgspec.to_builtins(self.settings), msgspec.to_builtins(self._at_start))))
        return choice, [key for key in changed if not f"{key}.".startswith(AT_ONCE)]

    def save(self, name: str, state: SessionState) -> list[str]:
        """Save the settings in use as a profile, as far as they differ from the rest of the file.

        One of this name is replaced. Returns the keys that were left out because their value looks like a secret.
        Raises `ConfigError` if the file cannot be read or written.
        """
        from voicelive_tui.config_save import save_profile  # noqa: PLC0415 - tomlkit is only needed here

        file = config_load.load(self.path, environment={})
        session = settings_in_use(state, state.wanted, self.settings.session)
        now = replace(self.settings, session=session)
        left_out: list[str] = []
        changed = difference(_as_toml(now), _as_toml(file.settings))
        save_profile(file.path, name, _savable(changed, left_out))
        return left_out


def _as_toml(settings: Settings) -> Any:
    """The settings as a file gives them, with lists in place of tuples."""
    return msgspec.json.decode(msgspec.json.encode(settings))


def _looks_secret(value: Any) -> bool:
    """Whether a text looks like a secret; what stands for a header of an MCP server is the name of a variable."""
    if isinstance(value, Mapping):
        return any(map(_looks_secret, value.values()))
    return any(map(_looks_secret, value)) if isinstance(value, list) else masked(value) != value


def _savable(table: Mapping[str, Any], left_out: list[str], prefix: str = "") -> Table:
    """The values that may be saved; keys of what looks like a secret go to `left_out`."""
    kept: Table = {}
    for name, value in table.items():
        key = f"{prefix}{name}"
        if key in NEVER_SAVED:
            continue
        if isinstance(value, Mapping):
            if inner := _savable(value, left_out, f"{key}."):
                kept[name] = inner
        elif _looks_secret(value):
            left_out.append(key)
        else:
            kept[name] = value
    return kept
