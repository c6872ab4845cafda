"""The line of keys at the foot of a screen."""

from typing import Any

from rich.cells import cell_len
from textual import events
from textual.binding import ActiveBinding
from textual.dom import DOMNode
from textual.screen import Screen

from voicelive_tui.ui.binding import has_key
from voicelive_tui.ui.canvas import Lines
from voicelive_tui.ui.hints import bindings_of
from voicelive_tui.ui.text import Span

FIRST = ("mute", "talk", "interrupt", "type")
"""Ids of the bindings of the whole screen that stand before the others."""
ALWAYS = ("help", "quit")
"""Ids of the bindings that stand last, and are shown however narrow it is."""
WANTED = ("talk", "mute", "keep", "edit", "replay.play", "replay.back", "replay.forward")
"""Ids of the bindings of the whole screen that only a pane's first key takes the room of."""
LESS_WANTED = ("type", "interrupt", "zoom")
"""Ids of those that follow a pane's other keys: the headline names the first two where they help."""
SHORT = {"Keep recording": "Keep", "Stop recording": "Stop rec", "Edit the arguments": "Edit", "Next policy": "Policy"}
"""Shorter words for descriptions that the palette shows in full."""
CROSSES = {"events": "Events", "transcript": "Words"}
"""Words of `cross` by where it leads from the focused pane."""


class Keys(Lines):
    """The keys of the focused pane, then those of the whole screen; a changed key keeps its place.

    A pane names the bindings that it wants here in `KEYS`; before them comes the way back out of what it `leaves`.
    Where not all of them fit, whole keys give way, those wanted least first.
    """

    DEFAULT_CSS = "Keys { height: 1; dock: bottom; background: $panel; }"

    def __init__(self) -> None:
        super().__init__()
        self._crosses = ""
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
        active: dict[str, ActiveBinding] = {}
        for bound in screen.active_bindings.values():
            if bound.enabled and has_key(bound.binding):
                active.setdefault(bound.binding.id or bound.binding.key, bound)  # the first key of several
        shown = [name for name, bound in active.items() if bound.binding.show]
        pane = self._pane(screen.focused)
        self._crosses = CROSSES.get(getattr(pane, "CROSSES_TO", ""), "")
        leaving = ("back",) if getattr(pane, "leaves", False) else ()
        own = [name for name in (*leaving, *getattr(pane, "KEYS", ())) if name in active]
        rest = [name for name in shown if name not in (*own, *FIRST, *ALWAYS)]
        written = [binding.id for binding in bindings_of(screen)]  # Textual puts changed keys last
        rest.sort(key=lambda name: written.index(name) if name in written else len(written))
        order = [name for name in (*own, *FIRST, *rest, *ALWAYS) if name in own or name in shown]
        room, kept = self.size.width + 1, set[str]()  # no space is needed after the last one
        first = [name for name in own if name not in LESS_WANTED]
        for name in dict.fromkeys((*ALWAYS, *first[:1], *WANTED, *first, *LESS_WANTED, *order)):
            if name in order and ((width := self._width(active[name])) <= room or name in ALWAYS):
                room -= width
                kept.add(name)
        self._draw([(name in own, active[name]) for name in order if name in kept])

    @staticmethod
    def _pane(focused: DOMNode | None) -> DOMNode | None:
        """The focused pane."""
        nodes = () if focused is None else focused.ancestors_with_self
        return next((node for node in nodes if hasattr(node, "KEYS")), None)

    def _width(self, bound: ActiveBinding) -> int:
        return cell_len(f"{self.app.get_key_display(bound.binding)} {self._words(bound)}  ")

    def _words(self, bound: ActiveBinding) -> str:
        description = bound.binding.description
        return self._crosses if bound.binding.id == "cross" else SHORT.get(description, description)

    def _draw(self, keys: list[tuple[bool, ActiveBinding]]) -> None:
        spans: list[Span] = []
        self._places, x = [], 0
        for own, bound in keys:
            self._places.append((x, bound))
            spans += [
                (f" {self.app.get_key_display(bound.binding)} ", "title"),
                (self._words(bound) + " ", "text" if own else "dim"),
            ]
            x += self._width(bound)
        self.show(tuple(spans))

    async def on_click(self, event: events.Click) -> None:
        under = [bound for x, bound in self._places if x <= event.x]
        if under:
            await self.app.run_action(under[-1].binding.action, under[-1].node)
