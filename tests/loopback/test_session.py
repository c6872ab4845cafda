"""The order of events with native models and cascades, and the outcome of every client event."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.loopback.lab import (
    TAIL,
    VAD,
    Lab,
    clip,
    error_of,
    kinds,
    milliseconds,
    only,
    silence,
    sound,
    speaking,
    speech,
)
from voicelive_tui.audio import pcm
from voicelive_tui.audio.resample import convert
from voicelive_tui.loopback.formats import AudioFormat
from voicelive_tui.loopback.input_buffer import SLICE_BYTES

WEATHER = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}


# ---- (a) connect and configure


def test_session_created_comes_first_and_an_update_changes_only_named_fields():
    lab = Lab()
    created = only(lab.events, "session.created")["session"]
    updated = only(lab.send("session.update", session={"temperature": 0.7, "x_new": [1]}), "session.updated")
    assert updated["session"] == created | {"temperature": 0.7, "x_new": [1]}


# ---- (b) a spoken turn


def test_a_spoken_turn_with_a_native_model():
    lab = Lab(turn_detection=VAD, input_audio_transcription={"model": "whisper-1"})
    events = lab.say(clip(500, speech(), 1000)) + lab.finish()
    names = kinds(events)
    assert names[:9] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.created",
        "conversation.item.done",
        "response.created",
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
    ]
    assert names[-5:] == TAIL
    started, user = events[0], only(events, "input_audio_buffer.committed")
    assert started["item_id"] == user["item_id"] == events[1]["item_id"]
    assert events[3]["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    assistant = only(events, "response.output_item.added")["item"]
    assert assistant["status"] == "in_progress"
    assert assistant["id"].startswith("item_")
    said = only(events, "response.audio_transcript.done")["transcript"]
    assert said.startswith(f"I heard you for {milliseconds(speech()) / 1000:.1f} seconds")
    transcripts = [e for e in events if e["type"].startswith("conversation.item.input_audio_transcription")]
    assert [t["type"].rpartition(".")[2] for t in transcripts] == ["delta", "completed"]
    first_audio = names.index("response.audio.delta")
    assert names.index(transcripts[0]["type"]) > first_audio, "the transcript comes after the answer has begun"


def test_a_spoken_turn_with_a_cascade_model():
    lab = Lab("gpt-4.1", turn_detection=VAD)
    events = lab.say(clip(500, speech(), 1000)) + lab.finish()
    assert kinds(events)[:8] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.input_audio_transcription.completed",
        "conversation.item.created",
        "response.created",
        "response.output_item.added",
        "conversation.item.created",
    ]
    heard = only(events, "conversation.item.input_audio_transcription.completed")
    assert heard["language"] == "en-US"
    assert heard["transcript"].startswith("[speech, ")
    user = next(e for e in events if e["type"] == "conversation.item.created")
    assert user["item"]["content"][0]["transcript"] == heard["transcript"]
    response = only(events, "response.created")["response"]
    assert response["conversation_id"] == ""
    assistant = only(events, "response.output_item.added")["item"]
    assert assistant["status"] == "incomplete"
    assert assistant["id"].startswith("msg_")


def test_the_first_audio_comes_after_300_ms_then_at_four_times_real_time():
    lab = Lab(turn_detection=VAD)
    events = lab.say(clip(500, speech(), 1000)) + lab.finish()
    stopped = only(events, "input_audio_buffer.speech_stopped")["at"]
    audio = [e["at"] for e in events if e["type"] == "response.audio.delta"]
    assert audio[0] - stopped == pytest.approx(0.3, abs=0.001)
    seconds = len(sound(events)) / 48_000
    assert seconds / (audio[-1] - audio[0]) == pytest.approx(4, rel=0.05)
    words = [e["at"] for e in events if e["type"] == "response.audio_transcript.delta"]
    assert words[0] < audio[0]
    assert words[-1] < audio[-1]


def test_without_transcription_a_native_model_sends_no_transcripts():
    lab = Lab(turn_detection=VAD)
    assert not any("transcription" in e["type"] for e in lab.say(clip(speech(), 1000)) + lab.finish())


def test_create_response_false_leaves_the_answer_to_the_client():
    for model in ("gpt-realtime", "gpt-4.1"):
        lab = Lab(model, turn_detection=VAD | {"create_response": False})
        events = lab.say(clip(speech(), 1000))
        assert "response.created" not in kinds(events + lab.run(0.05))
        events += lab.send("response.create") + lab.finish()
        # Also when it is asked for before the recogniser of a cascade is through.
        assert kinds(lab.events).index("conversation.item.created") < kinds(lab.events).index("response.created")
        assert only(lab.events, "response.audio_transcript.done")["transcript"].startswith("I heard you for")


# ---- (c) barge-in


def test_with_interrupt_response_false_the_answer_goes_on_and_the_next_is_refused():
    lab = speaking(turn_detection=VAD | {"interrupt_response": False})
    events = lab.say(clip(speech(), 1000))
    assert error_of(events)["code"] == "conversation_already_has_active_response"
    assert lab.session.responder.active


@pytest.mark.parametrize("model", ["gpt-realtime", "gpt-4.1"])
def test_turns_that_come_faster_than_their_answers_interrupt_them(model):
    lab = Lab(model, turn_detection=VAD)
    events = lab.say(clip(speech(), 1000, speech(), 1000)) + lab.finish()
    done = [e["response"]["status"] for e in events if e["type"] == "response.done"]
    assert done == ["cancelled", "completed"]
    assert "error" not in kinds(events)


# ---- (d) cancel


# ---- (e) push-to-talk


def test_push_to_talk_waits_for_commit_and_for_create():
    for model in ("gpt-realtime", "gpt-4.1"):
        lab = Lab(model, turn_detection=None, input_audio_transcription={"model": "azure-speech"})
        assert lab.say(clip(300, speech(), 300)) + lab.run(5) == []
        events = lab.send("input_audio_buffer.commit") + lab.run(5)
        names = {e["type"] for e in events}
        assert "input_audio_buffer.committed" in names
        assert "response.created" not in names
        answer = lab.send("response.create") + lab.finish()
        spoken = only(answer, "response.audio_transcript.done")["transcript"]
        seconds = float(spoken.split()[4])
        assert seconds == pytest.approx(milliseconds(speech()) / 1000, abs=0.11)


def test_a_turn_without_speech_is_reported_as_such():
    lab = Lab(turn_detection=None)
    lab.say(silence(1200))
    lab.send("input_audio_buffer.commit")
    lab.send("response.create")
    said = only(lab.finish(), "response.audio_transcript.done")["transcript"]
    assert said.startswith("I heard no speech in 1.2 seconds")


def test_an_empty_commit_is_an_error_and_clear_empties_the_buffer():
    lab = Lab(turn_detection=None)
    assert error_of(lab.send("input_audio_buffer.commit"))["code"] == "input_audio_buffer_commit_empty"
    lab.say(silence(500))
    assert kinds(lab.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    assert error_of(lab.send("input_audio_buffer.commit"))["code"] == "input_audio_buffer_commit_empty"


# ---- (f) typed text


@pytest.mark.parametrize(("model", "part"), [("gpt-realtime", ""), ("gpt-4.1", "whole")])
def test_typed_text_answered_in_text(model, part):
    lab = Lab(model, modalities=["text"])
    events = lab.type("hello") + lab.finish()
    assert kinds(events) == [
        "conversation.item.created",
        "response.created",
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
        "response.text.delta",
        "response.text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
    assert events[0]["previous_item_id"] == (None if part == "" else "")
    text = only(events, "response.text.done")["text"]
    assert "hello" in text
    assert "5 characters" in text
    assert "".join(e["delta"] for e in events if e["type"] == "response.text.delta") == text
    assert only(events, "response.content_part.done")["part"]["text"] == (part and text)
    assert only(events, "response.done")["response"]["usage"]["output_token_details"]["audio_tokens"] == 0


def test_the_session_expires():
    lab = Lab(lifetime=10)
    assert lab.events[0]["session"]["expires_at"] == 1_700_000_010
    events = lab.run(11)
    assert error_of(events)["code"] == "session_expired"
    assert lab.session.expired


def test_turns_are_found_in_every_input_format():
    stereo = {"type": "server_echo_cancellation", "reference_source": "client", "channels": 2}
    for session, fmt in (
        ({"input_audio_format": "g711_ulaw"}, AudioFormat("g711_ulaw", 8000)),
        ({"input_audio_format": "g711_alaw"}, AudioFormat("g711_alaw", 8000)),
        ({"input_audio_sampling_rate": 8000}, AudioFormat("pcm16", 8000)),
        ({"input_audio_sampling_rate": 16_000}, AudioFormat("pcm16", 16_000)),
        ({"input_audio_echo_cancellation": stereo}, None),
    ):
        lab = Lab(turn_detection=VAD, **session)
        samples = clip(1000, speech(), 1000)
        if fmt is None:
            samples = samples.repeat(2)
            samples[1::2] = 0
        else:
            samples = pcm.samples(convert(samples.tobytes(), 24_000, fmt.rate))
        events = lab.say(samples, fmt)
        assert only(events, "input_audio_buffer.speech_started")["audio_start_ms"] == pytest.approx(700, abs=50)
        end = 1000 + milliseconds(speech()) + 500
        stopped = only(events, "input_audio_buffer.speech_stopped")
        assert stopped["audio_end_ms"] == pytest.approx(end, abs=50)


# ---- anything at all

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2000) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
ITEM = st.fixed_dictionaries(
    {"type": st.sampled_from(["message", "function_call", "function_call_output", "x"]) | JSON},
    optional={
        "id": st.sampled_from(["a", "b"]) | JSON,
        "role": st.sampled_from(["user", "system", "assistant"]) | JSON,
        "content": st.lists(
            st.fixed_dictionaries(
                {"type": st.sampled_from(["input_text", "input_audio", "text", "input_image"])},
                optional={"text": JSON, "audio": st.sampled_from(["AAAA", "AAA", ""]), "image_url": JSON},
            ),
            max_size=2,
        )
        | JSON,
        "call_id": st.sampled_from(["c"]) | JSON,
        "name": JSON,
        "arguments": JSON,
        "output": JSON,
    },
)
FIELDS = {
    "event_id": JSON,
    "session": st.dictionaries(
        st.sampled_from(
            ["voice", "turn_detection", "modalities", "tools", "tool_choice", "input_audio_format",
             "instructions", "input_audio_sampling_rate", "output_audio_format", "input_audio_echo_cancellation",
             "animation", "input_audio_transcription", "max_response_output_tokens", "parallel_tool_calls",
             "metadata", "x"]
        ),
        JSON
        | st.sampled_from(
            [{"type": "server_vad"}, {"type": "azure_semantic_vad", "threshold": 2}, {"type": "none"}, ["text"],
             "alloy", "g711_ulaw", [WEATHER], "required", {"model": "x"}, 8000,
             {"type": "function", "name": "get_weather"}]
        ),
        max_size=4,
    )
    | JSON,
    "audio": st.binary(max_size=64).map(lambda data: base64.b64encode(data).decode())
    | st.sampled_from([base64.b64encode(bytes(48_000)).decode()])
    | JSON,
    "item": ITEM | JSON,
    "item_id": st.sampled_from(["a", "b"]) | JSON,
    "previous_item_id": st.sampled_from(["a", "root", "z"]) | JSON,
    "content_index": st.integers(-1, 2) | JSON,
    "audio_end_ms": st.integers(-1, 2000) | JSON,
    "response": st.dictionaries(
        st.sampled_from(
            ["commit", "cancel_previous", "append_input_items", "input_items", "modalities", "voice", "tools",
             "metadata", "tool_choice", "max_output_tokens", "pre_generated_assistant_message",
             "output_audio_format", "x"]
        ),
        JSON | st.lists(ITEM, max_size=2) | ITEM,
        max_size=3,
    )
    | JSON,
    "response_id": JSON,
}  # fmt: skip
TYPES = [
    "session.update", "input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.clear",
    "conversation.item.create", "conversation.item.retrieve", "conversation.item.truncate",
    "conversation.item.delete", "response.create", "response.cancel",
]  # fmt: skip
EVENT = st.fixed_dictionaries({"type": st.sampled_from(TYPES) | JSON}, optional=FIELDS)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["gpt-realtime", "gpt-4.1"]),
    st.lists(st.tuples(EVENT | JSON, st.sampled_from([0, 0, 0.2, 3])), max_size=12),
)
def test_no_sequence_of_client_events_crashes_or_blocks_a_session(model, steps):
    from azure.ai.voicelive.models import ServerEvent

    lab = Lab(model)
    for message, pause in steps:
        lab.raw(json.dumps(message))
        lab.run(pause)
    lab.send("response.cancel")
    lab.finish()
    lab.send("session.update", session={"modalities": ["text"], "tool_choice": "none"})
    answer = lab.type("still there?") + lab.finish()
    assert answer[-1]["type"] == "response.done", kinds(answer)
    opened = [e["response"]["id"] for e in lab.events if e["type"] == "response.created"]
    closed = [e["response"]["id"] for e in lab.events if e["type"] == "response.done"]
    assert opened == closed
    for event in lab.events:
        model_event = ServerEvent._deserialize({key: event[key] for key in event if key != "at"}, [])
        if event["type"] != "conversation.item.done":
            assert type(model_event) is not ServerEvent, event["type"]


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_no_text_crashes_a_session(message):
    lab = Lab()
    assert kinds(lab.raw(message)) == ["error"]


# ---- large messages

LONG = clip(500, *[part for _ in range(6) for part in (speech(), 4000)])


def edges(events):
    names = "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"
    return [{k: v for k, v in e.items() if k.startswith("audio_")} for e in events if e["type"] in names]


def append(samples):
    audio = base64.b64encode(samples.tobytes()).decode()
    return json.dumps({"type": "input_audio_buffer.append", "audio": audio})


def test_a_large_append_is_processed_in_slices_with_the_same_result():
    session = {"turn_detection": VAD | {"create_response": False}}
    whole, small = Lab(**session), Lab(**session)
    whole.session.receive(append(LONG), whole.now)
    slices = 2  # one while it is received, one in the first poll
    got = whole.session.poll(whole.now)
    while whole.session.busy:
        assert whole.session.next_due <= whole.now
        got += whole.session.poll(whole.now)
        slices += 1
    size = 2 * len(LONG)
    assert slices == -(-(size * 4 // 3) // SLICE_BYTES) + -(-size // SLICE_BYTES) - 1, "the last decodes and listens"
    pieces = [event for at in range(0, len(LONG), 2400) for event in small.say(LONG[at : at + 2400])]
    assert len(edges(got)) == 12
    assert edges(got) == edges(pieces)


def test_events_after_a_large_append_are_handled_after_it():
    lab = Lab(turn_detection=None)
    lab.session.receive(append(LONG), lab.now)
    assert lab.session.busy
    lab.session.receive('{"type":"input_audio_buffer.commit"}', lab.now)
    assert not lab.session.busy
    assert "input_audio_buffer.committed" in kinds(lab.run(0))
    (item,) = lab.session.conversation
    assert len(item.audio) == 2 * len(LONG)


@pytest.mark.parametrize("place", [524_287, 524_288, 524_290, 1_000_000, 1_048_575])
def test_a_large_append_is_all_or_nothing(place):
    lab = Lab()
    text = base64.b64encode(bytes(1_200_000)).decode()
    for wrong in "=!":
        error = error_of(lab.send("input_audio_buffer.append", audio=text[:place] + wrong + text[place + 1 :]))
        assert (error["code"], error["param"]) == ("invalid_value", "audio")
    lab.send("session.update", session={"turn_detection": None})
    assert "only has 0ms" in error_of(lab.send("input_audio_buffer.commit"))["message"]
