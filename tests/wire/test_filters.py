import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.wire import filters
from voicelive_tui.wire.log import EventLog, LogRow

DONE = LogRow(0, 1.0, "in", "response.done", "info", "", "resp_12", 0, '{"type":"response.done","status":"completed"}')
ERROR = LogRow(1, 1.0, "in", "error", "error", "", "", 0, '{"error":{"message":"two words"}}')
APPEND = LogRow(2, 1.0, "out", "input_audio_buffer.append", "info", "", "", 640, "{}")
STARTED = LogRow(3, 1.0, "in", "input_audio_buffer.speech_started", "info", "item_7", "", 0, "{}")
RECORD = LogRow(4, 1.0, "log", "azure.core", "warning", "", "", 0, "careful")
ROWS = (DONE, ERROR, APPEND, STARTED, RECORD)


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("", ROWS),
        ("   ", ROWS),
        ("done", (DONE,)),
        ("COMPLETED", (DONE,)),
        ("input_audio", (APPEND, STARTED)),
        ("!input_audio", (DONE, ERROR, RECORD)),
        ("/speech_(started|stopped)/", (STARTED,)),
        ("!/^(input|response)/", (ERROR, RECORD)),
        ("/STATUS\":\"comp/", (DONE,)),
        ('"two words"', (ERROR,)),
        ('!"two words" dir:in', (DONE, STARTED)),
        ("dir:out", (APPEND,)),
        ("dir:log", (RECORD,)),
        ("is:error", (ERROR,)),
        ("is:warning", (ERROR, RECORD)),
        ("!is:warning input", (APPEND, STARTED)),
        ("type:buffer dir:in", (STARTED,)),
        ("item:item_7", (STARTED,)),
        ("item:7", (STARTED,)),
        ("response:12", (DONE,)),
        ("resp_12", (DONE,)),
        ("/speech_(st|x)", (STARTED,)),
        ("item:", (STARTED,)),
        ("http://nowhere", ()),
        ('"tipe:done"', ()),
        ('wo"rd', ()),
    ],
)  # fmt: skip
def test_grammar(text, chosen):
    choose = filters.parse(text)
    assert tuple(row for row in ROWS if choose(row)) == chosen


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/(/", "not a regular expression"),
        ("done /(", "not a regular expression"),
        ("dir:up", "dir: takes"),
        ("is:bad", "is: takes"),
        ("tipe:done", 'did you mean type:done, or "tipe:done"?'),
        ("!Response:12", "did you mean response:12"),
        ("done gap>1", "did you mean gap:>1"),
        ("time<1:20", "did you mean time:<1:20"),
    ],
)
def test_an_invalid_filter_has_a_reason(text, told):
    with pytest.raises(ValueError, match=told):
        filters.parse(text)


@given(st.text())
def test_any_text_is_a_filter_or_has_a_reason(text):
    with contextlib.suppress(ValueError):
        choose = filters.parse(text)
        assert all(choose(row) in (True, False) for row in ROWS)


@given(st.text(alphabet=st.characters(codec="ascii", categories=("L", "N")), min_size=1))
def test_inverse_is_the_complement(word):
    choose, inverse = filters.parse(word), filters.parse("!" + word)
    assert all(choose(row) is not inverse(row) for row in ROWS)


@pytest.mark.parametrize("words", ["größe", "為什麼", "👍"])
@pytest.mark.parametrize("pattern", ["{}", "/{}/"])
def test_words_are_found_in_escaped_json(words, pattern):
    escaped = LogRow(0, 1.0, "in", "response.text.done", "info", "", "", 0, json.dumps({"text": f"Die {words} ist"}))
    assert filters.parse(pattern.format(words))(escaped)


def test_a_filter_by_type_sees_the_type_as_it_came():
    row = LogRow(0, 1.0, "in", "response.output_audio.delta", "info", "", "", 0, "{}")
    assert filters.parse("type:output_audio")(row)
    assert not filters.parse("type:response.audio")(row)


def test_gaps_are_measured_between_rows_without_audio_whatever_other_terms_refuse():
    log = EventLog()
    for at, kind, size in ((0.0, "a", 0), (0.2, "audio", 90), (0.9, "b", 0), (1.0, "c", 0), (3.0, "d", 0)):
        log = log.append(100 + at, "in", kind, "{}", size=size)

    def chosen(text):
        choose = filters.parse(text, lambda: log.origin)
        found = ["".join(row.type for row in log.since(0) if choose(row)) for _ in range(2)]
        assert found[0] == found[1]  # rows are asked about again when they leave the log
        return found[0]

    assert chosen("gap:>0.5") == "bd"
    assert chosen("gap:<0.5") == "c"
    assert chosen("gap:0.05-1") == "bc"
    assert chosen("!type:a gap:>0.5") == "bd"
    assert chosen("time:>0:00.95") == "cd"
    assert chosen("time:0.9-1") == "bc"


def test_rows_from_before_the_first_session_have_its_time():
    row = LogRow(0, 97.0, "local", "connecting", "info", "", "", 0, "connecting")
    assert filters.parse("time:0-5", lambda: 100.0)(row)
    assert not filters.parse("time:>0.001", lambda: 100.0)(row)


@pytest.mark.parametrize("text", ["gap:", "gap:1", "gap:x", "gap:>1-2", "time:1:", "time:>", "time:-1", "time:>1:2:3"])
def test_a_wrong_span_of_time_gets_a_hint(text):
    with pytest.raises(ValueError, match="in seconds or m:ss, not"):
        filters.parse(text)
