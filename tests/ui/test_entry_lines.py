import re

import pytest
from msgspec.structs import replace

from tests import states
from voicelive_tui.session.calls import Call
from voicelive_tui.session.history import heard_characters
from voicelive_tui.session.latency import Turn
from voicelive_tui.session.reading import Reading
from voicelive_tui.session.transcript import Entry, EntryStatus
from voicelive_tui.ui.delays import Scale
from voicelive_tui.ui.entry_lines import INDENT, entry_lines
from voicelive_tui.ui.text import Wrapping

ANSWER = replace(states.SPEAKING.transcript[-1], status=EntryStatus.DONE)


@pytest.mark.parametrize(
    ("entry", "reading", "heard"),
    [
        (replace(ANSWER, role="user"), Reading(), None),
        (replace(ANSWER, audio_ms=0), Reading(), None),
        (ANSWER, Reading(), 0),
        (ANSWER, Reading(heard_item="other", heard_ms=5000), 0),
        (replace(ANSWER, done_at=1.0, heard_ms=7000), Reading(), len(ANSWER.text)),
        (replace(ANSWER, done_at=1.0, heard_ms=0.0), Reading(), 0),
    ],
)
def test_heard_characters(entry, reading, heard):
    assert heard_characters(entry, reading) == heard


def test_heard_characters_end_with_a_word_and_grow_with_the_sound():
    before = 0
    for ms in range(0, 7001, 50):
        heard = heard_characters(replace(ANSWER, done_at=1.0), Reading(heard_item="item_a2", heard_ms=ms))
        assert heard >= before
        assert heard in (0, len(ANSWER.text)) or ANSWER.text[heard - 1] == " "
        before = heard
    assert before == len(ANSWER.text)


def test_words_ahead_of_their_sound_are_not_taken_for_heard():
    entry = replace(ANSWER, audio_ms=200.0)
    heard = heard_characters(entry, Reading(heard_item="item_a2", heard_ms=200))
    assert heard < len(entry.text) / 10


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, "arguments"),
        ({"complete_at": 1.5}, "running"),
        ({"ended_at": 2.0, "ended": "failed"}, "failed"),
    ],
)
def test_the_state_of_a_call_is_behind_its_tool(changes, word):
    entry = Entry("item_c", "tool", 1.0, note="MCP server maps", call=Call("mcp", "route", **changes))
    lines = entry_lines(entry, None, Wrapping(60), origin=0.0, turn=None, scale=Scale(0.0))
    said = ["".join(text for text, _ in line) for line in lines]
    assert said[0].split() == ["▎", "0:01", "Tool", "route", word]
    assert any(entry.note in line for line in said)


@pytest.mark.parametrize(("width", "bar"), [(30, False), (40, False), (80, True)])
@pytest.mark.parametrize("number", [4, 148])
def test_the_reason_of_a_slow_answer_is_shown_however_narrow_the_pane(width, bar, number):
    turn = Turn(
        number,
        voiced_at=1.0,
        speech_stopped_at=1.5,
        created_at=1.5,
        first_text_at=4.6,
        first_audio_at=4.7,
        heard_at=4.8,
    )
    lines = entry_lines(ANSWER, None, Wrapping(width), origin=0.0, turn=turn, scale=Scale(4000.0))
    said = ["".join(text for text, _ in line) for line in lines][-1]
    assert re.search(rf"#{number} +3.80 s .*first words 3.10 s", said)
    assert ("▅▅▅" in said) is bar
    assert len(said.strip("▎ ")) <= width


@pytest.mark.parametrize(("words", "rows"), [("a", 1), ("word " * 8, 1), ("word " * 10, 2)])
def test_typed_stands_after_the_last_words_or_below_them(words: str, rows: int) -> None:
    entry = Entry("t", "user", 0.0, words, EntryStatus.DONE, typed=True)
    lines = entry_lines(entry, None, Wrapping(50), origin=0.0, turn=None, scale=Scale(1.0))
    assert len(lines) == rows
    assert "".join(text for text, _ in lines[-1]).rstrip().endswith("(typed)")
    assert all(sum(len(text) for text, _ in line) <= INDENT + 50 for line in lines)


@pytest.mark.parametrize("width", [30, 60])
def test_a_restored_session_and_an_interruption_are_thin_rules_whose_words_wrap(width: int) -> None:
    restored = "new session after 2.1 s: 5 turns restored (about 300 tokens); audio was not"
    entries = (
        Entry("remark-1", "session", 32.0, restored, EntryStatus.DONE),
        replace(ANSWER, status=EntryStatus.INTERRUPTED, heard_ms=4100.0, text="One."),
    )
    for entry in entries:
        lines = entry_lines(entry, None, Wrapping(width), origin=0.0, turn=None, scale=Scale())
        said = ["".join(text for text, _ in line) for line in lines]
        rule = said if entry.role == "session" else said[1:]
        assert {len(line) for line in (rule[-1], said[0]) if line.endswith("─")} == {INDENT + width}
        assert all(len(line) <= INDENT + width for line in said)
        words = " ".join(" ".join(rule).replace("─", " ").replace("▎", " ").split())
        assert words.removeprefix("0:32 ") in (restored, "interrupted: heard 4.10 of 7.00 s")
    assert rule[0].startswith("▎" + " " * (INDENT - 1) + "── interrupted")


def test_a_rule_that_just_fits_does_not_wrap() -> None:
    entry = replace(ANSWER, status=EntryStatus.INTERRUPTED, heard_ms=4100.0, text="One.")
    whole = "── interrupted: heard 4.10 of 7.00 s"
    for width, end in ((len(whole), ""), (len(whole) + 1, " "), (len(whole) + 3, " ──")):
        rule = entry_lines(entry, None, Wrapping(width), origin=0.0, turn=None, scale=Scale())[1]
        assert "".join(text for text, _ in rule).endswith(whole + end)


@pytest.mark.parametrize(("sent", "end"), [(None, "7.00 s"), (4100, "truncated"), (4000, "truncated at 4,000 ms")])
def test_an_interruption_names_the_place_of_the_truncation_where_it_is_another(sent: int | None, end: str) -> None:
    entry = replace(ANSWER, status=EntryStatus.INTERRUPTED, heard_ms=4100.4, truncated_ms=sent, text="One.")
    lines = entry_lines(entry, None, Wrapping(80), origin=0.0, turn=None, scale=Scale())
    assert "".join(text for text, _ in lines[-1]).replace("\xa0", " ").rstrip("─ ").endswith(end)
    for width in range(40, 80):  # the place stays in one line
        lines = entry_lines(entry, None, Wrapping(width), origin=0.0, turn=None, scale=Scale())
        assert sent != 4000 or "truncated\xa0at\xa04,000\xa0ms" in "".join(text for text, _ in lines[-1])
