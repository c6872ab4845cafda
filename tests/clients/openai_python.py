"""openai-python: the GA protocol with calls of a function and an MCP tool, and the Azure client's preview protocol."""

import asyncio
import base64
import os

from openai import AsyncAzureOpenAI, AsyncOpenAI

TOOL = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}
MAPS = {"type": "mcp", "server_label": "maps", "server_url": "https://maps.example", "require_approval": "never"}


async def until(link, kind):
    async for event in link:
        assert event.type != "error", event
        if event.type == kind:
            return event
    raise AssertionError(f"no {kind}")


async def general_availability():
    client = AsyncOpenAI(base_url=os.environ["ENDPOINT"] + "/openai/v1", api_key="any")
    async with client.realtime.connect(model="gpt-realtime") as link:
        turn_detection = {"type": "server_vad", "create_response": False}
        audio = {"input": {"turn_detection": turn_detection}, "output": {"voice": "marin"}}
        session = {"type": "realtime", "output_modalities": ["audio"], "tools": [TOOL, MAPS], "audio": audio}
        await link.session.update(session=session)
        updated = await until(link, "session.updated")
        assert updated.session.audio.output.voice == "marin"
        await until(link, "mcp_list_tools.completed")
        message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "The weather?"}]}
        await link.conversation.item.create(item=message)
        await link.response.create()
        call = await until(link, "response.function_call_arguments.done")
        done = await until(link, "response.done")
        assert done.response.output[0].type == "function_call"
        output = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
        await link.conversation.item.create(item=output)
        await link.response.create()
        assert len(base64.b64decode((await until(link, "response.output_audio.delta")).delta)) > 1000
        said = (await until(link, "response.output_audio_transcript.done")).transcript
        await until(link, "response.done")
        print(f"GA: typed, called {call.name}, heard: {said}")
        message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "How far is Bern?"}]}
        await link.conversation.item.create(item=message)
        await link.response.create()
        await until(link, "response.mcp_call.completed")
        item = (await until(link, "response.output_item.done")).item
        await link.response.create()
        said = (await until(link, "response.output_audio_transcript.done")).transcript
        print(f"GA: typed, MCP tool {item.name} gave {item.output}, heard: {said}")


async def preview():
    client = AsyncAzureOpenAI(azure_endpoint=os.environ["ENDPOINT"], api_key="any", api_version="2025-04-01-preview")
    async with client.beta.realtime.connect(model="gpt-realtime") as link:
        await link.session.update(session={"modalities": ["text", "audio"], "voice": "echo"})
        await until(link, "session.updated")
        await link.response.create()
        said = (await until(link, "response.audio_transcript.done")).transcript
        print(f"preview: heard: {said[:40]}...")


asyncio.run(general_availability())
if os.environ["ENDPOINT"].startswith("https"):  # the Azure client speaks wss only
    asyncio.run(preview())
