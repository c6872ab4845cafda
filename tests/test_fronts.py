"""What the fronts say before and after a conversation; how they end is in test_program.py."""

import contextlib
from pathlib import Path

import msgspec
import pytest

from voicelive_tui import fronts
from voicelive_tui.config import ConfigError, Settings, Ui
from voicelive_tui.session.state import Connection, Counts, SessionState, Usage
from voicelive_tui.ui.app import VoiceLiveApp
from voicelive_tui.ui.canvas import ScrollList
from voicelive_tui.ui.dashboard import DashboardScreen
from voicelive_tui.ui.detail import EventDetail
from voicelive_tui.ui.help import HelpScreen
from voicelive_tui.ui.picker import DevicePicker
from voicelive_tui.ui.prompt import Prompt


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
                counts=Counts(turns=1, interruptions=3),
                usage=Usage(total=30, input=10, output=20),
            ),
            "session of 0:01, 1 turn, 3 interrupted, 30 tokens (10 in, 20 out); it  [2J broke; log: the.log",
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
        ({"keys": {"mute": "u,"}}, "keys.mute: there is no key ''"),
        ({"keys": {"mute": "F2"}}, "keys.mute: there is no key 'F2'"),
        ({"keys": {"mute": "shift+m"}}, "keys.mute: there is no key 'shift.m'"),
        ({"keys": {"mute": "ctrl+alt+m"}}, "keys.mute: there is no key 'ctrl.alt.m'"),  # sent as alt+ctrl+m
        ({"keys": {"mute": "<any>"}}, "keys.mute: there is no key '<any>'"),
        ({"keys": {"mute": "q"}}, "keys.mute: 'q' is the key of quit too, which works at the same time"),
        ({"keys": {"mute": "?"}}, "keys.mute: '.' is the key of help too"),
        ({"keys": {"mute": "f2, i"}}, "keys.mute: 'i' is the key of interrupt too"),
        ({"keys": {"mute": "u", "reset": "u"}}, "keys.mute: 'u' is the key of reset too"),
        ({"keys": {"list.down": "n"}}, "keys.list.down: 'n' is the key of match.next too"),
        ({"keys": {"detail.down": "m"}}, "keys.detail.down: 'm' is the key of mute too"),
        ({"keys": {"mute": "space"}}, "keys.mute: 'space' is the key of talk too"),
        ({"keys": {"help.down": "k"}}, "keys.help.down: 'k' is the key of help.up too"),
        ({"keys": {"mute": "ctrl+q"}}, "keys.mute: 'ctrl.q' is the key of Quit too"),  # Textual's own
        ({"keys": {"mute": "tab"}}, "keys.mute: 'tab' is the key of Focus Next too"),
    ],
)
async def test_names_that_only_the_dashboard_knows_are_refused_before_it_opens(changes, says):
    with pytest.raises(ConfigError, match=says):
        await fronts.dashboard(msgspec.structs.replace(Settings(), **changes), contextlib.nullcontext())


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"mute": "f2"},
        {"mute": "M, ctrl+x,é,§,comma"},
        {"mute": "alt+ctrl+m,shift+f3,ctrl+space,ctrl+slash"},
        {"mute": "i", "interrupt": "m"},
        {"help": "f1", "mute": "?"},
        {"palette": "ctrl+p", "quit": "ctrl+q"},  # as Textual has it
        {"mute": "p", "help.close": "m", "devices.close": "t"},  # not at the same time
        {"detail.down": "ctrl+n", "list.down": "ctrl+n"},
        {"prompt.leave": "ctrl+g", "back": "ctrl+g"},
    ],
)
def test_keys_that_can_be_pressed_and_do_one_thing_at_a_time_are_taken(keys):
    fronts._demand_ui(msgspec.structs.replace(Settings(), keys=keys), VoiceLiveApp)


def test_every_binding_may_be_given_the_keys_that_it_has():
    owners = (VoiceLiveApp, DashboardScreen, ScrollList, EventDetail, Prompt, HelpScreen, DevicePicker)
    keys = {binding.id: binding.key for owner in owners for binding in owner.BINDINGS if binding.id}
    assert keys.keys() == VoiceLiveApp.binding_ids()
    fronts._demand_ui(msgspec.structs.replace(Settings(), keys=keys), VoiceLiveApp)
