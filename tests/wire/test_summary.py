import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.test_events import JSON
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


KINDS = [
    "session.created", "session.updated", "session.update", "error", "warning", "input_audio_buffer.append",
    "input_audio_buffer.speech_started", "conversation.item.created", "conversation.item.added",
    "conversation.item.done", "conversation.item.truncated", "response.created", "response.done",
    "conversation.item.input_audio_transcription.failed", "response.output_item.done", "response.content_part.done",
    "response.output_audio_transcript.delta", "response.audio_timestamp.delta", "response.create",
    "response.function_call_arguments.done", "rate_limits.updated", "of.the.future",
]  # fmt: skip
FIELDS = st.sampled_from(
    "session voice name item content response status_details error message delta usage part rate_limits turn_detection "
    "audio input output limit text audio_start_ms audio_end_ms transcript arguments id code role type".split()
)
VALUES = st.recursive(
    JSON | st.integers(-(10**400), 10**400),
    lambda inner: st.dictionaries(FIELDS, inner) | st.lists(inner),
    max_leaves=9,
)


@settings(max_examples=200)
@given(st.sampled_from(KINDS), st.dictionaries(FIELDS, VALUES), st.integers(0, 10))
def test_any_value_in_any_field_has_a_summary(kind, fields, size):
    text = json.dumps({"type": kind, **fields})
    words = summary.summarize(LogRow(0, 0.0, "in", kind, "info", "", "", size, text))
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in words)


@given(st.sampled_from(KINDS), st.text())
def test_any_text_has_a_summary(kind, text):
    words = summary.summarize(LogRow(0, 0.0, "in", kind, "info", "", "", 0, text))
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in words)


@pytest.mark.parametrize("digits", ["1e400", "NaN", "-Infinity", "9" * 400])
def test_an_event_with_an_unusable_number_is_shown_as_it_came(digits):
    raw = f'{{"type":"input_audio_buffer.speech_started","audio_start_ms":{digits}}}'
    assert summary.summarize(LogRow(0, 0.0, "in", "input_audio_buffer.speech_started", "info", "", "", 0, raw)) == raw


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("response.output_audio_transcript.delta", "response.audio_transcript.delta"),
        ("response.output_text.done", "response.text.done"),
        ("conversation.item.done", "conversation.item.created"),
    ],
)
def test_both_families_of_names_have_the_same_summary(theirs, ours):
    fields = {"delta": "word", "item": {"type": "message", "role": "user", "content": [{"text": "hi"}]}}
    assert summary.summarize(row(theirs, **fields)) == summary.summarize(row(ours, **fields)) != ""


def test_a_session_of_the_other_family_has_the_same_summary():
    audio = {"input": {"turn_detection": {"type": "server_vad"}}, "output": {"voice": "alloy"}}
    shown = summary.summarize(row("session.created", session={"model": "m", "audio": audio, "id": "s"}))
    assert shown == "m · alloy · server_vad · s"


def test_text_nested_too_deeply_is_shown_as_it_is():
    deep = LogRow(0, 0.0, "in", "x", "info", "", "", 0, "[" * 5000 + "]" * 5000)
    assert summary.summarize(deep) == deep.text
