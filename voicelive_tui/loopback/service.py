"""The server: sockets, threads and the clock around ``brain`` and ``faults``.

Each connection has two tasks. The reader gives client events to the brain as they come, even while an answer is being
sent, since pings are only answered by reading. The pump sends what is due and sleeps until something is. Speech is
synthesized in one thread of the service's own, a few sentences at a time.

No client can starve the others: the reader hands over to the loop after each message, large appends are carried out in
slices, and a client that does not read its events is not read from either.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import hmac
import socket
import struct
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from voicelive_tui.audio import pcm
from voicelive_tui.audio.wav import AudioFileError, load_wav
from voicelive_tui.loopback.faults import (
    NEVER,
    Binary,
    Close,
    Fault,
    FaultError,
    Frame,
    Link,
    Reset,
    Stall,
    Text,
    parse,
)
from voicelive_tui.loopback.formats import encode_speech
from voicelive_tui.loopback.script import Script
from voicelive_tui.loopback.session import LIFETIME, Brain, SpeechJob
from voicelive_tui.speech.voice import RATE, Mark, Speech, Voice, join, open_voice, pieces
from voicelive_tui.text import visible

PATH = "/voice-live/realtime"

_MAX_MESSAGE = 24 * 1024 * 1024  # base64 of a 15 MiB append, and its envelope
_GOING_AWAY = 1001
_MOST_WAITING = 1000  # events for a client that does not read; then it is not read from
_LAST_WORDS = 5.0  # seconds that a session has to close of itself, once it has expired


class ServiceError(Exception):
    """The service cannot start; its text is one sentence."""


class ServiceRecord(msgspec.Struct, frozen=True):
    """Something that happened, for the person who runs the service.

    Attributes:
        time: Unix seconds.
        kind: ``session``, ``turn``, ``answer``, ``fault``, ``refused``, ``closed`` or ``note``.
        session: Whose it is; empty for the service itself.
        text: A sentence, without control characters.
        data: The same in figures.
    """

    time: float
    kind: str
    session: str
    text: str
    data: dict[str, Any]


class LoopbackService:
    """A Voice Live service on this machine.

    Args:
        host: The address to listen on.
        port: The port; 0 takes a free one.
        api_key: The key that clients must show; None lets everyone in.
        script: What the assistant does; the line check without one.
        faults: What goes wrong in every session.
        on_record: Told of each session, turn, answer and fault.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str | None = None,
        script: Script | None = None,
        faults: Sequence[Fault] = (),
        on_record: Callable[[ServiceRecord], None] | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._api_key = api_key
        self._script = script or Script()
        self._faults = (*map(parse, self._script.faults), *faults)
        self._on_record = on_record
        self._runner: web.AppRunner | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._voice: Future[Voice] | None = None
        self._sessions: set[_Session] = set()

    async def __aenter__(self) -> LoopbackService:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def endpoint(self) -> str:
        """What a client is given as its endpoint."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    async def start(self) -> None:
        """Listen.

        Raises:
            ServiceError: The address cannot be used.
        """
        app = web.Application()
        app.router.add_get(PATH, self._serve)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.5)
        await runner.setup()
        site = web.TCPSite(runner, self._host, self._port)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            raise ServiceError(self._why_not(error)) from None
        self._runner = runner
        self._port = runner.addresses[0][1]
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="loopback-voice")
        self._voice = self._threads.submit(_open_voice)

    def _why_not(self, error: OSError) -> str:
        if error.errno == errno.EADDRINUSE:
            return f"Port {self._port} on {self._host} is in use already; choose another one, or 0 for any."
        return f"Cannot listen on {self._host}, port {self._port}: {error.strerror or error}."

    async def stop(self) -> None:
        """Close every session with 1001 and stop listening; stopping again is harmless."""
        await asyncio.gather(*(session.end() for session in tuple(self._sessions)))
        if self._runner:
            await self._runner.cleanup()
            self._runner = None
        if self._threads:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    def record(self, kind: str, session: str, text: str, data: dict[str, Any]) -> None:
        """Tell the owner."""
        if self._on_record:
            self._on_record(ServiceRecord(time.time(), kind, session, visible(text), data))

    async def synthesize(self, job: SpeechJob) -> tuple[Speech, bytes]:
        """The speech for a job and its sound as coded, made in the service's thread.

        Raises:
            AudioFileError: The file to be played cannot be read.
        """
        assert self._threads is not None
        assert self._voice is not None
        voice = await asyncio.shield(asyncio.wrap_future(self._voice))
        run = functools.partial(asyncio.get_running_loop().run_in_executor, self._threads)
        if job.wav:
            speech = await run(_read, job.wav, job.text)
        else:  # piece by piece, so that other sessions have their turn in between
            speech = join([await run(voice.speak, piece, job.speaker) for piece in pieces(job.text)])
        return speech, await run(encode_speech, speech.samples, job.form)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        """One client, from the handshake to the end."""
        try:
            given = [parse(text) for value in request.query.getall("fault", []) for text in value.split(",")]
        except FaultError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from None
        faults = [*self._faults, *given]
        await self._shake_hands(request, faults)
        session = _Session(self, request, self._script, [f for f in faults if not f.in_handshake])
        self._sessions.add(session)
        try:
            return await session.run()
        finally:
            self._sessions.discard(session)

    async def _shake_hands(self, request: web.Request, faults: list[Fault]) -> None:
        """Refuse who is to be refused, by raising an HTTP error."""
        for fault in faults:
            if fault.in_handshake:
                self.record("fault", "", f"fault: {fault}", {"fault": str(fault)})
                await _spoil_handshake(fault, request)
        if not self._may_enter(request):
            self.record("refused", "", "refused a client with a wrong or missing key (401)", {"status": 401})
            raise web.HTTPUnauthorized(text="Access denied due to invalid subscription key.\n")
        query = request.query
        problem = None
        if not query.get("api-version"):
            problem = "The api-version query parameter is required."
        elif "agent-name" in query or "agent-id" in query:
            problem = "The loopback service does not support agents."
        elif not query.get("model"):
            problem = "The model query parameter is required."
        if problem:
            self.record("refused", "", f"refused a client (400): {problem}", {"status": 400})
            raise web.HTTPBadRequest(text=problem + "\n")

    def _may_enter(self, request: web.Request) -> bool:
        if self._api_key is None:
            return True
        bearer = request.headers.get("Authorization", request.query.get("Authorization", ""))
        shown = (
            request.headers.get("api-key", ""),
            request.query.get("api-key", ""),
            bearer.removeprefix("Bearer "),
        )
        wanted = self._api_key.encode()
        # All of them are compared, each in constant time; headers may hold bytes that are no text.
        return sum(hmac.compare_digest(key.encode(errors="surrogateescape"), wanted) for key in shown) > 0


async def _spoil_handshake(fault: Fault, request: web.Request) -> None:
    match fault.name:
        case "hang":
            await asyncio.sleep(min(fault.value, 86_400))
        case "throttle":
            raise web.HTTPTooManyRequests(headers={"Retry-After": f"{fault.value:g}"})
        case "redirect":
            raise _refusal(int(fault.value), "Moved by a fault.", {"Location": str(request.rel_url)})
        case "refuse":
            raise _refusal(int(fault.value), "Refused by a fault.")


def _refusal(status: int, text: str, headers: dict[str, str] | None = None) -> web.HTTPException:
    """An answer of any status that ends the handshake."""
    kind: type[web.HTTPException] = type("Refused", (web.HTTPException,), {"status_code": status})
    return kind(text=text + "\n", headers=headers)


def _open_voice() -> Voice:
    """The voice, warm: the first utterance takes ten times as long as those after it."""
    voice = open_voice()
    voice.speak("Ready.")
    return voice


def _read(path: Path, text: str) -> Speech:
    """A sound file as speech, its words spread over it evenly."""
    sound, _ = load_wav(path)
    samples = pcm.samples(sound)
    length = len(samples) * 1000 // RATE
    words = [word + " " for word in text.split(" ")]
    step = length // len(words)
    return Speech(samples, tuple(Mark(n * step, step, word) for n, word in enumerate(words)))


def _transport(request: web.Request) -> asyncio.Transport:
    """The TCP connection under a request.

    Raises:
        ConnectionResetError: It is gone.
    """
    if not isinstance(request.transport, asyncio.Transport):
        raise ConnectionResetError("The client is gone.")
    return request.transport


class _Session:
    """One connection.

    Args:
        service: Whose it is.
        request: The handshake, which is accepted.
        script: What the assistant does.
        faults: What goes wrong.
    """

    def __init__(self, service: LoopbackService, request: web.Request, script: Script, faults: list[Fault]) -> None:
        now = time.monotonic()
        self._service = service
        self._request = request
        self._socket = web.WebSocketResponse(max_msg_size=_MAX_MESSAGE, compress=False, timeout=2.0)
        self._link = Link(faults, now)
        expire = [fault for fault in faults if fault.name == "expire"]
        lifetime = expire[0].value if expire else LIFETIME
        self._brain = Brain(
            request.query["model"],
            script,
            now=now,
            unix_time=time.time(),
            note=self._note,
            lifetime=lifetime,
        )
        self._lifetime = lifetime + _LAST_WORDS
        self._expire = expire
        self._wake = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._closing = False
        self._voice: asyncio.Task[None] | None = None

    def _note(self, kind: str, text: str, data: dict[str, Any]) -> None:
        self._service.record(kind, self._brain.session_id, text, data)

    async def run(self) -> web.WebSocketResponse:
        """Serve the client until either side ends it."""
        await self._socket.prepare(self._request)
        query = self._request.query
        about = {"model": query["model"], "api_version": query["api-version"]}
        self._note("session", f"session begun: model {query['model']}", about)
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._pump())]
        try:
            done, _ = await asyncio.wait(tasks, timeout=self._lifetime, return_when=asyncio.FIRST_COMPLETED)
            if not done and self._request.transport:  # it does not even read that it has expired
                self._request.transport.abort()
        finally:
            for task in tasks:
                task.cancel()
            self._hush()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            code = self._socket.close_code
            self._note("closed", f"session ended: close code {code}", {"code": code})
        for end in ends:
            if isinstance(end, Exception) and not isinstance(end, ConnectionError):
                raise end
        return self._socket

    async def end(self) -> None:
        """Close the link, as a service does that goes away."""
        with contextlib.suppress(ConnectionError):
            await self._socket.close(code=_GOING_AWAY, message=b"The service is stopping.")

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                self._brain.receive(message.data, time.monotonic())
                self._wake.set()
                await asyncio.sleep(0)
                while self._brain.busy or self._brain.waiting > _MOST_WAITING:
                    self._caught_up.clear()
                    await self._caught_up.wait()

    async def _pump(self) -> None:
        """Send what is due, and sleep until something is."""
        loop = asyncio.get_running_loop()
        while not self._socket.closed:
            self._wake.clear()
            now = time.monotonic()
            self._think(now)
            for frame in self._link.take(now):
                await self._perform(frame)
            self._caught_up.set()
            self._report_faults()
            due = min(self._brain.next_due, self._link.next_due)
            if due <= time.monotonic():
                # What is due already must not keep the reader from its turn.
                await asyncio.sleep(0)
                continue
            timer = loop.call_at(due, self._wake.set) if due < NEVER else None
            await self._wake.wait()
            if timer:
                timer.cancel()

    def _think(self, now: float) -> None:
        """Move events from the brain to the link, and start the speech that is wanted."""
        events = self._brain.poll(now)
        for fault in self._brain.take_faults():
            self._link.arm(parse(fault), now)
        for event in events:
            self._link.send(event, now)
        if self._brain.expired and not self._closing:
            self._closing = True
            self._link.close(_GOING_AWAY, now)
            self._link.happened += self._expire
        for job in self._brain.take_jobs():
            self._hush()  # one response at a time: nobody waits for the speech before this
            self._voice = asyncio.create_task(self._speak(job))

    def _hush(self) -> None:
        if self._voice:
            self._voice.cancel()
            self._voice = None

    async def _speak(self, job: SpeechJob) -> None:
        try:
            speech, audio = await self._service.synthesize(job)
        except AudioFileError as error:  # it was there when the script was loaded
            self._note("note", f"spoken instead of played: {error}", {})
            speech, audio = await self._service.synthesize(replace(job, wav=None))
        self._brain.spoken(job, speech, audio, time.monotonic())
        self._wake.set()

    def _report_faults(self) -> None:
        for fault in self._link.happened:
            self._note("fault", f"fault: {fault}", {"fault": str(fault)})
        self._link.happened.clear()

    async def _perform(self, frame: Frame) -> None:
        match frame:
            case Text(data):
                await self._socket.send_str(data)
            case Binary(data):
                await self._socket.send_bytes(data)
            case Close(code):
                await self._socket.close(code=code, message=b"a fault was asked for")
            case Reset():
                self._reset()
            case Stall(seconds):
                await self._stall(seconds)

    def _reset(self) -> None:
        """End the connection as a crashed machine would: an RST, no close frame."""
        transport = _transport(self._request)
        plug: socket.socket = transport.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    async def _stall(self, seconds: float) -> None:
        """Read nothing, hence answer no ping, and send nothing meanwhile."""
        transport = _transport(self._request)
        transport.pause_reading()
        self._report_faults()
        await asyncio.sleep(min(seconds, 86_400))
        transport.resume_reading()
