"""Reading untrusted JSON, both families of names, and rows without their audio payloads."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.wire.events import (
    DEEPEST,
    as_json,
    audio_size,
    base64_size,
    canonical,
    error_text,
    listing,
    mapping,
    number,
    parse,
    raw_without_audio,
    session_of,
    text,
    unescaped,
    without_audio,
)

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("lone \ud800 surrogate"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_readers_return_their_type_for_any_value(value: Any) -> None:
    assert isinstance(text(value), str)
    text(value).encode()
    assert isinstance(number(value), float)
    assert 0 <= number(value) <= 1e11
    assert isinstance(listing(value), list)
    assert mapping(value) == (value if isinstance(value, dict) else {})


@given(st.binary(max_size=200))
def test_the_size_of_base64_is_the_size_of_its_content(data: bytes) -> None:
    assert base64_size(base64.b64encode(data).decode()) == len(data)


@pytest.mark.parametrize(
    ("event", "size"),
    [
        ({"type": "response.audio.delta", "delta": "AAAA"}, 3),
        ({"type": "input_audio_buffer.append", "audio": "AAA="}, 2),
        ({"type": "response.text.delta", "delta": "AAAA"}, 0),
        ({"type": ["response.audio.delta"], "delta": "AAAA"}, 0),
    ],
)
def test_only_events_with_audio_have_an_audio_size(event: dict[str, Any], size: int) -> None:
    assert audio_size(event) == size


def test_audio_is_replaced_by_its_size_in_a_copy_of_the_event() -> None:
    delta = {"type": "response.audio.delta", "delta": "AAAA", "item_id": "i"}
    assert without_audio(delta) == {"type": "response.audio.delta", "delta": {"bytes": 3}, "item_id": "i"}
    assert delta["delta"] == "AAAA"
    item = {"id": "i", "content": [{"type": "audio", "audio": "AAAA", "transcript": "x"}, "odd"]}
    shown = without_audio({"type": "conversation.item.retrieved", "item": item})
    assert shown["item"]["content"] == [{"type": "audio", "audio": {"bytes": 3}, "transcript": "x"}, "odd"]


@given(st.dictionaries(st.sampled_from(["type", "item", "delta", "audio", "x"]), JSON))
def test_any_event_can_be_written_as_one_line_of_json(event: dict[str, Any]) -> None:
    line = as_json(event)
    assert b"\n" not in line.encode()
    assert isinstance(json.loads(line), dict)


def test_an_error_in_words() -> None:
    assert error_text({"message": "No.", "code": "bad", "param": "voice"}) == "No. (code bad, param voice)"
    assert error_text({"message": None}) == "the service gave no message"


def test_an_error_takes_one_line() -> None:
    assert error_text({"message": " two\nlines ", "code": "c"}) == "two lines (code c)"


@pytest.mark.parametrize("digits", ["1e400", "-1e400", "NaN", "Infinity", "9" * 400, "9" * 5000, "-" + "9" * 30])
def test_a_number_out_of_range_is_read_as_null(digits: str) -> None:
    assert parse('{"type": "x", "n": [' + digits + "]}") == {"type": "x", "n": [None]}


@pytest.mark.parametrize("raw", ["", "[]", "5", "{", '{"a": ' + "[" * DEEPEST + "]" * DEEPEST + "}", "[" * 100_000])
def test_text_that_is_not_an_object_or_is_nested_too_deeply_is_refused(raw: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the text is for programmers
        parse(raw)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("response.output_audio.delta", "response.audio.delta"),
        ("response.output_audio_transcript.done", "response.audio_transcript.done"),
        ("response.output_text.delta", "response.text.delta"),
        ("conversation.item.added", "conversation.item.created"),
        ("conversation.item.done", "conversation.item.created"),
        ("response.audio.delta", "response.audio.delta"),
        ("of.the.future", "of.the.future"),
    ],
)
def test_both_families_of_names_have_one_canonical_name(kind: str, name: str) -> None:
    assert canonical(kind) == name


def test_a_session_of_the_other_family_has_the_same_fields() -> None:
    detection = {"type": "server_vad"}
    audio = {
        "input": {"format": {"type": "audio/pcm", "rate": 24000}, "turn_detection": detection, "transcription": None},
        "output": {"format": {"type": "audio/pcmu"}, "voice": "alloy"},
    }
    session = {"id": "sess_1", "output_modalities": ["audio"], "audio": audio}
    assert session_of({"session": session}) == {
        "id": "sess_1",
        "modalities": ["audio"],
        "turn_detection": detection,
        "input_audio_transcription": None,
        "input_audio_format": "pcm16",
        "input_audio_sampling_rate": 24000,
        "output_audio_format": "g711_ulaw",
        "voice": "alloy",
    }
    plain = {"id": "sess_1", "modalities": ["audio"], "voice": "alloy"}
    assert session_of({"session": plain}) is plain


@given(JSON)
def test_any_session_of_the_other_family_is_survived(value: Any) -> None:
    session_of({"session": {"audio": {"input": value, "output": value}, "output_modalities": value}})
    session_of({"session": {"audio": {"input": {"format": value}, "output": {"format": {"type": value}}}}})


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=3), st.binary(min_size=1, max_size=30))
def test_the_raw_text_of_an_event_is_kept_except_for_its_audio(fields: dict[str, Any], pcm: bytes) -> None:
    payload = base64.b64encode(pcm).decode()
    raw = json.dumps({**fields, "type": "response.output_audio.delta", "delta": payload}, indent=1)
    kept = raw_without_audio(json.loads(raw), raw)
    marker = f'{{"bytes":{len(pcm)}}}'
    assert kept.replace(marker, f'"{payload}"') == raw


@pytest.mark.parametrize("digits", ["1e400", "NaN", "Infinity", "9" * 400, "9" * 5000])
def test_the_strict_decoder_refuses_numbers_out_of_range(digits: str) -> None:
    with pytest.raises(ValueError, match="out of range"):
        parse(f'{{"n": {digits}}}', strict=True)


def test_usable_numbers_are_read_as_they_are() -> None:
    raw = '{"a": 0.5, "b": -3, "c": 1790000000, "d": 999999999999999}'
    assert parse(raw) == parse(raw, strict=True) == json.loads(raw)


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ('{"type":"response.audio.delta","delta" : "AAAA"}', '{"type":"response.audio.delta","delta" : {"bytes":3}}'),
        (
            r'{"type":"response.output_audio.delta","delta":"A\/A\u002b"}',
            '{"type":"response.output_audio.delta","delta":{"bytes":3}}',
        ),
        (
            '{"x":{"delta":"word"},"type":"response.audio.delta","delta":"AAAA"}',
            '{"x":{"delta":"word"},"type":"response.audio.delta","delta":{"bytes":3}}',
        ),
        (
            '{"type":"response.audio.delta","delta":"delta"}',
            '{"type":"response.audio.delta","delta":{"bytes":3}}',
        ),
        (
            '{"type":"x","item":{"content":[{"audio":"AAAA"},{"audio":{"a":1}}]},"audio":"kept"}',
            '{"type":"x","item":{"content":[{"audio":{"bytes":3}},{"audio":{"a":1}}]},"audio":"kept"}',
        ),
        ('{"type":"response.audio.delta"}', '{"type":"response.audio.delta"}'),
        ('{"type":"response.audio.delta","delta":["AAAA"]}', '{"type":"response.audio.delta","delta":["AAAA"]}'),
        (r'{"type":"x","delta":"\ud83d \u00e9"}', r'{"type":"x","delta":"\ud83d \u00e9"}'),
    ],
)
def test_only_the_payload_is_cut_out_of_a_raw_text(raw: str, kept: str) -> None:
    assert raw_without_audio(parse(raw), raw) == kept


@given(st.dictionaries(st.sampled_from(["type", "item", "delta", "audio", "x"]), JSON))
def test_any_raw_text_is_cut_to_json(event: dict[str, Any]) -> None:
    for kind in ("response.audio.delta", "conversation.item.retrieved"):
        raw = json.dumps({**event, "type": kind})
        assert isinstance(json.loads(raw_without_audio(json.loads(raw), raw)), dict)


@given(st.text(st.characters(min_codepoint=0x80, exclude_categories=("Cs",))))
def test_escapes_are_searched_as_characters(words: str) -> None:
    assert unescaped(json.dumps(words)) == f'"{words}"'
