"""What a running app shows, as plain text: read from the picture that the program itself exports."""

import re
import string
from html import unescape

from rich.cells import cell_len
from textual.app import App

_TEXT = re.compile(r'<text[^>]* x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>')
_STYLED = re.compile(r'<text class="[\w-]+-(r\d+)" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>')
_RULE = re.compile(r"-(r\d+) \{ ([^}]*) \}")
_BACKGROUND = re.compile(r'<rect fill="(#\w+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"')
_TITLE = re.compile(r'<text class="[^"]*-title".*?</text>')
_CELL, _LINE = 12.2, 24.4
_LETTERS = string.ascii_letters + string.digits


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
        index = round((y - 20) / _LINE)
        result += [""] * (index - len(result)) + [line]
    return "\n".join(result)


def screen_styles(app: App[object]) -> str:
    """The looks of the screen's cells, a letter for each, and what each letter stands for.

    Of a space only its background counts.
    """
    picture = app.export_screenshot()
    rules = dict(_RULE.findall(picture))
    matrix = picture[picture.index('class="') :]
    grounds: dict[tuple[int, int], str] = {}
    for fill, x, y, width in _BACKGROUND.findall(matrix):
        first, row = round(float(x) / _CELL), round((float(y) - 1.5) / _LINE)
        grounds |= dict.fromkeys(((row, first + cell) for cell in range(round(float(width) / _CELL))), f"on {fill}")
    looks = dict(grounds)
    for rule, x, y, text in _STYLED.findall(matrix):
        column, row = round(float(x) / _CELL), round((float(y) - 20) / _LINE)
        for character in unescape(text).replace("\xa0", " "):
            if character != " ":
                looks[row, column] = f"{rules[rule]} {grounds.get((row, column), '')}".rstrip()
            column += cell_len(character)
    letters: dict[str, str] = {}
    lines: list[str] = []
    for row in range(app.size.height):
        at = (looks.get((row, column), "") for column in range(app.size.width))
        lines.append("".join(letters.setdefault(look, _LETTERS[len(letters)]) if look else " " for look in at).rstrip())
    return "\n".join((*lines, *(f"{letter}: {look}" for look, letter in letters.items())))
