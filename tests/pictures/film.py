"""A film of the program: one SVG, animated by SMIL, made of the pictures that a Textual app exports.

A line that looks the same at several times or places of the screen is kept once. Viewers without animation show the
last picture.
"""

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from rich.cells import cell_len

_SVG = "{http://www.w3.org/2000/svg}"
_PITCH, _CELL = 24.4, 12.2  # the size of a cell in Rich's pictures
_FONT = "text{font:20px Fira Code,Menlo,Consolas,DejaVu Sans Mono,monospace;white-space:pre}"
_TITLE = ".title{font:bold 18px arial}rect{shape-rendering:crispEdges}"


class Film:
    """Pictures in the order of their times."""

    def __init__(self) -> None:
        self._head = ""
        self._frame = ""
        self._classes: dict[str, str] = {}  # by style
        self._lines: dict[str, str] = {}  # ids, by content
        self._places: list[list[tuple[float, str]]] = []  # for each line of the screen: since when it shows what

    def add(self, picture: str, at: float) -> None:
        """Add a picture that Textual exported; `at` is its time in seconds."""
        root = ET.fromstring(picture)
        if not self._head:
            self._head = f'viewBox="{root.attrib["viewBox"]}"'
            self._frame = _between(picture, "</defs>", '<g transform="translate(9, 41)"')
            self._frame = re.sub(r'class="[\w-]+-title"', 'class="title"', self._frame)
        for place, content in enumerate(self._contents(root)):
            if place == len(self._places):
                self._places.append([])
            line = self._lines.setdefault(content, f"l{len(self._lines)}")
            if not self._places[place] or self._places[place][-1][1] != line:
                self._places[place].append((at, line))

    def svg(self, seconds: float) -> str:
        """The whole film, which lasts so long and then begins again."""
        styles = "".join(f".{name}{{{style}}}" for style, name in self._classes.items())
        kept = "".join(f'<g id="{name}">{content}</g>' for content, name in self._lines.items())
        shown = "".join(
            _use(place, line, intervals, seconds)
            for place, changes in enumerate(self._places)
            for line, intervals in _intervals(changes, seconds).items()
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {self._head}><style>{_FONT}{_TITLE}{styles}</style>'
            f'<defs>{kept}</defs>{self._frame}<g transform="translate(9,41)">{shown}</g></svg>\n'
        )

    def _contents(self, root: ET.Element) -> Iterator[str]:
        """Each line of a picture: its backgrounds, then its texts."""
        styles = dict(re.findall(r"-(r\d+) \{ (.*?) \}", root.findtext(f"{_SVG}style") or ""))
        screen = next(group for group in root.iter(f"{_SVG}g") if group.get("transform") == "translate(9, 41)")
        height = round(float(root.attrib["viewBox"].split()[3]))
        backgrounds: list[list[tuple[float, float, str]]] = [[] for _ in range(int(height / _PITCH))]
        texts: list[str] = [""] * len(backgrounds)
        for rect in screen.findall(f"{_SVG}rect"):
            x, y, width = (float(rect.attrib[name]) for name in ("x", "y", "width"))
            row = backgrounds[round((y - 1.5) / _PITCH)]
            if row and row[-1][2] == rect.attrib["fill"] and abs(row[-1][0] + row[-1][1] - x) < 1:
                x, width = row[-1][0], x + width - row.pop()[0]
            row.append((x, width, rect.attrib["fill"]))
        for text in screen.iter(f"{_SVG}text"):
            if words := (text.text or "").strip("\xa0\n "):  # some viewers drop spaces at the edges of a text
                style = styles[text.attrib["class"].rpartition("-")[2]]
                name = self._classes.setdefault(style, f"c{len(self._classes)}")
                indent = len(text.text or "") - len((text.text or "").lstrip("\xa0"))
                x = _number(float(text.attrib["x"]) + indent * _CELL)
                at = round((float(text.attrib["y"]) - 20) / _PITCH)
                wide = _number(cell_len(words) * _CELL)
                texts[at] += f'<text class="{name}" x="{x}" y="20" textLength="{wide}">{escape(words)}</text>'
        for row, words in zip(backgrounds, texts, strict=True):
            yield (
                "".join(
                    f'<rect fill="{fill}" x="{_number(x)}" y="1.5" width="{_number(width)}" height="24.65"/>'
                    for x, width, fill in row
                )
                + words
            )


def _between(text: str, start: str, end: str) -> str:
    return text.partition(start)[2].partition(end)[0].strip()


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _intervals(changes: list[tuple[float, str]], seconds: float) -> dict[str, list[tuple[float, float]]]:
    """When each line is shown, as parts of the whole from 0 to 1."""
    found: dict[str, list[tuple[float, float]]] = {}
    ends = [at for at, _ in changes[1:]] + [seconds]
    for number, ((at, line), end) in enumerate(zip(changes, ends, strict=True)):
        found.setdefault(line, []).append((at / seconds if number else 0.0, end / seconds))
    return found


def _use(place: int, line: str, intervals: list[tuple[float, float]], seconds: float) -> str:
    """A line at a place of the screen, visible in these intervals."""
    where = f'<use href="#{line}" y="{_number(place * _PITCH)}"'
    if intervals == [(0.0, 1.0)]:
        return f"{where}/>"
    keys = {0.0: "hidden"}
    for start, end in intervals:
        keys[start] = "visible"
        if end < 1:
            keys[end] = "hidden"
    times, values = ";".join(f"{key:.4g}" for key in keys), ";".join(keys.values())
    last = "" if intervals[-1][1] == 1 else ' visibility="hidden"'
    return (
        f'{where}{last}><animate attributeName="visibility" values="{values}" keyTimes="{times}" calcMode="discrete" '
        f'dur="{seconds:g}s" repeatCount="indefinite"/></use>'
    )
