"""Credentials: an API key, or a token of Entra ID, as the settings decide.

No secret is ever shown: `repr` holds none, and the screen and the log name the kind only. `azure` is imported when the
credential is asked for, so that `missing` can be checked before the first screen.
"""

import asyncio
import logging
import re
import time
from typing import TYPE_CHECKING, Any

from voicelive_tui import threads
from voicelive_tui.config import Service
from voicelive_tui.endpoint import host_of, is_loopback, is_plain
from voicelive_tui.text import hide

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, AzureKeyCredential
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.identity import DefaultAzureCredential

log = logging.getLogger(__name__)

THREE_WAYS = (
    "an endpoint needs a credential, in one of three ways: the environment variable AZURE_VOICELIVE_API_KEY "
    "(or api_key in the configuration file), --api-key KEY, or --use-token-credential to sign in with Entra ID "
    "(after `az login`); --demo talks to the built-in service and needs none"
)
TOKEN_SCOPE = "https://ai.azure.com/.default"  # noqa: S105 - a scope, not a secret
TOKEN_LIMIT = 30.0
"""Seconds for Entra ID to give a token."""
SPARE_SECONDS = 300.0
"""A token is used again if it is valid for longer than this."""


class CredentialError(Exception):
    """There is no credential to connect with; the text says why and what to do."""


class Credential:
    """What authenticates this client to a `service`, which decides between key and token. `close` it at the end."""

    def __init__(self, service: Service, *, demo: bool = False) -> None:
        self.kind = "the demo's own key" if demo else "Entra ID token" if service.use_token_credential else "API key"
        """The credential in words."""
        self._service = service
        self._token: EntraCredential | None = None

    @property
    def missing(self) -> str:
        """What is missing before it can be used for this service, in one sentence with the remedy; "" if nothing."""
        service = self._service
        if not service.api_key and not service.use_token_credential:
            return THREE_WAYS
        if is_plain(service.endpoint) and not is_loopback(service.endpoint) and not service.insecure:
            return (
                f"{host_of(service.endpoint)} is not encrypted: a key or token would be readable by others on the "
                "way; use https, or --insecure to allow it"
            )
        return ""

    async def get(self) -> "AzureKeyCredential | EntraCredential":
        """The credential as the SDK takes it, the same each time. Raises `CredentialError` without `azure-identity`."""
        if not self._service.use_token_credential:
            from azure.core.credentials import AzureKeyCredential  # noqa: PLC0415

            return AzureKeyCredential(self._service.api_key)
        if self._token is None:
            try:
                self._token = EntraCredential(await asyncio.wrap_future(threads.start(_default_credential, "Entra ID")))
            except (ImportError, ValueError) as error:
                raise CredentialError(f"Entra ID cannot be used here: {error}") from None
        return self._token

    async def close(self) -> None:
        """Close the token credential, if one was made."""
        if self._token is not None:
            await self._token.close()


class EntraCredential:
    """A token credential for the SDK (`azure.core.credentials_async.AsyncTokenCredential`).

    It runs azure-identity's blocking credentials in a thread. Their twins for asyncio leave the pipes of an `az` that
    hangs to an event loop that is closed by then.
    """

    def __init__(self, blocking: "DefaultAzureCredential") -> None:
        self._blocking = blocking
        self._last: AccessToken | None = None

    async def get_token(self, *scopes: str, **options: Any) -> "AccessToken":
        """A token for the one scope that Voice Live needs. Raises what the credentials raise."""
        if self._last is None or self._last.expires_on - time.time() < SPARE_SECONDS:
            call = threads.start(lambda: self._blocking.get_token(*scopes, **options), "Entra ID")
            self._last = await asyncio.wrap_future(call)
            hide(self._last.token)
        return self._last

    async def close(self) -> None:
        """Close the credentials."""
        self._blocking.close()

    async def __aenter__(self) -> "EntraCredential":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _default_credential() -> "DefaultAzureCredential":
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - slow, and only needed here

    return DefaultAzureCredential()


async def check_token(credential: "AsyncTokenCredential") -> None:
    """Fetch a token before a handshake, so that a failure of Entra ID is not taken for one of the service.

    Raises `CredentialError` if there is none within `TOKEN_LIMIT`.
    """
    from azure.core.exceptions import AzureError  # noqa: PLC0415

    advice = (
        "sign in with `az login` (or set up one of the other sources of azure-identity), and have the roles "
        "Cognitive Services User and Foundry User on the resource"
    )
    try:
        async with asyncio.timeout(TOKEN_LIMIT):
            await credential.get_token(TOKEN_SCOPE)
    except TimeoutError:
        raise CredentialError(f"Entra ID gave no token within {TOKEN_LIMIT:g} s: {advice}") from None
    except (AzureError, OSError, ValueError) as problem:
        for line in str(problem).splitlines():
            log.info("Entra ID: %s", line.strip())
        raise CredentialError(f"Entra ID gave no token ({_reason(str(problem))}): {advice}") from None


def _reason(report: str) -> str:
    """The reason that helps most, of a report by azure-identity on all the sources it tried, one after another.

    That is what Entra ID said itself, else what the Azure CLI said, else the last source.
    """
    lines = [line.strip() for line in report.splitlines() if line.strip() and not line.startswith("To mitigate")]
    attempts = [line.partition(": ") for line in lines if re.match(r"\w+Credential: ", line)]
    by_entra = [line[line.index("AADSTS") :] for line in lines if "AADSTS" in line]
    by_cli = [reason for source, _, reason in attempts if source == "AzureCliCredential"]
    last = [reason for _, _, reason in attempts[-1:]]
    return next(iter((*by_entra, *by_cli, *last, *lines)), "no credential worked").rstrip(".: ")
