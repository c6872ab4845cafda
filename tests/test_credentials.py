"""The credential seam: azure-identity's `DefaultAzureCredential` is replaced by one that needs no cloud."""

import os
import subprocess
import sys
import time

import azure.identity
import pytest
from azure.core.credentials import AccessToken, AzureKeyCredential
from azure.core.credentials_async import AsyncTokenCredential

from voicelive_tui.config import Service
from voicelive_tui.credentials import Credential, CredentialError

KEY = "sk-7f3a-not-for-your-eyes"


class FakeDefaultCredential:
    """Counts how often it is made and closed."""

    made: "list[FakeDefaultCredential]"
    problem: Exception | None = None
    valid_seconds = 3600

    def __init__(self) -> None:
        if self.problem:
            raise self.problem
        self.closed = 0
        self.asked: list[tuple[str, ...]] = []
        self.made.append(self)

    def get_token(self, *scopes, **options) -> AccessToken:
        self.asked.append(scopes)
        return AccessToken(KEY, int(time.time() + self.valid_seconds))

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def fake(monkeypatch) -> type[FakeDefaultCredential]:
    monkeypatch.setattr(FakeDefaultCredential, "made", [], raising=False)
    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", FakeDefaultCredential)
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
    assert [(made.closed, made.asked) for made in fake.made] == [(0, [])]
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


@pytest.mark.parametrize(("valid_seconds", "times"), [(3600, 1), (200, 2)])
async def test_a_token_is_fetched_once_while_it_is_valid(fake, monkeypatch, valid_seconds, times):
    monkeypatch.setattr(fake, "valid_seconds", valid_seconds)
    credential = Credential(Service(use_token_credential=True))
    for_sdk = await credential.get()
    assert isinstance(for_sdk, AsyncTokenCredential)
    for _ in range(2):
        assert (await for_sdk.get_token("https://ai.azure.com/.default")).token == KEY
    assert fake.made[0].asked == [("https://ai.azure.com/.default",)] * times


HANGING = """
import asyncio, logging, sys
from azure.identity import AzureCliCredential
from voicelive_tui import credentials
from voicelive_tui.client import connection
from voicelive_tui.config import Service

logging.getLogger().addHandler(logging.NullHandler())
credentials._default_credential = AzureCliCredential
credentials.TOKEN_LIMIT = float(sys.argv[1])

async def main():
    service = Service(endpoint="https://127.0.0.1:1", use_token_credential=True)
    credential = credentials.Credential(service)
    try:
        await connection.ServiceConnection.open(service, "gpt-realtime", await credential.get())
    except credentials.CredentialError as error:
        print(error)
    await credential.close()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="az is a shell script here")
@pytest.mark.parametrize(
    ("az", "limit", "says"),
    [
        ("sleep 600", 0.5, "Entra ID gave no token within 0.5 s"),
        ("echo 'ERROR: AADSTS70043: The token has expired' >&2; exit 1", 60, "(AADSTS70043: The token has expired)"),
        ("echo \"Please run 'az login'\" >&2; exit 1", 60, "(Please run 'az login' to set up an account)"),
        (None, 60, "(Azure CLI not found on path)"),
    ],
)
def test_the_azure_cli_is_bounded_and_its_reason_is_given(tmp_path, az, limit, says):
    if az is not None:
        program = tmp_path / "az"
        program.write_text(f"#!/bin/sh\n{az}\n")
        program.chmod(0o755)
    path = f"{tmp_path}:/bin:/usr/bin" if az is not None else str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", HANGING, str(limit)],
        env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert says in done.stdout
    assert done.stderr == ""
