"""The fixture `voicelive_loopback`, as other projects use it."""

import subprocess
import sys

import aiohttp
import pytest
from azure.ai.voicelive.aio import ConnectionError, connect  # noqa: A004  the SDK's own name
from azure.core.credentials import AzureKeyCredential

from tests.loopback.wire import QUERY, TYPED, events
from voicelive_tui.loopback.handshake import PATH
from voicelive_tui.loopback.script import Reply, Script


async def test_a_test_gets_a_running_service_and_what_its_client_sent(voicelive_loopback):
    endpoint, key = voicelive_loopback.endpoint, AzureKeyCredential("any")
    async with connect(endpoint=endpoint, credential=key, model="gpt-realtime") as link:
        await link.response.create(event_id="mine")
        while (await link.recv()).type != "response.created":
            pass
    assert voicelive_loopback.sent("response.create") == [{"type": "response.create", "event_id": "mine"}]
    assert voicelive_loopback.sent("session.update") == []
    assert voicelive_loopback.records[0].kind == "session"


@pytest.mark.voicelive_loopback(script=Script(delay_ms=0, speed=50.0, reply=(Reply(say="Two words."),)))
async def test_the_mark_gives_a_script(voicelive_loopback):
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(voicelive_loopback.endpoint + PATH, params=QUERY) as socket,
    ):
        await socket.send_json({"type": "conversation.item.create", "item": TYPED})
        await socket.send_json({"type": "response.create"})
        (done,) = [e for e in await events(socket) if e["type"] == "response.audio_transcript.done"]
    assert done["transcript"] == "Two words."


@pytest.mark.voicelive_loopback(faults=("refuse=429",), api_key="k3y")
async def test_the_mark_gives_faults_and_a_key(voicelive_loopback):
    for key, status in (("wrong", 401), ("k3y", 429)):
        with pytest.raises(ConnectionError) as refused:
            async with connect(
                endpoint=voicelive_loopback.endpoint, credential=AzureKeyCredential(key), model="gpt-realtime"
            ):
                pass
        assert refused.value.__cause__.status == status


@pytest.mark.voicelive_loopback("tool_call")
def test_a_shipped_script_is_found_by_its_name(voicelive_loopback):
    assert voicelive_loopback.endpoint.startswith("http://127.0.0.1:")


def test_loading_the_plugin_loads_no_service():
    heavy = {"aiohttp", "numpy"}
    code = f"import sys, voicelive_tui.loopback.pytest_plugin; print(sorted({heavy} & sys.modules.keys()))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert ran.stdout == "[]\n"
