import re

import pytest

from tests import states
from tests.ui.fake import app_of, settled
from voicelive_tui.ui.detail import EventDetail
from voicelive_tui.ui.panes.inspecting import time_of_day


@pytest.mark.parametrize(("unix_time", "shape"), [(0.5, r"19(69|70)-.*\.500[+-]\d\d:\d\d"), (1e12, ""), (1e300, "")])
def test_a_time_beyond_all_dates_has_no_time_of_day(unix_time, shape):
    assert re.fullmatch(shape, time_of_day(unix_time))


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_zoom_widens_the_inspector_that_is_used(size):
    app = app_of(states.SPEAKING)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        await pilot.press("3", "g", "j", "j", "enter", "tab")
        await pilot.pause()
        detail = app.screen.query_one(EventDetail)
        assert detail.has_focus
        before = detail.size.width
        await pilot.press("z")
        await pilot.pause()
        assert detail.size.width > 1.3 * before
        await pilot.press("z")
        await pilot.pause()
        assert detail.size.width == before
