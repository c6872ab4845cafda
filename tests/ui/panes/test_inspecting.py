import re

import pytest

from voicelive_tui.ui.panes.inspecting import time_of_day


@pytest.mark.parametrize(("unix_time", "shape"), [(0.5, r"19(69|70)-.*\.500[+-]\d\d:\d\d"), (1e12, ""), (1e300, "")])
def test_a_time_beyond_all_dates_has_no_time_of_day(unix_time, shape):
    assert re.fullmatch(shape, time_of_day(unix_time))
