"""The credential seam: azure-identity's `DefaultAzureCredential` is replaced by one that needs no cloud."""

import azure.identity.aio
import pytest
from azure.core.credentials import AccessToken, AzureKeyCredential

from voicelive_tui import credentials
from voicelive_tui.client.connection import CredentialError
from voicelive_tui.config import ConfigError, Service

KEY = "sk-7f3a-not-for-your-eyes"


class FakeDefaultCredential:
    """Counts how often it is made and closed."""

    made: "list[FakeDefaultCredential]"
    problem: Exception | None = None

    def __init__(self) -> None:
        if self.problem:
            raise self.problem
        self.closed = 0
        self.made.append(self)

    async def get_token(self, *scopes, **options) -> AccessToken:
        raise AssertionError("a token is asked for at connecting, not before")

    async def close(self) -> None:
        self.closed += 1


@pytest.fixture
def fake(monkeypatch) -> type[FakeDefaultCredential]:
    monkeypatch.setattr(FakeDefaultCredential, "made", [], raising=False)
    monkeypatch.setattr(azure.identity.aio, "DefaultAzureCredential", FakeDefaultCredential)
    return FakeDefaultCredential


# --- whether there is one, and whether it may go there


def test_an_endpoint_without_a_credential_names_the_three_ways():
    with pytest.raises(ConfigError) as caught:
        credentials.demand(Service(endpoint="https://name.example"))
    for way in ("AZURE_VOICELIVE_API_KEY", "--api-key", "--use-token-credential"):
        assert way in str(caught.value)
    assert "az login" in str(caught.value)
    assert "--demo" in str(caught.value)


@pytest.mark.parametrize("scheme", ["http", "ws"])
@pytest.mark.parametrize("who", [{"api_key": KEY}, {"use_token_credential": True}])
@pytest.mark.parametrize("host", ["name.example", "127.0.0.1.evil.com", "10.0.0.1:80", "127.1"])
def test_nothing_secret_goes_in_the_clear_to_another_machine(scheme, who, host):
    with pytest.raises(ConfigError, match="is not encrypted") as caught:
        credentials.demand(Service(endpoint=f"{scheme}://{host}/?key={KEY}", **who))
    assert KEY not in str(caught.value)
    assert "--insecure" in str(caught.value)
    credentials.demand(Service(endpoint=f"{scheme}://{host}", insecure=True, **who))


@pytest.mark.parametrize(
    "endpoint", ["https://name.example", "wss://name.example", "http://127.0.0.1:1", "ws://localhost", "http://[::1]"]
)
def test_it_goes_where_nobody_else_can_read_it(endpoint):
    credentials.demand(Service(endpoint=endpoint, api_key=KEY))
    credentials.demand(Service(endpoint=endpoint, use_token_credential=True))


def test_kinds_are_named_in_words():
    assert credentials.kind(Service(api_key=KEY), demo=False) == "API key"
    assert credentials.kind(Service(api_key=KEY, use_token_credential=True), demo=False) == "Entra ID token"
    assert credentials.kind(Service(api_key=KEY), demo=True) == "the demo's own key"


# --- where it comes from


async def test_a_key(fake):
    async with credentials.source(Service(api_key=KEY)) as source:
        credential = await source()
    assert isinstance(credential, AzureKeyCredential)
    assert credential.key == KEY
    assert KEY not in repr(credential)
    assert fake.made == []


async def test_a_token_credential_is_made_once_and_closed_at_the_end(fake):
    async with credentials.source(Service(api_key=KEY, use_token_credential=True)) as source:
        assert fake.made == []  # not before it is needed: it is slow
        first, second = await source(), await source()
        assert first is second
        assert fake.made[0].closed == 0
    assert [credential.closed for credential in fake.made] == [1]


async def test_a_token_credential_that_was_never_needed_is_not_made(fake):
    async with credentials.source(Service(use_token_credential=True)):
        pass
    assert fake.made == []


async def test_it_is_closed_when_the_conversation_fails(fake):
    async def converse() -> None:
        async with credentials.source(Service(use_token_credential=True)) as source:
            await source()
            raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        await converse()
    assert fake.made[0].closed == 1


@pytest.mark.parametrize("problem", [ValueError("AZURE_TOKEN_CREDENTIALS is odd"), ImportError("no azure-identity")])
async def test_azure_identity_that_cannot_be_used(fake, monkeypatch, problem):
    monkeypatch.setattr(fake, "problem", problem)
    async with credentials.source(Service(use_token_credential=True)) as source:
        with pytest.raises(CredentialError, match=f"^Entra ID cannot be used here: {problem}$"):
            await source()
