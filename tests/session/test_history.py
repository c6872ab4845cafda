"""The conversation as items for a new session."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.session.folding import REQUEST
from voicelive_tui.session.calls import Call
from voicelive_tui.session.history import TOKEN_CHARACTERS, TOKENS, TURNS, history
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.transcript import Entry, EntryStatus

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
