from msgspec.structs import replace

from tests import states
from tests.ui.fake import app_of, settled
from tests.ui.screens import screen_text
from voicelive_tui.ui.panes.transcript import TranscriptPane
from voicelive_tui.ui.prompt import Prompt


async def test_one_pane_in_a_small_terminal_and_zoom_in_a_large_one():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert " 1 Session ▌2 Transcript  3 Events 223  5 Tools  6 Timeline  7 Delay " in screen_text(app)
        assert "I heard you" in screen_text(app)
        await pilot.press("3")
        await pilot.pause()
        assert "response.created" in screen_text(app)
        assert "I heard you" not in screen_text(app)
        await pilot.press("1")
        await pilot.pause()
        assert "turn detection" in screen_text(app)
        await pilot.resize_terminal(120, 40)
        await settled(pilot)
        for words in ("turn detection", "I heard you", "response.created", "mic LIVE"):
            assert words in screen_text(app)
        await pilot.press("3", "z")
        await pilot.pause()
        assert "turn detection" not in screen_text(app)
        assert "mic LIVE" in screen_text(app)
        await pilot.press("z", "4", "z")
        await pilot.pause()
        assert "device latency" in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert "turn detection" in screen_text(app)


async def test_counts_and_words_give_way_before_the_names_of_the_tabs():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("3", "k")
        await pilot.pause()
        top = screen_text(app).splitlines()[1]
        assert " 1 Session  2 Transcript ▌3 Events  5 Tools  6 Timeline  7 Delay " in top
        assert "paused" in top
        await pilot.resize_terminal(66, 24)
        await settled(pilot)
        assert " 1  2 ▌3 Events 223  5  6  7 ─" in screen_text(app)
        await pilot.resize_terminal(97, 24)
        await settled(pilot)
        top = screen_text(app).splitlines()[1]
        assert " 1 Session  2 Transcript ▌3 Events 223  5 Tools  6 Timeline  7 Delay " in top
        assert "paused  f follows" in top


async def test_too_small_names_the_least_size():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(50, 12)) as pilot:
        await settled(pilot)
        assert "60x16" in screen_text(app)
        await pilot.resize_terminal(80, 24)
        await settled(pilot)
        assert "60x16" not in screen_text(app)
        assert "I heard you" in screen_text(app)
        await pilot.pause()
        assert app.screen.focused is app.screen.query_one(TranscriptPane).view


async def test_tab_goes_round_the_panes():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        seen = []
        for _ in range(5):
            await pilot.press("tab")
            seen.append(app.focused.id)
        assert sorted(seen) == ["delay-view", "events-view", "meters-labels", "session-view", "transcript-view"]


async def test_below_the_least_size_there_is_nothing_but_the_microphone_and_a_sentence():
    app = app_of(replace(states.FAILED, connection=states.IDLE.connection))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("t")
        assert app.screen.query_one(Prompt).display
        assert "✗ error" in screen_text(app)
        await pilot.resize_terminal(59, 15)
        await settled(pilot)
        shown = screen_text(app).split()
        assert shown == ["mic", "none", *"The dashboard needs at least 60x16 characters.".split()]


async def test_two_panes_where_there_is_room_for_two():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(80, 50)) as pilot:
        await settled(pilot)
        shown = screen_text(app)
        assert " 1 Session ▌2 Transcript  7 Delay " in shown
        assert "I heard you" in shown
        assert "response.created" in shown
        await pilot.press("1")
        await pilot.pause()
        shown = screen_text(app)
        assert "▌1 Session  2 Transcript  7 Delay " in shown
        assert "turn detection" in shown
        assert "response.created" in shown
        assert "I heard you" not in shown
        await pilot.press("3")
        await pilot.pause()
        assert "turn detection" in screen_text(app)
