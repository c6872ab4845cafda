import gc

from rich.segment import Segment
from textual.app import App
from textual.geometry import Region

from voicelive_tui.ui.canvas import Lines, VerticalGround


class Recorder(Lines):
    """Notes which regions it is asked to refresh."""

    def __init__(self):
        super().__init__(id="lines")
        self.asked = []

    def refresh(self, *regions, **options):
        self.asked += regions
        return super().refresh(*regions, **options)


class RecorderApp(App[None]):
    def compose(self):
        yield Recorder()


async def test_only_changed_cells_are_refreshed():
    app = RecorderApp()
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


async def test_the_parts_of_a_line_that_were_written_are_not_kept():
    app = RecorderApp()
    async with app.run_test(size=(40, 3)) as pilot:
        lines = app.query_one(Recorder)
        for number in range(30):
            lines.show(((f"tulip {number:02} …", "dim"),))
            line = lines.render_lines(Region(0, 0, 40, 1))[0]
            assert line.crop(0, 9).text + line.crop(9).text == line.text
            await pilot.pause()
        del line
        gc.collect()
        kept = [each.text for each in gc.get_objects() if isinstance(each, Segment)]
        assert {text[:8] for text in kept if text.startswith("tulip")} == {"tulip 29"}


async def test_lines_are_as_wide_as_the_canvas_before_its_resize_event():
    class TheApp(App[None]):
        def compose(self):
            yield Lines()

    app = TheApp()
    async with app.run_test(size=(20, 3)) as pilot:
        lines = app.query_one(Lines)
        lines.show((("words", "text"),))
        await pilot.pause()
        widths = []
        render_lines = lines.render_lines

        def noting(crop):
            strips = render_lines(crop)
            widths.extend((strip.cell_length, lines.size.width) for strip in strips)
            return strips

        lines.render_lines = noting
        await pilot.resize_terminal(30, 3)
        await pilot.pause()
        assert widths
        assert all(width == size for width, size in widths)


async def test_a_canvas_draws_after_a_resize_what_changed_meanwhile_and_nothing_else():
    class Tall(Recorder):
        text = ""

        def line(self, y):
            return ((f"{y} of {self.size.height}" if y else self.text, "text"),)

    class TheApp(App[None]):
        def compose(self):
            yield Tall()

    app = TheApp()
    async with app.run_test(size=(10, 5)) as pilot:
        lines = app.query_one(Tall)
        for text, height in (("one", 3), ("two", 2), ("two", 4)):
            lines.text = text
            await pilot.resize_terminal(10, height)
            await pilot.pause()
            drawn = [strip.text.rstrip() for strip in lines.render_lines(Region(0, 0, 10, height))]
            assert drawn == [text, *(f"{y} of {height}" for y in range(1, height))]
        lines.asked.clear()
        lines.on_resize()
        assert lines.asked == []


async def test_text_has_the_background_of_its_container_everywhere():
    class TheApp(App[None]):
        CSS = "VerticalGround { background: #102030; height: 3; } Lines { width: 4; height: 1; }"

        def compose(self):
            with VerticalGround():
                yield Lines()

    app = TheApp()
    async with app.run_test(size=(10, 4)) as pilot:
        for ground in ("#102030", "#405060"):
            app.query_one(VerticalGround).styles.background = ground
            await pilot.pause()
            lines = app.query_one(VerticalGround).render_lines(Region(0, 0, 10, 3))
            assert [line.text for line in lines] == [" " * 10] * 3
            assert {segment.style.bgcolor.name for line in lines for segment in line} == {ground}
