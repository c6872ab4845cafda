"""What the commands share; how a conversation ends is in test_program.py, what is refused in test_cli.py."""

from pathlib import Path

import pytest

from voicelive_tui.commands.setup import summary
from voicelive_tui.session.state import Connection, Counts, SessionState, Turn
from voicelive_tui.session.usage import Tokens, Usage


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (None, "no session; log: the.log"),
        (SessionState(), "no session; log: the.log"),
        (
            SessionState(Connection(ready_at=10.0, ended_at=145.0, close_code=1000)),
            "session of 2:15, 0 turns; closed with code 1000; log: the.log",
        ),
        (
            SessionState(
                Connection(ready_at=1.0, ended_at=2.0, problem="it \x1b[2J broke"),
                counts=Counts(interruptions=3),
                turns=(Turn(1, committed_at=1.5),),
                usage=Usage(1, Tokens(total=30, input=10, output=20)),
            ),
            "session of 0:01, 1 turn, 3 interrupted, 30 tokens (10 in, 20 out); it ␛[2J broke; log: the.log",
        ),
    ],
)
def test_the_summary_in_the_scrollback(state, text):
    assert summary(state, Path("the.log")) == f"voicelive-tui: {text}"
