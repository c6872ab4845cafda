"""Who may connect: the key, the origin, the host, the path and the query of a handshake."""

import hmac
import ipaddress
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from aiohttp import web
from msgspec import Struct

from voicelive_tui.loopback.dialect import GeneralAvailability, Preview, VoiceLive
from voicelive_tui.loopback.faults import Fault, FaultError, parse
from voicelive_tui.loopback.models import AGENT_MODEL
from voicelive_tui.loopback.script import Script

PATH = "/voice-live/realtime"
DIALECTS: dict[str, Callable[[], VoiceLive]] = {
    PATH: VoiceLive,
    "/openai/realtime": Preview,
    "/openai/v1/realtime": GeneralAvailability,
}
"""The paths that are served, and the dialect of each."""


class Target(Struct, frozen=True):
    """What an accepted client asked for."""

    model: str
    agent: str
    api_version: str
    dialect: VoiceLive
    faults: list[Fault]
    conversation_id: str = ""
    """The conversation with the agent that the client continues."""


class Denied(Exception):  # noqa: N818  an answer, not an error
    """A handshake that is refused. Its reason is a sentence for the client and for the log, without secrets."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Doorkeeper(Struct, frozen=True):
    """The rules of one service."""

    host: str
    api_key: str | None
    script: Script
    origins: Collection[str]
    """The web origins that may connect; `*` stands for all."""

    def __repr__(self) -> str:
        return f"Doorkeeper({self.host!r})"  # without the key

    def admit(self, request: web.Request) -> Target:
        """What the client asks for. Raises `Denied` where it may not connect, or there is no such thing."""
        self._check_browser(request)
        if not self._has_key(request):
            raise Denied(401, "Access denied due to invalid subscription key.")
        query = request.query
        api_version = query.get("api-version", "")
        if not api_version and request.path == PATH:
            raise Denied(400, "The api-version query parameter is required.")
        agent = query.get("agent-name", query.get("agent-id", ""))
        if agent and agent not in self.script.agents:
            raise Denied(400, f"There is no agent {agent!r}; a script names agents with the key 'agents'.")
        if agent and "api-key" in request.headers:
            raise Denied(401, "Agents need Entra ID (a bearer token), not a key.")
        model = AGENT_MODEL if agent else query.get("model") or query.get("deployment", "")
        if not model:
            raise Denied(400, "The model query parameter is required.")
        try:
            faults = [parse(text) for value in query.getall("fault", []) for text in value.split(",")]
        except FaultError as error:
            raise Denied(400, f"{error}.") from None
        conversation = query.get("conversation-id", "") if agent else ""
        return Target(model, agent, api_version, DIALECTS[request.path](), faults, conversation)

    def _check_browser(self, request: web.Request) -> None:
        """Refuse web pages: a browser lets any page open a WebSocket to this machine, and names itself by `Origin`."""
        origin = request.headers.get("Origin")
        if origin is not None and not {"*", origin} & set(self.origins):
            raise Denied(403, f"The origin {origin!r} is not allowed; --allow-origin allows it.")
        if not is_loopback(self.host):
            return  # other machines may use any name of this one
        host = urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
        allowed = {self.host, *(urlsplit(each).hostname for each in self.origins)}
        if not is_loopback(host) and host not in allowed and "*" not in self.origins:
            raise Denied(403, f"The host {host!r} is not this service (DNS rebinding); use {self.host}.")

    def _has_key(self, request: web.Request) -> bool:
        if self.api_key is None:
            return True
        headers, query = request.headers, request.query
        bearer = headers.get("Authorization", query.get("Authorization", ""))
        shown = headers.get("api-key", ""), query.get("api-key", ""), bearer.removeprefix("Bearer ")
        wanted = self.api_key.encode()
        # All are compared, each in constant time; headers may hold bytes that are not text.
        return sum(hmac.compare_digest(key.encode(errors="surrogateescape"), wanted) for key in shown) > 0


def is_loopback(host: str) -> bool:
    """Whether an address is one of this machine's loopback addresses."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
