"""The command palette: one row for each command, whichever module it comes from."""

import pytest
from textual.widgets import OptionList

from tests import states
from tests.ui.fake import app_of, settled


async def test_each_command_has_one_row_with_its_name_and_what_it_does() -> None:
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("colon")
        rows: list[str] = []
        while not any(row.startswith("Copy the session as ") for row in rows):  # they come from two sources
            await pilot.pause()
            listed = app.screen.query_one(OptionList)
            rows = [str(listed.get_option_at_index(index).prompt) for index in range(listed.option_count)]
        assert all("\n" not in row for row in rows)
        assert "Theme                             Change the colours" in rows
        assert any(row.startswith("Mute  ") and row.endswith("(m)") for row in rows)


@pytest.mark.parametrize(
    ("query", "name"), [("instructions", "Settings"), ("minutes", "Keep recording"), ("kee", "Keep recording")]
)
async def test_a_command_is_found_by_what_it_does_too(query, name) -> None:
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("colon", *("space" if character == " " else character for character in query))
        listed = app.screen.query_one(OptionList)
        while not listed.option_count or not str(listed.get_option_at_index(0).prompt).startswith(name):
            await pilot.pause()
