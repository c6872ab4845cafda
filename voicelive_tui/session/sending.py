"""Client events and the effects around them: what the modules of rules share with `policy.py`."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from voicelive_tui.session import effects
from voicelive_tui.session.barge_in import should_cancel, should_clear
from voicelive_tui.session.errors import CREATE, TYPE
from voicelive_tui.session.state import RECENT, SessionState
from voicelive_tui.wire.events import Event

Step = tuple[SessionState, tuple[effects.Effect, ...]]
"""The state with this client's intent, and the effects to perform in this order."""


def plan(state: SessionState, **changes: Any) -> SessionState:
    """The state with other plans of this client; see `Intent`."""
    return replace(state, intent=replace(state.intent, **changes))


def send(state: SessionState, kind: str, *events: Event) -> tuple[SessionState, tuple[effects.Send, ...]]:
    """Client events, each with a unique id such as "create-7"."""
    sends = tuple(
        effects.Send({"type": event["type"], "event_id": f"{kind}-{number}", **event})
        for number, event in enumerate(events, state.intent.sent + 1)
    )
    return plan(state, sent=state.intent.sent + len(sends)), sends


def create_item(item: Mapping[str, Any]) -> Event:
    """The client event that adds an item to the conversation."""
    return {"type": "conversation.item.create", "item": item}


def type_message(state: SessionState, words: str) -> Step:
    """A typed message, to be sent again to a new session until its item was created."""
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": words}]}
    state, (typed,) = send(state, TYPE, create_item(message))
    return plan(state, typed=(*state.intent.typed, (typed.event["event_id"], words))), (typed,)


def stop_answer(before: SessionState, after: SessionState, *, by_key: bool) -> Step:
    """Silence before anything else, then what the barge-in settings send."""
    response_id = should_cancel(before, by_key=by_key)
    cancel = [{"type": "response.cancel", "response_id": response_id}] if response_id else []
    clear = [{"type": "input_audio.clear"}] if not by_key and should_clear(before) else []
    after, cancels = send(after, "cancel", *cancel)
    after, clears = send(after, "clear", *clear)
    return after, (effects.StopPlayback(), *cancels, *clears)


def ask(before: SessionState, after: SessionState) -> Step:
    """Ask for an answer: now, or when the active response (just cancelled) has ended.

    One that an earlier key cancelled, and whose `response.done` has still not come, is cancelled once more: the service
    then reports its end, or that nothing is active.
    """
    if not after.response:
        return send(after, CREATE, {"type": "response.create"})
    response_id, after = after.response, plan(after, create=True)
    if response_id not in before.silenced:
        return after, ()
    return send(after, "cancel", {"type": "response.cancel", "response_id": response_id})


def create_if_due(state: SessionState) -> Step:
    """Ask for the answer that waited for the active response to end, once it has."""
    if not state.intent.create or state.response:
        return state, ()
    return send(plan(state, create=False), CREATE, {"type": "response.create"})


def finished_items(before: SessionState, after: SessionState) -> tuple[effects.Effect, ...]:
    """The items whose sound is complete since the state before."""
    return tuple(
        effects.FinishItem(entry.item_id)
        for entry in after.transcript[-RECENT:]
        if entry.audio_done and not ((old := before.entry(entry.item_id)) and old.audio_done)
    )
