"""What the answer to a handshake says: why it failed, whether to try again and when, and the service's time."""

import os
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import aiohttp

from voicelive_tui.config import Service
from voicelive_tui.endpoint import SERVICE_PATH, host_of, is_loopback

_STATUS_ADVICE = {
    400: "the service refused the request: check the api-version and the name of the model, or of agent and project",
    401: "the key or token was refused: check that it belongs to this resource",
    403: "access denied: the identity needs the roles Cognitive Services User and Foundry User, or the resource's "
    "network rules forbid this machine",
    429: "too many requests: wait a moment, or ask for more quota",
}


def why(problem: BaseException, service: Service, answers: str) -> str:
    """The cause of a failed handshake in one sentence. The HTTP body is lost in the SDK; its status is all there is.

    The model or agent that was to answer is given in words.
    """
    host, cause = host_of(service.endpoint), problem.__cause__ or problem
    match cause:
        case aiohttp.WSServerHandshakeError(status=status):
            if status == 404:
                path = urlsplit(service.endpoint).path.rstrip("/") + SERVICE_PATH
                used = f"path {path} with {answers} and api-version {service.api_version}"
                return f"{host} answered with HTTP 404: no Voice Live at {used}: check the endpoint and these"
            advice = _STATUS_ADVICE.get(status, "the service itself has a problem: try again")
            if status < 500 and status not in _STATUS_ADVICE:
                advice = "no WebSocket was opened: is this the address of a Voice Live resource?"
            return f"{host} answered with HTTP {status}: {advice}"
        case aiohttp.ClientConnectorDNSError():
            return f"the name of {host} is not known: check the endpoint's spelling{proxy_hint(service)}"
        case aiohttp.ClientConnectorCertificateError():
            return f"the certificate of {host} is not trusted: check the endpoint and this machine's certificates"
        case aiohttp.ClientConnectorSSLError():
            return f"{host} does not speak TLS there: check the scheme (https or http) and the port"
        case aiohttp.ClientConnectorError(os_error=os_error):
            reason = os.strerror(os_error.errno) if os_error.errno else "none of its addresses answers"
            return f"no connection to {host} ({reason.lower()}): check the endpoint{proxy_hint(service)}"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return f"{host} hung up during the handshake: try again, and check the endpoint's scheme and port"
        case aiohttp.ClientResponseError():
            return f"{host} answered with something that is not HTTP: check the endpoint and its port"
    if "redirect" in str(cause):
        return f"{host} redirects to another address: use that one (keys are never sent after a redirect)"
    return f"no connection to {host} ({type(cause).__name__}): check the endpoint"


LONGEST_WAIT = 3600.0
"""Seconds; a longer `Retry-After` is taken as this."""


def prospects(cause: BaseException) -> tuple[bool, float]:
    """Whether an attempt that failed is worth another one, and the seconds of `Retry-After`."""
    match cause:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return False, 0.0
        case aiohttp.WSServerHandshakeError(status=status):
            return status == 429 or status >= 500, _retry_after(cause.headers or {})
    return isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ServerDisconnectedError | OSError), 0.0


def _retry_after(headers: Mapping[str, str]) -> float:
    """The seconds of `Retry-After`, which holds them or a date (RFC 9110, section 10.2.3); 0.0 without it."""
    wait = headers.get("Retry-After", "")
    if wait.isdecimal() and wait.isascii():
        seconds = float(wait)
    else:
        now = unix_time(headers.get("Date", "")) or time.time()
        seconds = (unix_time(wait) or now) - now
    return min(max(seconds, 0.0), LONGEST_WAIT)


def unix_time(date: str) -> float | None:
    """The Unix seconds of an HTTP date; None for anything else."""
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


def proxy_hint(service: Service) -> str:
    """A hint where a proxy is configured: the SDK does not use it."""
    names = [name for name in PROXIES if os.environ.get(name)]
    if not names or is_loopback(service.endpoint):
        return ""
    return f" ({names[0]} is set, but the Voice Live SDK does not use proxies: it needs a direct connection)"
