"""A double of the shell, which keeps a given state and notes what it is asked to do, and the dashboard around it."""

import asyncio
import time
from collections.abc import Callable

from msgspec.structs import replace

from tests import states
from voicelive_tui.client.shell import DeviceChoice, Observer
from voicelive_tui.config import Settings, Ui
from voicelive_tui.session.inputs import Input, MutePressed, ProblemsSeen
from voicelive_tui.session.reading import Reading
from voicelive_tui.session.state import SessionState
from voicelive_tui.ui.app import VoiceLiveApp

SILENCE = Reading()


class FakeLive:
    """Notes what it was asked to do. It answers mute and problems-seen as the reducer does, and nothing else."""

    def __init__(self, state: SessionState, reading: Reading = SILENCE) -> None:
        self._state = state
        self._reading = reading
        self.stirring = False
        self.applied: list[object] = []
        self.calls: list[object] = []
        self.observers: list[Observer] = []
        self.closed = asyncio.Event()

    @property
    def state(self) -> SessionState:
        return self._state

    @state.setter
    def state(self, state: SessionState) -> None:
        self.receive(None, state)

    def receive(self, input_: object, state: SessionState) -> None:
        """An input led to a state: tell the observers."""
        before, self._state = self._state, state
        for observer in self.observers:
            observer(input_, before, state, time.monotonic())

    def reading(self) -> Reading:
        return self._reading

    def activity_changed(self) -> bool:
        return self.stirring

    def observe(self, observer: Observer) -> Callable[[], None]:
        self.observers.append(observer)
        return lambda: self.observers.remove(observer)

    def set_reading(self, reading: Reading) -> None:
        self._reading = reading

    def apply(self, input_: Input) -> None:
        self.applied.append(input_)
        match input_:
            case MutePressed():
                mic = self.state.microphone
                self.receive(input_, replace(self.state, microphone=replace(mic, muted=not mic.muted)))
            case ProblemsSeen():
                self.receive(input_, replace(self.state, problems=()))

    async def change_settings(self, settings: Settings, origin: str, *, demo: bool) -> None:
        self.calls.append(("change_settings", settings, origin, demo))

    async def run(self) -> None:
        self.calls.append("run")
        await self.closed.wait()

    async def close(self) -> None:
        self.calls.append("close")
        self.closed.set()

    async def devices(self) -> list[DeviceChoice]:
        return [
            DeviceChoice("input", "0", "USB microphone [front]", True),
            DeviceChoice("input", "2", "Headset", False),
            DeviceChoice("output", "1", "Built-in speaker", True),
        ]

    async def choose_device(self, direction: str, spec: str) -> None:
        self.calls.append(("choose", direction, spec))

    async def test_tone(self) -> None:
        self.calls.append("test_tone")

    async def reload_tools(self) -> None:
        self.calls.append("reload_tools")

    async def suspend(self) -> None:
        self.calls.append("suspend")

    async def resume(self) -> None:
        self.calls.append("resume")


def app_of(state, reading=states.SPEAKING_READING, keys=None, **ui):
    return VoiceLiveApp(lambda: FakeLive(state, reading), Ui(**ui), keys or {})


async def settled(pilot):
    """The dashboard is open, and the state of the shell is drawn."""
    while len(pilot.app.screen_stack) < 2 or not pilot.app.screen_stack[1].is_mounted:
        await pilot.pause()
    while pilot.app.screen_stack[1].session is not pilot.app.live.state:
        await pilot.pause(0.005)
    await pilot.pause()
    await pilot.pause()


async def drawn(pilot, state):
    """Wait until the screen shows a state."""
    async with asyncio.timeout(60):
        while pilot.app.screen.session is not state:
            await pilot.pause(0.01)


async def logged(pilot):
    """Wait until the event list shows the state of the shell."""
    async with asyncio.timeout(60):
        while pilot.app.screen.logged is not pilot.app.live.state:
            await pilot.pause(0.01)
