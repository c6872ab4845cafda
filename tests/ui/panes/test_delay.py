import re

import pytest

from tests import states
from tests.ui.fake import app_of, drawn, settled
from tests.ui.panes.conftest import PaneApp
from tests.ui.screens import screen_text
from voicelive_tui.session import latency
from voicelive_tui.ui.panes.delay import DelayPane


async def test_percentiles_and_the_longest_part_of_each_turn():
    pane = DelayPane()
    async with PaneApp(pane).run_test(size=(60, 14)) as pilot:
        pane.session = states.SPEAKING
        await pilot.pause()
        shown = screen_text(pilot.app)
        assert "7 Delay 2 ─" in shown
        assert "last 1.58 s  p50 990 ms  p95 1.58 s  worst 1.58 s" in shown
        assert "end of speech 510 ms" in shown
        assert "first words 650 ms" in shown
        pane.session = states.IDLE
        await pilot.pause()
        assert "Say something, or press t to type" in screen_text(pilot.app)


async def test_the_tabs_count_the_turns_of_a_hidden_pane():
    app = app_of(states.IDLE)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "7 Delay ─" in screen_text(app)
        app.live.receive(None, states.SPEAKING)
        await drawn(pilot, states.SPEAKING)
        await pilot.pause()
        assert "▌2 Transcript" in screen_text(app)
        assert "7 Delay 2 ─" in screen_text(app)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_longest_part_of_each_turn_is_named_with_its_length_or_the_part_that_turns_are_sorted_by(size):
    app = app_of(states.SPEAKING)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        await pilot.press("7")
        await pilot.pause()
        assert re.search(r"  1  990 ms ▂.* end of speech 510 ms\s", screen_text(app))
        assert re.search(r"  2  1.58 s ▂.* first words 650 ms\s", screen_text(app))
        await pilot.press("O", "O", "O")
        await pilot.pause()
        assert re.search(r"  2  1.58 s ▂.* start 190 ms\s", screen_text(app))


async def test_enter_in_a_list_that_has_all_the_room_goes_to_the_words_of_the_turn():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("7", "k", "k", "enter")
        await pilot.pause()
        assert app.focused.id == "transcript-view"
        assert app.screen.pane.selected().item_id == states.SPEAKING.turns[0].item_id


async def test_enter_opens_a_table_of_all_turns_that_can_be_sorted_and_leads_to_the_words():
    app = app_of(states.LONG_TRANSCRIPT)
    async with app.run_test(size=(140, 40)) as pilot:
        await settled(pilot)
        await pilot.press("7", "enter")
        await pilot.pause()
        shown = screen_text(app)
        assert "↓turn" in shown
        assert re.search(r" worst .* s +[▁-█]+  [▁-█] p50  [▁-█] p95", shown)
        await pilot.press("O", "O", "O", "O", "O", "O")
        await pilot.pause()
        pane = app.screen.query_one(DelayPane)
        assert "by first words" in screen_text(app)
        parts = [latency.slowest(turn) for turn in pane.view.items]
        words = [turn.first_text_at - turn.created_at for turn in pane.view.items]
        assert all(parts)
        assert words == sorted(words)
        slowest = pane.view.items[-1]
        await pilot.press("e")
        await pilot.pause()
        transcript = app.screen.query_one("#transcript")
        assert transcript.selected().item_id == slowest.item_id
