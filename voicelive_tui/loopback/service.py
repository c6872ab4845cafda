"""The server: the listening socket, the handshake, and the thread that synthesizes speech."""

import asyncio
import errno
import functools
import logging
import ssl
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from voicelive_tui.audio import pcm
from voicelive_tui.audio.pcm import Samples
from voicelive_tui.audio.wav import load_wav
from voicelive_tui.errors import UserError
from voicelive_tui.loopback.connection import Connection
from voicelive_tui.loopback.conversation import Conversation
from voicelive_tui.loopback.faults import Fault, parse
from voicelive_tui.loopback.formats import encode_speech
from voicelive_tui.loopback.handshake import DIALECTS, Denied, Doorkeeper
from voicelive_tui.loopback.listener import Listener
from voicelive_tui.loopback.protocol import JsonObject
from voicelive_tui.loopback.recogniser import Recogniser
from voicelive_tui.loopback.replay import Recorded, Replay
from voicelive_tui.loopback.response import SpeechJob
from voicelive_tui.loopback.script import Script
from voicelive_tui.speech.voice import RATE, Mark, Speech, Voice, join, open_voice, pieces, words_of
from voicelive_tui.text import excerpt, visible

MAX_CLIENTS = 500
"""The clients that are served at once, those in the handshake included."""


class ServiceError(UserError):
    """The service cannot start."""


class ServiceRecord(msgspec.Struct, frozen=True):
    """Something that happened, for the owner of the service."""

    time: float
    """Unix seconds."""
    kind: str
    """`session`, `turn`, `answer`, `error`, `fault`, `refused`, `closed` or `note`."""
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
        tls: Serve `https` and `wss` with this context.
        allow_origins: The web origins that may connect; `*` stands for all. None may by default.
        replay: Recorded sessions, played to one client after another in place of the assistant's answers.
        on_record: Called for each session, turn, answer, error and fault.
        on_client_event: Called with the session's id and each JSON object that a client sends.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str | None = None,
        script: Script | None = None,
        faults: Sequence[Fault] = (),
        tls: ssl.SSLContext | None = None,
        allow_origins: Collection[str] = (),
        replay: Sequence[Sequence[Recorded]] = (),
        on_record: Callable[[ServiceRecord], None] | None = None,
        on_client_event: Callable[[str, JsonObject], None] | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._script = script or Script()
        self._doorkeeper = Doorkeeper(host, api_key, self._script, allow_origins)
        self._faults = (*map(parse, self._script.faults), *faults)
        self._replay = replay
        self._on_record = on_record
        self._on_client_event = on_client_event
        self._runner: web.AppRunner | None = None
        self._listener: Listener | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._voice: Future[Voice] | None = None
        self._recogniser: Future[Recogniser] | None = None
        self._clients: dict[asyncio.Task[None], Connection | Replay | None] = {}  # None during the handshake
        self._connections = 0  # asked for so far
        self._conversations: dict[str, Conversation] = {}  # with agents, by id

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def endpoint(self) -> str:
        """The URL that a client takes as its endpoint."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self._port}"

    async def start(self) -> None:
        """Listen. Raises `ServiceError` where the address cannot be used."""
        app = web.Application(middlewares=[self._note_request])
        for path in DIALECTS:
            app.router.add_get(path, self._serve)
        logger = logging.Logger("loopback")  # not registered: what aiohttp logs becomes records
        logger.addHandler(_Records(self.record))
        runner = web.AppRunner(
            app, logger=logger, access_log=None, handle_signals=False, shutdown_timeout=0.5, handler_cancellation=True
        )
        await runner.setup()
        assert runner.server is not None
        listener = Listener(runner.server, self._tls, lambda text: self.record("", "refused", text, {}))
        try:
            self._port = await listener.listen(self._host, self._port)
        except OSError as error:
            await runner.cleanup()
            raise ServiceError(self._cannot_listen(error)) from None
        self._runner, self._listener = runner, listener
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="loopback-voice")
        self._voice = self._threads.submit(_open_voice)
        if self._script.caller:
            self._recogniser = self._threads.submit(self._learn_lines, self._voice)

    def _cannot_listen(self, error: OSError) -> str:
        if error.errno == errno.EADDRINUSE:
            return f"port {self._port} on {self._host} is in use already; choose another one, or 0 for any"
        return f"cannot listen on {self._host}, port {self._port}: {error.strerror or error}"

    async def stop(self) -> None:
        """Close every session with 1001 and stop listening. Idempotent."""
        if self._listener:
            self._listener.close()
        await asyncio.gather(*(connection.end() for connection in self._clients.values() if connection))
        if self._runner:
            for task in tuple(self._clients):
                task.cancel()
            await asyncio.gather(*self._clients, return_exceptions=True)
            await self._runner.cleanup()
            self._runner = None
        if self._threads:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    def record(self, session: str, kind: str, text: str, data: dict[str, Any]) -> None:
        if self._on_record:
            self._on_record(ServiceRecord(time.time(), kind, session, visible(text), data))

    def _report_received(self, session: str, message: str | bytes) -> None:
        """Report a client's message to the owner."""
        if self._on_client_event:
            try:
                event = msgspec.json.decode(message)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                return  # the session answers with an error, which is reported
            if isinstance(event, dict):
                self._on_client_event(session, event)

    async def _synthesize(self, job: SpeechJob) -> tuple[Speech, bytes]:
        """The speech for a job, and its audio as coded. Raises `AudioFileError` for a file that cannot be read."""
        assert self._threads is not None
        assert self._voice is not None
        voice = await asyncio.shield(asyncio.wrap_future(self._voice))
        run = functools.partial(asyncio.get_running_loop().run_in_executor, self._threads)
        if job.wav:
            speech = await run(_read, job.wav, job.text)
        else:  # piece by piece, so that other sessions need not wait
            speech = join([await run(voice.speak, piece, job.speaker) for piece in pieces(job.text)])
        return speech, await run(encode_speech, speech.samples, job.fmt)

    def _learn_lines(self, voice: Future[Voice]) -> Recogniser:
        return Recogniser((line.say for line in self._script.caller), voice.result())

    def _recognise(self, samples: Samples, rate: int) -> str:
        known = self._recogniser
        return known.result().words(samples, rate) if known and known.done() and not known.cancelled() else ""

    @web.middleware
    async def _note_request(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._listener:
            self._listener.asked(request)
        try:
            return await handler(request)
        except web.HTTPNotFound:
            paths = ", ".join(DIALECTS)
            return self._deny(Denied(404, f"There is nothing at {excerpt(request.path)!r}; served are {paths}."))
        except web.HTTPException as answer:
            return self._deny(Denied(answer.status, f"Expected a WebSocket handshake, not a plain {request.method}."))

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if len(self._clients) >= MAX_CLIENTS:
            return self._deny(Denied(503, f"The service has {MAX_CLIENTS} clients already."))
        task = asyncio.current_task()
        assert task is not None
        self._clients[task] = None
        self._connections = number = self._connections + 1
        try:
            target = self._doorkeeper.admit(request)
            if self._replay:
                replay = self._clients[task] = Replay(self._replay[(number - 1) % len(self._replay)])
                self.record("", "session", "a recorded session begins", {"path": request.path})
                try:
                    return await replay.run(request)
                finally:
                    how = {"code": replay.close_code}
                    self.record("", "closed", f"a recorded session ended: close code {replay.close_code}", how)
            faults = [*self._faults, *target.faults]
            for fault in faults:
                if fault.in_handshake and (fault.event is None or fault.nth == number):
                    self.record("", "fault", f"fault: {fault}", {"fault": str(fault)})
                    if answer := await _answer_by(fault, request):
                        return answer
            connection = Connection(
                request,
                target,
                self._script,
                faults=[fault for fault in faults if not fault.in_handshake],
                conversations=self._conversations,
                synthesize=self._synthesize,
                recognise=self._recognise,
                record=self.record,
                received=self._report_received,
            )
            self._clients[task] = connection
            return await connection.run()
        except Denied as denied:
            return self._deny(denied)
        finally:
            del self._clients[task]

    def _deny(self, denied: Denied) -> web.Response:
        text = f"refused a client ({denied.status}): {denied.reason}"
        self.record("", "refused", text, {"status": denied.status})
        return web.Response(status=denied.status, text=f"{denied.reason}\n")


async def _answer_by(fault: Fault, request: web.Request) -> web.Response | None:
    """The answer with which a fault ends the handshake; `hang` only delays it."""
    status = int(min(fault.value, 599))
    match fault.name:
        case "hang":
            await asyncio.sleep(min(fault.value, 86_400))
        case "throttle":
            return web.Response(status=429, text="Too many requests.\n", headers={"Retry-After": f"{fault.value:g}"})
        case "redirect":
            return web.Response(status=status, text="Moved by a fault.\n", headers={"Location": str(request.rel_url)})
        case "refuse":
            return web.Response(status=status, text="Refused by a fault.\n")
    return None


class _Records(logging.Handler):
    """Turns log records of aiohttp into records of the service, one line each and without tracebacks."""

    def __init__(self, record: Callable[[str, str, str, dict[str, Any]], None]) -> None:
        super().__init__(logging.WARNING)
        self._record = record

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        reason = f": {type(error).__name__}: {error}" if error else ""
        self._record("", "note", f"{record.getMessage()}{reason}", {"level": record.levelname.lower()})


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
    words = words_of(text)
    step = length // len(words)
    return Speech(samples, tuple(Mark(n * step, step, word) for n, word in enumerate(words)))
