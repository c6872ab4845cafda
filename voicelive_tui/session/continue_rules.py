"""The rules of a conversation that outlives its session: connecting again, rotation, and what the next session gets."""

from msgspec.structs import replace

from voicelive_tui.session import effects, inputs, rotation, talk_rules, turns
from voicelive_tui.session.continuation import Restored, Seed
from voicelive_tui.session.errors import CONFIGURE, CREATE, SEED
from voicelive_tui.session.history import history, owes_answer
from voicelive_tui.session.reconnect import ONSET_SECONDS, UNNOTICED_SECONDS, kept_from, next_retry
from voicelive_tui.session.sending import Step, create_item, finished_items, plan, send, type_message
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.talk import waits_for_commit
from voicelive_tui.wire.events import text


def try_again(after: SessionState, now: float, retry_after: float = 0.0) -> Step:
    """Connect again where a session was lost and tries are left."""
    if after.lost_at is None or not after.intent.reconnect or after.intent.over_quota:
        return after, ()
    retry = next_retry(after.connects, after.lost_at, now, retry_after)
    return after, () if retry is None else (effects.Reconnect(retry),)


def begin(after: SessionState) -> SessionState:
    """The state without the plans of a session that is over."""
    return plan(after, over_quota=False, create=False, audio_turn="", rotate_asked_at=None, standby_after=0.0)


def rotate(after: SessionState, now: float) -> Step:
    """The next step of a rotation, if it is due."""
    if not rotation.due(after, now):
        return after, ()
    return after, (effects.BeginStandby() if after.standby is None else effects.TakeOver(),)


def on_standby(inner: inputs.Input, after: SessionState, now: float) -> Step:
    """Configure the session on standby, and let it take over once it is ready and the moment is good."""
    if after.standby is None:
        return plan(after, standby_after=now + rotation.PAUSE_SECONDS), ()
    if isinstance(inner, inputs.Received) and text(inner.event.get("type")) == "session.created":
        after, (update,) = send(after, CONFIGURE, {"type": "session.update", "session": after.wanted})
        return after, (replace(update, standby=True),)
    return rotate(after, now) if rotation.ready(after) else (after, ())


def rotated(before: SessionState, after: SessionState, now: float) -> Step:
    """Give the new session what the old one knew, then the sound of an utterance in progress."""
    ends = finished_items(before, after)
    after, update = configure_again(begin(after))
    after, given = restore(after, None if before.lost_at is None else now - before.lost_at)
    spoken = before.turn is not None and turns.being_spoken(before.turn)
    if before.lost_at is not None or spoken:
        sound: effects.Effect = effects.StartCapture(kept_from(after, before.lost_at or now))
    else:
        sound = effects.CarryOver(kept_from(after, now + UNNOTICED_SECONDS - ONSET_SECONDS))
    after, commit = talk_rules.end_turn(after, after) if waits_for_commit(after) else (after, ())
    return after, (*ends, *update, *given, sound, *commit)


def configure_again(after: SessionState) -> Step:
    """Ask for what was edited since the session was configured."""
    if not after.asked or after.asked == after.wanted:
        return after, ()
    session = {**dict.fromkeys(after.asked), **after.wanted}  # null: what is no longer set
    return send(after, CONFIGURE, {"type": "session.update", "session": session})


def restore(after: SessionState, seconds: float | None) -> Step:
    """Give the history of a lost session to the new one, then what was typed, and ask for an answer that is owed."""
    past, owed = history(after), owes_answer(after)
    after, sent = send(after, SEED, *(create_item(item) for _, item in past.items))
    events = tuple(each.event for each in sent)
    seeds = tuple(Seed(event["event_id"], item_id) for event, (item_id, _) in zip(events, past.items, strict=True))
    restored = Restored(seeds, past.turns, past.tokens, past.wordless, seconds)
    sends: list[effects.Effect] = [effects.Restore(events, restored)]
    again, after = [words for _, words in after.intent.typed], plan(after, typed=())
    for words in again:
        after, typed = type_message(after, words)
        sends += typed
    if again or owed:
        after, create = send(after, CREATE, {"type": "response.create"})
        sends += create
    return after, tuple(sends)
