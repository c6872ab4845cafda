"""What the errors and warnings of the service mean for the state; `server_events.py` has the other handlers."""

from msgspec.structs import replace

from voicelive_tui.session import edits, loss, surgery, tools
from voicelive_tui.session.notes import pin
from voicelive_tui.session.state import Edit, EventHandler, SessionState, Stage
from voicelive_tui.wire.events import ALREADY_ACTIVE, BENIGN_ERRORS, Event, error_text, mapping, text

CONFIGURE, CREATE, OUTPUT, SEED, TURN, TYPE = "configure", "create", "output", "seed", "turn", "type"
"""Kinds of client events whose refusal changes the state; an `error` repeats their `event_id`, see `caused_by`."""


def caused_by(event: Event, kind: str) -> bool:
    """Whether an `error` answers one of our client events of that kind, or an unnamed one."""
    event_id = text(mapping(event.get("error")).get("event_id"))
    return not event_id or event_id.rpartition("-")[0] == kind


def repeats(event: Event, state: SessionState) -> bool:
    """Whether an `error` is one more refusal of an audio turn whose first refusal was reported."""
    return bool(mapping(event.get("error")).get("event_id")) and caused_by(event, TURN) and not state.audio_turns


def _error(event: Event, state: SessionState, now: float) -> SessionState:
    error = mapping(event.get("error"))
    sentence = error_text(error)
    if (code := text(error.get("code"))) in BENIGN_ERRORS:
        over = code != ALREADY_ACTIVE and state.response in state.silenced
        return tools.settle(replace(state, response=""), now) if over else state  # its response.done never came
    # Native models report an interim response, and take the rest of the configuration (protocol, section 4.9).
    whole = "interim response" not in text(error.get("message")).lower()
    if state.connection.stage is Stage.CONFIGURING and caused_by(event, CONFIGURE) and whole:
        sentence = f"the service refused the session's configuration: {sentence}"
        connection = replace(state.connection, stage=Stage.FAILED, problem=sentence, ended_at=now)
        edit = Edit(state.asked, {}, text(error.get("event_id")), answered=True, refusal=error, whole=True)
        return pin(replace(state, connection=connection, edits=(edit,)), sentence)
    if (without := edits.refused(state, error)) is not None:
        return pin(without, sentence)
    event_id = text(error.get("event_id"))
    if repeats(event, state):
        return state
    if event_id and caused_by(event, TURN):
        sentence = f"audio turns are refused, push-to-talk goes on with the input buffer: {sentence}"
        return pin(replace(state, audio_turns=False), sentence, "warning")
    if (restored := state.restored) and any(seed.event_id == event_id for seed in restored.seeds):
        return loss.seed_refused(state, restored, event_id, now)
    if caused_by(event, CREATE):  # no answer will come
        state = replace(state, awaiting=False)
    return pin(surgery.refused(state, event_id, sentence), sentence)


def _warning(event: Event, state: SessionState, now: float) -> SessionState:
    return pin(state, error_text(mapping(event.get("warning"))), "warning")


HANDLERS: dict[str, EventHandler] = {"error": _error, "warning": _warning}
