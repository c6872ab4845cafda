from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.test_text import foreign_text
from voicelive_tui.text import duration, visible
from voicelive_tui.ui import text


@given(st.text(alphabet=st.characters(blacklist_categories=("Cc", "Cs", "Mn", "Me", "Cf"))), st.integers(2, 40))
def test_wrap_loses_nothing_and_keeps_the_width(words, width):
    pieces = text.wrap(words, width)
    assert "".join(pieces) == words
    assert all(cell_len(piece.rstrip()) <= width for piece in pieces)


def test_wrap_breaks_between_words():
    assert text.wrap("one two three", 8) == ["one two ", "three"]
    assert text.wrap("", 8) == [""]
    assert text.wrap("abcdefghij", 4) == ["abcd", "efgh", "ij"]
    assert text.wrap("item.input_audio.delta", 20) == ["item.input_audio.", "delta"]
    assert text.wrap("v.conversation_item", 16) == ["v.conversation_", "item"]
    assert text.wrap("v.conversation", 10) == ["v.conversa", "tion"]
    assert text.wrap("at 4,208\xa0ms", 9) == ["at ", "4,208\xa0ms"]


@given(foreign_text.map(visible), st.integers(0, 60))
def test_clip_and_fit_keep_the_width(words, width):
    assert cell_len(text.clip(words, width)) <= width
    assert cell_len(text.clip_words(words, width)) <= width
    assert cell_len(text.fit(words, width)) == width


def test_clip_ends_a_shortened_text_with_an_ellipsis():
    assert text.clip("abcdef", 4) == "abc…"
    assert text.clip("漢字漢字", 5) == "漢字…"
    assert text.clip_left("response.audio.delta", 9) == "…delta"
    assert text.clip_left("input_audio_buffer.speech_started", 26) == "…buffer.speech_started"
    assert text.clip_left("a_long_word.withoutanyend", 12) == "…thoutanyend"


def test_a_summary_ends_with_a_whole_word_where_that_costs_little():
    assert text.clip_words("user · input_audio · completed", 27) == "user · input_audio…"
    assert text.clip_words("what is the weather", 17) == "what is the…"
    assert text.clip_words("what is the weather", 12) == "what is the…"
    assert text.clip_words("gpt-realtime · en-US-Ava:DragonHD", 27) == "gpt-realtime · en-US-Ava:D…"
    assert text.clip_words("whole", 5) == "whole"
    assert text.clip_words("漢字漢字", 5) == "漢字…"


def test_spread_gives_way_at_the_left():
    line = text.spread((("left side", "text"),), (("right", "dim"),), 12)
    assert "".join(part for part, _ in line) == "left s…right"
    assert text.width_of(line) == 12


@given(st.lists(st.text(alphabet="ab \n漢é\u0301", max_size=12), max_size=12), st.integers(2, 12))
def test_a_growing_text_is_wrapped_as_the_whole_would_be(parts, width):
    growing, grown = text.Wrapping(width), ""
    for part in parts:
        grown += part
        rows = list(growing.rows(grown))
        assert rows == text.Wrapping(width).rows(grown)
        assert all(grown[at : at + len(piece)] == piece for at, piece in rows)
    assert growing.rows("other") == text.Wrapping(width).rows("other")


def test_only_the_end_of_a_growing_text_is_wrapped_again(monkeypatch):
    looked_at = []
    wrap = text.wrap
    monkeypatch.setattr(text, "wrap", lambda part, width: looked_at.append(len(part)) or wrap(part, width))
    growing, grown = text.Wrapping(40), "word " * 4000
    growing.rows(grown)
    growing.rows(grown + "more")
    assert looked_at[0] == len(grown)
    assert looked_at[1] < 100


def test_a_word_of_a_megabyte_is_broken_in_one_go():
    pieces = text.wrap("é" * 1_000_000, 40)
    assert (len(pieces), "".join(pieces)) == (25_000, "é" * 1_000_000)


def test_a_word_that_is_searched_for_is_marked_across_tones_and_in_any_case():
    line = (("It was half", "text"), ("way THERE, halfway", "unheard"))
    assert text.marked(line, "halfway", "select") == (
        ("It was ", "text"),
        ("half", "select"),
        ("way", "select"),
        (" THERE, ", "unheard"),
        ("halfway", "select"),
    )


@given(st.lists(st.tuples(st.text("abA", min_size=1), st.sampled_from(["x", "y"]))), st.text("ab", min_size=1))
def test_a_marked_line_says_the_same_and_marks_every_match(spans, wanted):
    marked = text.marked(tuple(spans), wanted, "select")
    said = "".join(part for part, _ in spans)
    assert "".join(part for part, _ in marked) == said
    assert sum(len(part) for part, tone in marked if tone == "select") == said.lower().count(wanted) * len(wanted)


@given(st.floats(0, 1e6))
def test_the_unit_of_a_number_is_quiet(milliseconds):
    words = duration(milliseconds)
    shown = text.measured(words.rjust(10), "warn")
    assert "".join(part for part, _ in shown) == words.rjust(10)
    assert [tone for _, tone in shown] == (["warn"] if ":" in words else ["warn", "dim"])
