"""pydantic-ai: an agent with a tool, on the GA path and on Voice Live, with a native model and a cascade."""

import asyncio
import os

from pydantic_ai import Agent
from pydantic_ai.messages import FunctionToolCallEvent, FunctionToolResultEvent
from pydantic_ai.providers.azure import AzureProvider
from pydantic_ai.realtime import RealtimeSessionErrorEvent, RealtimeTurnCompleteEvent
from pydantic_ai.realtime.azure import AzureRealtimeModel

agent = Agent(instructions="Tell the weather.")


@agent.tool_plain
def get_weather(location: str) -> str:
    """The weather at a place."""
    return f"sunny in {location}"


async def converse(name, **settings):
    endpoint = os.environ["ENDPOINT"]
    provider = AzureProvider(
        azure_endpoint=f"{endpoint}/openai/v1",
        api_key="any",
        voice_live_endpoint=endpoint,
        voice_live_api_key="any",
        voice_live_api_version="2026-04-10",
    )
    model = AzureRealtimeModel(name, provider=provider, settings=settings or None)
    called = returned = False
    async with agent.realtime(model).session() as session:
        await session.send("How is the weather?")
        async for event in session:
            called = called or isinstance(event, FunctionToolCallEvent)
            returned = returned or isinstance(event, FunctionToolResultEvent)
            assert not isinstance(event, RealtimeSessionErrorEvent), event
            if isinstance(event, RealtimeTurnCompleteEvent) and returned:
                break
        said = repr(session.all_messages()[-1].parts)
    assert called
    assert "sunny in Beijing" in said, said
    print(f"{name} {settings}: typed, called get_weather, heard the weather")


async def main():
    await converse("gpt-realtime")
    await converse("gpt-realtime", azure_voice_live=True)
    await converse("gpt-4.1", azure_voice_live=True)


asyncio.run(asyncio.wait_for(main(), 50))
