"""The activity in words; the same for the dashboard and the console."""

import math
from typing import NamedTuple

from voicelive_tui.session.calls import Call
from voicelive_tui.session.reconnect import TRIES, tries
from voicelive_tui.session.state import Activity, SessionState, Stage

NO_ANSWER_SECONDS = 10.0
"""Without an answer, after which the headline says how long it has been."""


class Headline(NamedTuple):
    """The activity in one word, with a detail or a hint beside it."""

    word: str
    detail: str = ""
    """May hold foreign text."""
    hint: str = ""
    """A key and what it would do, with ids of bindings in braces: "{mute} to unmute". Never holds foreign text."""
    seconds: float = 0.0
    """How long the user has been waiting."""


def headline(state: SessionState, now: float | None = None) -> Headline:
    """The headline of a state; at `now` (`time.monotonic()` seconds), or when the state began."""
    stage, mic = state.connection.stage, state.microphone
    if state.resuming:
        return _resuming(state, now)
    match stage:
        case Stage.IDLE if not state.counts.events_in:
            return Headline("starting")
        case Stage.CONNECTING | Stage.CONFIGURING:
            detail = "configuring the session" if stage is Stage.CONFIGURING else state.connection.endpoint
            return Headline("connecting", detail, seconds=_since(state.connection.started_at, now))
        case Stage.CLOSED | Stage.FAILED:
            again = "new session" if stage is Stage.CLOSED else "another try"
            return Headline(stage.value, state.connection.problem, f"{{reset}} {again}")
        case Stage.IDLE | Stage.READY:
            pass
    if mic.talking:
        return Headline("talking", hint="{talk} to send")
    activity = state.activity
    if waiting := next((call for _, call in state.calls if call.waits), None):
        word = "approve?" if activity in (Activity.READY, Activity.THINKING) else activity.value
        return Headline(word, _named(waiting), "{approve} approves, {refuse} refuses")
    match activity:
        case Activity.LISTENING:
            who, speaks = ("the caller", "is speaking") if caller_speaks(state) else ("you", "are speaking")
            return Headline(activity.value, f"{who} {'interrupted' if state.barged_in else speaks}")
        case Activity.THINKING:
            running = [call for _, call in state.open_calls if not call.ended_at]
            if running and not state.response:
                names, verb = ", ".join(map(_named, running)), "runs" if len(running) == 1 else "run"
                began_at = min((call.complete_at for call in running if call.complete_at is not None), default=None)
                return Headline(activity.value, f"{names} {verb}", seconds=_since(began_at, now))
            turn = state.turn
            begun = turn is None or turn.first_text_at is not None or turn.first_audio_at is not None
            waited = _since(turn.ended_speaking_at, now) if turn and not begun else 0.0
            late = f"no answer for {waited:.0f} s" if waited > NO_ANSWER_SECONDS else "waiting for the answer"
            return Headline(activity.value, late, seconds=waited)
        case Activity.SPEAKING:
            by_voice = mic.sending and not mic.muted and not mic.ended
            return Headline(activity.value, hint="{interrupt} to interrupt" + (", or speak" if by_voice else ""))
        case Activity.INTERRUPTED:
            return Headline(activity.value, "the answer was interrupted")
        case Activity.READY:
            return _ready(state)


def first_step(state: SessionState) -> str:
    """How a conversation begins, with ids of bindings in braces."""
    if caller_speaks(state):
        return "The caller is about to speak; press {type} to join in."
    if not state.microphone.capturing:
        return "Press {type} to type a message."
    how = "Press {talk} to talk" if state.microphone.push_to_talk else "Say something"
    return how + ", or press {type} to type a message."


def caller_speaks(state: SessionState) -> bool:
    """Whether the microphone is the synthetic caller of the demo."""
    return state.connection.caller and state.input.description.startswith("synthetic")


def _since(at: float | None, now: float | None) -> float:
    return 0.0 if at is None or now is None else max(now - at, 0.0)


def _named(call: Call) -> str:
    """The name of a call's tool; in hints braces are keys, and a name of the service may hold anything."""
    return call.name if call.name.replace("_", "").replace("-", "").isalnum() else "a tool"


def _resuming(state: SessionState, now: float | None) -> Headline:
    """A lost session is connected again, or will be."""
    retry = state.retry
    if retry is None:
        made = tries(state.connects, state.lost_at or 0.0)
        return Headline("reconnecting", f"try {made} of {TRIES}" if made else "")
    seconds = math.ceil(retry.seconds if now is None else max(retry.at - now, 0.0))
    when = f"in {seconds} s, try {retry.number} of {TRIES}"
    return Headline("reconnecting", when, "{reset} retries, {back} stops")


def _ready(state: SessionState) -> Headline:
    """What the user can do while nothing is going on."""
    mic, word = state.microphone, Activity.READY.value
    if not mic.capturing:
        missing = bool(state.input.problem) or state.input.description in ("", "none")
        return Headline(word, hint="{type} to type" + (" · no microphone" if missing else ""))
    if mic.ended:
        return Headline(word, hint="{type} to type · the file is over")
    if mic.muted:
        return Headline("muted", hint="{mute} to unmute")
    if mic.push_to_talk:
        return Headline(word, hint="{talk} to talk")
    return Headline(word, hint="{type} to join in") if caller_speaks(state) else Headline(word, "say something")
