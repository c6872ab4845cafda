"""Observing the loss of a session and the session after it. `observe.py` registers these handlers."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from voicelive_tui.session import inputs, turns
from voicelive_tui.session.notes import note, remark
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.transcript import remove
from voicelive_tui.wire.log import Severity


def begin_fresh(state: SessionState, now: float) -> SessionState:
    """The state as a session without a history begins; the earlier conversation stays in view above a remark."""
    if state.transcript:
        state = remark(state, now, "new session: the model knows nothing of what is above")
    return replace(state, lost_at=None, fresh_at=now, playing="", problems=())


def without_utterance(state: SessionState) -> SessionState:
    """The state without the entry of an utterance in progress, whose sound is sent again and makes a new one."""
    turn = state.turn
    entry = state.entry(turn.item_id) if turn and turns.being_spoken(turn) else None
    return replace(state, transcript=remove(state.transcript, entry.item_id)) if entry and not entry.text else state


def _reconnecting(event: inputs.Reconnecting, state: SessionState, now: float) -> SessionState:
    sentence = f"in {event.seconds:.1f} s, try {event.number} of {event.tries}"
    return note(state, now, "reconnecting", sentence, "warning")


def _reconnected(event: inputs.Reconnected, state: SessionState, now: float) -> SessionState:
    return note(state, now, "reconnected", f"after {event.seconds:.1f} s")


def _restored(event: inputs.Restored, state: SessionState, now: float) -> SessionState:
    missing = f"audio and {_counted(event.wordless, 'turn')} without words were" if event.wordless else "audio was"
    done = f"{_counted(event.turns, 'turn')} restored (about {event.tokens:,} tokens); {missing} not"
    if not event.turns and not event.tokens:
        done = "there were no words to restore"
    if event.refused:
        done += f", and the service refused {_counted(event.refused, 'item')}"
    sentence = f"reconnected after {event.seconds:.1f} s: {done}"
    severity: Severity = "warning" if event.refused else "info"
    return remark(note(state, now, "restored", sentence, severity), now, sentence)


def _no_answer(event: inputs.NoAnswer, state: SessionState, now: float) -> SessionState:
    sentence = f"nothing came for {event.seconds:.0f} s: a slow model, or a dead link"
    return note(state, now, "no answer", sentence, "warning")


def _sent_late(event: inputs.SentLate, state: SessionState, now: float) -> SessionState:
    sentence = f"{event.ms / 1000:.1f} s of {'speech' if event.voiced else 'sound without a voice'} sent late"
    if event.missing_ms:
        sentence += f"; {event.missing_ms / 1000:.1f} s before it were not kept"
    state = note(state, now, "sent late", sentence, "warning" if event.missing_ms else "info")
    return remark(state, now, sentence) if event.voiced else state


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


HANDLERS: dict[type, Callable[[Any, SessionState, float], SessionState]] = {
    inputs.Reconnecting: _reconnecting,
    inputs.Reconnected: _reconnected,
    inputs.Restored: _restored,
    inputs.SentLate: _sent_late,
    inputs.NoAnswer: _no_answer,
}
