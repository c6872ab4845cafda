"""Whatever arrives, every pane can draw it: what a pane says is made by plain functions."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.session.folding import Fold
from tests.session.test_fold import ALL, LOCAL, damaged
from tests.wire.test_events import JSON
from voicelive_tui.session import inputs
from voicelive_tui.session.headline import headline
from voicelive_tui.session.history import heard_characters
from voicelive_tui.session.reading import Reading
from voicelive_tui.session.state import SessionState
from voicelive_tui.text import visible
from voicelive_tui.ui.delays import Scale
from voicelive_tui.ui.entry_lines import entry_lines
from voicelive_tui.ui.panes import delay
from voicelive_tui.ui.panes import session as pane
from voicelive_tui.ui.panes.events import event_line
from voicelive_tui.ui.panes.status import microphone, remaining, service, starved
from voicelive_tui.ui.panes.transcript import after_lines
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
    lines += after_lines(state, 80, str)
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
