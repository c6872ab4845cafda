"""The settings of a session as texts."""

import re

import msgspec
import msgspec.inspect
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.session.folding import REQUEST
from tests.wire.test_events import JSON
from voicelive_tui.config import Session
from voicelive_tui.session.fields import BY_KEY, FIELDS, changes, settings_of, texts_of, value_of
from voicelive_tui.session.request import session_request


def leaves(kind: type[msgspec.Struct], prefix: str = "") -> set[str]:
    """The keys of a section, with dots."""
    found: set[str] = set()
    for field in msgspec.structs.fields(kind):
        inner = isinstance(field.type, type) and issubclass(field.type, msgspec.Struct)
        found |= leaves(field.type, f"{prefix}{field.name}.") if inner else {prefix + field.name}
    return found


def test_every_setting_of_the_session_has_a_field() -> None:
    assert {field.key for field in FIELDS} == {
        key for key in leaves(Session) - {"model", "push_to_talk"} if not key.startswith("interim_response.")
    }


WORDS = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=8)


@st.composite
def typed(draw: st.DrawFn) -> dict[str, str]:
    """Texts that may be typed: a value of each field's type."""
    texts = texts_of({})
    for field in draw(st.lists(st.sampled_from(FIELDS), unique=True)):
        if field.flag:
            texts[field.key] = draw(st.sampled_from(("on", "off")))
        elif field.choices:
            texts[field.key] = draw(st.sampled_from(field.choices))
        elif field.range:
            whole = isinstance(field.number, msgspec.inspect.IntType)
            texts[field.key] = draw(st.sampled_from(("1", "60", "4000")) if whole else st.sampled_from(("0.25", "1")))
        elif field.several:
            texts[field.key] = ", ".join(draw(st.lists(WORDS, max_size=3)))
        else:
            texts[field.key] = draw(WORDS)
    return texts


@settings(max_examples=30)
@given(typed(), st.sampled_from(("gpt-realtime", "gpt-4.1", "azure-realtime")))
def test_what_is_typed_comes_back_from_the_session_object(texts: dict[str, str], model: str) -> None:
    request = session_request(settings_of(texts, model))
    again = texts_of(request)
    assert session_request(settings_of(again, model)) == request
    assert changes(texts, again, model) == {}


@given(st.dictionaries(st.sampled_from([field.path[0] for field in FIELDS]), JSON))
def test_any_session_object_is_read(session: dict[str, object]) -> None:
    assert all(isinstance(text, str) for text in texts_of(session).values())


@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        ("turn_detection.threshold", "1.5", "1.5 is not in the range 0 to 1"),
        ("turn_detection.threshold", "loud", "expected a number, 0 to 1"),
        ("turn_detection.threshold", "nan", "nan is not in the range 0 to 1"),
        ("turn_detection.silence_duration_ms", "500.5", "expected a whole number, 0 to 60000"),
        ("turn_detection.silence_duration_ms", "9" * 400, f"{'9' * 20} is not in the range 0 to 60000"),
        ("turn_detection.silence_duration_ms", "", "expected a whole number, 0 to 60000"),
        ("max_response_output_tokens", "many", "expected a whole number, 1 to 4096, or inf"),
        ("turn_detection.type", "vad", "expected azure_semantic_vad, azure"),
        ("voice", " ", "expected a name"),
        ("voice", "a\x1bb", "expected printable characters only"),
    ],
)
def test_what_cannot_be_a_value_is_refused_in_one_sentence(key: str, text: str, says: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(says)}"):
        value_of(BY_KEY[key], text)


def test_a_changed_number_changes_the_whole_block_and_nothing_else() -> None:
    before = texts_of(REQUEST)
    after = before | {"turn_detection.silence_duration_ms": "800"}
    assert changes(before, after, "gpt-realtime") == {
        "turn_detection": {**REQUEST["turn_detection"], "silence_duration_ms": 800}
    }


def test_a_setting_that_is_emptied_is_sent_as_null() -> None:
    before = texts_of({**REQUEST, "temperature": 0.7})
    assert before["temperature"] == "0.7"
    assert changes(before, before | {"temperature": ""}, "gpt-4.1") == {"temperature": None}
