import pytest
from msgspec.structs import replace

from voicelive_tui.session.calls import Call
from voicelive_tui.session.headline import headline
from voicelive_tui.session.latency import Turn
from voicelive_tui.session.state import Connection, Device, Microphone, SessionState, Stage
from voicelive_tui.session.transcript import Entry

READY = Connection(stage=Stage.READY)
LIVE = Microphone(capturing=True)
CALLED = SessionState(replace(READY, caller=True), microphone=LIVE, input=Device("synthetic microphone"))
_SPEAKS = Turn(2, speech_started_at=5.0)


@pytest.mark.parametrize(
    ("state", "word", "detail"),
    [
        (SessionState(), "starting", ""),
        (SessionState(Connection(Stage.CONNECTING, endpoint="https://x")), "connecting", "https://x"),
        (SessionState(Connection(Stage.FAILED, problem="refused")), "failed", "refused"),
        (SessionState(Connection(Stage.CLOSED, problem="gone")), "closed", "gone"),
        (SessionState(READY, microphone=LIVE), "ready", "say something"),
        (SessionState(READY, microphone=replace(LIVE, push_to_talk=True)), "ready", "{talk} to talk"),
        (SessionState(READY, microphone=replace(LIVE, muted=True)), "muted", "{mute} to unmute"),
        (SessionState(READY, microphone=Microphone(muted=True)), "ready", "{type} to type · no microphone"),
        (
            SessionState(READY, microphone=replace(LIVE, ended=True, muted=True)),
            "ready",
            "{type} to type · the file is over",
        ),
        (SessionState(READY, input=Device("pulse")), "ready", "{type} to type"),
        (SessionState(READY, microphone=LIVE, turns=(_SPEAKS,)), "listening", "you are speaking"),
        (
            SessionState(READY, microphone=LIVE, turns=(Turn(1, interrupted_at=5.0), _SPEAKS)),
            "listening",
            "you interrupted",
        ),
        (CALLED, "ready", "{type} to join in"),
        (replace(CALLED, turns=(_SPEAKS,)), "listening", "the caller is speaking"),
        (
            replace(CALLED, turns=(Turn(1, interrupted_at=5.0), _SPEAKS)),
            "listening",
            "the caller interrupted",
        ),
        (replace(CALLED, turns=(_SPEAKS,), input=Device("pulse")), "listening", "you are speaking"),
        (
            SessionState(READY, microphone=Microphone(push_to_talk=True, talking=True)),
            "talking",
            "{talk} to send",
        ),
        (SessionState(READY, input=Device("", "no device")), "ready", "{type} to type · no microphone"),
        (
            SessionState(READY, playing="item_a", microphone=Microphone(capturing=True)),
            "speaking",
            "{interrupt} to interrupt, or speak",
        ),
        (SessionState(READY, playing="item_a"), "speaking", "{interrupt} to interrupt"),
        (
            SessionState(READY, playing="item_a", microphone=Microphone(capturing=True, muted=True)),
            "speaking",
            "{interrupt} to interrupt",
        ),
        (
            SessionState(READY, response="r", silenced=("r",)),
            "interrupted",
            "the answer was interrupted",
        ),
    ],
)
def test_the_headline_says_what_is_going_on(state: SessionState, word: str, detail: str) -> None:
    found = headline(state)
    assert (found.word, found.hint if "{" in detail else found.detail) == (word, detail)


@pytest.mark.parametrize("stage", [Stage.CONNECTING, Stage.CLOSED, Stage.FAILED])
def test_braces_in_foreign_text_are_not_keys(stage: Stage) -> None:
    state = SessionState(Connection(stage, endpoint="https://{mute}", problem="no {mute} here"))
    assert "{mute}" in headline(state).detail
    assert headline(state).hint in ("", "{reset} new session", "{reset} another try")


def test_a_call_that_waits_is_announced_however_long_the_conversation_goes_on() -> None:
    call = Entry("item_0", "tool", 1.0, call=Call("function", "add", complete_at=1.0, waiting_at=1.0))
    talk = tuple(Entry(f"item_{number}", "user", 2.0, "well") for number in range(1, 100))
    shown = headline(SessionState(READY, microphone=LIVE, transcript=(call, *talk)))
    assert shown[:3] == ("approve?", "add", "{approve} approves, {refuse} refuses")


def test_the_seconds_of_a_running_tool_are_counted() -> None:
    calls = (Call("function", "add", complete_at=7.0, started_at=7.1), Call("function", "sum", complete_at=6.0))
    transcript = tuple(Entry(call.name, "tool", 5.0, call=call) for call in calls)
    shown = headline(SessionState(READY, microphone=LIVE, transcript=transcript), 9.5)
    assert shown == ("thinking", "add, sum run", "", 3.5)


@pytest.mark.parametrize(
    ("first", "seconds"), [({}, 4.5), ({"first_text_at": 6.0}, 0.0), ({"first_audio_at": 6.0}, 0.0)]
)
def test_the_seconds_are_counted_until_the_answer_begins(first: dict[str, float], seconds: float) -> None:
    turn = Turn(1, voiced_at=5.0, committed_at=5.4, response_id="r", created_at=5.5, **first)
    shown = headline(SessionState(READY, microphone=LIVE, response="r", turns=(turn,)), 9.5)
    assert (shown.word, shown.seconds) == ("thinking", seconds)
