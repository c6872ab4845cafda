"""`Shell`: the face of a session, for the dashboard, the console and their doubles."""

from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

from voicelive_tui.config import Settings
from voicelive_tui.session.inputs import Input
from voicelive_tui.session.reading import Reading
from voicelive_tui.session.state import SessionState

Observer = Callable[[Input, SessionState, SessionState, float], None]
"""Takes an input, the state before and after it, and the time: `time.monotonic()` seconds."""


class DeviceChoice(NamedTuple):
    """One line of the device picker."""

    direction: Literal["input", "output"]
    spec: str
    """Value of `--input-device` or `--output-device` that chooses it."""
    label: str
    current: bool


class Session(Protocol):
    """What the parts of the shell see of it."""

    @property
    def state(self) -> SessionState:
        """What is known now; replaced as a whole."""

    def apply(self, event: Input) -> None:
        """Fold an input into the state, tell the observers, and perform the effects. On the event loop only."""


class Shell(Session, Protocol):
    """A session as others drive and watch it. `LiveSession` is the real one."""

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Call `observer` after each input was folded into the state; the result ends this."""

    def reading(self) -> Reading:
        """Levels, buffers and counters of the sound path at this moment."""

    def activity_changed(self) -> bool:
        """Whether either direction of sound started or stopped since the last `reading`."""

    async def run(self) -> None:
        """Hold conversations until `close`. What goes wrong is in the state, never an exception."""

    async def close(self) -> None:
        """End in order, within a limit."""

    async def devices(self) -> list[DeviceChoice]:
        """What a device picker offers. Raises `AudioError` if the devices cannot be listed."""

    async def choose_device(self, direction: Literal["input", "output"], spec: str) -> None:
        """Change to another device during the conversation."""

    async def change_settings(self, settings: Settings, origin: str, *, demo: bool) -> None:
        """Use other settings from the next session on, sound devices at once; `origin` says where they come from.

        The demo needs no endpoint: a loopback service is started for it.
        """

    async def test_tone(self) -> None:
        """Play a short tone."""

    async def reload_tools(self) -> None:
        """Load the functions again that the model can call; a problem is reported as an input."""

    async def suspend(self) -> None:
        """Release the microphone before the program is stopped by Ctrl+Z."""

    async def resume(self) -> None:
        """Open the microphone again after `suspend`."""
