"""Bindings without a key."""

from collections.abc import Mapping

from textual.binding import Binding

_UNBOUND = "unbound"


def keymap_of(keys: Mapping[str, str]) -> dict[str, str]:
    """The keys of the configuration for Textual, which knows no binding without one; no terminal sends `_UNBOUND`."""
    return {name: written or _UNBOUND for name, written in keys.items()}


def has_key(binding: Binding) -> bool:
    """Whether the configuration leaves a key to a binding."""
    return binding.key != _UNBOUND
