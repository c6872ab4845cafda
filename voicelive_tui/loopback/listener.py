"""The listening socket: connections on which no request comes are limited, closed and reported."""

import asyncio
import ssl
from collections.abc import Callable

from aiohttp import web

REQUEST_SECONDS = 5.0
"""From an open connection to the end of its TLS handshake, and to its request."""
MAX_WAITING = 500
"""Connections on which no request has come yet."""


class Listener:
    """Gives each connection to aiohttp's `server`; `report` takes a sentence about clients that ask for nothing."""

    def __init__(self, server: web.Server, tls: ssl.SSLContext | None, report: Callable[[str], None]) -> None:
        self._server, self._tls, self._report = server, tls, report
        self._waiting: set[asyncio.Protocol] = set()
        self._listening: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> int:
        """Listen; the port. Raises `OSError` where the address cannot be used."""
        limit = REQUEST_SECONDS if self._tls else None
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(
            self._accept, host, port, ssl=self._tls, ssl_handshake_timeout=limit, backlog=128
        )
        return int(self._listening.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Accept nothing more."""
        self._waiting.clear()
        if self._listening:
            self._listening.close()

    def asked(self, request: web.BaseRequest) -> None:
        """A request has come."""
        self._waiting.discard(request.protocol)

    def _accept(self) -> asyncio.Protocol:
        if len(self._waiting) >= MAX_WAITING:
            self._report(f"refused a client: {MAX_WAITING} connections wait without a request already")
            return _Refusal()
        handler = self._server()
        self._waiting.add(handler)
        asyncio.get_running_loop().call_later(REQUEST_SECONDS, self._expect_request, handler)
        return handler

    def _expect_request(self, handler: web.RequestHandler) -> None:
        if handler not in self._waiting:
            return
        self._waiting.discard(handler)
        if handler.transport is not None:
            handler.force_close()
            self._report(f"closed a connection on which no request came within {REQUEST_SECONDS:g} s")
        elif self._tls:  # asyncio reports no handshake that failed
            self._report("a client left without a request: does it use https or wss, and trust the certificate?")


class _Refusal(asyncio.Protocol):
    """Closes its connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
