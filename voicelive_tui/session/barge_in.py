"""Barge-in, in one place: what is cut, who cancels, and what the service is told of what was heard.

The service interrupts its own generation when `interrupt_response` is in force, so `response.cancel` is sent only
where it does not, or where the user pressed a key. It generates faster than real time: the response is often done
long before the speaker is, so playback stops whether or not a response is active. Neither
`input_audio_buffer.clear` nor `input_audio.clear` is ever sent here: either would erase the user's words.
"""

from dataclasses import replace

from voicelive_tui.session import effects, turns
from voicelive_tui.session.state import Activity, Entry, EntryStatus, Link, SessionState
from voicelive_tui.session.transcript import change
from voicelive_tui.wire.events import PCM_BYTES_PER_MS, mapping

Step = tuple[SessionState, tuple[effects.Effect, ...]]

_REMEMBERED = 32
"""Silenced ids kept: late audio comes within a second, so a few responses are plenty."""


def service_setting(state: SessionState, name: str, default: bool) -> bool:
    """A switch of the turn detection in force; null means the service's default, no detection False."""
    block = state.in_force.get("turn_detection", state.asked.get("turn_detection"))
    if not mapping(block):
        return False
    value = mapping(block).get(name)
    return value if isinstance(value, bool) else default


def cancel(response_id: str) -> effects.Send:
    """Ask the service to stop generating; one that is over already answers with a benign error."""
    return effects.Send({"type": "response.cancel", "response_id": response_id, "event_id": "cancel"})


def unheard(state: SessionState) -> list[Entry]:
    """The items whose sound is still to be heard to its end. A single byte is no sound: nothing will be heard of it."""
    return [
        entry
        for entry in state.transcript
        if entry.audio_ms > 1 / PCM_BYTES_PER_MS and entry.heard_ms is None and entry.item_id not in state.silenced
    ]


def interrupt(state: SessionState, now: float, *, by_key: bool) -> Step:
    """Silence, whatever is sounding; late audio of it is dropped by id from here on.

    `StopPlayback` is the first effect, before anything else is done about the interruption. Where nothing was being
    generated or heard, the state comes back as it is.
    """
    cut: list[effects.Effect] = [effects.StopPlayback()]
    response = state.response if state.response and state.response.response_id not in state.silenced else None
    cut_off = unheard(state)
    if response is None and not cut_off:
        return state, tuple(cut)
    if response and (by_key or not service_setting(state, "interrupt_response", default=True)):
        cut.append(cancel(response.response_id))
    answering = response.response_id if response else cut_off[0].response_id
    state = turns.mark(state, turns.of_response(answering), interrupted_at=now)
    ids = ((response.response_id,) if response else ()) + tuple(entry.item_id for entry in cut_off)
    return (
        replace(
            state,
            activity=Activity.INTERRUPTED,
            silenced=(*state.silenced, *ids)[-_REMEMBERED:],
            counts=replace(state.counts, interruptions=state.counts.interruptions + 1),
        ),
        tuple(cut),
    )


def stopped(state: SessionState, item_id: str, heard_ms: float, at: float) -> Step:
    """Playback of an item was cut: keep what was heard, and tell the service where it does not guess by itself."""
    entry = state.entry(item_id)
    playing = "" if state.playing == item_id else state.playing
    if entry is None:
        return replace(state, playing=playing), ()
    heard_ms = min(heard_ms, entry.audio_ms)  # a truncation beyond the item's end is refused
    unheard_ms = entry.audio_ms - heard_ms
    state = turns.mark(state, turns.of_response(entry.response_id), silent_at=at, unheard_ms=unheard_ms)
    tell = state.connection.link is Link.READY and not service_setting(state, "auto_truncate", default=False)
    transcript = change(
        state.transcript,
        item_id,
        lambda entry: replace(
            entry,
            heard_ms=heard_ms,
            status=EntryStatus.INTERRUPTED,
            truncated_ms=int(heard_ms) if tell else entry.truncated_ms,
        ),
    )
    truncate = effects.Send(
        {
            "type": "conversation.item.truncate",
            "event_id": "truncate",
            "item_id": item_id,
            "content_index": 0,
            "audio_end_ms": int(heard_ms),
        }
    )
    return replace(state, transcript=transcript, playing=playing), (truncate,) if tell else ()
