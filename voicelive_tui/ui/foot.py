"""The line of keys at the foot of the dashboard."""

from typing import Any

from textual.screen import Screen
from textual.widgets import Footer


class Keys(Footer):
    """The keys along the foot; made anew only where others are to be shown, not whenever the focus moves."""

    def __init__(self) -> None:
        super().__init__(compact=True, show_command_palette=False)
        self._shown: object = None

    def bindings_changed(self, screen: Screen[Any]) -> None:
        """Other bindings are in force."""
        active = [bound for bound in screen.active_bindings.values() if bound.binding.show]
        shown = [(bound.binding.key, bound.binding.description, bound.enabled) for bound in active]
        if shown != self._shown:
            self._shown = shown
            super().bindings_changed(screen)
