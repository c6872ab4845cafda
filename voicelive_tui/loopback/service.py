"""The server: the listening socket, the handshake, and the thread that synthesizes speech."""

import asyncio
import errno
import functools
import hmac
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import msgspec
from aiohttp import web

from voicelive_tui.audio import pcm
from voicelive_tui.audio.wav import load_wav
from voicelive_tui.loopback.connection import Connection
from voicelive_tui.loopback.faults import Fault, FaultError, parse
from voicelive_tui.loopback.formats import encode_speech
from voicelive_tui.loopback.responder import SpeechJob
from voicelive_tui.loopback.script import Script
from voicelive_tui.speech.voice import RATE, Mark, Speech, Voice, join, open_voice, pieces

PATH = "/voice-live/realtime"


class ServiceError(Exception):
    """The service cannot start; its text is one sentence."""


class ServiceRecord(msgspec.Struct, frozen=True):
    """Something that happened, for the owner of the service."""

    time: float
    """Unix seconds."""
    kind: str
    """`session`, `turn`, `answer`, `fault`, `refused`, `closed` or `note`."""
    session: str
    """The session's id; empty for the service itself."""
    text: str
    """A sentence without control characters."""
    data: dict[str, Any]
    """The same for programs."""


class LoopbackService:
    """A Voice Live service on this machine.

    Args:
        host: The address to listen on.
        port: The port; 0 takes a free one.
        api_key: The key that clients must send; None accepts every client.
        script: The assistant's replies; the line check without one.
        faults: The faults of every session.
        on_record: Called for each session, turn, answer and fault.
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
        self._connections: set[Connection] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def endpoint(self) -> str:
        """The URL that a client takes as its endpoint."""
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
            raise ServiceError(self._cannot_listen(error)) from None
        self._runner = runner
        self._port = runner.addresses[0][1]
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="loopback-voice")
        self._voice = self._threads.submit(_open_voice)

    def _cannot_listen(self, error: OSError) -> str:
        if error.errno == errno.EADDRINUSE:
            return f"port {self._port} on {self._host} is in use already; choose another one, or 0 for any"
        return f"cannot listen on {self._host}, port {self._port}: {error.strerror or error}"

    async def stop(self) -> None:
        """Close every session with 1001 and stop listening. Idempotent."""
        await asyncio.gather(*(connection.end() for connection in tuple(self._connections)))
        if self._runner:
            await self._runner.cleanup()
            self._runner = None
        if self._threads:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    def _record(self, session: str, kind: str, text: str, data: dict[str, Any]) -> None:
        if self._on_record:
            clean = "".join(char if char.isprintable() else " " for char in text)
            self._on_record(ServiceRecord(time.time(), kind, session, clean, data))

    async def _synthesize(self, job: SpeechJob) -> tuple[Speech, bytes]:
        """The speech for a job and its encoded audio, made in the service's thread.

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
        return speech, await run(encode_speech, speech.samples, job.fmt)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        """One client, from the handshake to the end."""
        try:
            given = [parse(text) for value in request.query.getall("fault", []) for text in value.split(",")]
        except FaultError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from None
        faults = [*self._faults, *given]
        await self._check_handshake(request, faults)
        query = request.query
        lasting = [fault for fault in faults if not fault.in_handshake]
        connection = Connection(
            request, query["model"], self._script, faults=lasting, synthesize=self._synthesize, note=self._record
        )
        self._connections.add(connection)
        try:
            return await connection.run({"model": query["model"], "api_version": query["api-version"]})
        finally:
            self._connections.discard(connection)

    async def _check_handshake(self, request: web.Request, faults: list[Fault]) -> None:
        """Refuse a bad handshake by raising an HTTP error."""
        for fault in faults:
            if fault.in_handshake:
                self._record("", "fault", f"fault: {fault}", {"fault": str(fault)})
                await _apply_handshake_fault(fault, request)
        if not self._has_key(request):
            self._record("", "refused", "refused a client with a wrong or missing key (401)", {"status": 401})
            raise web.HTTPUnauthorized(text="Access denied due to invalid subscription key.\n")
        query = request.query
        reason = None
        if not query.get("api-version"):
            reason = "The api-version query parameter is required."
        elif "agent-name" in query or "agent-id" in query:
            reason = "The loopback service does not support agents."
        elif not query.get("model"):
            reason = "The model query parameter is required."
        if reason:
            self._record("", "refused", f"refused a client (400): {reason}", {"status": 400})
            raise web.HTTPBadRequest(text=reason + "\n")

    def _has_key(self, request: web.Request) -> bool:
        if self._api_key is None:
            return True
        bearer = request.headers.get("Authorization", request.query.get("Authorization", ""))
        shown = (
            request.headers.get("api-key", ""),
            request.query.get("api-key", ""),
            bearer.removeprefix("Bearer "),
        )
        wanted = self._api_key.encode()
        # All are compared, each in constant time; headers may hold bytes that are not text.
        return sum(hmac.compare_digest(key.encode(errors="surrogateescape"), wanted) for key in shown) > 0


async def _apply_handshake_fault(fault: Fault, request: web.Request) -> None:
    match fault.name:
        case "hang":
            await asyncio.sleep(min(fault.value, 86_400))
        case "throttle":
            raise web.HTTPTooManyRequests(headers={"Retry-After": f"{fault.value:g}"})
        case "redirect":
            raise _http_error(int(fault.value), "Moved by a fault.", {"Location": str(request.rel_url)})
        case "refuse":
            raise _http_error(int(fault.value), "Refused by a fault.")


def _http_error(status: int, text: str, headers: dict[str, str] | None = None) -> web.HTTPException:
    """An HTTP answer of any status that ends the handshake."""
    kind: type[web.HTTPException] = type("Refused", (web.HTTPException,), {"status_code": status})
    return kind(text=text + "\n", headers=headers)


def _open_voice() -> Voice:
    """The voice, warm: the first utterance takes ten times as long as the next."""
    voice = open_voice()
    voice.speak("Ready.")
    return voice


def _read(path: Path, text: str) -> Speech:
    """A sound file as speech, its words spread over it evenly."""
    audio, _ = load_wav(path)
    samples = pcm.samples(audio)
    length = len(samples) * 1000 // RATE
    words = [word + " " for word in text.split(" ")]
    step = length // len(words)
    return Speech(samples, tuple(Mark(n * step, step, word) for n, word in enumerate(words)))
