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

from aiohttp import WSMsgType, web
from msgspec.structs import replace

from voicelive_tui.audio.pcm import Samples
from voicelive_tui.audio.wav import AudioFileError
from voicelive_tui.loopback.conversation import Conversation
from voicelive_tui.loopback.faults import NEVER, Action, Close, Fault, FaultInjector, Frame, Reset, Stall, parse
from voicelive_tui.loopback.handshake import Target
from voicelive_tui.loopback.protocol import JsonObject, Note
from voicelive_tui.loopback.response import SpeechJob
from voicelive_tui.loopback.script import Script
from voicelive_tui.loopback.session import LIFETIME, Session
from voicelive_tui.speech.voice import Speech

GOING_AWAY = 1001
CLOSE_GRACE = 5.0
"""Seconds in which an expired session must close."""
MAX_CONVERSATIONS = 20
"""Conversations with agents that a later session can continue."""
MAX_UNSENT = 1000
"""Events that wait for a client; with more it is not read from."""

_MAX_MESSAGE = 24 * 1024 * 1024  # base64 of a 15 MiB append, and its envelope

Synthesize = Callable[[SpeechJob], Awaitable[tuple[Speech, bytes]]]


def open_websocket() -> web.WebSocketResponse:
    """A WebSocket with the service's limits."""
    return web.WebSocketResponse(max_msg_size=_MAX_MESSAGE, compress=False, timeout=2.0)


class Connection:
    """One client: its handshake and what it asked for, and the service's rules for it."""

    def __init__(
        self,
        request: web.Request,
        target: Target,
        script: Script,
        *,
        faults: list[Fault],
        conversations: dict[str, Conversation],
        synthesize: Synthesize,
        recognise: Callable[[Samples, int], str],
        record: Callable[[str, str, str, JsonObject], None],
        received: Callable[[str, str | bytes], None],
    ) -> None:
        now = time.monotonic()
        self._request = request
        self._target = target
        self._received = received
        self._synthesize = synthesize
        self._websocket = open_websocket()
        self._injector = FaultInjector(faults, now, target.dialect.server_events)
        self._expire = [fault for fault in faults if fault.name == "expire"]
        self._lifetime = self._expire[0].value if self._expire else LIFETIME
        self._note: Note = lambda kind, text, data: record(self._session.id, kind, text, data)
        self._session = Session(
            target.model,
            script,
            now=now,
            unix_time=time.time(),
            note=self._note,
            lifetime=self._lifetime,
            agent=target.agent,
            conversation_id=target.conversation_id,
            conversation=conversations.get(target.conversation_id),
            recognise=recognise,
        )
        if target.agent:
            conversations[self._session.settings.conversation_id] = self._session.conversation
            for oldest in [*conversations][:-MAX_CONVERSATIONS]:
                del conversations[oldest]
        self._wake = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._closing = False
        self._end = "the connection was lost", 1006
        """How it ended, and the close code."""
        self._speech: asyncio.Task[None] | None = None

    async def run(self) -> web.WebSocketResponse:
        """Serve the client until either side ends it."""
        await self._websocket.prepare(self._request)
        target = self._target
        begun = f"agent {target.agent}" if target.agent else f"model {target.model}"
        about = {"model": target.model, "api_version": target.api_version, "path": self._request.path}
        self._note("session", f"session begun: {begun}", about)
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
            try:
                ends = await asyncio.gather(*tasks, return_exceptions=True)
            finally:  # aiohttp cancels the handler of a client that has vanished
                how, code = self._end
                self._note("closed", f"session ended: close code {code} ({how})", {"code": code})
                self._session.end()
        for end in ends:
            if isinstance(end, Exception) and not isinstance(end, ConnectionError):
                raise end
        return self._websocket

    async def end(self) -> None:
        """Close the WebSocket with 1001."""
        with contextlib.suppress(ConnectionError):
            await self._close(GOING_AWAY, "the service is stopping")

    async def _close(self, code: int, reason: str) -> None:
        if not self._websocket.closed:
            self._end = f"by the service: {reason}", code
        await self._websocket.close(code=code, message=reason.encode())

    async def _read(self) -> None:
        while True:
            message = await self._websocket.receive()
            if message.type == WSMsgType.CLOSE:
                if "by the service" not in self._end[0]:
                    self._end = "by the client" + (f": {message.extra}" if message.extra else ""), message.data
                return
            if message.type == WSMsgType.ERROR:
                self._end = f"by the service: {message.data}", self._websocket.close_code or 1006
                return
            if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                return
            self._received(self._session.id, message.data)
            self._session.receive(self._target.dialect.client_event(message.data), time.monotonic())
            self._wake.set()
            await asyncio.sleep(0)
            while self._session.busy or self._session.waiting > MAX_UNSENT:
                self._caught_up.clear()
                await self._caught_up.wait()

    async def _pump(self) -> None:
        while not self._websocket.closed:
            self._wake.clear()
            now = time.monotonic()
            self._advance(now)
            actions = self._injector.take(now)
            self._report_faults()  # before a fault ends the connection
            for action in actions:
                await self._perform(action)
            self._caught_up.set()
            due = min(self._session.next_due, self._injector.next_due)
            if due <= time.monotonic():
                await asyncio.sleep(0)  # lets the reader run
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due if due < NEVER else None):
                    await self._wake.wait()

    def _advance(self, now: float) -> None:
        """Move the session's events to the injector, and start the speech that it requests."""
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
            self._session.responder.jobs.append(replace(job, wav=None))
        except Exception as error:
            self._note("note", f"speech synthesis failed: {type(error).__name__}: {error}", {})
            self._session.responder.fail(job, "Speech synthesis failed.")
        else:
            self._session.responder.deliver_speech(job, speech, audio, time.monotonic())
        self._wake.set()

    def _report_faults(self) -> None:
        for fault in self._injector.happened:
            self._note("fault", f"fault: {fault}", {"fault": str(fault)})
        self._injector.happened.clear()

    async def _perform(self, action: Action) -> None:
        match action:
            case Frame(str(data)):
                await self._websocket.send_str(data)
            case Frame(bytes(data)):
                await self._websocket.send_bytes(data)
            case Close(code):
                expired = self._session.expired
                await self._close(code, "the session has expired" if expired else "a fault was asked for")
            case Reset():
                self._reset()
            case Stall(seconds):
                await self._stall(seconds)

    def _reset(self) -> None:
        """End the connection as a crashed machine would: an RST, no close frame."""
        self._end = "reset by a fault", 1006
        transport = self._transport()
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    async def _stall(self, seconds: float) -> None:
        """Send nothing and read nothing, hence answer no ping."""
        transport = self._transport()
        transport.pause_reading()
        await asyncio.sleep(min(seconds, 86_400))
        transport.resume_reading()

    def _transport(self) -> asyncio.Transport:
        """The TCP connection. Raises `ConnectionResetError` where it is gone."""
        if not isinstance(self._request.transport, asyncio.Transport):
            raise ConnectionResetError("the client is gone")
        return self._request.transport
