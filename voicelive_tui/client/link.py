"""`Link`: one connection to the service, with its outbox, its sender and its receiver.

A link is used once: `run` connects, receives until the connection ends, and closes. It holds no session state, so two
links can be alive at once. What happens on it is reported as inputs, in the order in which it happens.
"""

import asyncio
import base64
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from voicelive_tui.audio.format import duration_ms
from voicelive_tui.client.connection import BadMessage, ConnectError, LinkClosed, ServiceConnection
from voicelive_tui.credentials import CredentialError
from voicelive_tui.session import inputs

BURST_SECONDS = 0.0003
"""Received events are handled this long before other tasks get a turn."""
OUTBOX_LIMIT_MS = 500.0
"""Captured sound that may wait for the network; beyond it the oldest is dropped and reported."""
TURN = "input_audio.turn."
HEARTBEAT_SECONDS = 20.0
"""Between pings on a link that is not checked otherwise."""
PONG_SECONDS = 10.0
"""Time for the answer to a ping."""


class _Captured(NamedTuple):
    """Captured sound in the outbox."""

    pcm: bytes
    at: float | None


class Link:
    """One connection, from connecting to its end.

    Attributes:
        outbox_ms: Captured sound that waits to be sent, in milliseconds.
        dropped_ms: Captured sound dropped because the network was behind.
        owed: Chunks of captured sound that the link before it had not sent when this one took over.
        alive_at: When something last arrived on it (`time.monotonic()` seconds).
    """

    def __init__(
        self, connect: Callable[[], Awaitable[ServiceConnection]], apply: Callable[[inputs.OfLink], None]
    ) -> None:
        self.outbox_ms = self.dropped_ms = 0.0
        self.owed = 0
        self._late_ms = 0.0  # of the sound in the outbox, at its front
        self._connect = connect
        self._apply = apply
        self._attempt: asyncio.Future[ServiceConnection] | None = None
        self._connection: ServiceConnection | None = None
        self._outbox: deque[Mapping[str, Any] | _Captured] = deque()
        self._outbox_filled = asyncio.Event()
        self._check_due = asyncio.Event()
        self._closing = self._is_sending_sound = False

    @property
    def alive_at(self) -> float:
        return 0.0 if self._connection is None else self._connection.alive_at

    def check(self) -> None:
        """Let the other end prove within `PONG_SECONDS` that it is there, or take the link for dead."""
        self._check_due.set()

    async def run(self) -> None:
        """Connect, and receive until the connection ends. What goes wrong is reported as an input."""
        self._attempt = asyncio.ensure_future(self._connect())
        try:
            connection = await self._attempt
        except ConnectError as error:
            self._apply(inputs.ConnectFailed(str(error), error.transient, error.retry_after))
            return
        except CredentialError as error:  # a lost session had a token once
            self._apply(inputs.ConnectFailed(str(error), transient=True))
            return
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # `run` itself was cancelled, not the attempt
                raise
            return
        if self._closing:  # the attempt succeeded just as `close` was called
            await connection.close()
            return
        self._connection = connection
        self._apply(inputs.Connected(connection.unix_time, connection.dated))
        sender = asyncio.create_task(self._send_all(connection))
        ends = {asyncio.create_task(each(connection)) for each in (self._receive_all, self._check_all)}
        try:
            over, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            over.pop().result()
        finally:
            self._connection = None
            for task in (sender, *ends):
                task.cancel()
            await connection.close()
            await asyncio.gather(sender, *ends, return_exceptions=True)

    async def close(self) -> None:
        """End the attempt to connect, or close the connection with code 1000; `run` returns after it."""
        self._closing = True
        if self._attempt is not None:  # a handshake may hang
            self._attempt.cancel()
        if self._connection is not None:
            await self._connection.close()

    def send(self, event: Mapping[str, Any]) -> None:
        """Send a client event after everything that waits; without an open connection it is dropped."""
        if self._connection is not None:
            self._outbox.append(event)
            self._outbox_filled.set()

    def send_audio(self, pcm: bytes, at: float | None = None, *, late: bool = False) -> None:
        """Send captured sound, whose first sample has the ADC time `at`, in order with the events.

        Nothing is dropped until all is sent that is `late`: it was captured before there was this link.
        """
        if self._connection is None:
            return
        self._outbox.append(_Captured(pcm, at))
        self._outbox_filled.set()
        self.outbox_ms += duration_ms(pcm)
        if late:
            self._late_ms += duration_ms(pcm)
        if self.outbox_ms > OUTBOX_LIMIT_MS and self._late_ms <= 0:
            self._drop_oldest_audio()

    def unsent(self) -> int:
        """Chunks of sound in the outbox, and the one that the network has not taken yet."""
        return sum(isinstance(entry, _Captured) for entry in self._outbox) + self._is_sending_sound

    def _drop_oldest_audio(self) -> None:
        oldest = next(entry for entry in self._outbox if isinstance(entry, _Captured))
        self._outbox.remove(oldest)
        self.outbox_ms -= duration_ms(oldest.pcm)
        if self.dropped_ms == 0.0:
            sentence = f"the network is behind: captured sound older than {OUTBOX_LIMIT_MS:g} ms is dropped"
            self._apply(inputs.LocalProblem(sentence))
        self.dropped_ms += duration_ms(oldest.pcm)

    async def _receive_all(self, connection: ServiceConnection) -> None:
        since = time.monotonic()
        while True:
            try:
                event, raw = await connection.receive()
            except BadMessage as error:
                self._apply(inputs.BadMessage(str(error), error.raw))
            except LinkClosed as end:
                self._apply(inputs.Disconnected(end.code, "" if self._closing else str(end)))
                return
            else:
                self._apply(inputs.Received(event, raw))
            # A burst must not starve the sender and the screen, but yielding costs as much as handling one event.
            if time.monotonic() - since > BURST_SECONDS:
                await asyncio.sleep(0)
                since = time.monotonic()

    async def _check_all(self, connection: ServiceConnection) -> None:
        """Ping when asked to, and now and then; the end of this is the end of the link."""
        while True:
            self._check_due.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._check_due.wait()
            asked_at = time.monotonic()
            await connection.ping()
            while connection.alive_at < asked_at:
                # On a slow network the ping waits behind sound; as long as that moves, the link is not dead.
                if time.monotonic() - max(asked_at, connection.taken_at) > PONG_SECONDS:
                    dead = LinkClosed(1006, f"no answer to a ping for {PONG_SECONDS:g} s")
                    self._apply(inputs.Disconnected(dead.code, str(dead), connection.alive_at))
                    return
                await asyncio.sleep(PONG_SECONDS / 50)

    async def _send_all(self, connection: ServiceConnection) -> None:
        turn_id = ""  # of the audio turn in progress: sound is a part of it
        while True:
            while not self._outbox:
                self._outbox_filled.clear()
                await self._outbox_filled.wait()
            entry = self._outbox.popleft()
            captured_at = None
            self._is_sending_sound = isinstance(entry, _Captured)
            if isinstance(entry, _Captured):
                self.outbox_ms -= duration_ms(entry.pcm)
                self._late_ms = max(self._late_ms - duration_ms(entry.pcm), 0.0)
                sound = base64.b64encode(entry.pcm).decode("ascii")
                event: Mapping[str, Any] = {"type": "input_audio_buffer.append", "audio": sound}
                if turn_id:
                    event = {"type": f"{TURN}append", "event_id": turn_id, "turn_id": turn_id, "audio": sound}
                captured_at = entry.at
            else:
                event = entry
                if event["type"].startswith(TURN):
                    turn_id = event["turn_id"] if event["type"] == f"{TURN}start" else ""
            try:
                await connection.send(event)
            except LinkClosed:
                return  # the receiver finds out why
            self._is_sending_sound = False
            self._apply(inputs.Sent(event, captured_at))
