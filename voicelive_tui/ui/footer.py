"""The line of keys at the foot of the dashboard."""

from typing import Any

from rich.cells import cell_len
from textual.screen import Screen
from textual.widgets import Footer

ALWAYS = frozenset(("help", "quit"))
"""Actions whose keys are shown however narrow it is."""


class Keys(Footer):
    """The keys along the foot; made anew only where others are to be shown, not whenever the focus moves.

    Where there is no room for all of them, the last give way, but help and the way out are always there.
    """

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

    async def recompose(self) -> None:
        """Make the keys anew, and see which of them fit."""
        await super().recompose()
        self.on_resize()

    def on_resize(self) -> None:
        """Show what there is room for."""
        keys: list[Any] = list(self.query("FooterKey"))
        room = self.size.width
        # A key that was changed stands elsewhere in the line, so these are known by what they do.
        for key in sorted(keys, key=lambda key: key.action not in ALWAYS):
            room -= cell_len(f"{key.key_display} {key.description} ")
            key.display = room >= 0 or key.action in ALWAYS
