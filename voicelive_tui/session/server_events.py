"""What each server event means for the state: one handler per canonical type.

Handlers trust nothing in an event (see `wire/events.py`). They must not rely on an order of events that differs between
native and cascade models (protocol, section 3.4); `transcript.py` keeps the order of items.
"""

from collections.abc import Callable
from typing import Any, cast

from msgspec.structs import replace

from voicelive_tui.session import edits, errors, loss, mcp, surgery, talk, tools, turns
from voicelive_tui.session.barge_in import interrupt, service_setting
from voicelive_tui.session.notes import note, pin
from voicelive_tui.session.state import EventHandler, SessionState, Stage
from voicelive_tui.session.transcript import Entry, EntryStatus, Role, place, put_behind, remove, shown_at
from voicelive_tui.wire.events import (
    BYTES_PER_MS,
    Event,
    error_text,
    listing,
    mapping,
    number,
    pcm_of,
    session_of,
    text,
)

UNTRANSCRIBED = "not transcribed"

HANDLERS: dict[str, EventHandler] = {**errors.HANDLERS}


def _on(*types: str) -> Callable[[EventHandler], EventHandler]:
    def register(handler: EventHandler) -> EventHandler:
        HANDLERS.update(dict.fromkeys(types, handler))
        return handler

    return register


# --- the session ---------------------------------------------------------------------------------------------------


@_on("session.created", "session.updated")
def _session_reported(event: Event, state: SessionState, now: float) -> SessionState:
    session, lost_at = session_of(event), state.lost_at
    connection = replace(
        state.connection,
        session_id=text(session.get("id")) or state.connection.session_id,
        expires_at=number(session.get("expires_at")) or state.connection.expires_at,
    )
    if event.get("type") == "session.updated":
        detection = mapping(session.get("turn_detection", state.asked.get("turn_detection")))
        state = talk.switch(state, push_to_talk=text(detection.get("type")) in ("", "none"))
        if connection.stage is Stage.CONFIGURING:
            connection, lost_at = replace(connection, stage=Stage.READY, ready_at=now), None
            if state.lost_at is not None:
                state = note(state, now, "reconnected", f"after {now - state.lost_at:.1f} s")
        state = edits.accepted(state)
    state = _in_conversation(state, session.get("conversation_id"), mapping(session.get("agent")).get("thread_id"))
    return replace(state, connection=connection, in_force=session, lost_at=lost_at)


def _in_conversation(state: SessionState, *ids: object) -> SessionState:
    """The state with the id of the agent's conversation, the first that is given."""
    found = next(filter(None, map(text, ids)), "")
    return replace(state, conversation_id=found) if found and state.connection.agent else state


# --- the user's turn -----------------------------------------------------------------------------------------------


@_on("input_audio_buffer.speech_started")
def _speech_started(event: Event, state: SessionState, now: float) -> SessionState:
    item_id = text(event.get("item_id"))
    state = tools.overtake(interrupt(state, now), now)
    state = turns.begin(state, "speech", item_id=item_id, speech_started_at=now)
    if not item_id or state.entry(item_id) is not None:
        return state
    return state.with_entry(item_id, "user", now, status=EntryStatus.LISTENING)


@_on("input_audio_buffer.speech_stopped")
def _speech_stopped(event: Event, state: SessionState, now: float) -> SessionState:
    state = turns.mark(state, turns.of_item(text(event.get("item_id"))), speech_stopped_at=now)
    return replace(state, awaiting=service_setting(state, "create_response", default=True))


@_on("input_audio_buffer.committed")
def _committed(event: Event, state: SessionState, now: float) -> SessionState:
    item_id = text(event.get("item_id"))
    # The item of a push-to-talk turn gets its id only now.
    state = turns.mark(state, lambda turn: turns.being_spoken(turn) and turn.began_by == "talk", item_id=item_id)
    if not item_id:
        return state
    if not any(turn.item_id == item_id for turn in reversed(state.turns)):  # push-to-talk of another program
        state = turns.begin(state, "talk", item_id=item_id)
    state = turns.mark(state, turns.of_item(item_id), committed_at=now)
    if (entry := state.entry(item_id)) is None or entry.status is EntryStatus.LISTENING:
        complete = {"status": EntryStatus.DONE, "note": UNTRANSCRIBED, "done_at": now}
        changes = {"status": EntryStatus.PARTIAL} if transcribes(state) else complete
        state = state.with_entry(item_id, "user", now, **changes)
    previous = shown_at(state.transcript, text(event.get("previous_item_id")))
    return replace(state, transcript=place(state.transcript, item_id, surgery.place_after(state, item_id, previous)))


def transcribes(state: SessionState) -> bool:
    """Whether the service transcribes the user's speech; null in force means that it does not (section 4.5)."""
    name = "input_audio_transcription"
    return bool(mapping(state.in_force.get(name, state.asked.get(name))))


@_on("conversation.item.input_audio_transcription.delta")
def _user_words(event: Event, state: SessionState, now: float) -> SessionState:
    item_id = text(event.get("item_id"))
    entry = state.entry(item_id)
    if not item_id or (entry and entry.done_at is not None and entry.note != UNTRANSCRIBED):
        return state
    words = (entry.text if entry else "") + text(event.get("delta"))
    return state.with_entry(item_id, "user", now, text=words, note="", status=EntryStatus.PARTIAL)


@_on("conversation.item.input_audio_transcription.completed")
def _user_words_done(event: Event, state: SessionState, now: float) -> SessionState:
    item_id, words = text(event.get("item_id")), text(event.get("transcript")).strip()
    entry = state.entry(item_id)
    # When the next audio is committed, Voice Live completes a transcribed item again, empty (protocol, supplement).
    if not item_id or (not words and entry and entry.done_at is not None):
        return state
    done = {"text": words, "note": "" if words else "no words recognised", "status": EntryStatus.DONE, "done_at": now}
    return state.with_entry(item_id, "user", now, **done)


@_on("conversation.item.input_audio_transcription.failed")
def _user_words_failed(event: Event, state: SessionState, now: float) -> SessionState:
    if not (item_id := text(event.get("item_id"))):
        return state
    why = f"transcription failed: {error_text(mapping(event.get('error')))}"
    return state.with_entry(item_id, "user", now, note=why, status=EntryStatus.FAILED, done_at=now)


# --- items ---------------------------------------------------------------------------------------------------------


@_on("conversation.item.created")
def _item_created(event: Event, state: SessionState, now: float) -> SessionState:
    item = mapping(event.get("item"))
    item_id = text(item.get("id"))
    state = tools.output_created(state, item)
    if state.restored and state.restored.seeds:
        return loss.seed_created(state, state.restored, item, now)
    state = _upsert_item(state, item, now)
    previous = shown_at(state.transcript, text(event.get("previous_item_id")))
    if state.entry(item_id) is None:
        return replace(state, transcript=put_behind(state.transcript, item_id, previous))
    after = surgery.place_after(state, item_id, previous)
    return replace(state, transcript=place(state.transcript, item_id, after))


@_on("response.output_item.added", "response.output_item.done")
def _output_item(event: Event, state: SessionState, now: float) -> SessionState:
    item = mapping(event.get("item"))
    state = _upsert_item(state, item, now, text(event.get("response_id")))
    return tools.item_done(state, item, now) if event.get("type") == "response.output_item.done" else state


def _upsert_item(state: SessionState, item: Event, now: float, response_id: str = "") -> SessionState:
    item_id, role = text(item.get("id")), text(item.get("role"))
    changes: dict[str, Any] = {"response_id": response_id} if response_id else {}
    match text(item.get("type")):
        case "message" if item_id and role in ("user", "assistant", "system"):
            entry = state.entry(item_id)
            if not (entry and entry.text) and (words := _words(item)):
                changes["text"] = words
                of_response = response_id or (entry and entry.response_id)
                if role != "assistant" or not of_response:  # seeded items arrive complete
                    incomplete = role == "assistant" and item.get("status") == "incomplete"
                    changes |= {"status": EntryStatus.INTERRUPTED if incomplete else EntryStatus.DONE, "done_at": now}
                if role == "user":
                    changes["note"] = ""
            types = [mapping(part).get("type") for part in listing(item.get("content"))]
            if role == "user" and "input_text" in types:
                changes["typed"] = True
            return state.with_entry(item_id, cast("Role", role), now, **changes)
        case kind if kind in tools.ITEMS:
            return tools.upsert_call(state, item, response_id, now)
        case kind if kind.startswith("mcp_"):
            return mcp.observe_item(state, item, response_id, now)
    return state


def _words(item: Event) -> str:
    parts = map(mapping, listing(item.get("content")))
    return "".join(text(part.get("text")) or text(part.get("transcript")) for part in parts).strip()


@_on("conversation.item.deleted")
def _item_deleted(event: Event, state: SessionState, now: float) -> SessionState:
    return replace(state, transcript=remove(state.transcript, text(event.get("item_id"))))


@_on("conversation.item.truncated")
def _item_truncated(event: Event, state: SessionState, now: float) -> SessionState:
    return state.with_change(text(event.get("item_id")), truncated_ms=int(number(event.get("audio_end_ms"))))


# --- the answer ----------------------------------------------------------------------------------------------------


@_on("response.created")
def _response_created(event: Event, state: SessionState, now: float) -> SessionState:
    response = mapping(event.get("response"))
    response_id = text(response.get("id"))
    if not response_id:
        return state
    state = _in_conversation(state, response.get("conversation_id"))
    if _called_a_tool(state):
        state = turns.continue_turn(state, response_id)
    elif turns.unanswered(state) is None:
        state = turns.begin(state, "service")
    answers = turns.unanswered(state)
    state = turns.mark(state, lambda turn: turn is answers, response_id=response_id, created_at=now)
    return tools.answered_by(replace(state, response=response_id, awaiting=False), response_id)


def _called_a_tool(state: SessionState) -> bool:
    """Whether the latest turn's response ended with a call of a tool, so that its answer is still to come."""
    turn = state.turn
    if turn is None or turn.done_at is None or turn.first_audio_at is not None:
        return False
    return any(entry.role == "tool" and entry.response_id == turn.response_id for entry in state.transcript)


@_on("response.audio_transcript.delta", "response.text.delta")
def _answer_words(event: Event, state: SessionState, now: float) -> SessionState:
    item_id, response_id = text(event.get("item_id")), text(event.get("response_id"))
    entry = state.entry(item_id)
    settled = entry and (entry.done_at is not None or number(event.get("content_index")) <= entry.settled[0])
    if not item_id or settled:
        return state
    state = turns.mark(replace(state, awaiting=False), turns.of_response(response_id), first_text_at=now)
    if entry is None or not entry.text:
        state = tools.spoken(state, response_id, now)
    words = (entry.text if entry else "") + text(event.get("delta"))
    return state.with_entry(item_id, "assistant", now, text=words, response_id=response_id)


@_on("response.audio_transcript.done", "response.text.done")
def _answer_words_done(event: Event, state: SessionState, now: float) -> SessionState:
    item_id, words = text(event.get("item_id")), text(event.get("transcript")) or text(event.get("text"))
    part = int(number(event.get("content_index")))
    if not item_id:
        return state
    entry = state.entry(item_id)
    before = entry.text if entry else ""
    if entry and part > entry.settled[0]:
        words = before[: entry.settled[1]] + words if words else before
    elif not words:  # native models end a text part without its text
        return state
    return state.with_entry(item_id, "assistant", now, text=words, settled=(part, len(words)))


@_on("response.audio.delta")
def _answer_audio(event: Event, state: SessionState, now: float) -> SessionState:
    item_id, response_id = text(event.get("item_id")), text(event.get("response_id"))
    if is_late(event, state):
        return state
    ms = len(pcm_of(text(event.get("delta")))) / BYTES_PER_MS
    if not ms:
        state = replace(state, counts=state.counts.plus(bad_messages=1))
        return pin(state, f"an audio delta of {item_id} is not valid base64 and was skipped", "warning")
    audio_ms = ms + (entry.audio_ms if (entry := state.entry(item_id)) else 0.0)
    if audio_ms == ms:
        state = tools.spoken(state, response_id, now)
    state = turns.mark(state, turns.of_response(response_id), first_audio_at=now)
    state = state.with_entry(item_id, "assistant", now, audio_ms=audio_ms, response_id=response_id)
    return replace(state, counts=state.counts.plus(audio_in_ms=ms), awaiting=False)


def is_late(event: Event, state: SessionState) -> bool:
    """Whether an audio delta must not be played: its answer was interrupted, or it names no item."""
    item_id = text(event.get("item_id"))
    return not item_id or item_id in state.silenced or text(event.get("response_id")) in state.silenced


@_on("response.audio.done")
def _answer_audio_done(event: Event, state: SessionState, now: float) -> SessionState:
    return loss.end_audio(state, text(event.get("item_id")))


@_on(
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.mcp_call_arguments.delta",
)
def _arguments(event: Event, state: SessionState, now: float) -> SessionState:
    return tools.append_arguments(state, event)


_on(*mcp.PROGRESS)(mcp.observe_progress)


@_on("response.done")
def _response_done(event: Event, state: SessionState, now: float) -> SessionState:
    response = mapping(event.get("response"))
    response_id, status = text(response.get("id")), text(response.get("status"))
    if any(turn.done_at is not None and turn.response_id == response_id for turn in state.turns):
        return state  # it came twice: its tokens count once
    details = mapping(response.get("status_details"))
    error = mapping(details.get("error"))
    why = error_text(error) if error else text(details.get("reason"))
    outcome = f"{status}: {why}" if why else status
    spoken = "audio" in listing(state.in_force.get("modalities") or state.asked.get("modalities"))
    transcript = tuple(
        replace(_settle(entry, status, outcome, now, spoken=spoken), audio_done=entry.audio_done or entry.audio_ms > 0)
        if entry.response_id == response_id and response_id
        else entry
        for entry in state.transcript
    )
    state = replace(
        turns.mark(state, turns.of_response(response_id), done_at=now),
        usage=state.usage.add(response_id, text(state.in_force.get("model")), mapping(response.get("usage"))),
        transcript=transcript,
        response="" if response_id in (state.response, "") else state.response,
    )
    state = tools.response_over(state, response_id, status, now)
    if status in ("failed", "incomplete"):
        sentence = f"the response {'failed' if status == 'failed' else 'is incomplete'}: {why or 'no reason given'}"
        state = pin(state, sentence, "error" if status == "failed" else "warning")
    entries = (entry for entry in state.transcript if entry.response_id == response_id)
    if not response_id or any(entry.text or entry.call or entry.note or entry.audio_ms for entry in entries):
        return state
    return _without_words(state, response_id, status, outcome, now)


def _without_words(state: SessionState, response_id: str, status: str, outcome: str, now: float) -> SessionState:
    """The state with a line that says why a response ended without words."""
    line = next((entry.item_id for entry in state.transcript if entry.response_id == response_id), response_id)
    ends = {
        "completed": (EntryStatus.DONE, "the response has no output"),
        "cancelled": (EntryStatus.INTERRUPTED, "interrupted before its first word"),
    }
    end, note = ends.get(status, (EntryStatus.FAILED, outcome or "the response ended without a status"))
    return state.with_entry(line, "assistant", now, status=end, note=note, response_id=response_id, done_at=now)


def _settle(entry: Entry, status: str, outcome: str, now: float, *, spoken: bool) -> Entry:
    """The entry after the end of its response; the end of a call is not that of its response."""
    if entry.call is not None or entry.done_at is not None or entry.status is not EntryStatus.PARTIAL:
        return entry
    match status:
        case "cancelled":
            unspoken = spoken and entry.role == "assistant" and not entry.audio_ms
            heard_ms = 0.0 if unspoken else entry.heard_ms
            return replace(entry, status=EntryStatus.INTERRUPTED, done_at=now, heard_ms=heard_ms)
        case "failed" | "incomplete":
            return replace(entry, status=EntryStatus.FAILED, note=outcome, done_at=now)
    return replace(entry, status=EntryStatus.DONE, done_at=now)
