"""Observing the loss of a session and the session after it. `observe.py` registers these handlers."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from voicelive_tui.session import inputs, tools, turns
from voicelive_tui.session.continuation import Restored
from voicelive_tui.session.notes import note, remark
from voicelive_tui.session.reconnect import TRIES
from voicelive_tui.session.state import InputHandler, SessionState
from voicelive_tui.session.transcript import Entry, EntryStatus, remove
from voicelive_tui.text import counted
from voicelive_tui.wire.events import text
from voicelive_tui.wire.log import Severity


def begin_fresh(state: SessionState, now: float) -> SessionState:
    """The state as a session without a history begins; the earlier conversation stays in view above a remark."""
    if state.transcript:
        state = remark(state, now, "new session: the model knows nothing of what is above", rule=True)
    state = tools.leave(state, now)
    return replace(state, lost_at=None, fresh_at=now, playing="", problems=())


def without_utterance(state: SessionState) -> SessionState:
    """The state without the entry of an utterance in progress, whose sound is sent again and makes a new one."""
    turn = state.turn
    entry = state.entry(turn.item_id) if turn and turns.being_spoken(turn) else None
    return replace(state, transcript=remove(state.transcript, entry.item_id)) if entry and not entry.text else state


def break_off(state: SessionState, now: float) -> SessionState:
    """The state at the end of a session: its answer ends where it is, what arrived of it is still played."""
    state = end_audio(state, *(entry.item_id for entry in state.unheard))
    response_id = state.response
    if not tools.anything_came(state, response_id):
        state = turns.take_back(state, response_id)
    transcript = tuple(_ended(entry, response_id, now) for entry in state.transcript)
    state = replace(state, response="", awaiting=False, transcript=transcript)
    return tools.connection_ended(state, response_id, now)


def end_audio(state: SessionState, *item_ids: str) -> SessionState:
    """The state with the audio of these items complete."""
    for item_id in item_ids:
        state = state.with_change(item_id, audio_done=True)
    return state


def _ended(entry: Entry, response_id: str, now: float) -> Entry:
    """An entry as the end of its session leaves it."""
    spoken = entry.role == "user" and entry.status in (EntryStatus.LISTENING, EntryStatus.PARTIAL)
    answer = bool(response_id) and entry.response_id == response_id and entry.status is EntryStatus.PARTIAL
    answer = answer and not (entry.call and entry.call.kind == "function")  # which may still run
    if not spoken and not answer:
        return entry
    return replace(entry, status=EntryStatus.FAILED, note="the connection ended before the rest", done_at=now)


def _reconnecting(event: inputs.Reconnecting, state: SessionState, now: float) -> SessionState:
    sentence = f"in {event.retry.seconds:.1f} s, try {event.retry.number} of {TRIES}"
    return note(replace(state, retry=event.retry), now, "reconnecting", sentence, "warning")


def _history_sent(event: inputs.HistorySent, state: SessionState, now: float) -> SessionState:
    return _settled(state, event.history, now)


def seed_created(state: SessionState, restored: Restored, item: Mapping[str, Any], now: float) -> SessionState:
    """The state after the service created an item while seeds wait: the entry is known, perhaps under another id.

    Items come back in the order in which they were sent. One with an unknown id is the next, under a new name; those
    before one with a known id were refused without an error.
    """
    item_id, seeds = text(item.get("id")), restored.seeds
    index = next((at for at, seed in enumerate(seeds) if seed.item_id == item_id), 0)
    known = item.get("type") == "function_call_output" or not item_id or state.entry(item_id)
    state = state if known else state.with_change(seeds[index].item_id, item_id=item_id)
    restored = replace(restored, seeds=seeds[index + 1 :], refused=restored.refused + index)
    return _settled(state, restored, now)


def seed_refused(state: SessionState, restored: Restored, event_id: str, now: float) -> SessionState:
    """The state after the service refused a seed: it is reported with the others."""
    left = tuple(seed for seed in restored.seeds if seed.event_id != event_id)
    return _settled(state, replace(restored, seeds=left, refused=restored.refused + 1), now)


def _settled(state: SessionState, history: Restored, now: float) -> SessionState:
    """The state with the history that the session has, and a remark once the service has answered every seed."""
    state = replace(state, restored=history)
    if history.seeds:
        return state
    missing = f"audio and {counted(history.wordless, 'turn')} without words were" if history.wordless else "audio was"
    done = f"{counted(history.turns, 'turn')} restored (about {history.tokens:,} tokens); {missing} not"
    if not history.turns and not history.tokens:
        done = "the agent keeps its conversation" if state.connection.agent else "there were no words to restore"
    if history.refused:
        done += f", and the service refused {counted(history.refused, 'item')}"
    how = "rotated" if history.seconds is None else f"new session after {history.seconds:.1f} s"
    sentence = f"{how}: {done}"
    severity: Severity = "warning" if history.refused else "info"
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


HANDLERS: dict[type, InputHandler] = {
    inputs.Reconnecting: _reconnecting,
    inputs.HistorySent: _history_sent,
    inputs.SentLate: _sent_late,
    inputs.NoAnswer: _no_answer,
}
