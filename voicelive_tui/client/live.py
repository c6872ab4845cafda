"""`LiveSession`: the state, its observers, and the only place where effects become actions.

Its tasks, all on one event loop:

- `run` sets up, connects and receives. Each input is folded, shown to the observers, and its effects performed.
- `_load_sound` loads the sound path while the connection is made; effects on sound wait for it.
- `AudioPump.run` takes captured sound to the link, and reports what started or ended at the speaker.
- `LinkWatch.run` notices a link that has died, a computer that slept, and an answer that does not come.
- `Sound.watch` notices streams that stall, and brings them back.

`state` is replaced in `apply` and nowhere else. A session costs little to construct: the SDK, numpy and the rest are
imported when it runs, off the loop.
"""

import asyncio
import importlib
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Literal

from voicelive_tui.client.destination import Destination
from voicelive_tui.client.log_file import follow_logging, write_log
from voicelive_tui.client.sdk import import_sdk
from voicelive_tui.client.shell import DeviceChoice, Observer
from voicelive_tui.client.tool_calls import ToolCalls
from voicelive_tui.config import Settings
from voicelive_tui.session import effects, inputs
from voicelive_tui.session.fold import reduce
from voicelive_tui.session.intent import Intent
from voicelive_tui.session.reading import Reading
from voicelive_tui.session.state import Connection, SessionState
from voicelive_tui.session.wanted import change_to, with_settings
from voicelive_tui.tools.run import Toolbox

if TYPE_CHECKING:
    from voicelive_tui.audio.devices import Source
    from voicelive_tui.audio.engine import AudioEngine
    from voicelive_tui.client.destination import Connect
    from voicelive_tui.client.links import Links
    from voicelive_tui.client.sound import Sound
    from voicelive_tui.client.sound_path import SoundPath
    from voicelive_tui.loopback.script import Script

log = logging.getLogger(__name__)

HEAD_START = 0.05
"""Seconds for the connection before the sound path is loaded: imports would delay a handshake on this machine, and one
over a network waits longer than this."""
CLOSE_LIMIT = 5.0
"""Seconds for an orderly end."""


class LiveSession:
    """A conversation, or one after another, until `close`. Implements `Shell`.

    Args:
        settings: With an endpoint, unless this is the demo.
        demo: Talk to a loopback service that is started for it.
        caller: In the demo, let a synthetic caller speak where no input was chosen and there is no microphone.
        script: Of the demo's service; None: the tour for a caller, else the line check.
        source: A synthetic microphone in place of the input device.
        native_messages: Counts the lines that C libraries have printed.
        connect: Makes the connections; `ServiceConnection.open` unless a test scripts them.
        toolbox: The functions that the model can call.
        attended: There is a user who can approve a call.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        demo: bool = False,
        caller: bool = True,
        script: "Script | None" = None,
        source: "Source | None" = None,
        native_messages: Callable[[], int] = lambda: 0,
        connect: "Connect | None" = None,
        toolbox: Toolbox | None = None,
        attended: bool = True,
    ) -> None:
        intent = Intent(reconnect=settings.service.reconnect, rotate_before=settings.service.rotate_before)
        state = SessionState(Connection(demo=demo), attended=attended, intent=intent)
        self._tools = ToolCalls(toolbox or Toolbox(), settings.tools, self, demo=demo)
        self.state = with_settings(state, change_to(settings, self._tools.declarations(demo=demo)))
        self.destination = Destination(settings, demo=demo, connect=connect, script=script)
        self._find_caller = demo and caller
        self._source = source
        self._count_native = native_messages
        self._observers: list[Observer] = [write_log]
        self._path: SoundPath | None = None
        self._postponed: list[effects.OnSound] = []  # until the sound path is loaded
        self._links: Links | None = None
        self._closing = False
        self._running: asyncio.Task[Any] | None = None
        self._setting_up: asyncio.Task[None] | None = None
        self._chores: set[asyncio.Task[None]] = set()

    @property
    def sound(self) -> "Sound":
        """The sound streams, once `run` has loaded the sound path."""
        assert self._path is not None
        return self._path.sound

    @property
    def engine(self) -> "AudioEngine | None":
        """The engine of the sound streams, once they are loaded."""
        return None if self._path is None else self._path.sound.engine

    @property
    def links(self) -> "Links":
        """The links to the service, once `run` has begun."""
        assert self._links is not None
        return self._links

    # --- the face, see `Shell`

    def observe(self, observer: Observer) -> Callable[[], None]:
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    def apply(self, event: inputs.Input) -> None:
        now, before = time.monotonic(), self.state
        self.state, wanted = reduce(event, before, now)
        if wanted and isinstance(wanted[0], effects.StopPlayback):  # silence comes before everything, observers too
            self._perform(wanted[0])
            wanted = wanted[1:]
        for observer in tuple(self._observers):
            observer(event, before, self.state, now)
        for effect in wanted:
            self._perform(effect)
        if self._path is not None:
            self._path.wake()

    def reading(self) -> Reading:
        if self._path is None:
            return Reading()
        return self._path.reading(outbox_ms=self.links.outbox_ms, dropped_ms=self.links.dropped_ms)

    def activity_changed(self) -> bool:
        return self._path is not None and self.sound.engine.activity_changed()

    async def devices(self) -> list[DeviceChoice]:
        return await self._path.device_choices() if self._path is not None else []

    async def choose_device(self, direction: Literal["input", "output"], spec: str) -> None:
        if self._path is not None:
            await self._path.choose_device(direction, spec)

    async def change_settings(self, settings: Settings, origin: str, *, demo: bool) -> None:
        devices = self.destination.settings.audio
        await self.destination.use(settings, demo=demo)
        self.apply(change_to(self.destination.settings, self._tools.declarations(demo=demo), origin))
        if self._path is not None:
            await self._path.change_settings(devices, settings.audio, demo=demo)

    async def test_tone(self) -> None:
        if self._path is not None:
            self._path.play_test_tone()

    async def reload_tools(self) -> None:
        await self._tools.reload()

    async def suspend(self) -> None:
        if self._path is not None:
            await self._path.suspend()

    async def resume(self) -> None:
        if self._path is not None:
            await self._path.resume()

    async def run(self) -> None:
        if self._closing:
            return
        self._running = asyncio.current_task()
        try:
            async with AsyncExitStack() as stack:
                stack.callback(follow_logging(self.apply, self.destination.settings.service.api_key))
                setting_up = self._setting_up = asyncio.create_task(self._set_up(stack))
                (defect,) = await asyncio.gather(setting_up, return_exceptions=True)
                if setting_up.cancelled():  # by `close`
                    return
                if defect is not None:
                    raise defect
                await self._converse_until_closed()
        except Exception as defect:
            log.exception("the session broke down")
            sentence = f"the program has a defect ({type(defect).__name__}: {defect}); see the log file"
            self.apply(inputs.ConnectFailed(sentence))

    async def close(self) -> None:
        if not self._closing:
            self._closing = True
            if self._setting_up is not None:
                self._setting_up.cancel()
            if self._path is not None:
                self.sound.engine.flush()
            if self._links is not None:
                await self._links.close()
        if self._running is not None and self._running is not asyncio.current_task():
            _, pending = await asyncio.wait([self._running], timeout=CLOSE_LIMIT)
            if pending:
                log.warning("the end took longer than %g s", CLOSE_LIMIT)
                self._running.cancel()

    # --- its life

    async def _set_up(self, stack: AsyncExitStack) -> None:
        """Import and start what a connection needs; what was started ends with the stack."""
        await import_sdk()
        if self._find_caller:
            await asyncio.to_thread(importlib.import_module, "voicelive_tui.client.demo")
            from voicelive_tui.client import demo  # noqa: PLC0415

            to = self.destination
            self._source, to.script = await demo.find_caller(to.settings, to.script, self.observe)
        await self.destination.set_up(stack)

    async def _load_sound(self) -> None:
        """Load the sound path, which starts its tasks."""
        await asyncio.sleep(HEAD_START)
        await asyncio.to_thread(importlib.import_module, "voicelive_tui.client.sound_path")
        from voicelive_tui.client.sound_path import SoundPath  # noqa: PLC0415

        self._path = SoundPath(
            self.destination.settings.audio,
            self._source,
            self,
            link=lambda: self.links.serving,
            start=self._start,
            native_messages=self._count_native,
        )
        postponed, self._postponed = self._postponed, []
        for effect in postponed:
            self._perform(effect)

    async def _converse_until_closed(self) -> None:
        from voicelive_tui.client.links import Links  # noqa: PLC0415
        from voicelive_tui.client.watch import LinkWatch  # noqa: PLC0415

        links = self._links = Links(lambda: self.destination.connect(self.state.conversation_id), self, self._start)
        self._start(self._load_sound())
        self._start(LinkWatch(self, lambda: links.serving).run())
        try:
            while not self._closing:
                await self._converse(links)
                await links.wait()
        finally:
            await links.cancel()
            for chore in self._chores:
                chore.cancel()
            await asyncio.gather(*self._chores, return_exceptions=True)
            if self._path is not None:
                await self.sound.close()
            log.info("cleaned up")

    async def _converse(self, links: "Links") -> None:
        """One session, from connecting to its end, or several that took over from one another."""
        resumed = self.state.lost_at is not None
        if self._path is not None and not resumed:
            self.sound.engine.forget()
        self.apply(self._connecting(resumed=resumed))
        try:
            await links.serve()
        finally:
            if not self.state.resuming:
                await self._stop_capture()

    def _connecting(self, *, resumed: bool) -> inputs.Connecting:
        return self.destination.connecting(resumed=resumed, caller=self._source is not None)

    async def _stop_capture(self) -> None:
        if self._path is not None:
            await self._path.stop_capture()

    # --- effects

    def _perform(self, effect: effects.Effect) -> None:
        match effect:
            case effects.OnSound():
                if self._path is None:
                    self._postponed.append(effect)
                else:
                    self._path.perform(effect)
            case effects.CallTool():
                self._start(self._tools.perform(effect))
            case _ if self._links is None:
                pass  # `run` has not begun
            case effects.Disconnect():
                self._start(self._disconnect())
            case effects.BeginStandby():
                self.links.begin_standby()
                self.apply(inputs.OnStandby(self._connecting(resumed=True)))
            case _:
                self._links.perform(effect)

    async def _disconnect(self) -> None:
        await self.links.disconnect()
        await self._stop_capture()

    def _start(self, chore: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine as a task, cancelled with the session."""
        task = asyncio.create_task(chore)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)
        task.add_done_callback(self._look_at)
        return task

    def _look_at(self, task: asyncio.Task[None]) -> None:
        """Report a task that failed."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task failed", exc_info=error)
            sentence = f"a part of the program failed ({type(error).__name__}: {error}); see the log file"
            self.apply(inputs.LocalProblem(sentence))
