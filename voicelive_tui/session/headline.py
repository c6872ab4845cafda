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
            detail = "you are speaking"
        case Activity.THINKING:
            detail = "waiting for the answer"
        case Activity.SPEAKING:
            by_voice = mic.capturing and not mic.muted and not mic.push_to_talk
            detail = Hint(("speak or " if by_voice else "") + "press {interrupt} to interrupt")
        case Activity.INTERRUPTED:
            detail = "the answer was cut off"
        case Activity.READY:
            detail = ""
    if state.activity is Activity.READY and mic.muted:
        return Headline("muted", Hint("press {mute} to be heard again"))
    if state.activity is Activity.READY:
        if (state.input.problem or state.input.description == "none") and not mic.capturing:
            detail = Hint("no microphone: press {type} to type")
        else:
            detail = Hint("press {talk} to talk") if mic.push_to_talk else "say something"
    return Headline(state.activity.value, detail)
