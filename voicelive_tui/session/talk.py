"""Push-to-talk: when the key can do something, and what it means. `observe.py` registers the handlers.

The service detects no turns then: sound is sent from key to key, with a pre-roll, and committed at the end (protocol,
section 3.4e). A turn that ends while the session is connected again is committed once it is back.

With `push_to_talk = "turns"` the SDK's audio turns are used in place of the input buffer, until the service refuses
one: the sound of that turn, which is kept, is then sent again to the buffer.
"""

from msgspec.structs import replace

from voicelive_tui.session import inputs, tools, turns
from voicelive_tui.session.barge_in import interrupt
from voicelive_tui.session.notes import NOT_CONNECTED, note
from voicelive_tui.session.state import InputHandler, SessionState

PREROLL_SECONDS = 0.3
"""Sound sent from before the key, which comes after the first syllable."""
SHORTEST_TURN = 0.1
"""Seconds of a turn: the service refuses to commit less (`input_audio_buffer.commit`)."""


def talk_refusal(state: SessionState) -> str:
    """The reason why the push-to-talk key can do nothing now, or ""."""
    if not state.ready and not state.resuming:
        return NOT_CONNECTED
    if not state.microphone.push_to_talk:
        return "the service detects the turns: switch to push-to-talk first"
    if state.input.problem or not (state.microphone.capturing or state.resuming):
        return state.input.problem or "there is no microphone"
    return ""


def too_short(state: SessionState, now: float) -> bool:
    """Whether the turn in progress has too little sound to be committed."""
    return now - ((state.turn and state.turn.speech_started_at) or 0.0) < SHORTEST_TURN


def waits_for_commit(state: SessionState) -> bool:
    """Whether the latest turn was ended by the key and the service has not committed it."""
    turn = state.turn
    if turn is None or turn.began_by != "talk" or turn.committed_at is not None or turn.response_id:
        return False
    return turn.speech_stopped_at is not None and turn.speech_stopped_at >= state.fresh_at


def _pressed(event: inputs.TalkPressed, state: SessionState, now: float) -> SessionState:
    if refusal := talk_refusal(state):
        return note(state, now, "talk", refusal, "warning")
    if not state.microphone.talking:
        after = replace(state, microphone=replace(state.microphone, talking=True))
        after = tools.overtake(interrupt(note(after, now, "talk", "push-to-talk turn began"), now), now)
        return turns.begin(replace(after, awaiting=False), "talk", speech_started_at=now)
    if too_short(state, now):
        sentence = "too short for a turn, nothing is sent: press, speak, press again"
        return note(discard(state), now, "talk", sentence, "warning")
    after = replace(state, microphone=replace(state.microphone, talking=False), awaiting=True)
    sent = "kept, and sent when the session is back" if state.resuming else "push-to-talk turn sent"
    return turns.mark(note(after, now, "talk", sent), turns.latest, speech_stopped_at=now)


def _cancelled(event: inputs.TalkCancelled, state: SessionState, now: float) -> SessionState:
    if not state.microphone.talking:
        return state
    return note(discard(state), now, "talk", "push-to-talk turn discarded")


def discard(state: SessionState) -> SessionState:
    """The state without the turn in progress."""
    return turns.abandon(replace(state, microphone=replace(state.microphone, talking=False)))


def switch(state: SessionState, *, push_to_talk: bool) -> SessionState:
    """The state with push-to-talk or without; an utterance in progress is abandoned when that changes."""
    if push_to_talk is not state.microphone.push_to_talk and state.ready:
        state = discard(state)
    return replace(state, microphone=replace(state.microphone, push_to_talk=push_to_talk))


HANDLERS: dict[type, InputHandler] = {inputs.TalkPressed: _pressed, inputs.TalkCancelled: _cancelled}
