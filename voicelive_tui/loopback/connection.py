"""One connection: a session and its faults between a WebSocket and the clock.

Each connection has two tasks. The reader gives client events to the session as they come, also while an answer is being
sent, since aiohttp answers pings only while it reads. The pump sends what is due and sleeps until something is.

No client can starve the others: the reader yields to the loop after each message, the session listens to large appends
in slices, and a client that does not read its events is not read from.
"""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from aiohttp import WSMsgType, web

from voicelive_tui.audio.wav import AudioFileError
from voicelive_tui.loopback.faults import (
    NEVER,
    Action,
    Binary,
    Close,
    Fault,
    FaultInjector,
    Reset,
    Stall,
    Text,
    parse,
)
from voicelive_tui.loopback.protocol import JsonObject, Note
from voicelive_tui.loopback.responder import SpeechJob
from voicelive_tui.loopback.script import Script
from voicelive_tui.loopback.session import LIFETIME, Session
from voicelive_tui.speech.voice import Speech

GOING_AWAY = 1001
CLOSE_GRACE = 5.0
"""Seconds in which an expired session must close."""
MAX_UNSENT = 1000
"""Events that wait for a client; with more it is not read from."""

_MAX_MESSAGE = 24 * 1024 * 1024  # base64 of a 15 MiB append, and its envelope

Synthesize = Callable[[SpeechJob], Awaitable[tuple[Speech, bytes]]]


class Connection:
    """One client.

    Args:
        request: The accepted handshake.
        model: The model that it names.
        script: The assistant's replies.
        faults: The session's faults.
        synthesize: Makes speech.
        note: Called for each event of the session's life with its id, a kind, a sentence, and data.
    """

    def __init__(
        self,
        request: web.Request,
        model: str,
        script: Script,
        *,
        faults: list[Fault],
        synthesize: Synthesize,
        note: Callable[[str, str, str, JsonObject], None],
    ) -> None:
        now = time.monotonic()
        self._request = request
        self._synthesize = synthesize
        self._websocket = web.WebSocketResponse(max_msg_size=_MAX_MESSAGE, compress=False, timeout=2.0)
        self._injector = FaultInjector(faults, now)
        self._expire = [fault for fault in faults if fault.name == "expire"]
        self._lifetime = self._expire[0].value if self._expire else LIFETIME
        self._note: Note = lambda kind, text, data: note(self._session.id, kind, text, data)
        self._session = Session(model, script, now=now, unix_time=time.time(), note=self._note, lifetime=self._lifetime)
        self._wake = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._closing = False
        self._speech: asyncio.Task[None] | None = None

    async def run(self, about: dict[str, Any]) -> web.WebSocketResponse:
        """Serve the client until either side ends it.

        Args:
            about: The data of the note with which the session begins.
        """
        await self._websocket.prepare(self._request)
        self._note("session", f"session begun: model {about['model']}", about)
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._pump())]
        try:
            limit = self._lifetime + CLOSE_GRACE
            done, _ = await asyncio.wait(tasks, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if not done and self._request.transport:  # the client does not even read that the session has expired
                self._request.transport.abort()
        finally:
            for task in tasks:
                task.cancel()
            self._cancel_speech()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            code = self._websocket.close_code
            self._note("closed", f"session ended: close code {code}", {"code": code})
        for end in ends:
            if isinstance(end, Exception) and not isinstance(end, ConnectionError):
                raise end
        return self._websocket

    async def end(self) -> None:
        """Close the WebSocket with 1001."""
        with contextlib.suppress(ConnectionError):
            await self._websocket.close(code=GOING_AWAY, message=b"The service is stopping.")

    async def _read(self) -> None:
        async for message in self._websocket:
            if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                self._session.receive(message.data, time.monotonic())
                self._wake.set()
                await asyncio.sleep(0)
                while self._session.busy or self._session.waiting > MAX_UNSENT:
                    self._caught_up.clear()
                    await self._caught_up.wait()

    async def _pump(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._websocket.closed:
            self._wake.clear()
            now = time.monotonic()
            self._advance(now)
            for action in self._injector.take(now):
                await self._perform(action)
            self._caught_up.set()
            self._report_faults()
            due = min(self._session.next_due, self._injector.next_due)
            if due <= time.monotonic():
                await asyncio.sleep(0)  # the reader gets its turn
                continue
            timer = loop.call_at(due, self._wake.set) if due < NEVER else None
            await self._wake.wait()
            if timer:
                timer.cancel()

    def _advance(self, now: float) -> None:
        """Move the session's events to the injector, and start the speech that is wanted."""
        events = self._session.poll(now)
        responder = self._session.responder
        while responder.armed:
            self._injector.arm(parse(responder.armed.pop(0)), now)
        for event in events:
            self._injector.send(event, now)
        if self._session.expired and not self._closing:
            self._closing = True
            self._injector.close(GOING_AWAY, now)
            self._injector.happened += self._expire
        while responder.jobs:
            self._cancel_speech()  # of the response before, which has ended
            self._speech = asyncio.create_task(self._speak(responder.jobs.pop(0)))

    def _cancel_speech(self) -> None:
        if self._speech:
            self._speech.cancel()
            self._speech = None

    async def _speak(self, job: SpeechJob) -> None:
        try:
            speech, audio = await self._synthesize(job)
        except AudioFileError as error:  # the file was there when the script was loaded
            self._note("note", f"spoken instead of played: {error}", {})
            speech, audio = await self._synthesize(replace(job, wav=None))
        self._session.responder.deliver_speech(job, speech, audio, time.monotonic())
        self._wake.set()

    def _report_faults(self) -> None:
        for fault in self._injector.happened:
            self._note("fault", f"fault: {fault}", {"fault": str(fault)})
        self._injector.happened.clear()

    async def _perform(self, action: Action) -> None:
        match action:
            case Text(data):
                await self._websocket.send_str(data)
            case Binary(data):
                await self._websocket.send_bytes(data)
            case Close(code):
                await self._websocket.close(code=code, message=b"a fault was asked for")
            case Reset():
                self._reset()
            case Stall(seconds):
                await self._stall(seconds)

    def _reset(self) -> None:
        """End the connection as a crashed machine would: an RST, no close frame."""
        transport = self._transport()
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    async def _stall(self, seconds: float) -> None:
        """Send nothing and read nothing, hence answer no ping."""
        transport = self._transport()
        transport.pause_reading()
        self._report_faults()
        await asyncio.sleep(min(seconds, 86_400))
        transport.resume_reading()

    def _transport(self) -> asyncio.Transport:
        """The TCP connection.

        Raises:
            ConnectionResetError: It is gone.
        """
        if not isinstance(self._request.transport, asyncio.Transport):
            raise ConnectionResetError("the client is gone")
        return self._request.transport
