"""Endpoints: checking URLs of the service, and showing them without secrets."""

import ipaddress
import re
from urllib.parse import urlsplit

SERVICE_PATH = "/voice-live/realtime"
"""Always appended to the endpoint by the SDK; accepted and removed where the user gave it as well."""


class EndpointError(ValueError):
    """A URL that is not an endpoint; the text is a part of a sentence, and shows nothing secret."""


_OTHER_PATHS = re.compile(r"/(api/projects/[^/]+(/.*)?|openai(/v1)?(/realtime)?)/?$")
"""Paths of Foundry projects and of Azure OpenAI, as their pages show them; Voice Live belongs to the resource."""


def resource_path(path: str) -> tuple[str, str]:
    """The path of the resource, and what was removed from its end."""
    plain = path.rstrip("/").removesuffix(SERVICE_PATH).rstrip("/")
    found = _OTHER_PATHS.search(plain)
    return (plain[: found.start()], found[0]) if found else (plain, "")


def plain_endpoint(url: str) -> str:
    """The endpoint as the SDK takes it: without the service's path. Raises `EndpointError` for any other URL."""
    expected = "expected something like https://NAME.services.ai.azure.com"
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
        host.encode("idna")  # a part of a name may be empty, or too long
    except ValueError:  # its text may quote a password
        raise EndpointError(f"the endpoint is not a URL, or its port is not a port: {expected}") from None
    if "@" in parts.netloc:
        raise EndpointError("the endpoint must not hold a user name or password: give a key by AZURE_VOICELIVE_API_KEY")
    if parts.scheme not in ("http", "https", "ws", "wss") or not _HOST.fullmatch(host) or port == 0:
        raise EndpointError(
            f"the endpoint {shown(url)} is not a URL with http, https, ws or wss and a host: {expected}"
        )
    path = parts.path.rstrip("/").removesuffix(SERVICE_PATH).rstrip("/")
    return parts._replace(path=path, fragment="").geturl()


def is_loopback(endpoint: str) -> bool:
    """Whether the endpoint's host can only be this machine."""
    host = urlsplit(endpoint).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name: DNS decides where it leads
        return False


def is_plain(endpoint: str) -> bool:
    """Whether others on the way can read what is sent to the endpoint."""
    return urlsplit(endpoint).scheme in ("http", "ws")


def host_of(endpoint: str) -> str:
    """Scheme and host (and port), fit for the screen: no path, no query, nothing secret."""
    parts = urlsplit(endpoint)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"


_HOST = re.compile(r"[\w.:%-]+")


def shown(url: str) -> str:
    """A URL, good or bad, as far as it may be shown: no query and no user, where keys may stand."""
    return repr(re.sub(r".*@", "...@", re.split(r"[?#]", url, maxsplit=1)[0], flags=re.DOTALL))
