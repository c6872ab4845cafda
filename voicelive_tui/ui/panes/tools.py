"""The tools pane: each call of a tool with its state, its time and its result, and what the user does about it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeVar

import msgspec
from msgspec.structs import replace
from textual.binding import Binding, BindingType

from voicelive_tui.config import Approval
from voicelive_tui.session import inputs, mcp
from voicelive_tui.session.calls import Call, CallState
from voicelive_tui.session.reading import Reading
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.tools import rule_of
from voicelive_tui.session.transcript import Entry
from voicelive_tui.text import clock, duration, excerpt, visible
from voicelive_tui.ui.detail import parsed
from voicelive_tui.ui.hints import Hint, replayed, with_keys
from voicelive_tui.ui.panes import following_note, joined
from voicelive_tui.ui.panes.inspecting import InspectingPane
from voicelive_tui.ui.scroll_list import ScrollList
from voicelive_tui.ui.text import Line, Span, clipped, fit, width_of
from voicelive_tui.ui.timed import now_of

T = TypeVar("T")

BAR = 10
"""Cells of the longest call's duration."""
POLICIES: dict[Literal["auto", "ask", "stub", "fail"], str] = {
    "auto": "Run it at once",
    "ask": "Run it when you approve",
    "stub": "Answer each call with the text of the configuration",
    "fail": "Fail each call with the error of the configuration",
}
APPROVALS: dict[Approval, str] = {
    "ask": "Ask you for each approval of its calls",
    "always": "Approve its calls, up to three in a turn",
    "never": "Refuse its calls that need an approval",
}
LONGEST_DELAY = 600.0

_LOOKS = {
    CallState.ARGUMENTS: ("…", "arguments", "dim"),
    CallState.AWAITING: ("?", "approve?", "warn"),
    CallState.RUNNING: ("▶", "running", "accent"),
    CallState.ANSWERED: ("✓", "answered", "text"),
    CallState.PENDING: ("✓", "pending", "warn"),
    CallState.SPOKEN: ("✓", "spoken", "good"),
    CallState.FAILED: ("✗", "failed", "bad"),
    CallState.TIMED_OUT: ("✗", "timed out", "bad"),
    CallState.STALE: ("✓", "late", "warn"),
    CallState.CANCELLED: ("╎", "cancelled", "warn"),
}


def seconds(call: Call, now: float) -> float | None:
    """How long a call has been running, or ran; None for one that did not run."""
    began = call.started_at
    return None if began is None else (now if call.ended_at is None else call.ended_at) - began


def call_line(entry: Entry, origin: float, now: float, longest: float, width: int) -> Line:
    """One call: when, state, tool, duration, arguments and result; its bar is `BAR` cells for `longest` seconds."""
    call = entry.call
    assert call is not None
    mark, word, tone = _LOOKS[call.state]
    spans: list[Span] = [
        (f" {clock(entry.at - origin):>5} ", "dim"),
        (f"{mark} {word.ljust(10)}", tone),
        (fit(visible(call.title[:99]), 24 if width >= 100 else 14) + " ", "strong"),
    ]
    took = seconds(call, now)
    bar = "" if took is None or longest <= 0 else "█" * max(round(took / longest * BAR), 1)
    shown = "" if took is None else duration(took * 1000)
    if width >= 80:  # else the arguments have the place
        spans.append((bar.ljust(BAR), tone if call.ended else "accent"))
    spans.append((f"{shown:>8}  ", "dim"))
    arguments, output = (excerpt(" ".join(text.split())) for text in (call.arguments, call.output))
    room = width - width_of(spans)
    spans.append((fit(arguments, room * 2 // 5) if output else arguments, "dim"))
    if output:
        spans.append((" → " + output, "bad" if call.ended else "text"))
    return clipped(tuple(spans), width)


class ToolsView(ScrollList):
    """The calls, one a line."""

    items: Sequence[Entry] = ()
    origin = now = longest = 0.0

    def measure(self, now: float) -> None:
        """Take the durations at a moment; the bars share one scale."""
        self.now = now
        self.longest = max((seconds(entry.call, now) or 0.0 for entry in self.items if entry.call), default=0.0)

    def item_line(self, index: int) -> Line:
        return call_line(self.items[index], self.origin, self.now, self.longest, self.size.width - 1)


class ToolsPane(InspectingPane):
    """Each call of a function, or of a tool of an MCP server."""

    ID = "tools"
    NAME = "Tools"
    NUMBER = "5"
    KEYS = ("list.open", "tools.edit", "tools.policy", "cross", "approve", "refuse", "zoom")
    CROSSES_TO = "transcript"
    HELP_TEXT = Hint("""\
One line a call: when, state, tool, duration, arguments → result. {list.open} opens all of it beside the list.
approve?: it waits, {approve} approves and {refuse} refuses, from any pane. running: the function runs, or is delayed.
answered: the output is sent. pending: the assistant's answer is due. spoken: that has begun.
late: you went on before the output came; it is sent, and no answer is asked for.
{tools.edit} edits the arguments and approves, {tools.delay} approves for some seconds later, \
{tools.stub} answers with a text or @FILE in place of the function, {tools.fail} fails with a sentence.
{tools.again} runs the function again with the same arguments: the result is shown here, the model does not get it.
{tools.policy} changes what becomes of further calls: auto, ask, stub, fail; of an MCP tool: ask, always, never.
{cross} goes to the line of the transcript.""")

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "edit", "Edit the arguments", show=False, id="tools.edit"),
        Binding("D", "delay", "Run later", show=False, id="tools.delay"),
        Binding("u", "stub", "Answer by hand", show=False, id="tools.stub"),
        Binding("exclamation_mark", "fail", "Fail", key_display="!", show=False, id="tools.fail"),
        Binding("full_stop", "again", "Run again", key_display=".", show=False, id="tools.again"),
        Binding("p", "policy", "Next policy", show=False, id="tools.policy"),
    ]

    VIEW = ToolsView
    view: ToolsView

    def show(self, session: SessionState) -> None:
        view = self.view
        view.items, view.origin = [entry for entry, _ in session.calls], session.log.origin
        view.measure(now_of(self))
        names = [str(tool.get("name") or tool.get("server_label")) for tool in session.wanted.get("tools", ())]
        none = "No tool has been called so far." if replayed(self) else "No tools: start with --tools FILE.py."
        view.instead = f"No call yet. The model has: {visible(', '.join(names))}" if names else none
        view.items_changed()
        if self.inspecting and (entry := self.selected()):
            self.open(view.items.index(entry))

    def update_levels(self, reading: Reading) -> None:
        super().update_levels(reading)
        if self.display and any(entry.call and entry.call.state is CallState.RUNNING for entry in self.view.items):
            self.view.measure(now_of(self))
            self.view.repaint()

    def count(self) -> Line:
        """How many calls, and how many of them wait."""
        calls = self.session.calls
        waiting = sum(call.waits for _, call in calls)
        return joined(
            (f"{len(calls):,}" if calls else "", "dim"), (f"{waiting} to approve" if waiting else "", "warn"), gap=" "
        )

    def note(self) -> Line:
        """The rules that are not `auto`, and whether the end is followed."""
        rules = [f"{name}: {rule.policy}" for name, rule in self.session.rules.items() if rule.policy != "auto"]
        for server, approve in self.session.approvals.items():
            by_tool = {"": approve} if isinstance(approve, str) else approve
            rules += [f"{server}{tool and f'.{tool}'}: {rule}" for tool, rule in by_tool.items() if rule != "ask"]
        return joined((visible(", ".join(rules)), "accent"), *following_note(self.view))

    def inspected(self, index: int) -> tuple[object, float, str, Any] | None:
        if index >= len(self.view.items):
            return None
        entry = self.view.items[index]
        call = entry.call
        assert call is not None
        value = {
            "state": call.state.value,
            **({"server": call.server} if call.server else {}),
            "arguments": parsed(call.arguments),
            "result": parsed(call.output),
            **({"run again": parsed(call.again)} if call.again else {}),
            **({"remark": entry.note} if entry.note else {}),
        }
        return (entry.item_id, call, entry.note), entry.at, call.name, value

    def selected(self) -> Entry | None:
        """The call under the cursor; without a cursor the first that waits for approval, or the last one."""
        entries, cursor = self.view.items, self.view.cursor
        if cursor is not None and cursor < len(entries):
            return entries[cursor]
        return self.waiting() or (entries[-1] if entries else None)

    def waiting(self) -> Entry | None:
        """The first call that waits for approval."""
        return next((entry for entry, call in self.session.calls if call.waits), None)

    def to_copy(self) -> tuple[str, str] | None:
        call = entry.call if (entry := self.selected()) else None
        facts = call and {"name": call.name, "arguments": call.arguments, "output": call.output}
        return super().to_copy() or ((msgspec.json.encode(facts).decode(), "this call") if facts else None)

    # Keys

    def decide(self, approve: bool) -> None:
        """Approve or refuse the call under the cursor of the pane in use, or the first that waits."""
        selected = self.selected() if self.has_focus_within else None
        entry = selected if selected and selected.call and selected.call.waits else self.waiting()
        if entry is None:
            self.notify("No call waits for approval.", timeout=3)
        else:
            kind = inputs.CallApproved if approve else inputs.CallRefused
            self.post_message(self.Wants(kind(entry.item_id)))

    def _function(self, open_only: bool = True) -> tuple[str, Call] | None:
        """The selected call of a function; a toast says why there is none."""
        entry = self.selected()
        if entry is None or entry.call is None:
            self.notify("There is no call.", timeout=3)
        elif entry.call.kind != "function":
            self.notify("The service runs the tools of MCP servers: approve or refuse.", timeout=4)
        elif open_only and entry.call.ended_at is not None:
            self.notify("This call has its output.", timeout=3)
        else:
            return entry.item_id, entry.call
        return None

    def _ask(self, title: str, text: str, enter: str, wanted: Callable[[str], inputs.Key]) -> None:
        """Let the user type a line that becomes an input; `wanted` raises `ValueError` for one that cannot."""
        from voicelive_tui.ui.line_dialog import LineDialog  # noqa: PLC0415 - when it is opened

        def typed(answer: tuple[str, str] | None) -> None:
            if answer is not None:
                self.post_message(self.Wants(wanted(answer[0])))

        self.app.push_screen(LineDialog(title, text, optional=True, enter=enter, check=wanted), typed)

    def _undecided(self) -> tuple[str, Call] | None:
        """The selected call of a function, if it waits for approval."""
        found = self._function()
        if found and not found[1].waits:
            hint = Hint("This call does not wait: {tools.policy} sets the policy ask for the next one.")
            self.notify(with_keys(self, hint), timeout=4)
            return None
        return found

    def action_edit(self) -> None:
        if found := self._undecided():
            item_id, call = found

            def approved(line: str) -> inputs.Key:
                try:
                    msgspec.json.decode(line, type=dict[str, Any])
                except (msgspec.MsgspecError, RecursionError) as error:
                    raise ValueError(str(error)) from None
                return inputs.CallApproved(item_id, line)

            self._ask(f"Arguments of {call.name}", call.arguments, "approves", approved)

    def action_delay(self) -> None:
        if found := self._undecided():
            item_id, call = found

            def later(line: str) -> inputs.Key:
                try:
                    delay = float(line)
                except ValueError:
                    raise ValueError(f"{line!r} is not a number of seconds") from None
                if not 0 <= delay <= LONGEST_DELAY:
                    raise ValueError(f"expected 0 to {LONGEST_DELAY:g} seconds")
                return inputs.CallApproved(item_id, delay=delay)

            self._ask(f"Seconds before {call.name} runs", "", "approves", later)

    def action_stub(self) -> None:
        if found := self._function():
            item_id, call = found
            title = f"Answer for {call.name}: a text, or @FILE"
            self._ask(title, "", "answers", lambda line: inputs.CallAnswered(item_id, line))

    def action_fail(self) -> None:
        if found := self._function():
            item_id, call = found
            error = rule_of(self.session, call.name).error
            title = f"Error of {call.name}, for the model"
            self._ask(title, error, "fails the call", lambda line: inputs.CallRefused(item_id, line or error))

    def action_again(self) -> None:
        if found := self._function(open_only=False):
            self.post_message(self.Wants(inputs.CallRepeated(found[0])))

    def action_policy(self) -> None:
        call = entry.call if (entry := self.selected()) else None
        if call and call.kind == "mcp":
            approve = mcp.rule_of(self.session, call.server, call.name)
            self.post_message(self.Wants(inputs.ApprovalsChanged(call.server, _next(APPROVALS, approve), call.name)))
        elif found := self._function(open_only=False):
            rule = rule_of(self.session, found[1].name)
            changed = replace(rule, policy=_next(POLICIES, rule.policy))
            self.post_message(self.Wants(inputs.RuleChanged(found[1].name, changed)))


def _next(choices: Mapping[T, str], current: T) -> T:
    """The choice after the current one."""
    names = list(choices)
    return names[(names.index(current) + 1) % len(names)]
