"""The one session.update."""

from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.config import (
    Agent,
    InterimResponse,
    Mcp,
    Session,
    Settings,
    Transcription,
    TurnDetection,
    TurnDetectionType,
)
from voicelive_tui.session.request import session_request, settings_of, wanted_session, with_functions


def test_the_defaults_as_they_are_sent() -> None:
    request = session_request(Session())
    assert request == {
        "modalities": ["text", "audio"],
        "instructions": "You are a helpful AI assistant. Respond naturally and conversationally. "
        "Keep your responses concise but engaging.",
        "voice": {"type": "azure-standard", "name": "en-US-Ava:DragonHDLatestNeural"},
        "input_audio_format": "pcm16",
        "input_audio_sampling_rate": 24_000,
        "output_audio_format": "pcm16",
        "turn_detection": {
            "type": "server_vad",
            "threshold": 0.5,
            "prefix_padding_ms": 300,
            "silence_duration_ms": 500,
            "create_response": True,
            "interrupt_response": True,
            "auto_truncate": False,
        },
        "input_audio_noise_reduction": {"type": "azure_deep_noise_suppression"},
        "input_audio_echo_cancellation": {"type": "server_echo_cancellation"},
        "input_audio_transcription": {"model": "whisper-1"},
    }
    assert "model" not in request  # it goes into the URL only


@pytest.mark.parametrize(
    ("model", "transcription"),
    [("gpt-realtime", "whisper-1"), ("gpt-realtime-mini", "whisper-1"), ("gpt-4.1", "azure-speech")],
)
def test_transcription_follows_the_model(model: str, transcription: str) -> None:
    assert session_request(Session(model=model))["input_audio_transcription"] == {"model": transcription}


def test_what_is_switched_off_is_sent_as_null() -> None:
    off = Session(
        noise_reduction="none",
        echo_cancellation=False,
        turn_detection=TurnDetection(type="none"),
        input_audio_transcription=Transcription(model="none"),
    )
    request = session_request(off)
    names = [
        "input_audio_noise_reduction",
        "input_audio_echo_cancellation",
        "turn_detection",
        "input_audio_transcription",
    ]
    assert all(name in request and request[name] is None for name in names)


def test_openai_voices_and_openai_turn_detection() -> None:
    settings = msgspec.structs.replace(Session(voice="alloy"), turn_detection=TurnDetection(type="semantic_vad"))
    request = session_request(settings)
    assert request["voice"] == {"type": "openai", "name": "alloy"}
    assert set(request["turn_detection"]) == {"type", "create_response", "interrupt_response", "auto_truncate"}


def test_what_only_some_types_and_voices_have_is_sent_where_it_is_set() -> None:
    turns = TurnDetection(
        type="azure_semantic_vad",
        speech_duration_ms=120,
        remove_filler_words=True,
        languages=("en-US", "de-DE"),
        end_of_utterance_model="semantic_detection_v1",
        eagerness="high",
    )
    request = session_request(
        Session(
            model="gpt-4.1",
            voice_rate="+20%",
            voice_temperature=0.9,
            speed=1.2,
            temperature=0.7,
            max_response_output_tokens="inf",
            tool_choice="get_time",
            turn_detection=turns,
            input_audio_transcription=Transcription(language="en", phrase_list=("Contoso",)),
        )
    )
    block = request["turn_detection"]
    assert block["speech_duration_ms"] == 120
    assert block["remove_filler_words"] is True
    assert block["languages"] == ["en-US", "de-DE"]
    assert block["end_of_utterance_detection"] == {"model": "semantic_detection_v1"}
    assert "eagerness" not in block
    assert (request["voice"]["rate"], request["voice"]["temperature"]) == ("+20%", 0.9)
    assert (request["temperature"], request["speed"], request["max_response_output_tokens"]) == (0.7, 1.2, "inf")
    assert request["tool_choice"] == {"type": "function", "name": "get_time"}
    assert request["input_audio_transcription"] == {
        "model": "azure-speech",
        "language": "en",
        "phrase_list": ["Contoso"],
    }


def test_the_eagerness_of_semantic_vad_and_the_voices_of_azure_realtime() -> None:
    block = session_request(Session(turn_detection=TurnDetection(type="semantic_vad", eagerness="high")))
    assert block["turn_detection"]["eagerness"] == "high"
    assert session_request(Session(model="azure-realtime", voice="ava"))["voice"] == {
        "type": "azure-realtime-native",
        "name": "ava",
    }


def test_an_interim_response_has_the_fields_of_its_type() -> None:
    rule = InterimResponse(type="static", texts=("Hold on.",), model="gpt-4.1-mini", latency_threshold_ms=100)
    assert session_request(Session(interim_response=rule))["interim_response"] == {
        "type": "static_interim_response",
        "triggers": ["latency"],
        "latency_threshold_ms": 100,
        "texts": ["Hold on."],
    }
    rule = msgspec.structs.replace(rule, type="llm", triggers=("tool", "latency"))
    sent = session_request(Session(interim_response=rule))["interim_response"]
    assert (sent["type"], sent["model"], "texts" in sent) == ("llm_interim_response", "gpt-4.1-mini", False)


def test_mcp_servers_are_tools_and_name_the_variables_of_their_headers() -> None:
    rules = {"never": ("search",), "always": ()}
    servers = (
        Mcp(label="docs", url="https://docs.example", require_approval=rules, headers={"Authorization": "DOCS_TOKEN"}),
        Mcp(label="maps", url="https://maps.example", allowed_tools=("route",), require_approval="never"),
    )
    assert wanted_session(Settings(mcp=servers))["tools"] == [
        {
            "type": "mcp",
            "server_label": "docs",
            "server_url": "https://docs.example",
            "require_approval": {"never": ["search"], "always": []},
            "headers": {"Authorization": "$DOCS_TOKEN"},
        },
        {
            "type": "mcp",
            "server_label": "maps",
            "server_url": "https://maps.example",
            "require_approval": "never",
            "allowed_tools": ["route"],
        },
    ]
    assert "tools" not in wanted_session(Settings())


def test_an_agent_keeps_what_is_not_configured() -> None:
    agent = Agent(name="clerk", project="shop")
    assert wanted_session(Settings(agent=agent)) == {
        "modalities": ["text", "audio"],
        "input_audio_format": "pcm16",
        "input_audio_sampling_rate": 24_000,
        "output_audio_format": "pcm16",
    }
    session = Session(instructions="Be brief.", voice="en-US-Jenny", echo_cancellation=False)
    asked = wanted_session(Settings(agent=agent, session=session))
    assert asked["voice"] == {"type": "azure-standard", "name": "en-US-Jenny"}
    assert asked["input_audio_echo_cancellation"] is None
    assert "instructions" not in asked


# --- and back

words = st.text("ab-", min_size=1, max_size=4)
milliseconds = st.integers(0, 60_000)
detections = st.builds(
    TurnDetection,
    type=st.sampled_from(get_args(TurnDetectionType)),
    threshold=st.floats(0, 1),
    prefix_padding_ms=milliseconds,
    silence_duration_ms=milliseconds,
    create_response=st.booleans(),
    interrupt_response=st.booleans(),
    auto_truncate=st.booleans(),
    speech_duration_ms=st.just("") | milliseconds,
    remove_filler_words=st.booleans(),
    languages=st.lists(words, max_size=2).map(tuple),
    end_of_utterance_model=st.sampled_from(["", "semantic_detection_v1"]),
    eagerness=st.sampled_from(["", "low"]),
)
transcriptions = st.builds(
    Transcription,
    model=st.sampled_from(["", "none", "azure-speech"]),
    language=st.just("") | words,
    phrase_list=st.lists(words, max_size=2).map(tuple),
)
sessions = st.builds(
    Session,
    voice=words,
    voice_rate=st.just("") | words,
    voice_temperature=st.just("") | st.floats(0, 1),
    speed=st.just("") | st.floats(0.25, 1.5),
    instructions=st.text("ab", max_size=3),
    modalities=st.sampled_from([("text",), ("text", "audio")]),
    noise_reduction=st.sampled_from(["near_field", "none"]),
    echo_cancellation=st.booleans(),
    temperature=st.just("") | st.floats(0, 1.2),
    max_response_output_tokens=st.just("") | st.just("inf") | st.integers(1, 4096),
    tool_choice=st.sampled_from(["", "auto", "get_weather"]),
    turn_detection=detections,
    input_audio_transcription=transcriptions,
    interim_response=st.builds(
        InterimResponse,
        type=st.sampled_from(["none", "llm", "static"]),
        triggers=st.sampled_from([("tool",), ("latency", "tool")]),
        latency_threshold_ms=milliseconds,
        texts=st.lists(words, max_size=2).map(tuple),
        model=st.just("") | words,
        max_completion_tokens=st.just("") | st.integers(1, 4096),
    ),
)


@given(sessions, sessions)
def test_the_settings_of_a_request_ask_for_the_same(session, base):
    request = session_request(session)
    assert session_request(settings_of(request, base)) == request


@given(sessions)
def test_a_session_that_is_as_asked_for_leaves_the_settings_as_they_are(base):
    assert settings_of(session_request(base), base) == base


def test_one_change_changes_one_setting():
    request = session_request(Session())
    changed = request | {"turn_detection": request["turn_detection"] | {"silence_duration_ms": 800}}
    expected = Session(turn_detection=TurnDetection(silence_duration_ms=800))
    assert settings_of(changed, Session()) == expected
    assert settings_of(request | {"turn_detection": None}, expected).turn_detection == TurnDetection(
        type="none", silence_duration_ms=800
    )


def test_functions_take_the_place_of_earlier_ones_beside_other_tools() -> None:
    add, maps = {"type": "function", "name": "add"}, {"type": "mcp", "server_label": "maps"}
    before = {"voice": "x", "tools": [{"type": "function", "name": "old"}, maps]}
    assert with_functions(before, [add]) == {"voice": "x", "tools": [add, maps]}
    assert with_functions(before, [add], parallel=False)["parallel_tool_calls"] is False
    assert with_functions({"voice": "x"}, []) == {"voice": "x"}
