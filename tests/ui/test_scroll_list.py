import asyncio

from textual import events
from textual.app import App

from voicelive_tui.ui.scroll_list import SCROLL_PERIOD, ScrollList


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


class ListApp(App[None]):
    def compose(self):
        yield Numbers()


async def test_a_full_list_follows_line_by_line_and_not_too_often(monkeypatch):
    now = 100.0
    monkeypatch.setattr("voicelive_tui.ui.scroll_list.monotonic", lambda: now)
    app = ListApp()
    async with app.run_test(size=(20, 10)) as pilot:
        numbers = app.query_one(Numbers)
        numbers.grow(10)
        tops = []
        for _ in range(6):
            numbers.grow(1)
            tops.append(numbers.top)
            now += SCROLL_PERIOD / 2
        assert tops == [1, 1, 3, 3, 5, 5]
        now += SCROLL_PERIOD
        async with asyncio.timeout(60):
            while numbers.top != 6:  # what came too soon is scrolled to without another line
                await pilot.pause(0.02)


async def test_with_lean_following_moves_by_half_pages():
    app = ListApp()
    async with app.run_test(size=(20, 10)) as pilot:
        numbers = app.query_one(Numbers)
        numbers.step = 0.5
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


async def test_what_stands_before_and_after_a_line_that_is_far_away_comes_into_view_with_it():
    app = ListApp()
    async with app.run_test(size=(20, 10)) as pilot:
        numbers = app.query_one(Numbers)
        numbers.grow(100)
        for index in (30, 70):
            numbers.go_to(index)
            await pilot.pause()
            assert numbers.top + 2 <= index < numbers.top + 8


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


class Pages(Numbers):
    """Items of 35 lines each."""

    def top_of(self, index):
        return 35 * index

    def item_at(self, y):
        return y // 35 if 0 <= y < 35 * self.total else None

    def line(self, y):
        return ((f"line {y}", "text"),)


async def test_every_line_of_an_item_longer_than_the_list_comes_into_view():
    class PagesApp(App[None]):
        def compose(self):
            yield Pages()

    app = PagesApp()
    async with app.run_test(size=(20, 10)) as pilot:
        pages = app.query_one(Pages)
        pages.focus()
        pages.grow(3)
        for keys in (("g", "ctrl+d", "G"), ("g", "j", "G")):
            await pilot.press(keys[0])
            seen = set()
            while pages.cursor is not None and len(seen) < 105:
                before = pages.cursor, pages.top
                seen.update(range(pages.top, pages.top + 10))
                await pilot.press(keys[1])
                if (pages.cursor, pages.top) == before:
                    break
            assert seen == set(range(105))
            await pilot.press(keys[2])
