"""The state of a call, from its facts."""

from typing import Any

import pytest

from voicelive_tui.session.calls import Call, CallState


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({}, CallState.ARGUMENTS),
        ({"complete_at": 1.0}, CallState.RUNNING),
        ({"complete_at": 1.0, "waiting_at": 1.0}, CallState.AWAITING),
        ({"complete_at": 1.0, "waiting_at": 1.0, "decided_at": 2.0}, CallState.RUNNING),
        ({"complete_at": 1.0, "started_at": 1.0}, CallState.RUNNING),
        ({"complete_at": 1.0, "started_at": 1.0, "overtaken_at": 2.0}, CallState.RUNNING),
        ({"complete_at": 1.0, "ended_at": 3.0}, CallState.ANSWERED),
        ({"complete_at": 1.0, "ended_at": 3.0, "overtaken_at": 2.0}, CallState.STALE),
        ({"complete_at": 1.0, "ended_at": 3.0, "due_at": 3.0}, CallState.PENDING),
        ({"complete_at": 1.0, "ended_at": 3.0, "due_at": 3.0, "spoken_at": 4.0}, CallState.SPOKEN),
        ({"complete_at": 1.0, "ended_at": 3.0, "ended": "timed out", "spoken_at": 4.0}, CallState.TIMED_OUT),
        ({"ended_at": 3.0, "ended": "cancelled"}, CallState.CANCELLED),
    ],
)
def test_the_state_follows_from_the_facts(facts: dict[str, Any], state: CallState) -> None:
    assert Call("function", "add", **facts).state is state


@pytest.mark.parametrize(
    ("facts", "is_open"),
    [
        ({}, True),
        ({"ended_at": 1.0}, False),
        ({"ended_at": 1.0, "due_at": 1.0}, True),
        ({"ended_at": 1.0, "due_at": 1.0, "overtaken_at": 2.0}, False),
        ({"ended_at": 1.0, "due_at": 1.0, "answered_by": "resp_1"}, False),
    ],
)
def test_a_call_is_open_until_it_has_its_output_and_no_answer_is_due(facts: dict[str, Any], is_open: bool) -> None:
    assert Call("function", "add", **facts).open is is_open
