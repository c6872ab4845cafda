"""The keys at the foot, where the configuration changed them."""

import pytest

from tests import states
from tests.ui.screens import screen_text
from tests.ui.test_dashboard import app_of, settled


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"mute": "u"}, ("? Help", "q Quit")),  # a changed key stands after the others, here after that of the help
        ({"help": "f1", "quit": "x", "errors": "!"}, ("f1 Help", "x Quit")),
    ],
)
async def test_help_and_the_way_out_are_at_a_narrow_foot_by_whatever_key(keys, named):
    app = app_of(states.IDLE, keys=keys)
    async with app.run_test(size=(60, 16)) as pilot:
        await settled(pilot)
        foot = screen_text(app).splitlines()[-1]
        for key in named:
            assert key in foot
