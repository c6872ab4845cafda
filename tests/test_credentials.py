"""The credential seam: azure-identity's `DefaultAzureCredential` is replaced by one that needs no cloud."""

import azure.identity.aio
import pytest
from azure.core.credentials import AccessToken, AzureKeyCredential

from voicelive_tui.config import Service
from voicelive_tui.credentials import Credential, CredentialError

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
        raise AssertionError("a token is fetched when connecting, not before")

    async def close(self) -> None:
        self.closed += 1


@pytest.fixture
def fake(monkeypatch) -> type[FakeDefaultCredential]:
    monkeypatch.setattr(FakeDefaultCredential, "made", [], raising=False)
    monkeypatch.setattr(azure.identity.aio, "DefaultAzureCredential", FakeDefaultCredential)
    return FakeDefaultCredential


# --- what is missing


def test_an_endpoint_without_a_credential_names_the_three_ways():
    missing = Credential(Service(endpoint="https://name.example")).missing
    for way in ("AZURE_VOICELIVE_API_KEY", "--api-key", "--use-token-credential", "az login", "--demo"):
        assert way in missing


@pytest.mark.parametrize("scheme", ["http", "ws"])
@pytest.mark.parametrize("who", [{"api_key": KEY}, {"use_token_credential": True}])
@pytest.mark.parametrize("host", ["name.example", "127.0.0.1.evil.com", "10.0.0.1:80", "127.1"])
def test_no_secret_goes_unencrypted_to_another_machine(scheme, who, host):
    missing = Credential(Service(endpoint=f"{scheme}://{host}/?key={KEY}", **who)).missing
    assert "is not encrypted" in missing
    assert "--insecure" in missing
    assert KEY not in missing
    assert Credential(Service(endpoint=f"{scheme}://{host}", insecure=True, **who)).missing == ""


@pytest.mark.parametrize(
    "endpoint", ["https://name.example", "wss://name.example", "http://127.0.0.1:1", "ws://localhost", "http://[::1]"]
)
def test_nothing_is_missing_where_the_way_is_safe(endpoint):
    assert Credential(Service(endpoint=endpoint, api_key=KEY)).missing == ""
    assert Credential(Service(endpoint=endpoint, use_token_credential=True)).missing == ""


def test_kinds_are_named_in_words():
    assert Credential(Service(api_key=KEY)).kind == "API key"
    assert Credential(Service(api_key=KEY, use_token_credential=True)).kind == "Entra ID token"
    assert Credential(Service(api_key=KEY), demo=True).kind == "the demo's own key"


# --- the credential for the SDK


async def test_a_key(fake):
    credential = Credential(Service(api_key=KEY))
    for_sdk = await credential.get()
    await credential.close()
    assert isinstance(for_sdk, AzureKeyCredential)
    assert for_sdk.key == KEY
    assert KEY not in repr(for_sdk)
    assert KEY not in repr(credential)
    assert fake.made == []


async def test_a_token_credential_is_made_once_when_needed_and_closed_at_the_end(fake):
    credential = Credential(Service(api_key=KEY, use_token_credential=True))
    assert fake.made == []  # it is slow
    assert await credential.get() is await credential.get()
    assert [made.closed for made in fake.made] == [0]
    await credential.close()
    assert [made.closed for made in fake.made] == [1]


async def test_a_token_credential_that_was_never_needed_is_not_made(fake):
    await Credential(Service(use_token_credential=True)).close()
    assert fake.made == []


@pytest.mark.parametrize("problem", [ValueError("AZURE_TOKEN_CREDENTIALS is odd"), ImportError("no azure-identity")])
async def test_azure_identity_that_cannot_be_used(fake, monkeypatch, problem):
    monkeypatch.setattr(fake, "problem", problem)
    with pytest.raises(CredentialError, match=f"^Entra ID cannot be used here: {problem}$"):
        await Credential(Service(use_token_credential=True)).get()
