"""What is going on now, in words; the same for the dashboard and the console."""

from typing import NamedTuple

from voicelive_tui.session.state import Activity, Link, SessionState


class Hint(str):
    """A sentence of ours with ids of bindings in braces, such as "press {mute}": the keys are the user's to choose.

    A type of its own, so that braces in a text from the wire are never taken for keys.
    """

    __slots__ = ()


class Headline(NamedTuple):
    """What is going on now, in words: one that can be read across the room, and a detail beside it."""

    word: str
    detail: str
    """A `Hint` where it names a key."""


def headline(state: SessionState) -> Headline:
    """The status line's words; the same for the dashboard and the console."""
    link, mic = state.connection.link, state.microphone
    match link:
        case Link.IDLE:
            return Headline("starting", "")
        case Link.CONNECTING:
            return Headline("connecting", state.connection.endpoint)
        case Link.CONFIGURING:
            return Headline("connecting", "waiting for the session to be confirmed")
        case Link.CLOSED | Link.FAILED:
            return Headline(link.value, state.connection.problem)
        case Link.READY:
            pass
    if mic.talking:
        return Headline("talking", Hint("press {talk} to send"))
    match state.activity:
        case Activity.LISTENING:
            detail = "you interrupted the answer" if state.barged_in else "you are speaking"
        case Activity.THINKING:
            detail = "waiting for the answer"
        case Activity.SPEAKING:
            by_voice = mic.sending and not mic.muted and not mic.ended
            detail = Hint(("speak or " if by_voice else "") + "press {interrupt} to interrupt")
        case Activity.INTERRUPTED:
            detail = "the answer was interrupted"
        case Activity.READY:
            return _ready(state)
    return Headline(state.activity.value, detail)


def _ready(state: SessionState) -> Headline:
    """What the user can do while nothing is going on."""
    mic, word = state.microphone, Activity.READY.value
    if not mic.capturing:
        missing = bool(state.input.problem) or state.input.description in ("", "none")
        return Headline(word, Hint("no microphone: press {type} to type" if missing else "press {type} to type"))
    if mic.ended:
        return Headline(word, Hint("the sound file is over: press {type} to type"))
    if mic.muted:
        return Headline("muted", Hint("press {mute} to be heard again"))
    return Headline(word, Hint("press {talk} to talk") if mic.push_to_talk else "say something")
