"""livekit-agents: its OpenAI realtime model for Azure, both protocols, with a tool call."""

import asyncio
import os

from livekit.agents import Agent, AgentSession, function_tool
from livekit.plugins.openai.realtime import RealtimeModel


class Clerk(Agent):
    def __init__(self):
        super().__init__(instructions="Tell the weather.")
        self.called = False

    @function_tool
    async def get_weather(self, location: str) -> str:
        """The weather at a place."""
        self.called = True
        return f"sunny in {location}"


async def converse(**options):
    model = RealtimeModel.with_azure(
        azure_deployment="gpt-realtime", azure_endpoint=os.environ["ENDPOINT"], api_key="any", **options
    )
    clerk = Clerk()
    async with AgentSession(llm=model) as session:
        await session.start(clerk)
        result = await asyncio.wait_for(session.run(user_input="How is the weather?"), 30)
        texts = [event.item.text_content for event in result.events if event.type == "message"]
    assert clerk.called
    print(f"{options}: typed, called get_weather, heard: {texts}")


async def main():
    await converse()
    await converse(api_version="2025-04-01-preview")


asyncio.run(main())
