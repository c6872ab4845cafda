"""Numbers that keys change by steps; `test_session.py` presses the keys."""

import pytest
from msgspec.structs import replace

from voicelive_tui.session.state import SessionState
from voicelive_tui.ui.panes.steps import STEPS, step_lines, step_of, stepped

THRESHOLD, SILENCE = STEPS
BLOCK = {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 500}
STATE = SessionState(
    wanted={"turn_detection": BLOCK}, asked={"turn_detection": BLOCK}, in_force={"turn_detection": BLOCK}
)


def words(lines):
    return ["".join(text for text, _ in line).split(maxsplit=1) for line in lines]


def test_each_number_in_force_has_a_line_which_is_found_again():
    lines = step_lines(STATE, {}, 15)
    assert words(lines) == [["threshold", "0.5"], ["silence", "500 ms"]]
    assert [step_of(line) for line in lines] == [THRESHOLD, SILENCE]
    assert step_of((("  threshold of another kind", "dim"),)) is None
    assert step_of(()) is None


def test_steps_that_are_not_sent_yet_are_shown_behind_the_number():
    assert words(step_lines(STATE, {"threshold": 0.55}, 15))[0] == ["threshold", "0.5 → 0.55"]


def test_a_number_that_the_service_did_not_take_over_is_compared():
    state = replace(STATE, in_force={"turn_detection": BLOCK | {"threshold": 0.4}})
    assert words(step_lines(state, {}, 15))[0] == ["threshold", "0.4 ≠ asked 0.5"]


@pytest.mark.parametrize("odd", [None, "0.5", {}, [1]])
def test_a_number_that_is_none_has_no_line(odd):
    state = replace(STATE, in_force={"turn_detection": {"threshold": odd}})
    assert step_lines(state, {}, 15) == []


@pytest.mark.parametrize(
    ("step", "pending", "times", "number"),
    [
        (THRESHOLD, {}, 1, 0.55),
        (THRESHOLD, {"threshold": 0.55}, 2, 0.65),
        (THRESHOLD, {}, 99, 1.0),
        (THRESHOLD, {}, -99, 0),
        (SILENCE, {}, -1, 450),
        (SILENCE, {"silence_duration_ms": 0}, -1, 0),
    ],
)
def test_a_step_goes_on_from_the_last_one_and_stays_in_the_range(step, pending, times, number):
    assert stepped(STATE, step, pending, times) == number


def test_a_step_begins_at_the_number_in_force_where_none_is_wanted():
    state = replace(STATE, wanted={})
    assert stepped(state, SILENCE, {}, 1) == 550
