"""Whatever arrives, every pane can draw it: what a pane says is made by plain functions."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from tests import states
from tests.session.folding import Fold
from tests.session.test_fold import ALL, LOCAL, damaged
from tests.ui.panes.conftest import PaneApp
from tests.ui.screens import screen_text
from tests.wire.test_events import JSON
from voicelive_tui.session import inputs
from voicelive_tui.session.headline import headline
from voicelive_tui.session.history import heard_characters
from voicelive_tui.session.reading import Reading
from voicelive_tui.session.state import Device, SessionState, Stage
from voicelive_tui.text import visible
from voicelive_tui.ui.delays import Scale
from voicelive_tui.ui.entry_lines import entry_lines
from voicelive_tui.ui.pace import LEAN
from voicelive_tui.ui.panes import delay
from voicelive_tui.ui.panes import session as pane
from voicelive_tui.ui.panes.delay import DelayPane
from voicelive_tui.ui.panes.events import EventsPane, event_line
from voicelive_tui.ui.panes.status import microphone, remaining, service, starved
from voicelive_tui.ui.panes.timeline import TimelinePane
from voicelive_tui.ui.panes.tools import ToolsPane
from voicelive_tui.ui.panes.transcript import TranscriptPane, after_lines
from voicelive_tui.ui.rows import Fold as Run
from voicelive_tui.ui.text import Line, Wrapping
from voicelive_tui.wire.events import parse

SETTINGS = (*pane.SETTINGS, *pane.INSTRUCTIONS)
ODD = ("1e400", "-1e400", "NaN", "Infinity", "9" * 400, "-" + "9" * 5000, "1" + "0" * 14 + ".5", "null", "[[{}]]")
"""Values as they may stand in the JSON of an event."""


def lines_of(state: SessionState) -> list[Line]:
    """What the panes say of a state."""
    reading = Reading(heard_item="item_a", heard_ms=50.0)
    lines = [
        *pane.interruption(state),
        *(delay.turn_line(turn, Scale(1000.0), width) for turn in state.turns for width in (40, 150)),
        *pane.settings(state, SETTINGS),
        *pane.counts(state),
        *pane.connection(state, 9.0),
    ]
    lines += after_lines(state, 80, str, replayed=False)
    for entry in state.transcript:
        heard = heard_characters(entry, reading)
        lines += entry_lines(entry, heard, Wrapping(60), origin=0.0, turn=state.turn, scale=Scale(1.0))
    for row in state.log.since(0):
        lines.append(event_line(row, Run(row.seq, row.seq, 1, row.size), 0.1, 0.0, 120))
    lines += [((visible(headline(state).detail), "text"),), (microphone(state, reading),)]
    lines += [((service(state.connection.endpoint), "text"),)]
    assert remaining(state, 0.0) is None or starved(state, reading) in (True, False)
    return lines


def assert_drawable(lines: list[Line]) -> None:
    for line in lines:
        for text, _tone in pane.folded(line, 40)[0]:
            assert visible(text) == text
            assert cell_len(text) < 100_000


@settings(max_examples=150)
@given(st.lists(damaged() | st.sampled_from(ALL) | LOCAL, max_size=20))
def test_any_events_in_any_order_can_be_drawn(sequence: list[Any]) -> None:
    fold = Fold()
    for event in sequence:
        fold.feed(event)
    assert_drawable(lines_of(fold.state))


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from([key for _, key, _ in SETTINGS]), JSON))
def test_any_settings_in_force_can_be_drawn(session: dict[str, Any]) -> None:
    assert_drawable(lines_of(SessionState(asked=session, in_force=session)))
    assert_drawable(lines_of(SessionState(in_force=session)))


def replaced(value: Any) -> Iterator[Any]:
    """An event with one of its values after the other replaced by "ODD"."""
    for name in value if isinstance(value, dict) else range(len(value)):
        inner = value[name]
        changes = ["ODD", *(replaced(inner) if isinstance(inner, dict | list) else ())]
        for change in changes:
            copy = dict(value) if isinstance(value, dict) else list(value)
            copy[name] = change
            yield copy


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_value_in_any_place_of_an_event_can_be_drawn(odd: str) -> None:
    changed = list({json.dumps(change): None for event in ALL for change in replaced(event)})
    assert len(changed) > 100
    for start in range(0, len(changed), 20):
        fold = Fold()
        for event in (*(json.dumps(event) for event in ALL), *changed[start : start + 20]):
            raw = event.replace('"ODD"', odd)
            fold.feed(inputs.Received(parse(raw), raw))
        assert_drawable(lines_of(fold.state))


CALLED = replace(
    states.IDLE, connection=replace(states.IDLE.connection, caller=True), input=Device("synthetic microphone")
)
CONNECTING = replace(states.IDLE.connection, stage=Stage.CONNECTING)


@pytest.mark.parametrize(
    ("make", "session", "words"),
    [
        (TranscriptPane, states.IDLE, "Say something, or press t to type a message."),
        (TranscriptPane, replace(states.IDLE, connection=CONNECTING), "Connecting to http://127.0.0.1:41234 …"),
        (TranscriptPane, CALLED, "The caller is about to speak; press t to join in."),
        (DelayPane, states.IDLE, "Say something, or press t to type a message. The delay"),
        (DelayPane, states.FAILED, "No answer was heard."),
        (EventsPane, SessionState(), "The events of the connection appear here, both ways."),
        (ToolsPane, states.IDLE, "No tools: start with --tools FILE.py."),
        (partial(TimelinePane, LEAN), states.IDLE, "Off with --lean: it is drawn all the time."),
    ],
)
async def test_an_empty_pane_says_in_its_middle_what_to_do(make, session, words):
    pane = make()
    async with PaneApp(pane).run_test(size=(72, 21)) as pilot:
        pane.styles.height = "1fr"
        pane.session = session
        await pilot.pause()
        await pilot.pause()
        rows = [line.strip("│ ") for line in screen_text(pilot.app).split("\n")]
        row = next((at for at, line in enumerate(rows) if words in line), None)
        assert row is not None, rows
        assert 8 <= row <= 13
        drawn = screen_text(pilot.app).split("\n")[row].strip("│")
        left, right = (len(drawn) - len(part) for part in (drawn.lstrip(), drawn.rstrip()))
        assert abs(left - right) <= 8


async def test_a_filter_that_hides_everything_says_in_the_middle_how_to_see_it_again():
    pane = EventsPane()
    async with PaneApp(pane).run_test(size=(72, 21)) as pilot:
        pane.session = states.SPEAKING
        pane.query_changed("nowhere")
        await pilot.pause()
        rows = screen_text(pilot.app).split("\n")
        assert "No event matches; esc shows all of them." in rows[10]
        pane.query_changed("")
        await pilot.pause()
        assert "No event" not in screen_text(pilot.app)
