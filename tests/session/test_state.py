"""The event log's chunks, and the words of the status line."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.session.state import (
    Activity,
    Connection,
    Device,
    EventLog,
    Hint,
    Link,
    Microphone,
    SessionState,
    Turn,
    headline,
)


def filled(count: int) -> EventLog:
    log = EventLog()
    for number in range(count):
        log = log.append(float(number), "in", "x", str(number))
    return log


@given(st.integers(0, 700), st.integers(-5, 800))
def test_since_gives_exactly_the_rows_from_a_number_on(count: int, seq: int) -> None:
    log = filled(count)
    assert [row.seq for row in log.since(seq)] == list(range(max(seq, 0), count))
    row = log.row(seq)
    assert (row.seq if row else None) == (seq if 0 <= seq < count else None)


def test_the_log_forgets_its_oldest_rows_beyond_the_limit_and_says_which_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(EventLog, "LIMIT", 1024)
    log = filled(3000)
    assert 1024 - EventLog.CHUNK <= len(log) <= 1024 + EventLog.CHUNK
    assert log.next_seq == 3000
    assert [row.seq for row in log.since(0)] == list(range(log.first_seq, 3000))
    assert log.row(log.first_seq - 1) is None


def test_an_append_leaves_the_older_log_as_it_was() -> None:
    before = filled(300)
    after = before.append(0.0, "out", "y", "")
    assert (len(before), len(after)) == (300, 301)
    assert after.sealed[0] is before.sealed[0]


READY = Connection(link=Link.READY)


@pytest.mark.parametrize(
    ("state", "word", "detail"),
    [
        (SessionState(), "starting", ""),
        (SessionState(Connection(Link.CONNECTING, endpoint="https://x")), "connecting", "https://x"),
        (SessionState(Connection(Link.FAILED, problem="refused")), "failed", "refused"),
        (SessionState(Connection(Link.CLOSED, problem="gone")), "closed", "gone"),
        (SessionState(READY), "ready", "say something"),
        (SessionState(READY, microphone=Microphone(push_to_talk=True)), "ready", "press {talk} to talk"),
        (SessionState(READY, microphone=Microphone(muted=True)), "muted", "press {mute} to be heard again"),
        (
            SessionState(READY, activity=Activity.LISTENING, microphone=Microphone(push_to_talk=True, talking=True)),
            "talking",
            "press {talk} to send",
        ),
        (SessionState(READY, input=Device("", "no device")), "ready", "no microphone: press {type} to type"),
        (SessionState(READY, activity=Activity.SPEAKING), "speaking", "speak or press {interrupt} to interrupt"),
        (SessionState(READY, activity=Activity.INTERRUPTED), "interrupted", "the answer was cut off"),
    ],
)
def test_the_headline_says_what_is_going_on(state: SessionState, word: str, detail: str) -> None:
    assert headline(state) == (word, detail)
    assert isinstance(headline(state).detail, Hint) is ("{" in detail)


@pytest.mark.parametrize("link", [Link.CONNECTING, Link.CLOSED, Link.FAILED])
def test_braces_from_the_wire_are_no_keys(link: Link) -> None:
    state = SessionState(Connection(link, endpoint="https://{mute}", problem="no {mute} here"))
    assert "{mute}" in headline(state).detail
    assert not isinstance(headline(state).detail, Hint)


@pytest.mark.parametrize(
    ("link", "code", "failed"),
    [(Link.READY, None, False), (Link.FAILED, None, True), (Link.CLOSED, 1000, False), (Link.CLOSED, 1011, True)],
)
def test_a_connection_failed_unless_it_was_closed_normally(link: Link, code: int | None, failed: bool) -> None:
    assert Connection(link, close_code=code).failed is failed


def test_latency_runs_from_the_last_voiced_sample_to_the_first_sample_heard() -> None:
    turn = Turn(1, voiced_at=10.0, speech_stopped_at=10.5, heard_at=11.25)
    assert turn.latency == 1.25
    assert replace(turn, voiced_at=None).latency == 0.75
    assert replace(turn, heard_at=None).latency is None
