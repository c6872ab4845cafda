import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.wire.log import LONGEST, EventLog, LogRow, bounded


def filled(count: int) -> EventLog:
    log = EventLog()
    for number in range(count):
        log = log.append(float(number), "in", "x", str(number))
    return log


@given(st.integers(0, 700), st.integers(-5, 800))
def test_since_yields_the_rows_from_a_number_on(count: int, seq: int) -> None:
    log = filled(count)
    assert [row.seq for row in log.since(seq)] == list(range(max(seq, 0), count))
    row = log.row(seq)
    assert (row.seq if row else None) == (seq if 0 <= seq < count else None)


@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=False),
            st.sampled_from(["in", "out", "local", "log"]),
            st.sampled_from(["error", "response.done"]) | st.text(max_size=9),
            st.text(st.characters(), max_size=40) | st.just("lone \ud800 surrogate"),
            st.sampled_from(["debug", "info", "warning", "error"]),
            st.sampled_from(["item_1", "item_2", ""]),
            st.sampled_from(["resp_1", ""]),
            st.integers(0, 2**40),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_sealed_rows_are_unchanged(told: list[tuple[Any, ...]]) -> None:
    log = EventLog()
    before: list[LogRow] = []
    for number in range(EventLog.CHUNK + 3):
        at, way, kind, text, severity, item, response, size = told[number % len(told)]
        log = log.append(at, way, kind, text, severity=severity, item_id=item, response_id=response, size=size)
        before.append(LogRow(number, at, way, kind, severity, item, response, size, text))
    assert len(log.sealed) == 1
    assert list(log.since(0)) == before
    assert [log.row(seq) for seq in range(len(before))] == before


def test_the_log_evicts_its_oldest_rows_beyond_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(EventLog, "LIMIT", 1024)
    log = filled(3000)
    assert 1024 <= len(log) <= 1024 + EventLog.CHUNK
    assert log.origin == 0.0
    assert log.next_seq == 3000
    assert [row.seq for row in log.since(0)] == list(range(log.first_seq, 3000))
    assert log.row(log.first_seq - 1) is None


def test_an_append_does_not_change_the_earlier_log() -> None:
    before = filled(300)
    after = before.append(0.0, "out", "y", "")
    assert (len(before), len(after)) == (300, 301)
    assert after.sealed[0] is before.sealed[0]


def test_a_conversation_takes_little_memory() -> None:
    tracemalloc.start()
    try:
        log = EventLog()
        for number in range(20 * EventLog.CHUNK):
            text = f'{{"event_id":"event_{number:08}","type":"input_audio_buffer.append","audio":{{"bytes":1920}}}}'
            log = log.append(number * 0.04, "out", "input_audio_buffer.append", text, size=1920)
        assert tracemalloc.get_traced_memory()[0] / len(log) < 40
    finally:
        tracemalloc.stop()


def test_the_log_is_bounded_in_bytes_too() -> None:
    log = EventLog()
    for number in range(10 * EventLog.CHUNK):
        log = log.append(1.0, "in", "big", f"{number} {'é' * 20_000}")
    kept = sum(len(row.text.encode()) for row in log.since(0))
    assert kept <= EventLog.BYTES + EventLog.CHUNK * 40_010
    assert len(log) > EventLog.CHUNK
    assert (log.next_seq, log.first_seq) == (10 * EventLog.CHUNK, log.next_seq - len(log))
    assert log.row(log.first_seq - 1) is None
    assert log.row(log.first_seq) is not None or not len(log)


@given(st.text(max_size=50), st.integers(LONGEST - 60, LONGEST * 3))
def test_a_long_text_keeps_its_head_and_tail_and_says_its_length(piece: str, length: int) -> None:
    text = (piece + "x") * (length // (len(piece) + 1))
    kept = bounded(text)
    assert len(kept) <= LONGEST + 60
    if len(text) <= LONGEST:
        assert kept == text
    else:
        assert kept.startswith(text[: LONGEST // 2])
        assert kept.endswith(text[-LONGEST // 4 :])
        assert f"of {len(text):,} characters" in kept


def test_the_newest_rows_are_a_log_of_their_own():
    log = EventLog()
    for number in range(5 * EventLog.CHUNK + 3):
        log = log.append(float(number), "in", "x", str(number))
    kept = log.newest(EventLog.CHUNK + 1)
    assert (len(kept), kept.next_seq, kept.origin) == (2 * EventLog.CHUNK + 3, log.next_seq, 0.0)
    assert list(kept.since(0)) == list(log.since(kept.first_seq))
    assert kept.sealed_bytes == sum(chunk.bytes for chunk in kept.sealed)
    assert log.newest(len(log)) is log
