"""The line of keys at the foot of a screen."""

from typing import Any

from rich.cells import cell_len
from textual import events
from textual.binding import ActiveBinding
from textual.dom import DOMNode
from textual.screen import Screen

from voicelive_tui.ui.binding import has_key
from voicelive_tui.ui.canvas import Lines
from voicelive_tui.ui.text import Span

FIRST = ("mute", "talk", "interrupt", "type")
"""Ids of the bindings of the whole screen that stand before the others, and give way to nothing but `ALWAYS`."""
SHORT = {"keep": "Keep"}
"""Words here of bindings whose description, which the palette has too, is long."""
ALWAYS = ("help", "quit")
"""Ids of the bindings that stand last, and are shown however narrow it is."""


class Keys(Lines):
    """The keys of the focused pane, then those of the whole screen; a changed key keeps its place.

    A pane names the bindings that it wants here in `KEYS`. Where not all of them fit, the rest gives way first.
    """

    DEFAULT_CSS = "Keys { height: 1; dock: bottom; background: $panel; }"

    def __init__(self) -> None:
        super().__init__()
        self._places: list[tuple[int, ActiveBinding]] = []
        """Where each key begins."""

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self.bindings_changed)
        self.bindings_changed(self.screen)

    def on_resize(self) -> None:
        self.bindings_changed(self.screen)

    def bindings_changed(self, screen: Screen[Any]) -> None:
        """Draw the keys that work now."""
        if not self.size.width or not screen.is_current:
            return
        active = {bound.binding.id or bound.binding.key: bound for bound in screen.active_bindings.values()}
        active = {name: bound for name, bound in active.items() if bound.enabled and has_key(bound.binding)}
        shown = [name for name, bound in active.items() if bound.binding.show]
        own = [name for name in self._own_keys(screen.focused) if name in active]
        rest = [name for name in shown if name not in (*own, *FIRST, *ALWAYS)]
        order = [name for name in (*own, *FIRST, *rest, *ALWAYS) if name in own or name in shown]
        room, kept = self.size.width, set[str]()
        for name in sorted(order, key=lambda name: (name not in ALWAYS, name not in FIRST)):
            room -= self._width(active[name])
            if room < 0 and name not in ALWAYS:
                break
            kept.add(name)
        self._draw([(name in own, active[name]) for name in order if name in kept])

    @staticmethod
    def _own_keys(focused: DOMNode | None) -> tuple[str, ...]:
        """What the focused pane wants to be shown."""
        nodes = () if focused is None else focused.ancestors_with_self
        return next((node.KEYS for node in nodes if hasattr(node, "KEYS")), ())

    def _width(self, bound: ActiveBinding) -> int:
        return cell_len(f"{self.app.get_key_display(bound.binding)} {self._words(bound)}  ")

    @staticmethod
    def _words(bound: ActiveBinding) -> str:
        return SHORT.get(bound.binding.id or "", bound.binding.description)

    def _draw(self, keys: list[tuple[bool, ActiveBinding]]) -> None:
        spans: list[Span] = []
        self._places, x = [], 0
        for own, bound in keys:
            self._places.append((x, bound))
            key = self.app.get_key_display(bound.binding)
            spans += [(f" {key} ", "title"), (self._words(bound) + " ", "text" if own else "dim")]
            x += self._width(bound)
        self.show(tuple(spans))

    async def on_click(self, event: events.Click) -> None:
        under = [bound for x, bound in self._places if x <= event.x]
        if under:
            await self.app.run_action(under[-1].binding.action, under[-1].node)
