"""The rules of this client: when it configures, plays, captures, asks, cancels and truncates.

`tool_rules.py` has those about calls of tools.

Rules of this file:

- `policy` compares the states before and after `observe` and returns effects in the order to perform them; it is pure.
- It writes one field of the state, `intent`. Replay and tap mode leave this module out.
- Barge-in: `StopPlayback` comes before every other effect. Audio of interrupted answers is not played.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from msgspec.structs import replace

from voicelive_tui.session import effects, inputs, mcp, rotation, surgery, tool_rules, turns
from voicelive_tui.session.barge_in import should_cancel, should_clear, truncation
from voicelive_tui.session.continuation import Restored, Seed
from voicelive_tui.session.edits import EDIT
from voicelive_tui.session.errors import CONFIGURE, CREATE, OUTPUT, SEED, TURN, TYPE, caused_by
from voicelive_tui.session.history import history, owes_answer
from voicelive_tui.session.intent import Intent
from voicelive_tui.session.reconnect import ONSET_SECONDS, UNNOTICED_SECONDS, kept_from, next_retry, worth_a_try
from voicelive_tui.session.server_events import is_late
from voicelive_tui.session.state import RECENT, SessionState, Stage
from voicelive_tui.session.talk import PREROLL_SECONDS, talk_refusal, too_short, waits_for_commit
from voicelive_tui.wire.events import ALREADY_ACTIVE, BENIGN_ERRORS, canonical, listing, mapping, pcm_of, text

Step = tuple[SessionState, tuple[effects.Effect, ...]]


def policy(event: inputs.Input, before: SessionState, after: SessionState, now: float) -> Step:
    """The state with this client's intent, and the effects of `event`, which led from `before` to `after`."""
    after, called = _call_steps(event, before, after)
    after, wanted = _steps(event, before, after, now)
    return after, (*called, *wanted)


def _call_steps(event: inputs.Input, before: SessionState, after: SessionState) -> Step:
    """What follows for calls of tools; the answer that is due is asked for by `_steps`, after the outputs."""
    wanted = tool_rules.steps(event, before, after)
    ready = after.connection.stage is Stage.READY  # else the next session gets them with its history
    approvals: list[effects.Effect] = []
    for answer in mcp.decisions(event, before, after) if ready else ():
        after, approval = _send(after, "approval", {"type": "conversation.item.create", "item": answer})
        approvals.append(approval)
    if wanted == tool_rules.Steps():
        return after, tuple(approvals)
    made: list[effects.Effect] = [*approvals, *wanted.run]
    for item in wanted.outputs if ready else ():
        after, output = _send(after, OUTPUT, {"type": "conversation.item.create", "item": item})
        made.append(output)
    create = (after.intent.create or (wanted.ask and ready)) and not wanted.withdraw
    return replace(after, intent=replace(after.intent, create=create)), tuple(made)


def _steps(event: inputs.Input, before: SessionState, after: SessionState, now: float) -> Step:
    match event:
        case inputs.Received(body):
            rule = _RULES.get(canonical(text(body.get("type"))))
            return rule(body, before, after) if rule else (after, ())
        case inputs.TextTyped(words) if words.strip() and before.connection.stage is Stage.READY:
            after, interruption = _interruption(before, after, by_key=True)
            after, typed = _type(after, words.strip())
            after, create = _ask(before, after)
            return after, (*interruption, typed, *create)
        case inputs.TextTyped(words) if words.strip() and before.resuming:
            typed_later = (*after.intent.typed, ("", words.strip()))
            return replace(after, intent=replace(after.intent, typed=typed_later)), (effects.StopPlayback(),)
        case inputs.TalkPressed() if not talk_refusal(before):
            return _talk(before, after, now)
        case inputs.TalkCancelled() if before.microphone.talking:
            return _drop_talk(after)
        case inputs.CancelPressed() if before.connection.stage is Stage.READY:
            return _cancel(before, after)
        case inputs.ClearPressed() if before.connection.stage is Stage.READY:
            return _send_only(after, "clear", {"type": "input_audio.clear"})
        case inputs.InterruptPressed():
            after, interruption = _interruption(before, after, by_key=True)
            return replace(after, intent=replace(after.intent, create=False)), interruption
        case inputs.ToolReturned() | inputs.CallRefused() | inputs.ResponseLost():
            return _create_if_due(after)
        case inputs.MutePressed():
            return after, (effects.SetMute(after.microphone.muted),)
        case inputs.ResetPressed(keep):
            silence = () if keep or after.lost_at is not None else (effects.StopPlayback(),)
            return after, (*silence, effects.Reconnect())
        case inputs.DeleteItem() | inputs.InsertItem() | inputs.AskAgain() if not surgery.refusal(event, before):
            return _change_conversation(event, before, after)
        case inputs.Branch() if not surgery.refusal(event, before):
            intent = replace(after.intent, create=False, typed=())
            return replace(after, intent=intent), (effects.StopPlayback(), effects.Reconnect())
        case inputs.SessionEdited(changes, at_once) if at_once and before.connection.stage is Stage.READY:
            after, update = _send(after, EDIT, {"type": "session.update", "session": changes})
            return after, (update,)
        case inputs.StopPressed() if before.retry is not None:
            return after, (effects.Disconnect(),)
        case inputs.PlaybackStopped(item_id):
            truncate = truncation(after, item_id)
            after, *sends = _send(after, "truncate", truncate) if truncate else (after,)
            return after, tuple(sends)
        case inputs.RotatePressed() if after.connection.stage is Stage.READY:
            return _rotate(replace(after, intent=replace(after.intent, rotate_asked_at=now, standby_after=now)), now)
        case inputs.RotationDue():
            return _rotate(after, now)
        case inputs.OnStandby(inner):
            return _on_standby(inner, before, after, now)
        case inputs.Rotated() if before.standby is not None:
            return _rotated(before, after, now)
        case inputs.Connecting(resumed=resumed):
            intent = _fresh(after.intent)
            if not resumed:
                intent = replace(intent, typed=())
            return replace(after, intent=intent), ()
        case inputs.ConnectFailed(_, transient, retry_after):
            return _try_again(after, now, retry_after) if transient else (after, ())
        case inputs.Disconnected(code):
            ends = _ends(before, after)
            if worth_a_try(after, code) and rotation.ready(after):
                return after, (*ends, effects.TakeOver())
            after, again = _try_again(after, now) if worth_a_try(after, code) else (after, ())
            return after, (*ends, *again)
    return after, ()


def _try_again(after: SessionState, now: float, retry_after: float = 0.0) -> Step:
    """Connect again where a session was lost and tries are left."""
    if after.lost_at is None or not after.intent.reconnect or after.intent.over_quota:
        return after, ()
    retry = next_retry(after.connects, after.lost_at, now, retry_after)
    return after, () if retry is None else (effects.Reconnect(retry),)


def _fresh(intent: Intent) -> Intent:
    """The intent without what concerned a session that is over."""
    return replace(intent, over_quota=False, create=False, audio_turn="", rotate_asked_at=None, standby_after=0.0)


# --- rotation ------------------------------------------------------------------------------------------------------


def _rotate(after: SessionState, now: float) -> Step:
    """The next step of a rotation, if it is due."""
    if not rotation.due(after, now):
        return after, ()
    return after, (effects.BeginStandby() if after.standby is None else effects.TakeOver(),)


def _on_standby(inner: inputs.Input, before: SessionState, after: SessionState, now: float) -> Step:
    if after.standby is None:
        return replace(after, intent=replace(after.intent, standby_after=now + rotation.PAUSE_SECONDS)), ()
    if isinstance(inner, inputs.Received) and text(inner.event.get("type")) == "session.created":
        after, update = _send(after, CONFIGURE, {"type": "session.update", "session": after.wanted})
        return after, (replace(update, standby=True),)
    return _rotate(after, now) if rotation.ready(after) else (after, ())


def _rotated(before: SessionState, after: SessionState, now: float) -> Step:
    """Give the new session what the old one knew, then the sound of an utterance in progress."""
    ends = _ends(before, after)
    after = replace(after, intent=_fresh(after.intent))
    sends: list[effects.Effect] = []
    if after.asked != after.wanted:  # edited since
        after, update = _send(after, CONFIGURE, {"type": "session.update", "session": after.wanted})
        sends.append(update)
    after, restore = _restore(after, None if before.lost_at is None else now - before.lost_at)
    spoken = before.turn is not None and turns.being_spoken(before.turn)
    if before.lost_at is not None or spoken:
        sound: effects.Effect = effects.StartCapture(kept_from(after, before.lost_at or now))
    else:
        sound = effects.CarryOver(kept_from(after, now + UNNOTICED_SECONDS - ONSET_SECONDS))
    after, commit = _commit(after, after) if waits_for_commit(after) else (after, ())
    return after, (*ends, *sends, *restore, sound, *commit)


# --- server events -------------------------------------------------------------------------------------------------

Event = Mapping[str, Any]
Rule = Callable[[Event, SessionState, SessionState], Step]


def _configure(event: Event, before: SessionState, after: SessionState) -> Step:
    if before.connection.stage is not Stage.CONFIGURING:  # a repeated session.created
        return after, ()
    after, update = _send(after, CONFIGURE, {"type": "session.update", "session": after.wanted})
    return after, (update,)


def _session_updated(event: Event, before: SessionState, after: SessionState) -> Step:
    if after.connection.stage is not Stage.READY:
        return after, ()
    if before.connection.stage is Stage.READY:
        if before.microphone.push_to_talk or not after.microphone.push_to_talk:
            return after, ()
        # What the service heard so far is no part of the first turn by key.
        return _send_only(after, "clear", {"type": "input_audio_buffer.clear"})
    if before.lost_at is None:
        return after, (effects.StartCapture(),)
    after, sends = _restore(after, (after.connection.ready_at or 0.0) - before.lost_at)
    after, commit = _commit(after, after) if waits_for_commit(after) else (after, ())
    return after, (*sends, effects.StartCapture(kept_from(after, before.lost_at)), *commit)


def _restore(after: SessionState, seconds: float | None) -> Step:
    """Give the history of a lost session to the new one, then what was typed, and ask for an answer that is owed."""
    past, owed = history(after), owes_answer(after)
    seeds: list[Seed] = []
    events: list[Event] = []
    for item_id, item in past.items:
        after, seed = _send(after, SEED, {"type": "conversation.item.create", "item": item})
        seeds.append(Seed(seed.event["event_id"], item_id))
        events.append(seed.event)
    restored = Restored(tuple(seeds), past.turns, past.tokens, past.wordless, seconds)
    sends: list[effects.Effect] = [effects.Restore(tuple(events), restored)]
    again = [words for _, words in after.intent.typed]
    after = replace(after, intent=replace(after.intent, typed=()))
    for words in again:
        after, typed = _type(after, words)
        sends.append(typed)
    if again or owed:
        after, create = _send(after, CREATE, {"type": "response.create"})
        sends.append(create)
    return after, tuple(sends)


def _item_created(event: Event, before: SessionState, after: SessionState) -> Step:
    item, intent = mapping(event.get("item")), after.intent
    part = mapping(next(iter(listing(item.get("content"))), None))
    if surgery.inserted(before, text(item.get("id"))):
        return after, ()
    if text(item.get("type")).startswith("mcp_"):
        return _create_if_due(after)
    if (before.restored and before.restored.seeds) or item.get("role") != "user" or part.get("type") != "input_text":
        return after, ()
    index = next((at for at, (_, words) in enumerate(intent.typed) if words == part.get("text")), 0)
    typed = intent.typed[:index] + intent.typed[index + 1 :]
    return replace(after, intent=replace(intent, typed=typed)), ()


def _error(event: Event, before: SessionState, after: SessionState) -> Step:
    if before.audio_turns and not after.audio_turns:
        return _fall_back(before, after)
    if after.connection.stage is Stage.FAILED and before.connection.stage is not Stage.FAILED:
        return after, (effects.Disconnect(),)
    error = mapping(event.get("error"))
    code = text(error.get("code"))
    event_id = text(error.get("event_id"))
    if event_id.startswith(f"{TYPE}-"):  # refused, and reported as a problem: not sent again
        typed = tuple((name, words) for name, words in after.intent.typed if name != event_id)
        after = replace(after, intent=replace(after.intent, typed=typed))
    if "quota" in code or "quota" in text(error.get("type")):
        after = replace(after, intent=replace(after.intent, over_quota=True))
    if code == ALREADY_ACTIVE:  # too early: asked again when the active response ends
        create = after.intent.create or (caused_by(event, CREATE) and "event_id" in error)
        return replace(after, intent=replace(after.intent, create=create)), ()
    return _create_if_due(after) if code in BENIGN_ERRORS else (after, ())


def _speech_started(event: Event, before: SessionState, after: SessionState) -> Step:
    return _interruption(before, after, by_key=False)


def _speech_stopped(event: Event, before: SessionState, after: SessionState) -> Step:
    return after, (effects.AskVoiced(),)


def _play(event: Event, before: SessionState, after: SessionState) -> Step:
    pcm = b"" if is_late(event, before) else pcm_of(text(event.get("delta")))
    if not pcm:
        return after, ()
    item_id = text(event.get("item_id"))
    entry = after.entry(item_id)
    # Sound after its item's end: without another end the jitter buffer would wait for more.
    end = (effects.FinishItem(item_id),) if entry and entry.audio_done else ()
    return after, (effects.Play(item_id, pcm), *end)


def _audio_done(event: Event, before: SessionState, after: SessionState) -> Step:
    return after, _ends(before, after)


def _response_done(event: Event, before: SessionState, after: SessionState) -> Step:
    ends = _ends(before, after)
    after, create = _create_if_due(after)
    return after, (*ends, *create)


def _mcp_over(event: Event, before: SessionState, after: SessionState) -> Step:
    return _create_if_due(after)


_RULES: dict[str, Rule] = {
    "session.created": _configure,
    "session.updated": _session_updated,
    "conversation.item.created": _item_created,
    "error": _error,
    "input_audio_buffer.speech_started": _speech_started,
    "input_audio_buffer.speech_stopped": _speech_stopped,
    "response.audio.delta": _play,
    "response.audio.done": _audio_done,
    "response.done": _response_done,
    **dict.fromkeys(mcp.ENDS, _mcp_over),
}


# --- keys ----------------------------------------------------------------------------------------------------------


def _talk(before: SessionState, after: SessionState, now: float) -> Step:
    if after.microphone.talking:
        after, interruption = _interruption(before, after, by_key=True)
        after, start = _begin_audio_turn(after) if after.audio_turns else (after, ())
        return after, (*interruption, *start, effects.BeginTalk(now - PREROLL_SECONDS))
    if too_short(before, now):
        return _drop_talk(after)
    after, commit = _commit(before, after) if before.connection.stage is Stage.READY else (after, ())
    return after, (effects.EndTalk(), *commit)


def _drop_talk(after: SessionState) -> Step:
    """Let the service drop what it has received of a push-to-talk turn, or it would begin the next one."""
    after, drop = _end_audio_turn(after, "cancel")
    if not drop:
        after, drop = _send_only(after, "clear", {"type": "input_audio_buffer.clear"})
    return after, (effects.DropTalk(), *drop)


def _commit(before: SessionState, after: SessionState) -> Step:
    """End a push-to-talk turn, and ask for the answer."""
    after, commit = _end_audio_turn(after, "end")
    if not commit:
        after, commit = _send_only(after, "commit", {"type": "input_audio_buffer.commit"})
    after, create = _ask(before, after)
    return after, (*commit, *create)


def _begin_audio_turn(after: SessionState) -> Step:
    if after.connection.stage is not Stage.READY:  # its sound goes to the buffer of the next session
        return after, ()
    after, start = _send(after, TURN, {"type": "input_audio.turn.start"})
    name = start.event["event_id"]
    after = replace(after, intent=replace(after.intent, audio_turn=name))
    return after, (effects.Send({**start.event, "turn_id": name}),)


def _end_audio_turn(after: SessionState, how: Literal["end", "cancel"]) -> Step:
    """End the audio turn in progress, if there is one; its events share the event id."""
    name = after.intent.audio_turn
    if not name:
        return after, ()
    event = {"type": f"input_audio.turn.{how}", "event_id": name, "turn_id": name}
    return replace(after, intent=replace(after.intent, audio_turn="")), (effects.Send(event),)


def _fall_back(before: SessionState, after: SessionState) -> Step:
    """Send the sound of a refused audio turn again, to the buffer, and end that turn if the key has."""
    turn = after.turn
    after, cancel = _end_audio_turn(after, "cancel")
    if turn is None or turn.began_by != "talk" or turn.speech_started_at is None or turn.committed_at is not None:
        return after, cancel
    resend = effects.StartCapture(turn.speech_started_at - PREROLL_SECONDS)
    if after.microphone.talking:
        return after, (*cancel, resend)
    after, interruption = _interruption(before, after, by_key=True)  # an answer to what was said before the turn
    after, commit = _commit(before, after)
    return after, (*interruption, *cancel, resend, *commit)


def _change_conversation(event: surgery.Surgery, before: SessionState, after: SessionState) -> Step:
    """Delete or insert an item, or silence the answer that is played and ask for another one."""
    silence: tuple[effects.Effect, ...] = ()
    if asks := isinstance(event, inputs.AskAgain):
        after, silence = _interruption(before, after, by_key=True)
    made = surgery.request(event, f"inserted-{after.intent.sent + 1}")
    after, send = _send(after, CREATE if asks else "change", made)
    return after, (*silence, send)


def _cancel(before: SessionState, after: SessionState) -> Step:
    """Cancel the active response; without one, the service reports it."""
    response_id = before.response.response_id if before.response else None
    named = {"response_id": response_id} if response_id else {}
    after, cancel = _send(after, "cancel", {"type": "response.cancel", **named})
    return replace(after, intent=replace(after.intent, create=False)), (effects.StopPlayback(), cancel)


# --- shared --------------------------------------------------------------------------------------------------------


def _send(state: SessionState, kind: str, event: Event) -> tuple[SessionState, effects.Send]:
    """A client event with a unique id, such as "create-7"."""
    sent = state.intent.sent + 1
    state = replace(state, intent=replace(state.intent, sent=sent))
    return state, effects.Send({"type": event["type"], "event_id": f"{kind}-{sent}", **event})


def _send_only(state: SessionState, kind: str, event: Event) -> Step:
    """A client event, and nothing else."""
    state, send = _send(state, kind, event)
    return state, (send,)


def _type(state: SessionState, words: str) -> tuple[SessionState, effects.Send]:
    """A typed message, to be sent again to a new session until its item was created."""
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": words}]}
    state, send = _send(state, TYPE, {"type": "conversation.item.create", "item": item})
    typed = (*state.intent.typed, (send.event["event_id"], words))
    return replace(state, intent=replace(state.intent, typed=typed)), send


def _interruption(before: SessionState, after: SessionState, *, by_key: bool) -> Step:
    """Silence before anything else, then what the barge-in settings send."""
    sends: list[effects.Effect] = []
    if response_id := should_cancel(before, by_key=by_key):
        after, cancel = _send(after, "cancel", {"type": "response.cancel", "response_id": response_id})
        sends.append(cancel)
    if not by_key and should_clear(before):
        after, clear = _send(after, "clear", {"type": "input_audio.clear"})
        sends.append(clear)
    return after, (effects.StopPlayback(), *sends)


def _ask(before: SessionState, after: SessionState) -> Step:
    """Ask for an answer: now, or when the active response (just cancelled) has ended.

    One that an earlier key cancelled, and whose `response.done` has still not come, is cancelled once more: the service
    then reports its end, or that nothing is active.
    """
    if after.response is None:
        after, create = _send(after, CREATE, {"type": "response.create"})
        return after, (create,)
    response_id = after.response.response_id
    after = replace(after, intent=replace(after.intent, create=True))
    if response_id not in before.silenced:
        return after, ()
    after, cancel = _send(after, "cancel", {"type": "response.cancel", "response_id": response_id})
    return after, (cancel,)


def _create_if_due(state: SessionState) -> Step:
    """Ask for the answer that waited for the active response to end, once it has."""
    if not state.intent.create or state.response is not None:
        return state, ()
    state = replace(state, intent=replace(state.intent, create=False))
    state, create = _send(state, CREATE, {"type": "response.create"})
    return state, (create,)


def _ends(before: SessionState, after: SessionState) -> tuple[effects.Effect, ...]:
    """The items whose sound is complete since the state before."""
    return tuple(
        effects.FinishItem(entry.item_id)
        for entry in after.transcript[-RECENT:]
        if entry.audio_done and not ((old := before.entry(entry.item_id)) and old.audio_done)
    )
