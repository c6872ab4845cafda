"""What a running app shows, as plain text: read from the picture that the program itself exports."""

import re
from html import unescape

from rich.cells import cell_len
from textual.app import App

from voicelive_tui.ui.canvas import TonedScreen

_TEXT = re.compile(r'<text[^>]* x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>')
_TITLE = re.compile(r'<text class="[^"]*-title".*?</text>')
_CELL = 12.2


class TonedApp(App[None]):
    """An app for a canvas or two."""

    def get_default_screen(self) -> TonedScreen:
        return TonedScreen()


def screen_text(app: App[object]) -> str:
    """The screen's lines, right ends stripped."""
    picture = app.export_screenshot()
    rows: dict[float, dict[int, str]] = {}
    matrix = picture[picture.index('class="') :]
    for x, y, text in _TEXT.findall(_TITLE.sub("", matrix)):
        words = unescape(text).replace("\xa0", " ")
        column = round(float(x) / _CELL)
        for character in words:
            rows.setdefault(float(y), {})[column] = character
            column += cell_len(character)
    lines = []
    for y in sorted(rows):
        row, line = rows[y], ""
        for column in sorted(row):
            line += " " * (column - cell_len(line)) + row[column]
        lines.append((y, line.rstrip()))
    # The picture leaves lines without text out; their place is known from the distance of the others.
    result: list[str] = []
    for y, line in lines:
        index = round((y - 20) / 24.4)
        result += [""] * (index - len(result)) + [line]
    return "\n".join(result)
