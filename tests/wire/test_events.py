"""Reading untrusted JSON, and taking the sound out of events."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.wire.events import (
    as_json,
    audio_size,
    base64_size,
    error_text,
    listing,
    mapping,
    number,
    text,
    without_audio,
)

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("lone \ud800 surrogate"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_the_readers_give_the_type_asked_for_whatever_came(value: Any) -> None:
    assert isinstance(text(value), str)
    text(value).encode()
    assert isinstance(number(value), float)
    assert 0 <= number(value) < 1e15
    assert isinstance(listing(value), list)
    assert mapping(value) == (value if isinstance(value, dict) else {})


@given(st.binary(max_size=200))
def test_the_size_of_base64_is_that_of_what_it_holds(data: bytes) -> None:
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
def test_only_events_that_carry_sound_have_an_audio_size(event: dict[str, Any], size: int) -> None:
    assert audio_size(event) == size


def test_sound_is_replaced_by_its_size_and_the_event_itself_is_left_alone() -> None:
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


def test_an_error_is_told_in_one_line() -> None:
    assert error_text({"message": " two\nlines ", "code": "c"}) == "two lines (code c)"
