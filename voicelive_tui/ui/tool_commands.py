"""Commands of the palette that concern function tools and MCP servers."""

from collections.abc import Callable, Iterator
from functools import partial

from msgspec.structs import replace

from voicelive_tui.session import mcp
from voicelive_tui.session.inputs import ApprovalsChanged, RuleChanged
from voicelive_tui.session.tools import rule_of
from voicelive_tui.ui.live_screen import LiveScreen
from voicelive_tui.ui.panes.tools import APPROVALS, POLICIES


def tool_commands(screen: LiveScreen) -> Iterator[tuple[str, str, Callable[[], object]]]:
    """The name, the effect and the action of each command that can be used now."""
    tools = screen.session.wanted.get("tools", ())
    functions = [str(tool["name"]) for tool in tools if tool.get("type") == "function"]
    if functions:
        does = "Import the files again; a broken file changes nothing"
        yield "Reload the tools", does, lambda: screen.run_worker(screen.live.reload_tools(), name="tools")
    for name in functions:
        rule = rule_of(screen.session, name)
        for policy, does in POLICIES.items():
            if policy != rule.policy:
                yield f"{name}: {policy}", does, partial(screen.apply, RuleChanged(name, replace(rule, policy=policy)))
    for label in (str(tool["server_label"]) for tool in tools if tool.get("type") == "mcp"):
        for answer, does in APPROVALS.items():
            if answer != screen.session.approvals.get(label, "ask"):
                yield f"Approvals of {label}: {answer}", does, partial(screen.apply, ApprovalsChanged(label, answer))
            for tool in mcp.tools_of(screen.session, label):
                if answer != mcp.rule_of(screen.session, label, tool):
                    change = ApprovalsChanged(label, answer, tool)
                    yield f"Approvals of {label}.{tool}: {answer}", does, partial(screen.apply, change)
