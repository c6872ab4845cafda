import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests import states
from tests.ui.panes.conftest import PaneApp
from tests.ui.screens import screen_text
from voicelive_tui.session.reading import Meter, Reading
from voicelive_tui.session.state import Device, Microphone
from voicelive_tui.ui.pace import NORMAL
from voicelive_tui.ui.panes import meters
from voicelive_tui.ui.panes.meters import MetersPane
from voicelive_tui.ui.text import width_of

levels = st.floats(-120, 6)


@given(levels, levels, st.integers(4, 200))
def test_a_bar_has_its_width_whatever_the_level(rms, hold, width):
    assert width_of(meters.bar(Meter(rms, rms, hold), width)) == width


@given(levels, st.integers(4, 200), st.floats(0, 1))
def test_the_threshold_is_a_mark_on_a_bar_of_the_same_width(rms, width, threshold):
    at = min(round(threshold * width), width - 1)
    marked = meters.with_mark(meters.bar(Meter(rms, rms, -96), width), at)
    text = "".join(text for text, _ in marked)
    assert (len(text), text.index("┆")) == (width, at)


async def test_only_a_turn_detection_with_a_threshold_has_a_mark():
    for detection, marks in (({"type": "server_vad", "threshold": 0.5}, 1), ({"type": "semantic_vad"}, 0), (None, 0)):
        pane = MetersPane(NORMAL)
        async with PaneApp(pane).run_test(size=(80, 3)) as pilot:
            pane.session = replace(states.IDLE, in_force={"turn_detection": detection})
            await pilot.pause()
            assert screen_text(pilot.app).count("┆") == marks


def filled(line):
    return sum(len(text) for text, tone in line if tone.startswith("bar"))


@pytest.mark.parametrize(("dbfs", "cells"), [(-96, 0), (-60, 0), (-30, 30), (-3, 57), (0, 60), (3, 60)])
def test_a_cell_is_a_decibel(dbfs, cells):
    assert filled(meters.bar(Meter(dbfs, dbfs, dbfs), 60)) == cells


def test_loud_is_marked_by_tone():
    assert [tone for _, tone in meters.bar(Meter(-1, -1, -1), 60)] == ["bar", "bar-warn", "bar-bad", "track"]


def test_small_changes_are_not_redrawn():
    shown = Meter()
    for level, expected in ((-58.0, -58), (-57.0, -58), (-59.4, -58), (-56.4, -56.4), (-96, -96), (-30, -30)):
        shown = meters.steady(shown, Meter(level, level, level))
        assert (shown.rms, shown.hold) == (expected, expected)


async def test_levels_and_states():
    pane = MetersPane(NORMAL)
    pane.reading = states.SPEAKING_READING
    async with PaneApp(pane).run_test(size=(80, 5)) as pilot:
        pane.styles.height = 5
        pane.session = states.SPEAKING
        await pilot.pause()
        shown = screen_text(pilot.app)
        assert re.search(r"mic LIVE .* -58 dB │", shown)
        assert re.search(r"assistant .* -18 dB │", shown)
        pane.session = replace(states.SPEAKING, microphone=Microphone(capturing=True, muted=True))
        await pilot.pause()
        assert "mic MUTED" in screen_text(pilot.app)
        pane.session = states.SPEAKING
        pane.update_levels(Reading(gated=True))
        await pilot.pause()
        assert "mic gated" in screen_text(pilot.app)
        pane.update_levels(Reading(stalled=("input",), underflows=3))
        await pilot.pause()
        assert "mic STALLED" in screen_text(pilot.app)


async def test_a_microphone_that_is_open_and_gives_nothing_is_not_called_absent():
    pane = MetersPane(NORMAL)
    async with PaneApp(pane).run_test(size=(100, 3)):
        pane.session = replace(states.IDLE, input=Device("USB", "it gives only zeros"))
        assert "".join(text for text, _ in pane.note()) == "microphone: it gives only zeros"
        pane.session = replace(states.IDLE, input=Device("", "there is none"))
        assert "".join(text for text, _ in pane.note()) == "no microphone: there is none"


async def test_another_device_is_shown_whenever_it_comes():
    pane = MetersPane(NORMAL)
    pane.styles.height = 12
    async with PaneApp(pane).run_test(size=(100, 12)) as pilot:
        for name in ("first", "second", "third"):  # sooner than numbers are drawn again
            pane.session = replace(states.SPEAKING, input=Device(f"the {name} microphone"))
            await pilot.pause()
            assert f"the {name} microphone" in screen_text(pilot.app)


async def test_the_reason_of_a_device_that_fails_is_a_whole_sentence():
    pane = MetersPane(NORMAL)
    pane.styles.height = 12
    async with PaneApp(pane).run_test(size=(60, 12)) as pilot:
        pane.session = replace(states.SPEAKING, output=Device("", "no sound device found: " + "do this; " * 9))
        await pilot.pause()
        shown = screen_text(pilot.app)
        assert "speaker    no sound device found  " in shown
        assert "…" not in shown


async def test_more_room_shows_the_health_of_the_sound():
    pane = MetersPane(NORMAL)
    pane.reading = replace(states.SPEAKING_READING, underflows=2, gaps=3, dropped_ms=121)
    pane.styles.height = 12
    async with PaneApp(pane).run_test(size=(100, 12)) as pilot:
        pane.session = states.SPEAKING
        await pilot.pause()
        shown = screen_text(pilot.app)
        assert "underflows 2 · gaps 3 · dropped 121 ms ─" in shown
        assert "USB microphone, 48000 Hz, 12 ms" in shown
        assert "buffered   2.90 s" in shown
