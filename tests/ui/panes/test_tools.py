"""The tools pane, from named states, and what its keys ask for."""

import json

import pytest
from msgspec.structs import replace
from textual.widgets import Input

from tests import states
from tests.ui.panes.conftest import PaneApp
from tests.ui.screens import screen_text
from voicelive_tui.config import Function
from voicelive_tui.session import inputs
from voicelive_tui.session.calls import Call
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.transcript import Entry
from voicelive_tui.ui.panes import Pane
from voicelive_tui.ui.panes.tools import ToolsPane

RUNNING = Call("function", "set_timer", call_id="c1", arguments='{"seconds": 9}', complete_at=1.0, started_at=1.0)
WAITING = Call("function", "get_weather", call_id="c2", arguments='{"city": "Oslo"}', complete_at=1.0, waiting_at=1.0)
DONE = Call(
    "function", "get_weather", call_id="c3", arguments='{"city": "Bergen"}', output='{"sky": "rain"}',
    complete_at=1.0, started_at=1.0, ended_at=1.25, due_at=1.25, answered_by="r", spoken_at=1.5,
)  # fmt: skip
FAILED = replace(DONE, call_id="c4", output='{"error": "timeout after 20 s"}', ended="timed out", ended_at=21.0)
MCP = Call("mcp", "route", "maps", arguments="{}", complete_at=1.0, waiting_at=1.0)


def showing(*calls: Call, **changes: object) -> SessionState:
    entries = tuple(Entry(f"item_{index}", "tool", 1001.0 + index, call=call) for index, call in enumerate(calls))
    return replace(states.IDLE, transcript=entries, **changes)


class ToolsApp(PaneApp):
    """Keeps what the pane wants."""

    def __init__(self, pane: Pane) -> None:
        super().__init__(pane)
        self.wanted: list[inputs.Key] = []

    def on_pane_wants(self, message: Pane.Wants) -> None:
        self.wanted.append(message.input)


async def test_each_call_is_a_line_with_its_state_its_time_and_its_result() -> None:
    pane = ToolsPane()
    async with ToolsApp(pane).run_test(size=(120, 20)) as pilot:
        pane.session = showing(RUNNING, WAITING, DONE, FAILED, MCP)
        await pilot.pause()
        shown = screen_text(pilot.app)
        for words in (
            "▶ running",
            "? approve?",
            "✓ spoken",
            "✗ timed out",
            "maps.route",
            "250 ms",
            "20.00 s",
            "2 to approve",
        ):
            assert words in shown, words
        assert '→ {"sky": "rain"}' in shown
        assert "2 to approve" in shown


@pytest.mark.parametrize(
    ("tools", "words"),
    [
        ((), "No tools: start with --tools FILE.py."),
        (({"type": "function", "name": "add"},), "No call yet. The model has: add"),
    ],
)
async def test_without_calls_the_pane_names_the_tools(tools: tuple[object, ...], words: str) -> None:
    pane = ToolsPane()
    async with ToolsApp(pane).run_test(size=(80, 10)) as pilot:
        pane.session = showing(wanted={"tools": list(tools)})
        await pilot.pause()
        assert words in screen_text(pilot.app)


async def test_an_opened_call_shows_arguments_and_result_as_json_and_follows_its_state() -> None:
    pane = ToolsPane()
    async with ToolsApp(pane).run_test(size=(120, 20)) as pilot:
        pane.session = showing(replace(DONE, ended_at=None, output="", due_at=None, spoken_at=None))
        pane.target.focus()
        await pilot.press("enter")
        await pilot.pause()
        assert "city: Bergen" in screen_text(pilot.app)
        pane.session = showing(DONE)
        await pilot.pause()
        assert "sky: rain" in screen_text(pilot.app)
        text, what = pane.to_copy()
        assert what == "this call"
        assert json.loads(text) == {
            "name": "get_weather", "arguments": '{"city": "Bergen"}', "output": '{"sky": "rain"}'
        }  # fmt: skip
        assert pane.close()


@pytest.mark.parametrize(
    ("call", "key", "typed", "wanted"),
    [
        (WAITING, "v", ['{"city"', "[1]", '{"city": "Rome"}'], inputs.CallApproved("item_0", '{"city": "Rome"}')),
        (WAITING, "D", ["soon", "-1", "nan", "2.5"], inputs.CallApproved("item_0", delay=2.5)),
        (WAITING, "u", ["rainy"], inputs.CallAnswered("item_0", "rainy")),
        (RUNNING, "u", ["@file.json"], inputs.CallAnswered("item_0", "@file.json")),
        (RUNNING, "exclamation_mark", ["no network"], inputs.CallRefused("item_0", "no network")),
        (DONE, "full_stop", [], inputs.CallRepeated("item_0")),
        (DONE, "p", [], inputs.RuleChanged("get_weather", Function(policy="ask"))),
        (MCP, "p", [], inputs.ApprovalsChanged("maps", "always", "route")),
    ],
)
async def test_a_key_wants_something_of_the_session_once_what_was_typed_is_valid(
    call: Call, key: str, typed: list[str], wanted: inputs.Key
) -> None:
    pane = ToolsPane()
    async with ToolsApp(pane).run_test(size=(120, 20)) as pilot:
        pane.session = showing(call)
        pane.target.focus()
        await pilot.press(key)
        for line in typed:
            assert pilot.app.wanted == []
            await pilot.pause()
            pilot.app.screen.query_one(Input).value = line
            await pilot.press("enter")
        await pilot.pause()
        assert pilot.app.wanted == [wanted]


@pytest.mark.parametrize(("call", "key"), [(DONE, "u"), (DONE, "v"), (RUNNING, "D"), (MCP, "u"), (MCP, "v")])
async def test_a_key_that_cannot_do_anything_says_why(call: Call, key: str) -> None:
    pane, told = ToolsPane(), []
    async with ToolsApp(pane).run_test(size=(120, 20)) as pilot:
        pilot.app.notify = lambda message, **_: told.append(message)
        pane.session = showing(call)
        pane.target.focus()
        await pilot.press(key)
        await pilot.pause()
        assert pilot.app.wanted == []
        assert len(told) == 1


async def test_the_call_that_waits_is_decided_from_anywhere_and_the_one_under_the_cursor_first() -> None:
    pane = ToolsPane()
    async with ToolsApp(pane).run_test(size=(120, 20)) as pilot:
        pane.session = showing(DONE, WAITING, MCP)
        await pilot.pause()
        pane.decide(True)
        pane.target.focus()
        await pilot.press("G", "k", "j", "k", "j")
        pane.view.go_to(2)
        pane.decide(False)
        await pilot.pause()
        assert pilot.app.wanted == [inputs.CallApproved("item_1"), inputs.CallRefused("item_2")]


async def test_hostile_names_and_results_are_drawn_as_text() -> None:
    pane = ToolsPane()
    bad = replace(DONE, name="[red]x\x1b[2J", arguments="{\x07", output="[/bold]\x9b31m")
    async with ToolsApp(pane).run_test(size=(120, 20)) as pilot:
        pane.session = showing(bad)
        await pilot.pause()
        shown = screen_text(pilot.app)
        assert "[red]x␛[2J" in shown
        assert "\x1b" not in shown
        pane.open(0)
        await pilot.pause()
