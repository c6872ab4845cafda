"""A screen of panes: which are shown, which one is in use, and the keys that choose it."""

from textual import events
from textual.geometry import Size

from voicelive_tui.client.profiles import Profiles
from voicelive_tui.client.shell import Shell
from voicelive_tui.ui.arrangement import BELOW, CLASSES, PANES, WORDS, Arrangement, arrange
from voicelive_tui.ui.live_screen import LiveScreen
from voicelive_tui.ui.pace import Rates
from voicelive_tui.ui.panes import Pane


class ArrangedScreen(LiveScreen):
    """Shows as many of its panes as fit into a terminal of a size."""

    def __init__(self, live: Shell, rates: Rates, size: Size, profiles: Profiles | None) -> None:
        self.current = self.words = "transcript"
        self.below = "events"
        self.zoomed = False
        self.rates = rates
        # The first layout comes with the first style pass; classes set later would need a second one.
        super().__init__(live, rates, profiles, classes=" ".join(self.arrangement(size).classes))

    def arrangement(self, size: Size) -> Arrangement:
        """The panes and classes for a terminal of this size."""
        return arrange(size, self.current, self.words, self.below, zoomed=self.zoomed, spacious=self.rates.spacious)

    def on_resize(self, event: events.Resize) -> None:
        if event.size == self.outer_size:  # a layout has sent this, and Textual would repeat the layout for it
            event.prevent_default()
        self.lay_out(event.size)  # the screen itself learns of a new size after this
        self.call_after_refresh(self.keep_focus)

    def keep_focus(self) -> None:
        """Focus the pane in use where the focused widget lost its place."""
        if self.focused is None and self.pane.display:
            self.set_focus(self.pane.target)

    def lay_out(self, size: Size | None = None) -> None:
        """Show the panes that fit."""
        arrangement = self.arrangement(self.size if size is None else size)
        classes, shown = arrangement
        if self.zoomed and self.query_one("#meters").has_focus_within:
            classes |= {"levels"}
        if classes != self.classes & CLASSES:
            self.set_classes(self.classes - CLASSES | classes)
        panes = {name: self.query_one(f"#{name}", Pane) for name in PANES}
        for name, pane in panes.items():
            pane.display = name in shown
            pane.join([panes[each] for each in arrangement.tabs(name)])
        self.query_one("#meters", Pane).join(())
        self.query_one("#side").display = not {"session", "delay"}.isdisjoint(shown)
        self.query_one("#talk").display = not {"session", "delay", "transcript"}.isdisjoint(shown)

    @property
    def pane(self) -> Pane:
        """The pane that has the focus, or had it last; never the levels."""
        return self.query_one(f"#{self.current}", Pane)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        for node in event.widget.ancestors:
            if isinstance(node, Pane) and node.id in PANES:
                self.use(node.id)

    def use(self, name: str) -> None:
        self.current = name
        if name in BELOW:
            self.below = name
        elif name in WORDS:
            self.words = name

    def action_go(self, name: str) -> None:
        if name in PANES:
            self.use(name)
        self.lay_out()
        self.set_focus(self.query_one(f"#{name}", Pane).target)
        self.lay_out()

    def action_zoom(self) -> None:
        self.zoomed = not self.zoomed
        self.lay_out()
        self.refresh_bindings()

    @property
    def switched_on(self) -> frozenset[str]:
        on = {"zoom": self.zoomed, "follow": self.is_mounted and self.pane.following}
        return super().switched_on | {name for name, is_on in on.items() if is_on}
