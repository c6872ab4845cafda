"""What Azure's Python sample does until its session is ready: `python -m tests.benchmarks.sample ENDPOINT [--bare]`.

As `basic_voice_assistant_async.py` of azure-sdk-for-python does it: import the SDK and azure-identity, connect with a
key, send `session.update`, wait for `session.updated`. It also imports `pyaudio` and opens the speaker, which is left
out here. With `--bare`, azure-identity is not imported.
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

if "--bare" not in sys.argv:
    import azure.identity.aio  # noqa: F401


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
