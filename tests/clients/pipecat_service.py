"""pipecat: its Azure Voice Live service in a pipeline, with a tool call."""

import asyncio
import os

from pipecat.adapters.schemas.function_schema import FunctionSchema
from pipecat.adapters.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import EndFrame, LLMRunFrame, TTSAudioRawFrame, TTSTextFrame
from pipecat.observers.base_observer import BaseObserver
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineTask
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.services.azure.voice_live.llm import AzureVoiceLiveLLMService

WEATHER = FunctionSchema("get_weather", "The weather at a place.", {"location": {"type": "string"}}, ["location"])


class Ears(BaseObserver):
    def __init__(self):
        super().__init__()
        self.words = ""
        self.audio = 0
        self.done = asyncio.Event()

    async def on_push_frame(self, data):
        if isinstance(data.frame, TTSTextFrame):
            self.words += data.frame.text
            if "Beijing" in self.words and self.audio:
                self.done.set()
        elif isinstance(data.frame, TTSAudioRawFrame):
            self.audio += len(data.frame.audio)


async def converse(model):
    called = []

    async def get_weather(params):
        called.append(params.arguments)
        await params.result_callback(f"sunny in {params.arguments['location']}")

    service = AzureVoiceLiveLLMService(
        api_key="any", endpoint=os.environ["ENDPOINT"], settings=AzureVoiceLiveLLMService.Settings(model=model)
    )
    service.register_function("get_weather", get_weather)
    context = LLMContext([{"role": "user", "content": "How is the weather?"}], ToolsSchema([WEATHER]))
    aggregators = LLMContextAggregatorPair(context)
    ears = Ears()
    task = PipelineTask(Pipeline([aggregators.user(), service, aggregators.assistant()]), observers=[ears])
    running = asyncio.create_task(PipelineRunner(handle_sigint=False).run(task))
    await task.queue_frame(LLMRunFrame())
    await asyncio.wait_for(ears.done.wait(), 25)
    await task.queue_frame(EndFrame())
    await asyncio.wait_for(running, 10)
    assert called == [{"location": "Beijing"}], called
    print(f"{model}: typed, called get_weather, heard {ears.audio} bytes: {ears.words!r}")


asyncio.run(converse("gpt-4o-mini"))
