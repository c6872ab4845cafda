"""What each server event means for the state, and its effects."""

import json

import pytest
from msgspec.structs import replace

from tests.data import events
from tests.session.folding import CONNECTING, Fold, answer, ready
from voicelive_tui.session import effects, inputs
from voicelive_tui.session.state import Activity, SessionState
from voicelive_tui.session.transcript import EntryStatus


def conversation(state: SessionState) -> list[tuple[str, str, EntryStatus]]:
    return [(entry.role, entry.text, entry.status) for entry in state.transcript]


@pytest.mark.parametrize("manner", ["native_turn", "cascade_turn"])
def test_native_and_cascade_models_fold_to_the_same_conversation(manner: str) -> None:
    fold = Fold(CONNECTING, inputs.Connected(), *events(manner))
    assert conversation(fold.state) == [
        ("user", "What is the largest lake?", EntryStatus.DONE),
        ("assistant", "It is Lake Superior.", EntryStatus.DONE),
    ]
    user, assistant = fold.state.transcript
    assert (user.follows, assistant.follows) == ("", user.item_id)
    assert [type(effect) for effect in fold.effects if isinstance(effect, effects.Play | effects.FinishItem)] == [
        effects.Play,
        effects.Play,
        effects.FinishItem,
    ]
    assert fold.state.usage.sums.total == 143
    assert fold.state.turn_count == 1
    assert len(fold.state.log) == len(events(manner)) + 2  # connecting, connected
    assert fold.state.connection.expires_at == 1790000000


def test_the_conversation_of_an_agent_is_remembered_wherever_its_id_is_reported() -> None:
    """The sequence of Microsoft's agent sample: greeting by a system item and a response.create."""
    session = {"id": "sess_1", "agent": {"type": "agent", "name": "clerk", "agent_id": "a", "thread_id": "conv_1"}}
    hint = {"id": "item_s", "type": "message", "role": "system", "content": [{"type": "input_text", "text": "Greet."}]}
    fold = Fold(replace(CONNECTING, agent="clerk", model=""), inputs.Connected())
    fold.feed({"type": "session.created", "session": session})
    assert fold.state.conversation_id == "conv_1"
    fold.feed({"type": "session.updated", "session": session}, {"type": "conversation.item.created", "item": hint})
    fold.feed(*answer(done=True))
    assert (fold.state.transcript[0].role, fold.state.transcript[0].text) == ("system", "Greet.")
    fold.feed({"type": "session.updated", "session": {"conversation_id": "conv_2"}})
    assert fold.state.conversation_id == "conv_2"
    fold.feed({"type": "response.created", "response": {"id": "resp_2", "conversation_id": "conv_3"}})
    assert fold.state.conversation_id == "conv_3"
    model = ready()
    model.feed({"type": "response.created", "response": {"id": "resp_1", "conversation_id": "conv_4"}})
    assert model.state.conversation_id == "", "a model's session cannot be continued by that"


def test_the_activity_follows_the_turn() -> None:
    fold = ready()
    item = {"item_id": "item_u"}
    seen = []
    for step in (
        {"type": "input_audio_buffer.speech_started", **item},
        {"type": "input_audio_buffer.speech_stopped", **item},
        {"type": "input_audio_buffer.committed", **item},
        *answer(done=True),
        inputs.PlaybackStarted("item_a", fold.now),
        inputs.PlaybackFinished("item_a", 1000.0),
    ):
        fold.feed(step)
        if not seen or seen[-1] is not fold.state.activity:
            seen.append(fold.state.activity)
    assert seen == [Activity.LISTENING, Activity.THINKING, Activity.SPEAKING, Activity.READY]


def test_a_transcript_of_an_unknown_item_is_placed_later() -> None:
    fold = ready()
    completed = "conversation.item.input_audio_transcription.completed"
    fold.feed(*answer("item_a", "resp_1", done=True))
    fold.feed({"type": completed, "item_id": "item_u", "transcript": "late words"})
    assert [entry.item_id for entry in fold.state.transcript] == ["item_a", "item_u"]
    user = {"id": "item_u", "type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": None}]}
    assistant = {"id": "item_a", "type": "message", "role": "assistant", "content": []}
    fold.feed(
        {"type": "conversation.item.created", "previous_item_id": None, "item": user},
        {"type": "conversation.item.created", "previous_item_id": "item_u", "item": assistant},
    )
    assert [(entry.item_id, entry.text) for entry in fold.state.transcript] == [
        ("item_u", "late words"),
        ("item_a", "one two three four"),
    ]


def test_a_failed_transcription_is_shown_with_its_reason() -> None:
    fold = ready()
    failed = "conversation.item.input_audio_transcription.failed"
    fold.feed({"type": failed, "item_id": "item_u", "error": {"message": "no words"}})
    entry = fold.state.entry("item_u")
    assert entry is not None
    assert (entry.status, entry.note) == (EntryStatus.FAILED, "transcription failed: no words")


def test_the_answer_after_a_tool_call_belongs_to_the_same_turn() -> None:
    fold = ready()
    fold.feed(
        {"type": "input_audio_buffer.speech_started", "item_id": "item_u", "audio_start_ms": 0},
        {"type": "input_audio_buffer.speech_stopped", "item_id": "item_u", "audio_end_ms": 900},
        {"type": "input_audio_buffer.committed", "item_id": "item_u"},
        {"type": "response.created", "response": {"id": "resp_1"}},
        {
            "type": "response.output_item.added",
            "response_id": "resp_1",
            "item": {"id": "item_c", "type": "function_call", "name": "get_weather", "call_id": "call_1"},
        },
        {"type": "response.done", "response": {"id": "resp_1", "status": "completed"}},
        {"type": "response.created", "response": {"id": "resp_2"}},
    )
    (turn,) = fold.state.turns
    assert (turn.response_id, turn.done_at) == ("resp_2", None)
    assert turn.ended_speaking_at is not None
    fold.feed(
        {"type": "response.done", "response": {"id": "resp_2", "status": "completed"}},
        {"type": "response.created", "response": {"id": "resp_3"}},
    )
    assert [turn.began_by for turn in fold.state.turns] == ["speech", "service"]


@pytest.mark.parametrize(("modalities", "heard_ms"), [(["text", "audio"], 0.0), (["text"], None)])
def test_words_of_a_cancelled_answer_without_audio_count_as_unheard_in_spoken_sessions(
    modalities: list[str], heard_ms: float | None
) -> None:
    fold = ready()
    fold.state = replace(fold.state, in_force={**fold.state.in_force, "modalities": modalities})
    fold.feed(
        {"type": "response.created", "response": {"id": "resp_1"}},
        {"type": "response.audio_transcript.delta", "response_id": "resp_1", "item_id": "item_a", "delta": "It is"},
        {"type": "response.done", "response": {"id": "resp_1", "status": "cancelled"}},
    )
    (entry,) = fold.state.transcript
    assert (entry.status, entry.heard_ms) == (EntryStatus.INTERRUPTED, heard_ms)


@pytest.mark.parametrize(
    ("response", "status", "note"),
    [
        ({"status": "completed"}, EntryStatus.DONE, ""),
        ({"status": "cancelled", "status_details": {"reason": "turn_detected"}}, EntryStatus.INTERRUPTED, ""),
        (
            {"status": "incomplete", "status_details": {"reason": "max_output_tokens"}},
            EntryStatus.FAILED,
            "incomplete: max_output_tokens",
        ),
        (
            {"status": "failed", "status_details": {"error": {"message": "boom", "code": "x"}}},
            EntryStatus.FAILED,
            "failed: boom (code x)",
        ),
    ],
)
def test_an_entry_has_the_outcome_of_its_response(response: dict[str, object], status: EntryStatus, note: str) -> None:
    fold = ready()
    fold.feed(*answer(), {"type": "response.done", "response": {"id": "resp_1", **response}})
    entry = fold.state.entry("item_a")
    assert entry is not None
    assert (entry.status, entry.note) == (status, note)
    assert fold.state.response == ""


def test_every_item_of_a_finished_response_is_finished_once() -> None:
    fold = ready()
    fold.feed(*answer())
    done = {"type": "response.done", "response": {"id": "resp_1", "status": "cancelled"}}
    assert effects.FinishItem("item_a") in fold.feed(done)
    assert effects.FinishItem("item_a") not in fold.feed(done)


@pytest.mark.parametrize("delta", ["A", "!!!!", "", None, 7, "AAAA\n"])
def test_unreadable_audio_is_counted_and_skipped(delta: object) -> None:
    fold = ready()
    fold.feed(*answer())
    bad = {"type": "response.audio.delta", "response_id": "resp_1", "item_id": "item_a", "delta": delta}
    wanted = fold.feed(bad)
    assert not [effect for effect in wanted if isinstance(effect, effects.Play)]
    assert fold.state.counts.bad_messages == 1


def test_unknown_events_get_a_row_and_change_nothing_else() -> None:
    fold = ready()
    before = fold.state
    fold.feed({"type": "rate_limits.updated", "rate_limits": []}, {"no": "type"})
    assert [row.type for row in fold.state.log.since(before.log.next_seq)] == ["rate_limits.updated", "(no type)"]
    assert fold.state.transcript is before.transcript


def test_deleted_items_leave_the_transcript() -> None:
    fold = ready()
    fold.feed(*answer(), {"type": "conversation.item.deleted", "item_id": "item_a"})
    assert fold.state.transcript == ()


def test_a_response_that_is_done_twice_counts_once() -> None:
    fold = ready()
    failed = {"id": "resp_1", "status": "failed", "usage": {"total_tokens": 10, "input_tokens": 4, "output_tokens": 6}}
    fold.feed(*answer(), *[{"type": "response.done", "response": failed}] * 2)
    assert (fold.state.usage.responses, fold.state.usage.sums.total) == (1, 10)
    assert [problem.text for problem in fold.state.problems] == ["the response failed: no reason given"]


def test_half_a_sample_is_not_awaited_at_the_speaker() -> None:
    fold = ready()
    fold.feed(*answer()[:-1])
    half = {"type": "response.audio.delta", "response_id": "resp_1", "item_id": "item_a", "delta": "AA=="}
    fold.feed(half, {"type": "response.done", "response": {"id": "resp_1", "status": "completed"}})
    assert fold.state.activity is Activity.READY


def said(state: SessionState, item_id: str) -> tuple[str, EntryStatus, str]:
    entry = state.entry(item_id)
    assert entry is not None
    return entry.text, entry.status, entry.note


USER_DELTA = "conversation.item.input_audio_transcription.delta"
USER_DONE = "conversation.item.input_audio_transcription.completed"


def test_words_of_the_user_that_are_complete_change_only_by_new_complete_words() -> None:
    fold = ready()
    fold.feed(
        {"type": USER_DELTA, "item_id": "item_u", "delta": "Hello"},
        {"type": USER_DONE, "item_id": "item_u", "transcript": "Hello there."},
        {"type": USER_DELTA, "item_id": "item_u", "delta": " there"},
        {"type": USER_DONE, "item_id": "item_u", "transcript": ""},  # sent when the next audio is committed
    )
    assert said(fold.state, "item_u") == ("Hello there.", EntryStatus.DONE, "")
    fold.feed({"type": USER_DONE, "item_id": "item_u", "transcript": "Hello, there!"})
    assert said(fold.state, "item_u") == ("Hello, there!", EntryStatus.DONE, "")


def test_deltas_after_the_words_are_complete_do_not_double_them_and_further_parts_are_added() -> None:
    fold = ready()
    ids = {"response_id": "resp_1", "item_id": "item_a"}
    words = "response.audio_transcript"
    fold.feed(
        {"type": "response.created", "response": {"id": "resp_1"}},
        {"type": f"{words}.delta", **ids, "content_index": 0, "delta": "One."},
        {"type": f"{words}.done", **ids, "content_index": 0, "transcript": "One."},
        {"type": f"{words}.delta", **ids, "content_index": 0, "delta": "One."},
        {"type": f"{words}.delta", **ids, "content_index": 1, "delta": " Tw"},
        {"type": f"{words}.done", **ids, "content_index": 1, "transcript": " Two."},
    )
    assert said(fold.state, "item_a") == ("One. Two.", EntryStatus.PARTIAL, "")
    fold.feed({"type": "response.done", "response": {"id": "resp_1", "status": "completed"}})
    fold.feed({"type": f"{words}.delta", **ids, "content_index": 2, "delta": "late"})
    assert said(fold.state, "item_a") == ("One. Two.", EntryStatus.DONE, "")


@pytest.mark.parametrize("transcription", [None, {"model": "whisper-1"}])
def test_a_turn_is_complete_at_its_commit_where_nothing_will_transcribe_it(transcription: object) -> None:
    fold = ready()
    fold.state = replace(fold.state, in_force={**fold.state.in_force, "input_audio_transcription": transcription})
    fold.feed(
        {"type": "input_audio_buffer.speech_started", "item_id": "item_u"},
        {"type": "input_audio_buffer.committed", "item_id": "item_u"},
    )
    expected = ("", EntryStatus.PARTIAL, "") if transcription else ("", EntryStatus.DONE, "not transcribed")
    assert said(fold.state, "item_u") == expected
    fold.feed({"type": USER_DONE, "item_id": "item_u", "transcript": "After all."})
    assert said(fold.state, "item_u") == ("After all.", EntryStatus.DONE, "")


@pytest.mark.parametrize(
    ("response", "status", "note", "severity"),
    [
        ({"status": "completed"}, EntryStatus.DONE, "the response has no output", "info"),
        ({"status": "cancelled"}, EntryStatus.INTERRUPTED, "interrupted before its first word", "info"),
        (
            {"status": "incomplete", "status_details": {"reason": "content_filter"}},
            EntryStatus.FAILED,
            "incomplete: content_filter",
            "warning",
        ),
        ({"status": "failed"}, EntryStatus.FAILED, "failed", "error"),
        ({}, EntryStatus.FAILED, "the response ended without a status", "info"),
    ],
)
def test_a_response_that_ends_without_words_leaves_a_line_that_says_why(
    response: dict[str, object], status: EntryStatus, note: str, severity: str
) -> None:
    fold = ready()
    fold.feed({"type": "response.created", "response": {"id": "resp_1"}})
    fold.feed({"type": "response.done", "response": {"id": "resp_1", **response}})
    assert said(fold.state, "resp_1") == ("", status, note)
    assert fold.state.log.tail[-1].severity == severity
    assert [problem.severity for problem in fold.state.problems] == ([severity] if severity != "info" else [])


@pytest.mark.parametrize(
    ("role", "status", "expected"),
    [
        ("assistant", "completed", EntryStatus.DONE),
        ("assistant", "incomplete", EntryStatus.INTERRUPTED),
        ("system", "completed", EntryStatus.DONE),
        ("user", "completed", EntryStatus.DONE),
    ],
)
def test_seeded_items_are_complete_as_they_come(role: str, status: str, expected: EntryStatus) -> None:
    fold = ready()
    part = {"type": "text", "text": "from before"}
    item = {"id": "item_s", "type": "message", "role": role, "status": status, "content": [part]}
    fold.feed({"type": "conversation.item.created", "item": item})
    assert said(fold.state, "item_s") == ("from before", expected, "")


def test_sound_that_is_not_base64_is_a_row_with_a_severity_that_keeps_what_came() -> None:
    fold = ready()
    fold.feed(*answer())
    bad = {"type": "response.audio.delta", "response_id": "resp_1", "item_id": "item_a", "delta": "!!!!"}
    raw = json.dumps(bad)
    fold.feed(inputs.Received(bad, raw))
    row = fold.state.log.tail[-1]
    assert (row.severity, row.text) == ("warning", raw)
    assert fold.state.problems[-1].seq == row.seq


def test_a_message_that_is_not_an_event_is_a_row_with_its_raw_text() -> None:
    fold = ready()
    fold.feed(inputs.BadMessage("a message arrived that is not an event", "{oops"))
    row = fold.state.log.tail[-1]
    assert (row.direction, row.severity, row.text) == ("in", "error", "{oops")
    assert (fold.state.counts.errors, fold.state.problems[-1].seq) == (1, row.seq)


def test_a_turn_of_a_model_without_responses_has_its_moments() -> None:
    fold = ready()
    ids = {"item_id": "item_a", "content_index": 0}
    fold.feed(
        {"type": "input_audio_buffer.speech_started", "item_id": "item_u"},
        {"type": "input_audio_buffer.speech_stopped", "item_id": "item_u"},
        {"type": "input_audio_buffer.committed", "item_id": "item_u"},
    )
    assert fold.state.activity is Activity.THINKING
    fold.feed(
        {"type": "response.output_audio_transcript.delta", **ids, "delta": "Yes"},
        {"type": "response.output_audio.delta", **ids, "delta": "AAAA"},
        inputs.PlaybackStarted("item_a", fold.now),
    )
    (turn,) = fold.state.turns
    assert turn.response_id == ""
    assert None not in (turn.first_text_at, turn.first_audio_at, turn.heard_at, turn.latency)
    assert fold.state.activity is Activity.SPEAKING
    assert effects.StopPlayback() in fold.feed({"type": "input_audio_buffer.speech_started", "item_id": "item_v"})
    assert fold.state.counts.interruptions == 1


def test_a_turn_in_the_names_of_the_openai_family_folds_to_the_same_conversation() -> None:
    names = {
        "response.audio.": "response.output_audio.",
        "response.audio_transcript.": "response.output_audio_transcript.",
        "conversation.item.created": "conversation.item.added",
    }

    def renamed(event: dict[str, object]) -> dict[str, object]:
        kind = str(event["type"])
        for name, other in names.items():
            kind = kind.replace(name, other)
        return {**event, "type": kind}

    ours = Fold(CONNECTING, inputs.Connected(), *events("native_turn"))
    theirs = Fold(CONNECTING, inputs.Connected(), *map(renamed, events("native_turn")))
    assert theirs.state.transcript == ours.state.transcript
    assert theirs.state.turns == ours.state.turns
    assert theirs.effects == ours.effects
    kinds = [row.type for row in theirs.state.log.since(0)]
    assert "response.output_audio.delta" in kinds  # shown as they came
    assert "response.audio.delta" not in kinds
