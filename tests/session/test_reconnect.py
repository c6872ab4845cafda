"""When a lost session is connected again, and when it is not."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.session.folding import CONNECTING, Fold, ready
from voicelive_tui.session import effects, inputs
from voicelive_tui.session.headline import headline
from voicelive_tui.session.reconnect import (
    FIRST_SECONDS,
    LONGEST_SECONDS,
    MOST_CONNECTS,
    RETRIED_CODES,
    TRIES,
    WINDOW_SECONDS,
    next_retry,
    tries,
)

RESUMING = inputs.Connecting(
    endpoint="http://127.0.0.1:1",
    api_version="2026-07-15",
    model="gpt-realtime",
    credential="API key",
    resumed=True,
)
LOST = inputs.Disconnected(1006, "the connection was lost")


def waits(wanted: list[effects.Effect], now: float) -> list[float]:
    """Seconds to each attempt among the effects."""
    return [effect.retry.at - now for effect in wanted if isinstance(effect, effects.Reconnect) and effect.retry]


@pytest.mark.parametrize("code", sorted(RETRIED_CODES))
def test_a_lost_session_is_connected_again_after_half_a_second_at_most(code: int) -> None:
    fold = ready()
    wanted = fold.feed(inputs.Disconnected(code, "gone"))
    (seconds,) = waits(wanted, fold.now)
    assert FIRST_SECONDS / 2 <= seconds <= FIRST_SECONDS
    assert fold.state.resuming
    assert fold.state.retry is not None
    assert fold.state.retry.number == 1


@pytest.mark.parametrize("code", [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 4000])
def test_an_end_that_a_repetition_would_meet_again_is_final(code: int) -> None:
    fold = ready()
    assert waits(fold.feed(inputs.Disconnected(code, "gone")), fold.now) == []
    assert not fold.state.resuming


def test_the_first_connection_is_tried_once() -> None:
    fold = Fold(CONNECTING)
    assert fold.feed(inputs.ConnectFailed("no network", transient=True)) == []
    fold = Fold(CONNECTING, inputs.Connected())
    assert fold.feed(LOST) == []


def test_our_own_close_is_final() -> None:
    assert ready().feed(inputs.Disconnected(1006, "")) == []


def test_the_wait_doubles_until_the_tries_are_used_up() -> None:
    fold = ready()
    seconds = waits(fold.feed(LOST), fold.now)
    for _ in range(TRIES):
        fold.now += seconds[-1]
        fold.feed(RESUMING)
        seconds += waits(fold.feed(inputs.ConnectFailed("no route", transient=True)), fold.now)
    assert len(seconds) == TRIES
    for number, wait in enumerate(seconds):
        longest = min(FIRST_SECONDS * 2**number, LONGEST_SECONDS)
        assert longest / 2 <= wait <= longest
    assert not fold.state.resuming
    assert fold.state.connection.problem == "no route"


def test_a_refusal_that_a_repetition_would_meet_again_ends_the_tries() -> None:
    fold = ready()
    fold.feed(LOST, RESUMING)
    assert fold.feed(inputs.ConnectFailed("HTTP 401")) == []
    assert not fold.state.resuming


def test_retry_after_is_obeyed() -> None:
    fold = ready()
    fold.feed(LOST, RESUMING)
    assert waits(fold.feed(inputs.ConnectFailed("HTTP 429", transient=True, retry_after=7.0)), fold.now) == [7.0]


def test_a_used_up_quota_is_final() -> None:
    fold = ready()
    fold.feed({"type": "error", "error": {"type": "insufficient_quota", "code": "", "message": "no more"}})
    assert fold.feed(LOST) == []


def test_reconnecting_can_be_switched_off() -> None:
    from msgspec.structs import replace

    fold = ready()
    fold.state = replace(fold.state, intent=replace(fold.state.intent, reconnect=False))
    assert fold.feed(LOST) == []


def test_the_reset_key_tries_at_once_and_continues_the_session() -> None:
    fold = ready()
    fold.feed(LOST)
    assert fold.feed(inputs.ResetPressed()) == [effects.Reconnect()]
    assert fold.state.lost_at is not None


def test_the_stop_key_ends_the_wait() -> None:
    fold = ready()
    fold.feed(LOST)
    assert fold.feed(inputs.StopPressed()) == [effects.Disconnect()]
    assert not fold.state.resuming
    assert fold.feed(inputs.StopPressed()) == []


def test_the_conversation_s_length_counts_from_the_first_session() -> None:
    fold = ready()
    began_at = fold.state.began_at
    assert began_at == fold.state.connects[0]
    fold.feed(LOST, RESUMING)
    assert fold.state.began_at == began_at
    fold.feed(inputs.ConnectFailed("HTTP 401"), inputs.ResetPressed(), CONNECTING)
    assert fold.state.began_at == began_at


def test_the_headline_counts_down() -> None:
    fold = ready()
    fold.feed(LOST, RESUMING, inputs.ConnectFailed("HTTP 429", transient=True, retry_after=7.0))
    retry = fold.state.retry
    assert retry is not None
    shown = headline(fold.state, retry.at - 3.5)
    assert shown[:3] == ("reconnecting", "in 4 s, try 2 of 5", "{reset} retries, {back} stops")
    fold.feed(RESUMING)
    assert headline(fold.state)[:2] == ("reconnecting", "try 2 of 5")


@given(
    st.lists(st.floats(0, 400), max_size=32).map(sorted),
    st.floats(0, 400),
    st.floats(0, 100),
    st.floats(0, 1000),
)
def test_every_try_obeys_backoff_and_limits(connects: list[float], lost_at: float, wait: float, after: float) -> None:
    now = max([lost_at, *connects]) + wait
    retry = next_retry(tuple(connects), lost_at, now, after)
    made = tries(tuple(connects), lost_at)
    assert sum(at > lost_at for at in connects) <= made < len(connects) + 1
    if made >= TRIES:
        assert retry is None
        return
    assert retry is not None
    assert retry.number == made + 1
    assert retry.at - now >= min(FIRST_SECONDS * 2**made, LONGEST_SECONDS) / 2 - 1e-6
    assert retry.at - now >= after - 1e-6
    assert math.isclose(retry.at - now, retry.seconds, abs_tol=1e-6)
    assert sum(at > retry.at - WINDOW_SECONDS for at in connects) < MOST_CONNECTS


def test_a_service_that_ends_every_session_at_once_uses_the_tries_up() -> None:
    connects, now, waits = (0.0,), 1_000.0, []
    while (retry := next_retry(connects, now, now)) is not None:
        waits.append(retry.number)
        connects = (*connects, retry.at)
        now = retry.at + 0.1  # it was ready for a moment
    assert waits == [1, 1, 2, 3, 4, 5]
    assert next_retry(connects, now + 60, now + 60) is not None  # a session that lasted begins with all tries


def test_sessions_that_are_silent_from_the_start_use_the_tries_up() -> None:
    """Each is found dead 15 s later."""
    connects, numbers = (1_000.0,), []
    while (retry := next_retry(connects, connects[-1] + 0.1, connects[-1] + 15.0)) is not None:
        numbers.append(retry.number)
        connects = (*connects, retry.at)
    assert numbers == [1, 2, 3, 4, 5]
