"""`make pictures`: the pictures of the README and its film, exported by the program during a conversation.

`python -m tests.pictures film` makes the film only.

The dashboard runs against the demo service, with speech from a file as the microphone (spoken by espeak-ng: a question,
and a second one over the answer) and sound played to no one. Nothing in them is made up.
"""

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from tests.conversing import speech, until
from tests.pictures.film import Film
from voicelive_tui.audio.format import silence
from voicelive_tui.audio.wav import WavWriter
from voicelive_tui.client.live import LiveSession
from voicelive_tui.client.replay import ReplaySession
from voicelive_tui.config import Audio, Function, Recording, Service, Settings, Tools
from voicelive_tui.loopback.faults import parse
from voicelive_tui.loopback.script import Reply, Script, named
from voicelive_tui.loopback.service import LoopbackService
from voicelive_tui.recording.bundle import Bundle
from voicelive_tui.recording.player import Player
from voicelive_tui.recording.recorder import Recorder
from voicelive_tui.session import inputs
from voicelive_tui.session.calls import CallState
from voicelive_tui.session.state import Activity, SessionState, Stage
from voicelive_tui.speech.caller import DemoCaller
from voicelive_tui.tools.run import Toolbox
from voicelive_tui.ui.app import VoiceLiveApp
from voicelive_tui.ui.replay import ReplayApp, ReplayScreen

HERE = Path(__file__).parent
QUESTION = "Hello there. Can you hear me well today?"
INTERRUPTION = "Stop, please. I have another question for you."

EDIT = " ".join(("c", *"marin", *["tab"] * 12, *"800", "ctrl+s"))
"""Another voice, which is locked, and a longer silence."""

Pictures = dict[str, tuple[Callable[[SessionState], bool], str]]
"""A name, the condition, and the keys before the picture."""


async def converse(folder: Path, size: tuple[int, int], pictures: Pictures) -> None:
    """Hold the conversation on a screen of that size, and record it into the folder."""
    recording = folder / "speech.wav"
    writer = WavWriter(recording)
    writer.write(silence(12_000) + speech(QUESTION) + silence(24_000 * 5) + speech(INTERRUPTION) + silence(24_000 * 30))
    writer.close()
    audio = Audio(input_device=f"file:{recording}", output_device="none")
    live = LiveSession(msgspec.structs.replace(Settings(), audio=audio), demo=True)
    recorder = Recorder(live.apply, lambda: live.engine, Recording(folder=str(folder)), folder)
    live.observe(recorder.observe)
    await photograph(live, size, pictures)
    await asyncio.to_thread(recorder.close)


async def replay(folder: Path, size: tuple[int, int]) -> None:
    """Open the recording in the folder, just after its interruption."""
    path = next(folder.glob("*.vlrec"))
    with Bundle(path) as bundle:
        live = ReplaySession(Player(bundle), Audio(output_device="none"))
        live.pause()
        over = next(turn.interrupted_at for turn in bundle.final_state().turns if turn.interrupted_at is not None)
        app = ReplayApp(live, Settings().ui, {}, path.name)
        async with app.run_test(size=size) as pilot:
            await until(lambda: isinstance(app.screen, ReplayScreen) and app.screen.is_mounted, "the replay")
            assert isinstance(app.screen, ReplayScreen)
            app.screen.go_to(over + 1.0)
            await pilot.press("6")
            await pilot.pause(1.0)
            save(app, "replay")


async def photograph(live: LiveSession, size: tuple[int, int], pictures: Pictures) -> None:
    """Run the dashboard and take each picture when its condition holds, after its keys."""
    settings = live.destination.settings
    app = VoiceLiveApp(lambda: live, settings.ui, {})
    async with app.run_test(size=size) as pilot:
        for name, (condition, keys) in pictures.items():
            await until(lambda condition=condition: condition(live.state), name)
            await asyncio.sleep(1.0)  # the words and the meters are under way
            if keys:
                await pilot.press(*keys.split())
            await pilot.pause(0.3)
            save(app, name)
        await live.close()


def save(app: VoiceLiveApp, name: str) -> None:
    """Save the screen."""
    # Some renderers drop spaces at the edges of a text that does not ask for them.
    picture = app.export_screenshot().replace("<text ", '<text xml:space="preserve" ')
    (HERE / f"{name}.svg").write_text(picture)
    print(f"{name}.svg: {app.size.width}x{app.size.height}")


async def film(size: tuple[int, int], seconds: float = 15.0, rate: int = 8) -> None:
    """Film the tour from an answer that is interrupted to the slow one after it."""
    script = named("tour")
    live = LiveSession(
        Settings(audio=Audio(output_device="none")),
        demo=True,
        caller=False,
        script=script,
        source=DemoCaller(script.caller),
        toolbox=Toolbox(("voicelive_tui.tools.example",)),
    )
    app = VoiceLiveApp(lambda: live, live.destination.settings.ui, {})
    made = Film()
    async with app.run_test(size=size):
        await until(lambda: speaking(live.state) and live.state.turn_count == 3, "the third answer", 60)
        began = time.monotonic()
        for picture in range(int(seconds * rate)):
            await asyncio.sleep(max(0.0, began + picture / rate - time.monotonic()))
            made.add(app.export_screenshot(), time.monotonic() - began)
        await live.close()
    path = HERE / "tour.svg"
    path.write_text(made.svg(seconds))
    print(f"{path.name}: {size[0]}x{size[1]}, {seconds:g} s, {path.stat().st_size / 1000:,.0f} kB")


async def lose(size: tuple[int, int], pictures: Pictures) -> None:
    """Hold a typed conversation whose connection is reset in an answer, and refused once."""
    replies = (
        Reply(match="lisbon", say="Lisbon has about 545,000 inhabitants, and the metropolitan area about 2.9 million."),
        Reply(
            match="porto",
            say="Porto has about 240,000 inhabitants, and the people of the city are known as tripeiros, for a reason.",
            faults=("reset@response.audio.delta#9",),
        ),
        Reply(say="Yes: first Lisbon, and then Porto."),
    )
    refused = parse("throttle=6@connection#2")
    async with LoopbackService(script=Script(reply=replies), faults=[refused]) as service:
        settings = Settings(
            service=Service(endpoint=service.endpoint, api_key="any"),
            audio=Audio(input_device="none", output_device="none"),
        )
        live = LiveSession(settings)
        typing = asyncio.create_task(type_messages(live))
        await photograph(live, size, pictures)
        typing.cancel()


async def type_messages(live: LiveSession) -> None:
    """Ask, ask again until the connection is lost, and once more in the new session."""
    for words in ("How many people live in Lisbon?", "And in Porto?", "Do you remember what I asked?"):
        await until(lambda: live.state.connection.stage is Stage.READY and live.state.activity is Activity.READY)
        live.apply(inputs.TextTyped(words))
        await until(lambda: live.state.activity is Activity.SPEAKING, "an answer")
        await until(lambda: live.state.activity is Activity.READY and not live.state.resuming, "its end")


async def call_tools(size: tuple[int, int], pictures: Pictures) -> None:
    """Ask the demo for the weather, which waits for approval, and for a timer, which runs; approve after a while."""
    named = ("voicelive_tui.tools.example",)
    settings = Settings(
        audio=Audio(input_device="none", output_device="none"),
        tools=Tools(load=named, functions={"get_weather": Function(policy="ask")}),
    )
    live = LiveSession(settings, demo=True, toolbox=Toolbox(named))
    asking = asyncio.create_task(ask_for_tools(live))
    await photograph(live, size, pictures)
    asking.cancel()


async def ask_for_tools(live: LiveSession) -> None:
    """Type a message, and approve the call that waits once the timer is over."""
    await until(lambda: live.state.connection.stage is Stage.READY)
    live.apply(inputs.TextTyped("What is the weather in Oslo? And please set a timer."))
    await until(lambda: timer_runs(live.state), "the calls")
    await until(lambda: not timer_runs(live.state), "the end of the timer")
    await asyncio.sleep(2.0)
    waiting = next(entry for entry, call in live.state.calls if call.waits)
    live.apply(inputs.CallApproved(waiting.item_id))


def states_of_calls(state: SessionState) -> set[CallState]:
    """What has become of the calls."""
    return {call.state for _, call in state.calls}


def timer_runs(state: SessionState) -> bool:
    """One call runs, and one waits for approval."""
    return {CallState.RUNNING, CallState.AWAITING} <= states_of_calls(state)


def timer_over(state: SessionState) -> bool:
    """One call has its output, and one waits for approval."""
    return {CallState.ANSWERED, CallState.AWAITING} <= states_of_calls(state)


def all_spoken(state: SessionState) -> bool:
    """The answer to all calls is being heard."""
    return states_of_calls(state) == {CallState.SPOKEN}


def counting_down(state: SessionState) -> bool:
    """The second try is waited for."""
    return state.retry is not None and state.retry.number == 2


def remembered(state: SessionState) -> bool:
    """The new session has answered."""
    return bool(state.transcript) and state.transcript[-1].text.startswith("Yes") and speaking(state)


def speaking(state: SessionState) -> bool:
    """An answer is being heard."""
    return state.activity is Activity.SPEAKING


def interrupted(state: SessionState) -> bool:
    """The second answer is being heard, after the first was cut off."""
    return state.counts.interruptions == 1 and speaking(state)


async def main() -> None:
    """All pictures."""
    await film((120, 36))
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        await converse(
            Path(folder),
            (120, 40),
            {
                "interrupted": (interrupted, ""),
                "timeline": (interrupted, "6"),
                "event": (interrupted, "3 k k k enter"),
                "editor": (interrupted, EDIT),
            },
        )
        await replay(Path(folder), (120, 40))
        await converse(Path(folder), (80, 24), {"small": (interrupted, ""), "editor_small": (interrupted, EDIT)})
    await lose((100, 28), {"reconnecting": (counting_down, ""), "reconnected": (remembered, "")})
    calls: Pictures = {
        "tools_running": (timer_runs, "5"),
        "tools_awaiting": (timer_over, ""),
        "tools_done": (all_spoken, "enter"),
    }
    await call_tools((120, 30), calls)


if __name__ == "__main__":
    os.environ["COLORTERM"] = "truecolor"  # the theme depends on it
    asyncio.run(film((120, 36)) if "film" in sys.argv else main())
