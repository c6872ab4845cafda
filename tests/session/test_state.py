import pytest
from msgspec.structs import replace

from voicelive_tui.session.latency import Turn
from voicelive_tui.session.state import Connection, Stage


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


def connected(expires_at: float | None, unix_time: float = 1e9, *, dated: bool = True) -> Connection:
    """A connection that was opened at monotonic 100."""
    return Connection(expires_at=expires_at, started_at=100.0, epoch=unix_time - 100.0, dated=dated)


def test_a_session_ends_by_the_service_s_clock_whatever_this_machine_s_says() -> None:
    assert connected(1e9 + 20).ends_at == 120.0
    assert connected(1e9 + 86_400).ends_at == 86_500.0
    assert connected(None).ends_at is None


@pytest.mark.parametrize(
    ("seconds", "believed"), [(1800, True), (3600, True), (-40, False), (60, False), (9000, False)]
)
def test_this_machine_s_clock_is_believed_where_the_length_of_the_session_is_credible(
    seconds: float, believed: bool
) -> None:
    assert (connected(1e9 + seconds, dated=False).ends_at is not None) is believed
