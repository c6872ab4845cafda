"""The activity in words; the same for the dashboard and the console."""

from typing import NamedTuple

from voicelive_tui.session.state import Activity, Link, SessionState


class Headline(NamedTuple):
    """The activity in one word, with a detail or a hint beside it."""

    word: str
    detail: str = ""
    """May hold foreign text."""
    hint: str = ""
    """What a key would do, with ids of bindings in braces: "press {mute}". Never holds foreign text."""


def headline(state: SessionState) -> Headline:
    """The headline of a state."""
    link, mic = state.connection.link, state.microphone
    match link:
        case Link.IDLE:
            return Headline("starting")
        case Link.CONNECTING:
            return Headline("connecting", state.connection.endpoint)
        case Link.CONFIGURING:
            return Headline("connecting", "waiting for the session to be confirmed")
        case Link.CLOSED | Link.FAILED:
            return Headline(link.value, state.connection.problem)
        case Link.READY:
            pass
    if mic.talking:
        return Headline("talking", hint="press {talk} to send")
    activity = state.activity
    match activity:
        case Activity.LISTENING:
            return Headline(activity.value, "you interrupted the answer" if state.barged_in else "you are speaking")
        case Activity.THINKING:
            return Headline(activity.value, "waiting for the answer")
        case Activity.SPEAKING:
            by_voice = mic.sending and not mic.muted and not mic.ended
            return Headline(activity.value, hint=("speak or " if by_voice else "") + "press {interrupt} to interrupt")
        case Activity.INTERRUPTED:
            return Headline(activity.value, "the answer was interrupted")
        case Activity.READY:
            return _ready(state)


def _ready(state: SessionState) -> Headline:
    """What the user can do while nothing is going on."""
    mic, word = state.microphone, Activity.READY.value
    if not mic.capturing:
        missing = bool(state.input.problem) or state.input.description in ("", "none")
        return Headline(word, hint="no microphone: press {type} to type" if missing else "press {type} to type")
    if mic.ended:
        return Headline(word, hint="the sound file is over: press {type} to type")
    if mic.muted:
        return Headline("muted", hint="press {mute} to be heard again")
    return Headline(word, hint="press {talk} to talk") if mic.push_to_talk else Headline(word, "say something")
