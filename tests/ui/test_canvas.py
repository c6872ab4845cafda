import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Offset, Region
from textual.selection import Selection
from textual.strip import Strip

from tests.ui.screens import TonedApp
from voicelive_tui.ui.canvas import TONES, Lines, ScrollList, changed_columns


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


class Recorder(Lines):
    """Notes which regions it is asked to refresh."""

    def __init__(self):
        super().__init__(id="lines")
        self.asked = []

    def refresh(self, *regions, **options):
        self.asked += regions
        return super().refresh(*regions, **options)


async def test_only_changed_cells_are_refreshed():
    class TheApp(TonedApp):
        def compose(self):
            yield Recorder()

    app = TheApp()
    async with app.run_test(size=(40, 3)) as pilot:
        lines = app.query_one(Recorder)
        lines.show((("level ", "dim"), ("-18", "text"), (" same", "dim")), (("second", "text"),))
        await pilot.pause()
        lines.asked.clear()
        lines.show((("level ", "dim"), ("-17", "text"), (" same", "dim")), (("second", "text"),))
        assert lines.asked == [Region(8, 0, 1, 1)]
        await pilot.pause()
        lines.asked.clear()
        lines.show((("level ", "dim"), ("-17", "text"), (" same", "dim")), (("second", "text"),))
        assert lines.asked == []
        lines.show((("level ", "dim"), ("-17", "text"), (" same", "dim")), (("second", "chip"),))
        assert lines.asked == [Region(0, 1, 6, 1)]


class Numbers(ScrollList):
    def __init__(self):
        super().__init__(id="numbers")
        self.total = 0

    @property
    def count(self):
        return self.total

    def line(self, y):
        return ((f"line {y}", "text"),) if y < self.total else ()

    def grow(self, count):
        self.total += count
        self.items_changed()

    @property
    def top(self):
        return self.scroll_offset.y


class ListApp(TonedApp):
    def compose(self):
        yield Numbers()


async def test_following_moves_by_half_pages():
    app = ListApp()
    async with app.run_test(size=(20, 10)) as pilot:
        numbers = app.query_one(Numbers)
        tops = []
        for _ in range(30):
            numbers.grow(1)
            tops.append(numbers.top)
        await pilot.pause()
        assert tops == [0] * 10 + [5] * 5 + [10] * 5 + [15] * 5 + [20] * 5
        numbers.grow(1000)
        assert numbers.top == 1020


async def test_looking_back_ends_following_and_the_end_begins_it():
    app = ListApp()
    async with app.run_test(size=(20, 10)) as pilot:
        numbers = app.query_one(Numbers)
        numbers.focus()
        numbers.grow(100)
        await pilot.press("k")
        assert (numbers.following, numbers.cursor) == (False, 99)
        top = numbers.top
        numbers.grow(50)
        assert (numbers.top, numbers.cursor) == (top, 99)
        await pilot.press("k", "up")
        assert numbers.cursor == 97
        await pilot.press("g")
        assert (numbers.cursor, numbers.top) == (0, 0)
        await pilot.press("j", "ctrl+d")
        assert numbers.cursor == 6
        await pilot.press("ctrl+u")
        assert numbers.cursor == 1
        await pilot.press("G")
        assert (numbers.following, numbers.cursor, numbers.top) == (True, None, 140)


async def test_the_cursor_is_always_in_view():
    app = ListApp()
    async with app.run_test(size=(20, 10)) as pilot:
        numbers = app.query_one(Numbers)
        numbers.focus()
        numbers.grow(100)
        await pilot.press("k")
        for key in ["ctrl+u"] * 8 + ["j"] * 15 + ["ctrl+d"] * 3 + ["k"] * 12:
            await pilot.press(key)
            assert numbers.top <= numbers.cursor < numbers.top + 10
        await pilot.resize_terminal(20, 4)
        await pilot.pause()
        assert numbers.top <= numbers.cursor < numbers.top + 4


async def test_an_empty_list_bears_every_key():
    app = ListApp()
    async with app.run_test(size=(20, 10)) as pilot:
        numbers = app.query_one(Numbers)
        numbers.focus()
        await pilot.press("k", "j", "g", "G", "ctrl+d", "ctrl+u", "enter")
        assert numbers.cursor is None


async def test_the_wheel_ends_following_and_its_end_begins_it():
    app = ListApp()
    async with app.run_test(size=(20, 10)) as pilot:
        numbers = app.query_one(Numbers)
        numbers.grow(100)
        await pilot.pause()
        for _ in range(3):
            numbers.post_message(wheel(events.MouseScrollUp))
        await pilot.pause()
        assert not numbers.following
        for _ in range(30):
            numbers.post_message(wheel(events.MouseScrollDown))
        await pilot.pause()
        assert numbers.following


def wheel(event):
    return event(None, 5, 5, 0, 0, 0, False, False, False, screen_x=5, screen_y=5)


async def test_a_click_puts_the_cursor_on_an_item():
    app = ListApp()
    async with app.run_test(size=(20, 10)) as pilot:
        numbers = app.query_one(Numbers)
        numbers.grow(5)
        await pilot.pause()
        await pilot.click(numbers, offset=(2, 3))
        assert (numbers.cursor, numbers.following) == (3, False)


class Tones(ScrollList):
    """Two lines, each with a word in every tone."""

    count = 2

    def line(self, y):
        return tuple((f"{tone}|", tone) for tone in TONES) if y < 2 else ()


class TonesApp(TonedApp):
    def compose(self):
        yield Tones()


def looks(view, y):
    """What is seen of each character: the colours of sign and ground, and whether it is underlined."""
    seen = []
    for words, style, _ in view.render_line(y):
        # The terminal's default is one colour for signs and another for their ground.
        pair = [
            color if color and not color.is_default else default
            for color, default in ((style.color, "sign"), (style.bgcolor, "ground"))
        ]
        seen += [(*(pair[::-1] if style.reverse else pair), style.reverse, bool(style.underline))] * len(words)
    return seen


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light"])
async def test_the_cursor_is_reversed_in_the_terminal_s_own_colours(theme):
    app = TonesApp()
    app.theme = theme
    async with app.run_test(size=(200, 3)) as pilot:
        view = app.query_one(Tones)
        view.go_to(0)
        await pilot.pause()
        under, other = looks(view, 0), looks(view, 1)
        assert all(reverse and sign != ground for sign, ground, reverse, _ in under)
        assert not other[0][2]
        assert len(under) == len(other) == 200
        assert under[-1] != other[-1], "the rest of the line is reversed too"


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light", "textual-dark"])
async def test_a_selection_is_seen_on_the_cursor_s_line_and_beside_it(theme):
    app = TonesApp()
    app.theme = theme
    async with app.run_test(size=(200, 3)) as pilot:
        view = app.query_one(Tones)
        view.go_to(0)
        await pilot.pause()
        before = [looks(view, y) for y in (0, 1)]
        app.screen.selections = {view: Selection(Offset(2, 0), Offset(20, 1))}
        await pilot.pause()
        after = [looks(view, y) for y in (0, 1)]
        assert all(old != new for old, new in zip(before[0][2:], after[0][2:], strict=True))
        assert all(old != new for old, new in zip(before[1][:20], after[1][:20], strict=True))
        assert before[1][20:] == after[1][20:]
        assert all(sign != ground for line in after for sign, ground, *_ in line)


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
