"""The values of headers reach the service, and nothing else."""

import asyncio

import pytest

from tests.conversing import LIMIT, Recorder, until
from voicelive_tui.client.live import LiveSession
from voicelive_tui.client.mcp_headers import with_values
from voicelive_tui.config import Audio, Mcp, Service, Settings
from voicelive_tui.loopback.script import McpServer, Script
from voicelive_tui.loopback.service import LoopbackService
from voicelive_tui.session.state import Stage
from voicelive_tui.text import HIDDEN, mask

SECRET = "tok-4711-not-for-your-eyes"
DOCS = {"type": "mcp", "server_label": "docs", "server_url": "https://d", "headers": {"Authorization": "$DOCS_TOKEN"}}


def update(*tools):
    return {"type": "session.update", "session": {"voice": "alloy", "tools": list(tools)}}


def test_the_values_of_variables_take_the_place_of_their_names():
    function = {"type": "function", "name": "headers"}
    sent = with_values(update(DOCS, function), {"DOCS_TOKEN": SECRET})
    assert sent == update({**DOCS, "headers": {"Authorization": SECRET}}, function)
    assert DOCS["headers"] == {"Authorization": "$DOCS_TOKEN"}
    assert mask(f"say {SECRET} aloud") == f"say {HIDDEN} aloud"


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.create"},
        {"type": "session.update", "session": {}},
        {"type": "session.update", "session": {"tools": []}},
        update({"type": "function", "name": "f", "headers": 5}),
    ],
)
def test_other_events_are_left_alone(event):
    assert with_values(event, {}) == event


def test_a_header_without_a_value_is_left_out():
    assert with_values(update(DOCS), {})["session"]["tools"][0]["headers"] == {}


async def test_a_secret_is_on_the_wire_and_nowhere_else(monkeypatch, caplog):
    monkeypatch.setenv("DOCS_TOKEN", SECRET)
    server = Mcp(label="docs", url="https://d.example", headers={"Authorization": "DOCS_TOKEN"})
    got = []
    async with LoopbackService(
        script=Script(mcp=(McpServer("docs"),)), on_client_event=lambda _, event: got.append(event)
    ) as service:
        settings = Settings(
            service=Service(endpoint=service.endpoint, api_key="k3y"),
            audio=Audio(input_device="none", output_device="none"),
            mcp=(server,),
        )
        live, recorder = LiveSession(settings), Recorder()
        live.observe(recorder)
        running = asyncio.create_task(live.run())
        await until(lambda: "mcp_list_tools.completed" in recorder.types(), "the tools")
        assert live.state.connection.stage is Stage.READY
        await live.close()
        await asyncio.wait_for(running, LIMIT)
    assert got[0]["session"]["tools"][0]["headers"] == {"Authorization": SECRET}
    state = live.state
    assert SECRET not in repr((state.wanted, state.asked, settings))
    assert SECRET not in "".join(str(event) for _, event in recorder.seen if type(event).__name__ == "Sent")
    assert SECRET not in caplog.text
