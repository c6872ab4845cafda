from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.geometry import Offset, Region
from textual.selection import Selection
from textual.strip import Strip

from voicelive_tui.ui.painted import TONES, _Piece, changed_columns
from voicelive_tui.ui.scroll_list import ScrollList


def strip(*parts):
    return Strip([Segment(text, Style.parse(style)) for text, style in parts])


LOOKS = ("red", "bold", "none", "red on blue", "on blue", "underline", "red reverse", "reverse")
pieces = st.lists(st.tuples(st.text(alphabet="ab 漢é", min_size=1, max_size=5), st.sampled_from(LOOKS)), max_size=5)


def look(c, style):
    """What is seen of a cell."""
    if c != " " or style is None or style.reverse or style.underline:
        return c, style
    return c, style.bgcolor


def cells(a):
    return [look(c, style) for text, style, _ in a for c in text for _ in range(2 if c == "漢" else 1)]


@given(pieces, pieces)
def test_outside_the_changed_columns_nothing_looks_different(before, after):
    old, new = strip(*before).adjust_cell_length(40), strip(*after).adjust_cell_length(40)
    columns = changed_columns(old, new)
    old_cells, new_cells = cells(old), cells(new)
    if columns is None:
        assert old_cells == new_cells
        return
    start, end = columns
    assert old_cells[:start] == new_cells[:start]
    assert old_cells[end:] == new_cells[end:]
    assert 0 <= start < end <= 40


def test_changed_columns_of_a_wide_character():
    assert changed_columns(strip(("a漢b", "none")), strip(("a漢c", "none"))) == (3, 4)
    assert changed_columns(strip(("a漢b", "none")), strip(("axyb", "none"))) == (1, 3)
    assert changed_columns(strip(("ab", "red")), strip(("a", "red"), ("b", "red"))) is None
    assert changed_columns(strip(("cafe", "red"), ("\u0301 x", "none")), strip(("cafe", "red"), (" x", "none"))) == (
        3,
        4,
    )


@given(st.text(alphabet="ab 漢é…“", max_size=8), st.integers(0, 20))
def test_a_drawn_line_is_divided_as_rich_does_it(text, cut):
    assert _Piece(text, Style()).split_cells(cut) == Segment(text, Style()).split_cells(cut)


class Tones(ScrollList):
    """Two lines, each with a word in every tone."""

    count = 2

    def line(self, y):
        return tuple((f"{tone}|", tone) for tone in TONES) if y < 2 else ()


class TonesApp(App[None]):
    def compose(self):
        yield Tones()


@asynccontextmanager
async def tones(theme):
    """The list in a theme, with the cursor on its first line."""
    app = TonesApp()
    app.theme = theme
    async with app.run_test(size=(200, 3)) as pilot:
        view = app.query_one(Tones)
        view.go_to(0)
        await pilot.pause()
        yield pilot


def looks(view, y):
    """What is seen of each character: the colours of sign and ground, and whether it is underlined."""
    seen = []
    for words, style, _ in view.render_lines(Region(0, y, view.size.width, 1))[0]:
        # The terminal's default is one colour for signs and another for their ground.
        pair = [
            color if color and not color.is_default else default
            for color, default in ((style.color, "sign"), (style.bgcolor, "ground"))
        ]
        seen += [(*(pair[::-1] if style.reverse else pair), style.reverse, bool(style.underline))] * len(words)
    return seen


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light"])
async def test_the_cursor_is_reversed_in_the_terminal_s_own_colours(theme):
    async with tones(theme) as pilot:
        view = pilot.app.query_one(Tones)
        under, other = looks(view, 0), looks(view, 1)
        assert all(reverse and sign != ground for sign, ground, reverse, _ in under)
        assert not other[0][2]
        assert len(under) == len(other) == 200
        assert under[-1] != other[-1], "the rest of the line is reversed too"


async def test_a_word_that_was_searched_for_is_seen_on_the_cursor_s_line():
    async with tones("textual-dark") as pilot:
        under, other = (looks(pilot.app.query_one(Tones), y) for y in (0, 1))
        at = "".join(f"{tone}|" for tone in TONES).index("select|")
        assert under[at] == other[at]
        assert under[at] not in under[:at]


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light", "textual-dark"])
async def test_a_selection_is_seen_on_the_cursor_s_line_and_beside_it(theme):
    async with tones(theme) as pilot:
        view = pilot.app.query_one(Tones)
        before = [looks(view, y) for y in (0, 1)]
        pilot.app.screen.selections = {view: Selection(Offset(2, 0), Offset(20, 1))}
        await pilot.pause()
        after = [looks(view, y) for y in (0, 1)]
        at = "".join(f"{tone}|" for tone in TONES).index("select|")  # which looks selected without it
        kept = set(before[0][at : at + len("select|")])
        assert all(old != new or old in kept for old, new in zip(before[0][2:], after[0][2:], strict=True))
        assert all(old != new for old, new in zip(before[1][:20], after[1][:20], strict=True))
        assert before[1][20:] == after[1][20:]
        assert all(sign != ground for line in after for sign, ground, *_ in line)


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light", "textual-dark", "textual-light"])
async def test_words_unheard_found_warned_and_wrong_differ_by_more_than_a_hue(theme):
    async with tones(theme) as pilot:
        (strip,) = pilot.app.query_one(Tones).render_lines(Region(0, 1, 200, 1))
        look = {segment.text.rstrip("| "): segment.style for segment in strip}
        assert look["unheard"].italic
        assert look["unheard"].dim or look["unheard"].color != look["text"].color  # a terminal may have no italics
        assert [tone for tone in ("text", "select", "warn", "bad") if look[tone].bold] == ["select", "bad"]
        assert {look["warn"].color.number, look["bad"].color.number} in ({1, 3}, {None})


async def test_where_colours_are_mixed_the_cursor_is_a_ground_of_its_own():
    app = TonesApp()
    app.theme = "textual-dark"
    async with app.run_test(size=(200, 3)) as pilot:
        view = app.query_one(Tones)
        view.go_to(0)
        await pilot.pause()
        under, other = looks(view, 0), looks(view, 1)
        assert not under[0][2]
        assert under[0][1] != other[0][1]
