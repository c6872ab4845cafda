"""A live session against the loopback service, over a real socket and through the real SDK, for tests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from voicelive_tui.audio.format import silence
from voicelive_tui.client.live import LiveSession
from voicelive_tui.config import Audio, Service, Session, Settings, TurnDetection
from voicelive_tui.loopback.faults import parse
from voicelive_tui.loopback.script import Script
from voicelive_tui.loopback.service import LoopbackService
from voicelive_tui.session import inputs
from voicelive_tui.session.state import SessionState
from voicelive_tui.speech.voice import open_voice

LIMIT = 60.0
"""Seconds that anything may take on a busy machine."""


class Mouth:
    """A microphone that hears what the test says: a `Source` of the audio layer."""

    def __init__(self) -> None:
        self._queued = bytearray()

    def say(self, pcm: bytes) -> None:
        """Speak from the next block on."""
        self._queued += pcm

    async def spoken(self) -> None:
        """Wait until everything was said, and a moment longer."""
        await until(lambda: not self._queued, "the end of the speech")
        await asyncio.sleep(0.2)

    def read(self, frames: int, heard: bytes) -> bytes:
        """The next block; silence where nothing is being said."""
        block = bytes(self._queued[: frames * 2])
        del self._queued[: frames * 2]
        return block + silence(frames - len(block) // 2)


class Recorder:
    """An observer that keeps every input with its time."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, inputs.Input]] = []

    def __call__(self, event: inputs.Input, before: SessionState, after: SessionState, now: float) -> None:
        self.seen.append((now, event))

    def count(self, kind: type[inputs.Input]) -> int:
        """How many inputs of that class there were."""
        return sum(isinstance(event, kind) for _, event in self.seen)

    def types(self, direction: type[inputs.Received] | type[inputs.Sent] = inputs.Received) -> list[str]:
        """The types of the server (or client) events so far."""
        return [str(event.event.get("type")) for _, event in self.seen if isinstance(event, direction)]

    def events(self, kind: str) -> list[tuple[float, dict[str, Any]]]:
        """The events of a type, both ways, with their times."""
        return [
            (at, dict(event.event))
            for at, event in self.seen
            if isinstance(event, inputs.Received | inputs.Sent) and event.event.get("type") == kind
        ]


def speech(text: str = "Hello there, can you hear me well?") -> bytes:
    """Words as PCM16, 24 kHz mono; by espeak-ng where it is installed, else by a placeholder voice."""
    return bytes(open_voice().speak(text, "caller").samples.tobytes())


async def until(condition: Callable[[], object], what: str = "", limit: float = LIMIT) -> None:
    """Wait for a condition; fail with its name when it does not come."""
    try:
        async with asyncio.timeout(limit):
            while not condition():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"did not happen within {limit:.0f} s: {what or condition}") from None


@contextlib.asynccontextmanager
async def conversation(
    *faults: str,
    script: Script | None = None,
    output: str = "none",
    turn_detection: TurnDetection | None = None,
    **session: Any,
) -> AsyncIterator[tuple[LiveSession, Mouth, Recorder]]:
    """A running session with a loopback service of its own; ended, and awaited, at the end."""
    mouth, recorder = Mouth(), Recorder()
    async with LoopbackService(api_key="k3y", script=script, faults=[parse(fault) for fault in faults]) as service:
        asked = Session(**session)
        if turn_detection is not None:
            asked = msgspec.structs.replace(asked, turn_detection=turn_detection)
        settings = Settings(
            service=Service(endpoint=service.endpoint, api_key="k3y"),
            session=asked,
            audio=Audio(input_device="none", output_device=output),
        )
        live = LiveSession(settings, source=mouth)
        live.observe(recorder)
        running = asyncio.create_task(live.run())
        try:
            yield live, mouth, recorder
        finally:
            await live.close()
            await asyncio.wait_for(running, LIMIT)
