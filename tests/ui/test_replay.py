"""The dashboard of a replay: keys that play, lines that lead to their moment, and nothing that changes anything."""

import asyncio
import contextlib
import errno
import wave
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.recording.bundles import BEGAN, EXCHANGE, make_bundle
from tests.ui.screens import screen_text
from voicelive_tui.client.replay import ReplaySession
from voicelive_tui.config import Audio, Ui
from voicelive_tui.recording.bundle import Bundle
from voicelive_tui.recording.lines import Mark, encode
from voicelive_tui.recording.player import Player
from voicelive_tui.session.state import Activity
from voicelive_tui.ui.palette import AppCommands
from voicelive_tui.ui.replay import READ_ONLY, ReplayApp, ReplayScreen
from voicelive_tui.ui.session_commands import SessionCommands

FIRST = BEGAN + 0.1

pytestmark = pytest.mark.xdist_group("replay")  # the recording is made once


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("replay"))


@contextlib.asynccontextmanager
async def replay(path: Path, size: tuple[int, int] = (160, 58)) -> AsyncIterator[tuple[ReplaySession, Pilot[None]]]:
    """A recording in the dashboard, paused at its beginning."""
    with Bundle(path) as bundle:
        live = ReplaySession(Player(bundle), Audio(output_device="none"))
        live.pause()
        app = ReplayApp(live, Ui(), {}, path.name)
        async with app.run_test(size=size) as pilot:
            while "REPLAY" not in screen_text(app):
                await pilot.pause()
            yield live, pilot


async def go_to(pilot: Pilot[None], at: float) -> None:
    screen = pilot.app.screen
    assert isinstance(screen, ReplayScreen)
    screen.go_to(at)
    await pilot.pause()
    await pilot.pause()


async def test_space_plays_and_pauses(path: Path) -> None:
    async with replay(path) as (live, pilot):
        assert " REPLAY  ‖ ×1  0:00.0 / 0:30" in screen_text(pilot.app)
        await pilot.press("space")
        async with asyncio.timeout(60):
            while live.position < BEGAN + 0.3:
                await pilot.pause(0.02)
        assert "▶ ×1" in screen_text(pilot.app)
        await pilot.press("space")
        stopped = live.position
        await pilot.pause(0.1)
        assert live.position == stopped
        assert live.state.connection.session_id == "sess_1"


async def test_the_keys_of_the_player_are_at_a_narrow_foot(path: Path) -> None:
    async with replay(path, (80, 24)) as (_, pilot):
        for pane in ("2", "3", "7"):
            await pilot.press(pane)
            await pilot.pause()
            assert "space Play  ← -5 s  → +5 s " in screen_text(pilot.app).splitlines()[-1]


async def test_the_inspector_has_the_time_of_day_of_the_recording(path: Path) -> None:
    async with replay(path) as (_, pilot):
        await go_to(pilot, BEGAN + 1)
        await pilot.press("3", "g", "enter")
        await pilot.pause()
        shown = screen_text(pilot.app)
        began = datetime.fromtimestamp(1_800_000_000).astimezone()
        assert f"{began:%Y-%m-%d %H:%M:%S}." in shown
        assert f"{began:%z}"[:3] in shown


async def test_arrows_jump_and_the_panes_follow_in_both_directions(path: Path) -> None:
    async with replay(path) as (live, pilot):
        await pilot.press("right")
        await pilot.pause()
        assert live.position == BEGAN + 5
        assert live.state.activity is Activity.SPEAKING
        assert "SPEAKING" in screen_text(pilot.app)
        assert "This is answer 0." in screen_text(pilot.app)
        await pilot.press("dollar_sign")
        await pilot.pause()
        assert live.position == live.player.end
        assert "This is answer 2." in screen_text(pilot.app)
        await pilot.press("left", "left", "left")
        await pilot.pause()
        assert live.position == live.player.end - 15
        assert "This is answer 1." in screen_text(pilot.app)
        assert "This is answer 2." not in screen_text(pilot.app)
        await pilot.press("0")
        await pilot.pause()
        assert live.position == BEGAN
        assert "This is answer" not in screen_text(pilot.app)


async def test_the_time_is_that_of_the_recording(path: Path) -> None:
    async with replay(path) as (_, pilot):
        await go_to(pilot, FIRST + 2 * EXCHANGE)
        async with asyncio.timeout(5):
            while not any(line.endswith("0:20") for line in screen_text(pilot.app).splitlines()[1:4]):
                await pilot.pause(0.05)


async def test_speed_changes_by_steps_within_its_range(path: Path) -> None:
    async with replay(path) as (live, pilot):
        await pilot.press(*["greater_than_sign"] * 5)
        assert live.speed == 8.0
        assert "×8" in screen_text(pilot.app)
        assert "silent but for ×1" in screen_text(pilot.app)
        await pilot.press(*["less_than_sign"] * 9)
        assert live.speed == 0.25


async def test_from_event_to_event(path: Path) -> None:
    async with replay(path) as (live, pilot):
        await go_to(pilot, FIRST + 0.5)
        for key, kind in (
            ("full_stop", "speech_started"),
            ("full_stop", "speech_stopped"),
            ("comma", "speech_started"),
        ):
            await pilot.press(key)
            assert list(live.state.log.since(0))[-1].type.endswith(kind)
        assert not live.playing


async def test_a_line_of_events_or_words_leads_to_its_moment(path: Path) -> None:
    async with replay(path) as (live, pilot):
        await go_to(pilot, live.player.end)
        await pilot.press("3", "home", "l")
        await pilot.pause()
        assert live.position == pytest.approx(BEGAN)
        await go_to(pilot, live.player.end)
        await pilot.press("2", "home", "l")
        await pilot.pause()
        assert live.position == pytest.approx(FIRST + 1.0)
        assert live.state.activity is Activity.LISTENING


async def test_a_word_that_was_searched_for_leads_to_the_moment_at_which_it_is_heard(path: Path) -> None:
    async with replay(path) as (live, pilot):
        await go_to(pilot, live.player.end)
        await pilot.press("2", "slash", *"answer 1", "enter", "l")
        await pilot.pause()
        said, whole = "This is ", "This is answer 1."
        assert live.position == pytest.approx(FIRST + EXCHANGE + 4.0 + 4.0 * len(said) / len(whole))


async def test_the_keys_of_the_matches_lead_from_mark_to_mark_and_l_goes_there(path: Path) -> None:
    async with replay(path, (200, 60)) as (live, pilot):
        await go_to(pilot, FIRST + 9)
        await pilot.press("6", "N")
        await pilot.pause()
        assert "at 4.100  first sound heard" in screen_text(pilot.app)
        assert live.position == FIRST + 9
        await pilot.press("N", "N", "N", "l")
        await pilot.pause()
        assert live.position == pytest.approx(FIRST + 3.0)
        assert live.state.activity is Activity.THINKING
        assert "speech stopped" not in timeline_of(pilot)


async def test_the_sound_of_an_answer_and_of_the_users_words_is_saved_beside_the_recording(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with replay(path) as (live, pilot):
        told: list[str] = []
        monkeypatch.setattr(pilot.app.screen, "notify", lambda message, **_: told.append(message))
        await go_to(pilot, FIRST + 9)
        found = []
        for key in ("end", "home"):
            await pilot.press("2", key, "W")
            async with asyncio.timeout(10):
                while not told:
                    await pilot.pause(0.01)
            file = Path(told.pop().removeprefix("sound saved to "))
            assert file.parent == path.parent
            found.append(read_wave(file))
        answer, words = found
        assert len(answer) == 2 * 4 * 24_000
        assert answer == b"".join(live.player.bundle.sound(2, at, 24_000) for at in range(0, 4 * 24_000, 24_000))
        assert 2 * 2.0 * 24_000 <= len(words) < 2 * 3.0 * 24_000
        assert any(words)
        monkeypatch.setattr("voicelive_tui.client.replay.write_wave", full)
        await pilot.press("W")
        async with asyncio.timeout(10):
            while not told:
                await pilot.pause(0.01)
        assert told[0].startswith("the sound cannot be saved: No space left on device (")


def read_wave(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        return file.readframes(file.getnframes())


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


async def test_what_would_send_or_change_says_that_this_is_a_replay(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with replay(path) as (live, pilot):
        before, told = live.state, []
        monkeypatch.setattr(pilot.app, "notify", lambda message, **_: told.append(message))
        keys = ["m", "i", "r", "t", "c", "o", "b", "w"]
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
            assert len(told) == keys.index(key) + 1, key
        assert set(told) == {READ_ONLY}
        assert live.state is before
        assert "Mute" not in screen_text(pilot.app).splitlines()[-1]


async def test_the_status_line_names_no_keys_of_a_live_session(path: Path) -> None:
    async with replay(path) as (_, pilot):
        for at, word in ((FIRST + 5, "SPEAKING"), (FIRST + 0.5, "READY")):
            await go_to(pilot, at)
            head = screen_text(pilot.app).splitlines()[:4]
            assert word in "".join(head)
            assert "press" not in "".join(head)


async def test_the_palette_offers_what_a_replay_can_do(path: Path) -> None:
    async with replay(path) as (_, pilot):
        screen = pilot.app.screen
        assert isinstance(screen, ReplayScreen)
        provider = SessionCommands(screen)
        await provider.startup()
        names = {
            *(name for name, *_ in AppCommands(screen).commands()),
            *(name for name, _, _ in provider.commands()),
        }
        assert {"Play", "Find", "Copy", "Theme", "Copy the session as JSON"} <= names
        assert not names & {
            *(
                "Mute",
                "Interrupt",
                "Reset",
                "Reset and keep the history",
                "Rotate the session now",
                "Type",
                "Settings",
            ),
            *("Delete", "Insert", "Ask again", "Branch", "Save sound", "Cancel the response", "Clear streaming audio"),
        }


async def test_the_timeline_shows_where_the_speaker_ran_dry(tmp_path: Path) -> None:
    path = make_bundle(tmp_path)
    counts = [(5.0, {"gaps": 1}), (6.0, {"gaps": 1, "overflows": 3}), (7.5, {"gaps": 1, "underflows": 2})]
    with (path / "marks.jsonl").open("ab") as file:
        for n, (seconds, values) in enumerate(counts, 10_000):
            t_ns = round((BEGAN + seconds) * 1e9)
            file.write(encode(Mark(n, t_ns, mark="counters", values=values)) + b"\n")
    async with replay(path, (200, 60)) as (live, pilot):
        assert live.player.underruns == [BEGAN + 5.0, BEGAN + 7.5]
        await go_to(pilot, BEGAN + 7.0)
        assert timeline_of(pilot).count("u") == 1
        await go_to(pilot, live.player.end)
        assert timeline_of(pilot).count("u") == 2


async def test_the_levels_show_the_counters_of_the_moment(tmp_path: Path) -> None:
    path = make_bundle(tmp_path)
    with (path / "marks.jsonl").open("ab") as file:
        values = {"gaps": 1, "overflows": 3, "underflows": 2}
        file.write(encode(Mark(10_000, round((BEGAN + 5.0) * 1e9), mark="counters", values=values)) + b"\n")
    async with replay(path, (200, 60)) as (_, pilot):
        await go_to(pilot, BEGAN + 4.9)
        assert "overflows 0" in screen_text(pilot.app)
        await go_to(pilot, BEGAN + 5.1)
        async with asyncio.timeout(5):
            while "overflows 3" not in screen_text(pilot.app):
                await pilot.pause(0.02)


def timeline_of(pilot: Pilot[None]) -> str:
    """The lines of the timeline below its head."""
    return screen_text(pilot.app).split("6 Timeline")[1].split("4 Levels")[0]


async def test_the_prompt_takes_the_keys_while_it_is_open(path: Path) -> None:
    async with replay(path) as (live, pilot):
        await go_to(pilot, FIRST + 5)
        await pilot.press("3", "slash", "l", "0", "left", "space", "enter")
        await pilot.pause()
        assert live.position == FIRST + 5
        assert "/l 0" in screen_text(pilot.app) or "/l0" in screen_text(pilot.app)


async def test_the_timeline_shows_the_recording_and_plays_around_its_cursor(path: Path) -> None:
    async with replay(path, (200, 60)) as (live, pilot):
        await go_to(pilot, live.player.end)
        timeline = timeline_of(pilot)
        assert timeline.count("!") == 1
        assert timeline.count(">") == 3
        assert timeline.count("█") > 100
        await pilot.press("6", "left", "left", "enter")
        await pilot.pause()
        assert live.playing
        assert live.position < live.player.end - 1
        async with asyncio.timeout(60):
            while live.playing:
                await pilot.pause(0.05)
        assert live.position <= live.player.end


async def test_a_damaged_recording_is_shown_with_a_sentence(tmp_path: Path) -> None:
    path = make_bundle(tmp_path, 1)
    with (path / "wire.jsonl").open("ab") as wire:
        wire.write(b"\n{broken\n")
    async with replay(path) as (live, pilot):
        assert any("1 line cannot be read" in toast.message for toast in pilot.app._notifications)
        assert len(live.player) > 100


async def test_an_empty_pane_of_a_replay_names_the_key_that_plays(path: Path) -> None:
    async with replay(path) as (_, pilot):
        shown = screen_text(pilot.app)
        assert "Nothing has been said so far: space plays on." in shown
        assert "space plays on. The delay of each" in shown
        assert "press t" not in shown.lower()
