import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.wire import summary
from voicelive_tui.wire.log import LogRow


def row(type_, size=0, direction="in", **fields):
    return LogRow(0, 0.0, direction, type_, "info", "", "", size, json.dumps({"type": type_, **fields}))


@pytest.mark.parametrize(
    ("given_row", "words"),
    [
        (row("session.updated", session={"model": "m", "voice": {"name": "Ava"}, "id": "s"}), "m · Ava · s"),
        (row("session.created", session={"voice": "alloy"}), "alloy"),
        (row("error", error={"code": "bad", "message": "No [such] thing"}), "bad · No [such] thing"),
        (row("warning", warning={"message": "careful"}), "careful"),
        (row("input_audio_buffer.append", size=1920), "1.92 kB"),
        (row("input_audio_buffer.speech_started", audio_start_ms=3200), "at 3.20 s"),
        (row("conversation.item.truncate", audio_end_ms=850), "at 850 ms"),
        (row("response.audio_transcript.delta", delta="Hel\nlo"), "“Hel␊lo”"),
        (row("response.done", response={"status": "completed", "usage": {"total_tokens": 4}}), "completed · 4 tokens"),
        (
            row("response.done", response={"status": "cancelled", "status_details": {"reason": "turn_detected"}}),
            "cancelled · turn_detected",
        ),
        (row("response.function_call_arguments.done", name="now", arguments='{"tz":"UTC"}'), 'now({"tz":"UTC"})'),
        (
            row("conversation.item.created", item={"type": "message", "role": "user", "content": [{"text": "hi"}]}),
            "user · “hi”",
        ),
        (row("brand.new", colour="red", deep={"a": 1}, item_id="x"), "colour red"),
        (LogRow(0, 0.0, "local", "x", "info", "", "", 0, "a sentence"), "a sentence"),
        (LogRow(0, 0.0, "in", "x", "info", "", "", 0, "no json"), "no json"),
        (LogRow(0, 0.0, "in", "x", "info", "", "", 0, "[1, 2]"), "[1, 2]"),
        (LogRow(0, 0.0, "in", "x", "info", "", "", 0, "y" * 1_000_000), "1,000,000 characters"),
    ],
)
def test_summary(given_row, words):
    assert summary.summarize(given_row) == words


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "session voice name item content response status_details error message delta usage part rate_limits "
                "limit text audio_start_ms transcript arguments".split()
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(sorted(summary._BY_TYPE)), JSON, st.integers(0, 10))
def test_no_event_is_too_odd(type_, value, size):
    text = json.dumps(value if not isinstance(value, dict) else {"type": type_, **value})
    words = summary.summarize(LogRow(0, 0.0, "in", type_, "info", "", "", size, text))
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in words)


def test_what_is_nested_too_deeply_is_shown_as_it_is():
    deep = LogRow(0, 0.0, "in", "x", "info", "", "", 0, "[" * 5000 + "]" * 5000)
    assert summary.summarize(deep) == deep.text
