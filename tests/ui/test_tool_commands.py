"""Commands of the palette about function tools, and the keys about calls on the whole screen."""

from msgspec.structs import replace

from tests import states
from tests.ui.fake import FakeLive, settled
from tests.ui.screens import screen_text
from voicelive_tui.config import Function, Ui
from voicelive_tui.session.calls import Call
from voicelive_tui.session.inputs import ApprovalsChanged, CallApproved, CallRefused, RuleChanged
from voicelive_tui.session.transcript import Entry
from voicelive_tui.ui.app import VoiceLiveApp
from voicelive_tui.ui.dashboard import DashboardScreen
from voicelive_tui.ui.panes.surgery import SurgeryPane
from voicelive_tui.ui.panes.tools import APPROVALS, ToolsPane
from voicelive_tui.ui.scroll_list import ScrollList
from voicelive_tui.ui.tool_commands import tool_commands

TOOLS = {"tools": [{"type": "function", "name": "add"}, {"type": "mcp", "server_label": "maps"}]}
WAITING = Entry("item_1", "tool", 1001.0, call=Call("function", "add", complete_at=1.0, waiting_at=1.0))


async def test_there_is_a_command_for_each_other_policy_of_each_function_and_one_to_reload() -> None:
    listing = Entry("item_0", "tool", 1000.0, call=Call("listing", "list tools", "maps", output="route, traffic"))
    approvals = {"maps": {"route": "never", "traffic": "never"}}
    state = replace(states.IDLE, wanted=TOOLS, rules={"add": Function(policy="ask")}, approvals=approvals)
    live = FakeLive(replace(state, transcript=(listing,)))
    app = VoiceLiveApp(lambda: live, Ui(), {})
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        commands = {name: run for name, _, run in tool_commands(app.screen)}
        functions = ["Reload the tools", "add: auto", "add: stub", "add: fail"]
        of_maps = [f"Approvals of maps{tool}: {answer}" for answer in APPROVALS for tool in ("", ".route", ".traffic")]
        in_force = ("Approvals of maps.route: never", "Approvals of maps.traffic: never")
        assert list(commands) == [*functions, *(name for name in of_maps if name not in in_force)]
        commands["add: stub"]()
        commands["Reload the tools"]()
        await pilot.pause()
        assert live.applied[-1] == RuleChanged("add", Function(policy="stub"))
        commands["Approvals of maps: always"]()
        await pilot.pause()
        assert live.applied[-1] == ApprovalsChanged("maps", "always")
        commands["Approvals of maps.traffic: ask"]()
        await pilot.pause()
        assert live.applied[-1] == ApprovalsChanged("maps", "ask", "traffic")
        assert "reload_tools" in live.calls


def test_no_key_of_the_tools_pane_has_another_meaning_elsewhere() -> None:
    elsewhere = [*DashboardScreen.BINDINGS, *VoiceLiveApp.BINDINGS, *ScrollList.BINDINGS, *SurgeryPane.BINDINGS]
    assert not {binding.key for binding in ToolsPane.BINDINGS} & {binding.key for binding in elsewhere}


async def test_a_call_that_waits_is_announced_and_decided_from_any_pane() -> None:
    live = FakeLive(replace(states.IDLE, transcript=(WAITING,)))
    app = VoiceLiveApp(lambda: live, Ui(), {})
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        assert "APPROVE?" in screen_text(app)
        assert "^y approves, ^n refuses · add" in screen_text(app)
        for pane, key, decision in (("1", "ctrl+y", CallApproved), ("4", "ctrl+n", CallRefused)):
            await pilot.press(pane, key)
            await pilot.pause()
            assert live.applied[-1] == decision("item_1")


async def test_the_tools_pane_takes_the_place_of_the_events_and_gives_it_back() -> None:
    app = VoiceLiveApp(lambda: FakeLive(states.IDLE), Ui(), {})
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        for key, shown, hidden in (
            ("5", "▌5 Tools", "session.updated"),
            ("3", "▌3 Events", "no tools:"),
        ):
            await pilot.press(key)
            await pilot.pause()
            assert shown in screen_text(app)
            assert hidden not in screen_text(app)
            assert "2 Transcript" in screen_text(app)
