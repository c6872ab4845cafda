"""The line of keys at the foot of the dashboard."""

from typing import Any

from rich.cells import cell_len
from textual.screen import Screen
from textual.widgets import Footer


class Keys(Footer):
    """The keys along the foot; made anew only where others are to be shown, not whenever the focus moves.

    Where there is no room for all of them, the last but two give way: help and the way out are always there.
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
        widths = [cell_len(f"{key.key_display} {key.description} ") for key in keys]
        room = self.size.width - sum(widths[-2:])
        for key, width in zip(keys[:-2], widths, strict=False):
            room -= width
            key.display = room >= 0
