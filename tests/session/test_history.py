"""What a new session gets of a conversation, and how its answers are counted."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.session.folding import REQUEST, answer, ready, sent, sent_events
from tests.session.test_reconnect import LOST, RESUMING
from voicelive_tui.session import inputs
from voicelive_tui.session.calls import Call
from voicelive_tui.session.history import TOKEN_CHARACTERS, TOKENS, TURNS, history
from voicelive_tui.session.state import Entry, EntryStatus, SessionState

READY = [
    inputs.Connected(),
    {"type": "session.created", "session": {"id": "sess_2"}},
    {"type": "session.updated", "session": {**REQUEST, "id": "sess_2"}},
]
DONE: dict[str, Any] = {"status": EntryStatus.DONE, "done_at": 2.0}


def told(*entries: Entry, fresh_at: float = 0.0) -> list[dict[str, Any]]:
    """The items that a new session gets."""
    past = history(SessionState(wanted=REQUEST, transcript=entries, fresh_at=fresh_at))
    return [dict(item) for _, item in past.items]


def user(text: str, name: str = "item_u", at: float = 1.0) -> Entry:
    return Entry(name, "user", at, text, **DONE)


@pytest.mark.parametrize(
    ("entry", "part"),
    [
        (user("hello"), {"type": "input_text", "text": "hello"}),
        (Entry("item_a", "assistant", 1.0, "all of it", audio_ms=900, heard_ms=900, **DONE), "all of it"),
        (
            Entry("item_a", "assistant", 1.0, "only this was heard", EntryStatus.INTERRUPTED, done_at=2.0,
                  audio_ms=1900, heard_ms=900),
            "only this",
        ),
        (Entry("item_a", "assistant", 1.0, "written", **DONE), "written"),
        (Entry("item_s", "system", 1.0, "be brief", **DONE), {"type": "input_text", "text": "be brief"}),
    ],
)  # fmt: skip
def test_words_become_one_text_item(entry: Entry, part: Any) -> None:
    (item,) = told(entry)
    assert (item["id"], item["role"]) == (entry.item_id, entry.role)
    expected = part if isinstance(part, dict) else {"type": "text", "text": part}
    assert item["content"] == [expected]


@pytest.mark.parametrize(
    "entry",
    [
        replace(user(""), note="not transcribed"),
        Entry("item_a", "assistant", 1.0, "cut off before its first sound", EntryStatus.FAILED, done_at=2.0),
        Entry("item_a", "assistant", 1.0, "none of it", EntryStatus.INTERRUPTED, audio_ms=800, heard_ms=0.0),
        Entry("item_t", "tool", 1.0, call=Call("function", "weather", call_id="call_1", arguments="{}")),
        Entry("item_t", "tool", 1.0, call=Call("mcp", "weather", "maps", arguments="{}", output="7", ended_at=2.0)),
        Entry("remark-1", "session", 1.0, "reconnected", **DONE),
    ],
)
def test_what_has_no_words_or_no_output_is_left_out(entry: Entry) -> None:
    assert told(entry) == []


def test_a_call_goes_with_its_output() -> None:
    made = Call("function", "t", call_id="c", arguments="{}", output="7", ended_at=2.0)
    call, output = told(Entry("item_t", "tool", 1.0, call=made))
    assert call == {"type": "function_call", "id": "item_t", "call_id": "c", "name": "t", "arguments": "{}"}
    assert output == {"type": "function_call_output", "call_id": "c", "output": "7"}


def test_what_came_before_a_reset_is_left_out() -> None:
    assert [item["id"] for item in told(user("old", "a", 1.0), user("new", "b", 3.0), fresh_at=2.0)] == ["b"]


def test_an_id_that_is_too_long_is_left_to_the_service() -> None:
    (item,) = told(user("hello", "i" * 33))
    assert "id" not in item


words = st.text("ab ", max_size=9_000)
entries = st.builds(
    Entry,
    st.uuids().map(str),
    st.sampled_from(["user", "assistant", "system", "tool", "session"]),
    st.just(1.0),
    words,
    st.sampled_from(EntryStatus),
    audio_ms=st.sampled_from([0.0, 500.0]),
    heard_ms=st.sampled_from([None, 0.0, 250.0]),
    call=st.none()
    | st.builds(
        Call,
        st.sampled_from(["function", "mcp"]),
        call_id=st.sampled_from(["", "call"]),
        output=st.text(max_size=3),
        ended_at=st.sampled_from([None, 2.0]),
    ),
)


@given(st.lists(entries, max_size=60))
def test_the_limits_hold_and_the_order_is_kept(transcript: list[Entry]) -> None:
    past = history(SessionState(wanted=REQUEST, transcript=tuple(transcript)))
    assert past.turns + past.wordless <= TURNS
    assert past.tokens <= TOKENS
    size = sum(
        sum(len(part["text"]) for part in item.get("content", ()))
        + len(item.get("name", "")) + len(item.get("arguments", "")) + len(item.get("output", ""))
        for _, item in past.items
    )  # fmt: skip
    assert past.tokens == -(-size // TOKEN_CHARACTERS)
    places = [[entry.item_id for entry in transcript].index(name) for name, _ in past.items]
    assert places == sorted(places)
    calls = [item["call_id"] for _, item in past.items if item["type"] == "function_call"]
    assert calls == [item["call_id"] for _, item in past.items if item["type"] == "function_call_output"]


# --- in the fold


def talked() -> Any:
    """A session with two turns that was lost, and is ready again; what was sent to it is in `effects`."""
    fold = ready()
    for number in (1, 2):
        item = {"id": f"u{number}", "type": "message", "role": "user",
                "content": [{"type": "input_text", "text": f"question {number}"}]}  # fmt: skip
        fold.feed(inputs.TextTyped(f"question {number}"), {"type": "conversation.item.created", "item": item})
        fold.feed(*answer(f"a{number}", f"resp_{number}", done=True))
        fold.feed(inputs.PlaybackStarted(f"a{number}", fold.now), inputs.PlaybackFinished(f"a{number}", 1000.0))
    fold.feed(LOST, RESUMING)
    fold.effects.clear()
    fold.feed(*READY)
    return fold


def seeds(fold: Any) -> list[Any]:
    return [event for event in sent_events(fold.effects) if event["event_id"].startswith("seed-")]


def test_the_new_session_gets_the_history_and_no_request() -> None:
    fold = talked()
    assert sent(fold.effects) == ["session.update"] + ["conversation.item.create"] * 4
    assert [event["item"]["id"] for event in seeds(fold)] == ["u1", "a1", "u2", "a2"]
    before = fold.state.transcript
    fold.feed(*({"type": "conversation.item.created", "item": event["item"]} for event in seeds(fold)))
    *entries, remark = fold.state.transcript
    assert tuple(entries) == before  # nothing twice, nothing moved
    assert remark.text == "reconnected after 0.0 s: 2 turns restored (about 14 tokens); audio was not"


def test_a_refused_item_is_left_out_and_counted_and_the_rest_goes_on() -> None:
    fold = talked()
    first, second, third, last = seeds(fold)
    fold.feed({"type": "conversation.item.created", "item": first["item"]})
    fold.feed({"type": "error", "error": {"event_id": second["event_id"], "message": "no"}})
    fold.feed(*({"type": "conversation.item.created", "item": event["item"]} for event in (third, last)))
    assert fold.state.problems == ()
    assert "the service refused 1 item" in fold.state.transcript[-1].text


def test_an_item_that_comes_back_under_another_id_stays_one_entry() -> None:
    fold = talked()
    first, *rest = seeds(fold)
    renamed = {**first["item"], "id": "other"}
    created = [renamed, *(event["item"] for event in rest)]
    fold.feed(*({"type": "conversation.item.created", "item": item} for item in created))
    *entries, remark = fold.state.transcript
    assert [entry.item_id for entry in entries] == ["other", "a1", "u2", "a2"]
    assert remark.role == "session"


def test_the_next_item_goes_below_everything_of_the_lost_session() -> None:
    fold = talked()
    fold.feed(*({"type": "conversation.item.created", "item": event["item"]} for event in seeds(fold)))
    item = {"id": "u3", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "more"}]}
    fold.feed({"type": "conversation.item.created", "previous_item_id": "u1", "item": item})
    assert [entry.item_id for entry in fold.state.transcript][-1] == "u3"


def test_a_drop_while_the_history_is_given_begins_it_again() -> None:
    fold = talked()
    first = seeds(fold)
    fold.feed({"type": "conversation.item.created", "item": first[0]["item"]}, LOST, RESUMING)
    fold.effects.clear()
    fold.feed(*READY)
    assert [event["item"] for event in seeds(fold)] == [event["item"] for event in first]


def test_a_message_that_was_not_acknowledged_is_sent_again_and_asked_once() -> None:
    fold = ready()
    fold.feed(inputs.TextTyped("hello"), LOST, RESUMING)
    fold.effects.clear()
    fold.feed(*READY)
    assert sent(fold.effects) == ["session.update", "conversation.item.create", "response.create"]
    item = {"id": "u1", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
    fold.feed({"type": "conversation.item.created", "item": item}, LOST, RESUMING)
    fold.effects.clear()
    fold.feed(*READY)  # acknowledged, so it is history now; still unanswered
    assert sent(fold.effects) == ["session.update", "conversation.item.create", "response.create"]
    assert len(seeds(fold)) == 1


def test_an_answer_that_had_begun_is_not_asked_for_again() -> None:
    fold = ready()
    item = {"id": "u1", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
    fold.feed(inputs.TextTyped("hello"), {"type": "conversation.item.created", "item": item}, *answer(), LOST, RESUMING)
    fold.effects.clear()
    fold.feed(*READY)
    assert "response.create" not in sent(fold.effects)


def test_an_answer_of_which_nothing_came_is_asked_for_again() -> None:
    fold = ready()
    item = {"id": "u1", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
    fold.feed(inputs.TextTyped("hello"), {"type": "conversation.item.created", "item": item})
    fold.feed({"type": "response.created", "response": {"id": "resp_1"}}, LOST, RESUMING)
    fold.effects.clear()
    fold.feed(*READY)
    assert sent(fold.effects).count("response.create") == 1


def test_the_sound_of_a_lost_session_is_not_truncated_in_the_new_one() -> None:
    fold = ready()
    fold.feed(*answer(), inputs.PlaybackStarted("item_a", 1.0), LOST, RESUMING, *READY)
    assert sent(fold.feed(inputs.PlaybackStopped("item_a", 400.0, fold.now))) == []
