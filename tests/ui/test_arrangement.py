import pytest
from textual.geometry import Size

from voicelive_tui.ui.arrangement import CLASSES, arrange, layout_for


@pytest.mark.parametrize(
    ("size", "layout"),
    [
        ((59, 24), "tiny"),
        ((80, 15), "tiny"),
        ((60, 16), "compact"),
        ((80, 24), "compact"),
        ((99, 33), "compact"),
        ((60, 34), "stacked"),
        ((80, 50), "stacked"),
        ((139, 29), "compact"),
        ((200, 24), "beside"),
        ((100, 30), "normal"),
        ((120, 40), "normal"),
        ((160, 45), "normal"),
        ((180, 40), "wide"),
        ((200, 60), "wide"),
    ],
)
def test_layout_for(size, layout):
    assert layout_for(Size(*size)) == layout


@pytest.mark.parametrize(
    ("size", "current", "zoomed", "shown"),
    [
        ((50, 10), "events", False, ()),
        ((80, 24), "events", False, ("events",)),
        ((80, 50), "transcript", False, ("transcript", "events")),
        ((80, 50), "session", False, ("session", "events")),
        ((80, 50), "events", False, ("transcript", "events")),
        ((80, 50), "events", True, ("events",)),
        ((120, 40), "events", False, ("session", "transcript", "delay", "events")),
        ((200, 60), "session", True, ("session",)),
    ],
)
def test_the_panes_that_are_shown(size, current, zoomed, shown):
    words = "transcript" if current == "events" else current
    arrangement = arrange(Size(*size), current, words, "events", zoomed=zoomed, spacious=True)
    assert arrangement.shown == shown
    assert arrangement.classes <= CLASSES


def test_lean_has_no_tall_status_line():
    assert "tall" in arrange(Size(80, 50), "events", "transcript", "events", zoomed=False, spacious=True).classes
    assert "tall" not in arrange(Size(80, 50), "events", "transcript", "tools", zoomed=False, spacious=False).classes
