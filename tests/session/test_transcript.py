"""The order of the transcript."""

from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.session.transcript import (
    CHARACTERS,
    LIMIT,
    LONGEST,
    Entry,
    Transcript,
    change,
    find,
    place,
    put_behind,
    remove,
    shown_at,
    surplus,
    update,
)

IDS = st.sampled_from(["a", "b", "c", "d", "e", ""])


def order(transcript: Transcript) -> str:
    return "".join(entry.item_id for entry in transcript)


def filled(ids: str) -> Transcript:
    transcript: Transcript = ()
    for item_id in ids:
        transcript = update(transcript, item_id, "user", 0.0)
    return transcript


def test_an_item_goes_right_after_the_one_before_it() -> None:
    assert order(place(filled("abc"), "c", "a")) == "acb"
    assert order(place(filled("abc"), "a", "c")) == "bca"


def test_an_item_stays_while_its_place_is_unknown() -> None:
    assert order(place(filled("abc"), "b", "")) == "abc"
    assert order(place(filled("abc"), "b", "nowhere")) == "abc"
    assert order(place(filled("abc"), "b", "b")) == "abc"


def test_an_item_goes_behind_the_line_of_a_response_that_failed_without_an_item() -> None:
    transcript = update(filled("ab"), "F", "assistant", 0.0, response_id="F", note="overloaded")
    transcript = place(update(transcript, "c", "user", 0.0), "c", "b")
    assert order(transcript) == "abFc"
    assert order(place(update(transcript, "d", "assistant", 0.0, response_id="r"), "d", "c")) == "abFcd"


def test_an_item_without_an_entry_keeps_a_place_behind_one() -> None:
    transcript = put_behind(put_behind(filled("abc"), "x", "a"), "y", "x")
    assert [shown_at(transcript, each) for each in ("x", "y", "b", "nowhere", "")] == ["a", "a", "b", "nowhere", ""]
    assert put_behind(transcript, "x", "b") is transcript
    assert order(place(transcript, "c", shown_at(transcript, "y"))) == "acb"


@given(st.lists(st.tuples(IDS, IDS)))
def test_no_placing_loses_or_doubles_an_item(moves: list[tuple[str, str]]) -> None:
    transcript = filled("abcde")
    for item_id, previous in moves:
        transcript = place(transcript, item_id, previous)
        if item_id and previous and item_id != previous:
            assert find(transcript, item_id) == find(transcript, previous) + 1
    assert sorted(order(transcript)) == list("abcde")


@given(st.permutations("abcdef"))
def test_the_conversation_is_in_order_whichever_item_arrives_first(arriving: list[str]) -> None:
    transcript: Transcript = ()
    for item_id in arriving:
        transcript = update(transcript, item_id, "user", 0.0)
        transcript = place(transcript, item_id, {"b": "a", "c": "b", "d": "c", "e": "d", "f": "e"}.get(item_id, ""))
    assert order(transcript) == "abcdef"


def test_beyond_the_limits_the_oldest_tenth_is_evicted() -> None:
    assert surplus(filled("abc")) == 0
    few = tuple(Entry(f"item_{number}", "user", 0.0) for number in range(LIMIT))
    assert surplus(few) == 0
    assert surplus((*few, Entry("one more", "user", 0.0))) == LIMIT // 10
    long = tuple(Entry(f"item_{number}", "user", 0.0, "x" * 10_000) for number in range(CHARACTERS // 10_000))
    assert surplus(long) == 0
    assert surplus((*long, Entry("one more", "user", 0.0, "words"))) == len(long) // 10


def test_update_adds_or_changes_an_entry_and_change_never_adds() -> None:
    transcript = update(filled("a"), "a", "assistant", 1.0, text="x")
    assert (transcript[0].text, transcript[0].role) == ("x", "user")
    assert change(transcript, "zz", text="one") is transcript
    assert order(remove(filled("abc"), "b")) == "ac"


def test_an_entry_is_bounded_however_much_of_it_comes() -> None:
    entries: Transcript = ()
    for _ in range(5):
        words = (entries[0].text if entries else "") + "x" * LONGEST
        entries = update(entries, "item_a", "assistant", 1.0, text=words)
    assert len(entries[0].text) == LONGEST + 1
    assert entries[0].text.endswith("x…")
