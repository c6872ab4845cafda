"""Drawing: lines on demand, and to the terminal only the cells that changed.

Rules of this module:

- `Canvas.line(y)` returns line `y` of the content; it is called for visible lines only, when they are drawn.
- Damage tracking: `Canvas.repaint()` compares the visible lines with those drawn, and refreshes the cells between
  the first and the last difference of each line. New content causes no other refresh.
- Textual asks every widget for all of its lines, however little changed. A canvas therefore keeps its drawn lines until
  their content changes, and containers are `BLANK`.
- Tones are no component classes: a set of those took a third of the start for each canvas, and 5 ms for the screen.
- Textual calls `on_resize` of every class of a widget, the subclass first: none of them calls its base's.
"""

from itertools import zip_longest
from typing import Self

from rich.cells import cell_len, set_cell_size
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.color import Color as ThemeColor
from textual.containers import Horizontal, Vertical
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style as VisualStyle
from textual.widget import Widget

from voicelive_tui.ui.text import Line

TONES = {
    "text": "",
    "dim": "auto 60%",  # $text-muted, of whose value `parse_style` loses the percentage
    "faint": "$foreground 38%",
    "strong": "bold",
    "accent": "$accent",
    "good": "$success",
    "warn": "$warning",
    "bad": "bold $error",
    "user": "bold $primary",
    "assistant": "bold $success",
    "unheard": "italic $foreground 50%",
    "cursor": "on $accent 22%",
    "title": "bold $accent",
    "input": "$primary",
    "item": "$secondary",
    "chip": "bold $foreground on $foreground 15%",
    "chip-accent": "bold reverse $accent",
    "chip-good": "bold reverse $success",
    "chip-warn": "bold reverse $warning",
    "chip-bad": "bold reverse $error",
    "bar": "reverse $success",
    "bar-warn": "reverse $warning",
    "bar-bad": "reverse $error",
    "track": "on $foreground 8%",
    "select": "bold on $accent 45%",
}
"""The style of each tone on the widget's background, as Textual writes styles."""
_LIGHT = {"unheard": "italic $foreground 65%"}
_ANSI = {
    # The terminal's own colours cannot be mixed, and a text in the colour of its ground cannot be read.
    "cursor": "reverse",
    "select": "bold underline reverse",
    "dim": "dim $foreground",
    "faint": "dim $foreground",
    "unheard": "dim italic $foreground",
    "chip": "bold reverse $foreground",
    "track": "",
    # Textual's warning is a light red in ansi-light.
    "warn": "ansi_yellow",
    "chip-warn": "bold reverse ansi_yellow",
    "bar-warn": "reverse ansi_yellow",
}
_INVISIBLE_ON_SPACES = frozenset(
    "dim faint strong accent good warn bad user assistant unheard title input item".split()
)


class VerticalGround(Vertical):
    """Lays its children out one under another; drawn as one blank line."""

    BLANK = True


class HorizontalGround(Horizontal):
    """Lays its children out side by side; drawn as one blank line."""

    BLANK = True


class Canvas(ScrollView, can_focus=False):
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
        self._styles: dict[str, Style] = {}
        self._known_backdrop: ThemeColor | None = None

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

    def _filtered(self, strip: Strip) -> Strip:
        """Apply the filters of Textual that every line passes: no colours, or only those that the terminal has."""
        for each in self.get_line_filters():
            strip = strip.apply_filter(each, self._backdrop)
        return strip

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """See Textual. Without a region, styles may have changed."""
        if not regions:
            self._forget()
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._forget()

    def _forget(self) -> None:
        self._drawn.clear()
        self._styles.clear()
        self._known_backdrop = None

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

    def _strip(self, line: Line, over: str, width: int) -> Strip:
        laid_over = self._background(over) if over else Style.null()
        # What was searched for is seen on the cursor's line too.
        looks = {tone: self._tone(tone) + (Style.null() if tone == "select" else laid_over) for _, tone in line}
        segments = [Segment(text, looks[tone]) for text, tone in line if text]
        # A line is filled up in its last tone where that shows on spaces no more than the plain one: bytes saved.
        fill = line[-1][1] if line and line[-1][1] in _INVISIBLE_ON_SPACES else "text"
        strip = Strip(segments).adjust_cell_length(width, self._tone(fill) + laid_over).simplify()
        return Strip([_Piece(*segment) for segment in self._filtered(strip)], width)

    def _tone(self, tone: str) -> Style:
        style = self._styles.get(tone)
        if style is None:
            style = self._styles[tone] = self._look(tone)
        return style

    @property
    def _backdrop(self) -> ThemeColor:
        """The colour of what is under the text; found by a walk up to the screen."""
        if self._known_backdrop is None:
            self._known_backdrop = self.background_colors[1]
        return self._known_backdrop

    def _look(self, tone: str) -> Style:
        """A tone on this widget's background."""
        app = self.app
        special = _ANSI if app.native_ansi_color else {} if app.current_theme.dark else _LIGHT
        look = app.stylesheet.parse_style(special.get(tone, TONES[tone]))
        return self.rich_style + (VisualStyle(background=self._backdrop) + look).rich_style

    def set_height(self, lines: int) -> None:
        """Set the number of lines to scroll through."""
        # Not assigned, because that would lay out the whole screen; without a scroll bar nothing is placed by it.
        self.set_reactive(Widget.virtual_size, Size(self.size.width, lines))

    def _background(self, tone: str) -> Style:
        look = self._tone(tone)
        # Without colours the selection would not be seen, nor on the cursor's line where both are reversed.
        underline = tone == "select" and (self.app.no_color or self.app.native_ansi_color)
        if look.reverse:  # colours of the text would become backgrounds
            return Style(color=look.color, bgcolor=look.bgcolor, reverse=True, dim=False, underline=underline)
        return Style(bgcolor=look.bgcolor, underline=underline)


class _Piece(Segment):
    """A segment that Textual divides, as it does to write a part of a line, without rich's memory of former divisions.

    That keeps 16,384 of them with their texts: a demo's lines took 1.3 MB more every ten minutes, for hours.
    """

    __slots__ = ()

    def split_cells(self, cut: int) -> tuple[Segment, Segment]:
        text, style, control = self
        left = set_cell_size(text, min(cut, self.cell_length))
        halved = not text.startswith(left)  # a wide character, which becomes two spaces
        right = " " * halved + text[len(left) :]
        return _Piece(left, style, control), _Piece(right, style, control)


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


def changed_columns(old: Strip, new: Strip) -> tuple[int, int] | None:
    """The first column where two strips look different and the one after the last, or None where they look the same."""
    before, after = list(old), list(new)
    at, last = 0, None
    while before and after and before[0] == after[0]:
        last = before.pop(0)
        after.pop(0)
        at += last.cell_length
    if last and not all(rest[0].text[:1].isascii() for rest in (before, after) if rest):
        at -= last.cell_length  # what follows may be a mark on its last character
        before.insert(0, last)
        after.insert(0, last)
    while before and after and before[-1] == after[-1]:
        before.pop()
        after.pop()
    cells = zip_longest(_cells(before), _cells(after))
    different = [x for x, (a, b) in enumerate(cells, at) if a != b]
    return (different[0], different[-1] + 1) if different else None


def _cells(segments: list[Segment]) -> list[tuple[str, Style | Color | None]]:
    """Character and look of each cell; the second cell of a wide character is empty text."""
    cells: list[tuple[str, Style | Color | None]] = []
    for text, style, _ in segments:
        # Of a space only its background is seen, unless it is more than a space.
        plain = style is not None and not (style.reverse or style.underline or style.strike)
        space = style.bgcolor if style is not None and plain else style
        if text.isascii():
            cells.extend((character, space if character == " " else style) for character in text)
            continue
        for character in text:
            width = cell_len(character)
            if width:
                cells.append((character, space if character == " " else style))
                cells.extend([("", style)] * (width - 1))
            elif cells:
                cells[-1] = (cells[-1][0] + character, style)
    return cells


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
