"""Edits of the session: what is wanted from now on, and what the service answered.

An edit is one `session.update`. The service takes all of it or none, so a refused one is taken back: the wanted session
is asked for again after each reset and reconnect, and would be refused there too.
"""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from voicelive_tui.session import inputs
from voicelive_tui.session.intent import Edit
from voicelive_tui.session.notes import note
from voicelive_tui.session.state import SessionState, Stage
from voicelive_tui.wire.events import text

NULL_MEANS_OFF = frozenset(
    ("turn_detection", "input_audio_transcription", "input_audio_noise_reduction", "input_audio_echo_cancellation")
)
"""Fields whose null means "off" to the service; the null of others stands for its default."""
KEPT = 8
"""Edits whose outcome is remembered."""


def observe_edit(event: inputs.SessionEdited, state: SessionState, now: float) -> SessionState:
    """The state with the changes wanted."""
    wanted = {**state.wanted, **event.changes}
    wanted = {name: value for name, value in wanted.items() if value is not None or name in NULL_MEANS_OFF}
    later = not event.at_once or state.connection.stage is not Stage.READY
    sentence = ", ".join(event.changes) + (": in the next session" if later else "")
    detection = event.changes.get("turn_detection") or state.detection
    return note(replace(state, wanted=wanted, detection=detection), now, "edit", sentence)


def observe_barge_in(event: inputs.BargeInEdited, state: SessionState, now: float) -> SessionState:
    """The state with other rules for barge-in."""
    rules = event.barge_in
    sentence = f"barge-in: cancel {rules.cancel}, clear {rules.clear}, truncate {rules.truncate}".lower()
    return note(replace(state, barge_in=rules), now, "edit", sentence)


def other_detection(state: SessionState) -> dict[str, Any]:
    """The changes that switch between push-to-talk and the service's turn detection."""
    return {"turn_detection": None if state.wanted.get("turn_detection") else state.detection}


def made(event_id: str, changes: Mapping[str, Any], before: Mapping[str, Any]) -> Edit:
    """The record of an edit; `before` is the session wanted until then."""
    return Edit(event_id, changes, {name: before[name] for name in changes if name in before})


def refused(edits: tuple[Edit, ...], error: Mapping[str, Any]) -> Edit | None:
    """The edit that an `error` object answers: by its event id, or without one by the field that it names."""
    waiting = (edit for edit in edits if not edit.answered)
    if event_id := text(error.get("event_id")):
        return next((edit for edit in waiting if edit.event_id == event_id), None)
    return next(waiting, None) if text(error.get("param")).startswith("session") else None


def take_back(state: SessionState, edit: Edit) -> SessionState:
    """The state without the changes of a refused edit, but for those that a later one has made since."""
    return replace(state, wanted=_without(state.wanted, edit), asked=_without(state.asked, edit))


def answered(edits: tuple[Edit, ...], edit: Edit | None, refusal: Mapping[str, Any] | None = None) -> tuple[Edit, ...]:
    """The edits with the answer to one of them; those after a refused one do not lead back to it."""
    others = (replace(each, before=_without(each.before, edit)) if edit and refusal else each for each in edits)
    done = (replace(each, answered=True, refusal=refusal or {}) if each is edit else None for each in edits)
    return tuple(first or second for first, second in zip(done, others, strict=True))


def _without(session: Mapping[str, Any], edit: Edit) -> dict[str, Any]:
    undone = {name for name, value in edit.changes.items() if session.get(name) == value}
    kept = {name: value for name, value in session.items() if name not in undone}
    return kept | {name: value for name, value in edit.before.items() if name in undone}
