"""`ScriptedConnection`: a connection for tests, with the events it emits and the client events it expects as data."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Self

from voicelive_tui.client.connection import LinkClosed


class ScriptedConnection:
    """In place of `ServiceConnection`; give it to `LiveSession(connect=...)`.

    Args:
        expected: Types of client events, in the order in which they must be sent. Captured sound may come between.

    Attributes:
        sent: Every client event so far.
        sending: Cleared, it holds sends back as a slow network does.
        closed: Whether `close` was called.
        alive_at, taken_at, unix_time, dated: As of `ServiceConnection`.
        answers_pings: Whether a ping moves it.
    """

    def __init__(self, *expected: str) -> None:
        self.sent: list[Mapping[str, Any]] = []
        self.sending = asyncio.Event()
        self.sending.set()
        self.closed = False
        self.alive_at = self.taken_at = time.monotonic()
        self.unix_time, self.dated = 0.0, False
        self.answers_pings = True
        self._expected = list(expected)
        self._unexpected: list[Mapping[str, Any]] = []
        self._incoming: asyncio.Queue[Mapping[str, Any] | Exception] = asyncio.Queue()

    async def __call__(self, *_: object) -> Self:
        """Connect: takes the arguments of `ServiceConnection.open`."""
        return self

    def emit(self, *events: Mapping[str, Any] | Exception) -> None:
        """Queue what `receive` returns next: server events, or `BadMessage` and `LinkClosed` to raise."""
        for event in events:
            self._incoming.put_nowait(event)

    async def receive(self) -> tuple[dict[str, Any], str]:
        """As `ServiceConnection.receive`, with an empty text."""
        event = await self._incoming.get()
        if isinstance(event, Exception):
            raise event
        return dict(event), ""

    async def send(self, event: Mapping[str, Any]) -> None:
        """Keep the event, and compare its type with what is expected."""
        await self.sending.wait()
        self.sent.append(event)
        kind = event["type"]
        if kind == "input_audio_buffer.append":
            return
        if not self._expected or kind != self._expected.pop(0):
            self._unexpected.append(event)  # an exception would end the sender, and nothing else

    async def ping(self) -> None:
        """As `ServiceConnection.ping`."""
        if self.answers_pings:
            self.alive_at = time.monotonic()

    async def close(self) -> None:
        """Close as the service would: with code 1000."""
        self.closed = True
        self.emit(LinkClosed(1000))

    def finish(self) -> None:
        """Raise an `AssertionError` if an expected event was not sent, or another one was."""
        if self._expected or self._unexpected:
            raise AssertionError(
                f"expected, but not sent: {self._expected}; sent, but not expected: {self._unexpected}"
            )
