"""Joining the parts: the loopback service and its caller where they are wanted, credentials, and the session.

Nothing heavy is imported at the top, so that the dashboard's first screen is up before the SDK, numpy, the session and
the rest are there: `LateSession` stands in the session's place until then.
"""

import asyncio
import contextlib
import importlib
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from voicelive_tui import credentials, logs
from voicelive_tui.config import Settings

if TYPE_CHECKING:
    from voicelive_tui.client.live import LiveSession
    from voicelive_tui.session.inputs import Input
    from voicelive_tui.session.state import DeviceChoice, Reading, SessionState

log = logging.getLogger(__name__)

CLOSE_LIMIT = 5.0
"""Seconds that what was joined gets to come apart."""

HEAVY = ("voicelive_tui.client.live", "voicelive_tui.loopback.service", "voicelive_tui.speech.caller")


def secrets(settings: Settings) -> tuple[str, ...]:
    """What must not appear in any log."""
    return (settings.service.api_key,) if settings.service.api_key else ()


@contextlib.asynccontextmanager
async def join(
    settings: Settings, *, demo: bool, caller: bool = True, native_messages: Callable[[], int] = lambda: 0
) -> AsyncIterator["LiveSession"]:
    """A session with all that it needs; it runs by its own `run`.

    Args:
        settings: With an endpoint, unless this is the demo.
        demo: Talk to a loopback service, started here on a free port with a key of its own.
        caller: In the demo, let a synthetic user speak where no input was chosen and none is usable.
        native_messages: Counts the lines that C libraries printed.
    """
    for name in HEAVY if demo else HEAVY[:1]:
        await asyncio.to_thread(importlib.import_module, name)
    from voicelive_tui.client.live import LiveSession  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        if demo:
            settings = await demo_service(settings, stack)
        source = await stack.enter_async_context(credentials.source(settings.service))
        live = LiveSession(
            settings,
            source,
            credentials.kind(settings.service, demo=demo),
            demo=demo,
            caller=await _demo_caller(settings) if demo and caller else None,
            native_messages=native_messages,
        )
        with _log_into(live, settings):
            yield live


async def demo_service(settings: Settings, stack: AsyncExitStack) -> Settings:
    """Start the loopback service, to end with the stack; the settings that lead to it."""
    from voicelive_tui.loopback.service import LoopbackService  # noqa: PLC0415

    key = os.urandom(16).hex()  # other users of this machine have no business in this conversation
    running = await stack.enter_async_context(LoopbackService(api_key=key))
    changes: dict[str, Any] = {"endpoint": running.endpoint, "api_key": key, "use_token_credential": False}
    return msgspec.structs.replace(settings, service=msgspec.structs.replace(settings.service, **changes))


async def _demo_caller(settings: Settings) -> Any:
    """The synthetic user, or None where there is a microphone, or another input was chosen."""
    if settings.audio.input_device != "":
        return None
    from voicelive_tui.audio.devices import AudioError, input_for  # noqa: PLC0415
    from voicelive_tui.audio.engine import AudioEngine  # noqa: PLC0415
    from voicelive_tui.client.sound import off_loop  # noqa: PLC0415
    from voicelive_tui.speech.caller import DemoCaller  # noqa: PLC0415

    try:
        stream = await off_loop(lambda: input_for("").open(AudioEngine()), "looking for a microphone")
        await off_loop(stream.close, "closing the microphone")
    except AudioError:
        return DemoCaller()
    return None


@contextlib.contextmanager
def _log_into(live: "LiveSession", settings: Settings) -> Iterator[None]:
    """Let log records join the event log, whichever thread they come from."""
    from voicelive_tui.client import log_file  # noqa: PLC0415
    from voicelive_tui.session.inputs import LogRecord  # noqa: PLC0415

    loop = asyncio.get_running_loop()

    def listener(severity: logs.Severity, logger: str, text: str) -> None:
        if logger != log_file.NAME:  # those are rows already
            loop.call_soon_threadsafe(live.apply, LogRecord(severity, logger, text))

    stop = logs.listen(listener, secrets(settings))
    try:
        yield
    finally:
        stop()


class LateSession:
    """A session that is joined when it runs, behind the first screen; until then it is an empty one.

    It has what the dashboard needs of `LiveSession`, and hands everything on once that is there.

    Args:
        joining: Gives the session; see `join`.
    """

    def __init__(self, joining: AbstractAsyncContextManager["LiveSession"]) -> None:
        self._joining = joining
        self._nothing: SessionState | None = None
        self._running: asyncio.Task[None] | None = None
        self.live: LiveSession | None = None

    @property
    def state(self) -> "SessionState":
        """As `LiveSession.state`."""
        if self.live:
            return self.live.state
        if self._nothing is None:
            from voicelive_tui.session.state import SessionState  # noqa: PLC0415

            self._nothing = SessionState()
        return self._nothing

    def reading(self) -> "Reading":
        """As `LiveSession.reading`."""
        if self.live:
            return self.live.reading()
        from voicelive_tui.session.state import Reading  # noqa: PLC0415

        return Reading()

    def stirs(self) -> bool:
        """As `LiveSession.stirs`."""
        return self.live is not None and self.live.stirs()

    def apply(self, event: "Input") -> None:
        """As `LiveSession.apply`; with no session yet, no key has anything to act on."""
        if self.live:
            self.live.apply(event)

    async def run(self) -> None:
        """Join the session and let it run to its end. What breaks is a failed session, never an exception."""
        self._running = asyncio.create_task(self._run())
        await asyncio.wait([self._running])

    async def _run(self) -> None:
        try:
            async with self._joining as self.live:
                await self.live.run()
        except Exception as problem:  # a defect of the program: told in a sentence, with the traceback in the log
            from voicelive_tui.session.fold import reduce  # noqa: PLC0415
            from voicelive_tui.session.inputs import ConnectFailed  # noqa: PLC0415

            log.exception("the session broke down")
            sentence = f"the program has a defect ({type(problem).__name__}: {problem}); the log file tells more"
            self._nothing, _ = reduce(ConnectFailed(sentence), self.state, time.monotonic())
            self.live = None

    async def close(self) -> None:
        """As `LiveSession.close`, then the end of all that was joined."""
        if self.live:
            await self.live.close()
        elif self._running:
            self._running.cancel()
        if self._running:
            await asyncio.wait([self._running], timeout=CLOSE_LIMIT)
            self._running.cancel()

    async def devices(self) -> "list[DeviceChoice]":
        """As `LiveSession.devices`."""
        return await self.live.devices() if self.live else []

    async def choose_device(self, direction: Literal["input", "output"], spec: str) -> None:
        """As `LiveSession.choose_device`."""
        if self.live:
            await self.live.choose_device(direction, spec)

    async def test_tone(self) -> None:
        """As `LiveSession.test_tone`."""
        if self.live:
            await self.live.test_tone()

    async def suspend(self) -> None:
        """As `LiveSession.suspend`."""
        if self.live:
            await self.live.suspend()

    async def resume(self) -> None:
        """As `LiveSession.resume`."""
        if self.live:
            await self.live.resume()
