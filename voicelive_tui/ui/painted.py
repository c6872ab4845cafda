"""Lines of text in the tones of the theme, as the strips that Textual draws, and which of their cells changed.

Tones are no component classes: a set of those took a third of the start for each widget, and 5 ms for the screen.
"""

from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Self

from rich.cells import cell_len, set_cell_size
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.color import Color as ThemeColor
from textual.geometry import Region
from textual.strip import Strip
from textual.style import Style as VisualStyle

from voicelive_tui.ui.text import Line

if TYPE_CHECKING:
    from textual.widget import Widget
else:
    Widget = object  # Textual takes styles and bindings from the first base that is a widget

TONES = {
    "text": "",
    "dim": "auto 60%",  # $text-muted, of whose value `parse_style` loses the percentage
    "faint": "$foreground 38%",
    "edge": "$foreground 25%",
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
    "edge": "ansi_bright_black",
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


class Painted(Widget):
    """Makes the strips of a widget; comes before the widget among the bases of a class."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._styles: dict[str, Style] = {}
        self._known_ground: tuple[Style, ThemeColor] | None = None

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """See Textual. Without a region, styles may have changed."""
        if not regions:
            self._forget()
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._forget()

    def _forget(self) -> None:
        self._styles.clear()
        self._known_ground = None

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
    def _ground(self) -> tuple[Style, ThemeColor]:
        """The style of plain text, and the colour under it; each is found by a walk up to the screen."""
        if self._known_ground is None:
            self._known_ground = self.rich_style, self.background_colors[1]
        return self._known_ground

    def _look(self, tone: str) -> Style:
        """A tone on this widget's background."""
        app = self.app
        special = _ANSI if app.native_ansi_color else {} if app.current_theme.dark else _LIGHT
        look = app.stylesheet.parse_style(special.get(tone, TONES[tone]))
        plain, backdrop = self._ground
        return plain + (VisualStyle(background=backdrop) + look).rich_style

    def _filtered(self, strip: Strip) -> Strip:
        """Apply the filters of Textual that every line passes: no colours, or only those that the terminal has."""
        for each in self.get_line_filters():
            strip = strip.apply_filter(each, self._ground[1])
        return strip

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
