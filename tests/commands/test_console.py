"""The console: in this process against small services, and as a program with real speech."""

import asyncio
import base64
import contextlib
import functools
import json
import os
import re
import signal
import subprocess
import sys
import time
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from voicelive_tui.audio import pcm
from voicelive_tui.audio.engine import AudioEngine
from voicelive_tui.audio.format import SAMPLE_RATE, SAMPLE_WIDTH, silence
from voicelive_tui.audio.resample import convert
from voicelive_tui.audio.wav import WavWriter, load_wav
from voicelive_tui.client import links
from voicelive_tui.client.live import LiveSession
from voicelive_tui.client.shell import Observer
from voicelive_tui.commands import console
from voicelive_tui.config import Audio, Function, Service, Session, Settings, Tools
from voicelive_tui.loopback.script import Call, Reply, Script
from voicelive_tui.loopback.service import LoopbackService
from voicelive_tui.session import inputs, reconnect
from voicelive_tui.speech.voice import CALLER, open_voice
from voicelive_tui.tools.run import Toolbox

WICKED = "\x1b[2J\x1b]0;owned\x07[red]\x9b31m\u202e\r\nsecond line \ud800 end"
"""Escape sequences in 7 and 8 bits, markup, a direction override, line ends, half a surrogate pair."""


# --- in this process: a service that says what a test wants

Talk = Callable[[web.WebSocketResponse], Awaitable[None]]


@contextlib.asynccontextmanager
async def service(talk: Talk, *, greet: bool = True) -> AsyncIterator[Service]:
    """A service that talks as told, once the session is configured."""

    async def accept(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        if greet:
            await ws.send_json({"type": "session.created", "session": {"id": "sess_1", "model": "gpt-realtime"}})
            asked = await ws.receive_json()
            assert asked["type"] == "session.update"
        with contextlib.suppress(ConnectionError):
            await talk(ws)
        return ws

    app = web.Application()
    app.router.add_get("/voice-live/realtime", accept)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield Service(endpoint=f"http://127.0.0.1:{runner.addresses[0][1]}", api_key="k", reconnect=False)
    finally:
        await runner.cleanup()


async def ready(ws: web.WebSocketResponse) -> None:
    await ws.send_json({"type": "session.updated", "session": {"id": "sess_1", "model": "gpt-realtime"}})


async def until_closed(ws: web.WebSocketResponse) -> None:
    async for _ in ws:
        pass


async def conversation(
    where: Service,
    *,
    as_json: bool = False,
    write: Callable[[str], None] | None = None,
    observer: Observer | None = None,
    script: console.Script | None = None,
    tools: Tools = Tools(),  # noqa: B008 - frozen
    session: Session = Session(),  # noqa: B008 - frozen
    **audio: Any,
) -> tuple[int, list[str]]:
    """Hold one to its end; its status and lines."""
    lines: list[str] = []
    devices = Audio(**({"input_device": "none", "output_device": "none"} | audio))
    settings = Settings(service=where, session=session, audio=devices, tools=tools)
    live = LiveSession(settings, toolbox=Toolbox(tools.load), attended=False)
    if observer:
        live.observe(observer)
    status = await console.hold_conversation(
        live, write or lines.append, settings.audio, as_json=as_json, script=script or console.Script()
    )
    return status, lines


def words(lines: list[str]) -> list[str]:
    """The lines without their time of day."""
    assert all(re.match(r"\d\d:\d\d:\d\d  ", line) for line in lines)
    return [line[10:] for line in lines]


async def say_something_wicked(ws: web.WebSocketResponse) -> None:
    await ready(ws)
    item = {"id": "item_1", "type": "message", "role": "assistant", "content": []}
    await ws.send_json({"type": "response.created", "response": {"id": "resp_1"}})
    await ws.send_json({"type": "conversation.item.created", "previous_item_id": None, "item": item})
    ids = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
    await ws.send_json({"type": "response.audio_transcript.delta", **ids, "delta": WICKED})
    await ws.send_json({"type": "response.audio_transcript.done", **ids, "transcript": WICKED})
    await ws.send_json({"type": "response.done", "response": {"id": "resp_1", "status": "completed"}})
    await ws.send_json({"type": "error", "error": {"message": WICKED, "code": WICKED}})
    await ws.send_json({"type": WICKED, WICKED: WICKED})
    await ws.send_str("nonsense")
    await ws.close()


async def test_nothing_of_the_service_moves_the_terminal():
    async with service(say_something_wicked) as where:
        status, lines = await conversation(where)
    assert status == 0
    assert all(line.isprintable() for line in lines)
    said = words(lines)
    assert "session ready: sess_1 (model gpt-realtime)" in said
    assert any(line.startswith("assistant:") and "[red]" in line and "second line" in line for line in said)
    assert any(line.startswith("error:") and "owned" in line for line in said)
    assert any("not a readable JSON object" in line for line in said)


async def test_json_lines_are_ascii_safe_and_lose_nothing():
    async with service(say_something_wicked) as where:
        status, lines = await conversation(where, as_json=True)
    assert status == 0
    assert all(line.isprintable() for line in lines)
    events = [json.loads(line) for line in lines]
    assert all(set(event) == {"time", "t", "dir", "event"} for event in events)
    assert {event["dir"] for event in events} == {"in", "out", "local"}
    times = [event["t"] for event in events]
    assert times == sorted(times)
    assert times[0] >= 0
    assert all(abs(event["time"] - event["t"] - (events[0]["time"] - events[0]["t"])) < 0.002 for event in events)
    assert abs(events[-1]["time"] - time.time()) < 60
    kept = WICKED.replace("\ud800", "?")
    assert {"type": kept, kept: kept} in [event["event"] for event in events]


@pytest.mark.parametrize(("code", "status"), [(1000, 0), (1001, 1), (1011, 1), (4000, 1)])
async def test_the_service_ends_it(code, status):
    async def talk(ws: web.WebSocketResponse) -> None:
        await ready(ws)
        await ws.close(code=code)

    async with service(talk) as where:
        got, lines = await conversation(where)
    assert got == status
    told = [line for line in words(lines) if f"(code {code})" in line]
    assert len([line for line in told if line.startswith("failed: ")]) == status


@pytest.mark.parametrize("as_json", [False, True])
async def test_a_lost_session_is_tried_again_until_the_tries_are_used_up(as_json, monkeypatch):
    monkeypatch.setattr(reconnect, "FIRST_SECONDS", 0.01)
    handshakes = 0

    async def accept(request: web.Request) -> web.StreamResponse:
        nonlocal handshakes
        handshakes += 1
        if handshakes > 1:
            return web.Response(status=503)
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.send_json({"type": "session.created", "session": {"id": "sess_1"}})
        await ws.receive_json()
        await ready(ws)
        await ws.close(code=1011)
        return ws

    app = web.Application()
    app.router.add_get("/voice-live/realtime", accept)
    async with TestServer(app) as server:
        status, lines = await conversation(
            Service(endpoint=f"http://127.0.0.1:{server.port}", api_key="k"), as_json=as_json
        )
    assert status == 1
    assert handshakes == 6
    if as_json:
        told = [event for event in map(json.loads, lines) if event["event"]["type"] == "reconnecting"]
        assert [event["event"]["number"] for event in told] == [1, 2, 3, 4, 5]
    else:
        assert [line for line in words(lines) if line.startswith("reconnecting: in")] == [
            f"reconnecting: in 1 s, try {number} of 5" for number in range(1, 6)
        ]
        assert words(lines)[-1].startswith("failed: ")


async def test_a_missing_connection_is_reported_once():
    status, lines = await conversation(Service(endpoint="http://127.0.0.1:1", api_key="k"))
    assert status == 1
    assert [line for line in words(lines) if "refused" in line] == [
        "failed: no connection to http://127.0.0.1:1 (connection refused): check the endpoint"
    ]


async def test_a_refused_configuration():
    async def talk(ws: web.WebSocketResponse) -> None:
        error = {"message": f"no such voice{WICKED}", "code": "invalid_voice", "event_id": "configure-1"}
        await ws.send_json({"type": "error", "error": error})
        await until_closed(ws)

    async with service(talk) as where:
        status, lines = await conversation(where)
    assert status == 1
    assert all(line.isprintable() for line in lines)
    reported = [line for line in words(lines) if "no such voice" in line]
    assert len(reported) == 1
    assert reported[0].startswith("failed: the service refused the session's configuration: no such voice")


async def test_an_unknown_voice_is_reported_in_one_sentence_with_those_that_there_are():
    async with LoopbackService() as its:
        where = Service(endpoint=its.endpoint, api_key="k", reconnect=False)
        status, lines = await conversation(where, session=Session(voice="alloyjenny"))
    assert status == 1
    assert [line for line in words(lines) if "alloyjenny" in line] == [
        "failed: the service refused the session's configuration: Invalid value: 'alloyjenny'. Supported values are: "
        "'alloy', 'ash', 'ballad', 'coral', 'echo', 'sage', 'shimmer', 'verse', 'marin', and 'cedar'. "
        "(code invalid_value, param session.voice)"
    ]


async def test_a_microphone_that_cannot_be_opened(tmp_path):
    async def talk(ws: web.WebSocketResponse) -> None:
        await ready(ws)
        await until_closed(ws)

    async with service(talk) as where:
        status, lines = await conversation(where, input_device=f"file:{tmp_path}/gone.wav")
    assert status == 1
    assert words(lines)[-1].startswith("failed: ")
    assert "gone.wav" in words(lines)[-1]


def wav(path: Path, seconds: float = 0.1) -> str:
    writer = WavWriter(path)
    writer.write(silence(round(seconds * SAMPLE_RATE)))
    writer.close()
    return f"file:{path}"


async def test_a_file_without_speech(tmp_path, monkeypatch):
    monkeypatch.setattr(console, "NO_SPEECH_SECONDS", 0.2)

    async def talk(ws: web.WebSocketResponse) -> None:
        await ready(ws)
        await until_closed(ws)

    async with service(talk) as where:
        status, lines = await conversation(where, as_json=True, input_device=wav(tmp_path / "in.wav"))
    assert status == 1
    last = json.loads(lines[-1])
    assert last["dir"] == "local"
    assert last["event"]["type"] == "failed"
    assert last["event"]["problem"].startswith("no speech heard")


async def test_a_service_that_never_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(console, "PATIENCE_SECONDS", 0.3)

    async def talk(ws: web.WebSocketResponse) -> None:
        await ready(ws)
        ids = {"item_id": "item_1"}
        await ws.send_json({"type": "input_audio_buffer.speech_started", "audio_start_ms": 0, **ids})
        await ws.send_json({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 50, **ids})
        await ws.send_json({"type": "input_audio_buffer.committed", "previous_item_id": None, **ids})
        await until_closed(ws)

    async with service(talk) as where:
        status, lines = await conversation(where, input_device=wav(tmp_path / "in.wav"))
    assert status == 1
    assert words(lines)[-1] == "failed: nothing came from the service for 0.3 s"


@pytest.mark.parametrize("missing", ["session.created", "session.updated"])
async def test_a_session_that_is_never_confirmed(missing, monkeypatch):
    monkeypatch.setattr(links, "CONFIGURE_LIMIT", 2.0)
    closed: list[int | None] = []

    async def talk(ws: web.WebSocketResponse) -> None:
        await until_closed(ws)
        closed.append(ws.close_code)

    async with service(talk, greet=missing != "session.created") as where:
        status, lines = await conversation(where)
    assert status == 1
    assert words(lines)[-1] == f"failed: {where.endpoint} sent no {missing} within 2 s"
    assert closed == [1000]


@pytest.mark.parametrize("sent", [0, 2, 3, 4, 5])
async def test_an_answer_that_stops_halfway(tmp_path, monkeypatch, sent):
    monkeypatch.setattr(console, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(console, "DRAIN_SECONDS", 0.3)

    async def talk(ws: web.WebSocketResponse) -> None:
        await ready(ws)
        ids = {"item_id": "item_1"}
        await ws.send_json({"type": "input_audio_buffer.speech_started", "audio_start_ms": 0, **ids})
        if sent:
            await ws.send_json({"type": "input_audio_buffer.committed", "previous_item_id": None, **ids})
        for event in answer(1)[:sent]:
            await ws.send_json(event)
        await until_closed(ws)

    async with service(talk) as where:
        status, lines = await conversation(where, input_device=wav(tmp_path / "in.wav"))
    assert status == 1
    assert words(lines)[-1] == "failed: nothing came from the service for 0.5 s"


async def test_an_answer_that_never_comes_to_a_message(monkeypatch):
    monkeypatch.setattr(console, "PATIENCE_SECONDS", 0.3)

    async def talk(ws: web.WebSocketResponse) -> None:
        await ready(ws)
        await until_closed(ws)

    async with service(talk) as where:
        status, lines = await conversation(where, script=console.Script(messages=["hello"]))
    assert status == 1
    assert words(lines)[-1] == "failed: nothing came from the service for 0.3 s"


@pytest.mark.parametrize("problem", [BrokenPipeError(32, "Broken pipe"), OSError(28, "No space left on device")])
async def test_an_output_that_ends(problem):
    closed: list[int | None] = []

    async def talk(ws: web.WebSocketResponse) -> None:
        await ready(ws)
        await until_closed(ws)
        closed.append(ws.close_code)

    written: list[str] = []

    def write(line: str) -> None:
        if '"session.updated"' in line:
            raise problem
        written.append(line)

    async with service(talk) as where:
        with pytest.raises(type(problem)) as caught:
            await conversation(where, as_json=True, write=write)
    assert caught.value is problem
    assert written
    assert closed == [1000]


async def test_a_fault_of_our_own_is_not_taken_for_a_good_end():
    async def talk(ws: web.WebSocketResponse) -> None:
        await ready(ws)
        await until_closed(ws)

    def fail(event: inputs.Input, before: object, after: object, now: float) -> None:
        if isinstance(event, inputs.Received) and event.event["type"] == "session.updated":
            raise ZeroDivisionError

    async with service(talk) as where:
        status, lines = await conversation(where, observer=fail)
    assert status == 1
    assert "ZeroDivisionError" in words(lines)[-1]


async def test_it_can_be_cancelled_and_closes_in_order():
    closed: list[int | None] = []
    configured = asyncio.Event()

    async def talk(ws: web.WebSocketResponse) -> None:
        await ready(ws)
        configured.set()
        await until_closed(ws)
        closed.append(ws.close_code)

    async with service(talk) as where:
        task = asyncio.create_task(conversation(where))
        await configured.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert closed == [1000]


async def test_keys_of_the_dashboard_are_not_offered(tmp_path):
    async def talk(ws: web.WebSocketResponse) -> None:
        await ready(ws)
        while (await ws.receive_json())["type"] != "input_audio_buffer.append":
            pass
        await ws.send_json({"type": "input_audio_buffer.speech_started", "audio_start_ms": 0, "item_id": "item_1"})
        await ws.close()

    async with service(talk) as where:
        _, lines = await conversation(where, input_device=wav(tmp_path / "in.wav"))
    assert "listening: you are speaking" in words(lines)
    assert not any("press" in line for line in lines)


async def test_push_to_talk_is_for_the_dashboard():
    async def talk(ws: web.WebSocketResponse) -> None:
        await ws.send_json({"type": "session.updated", "session": {"id": "sess_1", "turn_detection": None}})
        await until_closed(ws)

    async with service(talk) as where:
        status, lines = await conversation(where)
    assert status == 1
    assert words(lines)[-1] == "failed: push-to-talk needs the dashboard's key: choose another --turn-detection"


async def test_an_answer_of_which_nothing_was_heard_is_marked_as_interrupted():
    async def talk(ws: web.WebSocketResponse) -> None:
        await ready(ws)
        ids = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
        await ws.send_json({"type": "response.created", "response": {"id": "resp_1"}})
        await ws.send_json({"type": "response.audio_transcript.delta", **ids, "delta": "Well,"})
        await ws.send_json({"type": "response.audio.delta", **ids, "delta": "AAAA" * 8})  # too little to begin with
        await ws.send_json({"type": "input_audio_buffer.speech_started", "audio_start_ms": 0, "item_id": "item_2"})
        while (await ws.receive_json())["type"] != "conversation.item.truncate":
            pass
        await ws.close()

    async with service(talk) as where:
        _, lines = await conversation(where)
    assert "assistant: Well, [interrupted after 0.0 s]" in words(lines)


@pytest.mark.parametrize(("code", "complete"), [(1000, True), (1000, False), (1011, False)])
async def test_what_arrived_before_the_close_is_written_out(tmp_path, code, complete):
    seconds = 1.5
    loud = np.full(round(seconds * SAMPLE_RATE), 5000, dtype="<i2").tobytes()

    async def talk(ws: web.WebSocketResponse) -> None:
        await ready(ws)
        for event in answer(1, pcm16=base64.b64encode(loud).decode())[: 6 if complete else 3]:
            await ws.send_json(event)
        await asyncio.sleep(0.2)
        await ws.close(code=code)

    target = tmp_path / "out.wav"
    async with service(talk) as where:
        status, _ = await conversation(where, output_device=f"file:{target}")
    assert status == (code != 1000)
    written = pcm.samples(load_wav(target)[0])
    assert np.count_nonzero(written) >= round(seconds * SAMPLE_RATE) - 1  # it begins with a ramp from zero


@pytest.mark.parametrize(("events", "left"), [(3, ["one"]), (7, ["one", "two"])])
async def test_a_session_that_is_closed_before_the_script_is_over_is_a_failure(events, left):
    async def talk(ws: web.WebSocketResponse) -> None:
        await ready(ws)
        while (await ws.receive_json())["type"] != "response.create":
            pass
        for event in answer(1)[:events]:
            await ws.send_json(event)
        await ws.close(code=1000)

    async with service(talk) as where, asyncio.timeout(60):
        status, lines = await conversation(where, script=console.Script(messages=left))
    assert status == 1
    assert words(lines)[-1] == "failed: the service closed the session before everything was said and answered"


async def test_a_speaker_that_stands_still_does_not_delay_the_end(monkeypatch):
    monkeypatch.setattr(console, "DRAIN_SECONDS", 0.3)
    monkeypatch.setattr(AudioEngine, "fill", lambda self, block, at, now: None)

    async def talk(ws: web.WebSocketResponse) -> None:
        await ready(ws)
        for event in answer(1):
            await ws.send_json(event)
        await ws.close()

    async with service(talk) as where, asyncio.timeout(60):
        status, _ = await conversation(where)
    assert status == 0


# --- what a script says


def answer(number: int, *, status: str = "completed", pcm16: str = "AAAA" * 1600) -> list[dict[str, Any]]:
    """The events of a spoken answer."""
    response, item = f"resp_{number}", f"answer_{number}"
    ids = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}
    error = {"type": "failed", "error": {"code": "server_error", "message": "the model is overloaded"}}
    sound = [
        {"type": "response.audio_transcript.delta", **ids, "delta": f"Answer {number}."},
        {"type": "response.audio.delta", **ids, "delta": pcm16},
        {"type": "response.audio.done", **ids},
        {"type": "response.audio_transcript.done", **ids, "transcript": f"Answer {number}."},
    ]
    details = {"status_details": error} if status == "failed" else {}
    return [
        {"type": "response.created", "response": {"id": response}},
        *([] if status == "failed" else sound),
        {"type": "response.done", "response": {"id": response, "status": status, **details}},
    ]


async def answer_everything(ws: web.WebSocketResponse, *, pause: float = 0.0, status: str = "completed") -> None:
    """Answer typed messages, and each file's worth of sound as if it were speech."""
    await ready(ws)
    number, heard = 0, 0
    async for message in ws:
        event = json.loads(message.data)
        spoke = False
        if event["type"] == "input_audio_buffer.append":
            sound = base64.b64decode(event["audio"])
            heard = heard + 1 if any(sound) else 0
            spoke = heard == 2
        if spoke or event["type"] == "response.create":
            number += 1
        if spoke:
            ids = {"item_id": f"item_{number}"}
            await ws.send_json({"type": "input_audio_buffer.speech_started", "audio_start_ms": 0, **ids})
            await ws.send_json({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 50, **ids})
            await ws.send_json({"type": "input_audio_buffer.committed", "previous_item_id": None, **ids})
        if spoke or event["type"] == "response.create":
            await asyncio.sleep(pause)
            for reply in answer(number, status=status):
                await ws.send_json(reply)


def tone(path: Path, level: int = 3000) -> str:
    """A file with 0.1 s of a constant that is not silence."""
    writer = WavWriter(path)
    writer.write(np.full(SAMPLE_RATE // 10, level, dtype="<i2").tobytes())
    writer.close()
    return f"file:{path}"


def of_type(lines: list[str], *wanted: str) -> list[dict[str, Any]]:
    """Events of some types, in order."""
    return [event for line in lines if (event := json.loads(line)["event"])["type"] in wanted]


async def test_each_message_is_typed_after_the_answer_to_the_one_before():
    script = console.Script(messages=["one", "two", "three"])
    async with service(answer_everything) as where:
        status, lines = await conversation(where, as_json=True, script=script)
    assert status == 0
    order = of_type(lines, "text_typed", "playback_finished")
    assert [event.get("text", "answered") for event in order] == [
        "one",
        "answered",
        "two",
        "answered",
        "three",
        "answered",
    ]


async def test_several_files_are_said_one_after_another_and_then_the_messages(tmp_path):
    first = tone(tmp_path / "first.wav")
    script = console.Script(files=[tone(tmp_path / "second.wav"), first, first], messages=["bye"])
    async with service(answer_everything) as where:
        status, lines = await conversation(where, as_json=True, script=script, input_device=first)
    assert status == 0
    kinds = [
        event["type"] for event in of_type(lines, "input_audio_buffer.committed", "playback_finished", "text_typed")
    ]
    assert kinds == ["input_audio_buffer.committed", "playback_finished"] * 4 + ["text_typed", "playback_finished"]


async def test_the_delay_of_each_turn_is_written_with_its_parts_and_at_the_end_the_percentiles():
    script = console.Script(messages=["one", "two"])
    async with service(functools.partial(answer_everything, pause=0.2)) as where:
        status, lines = await conversation(where, as_json=True, script=script)
        _, in_words = await conversation(where, script=script)
    assert status == 0
    first, second = of_type(lines, "turn_delay")
    assert (first["turn"], second["turn"]) == (1, 2)
    for delay in (first, second):
        assert delay["ms"] == pytest.approx(sum(delay["parts"].values()), abs=0.5)
        assert delay["parts"]["start"] >= 200
        assert set(delay["parts"]) <= {"start", "first_words", "first_sound", "speaker"}
    (total,) = of_type(lines, "delays")
    fast, slow = sorted([first["ms"], second["ms"]])
    assert (total["turns"], total["p50_ms"], total["p95_ms"], total["worst_ms"]) == (2, fast, slow, slow)
    said = words(in_words)
    assert any(re.fullmatch(r"delay of turn 2: \d+ ms \(start .*\)", line) for line in said)
    assert re.fullmatch(r"delay of 2 turns: p50 .* ms, p95 .* ms, worst .* ms", said[-1])


@pytest.mark.parametrize(("limit", "status"), [(150.0, 1), (60_000.0, 0)])
async def test_a_turn_slower_than_allowed_fails_the_conversation(limit, status):
    script = console.Script(messages=["one"], max_delay_ms=limit)
    async with service(functools.partial(answer_everything, pause=0.2)) as where:
        got, lines = await conversation(where, script=script)
    assert got == status
    assert words(lines)[-1].startswith("failed: 1 of 1 turns were too slow: the slowest took ") is (status == 1)


async def test_an_answer_that_failed_fails_the_conversation():
    script = console.Script(messages=["one"])
    async with service(functools.partial(answer_everything, status="failed")) as where:
        status, lines = await conversation(where, script=script)
    assert status == 1
    assert words(lines)[-1].startswith("failed: the response failed: the model is overloaded")


async def test_input_none_without_anything_to_say_is_pointed_out_in_the_first_line():
    async def talk(ws: web.WebSocketResponse) -> None:
        await ready(ws)
        await ws.close()

    async with service(talk) as where:
        _, lines = await conversation(where)
        _, objects = await conversation(where, as_json=True)
    assert words(lines)[0].endswith("nothing will be sent")
    assert json.loads(objects[0])["event"] == {"type": "notice", "text": words(lines)[0]}


# --- as a program, with real speech

PROGRAM = [sys.executable, "-m", "voicelive_tui", "console", "--demo"]
BRIEF = ("--script", str(Path(__file__).parents[1] / "data" / "brief.toml"))
programs = pytest.mark.xdist_group("console programs")


def environment(folder: Path) -> dict[str, str]:
    """Nothing of the user's own settings, and a place for the log."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AZURE_")}
    return kept | {"XDG_CONFIG_HOME": str(folder / "config"), "XDG_STATE_HOME": str(folder / "state")}


def start(folder: Path, *arguments: str, **options: Any) -> "subprocess.Popen[str]":
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen([*PROGRAM, *arguments], env=environment(folder), cwd=folder, text=True, **pipes)


@contextlib.contextmanager
def started(folder: Path, *arguments: str, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """A program that is gone when the test is."""
    with start(folder, *arguments, **options) as program:
        try:
            yield program
        finally:
            program.kill()


@dataclass
class Ended:
    """A program that has come to its end."""

    status: int
    out: str
    err: str
    answer: Path

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def times(self, event_type: str) -> list[float]:
        """When events of that type were seen, by the clock of "t"."""
        return [line["t"] for line in self.events if line["event"]["type"] == event_type]


def speech_at(path: Path, rate: int, channels: int) -> str:
    """A question, really spoken where there is a voice, at any rate and channel count."""
    spoken = open_voice().speak("Hello, how are you today?", CALLER).samples.astype("<i2").tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.to_channels(convert(spoken, SAMPLE_RATE, rate), channels))
    return f"file:{path}"


@pytest.fixture(scope="module")
def ended(tmp_path_factory) -> Iterator[dict[str, Ended]]:
    """Three conversations at once: each mostly waits for sound to be played."""
    folder = tmp_path_factory.mktemp("console")
    inputs_ = {
        "mono": (speech_at(folder / "mono.wav", 24_000, 1), "--json"),
        "stereo": (speech_at(folder / "stereo.wav", 44_100, 2), "--json"),
        "words": (speech_at(folder / "words.wav", 24_000, 1),),
        "silent": (wav(folder / "silent.wav", 0.5), "--json"),
    }
    running = {}
    for name, (source, *more) in inputs_.items():
        answer = folder / f"{name}-answer.wav"
        arguments = ["--input-device", source, "--output-device", f"file:{answer}", *BRIEF, *more]
        with (folder / f"{name}.out").open("w") as out:  # a pipe would fill up and stop the program
            running[name] = (start(folder, *arguments, stdout=out), answer)
    results = {}
    try:
        for name, (program, answer) in running.items():
            _, err = program.communicate(timeout=120)
            results[name] = Ended(program.returncode, (folder / f"{name}.out").read_text(), err, answer)
        yield results
    finally:
        for program, _ in running.values():
            program.kill()


@programs
@pytest.mark.parametrize("name", ["mono", "stereo"])
def test_a_spoken_question_is_answered_and_it_ends_by_itself(ended, name):
    program = ended[name]
    assert (program.status, program.err) == (0, "")
    for event_type in (
        "session.created",
        "session.updated",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "response.created",
        "response.done",
        "playback_started",
        "playback_finished",
    ):
        assert len(program.times(event_type)) == 1, event_type
    assert program.times("response.done")[0] < program.times("playback_finished")[0]
    directions = {line["event"]["type"]: line["dir"] for line in program.events}
    assert directions["response.done"] == "in"
    assert directions["session.update"] == directions["input_audio_buffer.append"] == "out"
    assert directions["playback_started"] == "local"


@programs
@pytest.mark.parametrize("name", ["mono", "stereo"])
def test_the_lines_carry_no_sound_but_its_size(ended, name):
    events = [line["event"] for line in ended[name].events]
    deltas = [event["delta"] for event in events if event["type"] == "response.audio.delta"]
    appends = [event["audio"] for event in events if event["type"] == "input_audio_buffer.append"]
    assert all(set(sound) == {"bytes"} for sound in deltas + appends)
    assert {sound["bytes"] for sound in appends} == {40 * 48}
    assert max(map(len, ended[name].out.splitlines())) < 10_000


@programs
@pytest.mark.parametrize("name", ["mono", "stereo"])
def test_the_answer_stands_in_the_file_where_it_was_played_and_silence_elsewhere(ended, name):
    program = ended[name]
    sound = pcm.samples(load_wav(program.answer)[0])
    audible = np.flatnonzero(sound)
    first, last = audible[0] / SAMPLE_RATE, (audible[-1] + 1) / SAMPLE_RATE
    (opened,) = (line["t"] for line in program.events if line["event"].get("direction") == "output")
    (began,) = (line["event"]["at"] for line in program.events if line["event"]["type"] == "playback_started")
    (played,) = (line["event"]["heard_ms"] for line in program.events if line["event"]["type"] == "playback_finished")
    deltas = [
        line["event"]["delta"]["bytes"] for line in program.events if line["event"]["type"].endswith("audio.delta")
    ]
    generated = sum(deltas) / (SAMPLE_RATE * SAMPLE_WIDTH)
    # The file begins when playback opens, which is reported a moment later.
    assert -0.05 <= first - (began - opened) <= 0.5
    assert played / 1000 == pytest.approx(generated, abs=0.001)
    # Speech begins and ends with a little silence of its own; a machine that stalls leaves gaps in it.
    (finished,) = program.times("playback_finished")
    assert generated - 0.7 <= last - first <= finished - began
    assert len(audible) <= generated * SAMPLE_RATE
    assert not sound[: int((first - 0.001) * SAMPLE_RATE)].any()
    assert pcm.level(sound[audible[0] : audible[-1]].tobytes()).rms > -35
    assert len(sound) / SAMPLE_RATE >= last


@programs
def test_a_converted_input_is_reported(ended):
    (told,) = (line["event"] for line in ended["stereo"].events if line["event"].get("direction") == "input")
    assert "44100 Hz stereo, converted to 24000 Hz mono" in told["description"]


@programs
def test_the_same_in_words(ended):
    program = ended["words"]
    assert (program.status, program.err) == (0, "")
    *lines, summary = program.out.splitlines()
    said = words(lines)
    order = [
        "session ready: sess_",
        "ready: say something",
        "listening: you are speaking",
        "thinking: waiting for the answer",
        "speaking",
        "assistant: I heard you for 1.",
        "ready",  # the sound file is over: there is nothing more to say
    ]
    remaining = iter(said)
    for beginning in order:
        assert any(line.startswith(beginning) for line in remaining), beginning
    assert any(line.startswith("user: [speech, 1.") for line in said)
    assert re.fullmatch(
        r"voicelive-tui: conversation of 0:\d\d, 1 turn, \d+ tokens \(\d+ in, \d+ out\); "
        r"closed with code 1000; log: \S+",
        summary,
    )


@programs
def test_a_silent_file_is_an_error(ended):
    program = ended["silent"]
    assert (program.status, program.err) == (1, "")
    assert program.events[-1]["event"]["problem"].startswith("no speech heard")
    assert not pcm.samples(load_wav(program.answer)[0]).any()


@programs
@pytest.mark.parametrize(
    ("number", "status", "as_json"), [("SIGTERM", 0, True), ("SIGHUP", 0, False), ("SIGINT", 130, True)]
)
def test_signals_end_it_in_order(tmp_path, number, status, as_json):
    devices = ["--input-device", "none", "--output-device", "none"]
    with started(tmp_path, *devices, *(["--json"] if as_json else [])) as program:
        wanted = '"session.updated"' if as_json else "ready"
        lines = []
        while not lines or wanted not in lines[-1]:
            lines.append(program.stdout.readline())
            assert lines[-1], program.stderr.read()
        program.send_signal(signal.Signals[number])
        out, err = program.communicate(timeout=120)
    assert (program.returncode, err) == (status, "")
    if as_json:
        told = [json.loads(line) for line in [*lines, *out.splitlines()]]
        end = [line["event"]["type"] for line in told].index("disconnected")
        assert (told[end]["event"]["code"], told[end]["event"]["problem"]) == (1000, "")
        assert {line["dir"] for line in told[end:]} == {"local"}
    else:
        assert "closed with code 1000" in out.splitlines()[-1]
    assert "cleaned up" in (tmp_path / "state" / "voicelive-tui" / "voicelive-tui.log").read_text()


@programs
@pytest.mark.parametrize(("number", "status"), [("SIGTERM", 0), ("SIGINT", 130)])
def test_signals_end_it_while_it_starts(tmp_path, number, status):
    about_to_start = tmp_path / "state" / "voicelive-tui" / "voicelive-tui.native.log"
    with started(tmp_path, "--input-device", "none", "--output-device", "none") as program:
        while not about_to_start.exists():
            assert program.poll() is None
            time.sleep(0.001)
        program.send_signal(signal.Signals[number])
        _, err = program.communicate(timeout=120)
        assert (program.returncode, err) == (status, "")


@programs
def test_a_reader_that_has_seen_enough(tmp_path):
    with started(tmp_path, "--input-device", "none", "--output-device", "none", "--json") as program:
        assert json.loads(program.stdout.readline())["event"]["type"] == "notice"
        program.stdout.close()
        assert program.wait(timeout=120) == 0
        assert program.stderr.read() == ""


@programs
def test_lines_of_stdin_are_typed_in_a_demo_that_says_so_first(tmp_path):
    pipes = {"stdin": subprocess.PIPE}
    with started(tmp_path, *BRIEF, "--output-device", "none", "--json", "--say", "-", **pipes) as program:
        out, err = program.communicate("hi\n\n  there \n", timeout=120)
    assert (program.returncode, err) == (0, "")
    assert json.loads(out.splitlines()[0])["event"]["text"].startswith("DEMO: ")
    assert [event["text"] for event in of_type(out.splitlines(), "text_typed")] == ["hi", "there"]


@programs
def test_without_sound_a_file_needs_no_output_device(tmp_path, monkeypatch):
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/no-server")
    with started(tmp_path, *BRIEF, "--input-device", speech_at(tmp_path / "in.wav", 24_000, 1)) as program:
        out, err = program.communicate(timeout=120)
    assert (program.returncode, err) == (0, "")
    assert "assistant: I heard you for 1." in out


@programs
def test_a_full_disk(tmp_path):
    devices = ["--input-device", "none", "--output-device", "none"]
    with Path("/dev/full").open("w") as full, started(tmp_path, *devices, "--json", stdout=full) as program:
        _, err = program.communicate(timeout=120)
        assert program.returncode == 1
    assert err == "voicelive-tui: the output cannot be written: No space left on device\n"


# --- tools

SLOW = '''
import asyncio

async def wait() -> str:
    """Wait."""
    print("on the screen?")
    await asyncio.sleep(3.0)
    return "waited"

def add(a: int) -> int:
    """Add."""
    return a
'''


@pytest.fixture
def tools(tmp_path):
    path = tmp_path / "functions.py"
    path.write_text(SLOW)
    return Tools(load=(str(path),), functions={"add": Function(policy="ask")})


@pytest.mark.parametrize("as_json", [False, True])
async def test_a_slow_function_is_waited_for_and_what_it_prints_is_in_no_line(tools, monkeypatch, capsys, as_json):
    monkeypatch.setattr(console, "PATIENCE_SECONDS", 2.0)
    replies = (Reply(on="text", calls=(Call("wait"),)), Reply(on="tool", say="It says {output}."))
    async with LoopbackService(script=Script(delay_ms=20, speed=50, reply=replies)) as service:
        where = Service(endpoint=service.endpoint, api_key="k")
        status, lines = await conversation(where, as_json=as_json, script=console.Script(messages=("go",)), tools=tools)
    assert status == 0
    assert any("It says waited." in line for line in lines)
    assert not any("on the screen?" in line for line in [*lines, *capsys.readouterr()])


async def test_a_function_that_needs_an_approval_is_refused_and_reported(tools):
    replies = (Reply(on="text", calls=(Call("add", {"a": 1}),)), Reply(on="tool", say="Well."))
    async with LoopbackService(script=Script(delay_ms=20, speed=50, reply=replies)) as service:
        where = Service(endpoint=service.endpoint, api_key="k")
        status, lines = await conversation(where, script=console.Script(messages=("go",)), tools=tools)
    assert status == 0
    assert any("add" in line and "needs an approval" in line for line in words(lines))
