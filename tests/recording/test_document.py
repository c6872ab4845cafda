"""Documents of a conversation, from a state that is known."""

import csv
import io
import itertools
import json
import tomllib

import pytest
from msgspec.structs import replace

from voicelive_tui.recording.document import DOCUMENTS, cues, latencies
from voicelive_tui.session.latency import Turn
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.transcript import Entry, EntryStatus
from voicelive_tui.wire.log import EventLog

ORIGIN = 1_000.0


def a_state(words: str = "It is sunny, and it will stay so.") -> SessionState:
    log = EventLog().append(ORIGIN, "local", "connecting", "")
    return SessionState(
        log=log,
        in_force={"model": "gpt-realtime", "voice": "alloy"},
        transcript=(
            Entry("i1", "user", ORIGIN + 3, text="How is the weather?", status=EntryStatus.DONE),
            Entry("i2", "assistant", ORIGIN + 4, text=words, status=EntryStatus.INTERRUPTED, response_id="r1",
                  audio_ms=4_000, audio_done=True, heard_ms=2_000, done_at=ORIGIN + 5),
        ),
        turns=(
            Turn(1, item_id="i1", response_id="r1", speech_started_at=ORIGIN + 1, voiced_at=ORIGIN + 2,
                 speech_stopped_at=ORIGIN + 2.5, committed_at=ORIGIN + 2.6, created_at=ORIGIN + 2.7,
                 first_audio_at=ORIGIN + 3, heard_at=ORIGIN + 3.1, interrupted_at=ORIGIN + 5.1, unheard_ms=2_000.0),
        ),
    )  # fmt: skip


def test_subtitles_tell_what_was_said_and_heard_when_it_was() -> None:
    user, assistant = cues(a_state())
    assert (user.start, user.end, user.text) == (1.0, 2.5, "How is the weather?")
    assert (round(assistant.start, 3), round(assistant.end, 3)) == (3.1, 5.1)
    assert assistant.text == "It is sunny, and"
    srt = DOCUMENTS["srt"](a_state()).split("\n")
    assert srt[:3] == ["1", "00:00:01,000 --> 00:00:02,500", "User: How is the weather?"]
    vtt = DOCUMENTS["vtt"](a_state()).split("\n")
    assert vtt[:4] == ["WEBVTT", "", "00:00:01.000 --> 00:00:02.500", "<v User>How is the weather?"]


def test_long_words_become_several_subtitles_without_a_gap() -> None:
    long = SessionState(
        log=EventLog().append(ORIGIN, "local", "connecting", ""),
        transcript=(Entry("i1", "user", ORIGIN + 3661.5, text="word " * 100, status=EntryStatus.DONE),),
    )
    found = cues(long)
    assert len(found) == 6
    assert all(after.start == before.end for before, after in itertools.pairwise(found))
    assert "01:01:01,500 --> " in DOCUMENTS["srt"](long)


def test_markdown_strikes_out_what_was_not_heard_and_shows_foreign_text_as_it_is() -> None:
    assert "It is sunny, and ~~it will stay so.~~ *(interrupted)*" in DOCUMENTS["md"](a_state())
    hostile = DOCUMENTS["md"](a_state("<b>![x](http://x)</b>\x1b[31m"))
    assert "\x1b" not in hostile
    assert "<b>" not in hostile.replace("\\<b\\>", "")


def test_latencies_are_the_same_in_every_form() -> None:
    (row,) = latencies(a_state())
    assert (row["turn"], row["delay_ms"], row["end_of_speech_ms"], row["interrupted"]) == (1, 1100.0, 600.0, True)
    assert json.loads(DOCUMENTS["latency-json"](a_state())) == [row]
    (read,) = csv.DictReader(io.StringIO(DOCUMENTS["latency-csv"](a_state())))
    assert {name: str("" if value is None else value) for name, value in row.items()} == read


def test_the_conversation_as_json_counts_seconds_from_its_beginning() -> None:
    state = a_state()
    usage = state.usage.add("r", "gpt-realtime", {"total_tokens": 7, "input_token_details": {"cached_tokens": 2}})
    document = json.loads(DOCUMENTS["json"](replace(state, usage=usage)))
    assert [entry["at"] for entry in document["transcript"]] == [3.0, 4.0]
    assert document["turns"][0]["heard_at"] == 3.1
    assert not {"settled", "follows", "behind"} & document["transcript"][0].keys()
    assert document["session"]["voice"] == "alloy"
    (tokens,) = (record["tokens"] for record in document["usage"])
    assert (tokens["total"], tokens["cached"], tokens["output"]) == (7, 2, 0)


def test_the_session_as_code() -> None:
    assert tomllib.loads(DOCUMENTS["session-toml"](a_state()))["session"]["model"] == "gpt-realtime"
    assert json.loads(DOCUMENTS["session-json"](a_state()))["type"] == "session.update"
    compile(DOCUMENTS["session-python"](a_state()), "session.py", "exec")


@pytest.mark.parametrize("form", DOCUMENTS)
def test_an_empty_conversation_is_a_document_too(form: str) -> None:
    assert isinstance(DOCUMENTS[form](SessionState()), str)
