"""What this client does about calls of functions: it runs them, answers each once, and has the answer spoken."""

from typing import NamedTuple

from msgspec.structs import replace

from voicelive_tui.config import Function
from voicelive_tui.session import effects, inputs
from voicelive_tui.session.calls import NO_USER, Call
from voicelive_tui.session.history import Item, call_items
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.tools import rule_of
from voicelive_tui.wire.events import text

UNATTENDED = Function(policy="fail", error=NO_USER)
"""The rule in place of "ask" where there is no user."""
_NEW = Call("function")
"""A call before its first fact."""


class Steps(NamedTuple):
    """What follows from the changes of some calls."""

    run: tuple[effects.CallTool, ...] = ()
    outputs: tuple[Item, ...] = ()
    """To be added to the conversation."""
    ask: bool = False
    """An answer of the assistant became due."""
    withdraw: bool = False
    """An answer that was due is not wanted any more: the user went on."""


def steps(event: inputs.Input, before: SessionState, after: SessionState) -> Steps:
    """What follows from what `event` changed about calls."""
    match event:
        case inputs.Received(body) if text(body.get("type")).endswith(".delta"):
            return Steps()
        case inputs.CallApproved() | inputs.CallAnswered():
            return Steps(run=_decided(event, before, after))
        case inputs.CallRepeated(item_id):
            return Steps(run=_again(item_id, after))
    if after.transcript is before.transcript:
        return Steps()
    seeded = isinstance(event, inputs.Received) and event.event.get("type") == "conversation.item.created"
    old_calls = {entry.item_id: call for entry, call in before.calls}
    run: list[effects.CallTool] = []
    outputs: list[Item] = []
    ask = withdraw = False
    for entry, call in after.calls:
        old = old_calls.get(entry.item_id, _NEW)
        if call is old:
            continue
        ask |= call.due_at is not None and old.due_at is None
        overtaken = call.overtaken_at is not None and old.overtaken_at is None
        withdraw |= overtaken and call.due_at is not None and not call.answered_by
        if call.kind != "function":
            continue
        if call.complete_at is not None and old.complete_at is None and call.ended_at is None:
            rule = rule_of(after, call.name)
            if not (rule.policy == "ask" and after.attended):
                rule = UNATTENDED if rule.policy == "ask" else rule
                run.append(effects.CallTool(entry.item_id, call.name, call.arguments, rule))
        ended = call.ended_at is not None and old.ended_at is None
        if ended and not seeded and entry.at >= after.fresh_at:
            # A session after the one of the call has the call only if its output was known when it began.
            known = entry.at >= after.connection.started_at
            outputs += call_items(entry)[1:] if known else call_items(entry)
    return Steps(tuple(run), tuple(outputs), ask, withdraw)


def _decided(
    event: inputs.CallApproved | inputs.CallAnswered, before: SessionState, after: SessionState
) -> tuple[effects.CallTool, ...]:
    call = after.call(event.item_id)
    if call is None or call.kind != "function" or before.call(event.item_id) is call:
        return ()
    rule = rule_of(after, call.name)
    if isinstance(event, inputs.CallAnswered):
        rule = Function(policy="stub", answer=event.answer)
    else:
        delay = rule.delay if event.delay is None else event.delay
        rule = replace(rule, policy="auto" if rule.policy == "ask" else rule.policy, delay=delay)
    return (effects.CallTool(event.item_id, call.name, call.arguments, rule),)


def _again(item_id: str, after: SessionState) -> tuple[effects.CallTool, ...]:
    call = after.call(item_id)
    if call is None or call.kind != "function" or call.ended_at is None:
        return ()
    rule = Function(timeout=rule_of(after, call.name).timeout)
    return (effects.CallTool(item_id, call.name, call.arguments, rule, again=True),)
