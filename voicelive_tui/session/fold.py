"""`reduce`: what happens to the session, and what is to be done, when something happens.

Rules of this file:

- `reduce(event, state, now)` is pure: the same arguments give the same result; `now` is `time.monotonic()` seconds.
- Every server event gets a row in the event log, known or not; those acted on have a handler in `service_events.py`.
- Local inputs are handled here, one function for each class; an unknown one is a programming error: `TypeError`.
- Effects are performed by `live.py` in the order in which they are returned.
"""

from dataclasses import replace
from functools import singledispatch
from typing import Literal

from voicelive_tui.session import effects, inputs, turns
from voicelive_tui.session.barge_in import Step, cancel, interrupt, stopped, unheard
from voicelive_tui.session.observe import CREATE, HANDLERS, finish, pin, settled
from voicelive_tui.session.state import (
    Activity,
    Connection,
    Device,
    Entry,
    EntryStatus,
    Link,
    Microphone,
    SessionState,
)
from voicelive_tui.session.transcript import change, surplus
from voicelive_tui.wire.events import BENIGN_ERRORS, PCM_BYTES_PER_MS, as_json, audio_size, mapping, text

NOT_CONNECTED = "not connected: reset for a new session"
SHORTEST_TURN = 0.1
"""Seconds of push-to-talk: a service refuses to take less for a turn (`input_audio_buffer.commit`)."""


@singledispatch
def reduce(event: inputs.Input, state: SessionState, now: float) -> Step:
    """The state after `event`, and the effects it asks for.

    Raises:
        TypeError: `event` is none of the classes of `inputs.py`.
    """
    raise TypeError(f"not an input: {type(event).__name__}")


def _logged(
    state: SessionState, now: float, kind: str, sentence: str, severity: Literal["info", "warning", "error"] = "info"
) -> SessionState:
    counts = replace(state.counts, errors=state.counts.errors + (severity == "error"))
    return replace(state, log=state.log.append(now, "local", kind, sentence, severity=severity), counts=counts)


# --- the wire ------------------------------------------------------------------------------------------------------


@reduce.register
def _received(event: inputs.Received, state: SessionState, now: float) -> Step:
    body = event.event
    kind = text(body.get("type"))
    item_id = text(body.get("item_id")) or text(mapping(body.get("item")).get("id"))
    response_id = text(body.get("response_id")) or text(mapping(body.get("response")).get("id"))
    severity: Literal["info", "warning", "error"] = "info"
    if kind == "error":
        severity = "info" if text(mapping(body.get("error")).get("code")) in BENIGN_ERRORS else "error"
    elif kind == "response.done" and mapping(body.get("response")).get("status") == "failed":
        severity = "error"
    elif kind == "warning" or kind.endswith(".failed"):
        severity = "warning"
    log = state.log.append(
        now,
        "in",
        kind or "(no type)",
        as_json(body),
        severity=severity,
        item_id=item_id,
        response_id=response_id,
        size=audio_size(body),
    )
    counts = replace(
        state.counts,
        events_in=state.counts.events_in + 1,
        errors=state.counts.errors + (severity == "error"),
    )
    state = replace(state, log=log, counts=counts)
    handler = HANDLERS.get(kind)
    if handler is None:
        return state, ()
    after, wanted = handler(body, state, now)
    if len(after.transcript) > len(state.transcript) and (gone := surplus(after.transcript)):
        after = replace(after, transcript=after.transcript[gone:], left_out=after.left_out + gone)
    return after, wanted


@reduce.register
def _sent(event: inputs.Sent, state: SessionState, now: float) -> Step:
    body = event.event
    kind, size = text(body.get("type")), audio_size(body)
    item_id, response_id = text(body.get("item_id")), text(body.get("response_id"))
    log = state.log.append(now, "out", kind, as_json(body), item_id=item_id, response_id=response_id, size=size)
    counts = replace(
        state.counts,
        events_out=state.counts.events_out + 1,
        audio_out_ms=state.counts.audio_out_ms + size / PCM_BYTES_PER_MS,
    )
    state = replace(state, log=log, counts=counts)
    if kind == "response.create":
        state = turns.mark(state, turns.latest, asked_at=now)
    return state, ()


@reduce.register
def _bad_frame(event: inputs.BadFrame, state: SessionState, now: float) -> Step:
    state = pin(_logged(state, now, "bad frame", event.problem, "error"), now, event.problem)
    counts = replace(state.counts, bad_frames=state.counts.bad_frames + 1)
    return replace(state, counts=counts), (effects.Notify("warning", event.problem),)


# --- the link ------------------------------------------------------------------------------------------------------


@reduce.register
def _connecting(event: inputs.Connecting, state: SessionState, now: float) -> Step:
    connection = Connection(
        link=Link.CONNECTING,
        endpoint=event.endpoint,
        api_version=event.api_version,
        model=event.model,
        demo=event.demo,
        caller=event.caller,
        credential=event.credential,
        started_at=now,
    )
    fresh = SessionState(
        connection=connection,
        asked=event.request,
        microphone=Microphone(muted=state.microphone.muted),
        input=state.input,
        output=state.output,
        log=state.log,
    )
    sentence = f"connecting to {event.endpoint} with model {event.model} ({event.credential})"
    return _logged(fresh, now, "connecting", sentence), (effects.Notify("info", sentence),)


@reduce.register
def _connected(event: inputs.Connected, state: SessionState, now: float) -> Step:
    state = replace(state, connection=replace(state.connection, link=Link.CONFIGURING))
    return _logged(state, now, "connected", "the WebSocket is open"), ()


@reduce.register
def _connect_failed(event: inputs.ConnectFailed, state: SessionState, now: float) -> Step:
    connection = replace(state.connection, link=Link.FAILED, problem=event.problem, ended_at=now)
    state = _logged(replace(state, connection=connection), now, "connect failed", event.problem, "error")
    state = replace(state, microphone=_idle(state), activity=_after_all(state))
    return state, (effects.Notify("error", event.problem),)


@reduce.register
def _disconnected(event: inputs.Disconnected, state: SessionState, now: float) -> Step:
    connection = replace(state.connection, close_code=event.code, ended_at=now)
    if connection.link is not Link.FAILED:  # a refused configuration says more than the close that followed it
        connection = replace(connection, link=Link.CLOSED, problem=event.problem)
    severity: Literal["info", "error"] = "error" if event.problem and event.code != 1000 else "info"
    sentence = event.problem or f"closed with code {event.code}"
    state = _logged(replace(state, connection=connection), now, "disconnected", sentence, severity)
    state, ends = finish(state, *(entry.item_id for entry in unheard(state)))  # what came of the answer is still played
    response_id = state.response.response_id if state.response else ""
    state = replace(
        state,
        microphone=_idle(state),
        response=None,
        transcript=tuple(_ended(entry, response_id, now) for entry in state.transcript),
    )
    return replace(state, activity=_after_all(state)), (*ends, effects.Notify(severity, sentence))


def _ended(entry: Entry, response_id: str, now: float) -> Entry:
    """An entry of a connection that is over: nothing more comes of it."""
    spoken = entry.role == "user" and entry.status in (EntryStatus.LISTENING, EntryStatus.PARTIAL)
    answer = bool(response_id) and entry.response_id == response_id and entry.status is EntryStatus.PARTIAL
    if not spoken and not answer:
        return entry
    return replace(entry, status=EntryStatus.FAILED, note="the connection ended before the rest", done_at=now)


def _after_all(state: SessionState) -> Activity:
    """What goes on where nobody is connected: what came is still played."""
    return Activity.SPEAKING if state.playing else Activity.READY


def _idle(state: SessionState) -> Microphone:
    return replace(state.microphone, capturing=False, talking=False)


# --- sound ---------------------------------------------------------------------------------------------------------


@reduce.register
def _device_changed(event: inputs.DeviceChanged, state: SessionState, now: float) -> Step:
    sentence = event.problem or event.description
    severity: Literal["info", "warning"] = "warning" if event.problem else "info"
    name = {"input": "microphone", "output": "speaker"}[event.direction]
    told = event.problem or f"{name}: {event.description}"
    state = _logged(state, now, f"audio {event.direction}", told, severity)
    device = Device(event.description, event.problem)
    state = replace(state, input=device) if event.direction == "input" else replace(state, output=device)
    what = "playback started" if event.direction == "output" and not event.problem else f"audio {event.direction}"
    return state, (effects.Notify(severity, f"{what}: {sentence}"),)


@reduce.register
def _capture_changed(event: inputs.CaptureChanged, state: SessionState, now: float) -> Step:
    microphone = replace(state.microphone, capturing=event.capturing)
    started = effects.Notify("info", f"capture started: {state.input.description or 'no microphone'}")
    return replace(state, microphone=microphone), (started,) if event.capturing else ()


@reduce.register
def _voiced_until(event: inputs.VoicedUntil, state: SessionState, now: float) -> Step:
    turn = next(filter(turns.being_spoken, reversed(state.turns)), None)
    if turn is None:
        return state, ()
    if turn.began_by == "talk" and event.at < (turn.speech_started_at or 0.0):  # nothing was said in this turn
        return state, ()
    return turns.mark(state, turns.being_spoken, voiced_at=event.at), ()


@reduce.register
def _playback_started(event: inputs.PlaybackStarted, state: SessionState, now: float) -> Step:
    entry = state.entry(event.item_id)
    if entry is None or event.item_id in state.silenced:  # a test tone, or what was cut off a moment ago
        return state, ()
    state = turns.mark(replace(state, playing=event.item_id), turns.of_response(entry.response_id), heard_at=event.at)
    if state.activity in (Activity.THINKING, Activity.READY):
        state = replace(state, activity=Activity.SPEAKING)
    return state, ()


@reduce.register
def _playback_finished(event: inputs.PlaybackFinished, state: SessionState, now: float) -> Step:
    transcript = change(
        state.transcript,
        event.item_id,
        lambda entry: replace(entry, heard_ms=min(event.heard_ms, entry.audio_ms)),
    )
    playing = "" if state.playing == event.item_id else state.playing
    state = replace(state, transcript=transcript, playing=playing)
    return replace(state, activity=settled(state)), ()


@reduce.register
def _playback_stopped(event: inputs.PlaybackStopped, state: SessionState, now: float) -> Step:
    state, truncate = stopped(state, event.item_id, event.heard_ms, event.at)
    return replace(state, activity=settled(state)), truncate


# --- keys ----------------------------------------------------------------------------------------------------------


def _refused(state: SessionState, now: float, kind: str, sentence: str) -> Step:
    """A key did nothing, and why."""
    return _logged(state, now, kind, sentence, "warning"), (effects.Notify("warning", sentence),)


@reduce.register
def _mute(event: inputs.MutePressed, state: SessionState, now: float) -> Step:
    microphone = replace(state.microphone, muted=not state.microphone.muted)
    what = "microphone muted: silence is sent" if microphone.muted else "microphone live"
    return _logged(replace(state, microphone=microphone), now, "mute", what), (effects.SetMute(microphone.muted),)


@reduce.register
def _interrupt(event: inputs.InterruptPressed, state: SessionState, now: float) -> Step:
    state = replace(state, create_when_done=False)
    cut, wanted = interrupt(state, now, by_key=True)
    told = "nothing to interrupt" if cut is state else "interrupted by key"
    if cut is state and cut.activity is Activity.THINKING:  # an answer that is awaited no longer
        cut = replace(cut, activity=settled(cut))
    return _logged(cut, now, "interrupt", told), wanted


@reduce.register
def _talk(event: inputs.TalkPressed, state: SessionState, now: float) -> Step:
    if state.connection.link is not Link.READY:
        return _refused(state, now, "talk", NOT_CONNECTED)
    if not state.microphone.push_to_talk:
        return _refused(state, now, "talk", "the service finds the turns itself; start with --turn-detection none")
    if not state.microphone.capturing:
        return _refused(state, now, "talk", state.input.problem or "there is no microphone")
    if not state.microphone.talking:
        state, cut = interrupt(_logged(state, now, "talk", "push-to-talk turn began"), now, by_key=True)
        state = turns.begin(state, "talk", speech_started_at=now)
        state = replace(state, activity=Activity.LISTENING, microphone=replace(state.microphone, talking=True))
        return state, (*cut, effects.BeginTalk())
    if now - ((state.turn and state.turn.speech_started_at) or 0.0) < SHORTEST_TURN:
        sentence = "too short to be a turn, nothing is sent: press, speak, and press again"
        state = replace(state, activity=Activity.READY, microphone=replace(state.microphone, talking=False))
        state, told = _refused(replace(state, activity=settled(state)), now, "talk", sentence)
        # The service has what was sent of it: it is to be no part of the next turn.
        clear = effects.Send({"type": "input_audio_buffer.clear", "event_id": "clear"})
        return state, (effects.BeginTalk(), clear, *told)
    state = _logged(state, now, "talk", "push-to-talk turn sent")
    state = replace(state, activity=Activity.THINKING, microphone=replace(state.microphone, talking=False))
    state = turns.mark(state, turns.latest, speech_stopped_at=now)
    state, create = _ask(state, state.silenced)
    return state, (
        effects.EndTalk(),
        effects.Send({"type": "input_audio_buffer.commit", "event_id": "commit"}),
        *create,
    )


@reduce.register
def _text(event: inputs.TextTyped, state: SessionState, now: float) -> Step:
    words = event.text.strip()
    if not words:
        return state, ()
    if state.connection.link is not Link.READY:
        return _refused(state, now, "type", NOT_CONNECTED)
    silenced_before = state.silenced
    state, cut = interrupt(state, now, by_key=True)
    state = replace(turns.begin(state, "text", asked_at=now), activity=Activity.THINKING)
    state = replace(state, counts=replace(state.counts, turns=state.counts.turns + 1))
    state, create = _ask(state, silenced_before)
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": words}]}
    return state, (*cut, effects.Send({"type": "conversation.item.create", "event_id": "type", "item": item}), *create)


def _ask(state: SessionState, silenced_before: tuple[str, ...]) -> Step:
    """Ask for an answer: now, or when the active response (just cancelled) has ended.

    Where it was cancelled by an earlier key, and its `response.done` has still not come, it is cancelled once more: the
    service then tells of its end, or that there is nothing to cancel.
    """
    if state.response is None:
        return state, (effects.Send({"type": "response.create", "event_id": CREATE}),)
    response_id = state.response.response_id
    return replace(state, create_when_done=True), (cancel(response_id),) if response_id in silenced_before else ()


@reduce.register
def _reset(event: inputs.ResetPressed, state: SessionState, now: float) -> Step:
    return _logged(state, now, "reset", "a new session was asked for"), (effects.StopPlayback(), effects.Reconnect())


@reduce.register
def _seen(event: inputs.ProblemsSeen, state: SessionState, now: float) -> Step:
    return replace(state, problems=()), ()


@reduce.register
def _log_record(event: inputs.LogRecord, state: SessionState, now: float) -> Step:
    return replace(state, log=state.log.append(now, "log", event.logger, event.text, severity=event.severity)), ()
