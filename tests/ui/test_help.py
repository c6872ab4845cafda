"""The help over the dashboard."""

import re

from textual.containers import VerticalScroll

from tests import states
from tests.ui.fake import app_of, settled
from tests.ui.screens import screen_text
from voicelive_tui.ui import keymap
from voicelive_tui.ui.help import HelpScreen

PANES = ("Session", "Transcript", "Events", "Levels", "Tools", "Timeline", "Delay")


async def test_help_explains_the_focused_pane():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 60)) as pilot:
        await settled(pilot)
        await pilot.press("7", "question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        shown = " ".join(screen_text(app).split())
        assert "last voiced microphone sample → turn committed" in shown
        assert shown.index("↑ k Up") < shown.index("m Send silence mute")
        await pilot.press("escape", "3", "f1")
        await pilot.pause()
        assert "dir:in" in screen_text(app)


async def test_help_has_the_pane_s_keys_under_its_name_and_fits_a_screen():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        for pane, name in enumerate(PANES, 1):
            await pilot.press(str(pane), "question_mark")
            await settled(pilot)
            assert app.screen.query_one(VerticalScroll).max_scroll_y == 0, name
            shown = screen_text(app)
            assert re.findall(r"│ {12}(\w+)", shown) == ([name, "Everywhere"] if name != "Levels" else ["Everywhere"])
            active = app.screen_stack[-2].active_bindings.values()
            ids = {each.binding.id for each in active if each.binding.id and each.binding.description}
            assert [each for each in ids if f" {each} " not in shown] == []  # none is cut
            assert len(ids) > 30
            assert "last word: the name in [keys] · esc closes" in shown
            await pilot.press("escape")
            await settled(pilot)


async def test_help_and_prompt_name_the_keys_in_force():
    keys = {"debug": "x", "query": "u", "match.next": "v", "help.close": "c", "devices.close": "w"}
    app = app_of(states.SPEAKING, keys=keys)
    async with app.run_test(size=(120, 60)) as pilot:
        await settled(pilot)
        await pilot.press("2", "u")
        await settled(pilot)
        assert "words of the transcript; v and N go on" in screen_text(app)
        await pilot.press("escape", "3", "question_mark")
        await settled(pilot)
        shown = screen_text(app)
        assert "counts up; x shows every one" in shown
        assert "u filters: word" in shown
        assert "c closes" in shown
        await pilot.press("c", "o")
        await settled(pilot)
        assert "p plays a test tone · w closes" in screen_text(app)


async def test_no_help_names_a_key_by_its_id():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 60)) as pilot:
        await settled(pilot)
        for pane, name in enumerate(PANES, 1):
            await pilot.press(str(pane), "question_mark")
            await settled(pilot)
            text, _, keys = screen_text(app).partition(f"│{' ' * 12}")
            assert keys, name
            assert [each for each in keymap.binding_ids() if "." in each and each in text] == []
            await pilot.press("escape")
            await settled(pilot)
