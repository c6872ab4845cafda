"""What the commands share; how a conversation ends is in test_program.py, what is refused in test_cli.py."""

from pathlib import Path

import pytest

from voicelive_tui.commands.setup import Options, summary, usable
from voicelive_tui.config import Agent, ConfigError, Mcp, Service, Settings
from voicelive_tui.session.latency import Turn
from voicelive_tui.session.state import Connection, Counts, Recording, SessionState
from voicelive_tui.session.usage import Tokens, Usage
from voicelive_tui.text import visible


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (None, "no session; log: the.log"),
        (SessionState(), "no session; log: the.log"),
        (
            SessionState(
                Connection(ready_at=50.0, ended_at=145.0, close_code=1000),
                began_at=10.0,  # of the first session
                recording=Recording("kept/my talk.vlrec"),
            ),
            "conversation of 2:15, 0 turns; closed with code 1000; log: the.log\n"
            "to open the recording: voicelive-tui 'kept/my talk.vlrec'",
        ),
        (
            SessionState(
                Connection(ready_at=1.0, ended_at=2.0, problem="it \x1b[2J broke"),
                counts=Counts(interruptions=3),
                turns=(Turn(1, committed_at=1.5),),
                usage=Usage(1, Tokens(total=3000, input=1000, output=2000)),
                began_at=1.0,
            ),
            "conversation of 0:01, 1 turn, 3 interrupted, 3,000 tokens (1,000 in, 2,000 out); "
            "it ␛[2J broke; log: the.log",
        ),
    ],
)
def test_the_summary_in_the_scrollback(state, text):
    assert summary(state, Path("the.log")) == f"voicelive-tui: {text}"


HERE = Service(endpoint="https://here.example", api_key="a-key-of-a-profile")


def test_usable_settings_have_a_credential_and_their_secrets_are_masked_from_then_on(monkeypatch):
    monkeypatch.setenv("MCP_TOKEN", "a-token-of-a-server")
    server = Mcp(label="x", url="https://x.example", headers={"authorization": "MCP_TOKEN"})
    settings = Settings(service=HERE, mcp=(server,))
    assert usable(Options(), settings) == (settings, False)
    assert visible("a-key-of-a-profile, a-token-of-a-server") == "<hidden>, <hidden>"
    with pytest.raises(ConfigError, match="an endpoint needs a credential"):
        usable(Options(), Settings(service=Service(endpoint="https://here.example")))
    monkeypatch.delenv("MCP_TOKEN")
    with pytest.raises(ConfigError, match="MCP_TOKEN is not set"):
        usable(Options(), settings)


def test_a_demo_that_was_asked_for_stays_one():
    agent = Settings(service=HERE, agent=Agent(name="x"))
    assert usable(Options(demo=True), agent) == (Settings(service=HERE), True)
    assert usable(Options(), Settings()) == (Settings(), True)
