"""What each input means for the state: events in both directions, sound facts, and the user's keys.

Rules of this file:

- `observe(event, state, now)` is pure and requests no effects, so that a recording or another program's traffic can be
  folded; `policy.py` decides what this client does. `now` is `time.monotonic()` seconds.
- Every event in either direction gets a row in the event log. `server_events.py` has the handlers of server events.
- A local fact gets one `local` row, and so does a key that can do nothing now, with the reason.
- An input of an unknown class is a programming error: `TypeError`.
"""

import shlex
from functools import singledispatch
from typing import get_args

from msgspec.structs import asdict, replace

from voicelive_tui.config import APP_NAME
from voicelive_tui.session import edits, errors, inputs, keeping, loss, mcp, rotation, surgery, talk, tools, turns
from voicelive_tui.session.barge_in import interrupt, stopped
from voicelive_tui.session.notes import NOT_CONNECTED, note, pin
from voicelive_tui.session.server_events import HANDLERS
from voicelive_tui.session.state import RECENT, Activity, Connection, Device, Microphone, Recording, SessionState, Stage
from voicelive_tui.session.transcript import surplus
from voicelive_tui.session.wanted import settings_changed
from voicelive_tui.text import clock
from voicelive_tui.wire.events import (
    BENIGN_ERRORS,
    BYTES_PER_MS,
    as_json,
    audio_size,
    canonical,
    mapping,
    number,
    pcm_of,
    raw_without_audio,
    session_of,
    text,
)
from voicelive_tui.wire.log import Severity

_ENDS: dict[str, Severity] = {"failed": "error", "incomplete": "warning"}


@singledispatch
def observe(event: inputs.Input, state: SessionState, now: float) -> SessionState:
    """The state after `event`; `TypeError` if it is none of the classes of `inputs.py`."""
    raise TypeError(f"not an input: {type(event).__name__}")


# --- the wire ------------------------------------------------------------------------------------------------------


@observe.register
def _received(event: inputs.Received, state: SessionState, now: float) -> SessionState:
    body = event.event
    shown = text(body.get("type"))
    kind = canonical(shown)
    severity: Severity = "info"
    if kind == "error":
        benign = text(mapping(body.get("error")).get("code")) in BENIGN_ERRORS or errors.repeats(body, state)
        severity = "info" if benign else "error"
    elif kind == "response.done":
        severity = _ENDS.get(text(mapping(body.get("response")).get("status")), "info")
    elif kind == "warning" or kind.endswith(".failed"):
        severity = "warning"
    raw = event.raw or as_json(body)
    if kind == "response.audio.delta" and not pcm_of(text(body.get("delta"))):
        severity = "warning"  # the row keeps what should have been sound
    elif event.raw:
        raw = raw_without_audio(body, event.raw)
    log = state.log.append(
        now,
        "in",
        shown or "(no type)",
        raw,
        severity=severity,
        item_id=text(body.get("item_id")) or text(mapping(body.get("item")).get("id")),
        response_id=text(body.get("response_id")) or text(mapping(body.get("response")).get("id")),
        size=audio_size(body),
    )
    counts = state.counts  # not by `plus`, which takes 1 µs: events come by the hundreds
    counts = replace(counts, events_in=counts.events_in + 1, errors=counts.errors + (severity == "error"))
    state = replace(state, log=log, counts=counts)
    handler = HANDLERS.get(kind)
    if handler is None:
        return state
    after = handler(body, state, now)
    if len(after.transcript) > len(state.transcript) and (gone := surplus(after.transcript)):
        after = replace(after, transcript=after.transcript[gone:], left_out=after.left_out + gone)
    return after


@observe.register
def _sent(event: inputs.Sent, state: SessionState, now: float) -> SessionState:
    body = event.event
    kind, size = text(body.get("type")), audio_size(body)
    item_id, response_id = text(body.get("item_id")), text(body.get("response_id"))
    log = state.log.append(now, "out", kind, as_json(body), item_id=item_id, response_id=response_id, size=size)
    state = replace(state, log=log, counts=state.counts.plus(events_out=1, audio_out_ms=size / BYTES_PER_MS))
    match kind:
        case "response.create":
            return turns.mark(replace(state, awaiting=not state.response), turns.latest, asked_at=now)
        case "session.update":
            asked = replace(state, asked={**state.asked, **session_of(body)})
            return edits.sent(asked, text(body.get("event_id")))
        case "conversation.item.create" if mapping(body.get("item")).get("type") == "mcp_approval_response":
            return mcp.observe_item(state, mapping(body["item"]), "", now)
        case "response.cancel" if state.response and response_id in ("", state.response):
            return interrupt(state, now)
        case "conversation.item.create" | "conversation.item.delete" if not state.connection.foreign:
            return surgery.sent(state, body)
        case "conversation.item.create" if mapping(body.get("item")).get("role") == "user":
            return turns.begin(state, "text")
        case "conversation.item.truncate" if state.connection.foreign:  # the only report of what was heard
            return stopped(state, item_id, number(body.get("audio_end_ms")), now)
    return state


@observe.register
def _bad_message(event: inputs.BadMessage, state: SessionState, now: float) -> SessionState:
    log = state.log.append(now, "in", "(unreadable)", event.raw or event.problem, severity="error")
    return pin(replace(state, log=log, counts=state.counts.plus(bad_messages=1, errors=1)), event.problem)


# --- the link ------------------------------------------------------------------------------------------------------


@observe.register
def _connecting(event: inputs.Connecting, state: SessionState, now: float) -> SessionState:
    microphone = replace(state.microphone, capturing=False, ended=False)
    state = replace(
        state,
        connection=Connection(stage=Stage.CONNECTING, started_at=now, **asdict(event)),
        began_at=state.began_at or now,
        log=state.log if state.began_at else replace(state.log, origin=now),
        connects=(*state.connects, now)[-RECENT:],
        retry=None,
        restored=None,
        standby=None,
        asked={},
        edits=(),
        in_force={},
        response="",
        awaiting=False,
        microphone=microphone if event.resumed else Microphone(muted=microphone.muted),
    )
    state = loss.without_utterance(state) if event.resumed else loss.begin_fresh(state, now)
    answers = f"agent {event.agent}" if event.agent else f"model {event.model}"
    sentence = f"connecting to {event.endpoint} with {answers} ({event.credential})"
    return note(state, now, "connecting", sentence)


@observe.register
def _connected(event: inputs.Connected, state: SessionState, now: float) -> SessionState:
    epoch = event.unix_time - now if event.unix_time else None
    connection = replace(state.connection, stage=Stage.CONFIGURING, epoch=epoch, dated=event.dated)
    state = replace(state, connection=connection)
    return note(state, now, "connected", "the WebSocket is open")


@observe.register
def _connect_failed(event: inputs.ConnectFailed, state: SessionState, now: float) -> SessionState:
    connection = replace(state.connection, stage=Stage.FAILED, problem=event.problem, ended_at=now)
    state = replace(state, connection=connection, microphone=_idle(state), awaiting=False)
    return note(state, now, "connect failed", event.problem, "error")


@observe.register
def _disconnected(event: inputs.Disconnected, state: SessionState, now: float) -> SessionState:
    connection = replace(state.connection, close_code=event.code, ended_at=now)
    if connection.stage is not Stage.FAILED:  # a refused configuration explains more than the close that followed it
        connection = replace(connection, stage=Stage.CLOSED, problem=event.problem)
    lost = state.ready and bool(event.problem) and event.code != 1000
    severity: Severity = "error" if event.problem and event.code != 1000 else "info"
    sentence = event.problem or f"closed with code {event.code}"
    state = replace(state, connection=connection, lost_at=(event.alive_at or now) if lost else state.lost_at)
    state = note(state, now, "disconnected", sentence, severity)
    microphone = replace(state.microphone, capturing=False) if lost else _idle(state)
    return loss.break_off(replace(state, microphone=microphone), now)


def _idle(state: SessionState) -> Microphone:
    return replace(state.microphone, capturing=False, talking=False)


for kind, handler in {**loss.HANDLERS, **talk.HANDLERS, **surgery.HANDLERS}.items():
    observe.register(kind, handler)


for kind in get_args(inputs.CallInput):
    observe.register(kind, tools.observe_input)
observe.register(inputs.ResponseLost, tools.response_lost)
observe.register(inputs.RuleChanged, tools.rule_changed)
observe.register(inputs.ApprovalsChanged, mcp.approvals_changed)
observe.register(inputs.Rotated, rotation.rotated)


@observe.register
def _on_standby(event: inputs.OnStandby, state: SessionState, now: float) -> SessionState:
    return rotation.with_standby(state, observe(event.inner, rotation.view(state), now), now)


# --- sound ---------------------------------------------------------------------------------------------------------


@observe.register
def _device_changed(event: inputs.DeviceChanged, state: SessionState, now: float) -> SessionState:
    name = {"input": "microphone", "output": "speaker"}[event.direction]
    sentence = event.problem if name in event.problem else f"{name}: {event.problem or event.description}"
    state = note(state, now, f"audio {event.direction}", sentence, "warning" if event.problem else "info")
    return replace(state, **{event.direction: Device(event.description, event.problem)})


@observe.register
def _capture_changed(event: inputs.CaptureChanged, state: SessionState, now: float) -> SessionState:
    ended = state.microphone.ended and not event.capturing
    return replace(state, microphone=replace(state.microphone, capturing=event.capturing, ended=ended))


@observe.register
def _input_ended(event: inputs.InputEnded, state: SessionState, now: float) -> SessionState:
    if state.microphone.ended:
        return state
    state = replace(state, microphone=replace(state.microphone, ended=True))
    return note(state, now, "audio input", "the sound file is over: silence is sent from here on")


@observe.register
def _voiced_until(event: inputs.VoicedUntil, state: SessionState, now: float) -> SessionState:
    turn = next(filter(turns.being_spoken, reversed(state.turns)), None)
    if turn is None:
        return state
    if turn.began_by == "talk" and event.at < (turn.speech_started_at or 0.0):  # the voice was heard before this turn
        return state
    return turns.mark(state, turns.being_spoken, voiced_at=event.at)


@observe.register
def _playback_started(event: inputs.PlaybackStarted, state: SessionState, now: float) -> SessionState:
    entry = state.entry(event.item_id)
    if entry is None or event.item_id in state.silenced:  # a test tone, or an answer interrupted a moment ago
        return state
    return turns.mark(replace(state, playing=event.item_id), turns.of_response(entry.response_id), heard_at=event.at)


@observe.register
def _playback_finished(event: inputs.PlaybackFinished, state: SessionState, now: float) -> SessionState:
    entry = state.entry(event.item_id)
    state = state.with_change(event.item_id, heard_ms=min(event.heard_ms, entry.audio_ms)) if entry else state
    return replace(state, playing="" if state.playing == event.item_id else state.playing)


@observe.register
def _playback_stopped(event: inputs.PlaybackStopped, state: SessionState, now: float) -> SessionState:
    return stopped(state, event.item_id, event.heard_ms, event.at)


# --- keys ----------------------------------------------------------------------------------------------------------


@observe.register
def _mute(event: inputs.MutePressed, state: SessionState, now: float) -> SessionState:
    microphone = replace(state.microphone, muted=not state.microphone.muted)
    sentence = "muted" if microphone.muted else "no longer muted"
    if microphone.capturing:
        sentence = "microphone muted: silence is sent" if microphone.muted else "microphone live"
    return note(replace(state, microphone=microphone), now, "mute", sentence)


@observe.register
def _interrupt(event: inputs.InterruptPressed, state: SessionState, now: float) -> SessionState:
    after = tools.overtake(interrupt(state, now), now)
    sentence = "nothing to interrupt" if after is state else "interrupted by key"
    return note(replace(after, awaiting=False), now, "interrupt", sentence)


@observe.register
def _cancel(event: inputs.CancelPressed, state: SessionState, now: float) -> SessionState:
    if not state.ready:
        return note(state, now, "cancel", NOT_CONNECTED, "warning")
    return replace(interrupt(state, now), awaiting=False)


@observe.register
def _clear(event: inputs.ClearPressed, state: SessionState, now: float) -> SessionState:
    if not state.ready:
        return note(state, now, "clear", NOT_CONNECTED, "warning")
    return state


@observe.register
def _text(event: inputs.TextTyped, state: SessionState, now: float) -> SessionState:
    if not event.text.strip():
        return state
    if state.resuming:
        state = note(state, now, "type", "kept, and sent when the session is back")
    elif not state.ready:
        return note(state, now, "type", NOT_CONNECTED, "warning")
    state = tools.overtake(interrupt(state, now), now)
    return turns.begin(replace(state, awaiting=True), "text", asked_at=now)


@observe.register
def _reset(event: inputs.ResetPressed, state: SessionState, now: float) -> SessionState:
    if state.ready or state.lost_at is None:
        conversation_id = state.conversation_id if event.keep else ""
        state = replace(state, lost_at=now if event.keep else None, conversation_id=conversation_id)
        return note(state, now, "reset", "new session requested" + (" with this history" if event.keep else ""))
    return note(state, now, "reset", "trying again now")


observe.register(inputs.SessionEdited, edits.edited)
observe.register(inputs.BargeInEdited, edits.barge_in_edited)
observe.register(inputs.TalkEdited, edits.talk_edited)
observe.register(inputs.SettingsChanged, settings_changed)


@observe.register
def _rotate(event: inputs.RotatePressed, state: SessionState, now: float) -> SessionState:
    if not state.ready:
        return note(state, now, "rotate", NOT_CONNECTED, "warning")
    return note(state, now, "rotate", "a new session takes over in the next quiet moment")


@observe.register
def _stop(event: inputs.StopPressed, state: SessionState, now: float) -> SessionState:
    if state.retry is None:
        return state
    return note(replace(state, retry=None, microphone=_idle(state)), now, "reconnecting", "stopped by key")


@observe.register
def _seen(event: inputs.ProblemsSeen, state: SessionState, now: float) -> SessionState:
    return replace(state, problems=())


@observe.register(inputs.RotationDue)
@observe.register(inputs.TypingBegan)
def _for_others(event: inputs.Input, state: SessionState, now: float) -> SessionState:
    return state


@observe.register(inputs.KeepPressed)
@observe.register(keeping.SaveSound)
@observe.register(keeping.MomentChosen)
def _keep(event: inputs.Key, state: SessionState, now: float) -> SessionState:
    if state.recording is None:
        return note(state, now, "recording", "recording is off: set recording.enabled in the configuration", "warning")
    return state  # the recorder reports what it does


@observe.register
def _recording_changed(event: keeping.RecordingChanged, state: SessionState, now: float) -> SessionState:
    before = state.recording or Recording()
    since = None if not event.path else now - event.kept if event.path != before.path else before.since
    state = replace(state, recording=Recording(event.path or before.path, since))
    if event.problem:
        return pin(note(state, now, "recording", event.problem, "warning"), event.problem, "warning")
    if event.path:
        before_it = f"kept the last {clock(event.kept)}, and " if event.kept >= 1 else ""
        return note(state, now, "recording", f"{before_it}recording to {event.path}")
    if before.since is None:
        return state
    sentence = f"recorded {clock(now - before.since)}; to open it: {APP_NAME} {shlex.quote(before.path)}"
    return note(state, now, "recording", sentence)


@observe.register
def _sound_saved(event: keeping.SoundSaved, state: SessionState, now: float) -> SessionState:
    sentence = event.problem or f"sound saved to {event.path}"
    return note(state, now, "recording", sentence, "warning" if event.problem else "info")


@observe.register
def _moment_found(event: keeping.MomentFound, state: SessionState, now: float) -> SessionState:
    heard = "an answer is heard: choose the moment again after it" if state.activity is Activity.SPEAKING else ""
    problem = event.problem or heard
    return note(state, now, "recording", problem, "warning") if problem else state


@observe.register
def _local_problem(event: inputs.LocalProblem, state: SessionState, now: float) -> SessionState:
    return pin(note(state, now, "problem", event.problem, "error"), event.problem)


@observe.register
def _log_record(event: inputs.LogRecord, state: SessionState, now: float) -> SessionState:
    return replace(state, log=state.log.append(now, "log", event.logger, event.text, severity=event.severity))
