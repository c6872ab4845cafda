import pytest
from msgspec.structs import replace

from voicelive_tui.session.state import Connection, Stage, Turn


@pytest.mark.parametrize(
    ("stage", "code", "failed"),
    [(Stage.READY, None, False), (Stage.FAILED, None, True), (Stage.CLOSED, 1000, False), (Stage.CLOSED, 1011, True)],
)
def test_a_connection_failed_unless_it_was_closed_normally(stage: Stage, code: int | None, failed: bool) -> None:
    assert Connection(stage, close_code=code).failed is failed


def test_latency_runs_from_the_last_voiced_sample_to_the_first_sample_heard() -> None:
    turn = Turn(1, voiced_at=10.0, speech_stopped_at=10.5, heard_at=11.25)
    assert turn.latency == 1.25
    assert replace(turn, voiced_at=None).latency == 0.75
    assert replace(turn, heard_at=None).latency is None
