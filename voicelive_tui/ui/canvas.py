"""Drawing: lines on demand, and to the terminal only the cells that changed.

Rules of this file:

- `Canvas.line(y)` says what line `y` of the content is; it is asked for visible lines only, when they are drawn.
- The looks of the tones are kept once, by the screen (`TonedScreen`): a set for each canvas took a third of the time
  until the dashboard stood.
- Textual calls `on_resize` of every class of a widget, the most special first: none of them calls its base's.
- `Canvas.repaint()` compares what the visible lines are now with what was drawn, and refreshes the cells between the
  first and the last difference of each line. Nobody else asks for a refresh because of new content.
- `ScrollList` adds following, a cursor and half-page moves. While it follows and is full it moves by half a page:
  scrolling by a row writes nearly the whole pane, so it should be rare.
"""

from itertools import zip_longest
from typing import ClassVar

from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.screen import Screen
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from voicelive_tui.ui.text import Line

TONES = (
    "text", "dim", "faint", "strong", "accent", "good", "warn", "bad", "user", "assistant", "unheard", "cursor",
    "chip", "chip-accent", "chip-good", "chip-warn", "chip-bad", "bar", "bar-warn", "bar-bad", "track", "select",
)  # fmt: skip
"""Every tone has a component class `canvas--<tone>` in the style sheet of `TonedScreen`."""
_INVISIBLE_ON_SPACES = frozenset(
    ("dim", "faint", "strong", "accent", "good", "warn", "bad", "user", "assistant", "unheard")
)


class TonedScreen(Screen[None]):
    """A screen that can show canvases: it knows how each tone looks."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"canvas--{tone}" for tone in TONES}
    DEFAULT_CSS = """
    TonedScreen {
        & > .canvas--dim { color: $text-muted; }
        & > .canvas--faint { color: $foreground 38%; }
        & > .canvas--strong { text-style: bold; }
        & > .canvas--accent { color: $accent; }
        & > .canvas--good { color: $success; }
        & > .canvas--warn { color: $warning; }
        & > .canvas--bad { color: $error; text-style: bold; }
        & > .canvas--user { color: $primary; text-style: bold; }
        & > .canvas--assistant { color: $success; text-style: bold; }
        & > .canvas--unheard { color: $foreground 50%; text-style: italic; }
        & > .canvas--cursor { background: $accent 22%; }
        & > .canvas--chip { color: $foreground; background: $surface-lighten-2; text-style: bold; }
        & > .canvas--chip-accent { color: $accent; text-style: bold reverse; }
        & > .canvas--chip-good { color: $success; text-style: bold reverse; }
        & > .canvas--chip-warn { color: $warning; text-style: bold reverse; }
        & > .canvas--chip-bad { color: $error; text-style: bold reverse; }
        & > .canvas--bar { color: $success; text-style: reverse; }
        & > .canvas--bar-warn { color: $warning; text-style: reverse; }
        & > .canvas--bar-bad { color: $error; text-style: reverse; }
        & > .canvas--track { background: $foreground 8%; }
        & > .canvas--select { background: $accent 45%; }
        /* The terminal's own colours cannot be mixed with one another, and one on itself cannot be read. */
        &:ansi > .canvas--cursor, &:ansi > .canvas--select { background: ansi_default; text-style: reverse; }
        &:ansi > .canvas--track { background: ansi_bright_black; }
    }
    """


class Canvas(ScrollView, can_focus=False):
    """A widget that draws `Line`s. No border and no padding of its own: cells are counted from its corner."""

    ALLOW_SELECT = False
    ALLOW_MAXIMIZE = False
    DEFAULT_CSS = "Canvas { overflow: hidden scroll; scrollbar-size: 0 0; background: transparent; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id, classes=classes)
        self._drawn: dict[int, tuple[Line, str, Strip]] = {}
        self._styles: dict[str, Style] = {}
        self._drawing = False

    def line(self, y: int) -> Line:
        """What line `y` of the content is; an empty line beyond its end."""
        raise NotImplementedError

    def highlight(self, y: int) -> str:
        """A tone laid over the whole of line `y`, or "" for none."""
        return ""

    def repaint(self) -> None:
        """Refresh the cells of the visible lines that are not as they were drawn."""
        if not self.is_attached:
            return
        width, height = self.size
        top = self.scroll_offset.y
        for y in range(height):
            drawn = self._drawn.get(y)
            line, over = self.line(top + y), self.highlight(top + y)
            if drawn is None:
                self.refresh(Region(0, y, width, 1))
            elif (line, over) != drawn[:2]:
                strip = self._strip(line, over, width)
                if columns := changed_columns(drawn[2], strip):
                    self.refresh(Region(columns[0], y, columns[1] - columns[0], 1))
                else:
                    self._drawn[y] = (line, over, strip)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolled: cells that look the same as before stay, where Textual's own would write all of them anew."""
        if self.text_selection:
            self.refresh()
        else:
            self.repaint()

    def render_line(self, y: int) -> Strip:
        """Textual asks for one visible line."""
        content_y = self.scroll_offset.y + y
        line, over = self.line(content_y), self.highlight(content_y)
        strip = self._strip(line, over, self.size.width)
        self._drawn[y] = (line, over, strip)
        if not self.ALLOW_SELECT:
            return strip
        if (selection := self.text_selection) and (span := selection.get_span(content_y)):
            strip = Strip(_restyle(list(strip), *span, self._background("select")), strip.cell_length)
        return strip if self._drawing else strip.apply_offsets(self.scroll_offset.x, content_y)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines as they are drawn: without the offsets by which a selection is found, which make each a new style.

        Textual keeps thousands of styles. The mouse asks `render_line` itself for the line it is on.
        """
        self._drawing = True
        try:
            return super().render_lines(crop)
        finally:
            self._drawing = False

    def notify_style_update(self) -> None:
        """Colours changed: what was drawn says nothing any more."""
        super().notify_style_update()
        self._forget()

    def _forget(self) -> None:
        self._drawn.clear()
        self._styles.clear()

    def on_resize(self) -> None:
        """Lines are cut to the width, so all of them are new."""
        self._forget()

    def selection_updated(self, selection: Selection | None) -> None:
        """The mouse selected other text."""
        self.refresh()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text, as drawn."""
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
        segments = [Segment(text, self._tone(tone) + laid_over) for text, tone in line if text]
        # A line is filled up in its last tone where that shows on spaces no more than the plain one: bytes saved.
        fill = line[-1][1] if line and line[-1][1] in _INVISIBLE_ON_SPACES else "text"
        return Strip(segments).adjust_cell_length(width, self._tone(fill) + laid_over).simplify()

    def _tone(self, tone: str) -> Style:
        style = self._styles.get(tone)
        if style is None:
            style = self._styles[tone] = self._look(tone)
        return style

    def _look(self, tone: str) -> Style:
        """A tone on this widget's background."""
        look = self.screen.get_component_styles(f"canvas--{tone}")
        background = self.background_colors[1]
        style = self.rich_style + look.text_style
        if look.has_rule("background"):
            background += look.background
            style += Style(bgcolor=background.rich_color)
        if look.has_rule("color"):
            color = background.get_contrast_text(look.color.a) if look.auto_color else look.color
            style += Style(color=(background + color).rich_color)
        return style

    def set_height(self, lines: int) -> None:
        """How many lines there are to scroll through."""
        # Without a scroll bar nothing else is placed by it. Assigned, it would lay the whole screen out anew each time.
        self.set_reactive(Widget.virtual_size, Size(self.size.width, lines))

    def _background(self, tone: str) -> Style:
        look = self._tone(tone)
        # Without colours the selection would not be seen, nor on the cursor's line where both are reversed.
        underline = tone == "select" and (self.app.no_color or self.app.native_ansi_color)
        return Style(bgcolor=look.bgcolor, reverse=look.reverse or None, underline=underline)


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
    if old == new:
        return None
    before, after = _cells(old), _cells(new)
    different = [x for x, (a, b) in enumerate(zip_longest(before, after)) if a != b]
    return (different[0], different[-1] + 1) if different else None


def _cells(strip: Strip) -> list[tuple[str, Style | Color | None]]:
    """Character and look of each cell; the second cell of a wide character is empty text."""
    cells: list[tuple[str, Style | Color | None]] = []
    for text, style, _ in strip:
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
    """A canvas that shows the lines it was given last."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id, classes=classes)
        self._lines: tuple[Line, ...] = ()

    def line(self, y: int) -> Line:
        """See `Canvas.line`."""
        return self._lines[y] if y < len(self._lines) else ()

    def show(self, *lines: Line) -> None:
        """Show these lines from now on."""
        if lines == self._lines:
            return
        self._lines = lines
        self.set_height(len(lines))
        self.repaint()


class ScrollList(Canvas, can_focus=True):
    """A canvas of many items, one under another, with a cursor; it follows its end until the user looks elsewhere.

    A subclass says how many items there are (`count`) and, where an item takes more lines than one, at which line
    each begins (`top_of`). After every change of its items it calls `items_changed`.
    """

    ALLOW_SELECT = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="list.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="list.down"),
        Binding("ctrl+u,pageup", "half_page(-1)", "Half a page up", show=False, id="list.half_page_up"),
        Binding("ctrl+d,pagedown", "half_page(1)", "Half a page down", show=False, id="list.half_page_down"),
        Binding("g,home", "first", "First", show=False, id="list.first"),
        Binding("G,end", "last", "Last, and follow", show=False, id="list.last"),
        Binding("enter", "open", "Open", show=False, id="list.open"),
    ]

    class Moved(Message):
        """The cursor moved, or following began or ended."""

    class Opened(Message):
        """An item was chosen."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self.following = True
        self.cursor: int | None = None
        """The item under the cursor; None while following."""
        self.step = 0.5
        """Share of the pane that a full list moves by while it follows."""

    @property
    def count(self) -> int:
        """How many items there are."""
        raise NotImplementedError

    def top_of(self, index: int) -> int:
        """The line where an item begins; for `count`, the number of lines."""
        return index

    @property
    def height(self) -> int:
        """How many lines there are; more than the items take where something stands below the last one."""
        return self.top_of(self.count)

    def item_at(self, y: int) -> int | None:
        """The item that line `y` belongs to."""
        return y if 0 <= y < self.count else None

    def highlight(self, y: int) -> str:
        """The item under the cursor stands out."""
        return "cursor" if self.cursor is not None and self.item_at(y) == self.cursor else ""

    def items_changed(self) -> None:
        """Items were added, changed or went: scroll where following asks for it, and repaint."""
        height, total = self.size.height, self.height
        if not height:
            return
        if self.cursor is not None and self.cursor >= self.count:
            self.cursor = self.count - 1 if self.count else None
        top = self.scroll_offset.y
        if self.following and total > top + height:
            beyond, step = total - top - height, max(int(height * self.step), 1)
            top = top + step if beyond <= step else total - height
        elif self.following and total <= top:
            top = max(total - height, 0)
        # Following, the end of the list may stand in the middle of the pane: the room below is for what comes next.
        self.set_height(max(total, top + height) if self.following else total)
        if top == self.scroll_offset.y:
            self.repaint()
        else:
            self.scroll_to(y=top, animate=False)  # which repaints

    def on_resize(self) -> None:
        """Keep the end, or the cursor, in view."""
        self.items_changed()
        if self.cursor is not None:
            self.go_to(self.cursor)

    def go_to(self, index: int) -> None:
        """Put the cursor on an item, bring it into view and stop following."""
        if not self.count:
            return
        self.following = False
        self.cursor = min(max(index, 0), self.count - 1)
        height, top = self.size.height, self.scroll_offset.y
        first, last = self.top_of(self.cursor), self.top_of(self.cursor + 1)
        self.set_height(max(self.height, top + min(height, last - top)))
        if first < top or last > top + height:
            self.scroll_to(y=max(min(first, last - height // 2 if last > top + height else first), 0), animate=False)
        self.repaint()
        self.post_message(self.Moved())

    def follow(self, following: bool) -> None:
        """Begin or end following."""
        self.following = following
        if following:
            self.cursor = None
            self.scroll_to(y=max(self.height - self.size.height, 0), animate=False)
        self.items_changed()
        self.post_message(self.Moved())

    def action_move(self, step: int) -> None:
        """Move the cursor by items; from following, begin with the last one."""
        self.go_to(self.count - 1 if self.cursor is None else self.cursor + step)

    def action_half_page(self, direction: int) -> None:
        """Move the cursor by half a page of lines."""
        if not self.count:
            return
        start = self.count - 1 if self.cursor is None else self.cursor
        y = self.top_of(start) + direction * max(self.size.height // 2, 1)
        found = self.item_at(min(max(y, 0), self.top_of(self.count) - 1))
        self.go_to(start + direction if found == start or found is None else found)

    def action_first(self) -> None:
        """Go to the first item."""
        self.go_to(0)

    def action_last(self) -> None:
        """Go to the end and stay there."""
        self.follow(True)

    def action_open(self) -> None:
        """Open the item under the cursor, or the last one."""
        if self.cursor is None:
            self.action_move(0)
        if self.cursor is not None:
            self.post_message(self.Opened(self.cursor))

    def on_mouse_scroll_up(self) -> None:
        """The wheel looks back: stop following."""
        if self.following and self.scroll_offset.y > 0:
            self.follow(False)

    def on_mouse_scroll_down(self) -> None:
        """The wheel reached the end: follow again."""
        if not self.following and self.scroll_offset.y + self.size.height >= self.height:
            self.follow(True)

    def on_click(self, event: events.Click) -> None:
        """A click puts the cursor on an item, a second one opens it."""
        index = self.item_at(event.y + self.scroll_offset.y)
        if index is None or self.screen.get_selected_text():
            return
        self.go_to(index)
        if event.chain == 2:
            self.post_message(self.Opened(index))
