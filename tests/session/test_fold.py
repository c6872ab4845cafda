"""Local inputs and their effects; any inputs in any order."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data import events
from tests.session.folding import CONNECTING, Fold, answer, ready, sent
from tests.wire.test_events import JSON
from voicelive_tui.session import effects, inputs, transcript
from voicelive_tui.session.fold import reduce
from voicelive_tui.session.state import Activity, SessionState, Stage
from voicelive_tui.session.transcript import EntryStatus

_CALL = {"id": "item_c", "name": "find", "call_id": "call_1", "server_label": "maps", "arguments": "{}", "output": "x"}
CALLS = [
    *(
        {"type": "response.output_item.done", "response_id": "resp_1", "item": {**_CALL, "type": kind, "error": error}}
        for kind in ("function_call", "function_call_output", "mcp_call", "mcp_approval_request")
        for error in (None, {"message": "m"})
    ),
    {"type": "response.mcp_call_arguments.delta", "item_id": "item_c", "delta": "{"},
    {"type": "response.mcp_call.completed", "item_id": "item_c"},
    {"type": "response.mcp_call.failed", "item_id": "item_c"},
    {"type": "mcp_list_tools.failed", "item_id": "item_m"},
]
ALL = [
    *events("native_turn"),
    *events("cascade_turn"),
    *answer(),
    *CALLS,
    {"type": "error", "error": {"message": "m"}},
]


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """A server event with any field missing, or of the wrong type; its own fields or those of an object in it."""
    event = json.loads(json.dumps(draw(st.sampled_from(ALL))))
    objects = [event, *(value for value in event.values() if isinstance(value, dict) and value)]
    hurt = draw(st.sampled_from(objects))
    for name in draw(st.sets(st.sampled_from(sorted(hurt)), max_size=3)):
        if draw(st.booleans()):
            del hurt[name]
        else:
            hurt[name] = draw(JSON)
    return event  # type: ignore[no-any-return]


LOCAL: st.SearchStrategy[inputs.Input] = st.sampled_from(
    [
        CONNECTING,
        inputs.Connected(),
        inputs.Disconnected(1006, "lost"),
        inputs.MutePressed(),
        inputs.TalkPressed(),
        inputs.InterruptPressed(),
        inputs.ResetPressed(),
        inputs.SessionEdited({"turn_detection": None, "temperature": 0.7}),
        inputs.TextTyped("hello"),
        inputs.ProblemsSeen(),
        inputs.VoicedUntil(1.0),
        inputs.PlaybackStarted("item_a", 1.0),
        inputs.PlaybackFinished("item_a", 100.0),
        inputs.PlaybackStopped("item_a", 50.0, 2.0),
        inputs.CaptureChanged(capturing=True),
        inputs.InputEnded(),
        inputs.LocalProblem("a task failed"),
        inputs.BadMessage("odd"),
        inputs.DeviceChanged("input", "", "unplugged"),
        inputs.ConnectFailed("refused"),
        inputs.LogRecord("debug", "a.library", "words"),
        inputs.Sent({"type": "response.create"}),
    ]
)


@settings(max_examples=300)
@given(st.lists(damaged() | st.sampled_from(ALL) | LOCAL, max_size=40))
def test_any_inputs_in_any_order_are_survived(sequence: list[Any]) -> None:
    fold = Fold()
    for event in sequence:
        wanted = fold.feed(event)
        ids = [entry.item_id for entry in fold.state.transcript]
        assert len(ids) == len(set(ids))
        for effect in wanted:
            if isinstance(effect, effects.Send) and effect.event["type"] == "conversation.item.truncate":
                entry = fold.state.entry(effect.event["item_id"])
                assert entry is not None
                assert 0 <= effect.event["audio_end_ms"] <= entry.audio_ms  # the service refuses more than there is
    assert fold.state.log.next_seq >= sum(1 for event in sequence if isinstance(event, dict))


def test_the_same_arguments_give_the_same_result_and_leave_the_old_state_alone() -> None:
    fold = ready()
    before, rows = fold.state, list(fold.state.log.since(0))
    first = reduce(inputs.TextTyped("x"), before, 5.0)
    second = reduce(inputs.TextTyped("x"), before, 5.0)
    assert first[1] == second[1]
    assert first[0].turns == second[0].turns
    assert list(before.log.since(0)) == rows


def test_an_unknown_input_is_a_programming_error() -> None:
    with pytest.raises(TypeError, match="not an input: str"):
        reduce("hello", SessionState(), 0.0)  # type: ignore[arg-type]


def test_a_reset_keeps_what_was_said_above_a_line_and_the_totals() -> None:
    fold = ready()
    fold.feed(*answer(), inputs.MutePressed())
    rows, before = len(fold.state.log), fold.state
    fold.feed(CONNECTING)
    said, line = fold.state.transcript
    assert said == before.transcript[0]
    assert (line.role, line.text) == ("session", "new session: the model knows nothing of what is above")
    assert fold.state.counts == before.counts
    assert fold.state.turns == before.turns
    assert fold.state.fresh_at == line.at
    assert fold.state.microphone.muted
    assert fold.state.input.description == "a microphone"
    assert len(fold.state.log) == rows + 1


def test_push_to_talk_sends_only_during_a_turn_and_asks_at_its_end() -> None:
    fold = ready(type=None)
    assert not fold.state.microphone.sending
    began = fold.feed(inputs.TalkPressed())
    assert began[-1] == effects.BeginTalk(fold.now - 0.3)  # a pre-roll, for the first syllable
    assert fold.state.microphone.sending
    assert fold.state.activity is Activity.LISTENING
    fold.now += 1
    wanted = fold.feed(inputs.TalkPressed())
    assert wanted[0] == effects.EndTalk()  # the rest of the turn's sound goes first
    assert sent(wanted) == ["input_audio_buffer.commit", "response.create"]
    assert not fold.state.microphone.sending
    fold.feed({"type": "input_audio_buffer.committed", "item_id": "item_u", "previous_item_id": None})
    turn = fold.state.turn
    assert turn is not None
    assert (turn.began_by, turn.item_id) == ("talk", "item_u")


def test_a_push_to_talk_turn_too_short_for_the_service_is_discarded() -> None:
    fold = ready(type=None)
    fold.feed(inputs.TalkPressed())
    wanted = fold.feed(inputs.TalkPressed())
    assert wanted[0] == effects.DropTalk()  # what was captured is thrown away
    assert sent(wanted) == ["input_audio_buffer.clear"]
    assert "too short" in fold.state.log.tail[-1].text
    assert (fold.state.activity, fold.state.microphone.talking) == (Activity.READY, False)


def test_a_silent_push_to_talk_turn_is_not_measured_from_earlier_speech() -> None:
    fold = ready(type=None)
    heard_before = fold.now
    fold.feed(inputs.TalkPressed(), inputs.VoicedUntil(heard_before))
    assert fold.state.turn is not None
    assert fold.state.turn.voiced_at is None
    fold.feed(inputs.VoicedUntil(fold.now))
    assert fold.state.turn.voiced_at == pytest.approx(fold.now - 0.010)


def test_talking_over_an_answer_cancels_it_first() -> None:
    fold = ready(type=None)
    fold.feed(*answer())
    wanted = fold.feed(inputs.TalkPressed())
    assert wanted[0] == effects.StopPlayback()
    assert sent(wanted) == ["response.cancel"]


def test_a_key_that_can_do_nothing_now_has_no_effect_and_a_reason() -> None:
    for event in (inputs.TalkPressed(), inputs.TextTyped("x")):
        fold = Fold()
        assert fold.feed(event) == []
        assert fold.state.log.tail[-1].text == "not connected: reset for a new session"
    fold = ready()
    assert fold.feed(inputs.TalkPressed()) == []
    assert "switch to push-to-talk" in fold.state.log.tail[-1].text


def test_a_lost_connection_has_a_reason_and_a_close_of_our_own_has_none() -> None:
    fold = ready()
    fold.feed(inputs.Disconnected(1006, "the connection was lost"))
    connection = fold.state.connection
    assert (connection.stage, connection.close_code) == (Stage.CLOSED, 1006)
    assert not fold.state.microphone.capturing
    fold = ready()
    fold.feed(inputs.Disconnected(1000, ""))
    assert fold.state.connection.problem == ""
    fold = ready()
    fold.feed(inputs.Disconnected(1000, "it ended"))
    assert fold.state.log.tail[-1].severity == "info"


def test_audio_received_before_the_connection_was_lost_is_played_to_its_end() -> None:
    fold = ready()
    fold.feed(*answer(), inputs.PlaybackStarted("item_a", fold.now))
    assert effects.FinishItem("item_a") in fold.feed(inputs.Disconnected(1006, "the connection was lost"))


@pytest.mark.parametrize(
    ("end", "status", "note"),
    [
        (inputs.Disconnected(1011, "internal error"), EntryStatus.FAILED, "the connection ended before the rest"),
        (inputs.Disconnected(1000, ""), EntryStatus.FAILED, "the connection ended before the rest"),
    ],
)
def test_an_answer_ended_by_the_connection_says_so(end, status: EntryStatus, note: str) -> None:
    fold = ready()
    fold.feed(*[event for event in answer() if event["type"] != "response.done"], end)
    assert (fold.state.transcript[-1].status, fold.state.transcript[-1].note) == (status, note)


def test_rows_of_client_events_have_byte_counts_in_place_of_audio() -> None:
    fold = ready()
    fold.feed(inputs.Sent({"type": "input_audio_buffer.append", "audio": "AAAA" * 480}))
    (row,) = fold.state.log.since(fold.state.log.next_seq - 1)
    assert (row.direction, row.type, row.size) == ("out", "input_audio_buffer.append", 1440)
    assert json.loads(row.text) == {"type": "input_audio_buffer.append", "audio": {"bytes": 1440}}
    assert fold.state.counts.audio_out_ms == 30


def test_the_count_of_errors_matches_the_log_and_a_bad_message_stays_pinned() -> None:
    fold = ready()
    fold.feed(inputs.BadMessage("no JSON"), {"type": "error", "error": {"message": "Oh.", "code": "oh"}})
    fold.feed({"type": "response.done", "response": {"id": "resp_1", "status": "failed"}})
    fold.feed(inputs.Disconnected(1011, "the connection ended (code 1011)"))
    rows = [row.type for row in fold.state.log.since(0) if row.severity == "error"]
    assert rows == ["(unreadable)", "error", "response.done", "disconnected"]
    assert fold.state.counts.errors == len(rows)
    assert fold.state.problems[0].text == "no JSON"
    bad = fold.state.log.row(fold.state.problems[0].seq)
    assert bad is not None
    assert bad.type == "(unreadable)"


def test_evicted_entries_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "LIMIT", 20)
    fold = ready()
    for number in range(23):
        fold.feed({"type": "input_audio_buffer.committed", "item_id": f"item_{number}"})
        item = {"id": f"item_{number}", "type": "message", "role": "user", "content": []}
        fold.feed({"type": "conversation.item.created", "item": item})
    kept = [entry.item_id for entry in fold.state.transcript]
    assert fold.state.left_out == 4  # a tenth of 21, twice
    assert kept == [f"item_{number}" for number in range(4, 23)]


def test_without_a_connection_no_speech_and_no_answer_is_awaited() -> None:
    fold = ready()
    fold.feed({"type": "input_audio_buffer.speech_started", "item_id": "item_u"})
    assert fold.state.activity is Activity.LISTENING
    fold.feed(inputs.Disconnected(1006, "the connection was lost"))
    assert fold.state.activity is Activity.READY
    entry = fold.state.entry("item_u")
    assert entry is not None
    assert (entry.status, entry.note) == (EntryStatus.FAILED, "the connection ended before the rest")


@pytest.mark.parametrize("end", [inputs.InterruptPressed(), {"type": "error", "error": {"message": "no model"}}])
def test_an_answer_that_will_not_come_is_not_awaited(end: Any) -> None:
    fold = ready()
    fold.feed({"type": "input_audio_buffer.speech_started", "item_id": "item_u"})
    fold.feed({"type": "input_audio_buffer.speech_stopped", "item_id": "item_u"})
    assert fold.state.activity is Activity.THINKING
    fold.feed(end)
    assert fold.state.activity is Activity.READY


def test_a_refused_key_has_a_row_with_its_reason() -> None:
    fold = Fold()
    fold.feed(inputs.TextTyped("hello"), inputs.TalkPressed())
    rows = list(fold.state.log.since(0))
    assert [(row.direction, row.severity) for row in rows] == [("local", "warning")] * 2
    assert all(row.text.startswith("not connected") for row in rows)


def test_a_message_of_a_megabyte_is_shortened_and_its_row_keeps_head_tail_and_length() -> None:
    fold = ready()
    fold.feed({"type": "error", "error": {"message": "x" * 1_000_000, "code": "y" * 1_000_000}})
    assert len(fold.state.problems[-1].text) < 1_200
    row = fold.state.log.row(fold.state.log.next_seq - 1)
    assert row is not None
    assert len(row.text) < 201_000
    assert row.text.startswith('{"type": "error"')
    assert row.text.endswith('y"}}')
    assert " of 2,000,0" in row.text
