"""The rules of this client: when it configures, plays, captures, asks, cancels and truncates.

`talk_rules.py` has those of push-to-talk, `tool_rules.py` those about calls of tools, `continue_rules.py` those of a
conversation that outlives its session; `sending.py` is what they share.

Rules of this file:

- `policy` compares the states before and after `observe` and returns effects in the order to perform them; it is pure.
- It writes one field of the state, `intent`. A replay leaves this module out.
- Barge-in: `StopPlayback` comes before every other effect. Audio of interrupted answers is not played.
"""

from collections.abc import Callable

from voicelive_tui.session import continue_rules, effects, inputs, mcp, rotation, surgery, talk_rules, tool_rules
from voicelive_tui.session.barge_in import truncation
from voicelive_tui.session.edits import EDIT
from voicelive_tui.session.errors import CONFIGURE, CREATE, OUTPUT, TYPE, caused_by
from voicelive_tui.session.keeping import MomentFound
from voicelive_tui.session.reconnect import kept_from, worth_a_try
from voicelive_tui.session.sending import (
    Step,
    ask,
    create_if_due,
    create_item,
    finished_items,
    plan,
    send,
    stop_answer,
    type_message,
)
from voicelive_tui.session.server_events import is_late
from voicelive_tui.session.state import Activity, SessionState, Stage
from voicelive_tui.session.talk import talk_refusal, waits_for_commit
from voicelive_tui.wire.events import ALREADY_ACTIVE, BENIGN_ERRORS, Event, canonical, listing, mapping, pcm_of, text


def policy(event: inputs.Input, before: SessionState, after: SessionState, now: float) -> Step:
    """The state with this client's intent, and the effects of `event`, which led from `before` to `after`."""
    after, called = _call_steps(event, before, after)
    after, wanted = _steps(event, before, after, now)
    return after, (*called, *wanted)


def _call_steps(event: inputs.Input, before: SessionState, after: SessionState) -> Step:
    """What follows for calls of tools; the answer that is due is asked for by `_steps`, after the outputs."""
    wanted = tool_rules.steps(event, before, after)
    ready = after.ready  # else the next session gets them with its history
    answers, outputs = (mcp.decisions(event, before, after), wanted.outputs) if ready else ((), ())
    if not answers and wanted == tool_rules.Steps():
        return after, ()
    after, approvals = send(after, "approval", *map(create_item, answers))
    after, returned = send(after, OUTPUT, *map(create_item, outputs))
    create = (after.intent.create or (wanted.ask and ready)) and not wanted.withdraw
    return plan(after, create=create), (*approvals, *wanted.run, *returned)


def _steps(event: inputs.Input, before: SessionState, after: SessionState, now: float) -> Step:
    match event:
        case inputs.Received(body):
            rule = _RULES.get(canonical(text(body.get("type"))))
            return rule(body, before, after) if rule else (after, ())
        case inputs.TextTyped(words) if words.strip() and before.ready:
            after, interruption = stop_answer(before, after, by_key=True)
            after, typed = type_message(after, words.strip())
            after, create = ask(before, after)
            return after, (*interruption, *typed, *create)
        case inputs.TextTyped(words) if words.strip() and before.resuming:
            return plan(after, typed=(*after.intent.typed, ("", words.strip()))), (effects.StopPlayback(),)
        case inputs.TalkPressed() if not talk_refusal(before):
            return talk_rules.pressed(before, after, now)
        case inputs.TalkCancelled() if before.microphone.talking:
            return talk_rules.drop(after)
        case inputs.CancelPressed() if before.ready:
            return _cancel(before, after)
        case inputs.ClearPressed() if before.ready:
            return send(after, "clear", {"type": "input_audio.clear"})
        case inputs.InterruptPressed():
            after, interruption = stop_answer(before, after, by_key=True)
            return plan(after, create=False), interruption
        case inputs.ToolReturned() | inputs.CallRefused() | inputs.ResponseLost():
            return create_if_due(after)
        case inputs.MutePressed():
            return after, (effects.SetMute(after.microphone.muted),)
        case inputs.ResetPressed(keep):
            silence = () if keep or after.lost_at is not None else (effects.StopPlayback(),)
            return after, (*silence, effects.Reconnect())
        case inputs.DeleteItem() | inputs.InsertItem() | inputs.AskAgain() if not surgery.refusal(event, before):
            return _change_conversation(event, before, after)
        case inputs.Branch() if not surgery.refusal(event, before):
            return plan(after, create=False, typed=()), (effects.StopPlayback(), effects.Reconnect())
        case inputs.SessionEdited(changes, at_once) if at_once and before.ready:
            return send(after, EDIT, {"type": "session.update", "session": changes})
        case inputs.StopPressed() if before.retry is not None:
            return after, (effects.Disconnect(),)
        case MomentFound(pcm) if pcm and before.activity is not Activity.SPEAKING:
            return after, (effects.PlayMoment(pcm),)
        case inputs.PlaybackStopped(item_id):
            truncate = truncation(after, item_id)
            return send(after, "truncate", truncate) if truncate else (after, ())
        case inputs.RotatePressed() if after.ready:
            return continue_rules.rotate(plan(after, rotate_asked_at=now, standby_after=now), now)
        case inputs.RotationDue():
            return continue_rules.rotate(after, now)
        case inputs.OnStandby(inner):
            return continue_rules.on_standby(inner, after, now)
        case inputs.Rotated() if before.standby is not None:
            return continue_rules.rotated(before, after, now)
        case inputs.Connecting(resumed=resumed):
            after = continue_rules.begin(after)
            return after if resumed else plan(after, typed=()), ()
        case inputs.ConnectFailed(_, transient, retry_after):
            return continue_rules.try_again(after, now, retry_after) if transient else (after, ())
        case inputs.Disconnected(code):
            ends = finished_items(before, after)
            if worth_a_try(after, code) and rotation.ready(after):
                return after, (*ends, effects.TakeOver())
            after, again = continue_rules.try_again(after, now) if worth_a_try(after, code) else (after, ())
            return after, (*ends, *again)
    return after, ()


# --- server events -------------------------------------------------------------------------------------------------

Rule = Callable[[Event, SessionState, SessionState], Step]


def _configure(event: Event, before: SessionState, after: SessionState) -> Step:
    if before.connection.stage is not Stage.CONFIGURING:  # a repeated session.created
        return after, ()
    return send(after, CONFIGURE, {"type": "session.update", "session": after.wanted})


def _session_updated(event: Event, before: SessionState, after: SessionState) -> Step:
    if not after.ready:
        return after, ()
    if before.ready:
        if before.microphone.push_to_talk or not after.microphone.push_to_talk:
            return after, ()
        # What the service heard so far is not part of the first turn by key.
        return send(after, "clear", {"type": "input_audio_buffer.clear"})
    after, update = continue_rules.configure_again(after)
    if before.lost_at is None:
        return after, (*update, effects.StartCapture())
    after, sends = continue_rules.restore(after, (after.connection.ready_at or 0.0) - before.lost_at)
    after, commit = talk_rules.end_turn(after, after) if waits_for_commit(after) else (after, ())
    return after, (*update, *sends, effects.StartCapture(kept_from(after, before.lost_at)), *commit)


def _item_created(event: Event, before: SessionState, after: SessionState) -> Step:
    item, intent = mapping(event.get("item")), after.intent
    part = mapping(next(iter(listing(item.get("content"))), None))
    if surgery.inserted(before, text(item.get("id"))):
        return after, ()
    if text(item.get("type")).startswith("mcp_"):
        return create_if_due(after)
    if (before.restored and before.restored.seeds) or item.get("role") != "user" or part.get("type") != "input_text":
        return after, ()
    index = next((at for at, (_, words) in enumerate(intent.typed) if words == part.get("text")), 0)
    return plan(after, typed=intent.typed[:index] + intent.typed[index + 1 :]), ()


def _error(event: Event, before: SessionState, after: SessionState) -> Step:
    if before.audio_turns and not after.audio_turns:
        return talk_rules.fall_back(before, after)
    if after.connection.stage is Stage.FAILED and before.connection.stage is not Stage.FAILED:
        return after, (effects.Disconnect(),)
    error = mapping(event.get("error"))
    code = text(error.get("code"))
    event_id = text(error.get("event_id"))
    if event_id.startswith(f"{TYPE}-"):  # refused, and reported as a problem: not sent again
        after = plan(after, typed=tuple(typed for typed in after.intent.typed if typed[0] != event_id))
    if "quota" in code or "quota" in text(error.get("type")):
        after = plan(after, over_quota=True)
    if code == ALREADY_ACTIVE:  # too early: asked again when the active response ends
        return plan(after, create=after.intent.create or (caused_by(event, CREATE) and "event_id" in error)), ()
    return create_if_due(after) if code in BENIGN_ERRORS else (after, ())


def _play(event: Event, before: SessionState, after: SessionState) -> Step:
    pcm = b"" if is_late(event, before) else pcm_of(text(event.get("delta")))
    if not pcm:
        return after, ()
    item_id = text(event.get("item_id"))
    entry = after.entry(item_id)
    # Sound after its item's end: without another end the jitter buffer would wait for more.
    end = (effects.FinishItem(item_id),) if entry and entry.audio_done else ()
    return after, (effects.Play(item_id, pcm), *end)


def _response_done(event: Event, before: SessionState, after: SessionState) -> Step:
    ends = finished_items(before, after)
    after, create = create_if_due(after)
    return after, (*ends, *create)


_RULES: dict[str, Rule] = {
    "session.created": _configure,
    "session.updated": _session_updated,
    "conversation.item.created": _item_created,
    "error": _error,
    "input_audio_buffer.speech_started": lambda _, before, after: stop_answer(before, after, by_key=False),
    "input_audio_buffer.speech_stopped": lambda _, before, after: (after, (effects.AskVoiced(),)),
    "response.audio.delta": _play,
    "response.audio.done": lambda _, before, after: (after, finished_items(before, after)),
    "response.done": _response_done,
    **dict.fromkeys(mcp.ENDS, lambda _, before, after: create_if_due(after)),
}


# --- keys ----------------------------------------------------------------------------------------------------------


def _change_conversation(event: surgery.Surgery, before: SessionState, after: SessionState) -> Step:
    """Delete or insert an item, or silence the answer that is played and ask for another one."""
    silence: tuple[effects.Effect, ...] = ()
    if asks := isinstance(event, inputs.AskAgain):
        after, silence = stop_answer(before, after, by_key=True)
    made = surgery.requests(event, before, f"inserted-{after.intent.sent + 1}")
    after, sends = send(after, CREATE if asks else "change", *made)
    return after, (*silence, *sends)


def _cancel(before: SessionState, after: SessionState) -> Step:
    """Cancel the active response; without one, the service reports it."""
    named = {"response_id": before.response} if before.response else {}
    after, cancel = send(after, "cancel", {"type": "response.cancel", **named})
    return plan(after, create=False), (effects.StopPlayback(), *cancel)
