"""`make pictures`: the pictures of the README, exported by the program during a conversation.

The dashboard runs against the demo service, with speech from a file as the microphone (spoken by espeak-ng: a question,
and a second one over the answer) and sound played to nobody. Nothing on them is made up.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from tests.conversing import speech, until
from voicelive_tui.audio.format import silence
from voicelive_tui.audio.wav import WavWriter
from voicelive_tui.client.live import LiveSession
from voicelive_tui.config import Audio, Settings
from voicelive_tui.session.state import Activity, SessionState
from voicelive_tui.ui.app import VoiceLiveApp

HERE = Path(__file__).parent
QUESTION = "Hello there. Can you hear me well today?"
INTERRUPTION = "Stop, please. I have another question for you."


async def converse(
    folder: Path, size: tuple[int, int], pictures: dict[str, tuple[Callable[[SessionState], bool], str]]
) -> None:
    """Hold the conversation on a screen of that size; take each picture when its condition holds, after its keys."""
    recording = folder / "speech.wav"
    writer = WavWriter(recording)
    writer.write(silence(12_000) + speech(QUESTION) + silence(24_000 * 5) + speech(INTERRUPTION) + silence(24_000 * 30))
    writer.close()
    settings = msgspec.structs.replace(Settings(), audio=Audio(input_device=f"file:{recording}", output_device="none"))
    live = LiveSession(settings, demo=True)
    app = VoiceLiveApp(lambda: live, settings.ui, {})
    async with app.run_test(size=size) as pilot:
        for name, (condition, keys) in pictures.items():
            await until(lambda condition=condition: condition(live.state), name)
            await asyncio.sleep(1.0)  # the words and the meters are under way
            await pilot.press(*keys.split())
            await pilot.pause(0.3)
            # Some renderers drop spaces at the edges of a text that does not ask for them.
            picture = app.export_screenshot().replace("<text ", '<text xml:space="preserve" ')
            (HERE / f"{name}.svg").write_text(picture)
            print(f"{name}.svg: {size[0]}x{size[1]}, {live.state.activity.value}")
        await live.close()


def speaking(state: SessionState) -> bool:
    """An answer is being heard."""
    return state.activity is Activity.SPEAKING


def interrupted(state: SessionState) -> bool:
    """The second answer is being heard, after the first was cut off."""
    return state.counts.interruptions == 1 and speaking(state)


async def main() -> None:
    """All pictures."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        await converse(
            Path(folder),
            (120, 40),
            {"dashboard": (speaking, ""), "interrupted": (interrupted, ""), "event": (interrupted, "3 k k k enter")},
        )
        await converse(Path(folder), (80, 24), {"small": (interrupted, "")})


if __name__ == "__main__":
    asyncio.run(main())
