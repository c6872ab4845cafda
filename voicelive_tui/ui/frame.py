"""`Framed`: a widget that draws a frame around its children.

With a widget for each part of the frames, the dashboard came 15 ms later.
"""

from textual.containers import Vertical
from textual.geometry import Region
from textual.strip import Strip

from voicelive_tui.ui.painted import Painted, changed_columns
from voicelive_tui.ui.text import Line


class Framed(Painted, Vertical):
    """Lays its children out one under another, in a frame: a line on top, and where there is room sides and a bottom.

    The padding of the widget is the room for the frame.
    """

    DEFAULT_CSS = "Framed { padding: 1; }"

    _top: Line = ()
    _edge = "edge"
    _made: tuple[object, Strip, Strip, Strip] | None = None
    """What the frame was made of, and its strips: top, between, bottom."""

    @property
    def sided(self) -> bool:
        """Whether there are sides and a bottom."""
        return bool(self.styles.padding.left)

    @property
    def allow_select(self) -> bool:
        """Whether a selection may begin where the mouse is: not in the line on top, which has no text to copy."""
        return self.ALLOW_SELECT and self.app.mouse_position.y != self.region.y

    def draw_frame(self, top: Line, edge: str) -> None:
        """Set the line on top, and the tone of the rest; refresh the cells that change."""
        before = self._made
        self._top, self._edge = top, edge
        if before is None:
            self.refresh()
            return
        _, *strips = self._frame()
        width, height = self.outer_size
        changed: list[Region] = []
        if columns := changed_columns(before[1], strips[0]):
            changed.append(Region(columns[0], 0, columns[1] - columns[0], 1))
        if before[3] != strips[2]:
            if height > 2:
                changed += (Region(0, 1, 1, height - 2), Region(width - 1, 1, 1, height - 2))
            changed.append(Region(0, height - 1, width, 1))
        if changed:
            self.refresh(*(region.translate(-self.content_offset) for region in changed))

    def render_lines(self, crop: Region) -> list[Strip]:
        _, top, between, bottom = self._frame()
        width, height = self.outer_size
        strips = [top, *[between] * (height - 2), bottom][crop.y : crop.bottom]
        return strips if crop.column_span == (0, width) else [strip.crop(*crop.column_span) for strip in strips]

    def _frame(self) -> tuple[object, Strip, Strip, Strip]:
        width, edge = self.outer_size.width, self._edge
        made_of = width, self._top, edge, self.sided
        if self._made is None or self._made[0] != made_of:
            between: Line = (("│", edge), (" " * (width - 2), "text"), ("│", edge)) if self.sided else ()
            bottom: Line = ((f"╰{'─' * (width - 2)}╯", edge),) if self.sided else ()
            top, sides, under = (self._strip(line, "", width) for line in (self._top, between, bottom))
            self._made = made_of, top, sides, under
        return self._made

    def _forget(self) -> None:
        super()._forget()
        if self._made is not None:  # its strips are still on the screen, to compare the next ones with
            self._made = (None, *self._made[1:])
