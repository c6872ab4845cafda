"""Drawing: lines on demand, and to the terminal only the cells that changed.

Rules of this module:

- `Canvas.line(y)` returns line `y` of the content; it is called for visible lines only, when they are drawn.
- Damage tracking: `Canvas.repaint()` compares the visible lines with those drawn, and refreshes the cells between
  the first and the last difference of each line. New content causes no other refresh.
- Textual asks every widget for all of its lines, however little changed. A canvas therefore keeps its drawn lines until
  their content changes, and containers are `BLANK`.
- Textual calls `on_resize` of every class of a widget, the subclass first: none of them calls its base's.
"""

from rich.segment import Segment
from rich.style import Style
from textual.containers import Horizontal, Vertical
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from voicelive_tui.ui.painted import Painted, changed_columns
from voicelive_tui.ui.text import Line


class VerticalGround(Vertical):
    """Lays its children out one under another; drawn as one blank line."""

    BLANK = True


class HorizontalGround(Horizontal):
    """Lays its children out side by side; drawn as one blank line."""

    BLANK = True


class Canvas(Painted, ScrollView, can_focus=False):
    """A widget that draws `Line`s.

    No border and no padding, for cells are counted from its corner; no tint and no opacity, for it draws its lines
    itself.
    """

    ALLOW_SELECT = False
    ALLOW_MAXIMIZE = False
    DEFAULT_CSS = "Canvas { overflow: hidden hidden; background: transparent; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id, classes=classes)
        self._drawn: dict[int, tuple[Line, str, Strip]] = {}
        """Of each visible line: its content, the tone over it, and the strip drawn."""

    def line(self, y: int) -> Line:
        """Line `y` of the content; empty beyond its end."""
        raise NotImplementedError

    def highlight(self, y: int) -> str:
        """A tone laid over the whole of line `y`, or "" for none."""
        return ""

    def repaint(self) -> None:
        """Refresh the visible cells that changed since they were drawn."""
        if not self.is_attached:
            return
        width, height = self.size
        top = self.scroll_offset.y
        changed: list[Region] = []
        for y in range(height):
            drawn = self._drawn.get(y)
            line, over = self.line(top + y), self.highlight(top + y)
            if drawn is None:
                changed.append(Region(0, y, width, 1))
            elif line != drawn[0] or over != drawn[1]:
                strip = self._strip(line, over, width)
                self._drawn[y] = (line, over, strip)
                if columns := changed_columns(drawn[2], strip):
                    changed.append(Region(columns[0], y, columns[1] - columns[0], 1))
        if changed:
            self.refresh(*changed)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Repaint the cells that differ after scrolling; Textual's own watcher writes all of them."""
        if self.text_selection:
            self.refresh()
        else:
            self.repaint()

    def render_lines(self, crop: Region) -> list[Strip]:
        width = self.size.width
        strips = [self._drawn_strip(y, width) for y in crop.line_range]
        if self.ALLOW_SELECT and (selection := self.text_selection):
            top = self.scroll_offset.y
            spans = [selection.get_span(top + y) for y in crop.line_range]
            strips = [self._selected(*each) for each in zip(strips, spans, strict=True)]
        if crop.column_span != (0, width):
            strips = [strip.crop(*crop.column_span) for strip in strips]
        return strips

    def render_line(self, y: int) -> Strip:
        """A visible line with offsets, which Textual asks for to find what the mouse is on.

        Each offset makes a new style, and Textual keeps thousands of those, so drawn lines have none.
        """
        strip = self._drawn_strip(y, self.size.width)
        return strip.apply_offsets(self.scroll_offset.x, self.scroll_offset.y + y) if self.ALLOW_SELECT else strip

    def _drawn_strip(self, y: int, width: int) -> Strip:
        """A visible line as it is drawn, but for the selection."""
        drawn = self._drawn.get(y)
        if drawn is None or drawn[2].cell_length != width:  # Textual draws at a new size before it sends `Resize`
            line, over = self.line(self.scroll_offset.y + y), self.highlight(self.scroll_offset.y + y)
            drawn = self._drawn[y] = (line, over, self._strip(line, over, width))
        return drawn[2]

    def _selected(self, strip: Strip, span: tuple[int, int] | None) -> Strip:
        if span is None:
            return strip
        return self._filtered(Strip(_restyle(list(strip), *span, self._background("select")), strip.cell_length))

    def _forget(self) -> None:
        super()._forget()
        self._drawn.clear()

    def on_resize(self) -> None:
        self._drawn = {y: drawn for y, drawn in self._drawn.items() if y < self.size.height}
        self.repaint()

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        first = selection.start.y if selection.start else 0
        last = selection.end.y if selection.end else self.virtual_size.height
        drawn: list[str] = []
        for y in range(first, min(last, self.virtual_size.height) + 1):
            if span := selection.get_span(y):
                text = "".join(part for part, _ in self.line(y))
                drawn.append(text[span[0] : None if span[1] == -1 else span[1]].rstrip())
        return "\n".join(drawn), "\n"

    def set_height(self, lines: int) -> None:
        """Set the number of lines to scroll through."""
        # Not assigned, because that would lay out the whole screen; without a scroll bar nothing is placed by it.
        self.set_reactive(Widget.virtual_size, Size(self.size.width, lines))


def _restyle(segments: list[Segment], start: int, end: int, style: Style) -> list[Segment]:
    """Lay a style over the characters from `start` to `end` (-1: to the end of the line)."""
    result: list[Segment] = []
    at = 0
    for text, own, _ in segments:
        low = min(max(start - at, 0), len(text))
        high = len(text) if end == -1 else min(max(end - at, 0), len(text))
        parts = ((text[:low], own), (text[low:high], (own or Style.null()) + style), (text[max(low, high) :], own))
        result.extend(Segment(part, look) for part, look in parts if part)
        at += len(text)
    return result


class Lines(Canvas):
    """A canvas that shows the lines it was given last; it never scrolls."""

    _lines: tuple[Line, ...] = ()

    def line(self, y: int) -> Line:
        return self._lines[y] if y < len(self._lines) else ()

    def show(self, *lines: Line) -> None:
        if lines == self._lines:
            return
        self._lines = lines
        self.set_height(len(lines))
        self.repaint()
