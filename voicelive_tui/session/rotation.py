"""Rotation: a new session takes over before the one that serves expires, in a moment in which nothing is lost.

A second link is connected and configured while the first serves (`SessionState.standby`). In the first quiet moment it
is given the history, and input moves over. Without a quiet moment that happens shortly before the end, and the
utterance in progress is sent again from its start.
"""

from msgspec.structs import replace

from voicelive_tui.session import inputs, loss
from voicelive_tui.session.notes import note
from voicelive_tui.session.reconnect import may_connect
from voicelive_tui.session.state import RECENT, Activity, SessionState, Stage, Standby
from voicelive_tui.session.transcript import EntryStatus

LATEST = 1 / 8
"""Share of `Intent.rotate_before` at which a session is rotated whatever is going on: 15 s of 120."""
PATIENCE_SECONDS = 15.0
"""A rotation that the user asked for waits this long for a quiet moment."""
PAUSE_SECONDS = 15.0
"""From the failure of a link on standby to the next one."""


def due(state: SessionState, now: float) -> bool:
    """Whether a link is to be put on standby, or to take over."""
    if not near(state, now):
        return False
    if state.standby is None:
        return now >= state.intent.standby_after and may_connect(state.connects, now)
    return ready(state) and (quiet(state) or _late(state, now))


def ready(state: SessionState) -> bool:
    """Whether the link on standby can take over."""
    return state.standby is not None and state.standby.connection.stage is Stage.READY


def near(state: SessionState, now: float) -> bool:
    """Whether the session is to be rotated, so that the next quiet moment matters."""
    return state.ready and _wanted(state, now)


def _wanted(state: SessionState, now: float) -> bool:
    intent = state.intent
    automatic = intent.reconnect and intent.rotate_before > 0 and not intent.over_quota
    return intent.rotate_asked_at is not None or (automatic and _left(state, now) <= _margin(state))


def _late(state: SessionState, now: float) -> bool:
    asked_at = state.intent.rotate_asked_at
    impatient = asked_at is not None and now - asked_at >= PATIENCE_SECONDS
    return impatient or _left(state, now) <= _margin(state) * LATEST


def _margin(state: SessionState) -> float:
    """Seconds before the end in which the session is rotated: `rotate_before`, or half of a short session."""
    connection = state.connection
    return min(state.intent.rotate_before, ((connection.ends_at or 0.0) - connection.started_at) / 2)


def _left(state: SessionState, now: float) -> float:
    """Seconds until the session expires; infinite where it does not say when."""
    return float("inf") if state.connection.ends_at is None else state.connection.ends_at - now


def quiet(state: SessionState) -> bool:
    """Whether the session can be left now: no speech, no playback, no answer awaited, no tool running."""
    return (
        state.activity is Activity.READY
        and not state.playing
        and not (state.restored and state.restored.seeds)
        and all(edit.answered for edit in state.edits)
        and not any(
            (entry.call and entry.call.ended_at is None)
            or (entry.role == "user" and entry.status in (EntryStatus.LISTENING, EntryStatus.PARTIAL))
            for entry in state.transcript[-RECENT:]
            if entry.at >= state.connection.started_at
        )
    )


def rotated(event: inputs.Rotated, state: SessionState, now: float) -> SessionState:
    """The state as the session on standby takes over."""
    standby = state.standby
    if standby is None:
        return state
    before, new = state.connection, standby.connection
    left = "" if before.ends_at is None else f", {max(before.ends_at - now, 0.0):.0f} s before its end"
    state = loss.without_utterance(loss.break_off(state, now))
    state = replace(
        state,
        # Items of the session before it began earlier than this one.
        connection=replace(new, started_at=now),
        asked=standby.asked,
        in_force=standby.in_force,
        standby=None,
        edits=(),
        requests=(),
        retry=None,
        restored=None,
        lost_at=None,
    )
    return note(state, now, "rotated", f"{new.session_id} took over from {before.session_id}{left}")


def with_standby(state: SessionState, seen: SessionState, now: float) -> SessionState:
    """The state after an input of the link on standby; `seen` is the state from the view of that link."""
    standby: Standby | None = Standby(seen.connection, seen.asked, seen.in_force)
    if seen.connection.stage in (Stage.CLOSED, Stage.FAILED):
        standby = None
    state = replace(
        state, standby=standby, connects=seen.connects, log=seen.log, counts=seen.counts, problems=seen.problems
    )
    if standby is None:
        sentence = f"not rotated, the session goes on: {seen.connection.problem or 'the link ended'}"
        return note(state, now, "not rotated", sentence, "warning")
    return state


def view(state: SessionState) -> SessionState:
    """The state from the view of the link on standby."""
    standby = state.standby or Standby(replace(state.connection, stage=Stage.IDLE))
    return replace(
        state,
        connection=standby.connection,
        asked=standby.asked,
        in_force=standby.in_force,
        restored=None,
        lost_at=None,
    )
