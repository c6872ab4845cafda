"""Calls of MCP tools against the loopback service, through the real SDK on a real socket."""

import asyncio
import contextlib

import pytest
from msgspec.structs import replace

from tests.conversing import LIMIT, Mouth, Recorder, speech, until
from voicelive_tui.client.live import LiveSession
from voicelive_tui.config import Audio, Mcp, Service, Session, Settings
from voicelive_tui.loopback.faults import parse
from voicelive_tui.loopback.script import load, shipped
from voicelive_tui.loopback.service import LoopbackService
from voicelive_tui.session import inputs, mcp
from voicelive_tui.session.calls import CallState
from voicelive_tui.session.state import Stage

SCRIPT = load(shipped()["mcp"])
AT_ONCE = replace(
    SCRIPT,
    delay_ms=20,
    reply=tuple(
        replace(reply, calls=tuple(replace(call, delay_ms=20) for call in reply.calls)) for reply in SCRIPT.reply
    ),
)


@contextlib.asynccontextmanager
async def talking(
    *faults,
    approve="ask",
    attended=True,
    model="gpt-realtime",
    labels=("maps", "docs", "broken"),
    source=None,
    slow=False,
):
    """A session with the servers of the shipped script, once it is known which tools they have.

    They answer at once, unless they are to be `slow`, as in the script.
    """
    records, free = [], {"never": ("route", "traffic")}
    async with LoopbackService(
        script=SCRIPT if slow else AT_ONCE, faults=[parse(fault) for fault in faults], on_record=records.append
    ) as service:
        settings = Settings(
            service=Service(endpoint=service.endpoint, api_key="k3y"),
            session=Session(model=model, modalities=("text",)),
            audio=Audio(input_device="none", output_device="none"),
            mcp=tuple(Mcp(label=each, url="https://x", require_approval=free, approve=approve) for each in labels),
        )
        live, recorder = LiveSession(settings, attended=attended, source=source), Recorder()
        live.observe(recorder)
        running = asyncio.create_task(live.run())
        try:
            await until(lambda: len(live.state.calls) == len(labels), "the listings")
            await until(lambda: all(call.ended_at for _, call in live.state.calls), "the ends of the listings")
            yield live, recorder, records
        finally:
            await live.close()
            await asyncio.wait_for(running, LIMIT)


def call(live, name):
    return next((call for _, call in live.state.calls if call.name == name), None)


def state_of(live, name):
    found = call(live, name)
    return found and found.state


def spoken(live):
    return [entry.text for entry in live.state.transcript if entry.role == "assistant"]


def at_rest(live):
    return live.state.response == "" and not live.state.open_calls and not live.state.awaiting


async def test_the_tools_of_each_server_are_listed_or_not():
    async with talking() as (live, _, records):
        assert live.state.connection.stage is Stage.READY
        lines = {call.server: (call.output, call.state) for _, call in live.state.calls}
    assert lines["maps"] == ("route, traffic", CallState.ANSWERED)
    assert lines["broken"][1] is CallState.FAILED
    assert any("broken" in problem.text for problem in live.state.problems)
    assert any("the server did not answer" in record.text for record in records if record.kind == "error")


@pytest.mark.parametrize("model", ["gpt-realtime", "gpt-4.1"])
@pytest.mark.parametrize("faults", [(), ("duplicate-done@response.mcp_call.completed",)])
async def test_a_call_without_approval_is_spoken_once(faults, model):
    async with talking(*faults, model=model) as (live, recorder, _):
        live.apply(inputs.TextTyped("How far is it?"))
        await until(lambda: state_of(live, "route") is CallState.SPOKEN and at_rest(live), "the answer")
    assert spoken(live) == ["The server says: 98 km."]
    assert recorder.types(inputs.Sent).count("response.create") == 2


async def test_a_failed_call_is_spoken_of():
    async with talking() as (live, _, _records):
        live.apply(inputs.TextTyped("the traffic"))
        await until(lambda: spoken(live) and at_rest(live), "the answer")
    assert state_of(live, "traffic") is CallState.FAILED
    assert spoken(live) == ["The server says: the map has no traffic today."]


@pytest.mark.parametrize("approve", [True, False])
async def test_the_user_decides_while_the_conversation_goes_on(approve):
    async with talking() as (live, recorder, _):
        live.apply(inputs.TextTyped("find the document"))
        await until(
            lambda: state_of(live, "search") is CallState.AWAITING and live.state.response == "", "the question"
        )
        item_id = next(entry.item_id for entry, call in live.state.calls if call.name == "search")
        live.apply(inputs.CallApproved(item_id) if approve else inputs.CallRefused(item_id, "not this one"))
        await until(lambda: spoken(live) and at_rest(live), "the answer")
    says = "3 documents found" if approve else "the call was not approved"
    assert spoken(live)[0].startswith(f"The server says: {says}")
    assert recorder.types(inputs.Sent).count("response.create") == 2


@pytest.mark.parametrize(
    ("approve", "attended", "says"),
    [
        ("always", True, "3 documents found."),
        ("never", True, "the call was not approved"),
        ("ask", False, "the call was not approved"),
        ({"search": "always"}, False, "3 documents found."),
    ],
)
async def test_a_rule_decides(approve, attended, says):
    async with talking(approve=approve, attended=attended) as (live, recorder, _):
        live.apply(inputs.TextTyped("find the document"))
        await until(lambda: spoken(live) and at_rest(live), "the answer")
    assert spoken(live)[0].startswith(f"The server says: {says}")
    assert recorder.types(inputs.Sent).count("response.create") == 2


async def test_two_servers_in_one_response_get_one_answer():
    async with talking(approve="always") as (live, recorder, _):
        live.apply(inputs.TextTyped("both"))
        await until(lambda: spoken(live) and at_rest(live), "the answer")
    assert spoken(live) == ["The server says: 98 km, 1 document found."]
    assert recorder.types(inputs.Sent).count("response.create") == 2


async def test_a_call_without_a_result_in_time_is_followed_by_one_request(monkeypatch):
    monkeypatch.setattr(mcp, "SILENT_SECONDS", 0.3)
    async with talking(approve="always", slow=True) as (live, recorder, _):
        live.apply(inputs.TextTyped("find the document"))
        await until(lambda: state_of(live, "search") is CallState.TIMED_OUT, "the end of waiting")
        await until(lambda: call(live, "search").answered_by, "the answer")
        assert recorder.types(inputs.Sent).count("response.create") == 2
        await until(lambda: call(live, "search").output and at_rest(live), "the late result")
        searches = [call for _, call in live.state.calls if call.name == "search"]
    assert recorder.types(inputs.Sent).count("response.create") == 1 + len(searches)


async def test_an_unknown_server_leaves_the_session_usable():
    async with talking(labels=("elsewhere",)) as (live, _, _records):
        live.apply(inputs.TextTyped("How far is it?"))
        await until(lambda: spoken(live) and at_rest(live), "an answer without the tool")
        assert live.state.connection.stage is Stage.READY


async def test_the_user_goes_on_while_a_call_runs():
    async with talking(slow=True) as (live, recorder, _):
        live.apply(inputs.TextTyped("How far is it?"))
        await until(lambda: state_of(live, "route") is CallState.RUNNING and live.state.response == "", "the call")
        live.apply(inputs.TextTyped("the traffic"))
        await until(lambda: state_of(live, "traffic") is CallState.FAILED and spoken(live), "the other answer")
        await until(lambda: call(live, "route").ended_at and at_rest(live), "the end of the first call")
    assert state_of(live, "route") is CallState.STALE
    assert len(spoken(live)) == 1
    assert recorder.types(inputs.Sent).count("response.create") == 3


async def test_the_user_speaks_while_a_call_runs():
    mouth = Mouth()
    async with talking(labels=("maps",), source=mouth, slow=True) as (live, recorder, _):
        live.apply(inputs.TextTyped("How far is it?"))
        await until(lambda: state_of(live, "route") is CallState.RUNNING and live.state.response == "", "the call")
        mouth.say(speech("Stop."))
        await until(lambda: call(live, "route").ended_at and len(live.state.calls) == 3, "the call for what was said")
        await until(lambda: spoken(live) and at_rest(live), "the answer")
    _, first, second = (call for _, call in live.state.calls)
    assert (first.state, second.state) == (CallState.STALE, CallState.SPOKEN)
    assert len(spoken(live)) == 1
    assert recorder.types(inputs.Sent).count("response.create") == 2, "of the message, and of the second call"


async def test_a_connection_that_is_lost_while_a_call_runs_is_answered_once_in_the_next_session():
    async with talking("reset@response.mcp_call.in_progress") as (live, recorder, _):
        first = live.state.connection.session_id
        live.apply(inputs.TextTyped("How far is it?"))
        await until(lambda: live.state.connection.session_id not in ("", first) and spoken(live), "the answer")
        await until(lambda: at_rest(live), "the end of the answer")
    assert state_of(live, "route") is CallState.FAILED
    assert len(spoken(live)) == 1
    assert recorder.types(inputs.Sent).count("response.create") == 2
