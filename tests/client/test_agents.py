"""A Foundry agent in place of a model, through the real SDK on a real socket."""

import asyncio
import contextlib

import azure.identity
import pytest

from tests.conversing import LIMIT, Recorder, until
from tests.test_credentials import FakeDefaultCredential
from voicelive_tui.client.live import LiveSession
from voicelive_tui.config import Agent, Audio, Service, Session, Settings
from voicelive_tui.loopback.faults import parse
from voicelive_tui.loopback.script import Reply, Script
from voicelive_tui.loopback.service import LoopbackService
from voicelive_tui.session import inputs
from voicelive_tui.session.state import Stage

SCRIPT = Script(
    agents=("clerk",),
    delay_ms=20,
    speed=50.0,
    reply=(Reply(match="again", say="{history}"), Reply(say="At your service.")),
)
CLERK = Agent(name="clerk", project="shop", version="2")


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setattr(FakeDefaultCredential, "made", [], raising=False)
    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", FakeDefaultCredential)


@contextlib.asynccontextmanager
async def talking(*faults, agent=CLERK):
    got = []
    async with LoopbackService(
        script=SCRIPT,
        faults=[parse(fault) for fault in faults],
        on_client_event=lambda session, event: got.append((session, event)),
    ) as service:
        settings = Settings(
            service=Service(endpoint=service.endpoint, use_token_credential=True),
            session=Session(instructions="Say nothing."),
            audio=Audio(input_device="none", output_device="none"),
            agent=agent,
        )
        live = LiveSession(settings)
        recorder = Recorder()
        live.observe(recorder)
        running = asyncio.create_task(live.run())
        try:
            yield live, recorder, got
        finally:
            await live.close()
            await asyncio.wait_for(running, LIMIT)


def ready(live):
    return live.state.connection.stage is Stage.READY


async def test_an_agent_answers_with_its_own_instructions():
    async with talking() as (live, recorder, got):
        await until(lambda: ready(live), "the session")
        live.apply(inputs.TextTyped("Hello"))
        await until(lambda: "response.done" in recorder.types(), "the answer")
    assert live.state.connection.agent == "clerk"
    assert live.state.in_force["agent"]["name"] == "clerk"
    assert live.state.conversation_id.startswith("conv_")
    ((_, update),) = [(session, event) for session, event in got if event["type"] == "session.update"]
    assert "instructions" not in update["session"]


async def test_a_lost_session_goes_on_in_the_same_conversation():
    async with talking("reset@response.done") as (live, _, got):
        await until(lambda: ready(live), "the session")
        first, conversation = live.state.connection.session_id, live.state.conversation_id
        live.apply(inputs.TextTyped("Hello"))
        await until(lambda: ready(live) and live.state.connection.session_id != first, "the next session")
        assert live.state.conversation_id == conversation
        assert live.state.in_force["agent"]["thread_id"] == conversation
        items = [event for session, event in got if session != first and event["type"] == "conversation.item.create"]
        assert items == [], "the service has the history"
        remarks = [entry.text for entry in live.state.transcript if entry.role == "session"]
        assert "the agent keeps its conversation" in remarks[-1]
        live.apply(inputs.TextTyped("Say it again"))
        await until(lambda: "Hello | At your service. | Say it again" in live.state.transcript[-1].text, "the history")


async def test_a_conversation_is_continued_by_its_id_and_a_reset_begins_another():
    agent = Agent(name="clerk", project="shop", conversation="conv_of_yesterday")
    async with talking(agent=agent) as (live, _, _got):
        await until(lambda: ready(live), "the session")
        first = live.state.connection.session_id
        assert live.state.in_force["agent"]["thread_id"] == "conv_of_yesterday"
        live.apply(inputs.ResetPressed())
        await until(lambda: ready(live) and live.state.connection.session_id != first, "the next session")
        assert live.state.conversation_id not in ("", "conv_of_yesterday")


async def test_an_agent_that_does_not_exist_is_named():
    async with talking(agent=Agent(name="ghost", project="shop")) as (live, _, _got):
        await until(lambda: live.state.connection.stage is Stage.FAILED, "the refusal")
    assert "the name of the model, or of agent and project" in live.state.connection.problem
