"""Edits of the session: what is wanted from now on, and what the service answered.

An edit is one `session.update`. The service takes all of it or none, so a refused one is taken back: the wanted session
is asked for again after each reset and reconnect, and would be refused there too.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from voicelive_tui.session import inputs
from voicelive_tui.session.notes import note
from voicelive_tui.session.request import NULL_MEANS_OFF
from voicelive_tui.session.state import Edit, SessionState
from voicelive_tui.wire.events import mapping, text

EDIT = "edit"
"""The kind of client event that carries one."""
KEPT = 8
"""Edits whose outcome is remembered."""


def edited(event: inputs.SessionEdited, state: SessionState, now: float) -> SessionState:
    """The state with the changes wanted, and waiting to be sent where there is a session."""
    wanted = {**state.wanted, **event.changes}
    wanted = {name: value for name, value in wanted.items() if value is not None or name in NULL_MEANS_OFF}
    detection = event.changes.get("turn_detection") or detection_of(state) or state.detection
    edits, where = state.edits, ": in the next session"
    if event.at_once and state.ready:
        before = {name: state.wanted[name] for name in event.changes if name in state.wanted}
        edits, where = (*edits, Edit(event.changes, before))[-KEPT:], ""
    state = replace(state, wanted=wanted, detection=detection, edits=edits)
    return note(state, now, "edit", ", ".join(event.changes) + where)


def barge_in_edited(event: inputs.BargeInEdited, state: SessionState, now: float) -> SessionState:
    """The state with other rules for barge-in."""
    rules = event.barge_in
    sentence = f"barge-in: cancel {rules.cancel}, clear {rules.clear}, truncate {rules.truncate}".lower()
    return note(replace(state, barge_in=rules), now, "edit", sentence)


def talk_edited(event: inputs.TalkEdited, state: SessionState, now: float) -> SessionState:
    """The state with the other way to send push-to-talk turns."""
    sentence = f"push-to-talk: {'audio turns (experimental)' if event.audio_turns else 'the input buffer'}"
    return note(replace(state, audio_turns=event.audio_turns), now, "edit", sentence)


def detection_of(state: SessionState) -> Mapping[str, Any]:
    """The turn detection wanted, or in force where it is left to an agent; empty in push-to-talk."""
    return mapping(state.wanted.get("turn_detection", state.in_force.get("turn_detection")))


def other_detection(state: SessionState) -> dict[str, Any]:
    """The changes that switch between push-to-talk and the service's turn detection."""
    return {"turn_detection": None if detection_of(state) else state.detection}


def sent(state: SessionState, event_id: str) -> SessionState:
    """The state after a `session.update` was sent."""
    if event_id.rpartition("-")[0] != EDIT:
        return state
    first = next((edit for edit in state.edits if not edit.event_id), None)
    return _replaced(state, first, event_id=event_id)


def accepted(state: SessionState) -> SessionState:
    """The state after a `session.updated`: the service answers in order."""
    return _replaced(state, next(_waiting(state), None), answered=True)


def refused(state: SessionState, error: Mapping[str, Any]) -> SessionState | None:
    """The state without the edit that an `error` refuses; None where it answers none.

    It is known by its event id, or without one by naming a field of the session. What a later edit changed since stays.
    """
    event_id, param = text(error.get("event_id")), text(error.get("param"))
    named = event_id or (param == "session" or param.startswith("session."))
    edit = next((edit for edit in _waiting(state) if named and event_id in ("", edit.event_id)), None)
    if edit is None:
        return None
    at = state.edits.index(edit)
    edits, since = [*state.edits[:at], replace(edit, answered=True, refusal=error)], set[str]()
    for later in state.edits[at + 1 :]:
        edits.append(replace(later, before=_without(later.before, edit, since)))
        since |= later.changes.keys()
    wanted, asked = _without(state.wanted, edit, since), _without(state.asked, edit, since)
    return replace(state, wanted=wanted, asked=asked, edits=tuple(edits))


def _waiting(state: SessionState) -> Iterator[Edit]:
    return (edit for edit in state.edits if edit.event_id and not edit.answered)


def _replaced(state: SessionState, edit: Edit | None, **changes: Any) -> SessionState:
    edits = tuple(replace(each, **changes) if each is edit else each for each in state.edits)
    return replace(state, edits=edits) if edit else state


def _without(session: Mapping[str, Any], edit: Edit, since: Collection[str]) -> dict[str, Any]:
    """A session object as it was before an edit, but for the fields that were changed since."""
    undone = {name for name, value in edit.changes.items() if session.get(name) == value and name not in since}
    kept = {name: value for name, value in session.items() if name not in undone}
    return kept | {name: value for name, value in edit.before.items() if name in undone}
