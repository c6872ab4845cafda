"""Scripted services for benchmarks, each in a process of its own: `Flood` and `Conversation`.

Both note when each event was handed to the socket (`time.monotonic()`, one clock for all processes).
"""

import asyncio
import base64
import json
import math
import multiprocessing
import random
import time
from collections.abc import AsyncIterator, Callable
from multiprocessing.connection import Connection

from aiohttp import web

BYTES_PER_MS = 48
"""Mono PCM16 at 24 kHz."""
AUDIO_MS = 20
LEAD_MS = 300
"""Audio that `Flood` sends at once: a service generates faster than real time."""
WORDS_PER_ANSWER = 160

Script = Callable[[web.WebSocketResponse], AsyncIterator[float]]
"""Sends events and yields the send time of each event that is measured."""


class ScriptedService:
    """A service that accepts one session, plays a script and reports send times; use `endpoint`, `sent`, `end`."""

    def __init__(self, script: Script) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("fork").Process(target=_serve, args=(theirs, script), daemon=True)
        self._process.start()
        self.endpoint: str = self._pipe.recv()

    def sent(self) -> list[float]:
        """Send times of the measured events; waits for the last one."""
        times: list[float] = self._pipe.recv()
        return times

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()


class Flood(ScriptedService):
    """Sends events at a rate, or as fast as the client reads them.

    Every fortieth event carries `AUDIO_MS` of audio, so that 2,000 events a second carry it in real time. Of the
    others nine in ten are transcript deltas, one in ten is of a type that gets a line of its own.
    """

    def __init__(self, events: int, rate: float = math.inf, audio: bytes = b"") -> None:
        async def script(socket: web.WebSocketResponse) -> AsyncIterator[float]:
            began, sent = time.monotonic(), 0
            while sent < events:
                due = events if rate == math.inf else min(int((time.monotonic() - began) * rate), events)
                for number in range(sent, due):
                    at = time.monotonic()
                    await socket.send_str(_flood_event(number, audio))
                    yield at
                sent = due
                await asyncio.sleep(0.005)

        super().__init__(script)


class Conversation(ScriptedService):
    """A mixed conversation of 60 events a second: answers of 40 audio deltas and 20 words a second.

    The audio comes in real time. Each word is its own (`w0123`); the send times are those of the words. Events come at
    irregular moments, so that they meet every phase of the client's timers. Between answers are the events of a turn.
    """

    def __init__(self, words: int) -> None:
        async def script(socket: web.WebSocketResponse) -> AsyncIterator[float]:
            due, chance = time.monotonic(), random.Random(1)
            audio = base64.b64encode(bytes(25 * BYTES_PER_MS)).decode()
            for word in range(words):
                ids = {"response_id": f"resp_{word // WORDS_PER_ANSWER}", "item_id": f"item_{word // WORDS_PER_ANSWER}"}
                place = {**ids, "output_index": 0, "content_index": 0}
                if word % WORDS_PER_ANSWER == 0:
                    for event in _turn(word // WORDS_PER_ANSWER, ids):
                        await socket.send_json(event)
                due += 0.05
                moments = sorted(chance.uniform(0, 0.05) for _ in range(3))
                measured = chance.randrange(3)
                for index, moment in enumerate(moments):
                    await asyncio.sleep(max(due + moment - time.monotonic(), 0))
                    at = time.monotonic()
                    if index == measured:
                        await socket.send_json(
                            {"type": "response.audio_transcript.delta", **place, "delta": f"w{word:04} "}
                        )
                        yield at
                    else:
                        await socket.send_json({"type": "response.audio.delta", **place, "delta": audio})

        super().__init__(script)


def _turn(number: int, ids: dict[str, str]) -> list[dict[str, object]]:
    """The events from the end of an answer to the beginning of the next one."""
    user = f"user_{number}"
    said = {"id": user, "type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": None}]}
    item = {"id": ids["item_id"], "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    before = {"id": f"resp_{number - 1}", "status": "completed", "usage": {"total_tokens": 400}}
    return [
        *([{"type": "response.done", "response": before}] if number else []),
        {"type": "input_audio_buffer.speech_started", "audio_start_ms": number * 8000, "item_id": user},
        {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": number * 8000 + 500, "item_id": user},
        {"type": "input_audio_buffer.committed", "item_id": user},
        {"type": "conversation.item.created", "item": said},
        {"type": "response.created", "response": {"id": ids["response_id"], "status": "in_progress"}},
        {"type": "response.output_item.added", "response_id": ids["response_id"], "item": item},
        {"type": "conversation.item.created", "previous_item_id": user, "item": item},
    ]


def _flood_event(number: int, audio: bytes) -> str:
    answer = number // 400
    ids = {"response_id": f"resp_{answer}", "item_id": f"item_{answer}", "output_index": 0, "content_index": 0}
    if audio and number % 40 == 0:
        begin, end = (LEAD_MS + number // 40 * AUDIO_MS) * BYTES_PER_MS, AUDIO_MS * BYTES_PER_MS
        pcm = audio[begin if number else 0 : begin + end] or bytes(AUDIO_MS * BYTES_PER_MS)
        # One item throughout: only the flood itself may cause a gap.
        more = {"delta": base64.b64encode(pcm).decode(), "item_id": "sound", "response_id": "resp_sound"}
        return json.dumps({"type": "response.audio.delta", **ids, **more})
    if number % 10 == 5:
        return json.dumps({"type": "response.content_part.added", **ids, "part": {"type": "audio"}})
    return json.dumps({"type": "response.audio_transcript.delta", **ids, "delta": f"word{number} "})


def _serve(pipe: Connection, script: Script) -> None:
    async def converse(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "session.created", "session": {"id": "sess_scripted"}})
        message = await socket.receive_json()
        await socket.send_json({"type": "session.updated", "session": {**message["session"], "id": "sess_scripted"}})
        reading = asyncio.create_task(read(socket))
        await asyncio.sleep(2)
        times = [at async for at in script(socket)]
        await asyncio.sleep(0.5)  # the last measured event is drawn before the end is
        await socket.send_json({"type": "flood.over"})
        await asyncio.to_thread(pipe.send, times)  # it waits for its reader, and the socket must not
        await reading
        return socket

    async def read(socket: web.WebSocketResponse) -> None:
        async for _ in socket:
            pass

    async def run() -> None:
        app = web.Application()
        app.router.add_get("/voice-live/realtime", converse)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        pipe.send(f"http://127.0.0.1:{runner.addresses[0][1]}")
        await asyncio.Event().wait()

    asyncio.run(run())
