"""The line of keys at the foot of the dashboard."""

from typing import Any

from rich.cells import cell_len
from textual.screen import Screen
from textual.widgets import Footer

ALWAYS = frozenset(("help", "quit"))
"""Actions whose keys are shown however narrow it is."""


class Keys(Footer):
    """The keys along the foot; rebuilt only when other keys are shown, not whenever the focus moves.

    Where not all of them fit, the last ones are hidden; help and quit are always shown.
    """

    def __init__(self) -> None:
        super().__init__(compact=True, show_command_palette=False)
        self._shown: object = None

    def bindings_changed(self, screen: Screen[Any]) -> None:
        active = [bound for bound in screen.active_bindings.values() if bound.binding.show]
        shown = [(bound.binding.key, bound.binding.description, bound.enabled) for bound in active]
        if shown != self._shown:
            self._shown = shown
            super().bindings_changed(screen)

    async def recompose(self) -> None:
        await super().recompose()
        self.on_resize()

    def on_resize(self) -> None:
        keys: list[Any] = list(self.query("FooterKey"))
        room = self.size.width
        # A key that was changed stands elsewhere in the line, so these are known by what they do.
        for key in sorted(keys, key=lambda key: key.action not in ALWAYS):
            room -= cell_len(f"{key.key_display} {key.description} ")
            key.display = room >= 0 or key.action in ALWAYS
