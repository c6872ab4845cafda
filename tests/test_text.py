import json
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
def test_visible_text_has_no_control_characters(foreign):
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


def test_variation_selectors_are_dropped_and_fillers_are_shown():
    assert text.visible("葛\U000e0100" * 3) == text.visible("葛\ufe00\U000e01ef\U000e0fff" * 3) == "葛葛葛"
    assert text.visible("\u3164\u115f\u1160\uffa0") == "⟨3164⟩⟨115F⟩⟨1160⟩⟨FFA0⟩"
    assert text.visible("\U00013430\U0001bca0\U0001d173") == "⟨13430⟩⟨1BCA0⟩⟨1D173⟩"


def test_a_row_of_punctuation_is_not_a_run_of_marks():
    assert text.visible("“…”—“…”—→←→←") == "“…”—“…”—→←→←"


def test_plain_text_is_returned_unchanged():
    plain = "a plain line, as nearly all of them are"
    assert text.visible(plain) is plain


def test_an_excerpt_says_how_much_it_leaves_out():
    assert text.excerpt("short\x1b") == "short␛"
    assert text.excerpt("x" * (text.EXCERPT + 1234)).endswith("x… and 1,234 characters more")


_DRAWN = {0x0600, 0x0601, 0x0602, 0x0603, 0x0604, 0x0605, 0x06DD, 0x070F, 0x0890, 0x0891, 0x08E2, 0x110BD, 0x110CD}
"""Format characters that have a shape of their own, such as ARABIC NUMBER SIGN."""


def test_no_character_passes_that_hides_or_moves_others():
    for code in range(0x110000):
        character = chr(code)
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and code not in _DRAWN:
            assert character not in text.visible(f"a{character}b"), hex(code)
            assert character not in text.escaped(f'"a{character}b"'), hex(code)
            assert character == "\n" or character not in text.visible_lines(f"a{character}b"), hex(code)


@given(st.recursive(st.text() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_keeps_its_value_when_it_is_escaped(value):
    assert json.loads(text.escaped(json.dumps(value, ensure_ascii=False))) == value


JSON = st.recursive(st.text() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(JSON, JSON)
def test_masked_json_is_json_of_the_same_shape(value, other):
    credentials = {"APIKEY": "k" * 20, "authorization": value, "x": [other, {"api-key": None}]}
    shown = json.loads(text.escaped(json.dumps(text.masked(credentials), ensure_ascii=False)))
    assert shown["APIKEY"] == text.HIDDEN
    assert shown["x"][1] == {"api-key": None}
    assert isinstance(shown["authorization"], type(value))


def test_several_lines_stay_lines():
    assert text.visible_lines("one\x1b\ntwo\u202e") == "one␛\ntwo⟨202E⟩"


@pytest.fixture
def secret():
    value = "s3cr3t-k3y-of-this-test"
    text.hide(value, "", "abc")
    yield value
    text._hidden.discard(value)


def test_headers_of_mcp_servers_are_masked_and_fields_of_that_name_elsewhere_are_not():
    headers = {"X-Custom": "value", "other": ["value"]}
    assert text.masked({"type": "mcp", "headers": headers})["headers"] == {
        "X-Custom": text.HIDDEN,
        "other": [text.HIDDEN],
    }
    assert text.masked({"type": "object", "headers": headers})["headers"] == headers


def test_a_value_in_brief_is_its_json_or_the_beginning_of_it():
    assert text.brief({"a": [1, "\n"]}, 20) == '{"a": [1, "\\n"]}'
    assert text.brief("abcdefgh", 5) == '"abc…'


def test_a_registered_secret_is_masked_in_every_output(secret):
    for output in (text.visible, text.visible_lines, text.masked, text.excerpt, text.mask):
        assert output(f"the key {secret} was refused") == "the key <hidden> was refused"
    assert secret[:8] not in text.excerpt("x" * (text.EXCERPT - 8) + secret)


def test_a_secret_that_contains_another_is_masked_whole(secret):
    longer = [f"{end}{secret}{end}" for end in ("-01", "-02", "-03")]
    try:
        text.hide(*longer)
        assert [text.mask(value) for value in longer] == [text.HIDDEN] * 3
    finally:
        text._hidden.difference_update(longer)


@pytest.mark.parametrize(
    ("shown", "masked"),
    [
        ("wss://h/p?api-key=abc123&model=m", "wss://h/p?api-key=<hidden>&model=m"),
        ("https://h/blob?sv=1&sig=a%2Fb%3D&se=2", "https://h/blob?sv=1&sig=<hidden>&se=2"),
        ("https://h/?agent-access-token=abc", "https://h/?agent-access-token=<hidden>"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer <hidden>"),
        ('{"api-key":"abc","model":"m"}', '{"api-key":"<hidden>","model":"m"}'),
        ("a bearer eyJhbGciOiJSUzI1NiJ9.e30.x here", "a bearer <hidden> here"),
        ("AADSTS700082: expired: eyJhbGciOiJSUzI1NiJ9.e30.x-_y.", "AADSTS700082: expired: <hidden>"),
        ("an eyJig of audio.delta.now", "an eyJig of audio.delta.now"),
    ],
)
def test_what_looks_like_a_credential_is_masked(shown, masked):
    assert text.mask(shown) == masked


@pytest.mark.parametrize(
    "prose", ["press a key: any key", "the bearer of news = good news", "code=4 and token=2 in prose", "x?y=1&z=2"]
)
def test_prose_is_not_taken_for_credentials(prose):
    assert text.mask(prose) == prose


def test_masking_a_megabyte_of_one_word_takes_no_long_time():
    for word in ("A" * 4_000_000 + "=", "api-" * 1_000_000 + ":", "?a-token" * 500_000 + "=", "bearer " * 500_000):
        text.mask(word)  # the test's own time limit judges
