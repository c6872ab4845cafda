"""When to connect again after a session was lost, and from which moment on captured sound is sent again.

A session is lost if its connection ends after it was ready. It is connected again with exponential backoff and jitter,
at most `TRIES` times a loss, and never more than `MOST_CONNECTS` times a minute: the resource allows 30 (protocol,
section 1.8). The first connection of a program is tried once, and so is what the service refused for a reason that a
repetition does not remove.
"""

from random import Random

from voicelive_tui.session import turns
from voicelive_tui.session.continuation import Retry
from voicelive_tui.session.state import SessionState, Stage
from voicelive_tui.session.talk import PREROLL_SECONDS

TRIES = 5
"""Connections a loss."""
FIRST_SECONDS, LONGEST_SECONDS = 0.5, 30.0
"""The wait before the first try, which doubles with each, and its limit; jitter takes up to half of it off."""
MOST_CONNECTS, WINDOW_SECONDS = 10, 60.0
"""Connections in any `WINDOW_SECONDS`."""
STEADY_SECONDS = 30.0
"""More than it takes to detect a dead session and to connect again at the last try but one."""
RETRIED_CODES = frozenset({1001, 1006, 1011, 1012, 1013})
"""Close codes (RFC 6455, section 7.4) of an end that has nothing to do with what was sent."""
UNNOTICED_SECONDS = 0.5
"""Sound sent this long before a loss may be missing at the service."""
ONSET_SECONDS = 1.0
"""The service reports speech this long after its start at the most: its prefix padding, detection, and the network."""


def next_retry(connects: tuple[float, ...], lost_at: float, now: float, retry_after: float = 0.0) -> Retry | None:
    """The next attempt to continue a session lost at `lost_at`, or None when all tries are used up.

    `connects` has the moments at which the last connections were begun, oldest first; `retry_after` the seconds that
    the service asks to wait. `now` also seeds the jitter, so that the result depends on nothing else.
    """
    made = tries(connects, lost_at)
    if made >= TRIES:
        return None
    backoff = min(FIRST_SECONDS * 2.0**made, LONGEST_SECONDS) * Random(now).uniform(0.5, 1.0)  # noqa: S311 - no secret
    at = now + max(backoff, retry_after)
    if len(connects) >= MOST_CONNECTS:
        at = max(at, connects[-MOST_CONNECTS] + WINDOW_SECONDS)
    return Retry(at, at - now, made + 1)


def may_connect(connects: tuple[float, ...], now: float) -> bool:
    """Whether another connection now keeps the limit."""
    return len(connects) < MOST_CONNECTS or now - connects[-MOST_CONNECTS] >= WINDOW_SECONDS


def tries(connects: tuple[float, ...], lost_at: float) -> int:
    """Connections made since a session was lost.

    A session that lasts less than `STEADY_SECONDS` does not end the loss before it: a service that accepts and ends
    every session uses the tries up as well, but for the first such session.
    """
    since, short = lost_at - STEADY_SECONDS, 0
    for at in reversed(connects):
        if at <= lost_at:
            if at < since:
                break
            since, short = at - STEADY_SECONDS, short + 1
    return sum(at > lost_at for at in connects) + max(short - 1, 0)


def worth_a_try(state: SessionState, code: int) -> bool:
    """Whether a connection that ended with this close code may be made again."""
    return state.connection.stage is Stage.CLOSED and code in RETRIED_CODES


def kept_from(state: SessionState, lost_at: float) -> float:
    """The moment from which on captured sound is sent again: the start of the utterance that was interrupted.

    Without one it is a moment before the loss; sound of a turn that was committed is never sent twice.
    """
    turn = state.turn
    start = lost_at - UNNOTICED_SECONDS
    if turn is not None and turns.being_spoken(turn) and turn.speech_started_at is not None:
        onset = ONSET_SECONDS if turn.began_by == "speech" else PREROLL_SECONDS
        start = min(start, turn.speech_started_at - onset)
    ends = (turn.speech_stopped_at or turn.committed_at for turn in state.turns[-2:] if not turns.being_spoken(turn))
    return max(start, *(end for end in ends if end is not None), state.fresh_at)
