"""The order of the transcript."""

from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.session.transcript import LIMIT, Transcript, change, find, place, remove, update

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


def test_an_item_stays_where_its_place_is_unknown() -> None:
    assert order(place(filled("abc"), "b", "")) == "abc"
    assert order(place(filled("abc"), "b", "nowhere")) == "abc"
    assert order(place(filled("abc"), "b", "b")) == "abc"


@given(st.lists(st.tuples(IDS, IDS)))
def test_no_placing_loses_or_doubles_an_item(moves: list[tuple[str, str]]) -> None:
    transcript = filled("abcde")
    for item_id, previous in moves:
        transcript = place(transcript, item_id, previous)
        if item_id and previous and item_id != previous:
            assert find(transcript, item_id) == find(transcript, previous) + 1
    assert sorted(order(transcript)) == list("abcde")


@given(st.permutations("abcdef"))
def test_the_conversation_is_in_order_whichever_item_is_told_of_first(arriving: list[str]) -> None:
    transcript: Transcript = ()
    for item_id in arriving:
        transcript = update(transcript, item_id, "user", 0.0)
        transcript = place(transcript, item_id, {"b": "a", "c": "b", "d": "c", "e": "d", "f": "e"}.get(item_id, ""))
    assert order(transcript) == "abcdef"


def test_only_the_latest_entries_are_kept() -> None:
    transcript: Transcript = ()
    for number in range(LIMIT + 3):
        transcript = update(transcript, f"item_{number}", "user", 0.0)
    assert (len(transcript), transcript[0].item_id, transcript[-1].item_id) == (LIMIT, "item_3", f"item_{LIMIT + 2}")


def test_update_makes_or_changes_and_change_never_makes() -> None:
    transcript = update(filled("a"), "a", "assistant", 1.0, text="x")
    assert (transcript[0].text, transcript[0].role) == ("x", "user")
    assert change(transcript, "zz", lambda entry: entry) is transcript
    assert order(remove(filled("abc"), "b")) == "ac"
