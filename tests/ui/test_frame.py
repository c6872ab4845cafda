from contextlib import asynccontextmanager

from textual.app import App
from textual.geometry import Region
from textual.widgets import Static

from voicelive_tui.ui.frame import Framed


class Recorder(Framed):
    """Notes which regions it is asked to refresh, counted from the corner of the frame."""

    def __init__(self):
        super().__init__(id="frame")
        self.asked = []

    def compose(self):
        yield Static("body")

    def refresh(self, *regions, **options):
        self.asked += [region.translate(self.content_offset) for region in regions]
        return super().refresh(*regions, **options)

    @property
    def drawn(self):
        """What is drawn under the children: the text, and where it is in the accent colour."""
        width, height = self.outer_size
        accent = self.app.theme_variables["accent"].lower()
        return [
            (strip.text, "".join("x" if style.color.name == accent else "." for text, style, _ in strip for _ in text))
            for strip in self.render_lines(Region(0, 0, width, height))
        ]


class TheApp(App[None]):
    CSS = ".compact Recorder { padding: 1 0 0 0; } Static { height: 1fr; }"

    def compose(self):
        yield Recorder()


TOP = (("╭─", "edge"), (" 3 Events ", "text"), ("─╮", "edge"))
TOP_IN_USE = (("╭─", "accent"), (" 3 Events ", "text"), ("─╮", "accent"))


@asynccontextmanager
async def framed(height=4):
    app = TheApp()
    async with app.run_test(size=(14, height)) as pilot:
        yield pilot, app.query_one(Recorder)


async def test_a_frame_is_drawn_around_the_children():
    async with framed() as (pilot, frame):
        frame.draw_frame(TOP_IN_USE, "accent")
        await pilot.pause()
        assert frame.drawn == [
            ("╭─ 3 Events ─╮", "xx..........xx"),
            ("│            │", "x............x"),
            ("│            │", "x............x"),
            ("╰────────────╯", "xxxxxxxxxxxxxx"),
        ]
        assert pilot.app.query_one(Static).region == Region(1, 1, 12, 2)


async def test_only_the_cells_that_change_are_refreshed():
    async with framed() as (pilot, frame):
        frame.draw_frame(TOP, "edge")
        await pilot.pause()
        frame.asked.clear()
        frame.draw_frame(TOP, "edge")
        assert frame.asked == []
        frame.draw_frame((TOP[0], (" 4 Events ", "text"), TOP[2]), "edge")
        assert frame.asked == [Region(3, 0, 1, 1)]
        frame.asked.clear()
        await pilot.pause()
        frame.draw_frame(TOP_IN_USE, "accent")
        sides = [Region(0, 1, 1, 2), Region(13, 1, 1, 2), Region(0, 3, 14, 1)]
        assert frame.asked == [Region(0, 0, 14, 1), *sides]
        await pilot.pause()
        assert frame.drawn[0] == ("╭─ 3 Events ─╮", "xx..........xx")


async def test_a_change_of_style_refreshes_no_more_than_what_changed():
    async with framed() as (pilot, frame):
        frame.draw_frame(TOP, "edge")
        await pilot.pause()
        frame.notify_style_update()
        frame.asked.clear()
        frame.draw_frame((TOP[0], (" 4 Events ", "text"), TOP[2]), "edge")
        assert frame.asked == [Region(3, 0, 1, 1)]


async def test_a_frame_follows_the_theme_and_the_size():
    async with framed() as (pilot, frame):
        frame.draw_frame(TOP_IN_USE, "accent")
        for theme in ("textual-light", "nord"):
            pilot.app.theme = theme
            await pilot.pause()
            assert frame.drawn[3] == ("╰────────────╯", "x" * 14)
        await pilot.resize_terminal(16, 2)
        await pilot.pause()
        assert [text for text, _ in frame.drawn] == ["╭─ 3 Events ─╮  ", f"╰{'─' * 14}╯"]


async def test_a_click_on_the_line_on_top_selects_nothing():
    async with framed() as (pilot, frame):
        frame.draw_frame(TOP, "edge")
        await pilot.click(frame, offset=(4, 0), times=2)
        assert not pilot.app.screen.selections
        await pilot.click(frame, offset=(0, 1), times=2)
        assert pilot.app.screen.selections


async def test_without_padding_there_are_no_sides():
    async with framed(height=3) as (pilot, frame):
        frame.draw_frame(TOP, "edge")
        pilot.app.screen.add_class("compact")
        await pilot.pause()
        assert [text for text, _ in frame.drawn] == ["╭─ 3 Events ─╮", " " * 14, " " * 14]
        assert pilot.app.query_one(Static).region == Region(0, 1, 14, 2)
