"""The rules of push-to-talk: which sound is sent, committed and dropped. `talk.py` has its facts."""

from typing import Literal

from voicelive_tui.session import effects
from voicelive_tui.session.errors import TURN
from voicelive_tui.session.sending import Step, ask, plan, send, stop_answer
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.talk import PREROLL_SECONDS, too_short


def pressed(before: SessionState, after: SessionState, now: float) -> Step:
    """Begin a turn over whatever is played, or end it and ask for the answer."""
    if after.microphone.talking:
        after, interruption = stop_answer(before, after, by_key=True)
        after, start = _begin_audio_turn(after) if after.audio_turns else (after, ())
        return after, (*interruption, *start, effects.BeginTalk(now - PREROLL_SECONDS))
    if too_short(before, now):
        return drop(after)
    after, commit = end_turn(before, after) if before.ready else (after, ())
    return after, (effects.EndTalk(), *commit)


def drop(after: SessionState) -> Step:
    """Let the service drop what it has received of a push-to-talk turn, or it would begin the next one."""
    if not after.ready:
        return after, (effects.DropTalk(),)
    after, drop = _end_audio_turn(after, "cancel")
    if not drop:
        after, drop = send(after, "clear", {"type": "input_audio_buffer.clear"})
    return after, (effects.DropTalk(), *drop)


def end_turn(before: SessionState, after: SessionState) -> Step:
    """End a push-to-talk turn, and ask for the answer."""
    after, commit = _end_audio_turn(after, "end")
    if not commit:
        after, commit = send(after, "commit", {"type": "input_audio_buffer.commit"})
    after, create = ask(before, after)
    return after, (*commit, *create)


def _begin_audio_turn(after: SessionState) -> Step:
    if not after.ready:  # its sound goes to the buffer of the next session
        return after, ()
    after, (start,) = send(after, TURN, {"type": "input_audio.turn.start"})
    name = start.event["event_id"]
    return plan(after, audio_turn=name), (effects.Send({**start.event, "turn_id": name}),)


def _end_audio_turn(after: SessionState, how: Literal["end", "cancel"]) -> Step:
    """End the audio turn in progress, if there is one; its events share the event id."""
    name = after.intent.audio_turn
    if not name:
        return after, ()
    event = {"type": f"input_audio.turn.{how}", "event_id": name, "turn_id": name}
    return plan(after, audio_turn=""), (effects.Send(event),)


def fall_back(before: SessionState, after: SessionState) -> Step:
    """Send the sound of a refused audio turn again, to the buffer, and end that turn if the key has."""
    turn = after.turn
    after, cancel = _end_audio_turn(after, "cancel")
    if turn is None or turn.began_by != "talk" or turn.speech_started_at is None or turn.committed_at is not None:
        return after, cancel
    resend = effects.StartCapture(turn.speech_started_at - PREROLL_SECONDS)
    if after.microphone.talking:
        return after, (*cancel, resend)
    after, interruption = stop_answer(before, after, by_key=True)  # an answer to what was said before the turn
    after, commit = end_turn(before, after)
    return after, (*interruption, *cancel, resend, *commit)
