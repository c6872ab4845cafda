"""One handler for each server event that is acted on, found by the event's `type`; all others are logged only.

Handlers read the JSON object as it came and trust nothing in it: see `events.py`. The order of events that they rely
on, or must not rely on, differs between models that take audio themselves and models behind a speech recogniser;
`transcript.py` says how.
"""

import binascii
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, cast

from voicelive_tui.session import effects, tools, turns
from voicelive_tui.session.barge_in import Step, interrupt, service_setting, unheard
from voicelive_tui.session.state import Activity, Entry, EntryStatus, Link, Problem, Response, SessionState
from voicelive_tui.session.transcript import Role, change, place, remove, update
from voicelive_tui.wire.events import (
    ALREADY_ACTIVE,
    BENIGN_ERRORS,
    PCM_BYTES_PER_MS,
    error_text,
    listing,
    mapping,
    number,
    text,
)

Event = Mapping[str, Any]
Handler = Callable[[Event, SessionState, float], Step]

CONFIGURE = "configure"
"""The `event_id` of the one `session.update`: an error that repeats it means that the configuration was refused."""
CREATE = "create"
"""The `event_id` of every `response.create` of ours."""

PINNED = 100
"""Problems that stay pinned at most: a service that complains without end must not fill the memory."""

HANDLERS: dict[str, Handler] = {}


def _on(*types: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(types, handler))
        return handler

    return register


# --- the session ---------------------------------------------------------------------------------------------------


@_on("session.created")
def _session_created(event: Event, state: SessionState, now: float) -> Step:
    state = _in_force(event, state)
    if state.connection.link is not Link.CONFIGURING:  # said once more: it is configured once
        return state, ()
    configure = {"type": "session.update", "event_id": CONFIGURE, "session": state.asked}
    return state, (effects.Send(configure), effects.Notify("info", "session configuration sent"))


@_on("session.updated")
def _session_updated(event: Event, state: SessionState, now: float) -> Step:
    state = _in_force(event, state)
    detection = state.in_force.get("turn_detection", state.asked.get("turn_detection"))
    push_to_talk = text(mapping(detection).get("type")) in ("", "none")
    state = replace(state, microphone=replace(state.microphone, push_to_talk=push_to_talk))
    if state.connection.link is not Link.CONFIGURING:
        return state, ()
    connection = replace(state.connection, link=Link.READY, ready_at=now)
    ready = effects.Notify("info", f"session ready: {connection.session_id}")
    return replace(state, connection=connection, activity=Activity.READY), (effects.StartCapture(), ready)


def _in_force(event: Event, state: SessionState) -> SessionState:
    session = mapping(event.get("session"))
    connection = replace(
        state.connection,
        session_id=text(session.get("id")) or state.connection.session_id,
        expires_at=number(session.get("expires_at")) or state.connection.expires_at,
    )
    return replace(state, connection=connection, in_force=session)


@_on("error")
def _error(event: Event, state: SessionState, now: float) -> Step:
    error = mapping(event.get("error"))
    code, caused_by, sentence = text(error.get("code")), text(error.get("event_id")), error_text(error)
    if code in BENIGN_ERRORS:
        note = effects.Notify("info", f"note from the service: {sentence}")
        if code == ALREADY_ACTIVE:
            return replace(state, create_when_done=state.create_when_done or caused_by == CREATE), (note,)
        if state.response and state.response.response_id in state.silenced:  # its response.done never came
            state = replace(state, response=None)
        state, create = _create_if_due(state)
        return state, (note, *create)
    if state.connection.link is Link.CONFIGURING and caused_by in (CONFIGURE, ""):
        problem = f"the service refused the session's configuration: {sentence}"
        connection = replace(state.connection, link=Link.FAILED, problem=problem, ended_at=now)
        state = pin(replace(state, connection=connection), now, problem)
        return state, (effects.Disconnect(), effects.Notify("error", problem))
    if caused_by in (CREATE, "") and state.activity is Activity.THINKING:  # no answer will come, or perhaps none
        state = replace(state, activity=settled(state))
    return pin(state, now, sentence), (effects.Notify("error", f"error from the service: {sentence}"),)


@_on("warning")
def _warning(event: Event, state: SessionState, now: float) -> Step:
    sentence = error_text(mapping(event.get("warning")))
    notice = effects.Notify("warning", f"warning from the service: {sentence}")
    return pin(state, now, sentence, "warning"), (notice,)


def pin(
    state: SessionState, now: float, sentence: str, severity: Literal["warning", "error"] = "error"
) -> SessionState:
    """The state with a problem to be seen; the latest row of the log tells more."""
    problem = Problem(now, severity, sentence, state.log.next_seq - 1)
    return replace(state, problems=(*state.problems, problem)[-PINNED:])


# --- the user's turn -----------------------------------------------------------------------------------------------


@_on("input_audio_buffer.speech_started")
def _speech_started(event: Event, state: SessionState, now: float) -> Step:
    item_id = text(event.get("item_id"))
    before = state
    state, cut = interrupt(before, now, by_key=False)
    activity = Activity.LISTENING if state is before else Activity.INTERRUPTED
    state = turns.begin(state, "speech", item_id=item_id, speech_started_at=now)
    if item_id and state.entry(item_id) is None:
        transcript = update(state.transcript, item_id, "user", now, status=EntryStatus.LISTENING)
        state = replace(state, transcript=transcript)
    return replace(state, activity=activity), (*cut, effects.Notify("info", "user started speaking"))


@_on("input_audio_buffer.speech_stopped")
def _speech_stopped(event: Event, state: SessionState, now: float) -> Step:
    state = turns.mark(state, turns.of_item(text(event.get("item_id"))), speech_stopped_at=now)
    answered = service_setting(state, "create_response", default=True)
    state = replace(state, activity=Activity.THINKING if answered else Activity.READY)
    return state, (effects.Notify("info", "user stopped speaking"),)


@_on("input_audio_buffer.committed")
def _committed(event: Event, state: SessionState, now: float) -> Step:
    item_id = text(event.get("item_id"))
    # A push-to-talk turn learns its item's name only now.
    state = turns.mark(state, lambda turn: turns.being_spoken(turn) and turn.began_by == "talk", item_id=item_id)
    state = turns.mark(state, turns.of_item(item_id), committed_at=now)
    state = replace(state, counts=replace(state.counts, turns=state.counts.turns + 1))
    if not item_id:
        return state, ()
    transcript = state.transcript
    if (entry := state.entry(item_id)) is None or entry.status is EntryStatus.LISTENING:
        transcript = update(transcript, item_id, "user", now, status=EntryStatus.PARTIAL)
    return replace(state, transcript=place(transcript, item_id, text(event.get("previous_item_id")))), ()


@_on("conversation.item.input_audio_transcription.delta")
def _user_words(event: Event, state: SessionState, now: float) -> Step:
    item_id, delta = text(event.get("item_id")), text(event.get("delta"))
    if not item_id:
        return state, ()
    entry = state.entry(item_id)
    words = (entry.text if entry else "") + delta
    transcript = update(state.transcript, item_id, "user", now, text=words, status=EntryStatus.PARTIAL)
    return replace(state, transcript=transcript), ()


@_on("conversation.item.input_audio_transcription.completed")
def _user_words_done(event: Event, state: SessionState, now: float) -> Step:
    item_id = text(event.get("item_id"))
    if not item_id:
        return state, ()
    words = text(event.get("transcript")).strip()
    note = "" if words else "no words recognised"
    transcript = update(
        state.transcript, item_id, "user", now, text=words, note=note, status=EntryStatus.DONE, done_at=now
    )
    return replace(state, transcript=transcript), ()


@_on("conversation.item.input_audio_transcription.failed")
def _user_words_failed(event: Event, state: SessionState, now: float) -> Step:
    item_id = text(event.get("item_id"))
    if not item_id:
        return state, ()
    why = f"transcription failed: {error_text(mapping(event.get('error')))}"
    transcript = update(state.transcript, item_id, "user", now, note=why, status=EntryStatus.FAILED, done_at=now)
    return replace(state, transcript=transcript), (effects.Notify("warning", why),)


# --- items ---------------------------------------------------------------------------------------------------------


@_on("conversation.item.created")
def _item_created(event: Event, state: SessionState, now: float) -> Step:
    item = mapping(event.get("item"))
    state = _see_item(state, item, now)
    transcript = place(state.transcript, text(item.get("id")), text(event.get("previous_item_id")))
    return replace(state, transcript=transcript), ()


@_on("response.output_item.added", "response.output_item.done")
def _output_item(event: Event, state: SessionState, now: float) -> Step:
    return _see_item(state, mapping(event.get("item")), now, text(event.get("response_id"))), ()


def _see_item(state: SessionState, item: Event, now: float, response_id: str = "") -> SessionState:
    item_id, role = text(item.get("id")), text(item.get("role"))
    changes: dict[str, Any] = {"response_id": response_id} if response_id else {}
    match text(item.get("type")):
        case "message" if item_id and role in ("user", "assistant", "system"):
            entry = state.entry(item_id)
            if not (entry and entry.text) and (words := _words(item)):
                done = role != "assistant"
                changes |= {"text": words} | ({"status": EntryStatus.DONE, "done_at": now} if done else {})
            if role == "user" and any(
                mapping(part).get("type") == "input_text" for part in listing(item.get("content"))
            ):
                changes["typed"] = True
            return replace(state, transcript=update(state.transcript, item_id, cast("Role", role), now, **changes))
        case kind if kind in tools.ITEMS:
            return replace(state, transcript=tools.see(state.transcript, item, response_id, now))
    return state


def _words(item: Event) -> str:
    parts = [mapping(part) for part in listing(item.get("content"))]
    return "".join(text(part.get("text")) or text(part.get("transcript")) for part in parts).strip()


@_on("conversation.item.deleted")
def _item_deleted(event: Event, state: SessionState, now: float) -> Step:
    return replace(state, transcript=remove(state.transcript, text(event.get("item_id")))), ()


@_on("conversation.item.truncated")
def _item_truncated(event: Event, state: SessionState, now: float) -> Step:
    end = int(number(event.get("audio_end_ms")))
    item_id = text(event.get("item_id"))
    transcript = change(state.transcript, item_id, lambda entry: replace(entry, truncated_ms=end))
    return replace(state, transcript=transcript), ()


# --- the answer ----------------------------------------------------------------------------------------------------


@_on("response.created")
def _response_created(event: Event, state: SessionState, now: float) -> Step:
    response_id = text(mapping(event.get("response")).get("id"))
    if not response_id:
        return state, ()
    if _called_a_tool(state):
        state = turns.go_on(state, response_id)
    elif turns.unanswered(state) is None:
        state = turns.begin(state, "service")
    answers = turns.unanswered(state)
    state = turns.mark(state, lambda turn: turn is answers, response_id=response_id, created_at=now)
    activity = state.activity if state.activity is Activity.LISTENING else Activity.THINKING
    created = effects.Notify("info", f"response created: {response_id}")
    return replace(state, response=Response(response_id, now), activity=activity), (created,)


def _called_a_tool(state: SessionState) -> bool:
    """Whether the latest turn's response ended in the call of a function, and the user still waits for the answer."""
    turn = state.turn
    if turn is None or turn.done_at is None or turn.first_audio_at is not None:
        return False
    return any(entry.role == "tool" and entry.response_id == turn.response_id for entry in state.transcript)


@_on("response.audio_transcript.delta", "response.text.delta")
def _answer_words(event: Event, state: SessionState, now: float) -> Step:
    item_id, response_id = text(event.get("item_id")), text(event.get("response_id"))
    if not item_id:
        return state, ()
    state = turns.mark(state, turns.of_response(response_id), first_text_at=now)
    entry = state.entry(item_id)
    words = (entry.text if entry else "") + text(event.get("delta"))
    transcript = update(state.transcript, item_id, "assistant", now, text=words, response_id=response_id)
    return replace(state, transcript=transcript), ()


@_on("response.audio_transcript.done", "response.text.done")
def _answer_words_done(event: Event, state: SessionState, now: float) -> Step:
    item_id, words = text(event.get("item_id")), text(event.get("transcript")) or text(event.get("text"))
    if not item_id or not words:
        return state, ()
    return replace(state, transcript=update(state.transcript, item_id, "assistant", now, text=words)), ()


@_on("response.audio.delta")
def _answer_audio(event: Event, state: SessionState, now: float) -> Step:
    item_id, response_id = text(event.get("item_id")), text(event.get("response_id"))
    if not item_id or item_id in state.silenced or response_id in state.silenced:
        return state, ()
    try:
        pcm = binascii.a2b_base64(text(event.get("delta")), strict_mode=True)
    except (binascii.Error, ValueError):
        pcm = b""
    if not pcm:
        problem = f"a piece of sound of {item_id} could not be read and was left out"
        counts = replace(state.counts, bad_frames=state.counts.bad_frames + 1)
        return replace(state, counts=counts), (effects.Notify("warning", problem),)
    ms = len(pcm) / PCM_BYTES_PER_MS
    entry = state.entry(item_id)
    state = turns.mark(state, turns.of_response(response_id), first_audio_at=now)
    transcript = update(
        state.transcript,
        item_id,
        "assistant",
        now,
        audio_ms=(entry.audio_ms if entry else 0.0) + ms,
        response_id=response_id,
    )
    counts = replace(state.counts, audio_in_ms=state.counts.audio_in_ms + ms)
    state = replace(state, transcript=transcript, counts=counts)
    play = effects.Play(item_id, pcm)
    return state, (play, effects.FinishItem(item_id)) if item_id in state.finished_items else (play,)


@_on("response.audio.done")
def _answer_audio_done(event: Event, state: SessionState, now: float) -> Step:
    return finish(state, text(event.get("item_id")))


def finish(state: SessionState, *item_ids: str) -> Step:
    """No more sound of these items will come; said once for each."""
    new = tuple(item_id for item_id in item_ids if item_id and item_id not in state.finished_items)
    state = replace(state, finished_items=(*state.finished_items, *new)[-32:])
    return state, tuple(effects.FinishItem(item_id) for item_id in new)


@_on(
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.mcp_call_arguments.delta",
    "response.mcp_call_arguments.done",
)
def _arguments(event: Event, state: SessionState, now: float) -> Step:
    return replace(state, transcript=tools.argue(state.transcript, event)), ()


@_on("response.mcp_call.completed", "response.mcp_call.failed")
def _mcp_call_over(event: Event, state: SessionState, now: float) -> Step:
    status = EntryStatus.FAILED if event.get("type") == "response.mcp_call.failed" else EntryStatus.DONE
    return replace(state, transcript=tools.end(state.transcript, text(event.get("item_id")), status, now)), ()


@_on("mcp_list_tools.failed")
def _mcp_tools_missing(event: Event, state: SessionState, now: float) -> Step:
    sentence = "the tools of an MCP server could not be listed"
    return pin(state, now, sentence, "warning"), (effects.Notify("warning", sentence),)


@_on("response.done")
def _response_done(event: Event, state: SessionState, now: float) -> Step:
    response = mapping(event.get("response"))
    response_id, status = text(response.get("id")), text(response.get("status"))
    if any(turn.done_at is not None and turn.response_id == response_id for turn in state.turns):
        return state, ()  # it came twice: its tokens count once
    details = mapping(response.get("status_details"))
    error = mapping(details.get("error"))
    why = error_text(error) if error else text(details.get("reason"))
    outcome = f"{status}: {why}" if why else status
    spoken = "audio" in listing(state.in_force.get("modalities") or state.asked.get("modalities"))
    state = turns.mark(state, turns.of_response(response_id), done_at=now)
    state = replace(
        state,
        usage=turns.add_usage(state.usage, mapping(response.get("usage"))),
        transcript=tuple(
            _settle(entry, status, outcome, now, spoken=spoken)
            if entry.response_id == response_id and response_id
            else entry
            for entry in state.transcript
        ),
        response=None if state.response and response_id in (state.response.response_id, "") else state.response,
    )
    of_it = [entry.item_id for entry in state.transcript if entry.response_id == response_id and entry.audio_ms > 0]
    state, ends = finish(state, *of_it)
    done: list[effects.Effect] = [*ends, effects.Notify("info", f"response {response_id} {outcome}")]
    if status == "failed":
        state = pin(state, now, f"the response failed: {why or 'no reason given'}")
        done.append(effects.Notify("error", f"the response failed: {why or 'no reason given'}"))
    state, create = _create_if_due(replace(state, activity=settled(state)))
    return state, (*done, *create)


def _create_if_due(state: SessionState) -> Step:
    """Ask for the answer that waited for the active response to end, once it has."""
    if not state.create_when_done or state.response is not None:
        return state, ()
    create = effects.Send({"type": "response.create", "event_id": CREATE})
    return replace(state, create_when_done=False, activity=Activity.THINKING), (create,)


def _settle(entry: Entry, status: str, outcome: str, now: float, *, spoken: bool) -> Entry:
    """An entry of a response that is over."""
    if entry.done_at is not None or entry.status is not EntryStatus.PARTIAL:
        return entry
    match status:
        case "cancelled":
            unspoken = spoken and entry.role == "assistant" and not entry.audio_ms
            heard_ms = 0.0 if unspoken else entry.heard_ms
            return replace(entry, status=EntryStatus.INTERRUPTED, done_at=now, heard_ms=heard_ms)
        case "failed" | "incomplete":
            return replace(entry, status=EntryStatus.FAILED, note=outcome, done_at=now)
        case _ if entry.role == "tool":
            return entry  # it is done when its output is there
    return replace(entry, status=EntryStatus.DONE, done_at=now)


def settled(state: SessionState) -> Activity:
    """What goes on once the present thing is over: nothing, unless sound is still to be heard.

    An interruption lasts as long as the voice that made it, and until the response that was cut off has ended.
    """
    speaking = state.turn is not None and state.turn.began_by == "speech" and state.turn.speech_stopped_at is None
    cancelled = state.response is not None and state.response.response_id in state.silenced
    interrupted = state.activity is Activity.INTERRUPTED and (speaking or cancelled)
    if interrupted or state.activity is Activity.LISTENING:
        return state.activity
    if state.playing:
        return Activity.SPEAKING
    return Activity.THINKING if state.response or unheard(state) else Activity.READY
