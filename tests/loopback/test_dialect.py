"""OpenAI's two dialects, over the wire and with any JSON."""

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.loopback.wire import FAST, TYPED, connected, events
from voicelive_tui.loopback.dialect import GeneralAvailability, Preview, VoiceLive
from voicelive_tui.loopback.faults import parse
from voicelive_tui.loopback.script import Call, McpServer, Reply, Script
from voicelive_tui.loopback.service import LoopbackService

GA = "/openai/v1/realtime"
PREVIEW = "/openai/realtime"
QUERY = {"model": "gpt-realtime"}
TOOL = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}
ROUTE = Call("route", server="maps", output="98 km", delay_ms=50)


async def ga_answer(*frames, until="response.done", **options):
    options.setdefault("script", FAST)
    async with LoopbackService(**options) as service, connected(service, GA, QUERY) as socket:
        for frame in frames:
            await socket.send_json(frame)
        return await events(socket, until)


async def test_a_typed_turn_in_the_ga_protocol():
    got = await ga_answer({"type": "conversation.item.create", "item": TYPED}, {"type": "response.create"})
    kinds = [event["type"] for event in got]
    assert [kind for n, kind in enumerate(kinds) if kind not in kinds[:n]] == [
        "session.created",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
    assert kinds.count("conversation.item.added") == kinds.count("conversation.item.done") == 2
    session = got[0]["session"]
    assert session["type"] == "realtime"
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24_000}
    assert session["audio"]["output"]["voice"] == "alloy"
    done = got[-1]["response"]
    assert done["output"][0]["content"][0]["type"] == "output_audio"
    assert done["output_modalities"] == ["audio"]


async def test_text_only_and_an_override_in_the_ga_protocol():
    text = {"type": "response.create", "response": {"output_modalities": ["text"], "conversation": "none", "input": []}}
    got = await ga_answer(text)
    assert [e["text"] for e in got if e["type"] == "response.output_text.done"] == ["Three short words."]
    assert not any(event["type"].startswith("conversation") for event in got)


async def test_a_session_update_in_the_ga_protocol():
    session = {
        "type": "realtime",
        "model": "gpt-realtime",
        "instructions": "Short.",
        "output_modalities": ["audio"],
        "max_output_tokens": 100,
        "tools": [TOOL],
        "audio": {
            "input": {
                "format": {"type": "audio/pcmu"},
                "turn_detection": {"type": "server_vad", "silence_duration_ms": 700},
                "transcription": {"model": "whisper-1"},
                "noise_reduction": {"type": "near_field"},
            },
            "output": {"format": {"type": "audio/pcma"}, "voice": "marin"},
        },
    }
    shown = (await ga_answer({"type": "session.update", "session": session}, until="session.updated"))[-1]["session"]
    assert shown["max_output_tokens"] == 100
    assert shown["instructions"] == "Short."
    assert shown["tools"] == [TOOL]
    source = shown["audio"]["input"]
    assert source["format"] == {"type": "audio/pcmu"}
    assert source["turn_detection"]["silence_duration_ms"] == 700
    assert source["transcription"]["model"] == "whisper-1"
    assert source["noise_reduction"] == {"type": "near_field"}
    assert shown["audio"]["output"] == {"format": {"type": "audio/pcma"}, "voice": "marin"}


async def test_a_function_call_and_a_spoken_turn_in_the_ga_protocol():
    script = Script(delay_ms=20, speed=50.0, reply=(Reply(on="speech", calls=(Call("get_weather", {"place": "x"}),)),))
    turns = {"audio": {"input": {"turn_detection": None}}, "tools": [TOOL]}
    audio = base64.b64encode(bytes(48_000)).decode()
    got = await ga_answer(
        {"type": "session.update", "session": turns},
        {"type": "input_audio_buffer.append", "audio": audio},
        {"type": "input_audio_buffer.commit"},
        {"type": "response.create"},
        script=script,
    )
    call = got[-1]["response"]["output"][0]
    assert (call["type"], call["arguments"]) == ("function_call", '{"place":"x"}')
    added = [event["item"]["id"] for event in got if event["type"] == "conversation.item.added"]
    done = [event["item"]["id"] for event in got if event["type"] == "conversation.item.done"]
    assert added == done
    assert len(added) == 2


async def test_a_call_of_an_mcp_tool_in_the_ga_protocol():
    script = Script(mcp=(McpServer("maps", delay_ms=0),), delay_ms=20, reply=(Reply(calls=(ROUTE,)),))
    maps = {"type": "mcp", "server_label": "maps", "server_url": "https://maps.example", "require_approval": "never"}
    async with LoopbackService(script=script) as service, connected(service, GA, QUERY) as socket:
        await socket.send_json({"type": "session.update", "session": {"type": "realtime", "tools": [maps]}})
        await events(socket, "mcp_list_tools.completed")
        await socket.send_json({"type": "response.create"})
        await events(socket, "response.mcp_call.completed")
        done = (await events(socket, "conversation.item.done"))[-1]["item"]
    assert (done["type"], done["output"], done["status"]) == ("mcp_call", "98 km", "completed")


async def test_faults_name_voice_lives_events_in_every_dialect():
    got = await ga_answer({"type": "response.create"}, faults=[parse("unknown-event")])
    at = [event["type"] for event in got].index("loopback.unknown")
    assert got[at + 1]["type"] == "response.output_audio.delta"


@pytest.mark.parametrize("frame", ["{", "[]", '{"type":5}', '{"type":"session.update","session":{"audio":5}}'])
async def test_bad_messages_are_answered_in_every_dialect(frame):
    for path in (GA, PREVIEW):
        async with LoopbackService() as service, connected(service, path, QUERY) as socket:
            await socket.send_str(frame)
            kind = "session.updated" if "audio" in frame else "error"
            assert (await events(socket, kind))[-1]["type"] == kind


@pytest.mark.parametrize(
    ("session", "param"),
    [
        ({"audio": {"output": {"voice": "alloyjenny"}}}, "session.audio.output.voice"),
        ({"audio": {"output": {"format": "mp3"}}}, "session.audio.output.format.type"),
        ({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 7}}}}, "session.audio.input.format.rate"),
        ({"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 2}}}},
         "session.audio.input.turn_detection.threshold"),
        ({"output_modalities": ["video"]}, "session.output_modalities[0]"),
        ({"tools": [{"type": "function"}]}, "session.tools[0].name"),
    ],
)  # fmt: skip
async def test_an_error_in_the_ga_protocol_names_the_field_as_the_client_wrote_it(session, param):
    error = (await ga_answer({"type": "session.update", "session": session}, until="error"))[-1]["error"]
    assert error["param"] == param
    assert "session." not in error["message"] or f"'{param}'" in error["message"]


async def test_the_preview_protocol_names_voices_and_accepts_the_model_in_an_update():
    async with (
        LoopbackService(script=FAST) as service,
        connected(service, PREVIEW, {"deployment": "gpt-realtime"}) as s,
    ):
        await s.send_json({"type": "session.update", "session": {"model": "gpt-realtime", "voice": "echo"}})
        got = await events(s, "session.updated")
        assert got[0]["session"]["voice"] == "alloy"
        assert got[-1]["session"]["voice"] == "echo"
        await s.send_json({"type": "response.create"})
        kinds = [event["type"] for event in await events(s)]
    assert {"response.audio.delta", "response.audio_transcript.done", "conversation.item.created"} <= set(kinds)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["audio", "input", "output", "format", "voice", "type", "rate", "output_modalities", "model"])
NESTED = st.recursive(JSON, lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=12)


@given(st.dictionaries(st.sampled_from(["type", "session", "response", "item", "x"]), NESTED), st.binary(max_size=20))
def test_any_client_message_is_translated_or_left_alone(event, noise):
    for dialect in (VoiceLive(), Preview(), GeneralAvailability()):
        assert isinstance(msgspec.json.decode(dialect.client_event(msgspec.json.encode(event))), dict)
        assert dialect.client_event(noise) is noise or msgspec.json.decode(noise) is not None
