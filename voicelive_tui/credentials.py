"""Who we are to the service: an API key, or a token of Entra ID. Which one is decided by the settings.

Nothing here is ever shown: neither class has a `repr` that tells its secret, and kinds are named in words. The
libraries are imported when a credential is asked for, so that `demand` can be called before the first screen.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from voicelive_tui.config import ConfigError, Service, host_of, is_loopback, is_plain

if TYPE_CHECKING:
    from voicelive_tui.client.connection import Credential

CredentialSource = Callable[[], Awaitable["Credential"]]

THREE_WAYS = (
    "an endpoint needs a credential, in one of three ways: the environment variable AZURE_VOICELIVE_API_KEY "
    "(or api_key in the configuration file), --api-key KEY, or --use-token-credential to sign in with Entra ID "
    "(after `az login`); --demo talks to the built-in service and needs none"
)


def demand(service: Service) -> None:
    """Make sure that there is a credential, and that it may go where it would go.

    Raises:
        ConfigError: There is none, or others could read it on the way.
    """
    if not service.api_key and not service.use_token_credential:
        raise ConfigError(THREE_WAYS)
    if is_plain(service.endpoint) and not is_loopback(service.endpoint) and not service.insecure:
        raise ConfigError(
            f"{host_of(service.endpoint)} is not encrypted: a key or token would be readable by others on the way; "
            "use https, or --insecure if you know better"
        )


def kind(service: Service, *, demo: bool) -> str:
    """The credential in words, for the screen and the log."""
    if demo:
        return "the demo's own key"
    return "Entra ID token" if service.use_token_credential else "API key"


@contextlib.asynccontextmanager
async def source(service: Service) -> AsyncIterator[CredentialSource]:
    """What gives the credential for each connection; a token credential is closed here."""
    made: list[Any] = []

    async def token() -> "Credential":
        if not made:
            from voicelive_tui.client.connection import CredentialError  # noqa: PLC0415

            try:
                from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 - slow, and only needed here

                made.append(DefaultAzureCredential())
            except (ImportError, ValueError) as problem:
                raise CredentialError(f"Entra ID cannot be used here: {problem}") from None
        credential: Credential = made[0]
        return credential

    async def key() -> "Credential":
        from azure.core.credentials import AzureKeyCredential  # noqa: PLC0415

        return AzureKeyCredential(service.api_key)

    try:
        yield token if service.use_token_credential else key
    finally:
        for credential in made:
            await credential.close()
