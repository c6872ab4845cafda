"""`Replay`: the server's side of a recorded session, played to a client.

Messages come at their recorded times, counted from the client's last message other than sound, where the client's
messages are those of the recording in number. One that came before its place counts from when it is due: else all that
is before it would be sent in a burst. A client that is silent is waited for only `PATIENCE` seconds.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from aiohttp import WSMsgType, web

from voicelive_tui.loopback.connection import GOING_AWAY, open_websocket

PATIENCE = 2.0


class Recorded(NamedTuple):
    """A message of a recording."""

    at: float
    """Seconds."""
    direction: Literal["in", "out"]
    """From or to the server, as a client says it."""
    text: Callable[[], str]
    sound: bool
    """It carries a piece of the microphone's sound."""


class Replay:
    """One client, to which a session is played; `messages` has it from its `session.created` on."""

    def __init__(self, messages: Sequence[Recorded]) -> None:
        self._messages = messages
        self._websocket = open_websocket()
        self._sent_code = 0
        self._arrivals: list[float] = []
        self._arrived = asyncio.Event()

    @property
    def close_code(self) -> int:
        """The code of the first close frame; aiohttp keeps that of the reply."""
        return self._sent_code or self._websocket.close_code or 1006

    async def run(self, request: web.Request) -> web.WebSocketResponse:
        """Play the session, then wait until the client leaves."""
        await self._websocket.prepare(request)
        sending = asyncio.create_task(self._send())
        try:
            async for message in self._websocket:
                if message.type == WSMsgType.TEXT and not _is_sound(message.data):
                    self._arrivals.append(time.monotonic())
                    self._arrived.set()
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await sending
        return self._websocket

    async def end(self) -> None:
        """Close the WebSocket with 1001."""
        self._sent_code = GOING_AWAY
        with contextlib.suppress(ConnectionError):
            await self._websocket.close(code=GOING_AWAY, message=b"the service is stopping")

    async def _send(self) -> None:
        anchor = sent_at = time.monotonic()
        recorded_at, said = self._messages[0].at, 0
        for message in self._messages:
            due = anchor + message.at - recorded_at
            if message.direction == "in":
                await asyncio.sleep(max(due - time.monotonic(), 0))
                sent_at = time.monotonic()
                await self._websocket.send_str(message.text())
            elif not message.sound:
                said += 1
                arrived = await self._arrival(said, due + PATIENCE)
                anchor, recorded_at = due if arrived < sent_at else arrived, message.at

    async def _arrival(self, number: int, limit: float) -> float:
        """When the client's message of that number came, or the time of the limit."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(limit - time.monotonic(), 0)):
                while len(self._arrivals) < number:
                    self._arrived.clear()
                    await self._arrived.wait()
        return self._arrivals[number - 1] if len(self._arrivals) >= number else time.monotonic()


def _is_sound(text: str) -> bool:
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(event, dict) and str(event.get("type", "")).endswith(".append")
