"""The line of keys at the foot of the dashboard, and the names of keys in sentences."""

import re
from typing import Any

from rich.cells import cell_len
from textual.binding import Binding
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer

from voicelive_tui.session.state import Hint
from voicelive_tui.ui.canvas import ScrollList

ALWAYS = frozenset(("help", "quit"))
"""Actions whose keys are shown however narrow it is."""


def key_of(widget: Widget, binding_id: str) -> str:
    """The first key that a binding has now, as the foot shows it; "" where there is no such binding.

    Textual's list of active bindings would not do: what a prompt keeps from them is to be named too.
    """
    for owner in (widget.screen, widget.app, ScrollList):
        for binding in owner.BINDINGS:
            if isinstance(binding, Binding) and binding.id == binding_id:
                mapped = widget.app._keymap.get(binding_id)  # Textual has no other way to ask for it
                key = (mapped or binding.key).partition(",")[0]
                return widget.app.get_key_display(binding.with_key(key, None if mapped else binding.key_display))
    return ""


def with_keys(widget: Widget, text: str) -> str:
    """A `Hint` with the keys that its bindings have now; any other text as it is."""
    if not isinstance(text, Hint):
        return text
    return re.sub(r"{([\w.]+)}", lambda found: key_of(widget, found[1]) or found[1], text)


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
