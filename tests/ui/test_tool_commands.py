"""Commands of the palette about function tools, and the keys about calls on the whole screen."""

from msgspec.structs import replace

from tests import states
from tests.ui.fake import FakeLive, FakeUi, settled
from tests.ui.screens import screen_text
from voicelive_tui.config import Function
from voicelive_tui.session.calls import Call
from voicelive_tui.session.inputs import ApprovalsChanged, CallApproved, CallRefused, RuleChanged
from voicelive_tui.session.transcript import Entry
from voicelive_tui.ui.app import VoiceLiveApp
from voicelive_tui.ui.tool_commands import tool_commands

TOOLS = {"tools": [{"type": "function", "name": "add"}, {"type": "mcp", "server_label": "maps"}]}
WAITING = Entry("item_1", "tool", 1001.0, call=Call("function", "add", complete_at=1.0, waiting_at=1.0))


async def test_there_is_a_command_for_each_other_policy_of_each_function_and_one_to_reload() -> None:
    live = FakeLive(replace(states.IDLE, wanted=TOOLS, rules={"add": Function(policy="ask")}))
    app = VoiceLiveApp(lambda: live, FakeUi(), {})
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        commands = {name: run for name, _, run in tool_commands(app.screen)}
        functions = ["Reload the tools", "add: auto", "add: stub", "add: fail"]
        assert list(commands) == [*functions, "Approvals of maps: always", "Approvals of maps: never"]
        commands["add: stub"]()
        commands["Reload the tools"]()
        await pilot.pause()
        assert live.applied[-1] == RuleChanged("add", Function(policy="stub"))
        commands["Approvals of maps: always"]()
        await pilot.pause()
        assert live.applied[-1] == ApprovalsChanged("maps", "always")
        assert "reload_tools" in live.calls


async def test_a_call_that_waits_is_announced_and_decided_from_any_pane() -> None:
    live = FakeLive(replace(states.IDLE, transcript=(WAITING,)))
    app = VoiceLiveApp(lambda: live, FakeUi(), {})
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        assert "APPROVE?" in screen_text(app)
        assert "add: ^y approves, ^n refuses" in screen_text(app)
        for pane, key, decision in (("1", "ctrl+y", CallApproved), ("4", "ctrl+n", CallRefused)):
            await pilot.press(pane, key)
            await pilot.pause()
            assert live.applied[-1] == decision("item_1")


async def test_the_tools_pane_takes_the_place_of_the_events_and_gives_it_back() -> None:
    app = VoiceLiveApp(lambda: FakeLive(states.IDLE), FakeUi(), {})
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        for key, shown, hidden in (
            ("5", "▌5 Tools   3 Events", "session.updated"),
            ("3", "▌3 Events   5 Tools", "no tools:"),
        ):
            await pilot.press(key)
            await pilot.pause()
            assert shown in screen_text(app)
            assert hidden not in screen_text(app)
            assert "2 Transcript" in screen_text(app)
