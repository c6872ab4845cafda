"""azure-ai-voicelive: typed turns with calls of a function and of an MCP tool that is approved, and spoken answers."""

import asyncio
import os

from azure.ai.voicelive.aio import connect
from azure.ai.voicelive.models import (
    FunctionCallOutputItem,
    FunctionTool,
    InputTextContentPart,
    MCPApprovalResponseRequestItem,
    MCPServer,
    RequestSession,
    UserMessageItem,
)
from azure.core.credentials import AzureKeyCredential


async def until(link, kind):
    while (event := await link.recv()).type != kind:
        assert event.type != "error", event
    return event


async def main():
    endpoint, key = os.environ["ENDPOINT"], AzureKeyCredential("any")
    async with connect(endpoint=endpoint, credential=key, model="gpt-realtime") as link:
        tool = FunctionTool(name="get_weather", parameters={"type": "object", "properties": {}})
        maps = MCPServer(server_label="maps", server_url="https://maps.example")
        await link.session.update(session=RequestSession(tools=[tool, maps]))
        await until(link, "session.updated")
        await until(link, "mcp_list_tools.completed")
        question = UserMessageItem(content=[InputTextContentPart(text="How is the weather?")])
        await link.conversation.item.create(item=question)
        await link.response.create()
        call = await until(link, "response.function_call_arguments.done")
        await until(link, "response.done")
        await link.conversation.item.create(item=FunctionCallOutputItem(call_id=call.call_id, output="sunny"))
        await link.response.create()
        assert len((await until(link, "response.audio.delta")).delta) > 1000
        done = await until(link, "response.audio_transcript.done")
        assert done.transcript == "The weather service says: sunny.", done.transcript
        print(f"typed, called {call.name}, heard: {done.transcript}")
        await until(link, "response.done")
        question = UserMessageItem(content=[InputTextContentPart(text="How far is Bern?")])
        await link.conversation.item.create(item=question)
        await link.response.create()
        while (item := (await until(link, "conversation.item.created")).item).type != "mcp_approval_request":
            pass
        approval = MCPApprovalResponseRequestItem(approval_request_id=item.id, approve=True)
        await link.conversation.item.create(item=approval)
        await until(link, "response.mcp_call.completed")
        await link.response.create()
        done = await until(link, "response.audio_transcript.done")
        assert done.transcript == "The map says: 98 km.", done.transcript
        print(f"typed, approved {item.name}, heard: {done.transcript}")


asyncio.run(main())
