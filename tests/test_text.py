import unicodedata
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from voicelive_tui import text

# What takes no cell or may be taken for nothing, more often than chance has it, among what takes one or two.
foreign_text = st.text() | st.text(
    alphabet=st.sampled_from("a 漢→👍\u1100")
    | st.characters(categories=("Mn", "Me", "Mc", "Cf"))
    | st.sampled_from("\u1161\u11a8\ud7b0\u3164\ufe0f\U000e0080\U000e0100"),
    max_size=40,
)


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("plain words", "plain words"),
        ("[bold]not markup[/]", "[bold]not markup[/]"),
        ("\x1b[2J", "␛[2J"),
        ("a\nb\tc\x07\x7f", "a␊b␉c␇␡"),
        ("\x9b2J", "⟨9B⟩2J"),
        ("\u202eevil", "⟨202E⟩evil"),
        ("zero\u200bwidth\ufeff", "zero⟨200B⟩width⟨FEFF⟩"),
        ("e\u0301", "e\u0301"),
        ("e" + "\u0301" * 10_000, "e" + "\u0301" * 4 + "⟨+9,996 marks⟩"),
        ("👩\u200d👧", "👩👧"),
        ("🇩🇪", "DE"),
        ("👍🏽 ❤️", "👍 ❤"),
        ("\ud800", "�"),
        ("漢字", "漢字"),
    ],
)
def test_visible(foreign, shown):
    assert text.visible(foreign) == shown


@given(foreign_text)
def test_visible_leaves_nothing_that_a_terminal_obeys(foreign):
    shown = text.visible(foreign)
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in shown)
    assert not set(shown) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200b\u200d\u200e\u200f\ufeff")


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (61.9, "1:01"), (3600 + 125, "1:02:05"), (-3, "0:00")])
def test_clock(seconds, shown):
    assert text.clock(seconds) == shown


@pytest.mark.parametrize(
    ("ms", "shown"),
    [(0, "0 ms"), (999.4, "999 ms"), (999.6, "1.00 s"), (1240, "1.24 s"), (99_994, "99.99 s"), (185_000, "3:05")],
)
def test_duration(ms, shown):
    assert text.duration(ms) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (76_800, "76.8 kB"), (999_900, "1 MB"), (1_234_567, "1.23 MB")],
)
def test_size(count, shown):
    assert text.size(count) == shown


def test_short_id():
    assert text.short_id("item_1") == "item_1"
    assert text.short_id("item_0123456789") == "…456789"


@given(foreign_text, foreign_text)
def test_visible_keeps_the_columns(before, after):
    shown = text.visible(before)
    assert not any(
        len(list(run)) > text.MARKS for no_cell, run in groupby(shown, lambda c: cell_len(c) == 0) if no_cell
    )
    # No character changes the width of another: pieces take what the whole takes.
    assert sum(map(cell_len, shown)) == cell_len(shown)
    assert cell_len(shown + "|" + text.visible(after)) == cell_len(shown) + 1 + cell_len(text.visible(after))


@pytest.mark.parametrize(
    "mark",
    [
        "\u0301",
        "\u0e31",
        "\u0941",
        "\u093f",
        "\u064b",
        "\u05b0",
        "\u1161",
        "\u3099",
        "\U0001d167",
        "\U0001d165",
        "\u20dd",
    ],
)
def test_marks_of_every_script_are_limited(mark):
    shown = text.visible("a" + mark * 10_000 + "b")
    assert shown == "a" + mark * text.MARKS + f"⟨+{10_000 - text.MARKS:,} marks⟩b"
    assert text.visible("a" + mark * text.MARKS) == "a" + mark * text.MARKS


def test_what_selects_a_variant_is_left_out_and_fillers_are_told():
    assert text.visible("葛\U000e0100" * 3) == text.visible("葛\ufe00\U000e01ef\U000e0fff" * 3) == "葛葛葛"
    assert text.visible("\u3164\u115f\u1160\uffa0") == "⟨3164⟩⟨115F⟩⟨1160⟩⟨FFA0⟩"
    assert text.visible("\U00013430\U0001bca0\U0001d173") == "⟨13430⟩⟨1BCA0⟩⟨1D173⟩"


def test_a_row_of_signs_is_no_run_of_marks():
    assert text.visible("“…”—“…”—→←→←") == "“…”—“…”—→←→←"


def test_plain_text_is_not_looked_at_twice():
    plain = "a plain line, as nearly all of them are"
    assert text.visible(plain) is plain


def test_an_excerpt_says_how_much_it_leaves_out():
    assert text.excerpt("short\x1b") == "short␛"
    assert text.excerpt("x" * (text.EXCERPT + 1234)).endswith("x… and 1,234 characters more")
