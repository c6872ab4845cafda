"""Connect, receive, send and close with the Voice Live SDK; its sharp edges end here.

Rules of this file, each for a reason seen in SDK 1.3.1:

- Receiving is a loop over `recv_bytes()`, never `async for`: the SDK's iterator ends silently on every kind of
  close, and one malformed message finishes it although the socket lives on.
- Events are read as the JSON that they are. The SDK's models would cost ten times as much, change some values (a delta
  becomes bytes) and know fewer types than the service; nothing here needs them.
- Nothing relies on a send to notice a dead link: sends succeed until the close frame has been read.
- The handshake is bounded here: the SDK ignores its own `handshake_timeout` and would wait 300 s.
- What comes out are plain JSON objects and our own exceptions, each with one sentence for the user. The URL never
  appears in one, since a query may hold a secret.
- The true close code is read from `_connection`, the only private attribute of the SDK in use, and the close reason is
  kept by replacing `receive` of that object: the SDK reports a dropped TCP connection as a normal close and drops the
  reason. Without the attribute the exception's own code serves.
- A send waits until the network has taken everything. aiohttp waits only once in 64 KiB, which is a second of sound,
  and the kernel takes megabytes. A proxy on the way or a service that hangs take megabytes too, so pings are sent in
  between: their pongs show how much sound has arrived.
"""

import asyncio
import contextlib
import math
import socket
import time
import types
from collections.abc import Coroutine, Generator, Mapping
from typing import Any, Self, TypeVar

import aiohttp
from aiohttp.http import WS_CLOSED_MESSAGE
from azure.ai.voicelive.aio import ConnectionClosed, VoiceLiveConnection, connect
from azure.ai.voicelive.aio import ConnectionError as SdkConnectionError
from azure.core.credentials import AzureKeyCredential
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError

from voicelive_tui.client.handshake import prospects, proxy_hint, unix_time, why
from voicelive_tui.client.mcp_headers import with_values
from voicelive_tui.config import Agent, Service
from voicelive_tui.credentials import TOKEN_SCOPE, check_token
from voicelive_tui.endpoint import host_of
from voicelive_tui.text import visible
from voicelive_tui.wire.events import parse

HANDSHAKE_LIMIT = 15.0
"""Seconds from the first packet to the open WebSocket."""
CLOSE_LIMIT = 2.0
"""Seconds that a peer gets to answer our close frame."""
SEND_BUFFER, UNSENT_LIMIT = 32 * 1024, 4 * 1024
"""Bytes that the system may hold of what was sent (half a second of sound), and of that, bytes not on the way yet."""
DRAIN_SECONDS = 0.01
"""Between checks of the transport while the network is behind."""
PING_EVERY = 16_000
"""Bytes of sound in base64 (a quarter of a second) from one ping to the next."""
ON_THE_WAY_LIMIT = 96_000
"""Likewise (1.5 s): more is not sent until the other end has answered a ping."""
QUIET_SECONDS = 1.0
"""Since the last event. Before that, a pong may be late because it waits behind the sound of an answer."""
BIGGEST_MESSAGE = 64 * 1024 * 1024
"""Bytes; the SDK's 4 MiB are too few for a `conversation.item.retrieved` with more than a minute of sound."""
BAD_MESSAGES_LIMIT = 100
"""Unreadable messages in a row after which the other end is taken not to be Voice Live."""

CLOSE_CODES = {
    1000: "normal closure",
    1001: "the service is going away (also used when a session expires)",
    1002: "protocol error",
    1003: "unsupported data",
    1006: "the connection was lost without a close frame",
    1008: "policy violation",
    1009: "a message was too big",
    1011: "internal error of the service",
    1012: "the service restarts",
    1013: "try again later",
}

_T = TypeVar("_T")


class ConnectError(Exception):
    """The connection could not be made; the text says why and what to try.

    Attributes:
        transient: Whether another attempt may succeed.
        retry_after: Seconds that the service asks to wait before it.
    """

    def __init__(self, sentence: str, *, transient: bool = False, retry_after: float = 0.0) -> None:
        super().__init__(sentence)
        self.transient = transient
        self.retry_after = retry_after


class LinkClosed(Exception):  # noqa: N818 - it may end as it should
    """The connection is over.

    Attributes:
        code: The WebSocket close code (RFC 6455, section 7.4); 1006 where no close frame came.
    """

    def __init__(self, code: int, detail: str = "") -> None:
        """Describe the end in words and number."""
        words = CLOSE_CODES.get(code, "a code of the service's own" if code >= 4000 else "an unusual code")
        super().__init__(f"the connection ended: {words} (code {code})" + (f": {detail}" if detail else ""))
        self.code = code


class BadMessage(Exception):  # noqa: N818 - the connection goes on
    """A message arrived that is not an event; the connection goes on.

    Attributes:
        raw: The message as text; bytes that are not UTF-8 as escapes.
    """

    def __init__(self, sentence: str, raw: str = "") -> None:
        super().__init__(sentence)
        self.raw = raw


class ServiceConnection:
    """One open WebSocket to Voice Live. One task receives, one task sends.

    Attributes:
        alive_at: When something last arrived, a pong included (`time.monotonic()` seconds); updated while receiving.
        taken_at: When the network last took some of what was sent, likewise.
        unix_time: When it was opened, by the service's clock (the `Date` header of the handshake), else by this one.
        dated: Whether it is the service's clock.
    """

    def __init__(self, sdk: VoiceLiveConnection) -> None:
        """Take over an open connection of the SDK; see `open`."""
        self._sdk = sdk
        self._socket = getattr(sdk, "_connection", None)
        self._reason = ""
        self.alive_at = self.taken_at = self._event_at = time.monotonic()
        self._sent = self._pinged = self._arrived = 0  # bytes of sound
        # aiohttp does not show the handshake's answer.
        headers = getattr(getattr(self._socket, "_response", None), "headers", {})
        dated = unix_time(headers.get("Date", ""))
        # A date has whole seconds: with the next one, a session's end is not expected too late.
        self.dated, self.unix_time = dated is not None, time.time() if dated is None else dated + 1.0
        self._listen_in()
        self._closing = False
        self._bad_in_a_row = 0
        self._bound_buffers()

    @classmethod
    async def open(
        cls,
        service: Service,
        model: str,
        credential: AzureKeyCredential | AsyncTokenCredential,
        agent: Agent | None = None,
    ) -> Self:
        """Connect to a model, or to an agent, and upgrade, within `credentials.TOKEN_LIMIT` and `HANDSHAKE_LIMIT`.

        Raises `CredentialError` if Entra ID gave no token, `ConnectError` if the connection could not be made.
        """
        if not isinstance(credential, AzureKeyCredential):
            await check_token(credential)
        # The SDK drops `agent_config` without a word (protocol, section 1.1), and refuses an empty version.
        whom = (
            {
                "agent_name": agent.name,
                "project_name": agent.project,
                "agent_version": agent.version or None,
                "conversation_id": agent.conversation or None,
            }
            if agent
            else {"model": model}
        )
        manager = connect(
            endpoint=service.endpoint,
            credential=credential,
            **whom,
            api_version=service.api_version,
            credential_scopes=TOKEN_SCOPE,
            connection_options={
                "max_msg_size": BIGGEST_MESSAGE,
                "heartbeat": 86_400.0,  # none: `Link` pings, and knows that a pong may wait behind sound
                "close_timeout": CLOSE_LIMIT,
                "autoping": False,  # it would hide the pongs
                "autoclose": False,  # aiohttp would answer by itself, and where that fails lose the code that came
            },
        )
        host = host_of(service.endpoint)
        try:
            async with asyncio.timeout(HANDSHAKE_LIMIT):
                return cls(await _closed_on_cancel(manager.__aenter__()))
        except TimeoutError:
            raise ConnectError(
                f"{host} did not answer within {HANDSHAKE_LIMIT:g} s: "
                f"check the endpoint and the network{proxy_hint(service)}",
                transient=True,
            ) from None
        except (AzureError, OSError) as problem:  # AzureError: the SDK's own, and those of the credential
            transient, retry_after = prospects(problem.__cause__ or problem)
            answers = f"agent {agent.name} of project {agent.project}" if agent else f"model {model}"
            raise ConnectError(why(problem, service, answers), transient=transient, retry_after=retry_after) from None

    async def receive(self) -> tuple[dict[str, Any], str]:
        """The next server event: the JSON object, and its text as it came.

        Raises `BadMessage` for a message that is not a JSON object (call again), `LinkClosed` at the end.
        """
        try:
            raw = await self._sdk.recv_bytes()
        except ConnectionClosed as end:
            raise LinkClosed(self._close_code(end.code), self._reason) from None
        except (TimeoutError, RuntimeError, OSError) as problem:
            raise LinkClosed(self._close_code(1006), type(problem).__name__) from None
        if not raw:  # an empty message, or what the SDK makes of a close of our own
            if self._is_closed():
                raise LinkClosed(self._close_code(1006))
            raise self._bad("an empty message arrived and was left out")
        try:
            text = raw.decode()
            event = parse(text)
        except ValueError:
            sentence = "a message arrived that is not a readable JSON object, and was left out"
            raise self._bad(sentence, raw.decode(errors="backslashreplace")) from None
        self._bad_in_a_row = 0
        return event, text

    async def send(self, event: Mapping[str, Any]) -> None:
        """Send a client event, and wait until the network has taken it: what waits longer waits with the caller.

        Raises `LinkClosed` if the connection is over; but it may also be over without this.
        """
        try:
            await self._sdk.send(with_values(event))
        except (SdkConnectionError, OSError):
            raise LinkClosed(self._close_code(1006)) from None
        self._sent += len(event.get("audio", ""))
        if self._sent - self._pinged >= PING_EVERY:
            self._pinged = self._sent
            await self.ping(b"%d" % self._sent)
        before = math.inf
        # asyncio offers no event for this, and it happens on bad networks only.
        while not self._is_closed() and (waiting := sum(map(_buffered, self._transports())) + self._overdue()):
            if waiting < before:
                before, self.taken_at = waiting, time.monotonic()
            await asyncio.sleep(DRAIN_SECONDS)
        self.taken_at = time.monotonic()

    async def ping(self, content: bytes = b"") -> None:
        """Send a ping; its pong moves `alive_at`."""
        with contextlib.suppress(OSError, RuntimeError):  # it is over, as the receiver will find out
            if self._socket is not None:
                await self._socket.ping(content)

    async def close(self) -> None:
        """Close with code 1000, and wait `CLOSE_LIMIT` at most for the peer's answer."""
        self._closing = True
        try:
            async with asyncio.timeout(CLOSE_LIMIT + 1.0):
                await _closed_on_cancel(self._sdk.close())
        except (TimeoutError, SdkConnectionError, OSError):
            pass  # it is gone either way

    def _bad(self, sentence: str, raw: str = "") -> BadMessage | LinkClosed:
        self._bad_in_a_row += 1
        if self._bad_in_a_row >= BAD_MESSAGES_LIMIT:
            return LinkClosed(1002, f"{BAD_MESSAGES_LIMIT} unreadable messages in a row")
        return BadMessage(sentence, raw)

    def _transports(self) -> list[asyncio.Transport]:
        """The transport of the WebSocket, and under TLS that of its socket.

        Neither aiohttp nor asyncio shows them. Without them a send waits for nothing.
        """
        upper = getattr(getattr(self._socket, "_writer", None), "transport", None)
        lower = getattr(getattr(upper, "_ssl_protocol", None), "_transport", None)
        return [transport for transport in (upper, lower) if transport is not None]

    def _overdue(self) -> int:
        """Bytes of sound beyond those that may be on the way."""
        if time.monotonic() - self._event_at < QUIET_SECONDS:
            return 0
        return max(self._sent - self._arrived - ON_THE_WAY_LIMIT, 0)

    def _bound_buffers(self) -> None:
        """Let the system hold little of what was sent: sound that waits there can be old, and is not counted."""
        connected = next((transport.get_extra_info("socket") for transport in self._transports()), None)
        if connected is None:
            return
        with contextlib.suppress(OSError):
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            if hasattr(socket, "TCP_NOTSENT_LOWAT"):
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_LIMIT)

    def _listen_in(self) -> None:
        """Handle in passing what the SDK drops (1.3.1): pings and pongs, and the reason of a close frame."""
        if self._socket is None:
            return
        link, receive = self._socket, self._socket.receive

        async def noting(*args: Any) -> aiohttp.WSMessage:
            message: aiohttp.WSMessage = await receive(*args)
            self.alive_at = time.monotonic()
            while message.type in (aiohttp.WSMsgType.PING, aiohttp.WSMsgType.PONG):
                if message.type is aiohttp.WSMsgType.PING:
                    await link.pong(message.data)
                elif message.data.isdigit():
                    self._arrived = min(int(message.data), self._sent)
                message = await receive(*args)
                self.alive_at = time.monotonic()
            self._event_at = self.alive_at
            if message.type is aiohttp.WSMsgType.CLOSE and message.extra:
                self._reason = visible(message.extra)
            # CLOSING: of our own, of which the SDK would warn
            return WS_CLOSED_MESSAGE if message.type is aiohttp.WSMsgType.CLOSING else message

        link.receive = noting

    def _close_code(self, fallback: int) -> int:
        if self._closing:  # our own close is reported as 1006 by the SDK
            return 1000
        code = getattr(self._socket, "close_code", None)
        return code if isinstance(code, int) else fallback

    def _is_closed(self) -> bool:
        return self._closing or bool(getattr(self._socket, "closed", True))


def _buffered(transport: asyncio.Transport) -> int:
    """Bytes that wait in a transport."""
    try:
        return transport.get_write_buffer_size()
    except AttributeError:  # asyncio's TLS transport, once it is closed
        return 0


@types.coroutine
def _closed_on_cancel(call: Coroutine[Any, Any, _T]) -> Generator[Any, Any, _T]:
    """Await a coroutine of the SDK, turning a cancellation into the kind of error after which it cleans up.

    The SDK closes its HTTP session on aiohttp's errors, but leaks it when it is cancelled. The caller still sees
    `CancelledError`; cancellations by aiohttp's own time limits are over when the coroutine ends.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    problem: BaseException | None = None
    while True:
        try:
            waited_for = call.throw(problem) if problem else call.send(None)
        except (StopIteration, Exception) as end:
            if task and task.cancelling() > before:
                raise asyncio.CancelledError from None
            if isinstance(end, StopIteration):
                return end.value  # type: ignore[no-any-return]
            raise
        problem = None
        try:
            yield waited_for
        except asyncio.CancelledError:
            problem = aiohttp.ClientError("cancelled")
        except BaseException as raised:
            problem = raised
