"""`[keys]` of the configuration: the bindings it may name, and whether the keys chosen for them can be used."""

import string
from collections.abc import Mapping

from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import Keys

from voicelive_tui.config import ConfigError
from voicelive_tui.ui.app import VoiceLiveApp
from voicelive_tui.ui.dashboard import PANE_CLASSES, DashboardScreen
from voicelive_tui.ui.detail import EventDetail
from voicelive_tui.ui.editor import EditorScreen
from voicelive_tui.ui.editor_row import Choice
from voicelive_tui.ui.help import HelpScreen
from voicelive_tui.ui.line_dialog import LineDialog
from voicelive_tui.ui.panes.surgery import SurgeryPane
from voicelive_tui.ui.picker import DevicePicker
from voicelive_tui.ui.prompt import Prompt
from voicelive_tui.ui.replay import PLAYER, ReplayScreen
from voicelive_tui.ui.scroll_list import ScrollList

OVER = (Prompt, HelpScreen, DevicePicker, LineDialog)
"""What has the keys to itself while it is open."""
OWNERS: tuple[type[DOMNode], ...] = (
    VoiceLiveApp, DashboardScreen, ReplayScreen, *PANE_CLASSES, SurgeryPane, ScrollList, EventDetail, *OVER,
    EditorScreen, Choice,
)  # fmt: skip
"""The classes of this package that have bindings."""


def binding_ids() -> frozenset[str]:
    """Every id that `keys` may name."""
    return frozenset(b.id for owner in OWNERS for b in owner.BINDINGS if isinstance(b, Binding) and b.id)


def validate_keys(keys: Mapping[str, str]) -> None:
    """Check the keys by binding id, with commas between those of one, as in the configuration.

    Raises `ConfigError` for an unknown binding, a key that no terminal sends, and one key for two bindings that work at
    the same time.
    """
    known = binding_ids()
    for name in keys:
        if name not in known:
            raise ConfigError(f"keys.{name}: there is no such binding (there are: {', '.join(sorted(known))})")

    chosen: dict[str | None, dict[str, str]] = {}  # by binding: Textual's name of each key, and what was written
    for name, written in keys.items():
        each = [key.strip() for key in written.split(",")] if written else []  # "" unbinds
        for key in each:
            if not _sendable(key):
                allowed = "a character such as m, M or ?, a name such as f2, space, comma or pageup, or one after ctrl+"
                raise ConfigError(f"keys.{name}: there is no key {key!r} (a key is {allowed}; commas separate keys)")
        chosen[name] = {binding.key: key for key in each for binding in Binding.make_bindings([(key, "")])}

    def bound(*owners: type) -> list[Binding]:
        """The bindings of some classes, Textual's own included; a class's key hides the same one of its base."""
        merged: list[Binding] = []
        for owner in owners:
            made = (Binding.make_bindings(vars(base).get("BINDINGS", ())) for base in reversed(owner.__mro__))
            merged += {binding.key: binding for bindings in made for binding in bindings}.values()
        return merged

    whole = bound(VoiceLiveApp)
    everywhere = [binding for binding in whole if binding.priority]
    for together in (
        *([*bound(ScrollList, pane, DashboardScreen), *whole] for pane in PANE_CLASSES),
        [*bound(EventDetail, DashboardScreen), *whole],
        [*PLAYER, *everywhere],  # what they hide does nothing in a replay
        [*bound(EditorScreen, Choice), *everywhere],
        *([*bound(owner), *everywhere] for owner in OVER),
    ):
        for binding in together:
            usual = {other.key for other in together if other.id == binding.id}  # some of these are shared on purpose
            for other in together:
                shared = (chosen.get(binding.id, {}).keys() - usual) & chosen.get(other.id, {other.key: ""}).keys()
                same = binding.action.removeprefix("app.") == other.action.removeprefix("app.")
                if shared and not same:
                    key, what = chosen[binding.id][min(shared)], other.id or other.description or other.action
                    raise ConfigError(
                        f"keys.{binding.id}: {key!r} is the key of {what} too, which works at the same time"
                    )


def _sendable(key: str) -> bool:
    """Whether some terminal can send a key of this name, as Textual writes names."""
    if len(key) <= 1:
        return bool(key) and key.isprintable()
    named = {name.value for name in Keys if "<" not in name.value} - {"return", "ctrl-at"}  # Textual's, never sent
    characters = [(mark, "") for mark in string.punctuation if mark != ","]
    marks = {"comma", *(binding.key for binding in Binding.make_bindings(characters))}
    *modifiers, name = key.split("+")
    if not modifiers or key in named:
        return key in named | marks
    ordered = modifiers == sorted(set(modifiers) & {"alt", "ctrl", "hyper", "meta", "shift", "super"})
    # A character's other case is a key of its own: "M", not "shift+m".
    character = name in marks or (len(name) == 1 and name.isalnum() and name == name.lower())
    return ordered and (name in named or (character and modifiers != ["shift"]))
