"""The texts of the settings of a session."""

import re

import msgspec
import msgspec.inspect
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.session.folding import REQUEST
from tests.wire.test_events import JSON
from voicelive_tui.config import Session
from voicelive_tui.session.fields import BY_KEY, FIELDS
from voicelive_tui.session.request import session_request
from voicelive_tui.session.state import Connection, SessionState
from voicelive_tui.session.typed import changes, settings_from, texts_of, value_of, wanted_texts

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
            texts[field.key] = field.several.join(draw(st.lists(WORDS, max_size=3)))
        else:
            texts[field.key] = draw(WORDS)
    return texts


@settings(max_examples=30)
@given(typed(), st.sampled_from(("gpt-realtime", "gpt-4.1", "azure-realtime")))
def test_what_is_typed_comes_back_from_the_session_object(texts: dict[str, str], model: str) -> None:
    request = session_request(settings_from(texts, model))
    again = texts_of(request)
    assert session_request(settings_from(again, model)) == request
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


def test_a_list_that_is_too_long_is_refused_in_one_sentence() -> None:
    phrases = BY_KEY["input_audio_transcription.phrase_list"]
    assert len(value_of(phrases, ",".join("a" * 499))) == 499
    with pytest.raises(ValueError, match=r"^expected at most 499, not 500$"):
        value_of(phrases, ",".join("a" * 500))


def test_the_texts_of_an_interim_response_may_have_commas() -> None:
    before = texts_of({"voice": "en-US-AvaNeural"})
    after = before | {"interim_response.type": "static", "interim_response.texts": "One moment, please. | Let me see."}
    change = changes(before, after, "gpt-4.1")
    assert change == {
        "interim_response": {
            "type": "static_interim_response",
            "triggers": ["latency"],
            "latency_threshold_ms": 2000,
            "texts": ["One moment, please.", "Let me see."],
        }
    }
    assert texts_of(change)["interim_response.texts"] == after["interim_response.texts"]
    assert changes(after, before, "gpt-4.1") == {"interim_response": None}


def test_a_change_to_what_an_agent_was_made_with_keeps_the_rest_of_it() -> None:
    own = {**REQUEST["turn_detection"], "type": "azure_semantic_vad", "threshold": 0.3}
    state = SessionState(
        connection=Connection(agent="clerk"), in_force={"turn_detection": own, "voice": {"name": "a\x1bb"}}
    )
    texts = wanted_texts(state)
    assert texts["turn_detection.threshold"] == "0.3"
    assert texts["voice"] == Session().voice  # no setting can express the agent's
    after = texts | {"turn_detection.silence_duration_ms": "800"}
    assert changes(texts, after, "") == {"turn_detection": own | {"silence_duration_ms": 800}}


def test_the_turn_detection_keeps_its_values_during_push_to_talk() -> None:
    block = {**REQUEST["turn_detection"], "silence_duration_ms": 800}
    texts = wanted_texts(SessionState(wanted={**REQUEST, "turn_detection": None}, detection=block))
    assert texts["turn_detection.type"] == "none"
    assert changes(texts, texts | {"turn_detection.type": "server_vad"}, "gpt-realtime") == {"turn_detection": block}
