"""What Azure's Python sample does until its session is ready: `python -m tests.benchmarks.sample ENDPOINT`.

As quickstarts of `azure-ai-voicelive` do it: connect, send `session.update`, wait for `session.updated`.
"""

import asyncio
import sys

from azure.ai.voicelive.aio import connect
from azure.ai.voicelive.models import (
    AzureStandardVoice,
    InputAudioFormat,
    Modality,
    OutputAudioFormat,
    RequestSession,
    ServerEventType,
    ServerVad,
)
from azure.core.credentials import AzureKeyCredential


async def main(endpoint: str) -> None:
    async with connect(endpoint=endpoint, credential=AzureKeyCredential("any"), model="gpt-realtime") as connection:
        session = RequestSession(
            modalities=[Modality.TEXT, Modality.AUDIO],
            instructions="You are a helpful AI assistant.",
            voice=AzureStandardVoice(name="en-US-Ava:DragonHDLatestNeural"),
            input_audio_format=InputAudioFormat.PCM16,
            output_audio_format=OutputAudioFormat.PCM16,
            turn_detection=ServerVad(threshold=0.5, prefix_padding_ms=300, silence_duration_ms=500),
        )
        await connection.session.update(session=session)
        async for event in connection:
            if event.type == ServerEventType.SESSION_UPDATED:
                print("READY", flush=True)
                return


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
