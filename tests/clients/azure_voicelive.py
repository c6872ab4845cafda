"""azure-ai-voicelive: a typed turn with a tool call, and a spoken answer."""

import asyncio
import os

from azure.ai.voicelive.aio import connect
from azure.ai.voicelive.models import (
    FunctionCallOutputItem,
    FunctionTool,
    InputTextContentPart,
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
        await link.session.update(session=RequestSession(tools=[tool]))
        await until(link, "session.updated")
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


asyncio.run(main())
