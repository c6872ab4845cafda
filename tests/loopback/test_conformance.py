"""Conformance through the real SDK: its calls, its models, its exceptions, over a real socket.

The order of events in every case is `test_brain`'s, in virtual time. Here is what only the SDK can show: that its own
methods are understood, that what comes back are its own models, and what Microsoft's live tests ask of the service
as far as no words have to be recognised.
"""

import asyncio
import base64
import contextlib

import numpy as np
import pytest
from azure.ai.voicelive.aio import ConnectionClosed, ConnectionError, connect  # noqa: A004  the SDK's own name
from azure.ai.voicelive.models import (
    AudioEchoCancellation,
    AzureSemanticVad,
    AzureStandardVoice,
    ClientEventInputTextDelta,
    ClientEventSessionAvatarConnect,
    FunctionCallOutputItem,
    FunctionTool,
    InputTextContentPart,
    MessageRole,
    RequestSession,
    ResponseCreateParams,
    ServerEvent,
    ServerEventType,
    ServerVad,
    SystemMessageItem,
    UserMessageItem,
)
from azure.core.credentials import AccessToken, AzureKeyCredential
from azure.core.credentials_async import AsyncTokenCredential

from tests.loopback.lab import clip, milliseconds, silence, speech
from voicelive_tui.audio import pcm
from voicelive_tui.audio.resample import convert
from voicelive_tui.loopback.faults import parse
from voicelive_tui.loopback.formats import AudioFormat
from voicelive_tui.loopback.script import Call, Reply, Script
from voicelive_tui.loopback.service import LoopbackService

QUICK = Script(delay_ms=60, speed=40.0)
BOTH = pytest.mark.parametrize("model", ["gpt-realtime", "gpt-4.1"])
WEATHER = FunctionTool(name="get_weather", parameters={"type": "object", "properties": {}})


class Client:
    """The SDK's connection and everything that came from it."""

    def __init__(self, conn):
        self.conn = conn
        self.events = []

    async def until(self, *kinds, limit=60):
        """Read up to the first event of one of these types, and return it."""
        async with asyncio.timeout(limit):
            while True:
                event = await self.conn.recv()
                self.events.append(event)
                if event.type in kinds:
                    return event

    async def say(self, samples, fmt=None, chunk_ms=None):
        """Append audio faster than real time, by default in one event."""
        fmt = fmt or AudioFormat("pcm16", 24_000)
        data = fmt.encode(samples)
        size = fmt.size(chunk_ms) if chunk_ms else len(data)
        for at in range(0, len(data), size):
            await self.conn.input_audio_buffer.append(audio=base64.b64encode(data[at : at + size]).decode())

    async def type(self, text):
        await self.conn.conversation.item.create(item=UserMessageItem(content=[InputTextContentPart(text=text)]))

    def kinds(self):
        return [event.type for event in self.events]

    def audio(self):
        """The bytes of every audio delta so far."""
        return b"".join(event.delta for event in self.events if event.type == "response.audio.delta")


@contextlib.asynccontextmanager
async def client(model="gpt-realtime", session=None, script=QUICK, **options):
    async with LoopbackService(script=script, **options) as service:
        credential = AzureKeyCredential("any")
        async with connect(endpoint=service.endpoint, credential=credential, model=model) as conn:
            it = Client(conn)
            if session is not None:
                await conn.session.update(session=session)
                await it.until(ServerEventType.SESSION_UPDATED)
            yield it


def vad(**more):
    return RequestSession(
        turn_detection=ServerVad(threshold=0.5, prefix_padding_ms=300, silence_duration_ms=200), **more
    )


# ---- each call of the SDK


@BOTH
async def test_session_update_typed_and_raw(model):
    async with client(model) as it:
        created = await it.until(ServerEventType.SESSION_CREATED)
        assert created.session.id.startswith("sess_")
        assert created.session.expires_at.year >= 2026
        voice = AzureStandardVoice(name="en-US-Ava:DragonHDLatestNeural")
        echo = AudioEchoCancellation()
        await it.conn.session.update(session=RequestSession(voice=voice, input_audio_echo_cancellation=echo))
        updated = (await it.until(ServerEventType.SESSION_UPDATED)).session
        assert updated.voice["name"] == "en-US-Ava:DragonHDLatestNeural"
        assert updated.input_audio_echo_cancellation.type == "server_echo_cancellation"
        await it.conn.session.update(session=RequestSession(turn_detection=None), event_id="mine")
        assert (await it.until(ServerEventType.SESSION_UPDATED)).session.turn_detection is None
        await it.conn.session.update(session={"modalities": ["audio"]}, event_id="mine")
        error = (await it.until(ServerEventType.ERROR)).error
        assert (error.code, error.event_id) == ("invalid_value", "mine")


@BOTH
async def test_a_spoken_turn(model):
    async with client(model, vad()) as it:
        await it.say(clip(speech(), 1000), chunk_ms=40)
        done = await it.until(ServerEventType.RESPONSE_DONE)
        assert done.response.status == "completed"
        assert done.response.usage.output_token_details.audio_tokens > 0
        part = done.response.output[0].content[0]
        assert part.transcript.startswith("I heard you for ")
        assert len(it.audio()) > 50_000
        unmodelled = {event.type for event in it.events if type(event) is ServerEvent}
        assert unmodelled <= {"conversation.item.done"}


@BOTH
async def test_push_to_talk(model):
    async with client(model, RequestSession(turn_detection=None)) as it:
        await it.say(clip(speech(), 300))
        await it.conn.input_audio_buffer.commit()
        await it.until(ServerEventType.CONVERSATION_ITEM_CREATED)
        await it.conn.response.create()
        assert (await it.until(ServerEventType.RESPONSE_DONE)).response.status == "completed"
        assert "input_audio_buffer.speech_started" not in it.kinds()


async def test_commit_and_clear_of_nothing():
    async with client(session=RequestSession(turn_detection=None)) as it:
        await it.conn.input_audio_buffer.commit()
        assert (await it.until(ServerEventType.ERROR)).error.code == "input_audio_buffer_commit_empty"
        await it.conn.input_audio_buffer.clear()
        await it.until(ServerEventType.INPUT_AUDIO_BUFFER_CLEARED)


@BOTH
async def test_items_are_created_retrieved_truncated_and_deleted(model):
    async with client(model, RequestSession(modalities=["text", "audio"])) as it:
        system = SystemMessageItem(id="mine", content=[InputTextContentPart(text="Be brief.")])
        await it.conn.conversation.item.create(item=system)
        created = await it.until(ServerEventType.CONVERSATION_ITEM_CREATED)
        assert (created.item.id, created.item.role) == ("mine", MessageRole.SYSTEM)
        other = SystemMessageItem(content=[InputTextContentPart(text="x")])
        await it.conn.conversation.item.create(item=other, previous_item_id="nowhere")
        assert (await it.until(ServerEventType.ERROR)).error.param == "previous_item_id"
        await it.type("hello")
        await it.conn.response.create()
        item = (await it.until(ServerEventType.RESPONSE_OUTPUT_ITEM_DONE)).item
        await it.conn.conversation.item.retrieve(item_id=item.id)
        retrieved = (await it.until(ServerEventType.CONVERSATION_ITEM_RETRIEVED)).item
        assert (retrieved.type, retrieved.role) == ("message", "assistant")
        assert "hello" in retrieved.content[0].transcript
        await it.conn.conversation.item.truncate(item_id=item.id, content_index=0, audio_end_ms=1000)
        truncated = await it.until(ServerEventType.CONVERSATION_ITEM_TRUNCATED)
        assert (truncated.item_id, truncated.audio_end_ms) == (item.id, 1000)
        await it.conn.conversation.item.truncate(item_id=item.id, content_index=0, audio_end_ms=1001)
        assert (await it.until(ServerEventType.ERROR)).error.code == "invalid_value"
        await it.conn.conversation.item.delete(item_id="mine")
        assert (await it.until(ServerEventType.CONVERSATION_ITEM_DELETED)).item_id == "mine"
        await it.conn.conversation.item.retrieve(item_id="mine")
        assert (await it.until(ServerEventType.ERROR)).error.code == "item_retrieve_invalid_item_id"


@BOTH
async def test_cancel_and_the_harmless_errors(model):
    async with client(model, script=None) as it:
        await it.type("hello")
        await it.conn.response.create()
        created = await it.until(ServerEventType.RESPONSE_CREATED)
        await it.conn.response.create(event_id="second")
        error = (await it.until(ServerEventType.ERROR)).error
        assert (error.code, error.event_id) == ("conversation_already_has_active_response", "second")
        await it.conn.response.cancel(response_id=created.response.id)
        done = await it.until(ServerEventType.RESPONSE_DONE)
        assert done.response.status == "cancelled"
        assert done.response.status_details.reason == "client_cancelled"
        await it.conn.response.cancel()
        error = (await it.until(ServerEventType.ERROR)).error
        assert error.message == "Cancellation failed: no active response found"


async def test_overrides_of_a_response():
    async with client() as it:
        params = ResponseCreateParams(
            modalities=["text"], metadata={"k": "v"}, max_output_tokens=5, instructions="x", input_items=[]
        )
        await it.conn.response.create(response=params, additional_instructions="y")
        response = (await it.until(ServerEventType.RESPONSE_DONE)).response
        assert (response.status, response.status_details.reason) == ("incomplete", "max_output_tokens")
        assert response.metadata == {"k": "v"}
        assert "response.text.delta" in it.kinds()


@BOTH
async def test_a_function_call(model):
    script = Script(
        delay_ms=50, speed=40.0, reply=(Reply(on="text", calls=(Call("get_weather", {"location": "Beijing"}),)),)
    )
    async with client(model, RequestSession(tools=[WEATHER]), script) as it:
        await it.type("weather?")
        await it.conn.response.create()
        call = await it.until(ServerEventType.RESPONSE_FUNCTION_CALL_ARGUMENTS_DONE)
        assert (call.name, call.arguments) == ("get_weather", '{"location":"Beijing"}')
        # The output is accepted even before response.done, as it is by the service.
        await it.conn.conversation.item.create(item=FunctionCallOutputItem(call_id=call.call_id, output="sunny, 25"))
        await it.until(ServerEventType.RESPONSE_DONE)
        await it.conn.response.create()
        said = await it.until(ServerEventType.RESPONSE_AUDIO_TRANSCRIPT_DONE)
        assert "sunny, 25" in said.transcript


async def test_unsupported_features_are_refused_and_the_session_goes_on():
    async with client() as it:
        for event in (
            ClientEventSessionAvatarConnect(client_sdp=""),
            ClientEventInputTextDelta(id="1", delta="x"),
            {"type": "output_audio_buffer.clear"},
            {"type": "input_audio.turn.start", "turn_id": "1"},
            "a JSON string",
            [],
            None,
        ):
            await it.conn.send(event)
            assert (await it.until(ServerEventType.ERROR)).error.type == "invalid_request_error"
        await it.conn.session.update(session={})
        await it.until(ServerEventType.SESSION_UPDATED)


# ---- handshake and end, as the SDK reports them


@pytest.mark.parametrize(("spec", "status"), [("refuse=403", 403), ("throttle", 429), ("refuse=200", 200)])
async def test_a_refused_handshake(spec, status):
    async with LoopbackService(faults=[parse(spec)]) as service:
        with pytest.raises(ConnectionError) as info:
            async with connect(endpoint=service.endpoint, credential=AzureKeyCredential("x"), model="m"):
                pass
    assert info.value.__cause__.status == status


async def test_a_redirect_is_not_followed():
    async with LoopbackService(faults=[parse("redirect")]) as service:
        with pytest.raises(ConnectionError, match="redirects are not supported"):
            async with connect(endpoint=service.endpoint, credential=AzureKeyCredential("x"), model="m"):
                pass


async def test_a_token_credential_is_accepted():
    class Token(AsyncTokenCredential):
        async def get_token(self, *scopes, **_):
            return AccessToken("t0ken", 2_000_000_000)

        async def close(self):
            pass

        async def __aexit__(self, *_):
            pass

    async with (
        LoopbackService(api_key="t0ken") as service,
        connect(endpoint=service.endpoint, credential=Token(), model="gpt-realtime") as conn,
    ):
        assert (await conn.recv()).type == "session.created"


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 4000])
async def test_close_codes_arrive(code):
    async with client(faults=[parse(f"close={code}@session.created")]) as it:
        await it.until(ServerEventType.SESSION_CREATED)
        with pytest.raises(ConnectionClosed) as info:
            await it.conn.recv()
        assert info.value.code == code


@pytest.mark.parametrize("way", ["endpoint", "query"])
async def test_faults_can_be_requested_through_the_sdk(way):
    fault = "close=4242@session.created"
    async with LoopbackService() as service:
        endpoint = service.endpoint + (f"?fault={fault}" if way == "endpoint" else "")
        query = {"fault": fault} if way == "query" else {}
        async with connect(endpoint=endpoint, credential=AzureKeyCredential("x"), model="m", query=query) as conn:
            await conn.recv()
            with pytest.raises(ConnectionClosed) as info:
                await conn.recv()
    assert info.value.code == 4242


# ---- what Microsoft's live tests ask, with clips of our own


@BOTH
@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
async def test_the_clock_starts_at_0_and_ends_with_the_silence(model, rate):
    fmt = AudioFormat("pcm16", rate)
    samples = pcm.samples(convert(speech().tobytes(), 24_000, rate))
    async with client(model, vad(input_audio_sampling_rate=rate)) as it:
        await it.say(samples, fmt)
        await it.say(silence(2000, rate), fmt)
        started = await it.until(ServerEventType.INPUT_AUDIO_BUFFER_SPEECH_STARTED)
        stopped = await it.until(ServerEventType.INPUT_AUDIO_BUFFER_SPEECH_STOPPED)
        assert started.audio_start_ms == 0
        assert stopped.audio_end_ms == pytest.approx(milliseconds(speech()) + 200, abs=50)
        updated = next(event for event in it.events if event.type == "session.updated")
        assert updated.session.input_audio_sampling_rate == rate


@pytest.mark.parametrize("coding", ["g711_ulaw", "g711_alaw"])
async def test_g711_in_and_out(coding):
    fmt = AudioFormat(coding, 8000)
    samples = pcm.samples(convert(clip(speech(), 1000).tobytes(), 24_000, 8000))
    async with client(session=vad(input_audio_format=coding, output_audio_format=coding)) as it:
        await it.say(samples, fmt)
        # Zero bytes are loud and steady in G.711, and still no speech.
        await it.conn.input_audio_buffer.append(audio=base64.b64encode(bytes(16_000)).decode())
        await it.until(ServerEventType.RESPONSE_DONE)
        assert len(it.audio()) > 10_240
        assert it.kinds().count("input_audio_buffer.speech_started") == 1


@pytest.mark.parametrize("kind", [ServerVad, AzureSemanticVad])
async def test_exactly_two_turns_on_a_clip_with_one_pause(kind):
    async with client(session=RequestSession(turn_detection=kind())) as it:
        await it.say(clip(300, speech(), 1000, speech(), 1000))
        done = [await it.until(ServerEventType.RESPONSE_DONE) for _ in range(2)]
        assert [event.response.status for event in done] == ["cancelled", "completed"]
        assert it.kinds().count("input_audio_buffer.speech_started") == 2


async def test_no_turn_on_fillers_when_they_are_removed():
    detection = AzureSemanticVad(remove_filler_words=True)
    async with client(session=RequestSession(turn_detection=detection)) as it:
        await it.say(clip(500, speech("umm"), 700, speech("uh"), 700, speech("hmm"), 1000))
        await it.conn.session.update(session={})
        await it.until(ServerEventType.SESSION_UPDATED)
        assert "input_audio_buffer.speech_started" not in it.kinds()


async def test_bytes_that_are_not_audio_are_harmless_without_turn_detection():
    async with client(session=RequestSession(turn_detection=None)) as it:
        noise = np.random.default_rng(3).bytes(48_000)  # as an MP3 file would look
        await it.conn.input_audio_buffer.append(audio=base64.b64encode(noise).decode())
        await it.conn.input_audio_buffer.commit()
        await it.until(ServerEventType.INPUT_AUDIO_BUFFER_COMMITTED)
        await it.conn.response.create()
        await it.until(ServerEventType.RESPONSE_DONE)
        assert len(it.audio()) > 10_240
        assert "response.audio_transcript.delta" in it.kinds()


async def test_word_timestamps_and_visemes():
    pytest.importorskip("espeakng_loader")
    session = vad(voice=AzureStandardVoice(name="en-US-AvaNeural"), output_audio_timestamp_types=["word"])
    session["animation"] = {"outputs": ["viseme_id"]}
    async with client("gpt-4.1", session) as it:
        await it.say(clip(speech(), 1000))
        await it.until(ServerEventType.RESPONSE_DONE)
        words = [event for event in it.events if event.type == "response.audio_timestamp.delta"]
        visemes = [event for event in it.events if event.type == "response.animation_viseme.delta"]
        assert [word.text for word in words][:4] == ["I", "heard", "you", "for"]
        assert len({viseme.viseme_id for viseme in visemes}) > 5
        kinds = it.kinds()
        assert kinds.count("response.audio_timestamp.done") == kinds.count("response.animation_viseme.done") == 1
