"""The flight recorder on a real conversation: what is in a bundle, and what can never be in one."""

import asyncio
import contextlib
import json
import stat
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.conversing import Mouth, conversation, speech, until
from tests.conversing import Recorder as Inputs
from voicelive_tui.client.live import LiveSession
from voicelive_tui.config import Recording
from voicelive_tui.recording.bundle import Bundle
from voicelive_tui.recording.recorder import Recorder
from voicelive_tui.session import inputs
from voicelive_tui.session.observe import observe
from voicelive_tui.session.state import Activity, SessionState, Stage

NOT_RECORDED = {
    "intent": "what this client wants to do next is decided by `policy`, which a replay does not run",
    "wanted": "the settings of this program, which come from its configuration",
    "detection": "what push-to-talk is switched back to, a setting of this program",
    "recording": "about the recording itself",
}


@contextlib.asynccontextmanager
async def recorded(
    folder: Path, settings: Recording | None = None, *faults: str
) -> AsyncIterator[tuple[LiveSession, Mouth, Inputs]]:
    """A conversation that is recorded into a folder from its start."""
    async with conversation(*faults) as (live, mouth, seen):
        recorder = Recorder(live.apply, lambda: live.engine, settings or Recording(), folder / "kept")
        live.observe(recorder.observe)
        await until(lambda: live.state.connection.stage is Stage.READY)
        yield live, mouth, seen
    await asyncio.to_thread(recorder.close)


@pytest.fixture
def opened() -> Iterator[Callable[[Path], Bundle]]:
    """Opens the only bundle in a folder, or the bundle itself."""
    with contextlib.ExitStack() as stack:

        def open_bundle(path: Path) -> Bundle:
            found = path if path.suffix == ".vlrec" else next(path.glob("*.vlrec"))
            return stack.enter_context(Bundle(found))

        yield open_bundle


Opened = Callable[[Path], Bundle]


def folded(bundle: Bundle) -> SessionState:
    state = SessionState()
    for moment in bundle.moments():
        if (event := bundle.input(moment)) is not None:
            state = observe(event, state, moment.t_ns / 1e9)
    return state


async def interrupted_twice(live: LiveSession, mouth: Mouth) -> None:
    for count in (1, 2):
        mouth.say(speech("Tell me everything you can measure about this line."))
        await until(lambda: live.state.activity is Activity.SPEAKING, "an answer is heard")
        await asyncio.sleep(0.7)
        mouth.say(speech("No wait, stop."))
        await until(lambda count=count: live.state.counts.interruptions == count, "the interruption")
        await until(lambda: live.state.activity is Activity.READY, "the next answer ends")


async def test_a_conversation_with_two_interruptions_replays_to_the_same_state_and_frames(
    tmp_path: Path, opened: Opened
) -> None:
    async with recorded(tmp_path, Recording(folder=str(tmp_path), device_names=True)) as (live, mouth, seen):
        await interrupted_twice(live, mouth)
        await asyncio.sleep(0.6)  # the last sound settles
    bundle = opened(tmp_path)
    state = folded(bundle)
    assert bundle.flaws == []
    for name in SessionState.__struct_fields__:
        if name not in NOT_RECORDED and name != "log":
            assert getattr(state, name) == getattr(live.state, name), name
    local = [row for row in live.state.log.since(0) if row.type != "recording"]
    assert [row[1:] for row in state.log.since(0)] == [row[1:] for row in local]
    assert state.activity is live.state.activity

    wire = [event for _, event in seen.seen if isinstance(event, inputs.Received | inputs.Sent)]
    expected = [event.raw if isinstance(event, inputs.Received) else json.dumps(event.event) for event in wire]
    lines = [moment for moment in bundle.moments() if hasattr(moment, "frame")]
    assert [bundle.text(line) for line in lines] == expected
    assert bundle.manifest.masked == []


async def test_the_channels_hold_what_was_sent_and_what_was_heard(tmp_path: Path) -> None:
    async with recorded(tmp_path, Recording(folder=str(tmp_path))) as (live, mouth, _):
        mouth.say(speech())
        await until(lambda: live.state.activity is Activity.SPEAKING)
        await until(lambda: live.state.activity is Activity.READY)
        await asyncio.sleep(0.6)
    (path,) = tmp_path.glob("*.vlrec")
    with wave.open(str(path / "audio.wav")) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 24_000, 2)
        left, right = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2).T
    said = np.frombuffer(speech(), "<i2")
    at = int(np.flatnonzero(left)[0] - np.flatnonzero(said)[0])
    assert np.array_equal(left[at : at + len(said)], said)
    (answer,) = [entry for entry in live.state.transcript if entry.role == "assistant"]
    with wave.open(str(path / "received.wav")) as file:
        received = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert len(received) == answer.audio_ms * 24
    first = int(np.flatnonzero(right)[0] - np.flatnonzero(received)[0])
    assert np.array_equal(right[first : first + len(received)], received)


async def test_a_key_keeps_what_the_ring_holds_and_ends_the_recording(tmp_path: Path, opened: Opened) -> None:
    async with recorded(tmp_path) as (live, mouth, _):
        assert live.state.recording is not None
        mouth.say(speech())
        await until(lambda: live.state.activity is Activity.SPEAKING)
        await until(lambda: live.state.activity is Activity.READY)
        assert not (tmp_path / "kept").exists()
        live.apply(inputs.KeepPressed())
        await until(lambda: live.state.recording and live.state.recording.since is not None)
        path = Path(live.state.recording.path)
        live.apply(inputs.TextTyped("and now in writing"))
        await until(lambda: len(live.state.turns) == 2 and live.state.activity is Activity.READY)
        live.apply(inputs.KeepPressed())
        await until(lambda: live.state.recording.since is None)
        transcript = live.state.transcript
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.iterdir()} == {0o600}
    bundle = opened(path)
    assert bundle.manifest.complete
    assert folded(bundle).transcript == transcript
    assert "and now in writing" in (path / "transcript.md").read_text()


async def test_the_sound_of_an_item_is_saved_as_a_file(tmp_path: Path) -> None:
    async with recorded(tmp_path) as (live, mouth, seen):
        mouth.say(speech())
        await until(lambda: live.state.activity is Activity.SPEAKING)
        await until(lambda: live.state.activity is Activity.READY)
        user, answer = live.state.transcript
        for item in (user, answer):
            live.apply(inputs.SaveSound(item.item_id))
        live.apply(inputs.SaveSound("no such item"))
        await until(lambda: seen.count(inputs.SoundSaved) == 3)
    spoken, received, missing = [event for _, event in seen.seen if isinstance(event, inputs.SoundSaved)]
    assert missing.problem == "this item has no sound within the last minutes"
    with wave.open(received.path) as file:
        assert file.getnframes() == answer.audio_ms * 24
    with wave.open(spoken.path) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    said = np.frombuffer(speech(), "<i2")
    assert np.abs(pcm.astype(int)).sum() > 0.8 * np.abs(said.astype(int)).sum()  # its first words may lie before


async def test_a_full_disk_ends_the_recording_with_a_sentence_and_not_the_conversation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept").write_text("a file where the folder should be")
    async with recorded(tmp_path) as (live, _, _):
        live.apply(inputs.KeepPressed())
        await until(lambda: live.state.recording and live.state.recording.problem)
        assert "the recording ended: File exists" in live.state.problems[-1].text
        live.apply(inputs.TextTyped("still there?"))
        await until(lambda: len(live.state.turns) == 1 and live.state.activity is Activity.READY)
