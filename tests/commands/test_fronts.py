"""What the fronts say before and after a conversation; how they end is in test_program.py."""

import contextlib
from pathlib import Path

import msgspec
import pytest

from voicelive_tui.commands import fronts
from voicelive_tui.config import ConfigError, Settings, Ui
from voicelive_tui.session.state import Connection, Counts, SessionState, Turn
from voicelive_tui.session.usage import Tokens, Usage


@pytest.mark.parametrize(
    ("state", "says"),
    [
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
def test_what_stays_in_the_scrollback(state, says):
    assert fronts.summary(state, Path("the.log")) == f"voicelive-tui: {says}"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ui": Ui(theme="mauve")}, "ui.theme: there is no theme 'mauve': .*voicelive-dark"),
        ({"keys": {"mutte": "x"}}, "keys.mutte: there is no such binding .*mute"),
        ({"keys": {"mute": "banana"}}, "keys.mute: there is no key 'banana' .a key is a character .*f2"),
    ],
)
async def test_names_that_only_the_dashboard_knows_are_refused_before_it_opens(changes, says):
    with pytest.raises(ConfigError, match=says):
        await fronts.dashboard(msgspec.structs.replace(Settings(), **changes), contextlib.nullcontext())
