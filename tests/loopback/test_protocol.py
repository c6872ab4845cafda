"""Wrong client events and the errors that answer them."""

import itertools
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.loopback.lab import Lab, error_of, kinds, only
from voicelive_tui.loopback.dialect import GeneralAvailability, Preview, VoiceLive

REQUEST = '{"type":"response.create","response":{%s}}'
ITEM_OF = '{"type":"conversation.item.create","item":{"type":"%s"}}'


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ("{", "invalid_json", None),
        ("[]", "invalid_event", None),
        ('"{}"', "invalid_event", None),
        ("{}", "missing_required_parameter", "type"),
        ('{"type":"nonsense"}', "invalid_value", "type"),
        ('{"type":7}', "invalid_value", "type"),
        ('{"type":"session.update"}', "missing_required_parameter", "session"),
        ('{"type":"session.update","session":[]}', "invalid_type", "session"),
        ('{"type":"input_audio_buffer.append"}', "missing_required_parameter", "audio"),
        ('{"type":"input_audio_buffer.append","audio":5}', "invalid_type", "audio"),
        ('{"type":"input_audio_buffer.append","audio":"!"}', "invalid_value", "audio"),
        ('{"type":"input_audio_buffer.append","audio":"QUFB"}', "invalid_value", "audio"),
        ('{"type":"conversation.item.create"}', "missing_required_parameter", "item"),
        ('{"type":"conversation.item.create","item":{}}', "missing_required_parameter", "item.type"),
        (ITEM_OF % "x", "invalid_value", "item.type"),
        (ITEM_OF % "mcp_approval_response", "missing_required_parameter", "item.approval_request_id"),
        ('{"type":"conversation.item.create","item":{"type":"mcp_approval_response","approval_request_id":"mcpr_1",'
         '"approve":true}}', "invalid_approval_request_id", "item.approval_request_id"),
        (ITEM_OF % "message", "missing_required_parameter", "item.role"),
        ('{"type":"conversation.item.truncate","item_id":"x"}', "missing_required_parameter", "content_index"),
        (REQUEST % '"modalities":["video"]', "invalid_value", "response.modalities[0]"),
        (REQUEST % '"max_output_tokens":0', "invalid_value", "response.max_output_tokens"),
        (REQUEST % '"tools":[{"type":"mcp"}]', "missing_required_parameter", "response.tools[0].server_label"),
        (REQUEST % '"interim_response":{"type":"x"}', "invalid_value", "response.interim_response"),
        ('{"type":"session.avatar.connect","client_sdp":""}', "not_supported", "type"),
        ('{"type":"output_audio_buffer.clear"}', "not_supported", "type"),
        ('{"type":"input_text.delta","id":"1","delta":"x"}', "not_supported", "type"),
        ('{"type":"input_text.done","id":"1"}', "not_supported", "type"),
        ('{"type":"input_audio.turn.start","turn_id":"1"}', "not_supported", "type"),
        ('{"type":"input_audio.turn.start"}', "missing_required_parameter", "turn_id"),
        ('{"type":"transcription_session.update","session":{}}', "invalid_value", "type"),
    ],
)  # fmt: skip
def test_a_refused_event_gets_an_error_and_the_session_goes_on(message, code, param):
    lab = Lab()
    error = error_of(lab.raw(message))
    assert (error["code"], error["param"]) == (code, param)
    assert error["type"] == "invalid_request_error"
    assert error["message"].endswith(".")
    assert kinds(lab.send("session.update", session={})) == ["session.updated"]


def test_the_clients_event_id_comes_back_with_its_error():
    for kind in ("nonsense", "response.cancel", "session.update"):
        assert error_of(Lab().send(kind, event_id="mine"))["event_id"] == "mine"


@pytest.mark.parametrize("value", ["[" * 100 + "]" * 100, "[" * 600 + "]" * 600, str(list(range(30_000)))])
def test_json_that_is_too_deep_or_too_large_is_refused(value):
    """Between 300 and 1000 levels JSON can be read, and not be copied by recursion."""
    lab = Lab()
    error = error_of(lab.raw(f'{{"type":"session.update","event_id":"mine","session":{{"x":{value}}}}}'))
    assert (error["code"], error["event_id"]) == ("invalid_event", "mine")
    assert "x" not in only(lab.send("session.update", session={}), "session.updated")["session"]


# ---- any frame, in any order

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(
        ["auto", "none", "required", "root", "text", "audio", "user", "assistant", "function", "message", "inf", "AAAA"]
    )
    | st.sampled_from(["item_1", "call_1", "server_vad", "pcm16", "g711_ulaw", "alloy", "en-US-AvaNeural", "gpt-4.1"])
)
WORDS = st.sampled_from(
    [
        "type", "role", "content", "name", "id", "call_id", "output", "arguments", "text", "audio", "transcript",
        "function", "parameters", "properties", "enum", "model", "threshold", "outputs", "reference_source", "channels",
        "input", "format", "voice", "rate", "image_url", "silence_duration_ms", "end_of_utterance_detection",
    ]
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=4),
    max_leaves=10,
)
SESSIONS = st.dictionaries(
    st.sampled_from(
        [
            "modalities", "instructions", "voice", "input_audio_format", "input_audio_sampling_rate", "tools",
            "output_audio_format", "turn_detection", "input_audio_transcription", "input_audio_echo_cancellation",
            "tool_choice", "temperature", "max_response_output_tokens", "output_audio_timestamp_types", "animation",
            "avatar", "interim_response", "metadata", "input_audio_noise_reduction", "parallel_tool_calls", "audio",
            "output_modalities", "input_items", "append_input_items", "commit", "pre_generated_assistant_message",
            "cancel_previous", "max_output_tokens", "input", "conversation", "include", "x",
        ]
    ),
    VALUES,
    max_size=4,
)  # fmt: skip
ITEMS = st.fixed_dictionaries(
    {"type": st.sampled_from(["message", "function_call", "function_call_output", "x"])},
    optional={
        "role": st.sampled_from(["user", "assistant", "system"]),
        "id": st.sampled_from(["item_1", "item_2", "item_3"]),
        "call_id": st.just("call_1"),
        "name": st.text(max_size=3),
        "arguments": st.text(max_size=3),
        "output": st.text(max_size=3),
        "content": st.lists(
            st.just({"type": "input_text", "text": "weather"})
            | st.fixed_dictionaries(
                {"type": st.sampled_from(["input_text", "text", "input_audio", "output_text", "input_image"])},
                optional={"text": st.text(max_size=5), "audio": st.sampled_from(["AAAA", "AAA=", "!"])},
            ),
            max_size=2,
        ),
    },
)
ITEM_IDS = st.sampled_from(["item_1", "item_2", "item_3"])
AUDIO = st.sampled_from(["AAAA" * 40_000, "/38AgP9/AIA=" * 3000, "AAAA" * 3, "", "!"])
TYPES = {
    "session.update": {"session": SESSIONS},
    "input_audio_buffer.append": {"audio": AUDIO},
    "input_audio_buffer.commit": {},
    "input_audio_buffer.clear": {},
    "conversation.item.create": {"item": ITEMS},
    "conversation.item.retrieve": {"item_id": ITEM_IDS},
    "conversation.item.truncate": {
        "item_id": ITEM_IDS, "content_index": st.integers(-1, 2), "audio_end_ms": st.integers(-1, 5000),
    },
    "conversation.item.delete": {"item_id": ITEM_IDS},
    "response.create": {"response": SESSIONS},
    "response.cancel": {},
}  # fmt: skip
FRAMES = st.one_of(
    [
        st.fixed_dictionaries(
            {"type": st.just(kind), **fields},
            optional={"event_id": st.text(max_size=5), "previous_item_id": st.sampled_from(["root"]) | ITEM_IDS},
        )
        for kind, fields in TYPES.items()
    ]
)
WILD = st.fixed_dictionaries(
    {"type": st.sampled_from(list(TYPES)) | VALUES},
    optional={name: VALUES for fields in TYPES.values() for name in (*fields, "event_id", "previous_item_id")},
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    st.lists(
        st.tuples((FRAMES | WILD).map(json.dumps) | st.text(max_size=20), st.sampled_from([0.0, 0.2, 2.0])), max_size=12
    ),
    st.sampled_from(["gpt-realtime", "gpt-4.1"]),
    st.sampled_from([VoiceLive, Preview, GeneralAvailability]),
)
def test_any_frames_in_any_order_give_one_error_or_an_answer_each(frames, model, dialect):
    """An exception would end this test, as it would end the connection."""
    lab, spoken = Lab(model), dialect()
    for frame, pause in frames:
        got = lab.raw(spoken.client_event(frame))
        assert [event["type"] for event in got].count("error") <= 1
        for event in itertools.chain(got, lab.run(pause)):
            for translated in spoken.server_events({name: value for name, value in event.items() if name != "at"}):
                json.dumps(translated, allow_nan=False)
    lab.finish()
