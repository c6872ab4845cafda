"""The flight recorder on real conversations: what is in a bundle, and what ends a recording."""

import asyncio
import contextlib
import json
import re
import shutil
import stat
import tempfile
import wave
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from msgspec.structs import replace

from tests.conversing import Mouth, conversation, speech, until
from tests.conversing import Recorder as Inputs
from tests.recording.bundles import largest_file
from voicelive_tui.client.live import LiveSession
from voicelive_tui.config import Recording
from voicelive_tui.loopback.script import Reply, Script
from voicelive_tui.recording import recorder
from voicelive_tui.recording.bundle import Bundle
from voicelive_tui.recording.lines import WireLine
from voicelive_tui.recording.recorder import Recorder
from voicelive_tui.session import inputs, keeping
from voicelive_tui.session.state import Activity, SessionState, Stage
from voicelive_tui.session.transcript import Entry

NOT_RECORDED = {
    "intent": "what this client wants to do next is decided by `policy`, which a replay does not run",
    "wanted": "the settings of this program, which come from its configuration",
    "detection": "what push-to-talk is switched back to, a setting of this program",
    "recording": "about the recording itself",
}
LONG = "One two three four five six seven eight nine ten, and so on until somebody interrupts or the link ends."
SCRIPT = Script(
    delay_ms=50,
    reply=(
        Reply(turn=1, say="Yes, quite."),
        Reply(match="^drop", say=LONG, faults=("reset@response.audio.delta#4",)),
        Reply(match="^quick", say="Yes."),
        Reply(say=LONG),
    ),
)
SAID = speech("Can you hear me?")


@contextlib.asynccontextmanager
async def recorded(folder: Path, settings: Recording | None = None) -> AsyncIterator[tuple[LiveSession, Mouth, Inputs]]:
    """A conversation with a recorder, whose bundles go into a folder."""
    async with conversation(script=SCRIPT) as (live, mouth, seen):
        observer = Recorder(live.apply, lambda: live.engine, settings or Recording(), folder)
        live.observe(observer.observe)
        await until(lambda: live.state.connection.stage is Stage.READY)
        yield live, mouth, seen
    await asyncio.to_thread(observer.close)


async def answered(live: LiveSession) -> None:
    """Wait for an answer, and until it is over."""
    await until(lambda: live.state.activity is Activity.SPEAKING, "an answer is heard")
    await until(lambda: live.state.activity is Activity.READY, "the answer ends")


Samples = np.ndarray[tuple[int], np.dtype[np.int16]]


def holds(sound: Samples, part: Samples) -> bool:
    """Whether a part is the first thing that sounds in it, sample by sample."""
    part = np.trim_zeros(part)
    first = np.flatnonzero(sound)[0]
    return np.array_equal(sound[first : first + len(part)], part)


def samples(path: Path | str) -> Samples:
    """All samples of a WAV file of the format of a recording, interleaved."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getsampwidth()) == (24_000, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


# --- one conversation in which everything happens -------------------------------------------------------------------


class Recorded(NamedTuple):
    """A conversation that is over, and its recording."""

    state: SessionState
    seen: Inputs
    bundle: Bundle

    @property
    def user(self) -> Entry:
        """The first words that were spoken."""
        return next(entry for entry in self.state.transcript if entry.role == "user")

    @property
    def answer(self) -> Entry:
        """The answer to them."""
        return next(entry for entry in self.state.transcript if entry.role == "assistant")

    @property
    def sounds(self) -> list[keeping.SoundSaved]:
        """What became of the sounds that were to be saved."""
        return [event for _, event in self.seen.seen if isinstance(event, keeping.SoundSaved)]


async def everything(folder: Path) -> tuple[SessionState, Inputs]:
    """A conversation with two interruptions, a rotation, a lost session, and a reset by key."""
    settings = Recording(folder=str(folder), device_names=True)
    async with recorded(folder, settings) as (live, mouth, seen):
        mouth.say(SAID)
        await answered(live)
        user, answer = live.state.transcript
        for item_id in (user.item_id, answer.item_id, "no such item"):
            live.apply(keeping.SaveSound(item_id))
        mouth.say(SAID)
        for count, interrupt in enumerate((
            lambda: mouth.say(speech("No, stop.")),
            lambda: live.apply(inputs.InterruptPressed()),
        ), 1):  # fmt: skip
            await until(lambda: live.state.activity is Activity.SPEAKING, "an answer is heard")
            await asyncio.sleep(0.5)
            interrupt()
            await until(lambda count=count: live.state.counts.interruptions == count, "the interruption")  # type: ignore[misc]
        await until(lambda: live.state.activity is Activity.READY)
        for change in (inputs.RotatePressed(), inputs.TextTyped("drop it"), inputs.ResetPressed()):
            session_id = live.state.connection.session_id
            live.apply(change)
            await until(lambda session_id=session_id: live.state.connection.stage is Stage.READY  # type: ignore[misc]
                        and live.state.connection.session_id != session_id, "another session")  # fmt: skip
            live.apply(inputs.TextTyped("quick"))
            await answered(live)
        await until(lambda: len([1 for _, event in seen.seen if isinstance(event, keeping.SoundSaved)]) == 3)
        await asyncio.sleep(0.6)  # the last sound settles
    return live.state, seen


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    folder = tmp_path_factory.mktemp("recorded")
    state, seen = asyncio.run(everything(folder))
    (path,) = folder.glob("*.vlrec")
    with Bundle(path) as bundle:
        yield Recorded(state, seen, bundle)


in_one_process = pytest.mark.xdist_group("recorded")
"""The conversation is held once."""


def recorded_part(value: object) -> object:
    """A field of a state, without the ids of remarks: they count rows of the log, and some are about the recording."""
    if not (isinstance(value, tuple) and value and isinstance(value[0], Entry)):
        return value
    return [replace(entry, item_id="remark") if entry.role == "session" else entry for entry in value]


@in_one_process
def test_a_replay_ends_in_the_state_of_the_live_session(talk: Recorded) -> None:
    assert talk.seen.count(inputs.Rotated) == 1
    assert talk.seen.count(inputs.Disconnected) >= 2
    replayed = talk.bundle.final_state()
    assert talk.bundle.flaws == []
    for name in SessionState.__struct_fields__:
        if name not in NOT_RECORDED and name != "log":
            assert recorded_part(getattr(replayed, name)) == recorded_part(getattr(talk.state, name)), name
    local = [row for row in talk.state.log.since(0) if row.type != "recording"]
    assert [row[1:] for row in replayed.log.since(0)] == [row[1:] for row in local]
    assert replayed.activity is talk.state.activity


@in_one_process
def test_messages_come_back_byte_for_byte_those_of_the_link_on_standby_too(talk: Recorded) -> None:
    links = [event.inner if isinstance(event, inputs.OnStandby) else event for _, event in talk.seen.seen]
    expected = [event.raw if isinstance(event, inputs.Received) else json.dumps(event.event)
                for event in links if isinstance(event, inputs.Received | inputs.Sent)]  # fmt: skip
    lines = [moment for moment in talk.bundle.moments() if isinstance(moment, WireLine)]
    assert [talk.bundle.text(line) for line in lines] == expected
    assert {line.standby for line in lines} == {True, False}
    assert talk.bundle.manifest.masked == []


@in_one_process
def test_the_channels_hold_what_was_sent_and_what_was_heard(talk: Recorded) -> None:
    left, right = samples(talk.bundle.path / "audio.wav").reshape(-1, 2).T
    assert holds(left, np.frombuffer(SAID, "<i2"))
    received = samples(talk.bundle.path / "received.wav")
    assert holds(right, received[: round(talk.answer.audio_ms * 24)])


@in_one_process
def test_the_sound_of_an_item_is_saved_as_a_file(talk: Recorded) -> None:
    spoken, received, missing = talk.sounds
    assert missing.problem == "this item has no sound within the last minutes"
    assert len(samples(received.path)) == talk.answer.audio_ms * 24
    assert holds(samples(spoken.path), np.frombuffer(SAID, "<i2"))


# --- the key that keeps, and limits ---------------------------------------------------------------------------------


async def test_a_key_keeps_what_the_ring_holds_and_ends_the_recording(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    async with recorded(folder) as (live, mouth, _):
        assert live.state.recording is not None
        mouth.say(SAID)
        await answered(live)
        assert not folder.exists()
        live.apply(inputs.KeepPressed())
        await until(lambda: live.state.recording and live.state.recording.since is not None)
        path = Path(live.state.recording.path)
        (told,) = (row.text for row in live.state.log.since(0) if row.text.endswith(f"recording to {path}"))
        assert re.match(r"kept the last 0:\d\d, and ", told)
        assert 0 <= live.state.recording.since - live.state.began_at < 1  # and not when the key was pressed
        live.apply(inputs.TextTyped("quick, now in writing"))
        await answered(live)
        live.apply(inputs.KeepPressed())
        await until(lambda: live.state.recording and live.state.recording.since is None)
        *_, ended = (row.text for row in live.state.log.since(0) if row.type == "recording")
        assert re.fullmatch(f"recorded 0:\\d\\d; to open it: voicelive-tui {path}", ended)
        transcript = live.state.transcript
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.iterdir()} == {0o600}
    with Bundle(path) as bundle:
        assert bundle.manifest.complete
        assert bundle.final_state().transcript == transcript
    assert "now in writing" in (path / "transcript.md").read_text()


async def problem(live: LiveSession) -> str:
    """Wait for the sentence with which the recording ends, and for an answer after it."""
    await until(lambda: any("the recording ended" in each.text for each in live.state.problems), "the sentence")
    assert live.state.recording
    assert live.state.recording.since is None
    live.apply(inputs.TextTyped("quick"))
    await answered(live)
    (found,) = [each.text for each in live.state.problems if "the recording ended" in each.text]
    return found


async def test_a_full_disk_ends_the_recording_with_a_sentence_and_what_was_written_can_be_opened(
    tmp_path: Path,
) -> None:
    with largest_file(100_000):
        async with recorded(tmp_path, Recording(folder=str(tmp_path))) as (live, mouth, _):
            mouth.say(SAID)
            sentence = await problem(live)
            kept = [each.text for each in live.state.problems]
    (path,) = tmp_path.glob("*.vlrec")
    assert sentence == f"the recording ended: File too large ({path})"
    assert f"the last minutes are no longer kept: File too large ({tempfile.gettempdir()})" in kept
    with Bundle(path) as bundle:
        assert bundle.final_state().connection.stage is Stage.READY
        assert any(bundle.sound(0, bundle.manifest.audio_origin, 24_000))
        assert not bundle.manifest.complete


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.write_text("a file where the folder should be")
    async with recorded(folder) as (live, _, _):
        live.apply(inputs.KeepPressed())
        assert await problem(live) == f"the recording ended: File exists ({folder})"


async def test_a_recording_that_is_deleted_meanwhile_ends_with_a_sentence(tmp_path: Path) -> None:
    async with recorded(tmp_path / "kept") as (live, _, _):
        live.apply(inputs.KeepPressed())
        await until(lambda: live.state.recording and live.state.recording.since is not None)
        shutil.rmtree(tmp_path / "kept")
        assert "the recording ended: it was deleted (" in await problem(live)


async def test_a_recording_that_becomes_large_is_noticed_once_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "LARGE_BYTES", 20_000)
    async with recorded(tmp_path, Recording(folder=str(tmp_path))) as (live, _, _):
        await until(lambda: live.state.problems)
        await asyncio.sleep(0.6)  # it is written again
        assert [each.text for each in live.state.problems] == ["the recording has 500 MB, and goes on until you end it"]
        assert live.state.recording
        assert live.state.recording.since is not None


async def test_the_sound_around_a_moment_is_played_once_more_and_not_while_an_answer_is_heard(tmp_path: Path) -> None:
    async with recorded(tmp_path) as (live, mouth, seen):
        mouth.say(SAID)
        await answered(live)
        await asyncio.sleep(0.6)  # the last sound settles
        spoken_at = live.state.turns[0].speech_started_at
        assert spoken_at is not None
        before = live.state

        live.apply(keeping.MomentChosen(spoken_at))
        await until(lambda: ("moment-1", 3_000.0) in ends(seen), "the moment is over")
        found = next(event for _, event in seen.seen if isinstance(event, keeping.MomentFound))
        assert holds(np.frombuffer(found.pcm, "<i2"), np.frombuffer(SAID, "<i2")[:12_000])
        assert live.state.transcript == before.transcript  # it is not an item

        live.apply(keeping.MomentChosen(spoken_at))
        await until(lambda: live.engine and live.engine.heard_ms("moment-2") > 0, "the moment is heard again")
        live.apply(inputs.TextTyped("count"))
        await until(lambda: live.state.activity is Activity.SPEAKING, "an answer is heard")
        assert next(ms for item_id, ms in ends(seen) if item_id == "moment-2") < 3_000

        live.apply(keeping.MomentChosen(spoken_at))
        await until(lambda: seen.count(keeping.MomentFound) == 3)
        assert any(row.text.startswith("an answer is heard") for row in live.state.log.since(0))
        assert live.engine is not None
        assert live.engine.heard_ms("moment-3") == 0

        live.apply(keeping.MomentChosen(spoken_at - 500))
        await until(lambda: seen.count(keeping.MomentFound) == 4)
        sentence = "nothing is recorded around this moment but silence"
        assert any(row.text == sentence for row in live.state.log.since(0))


def ends(seen: Inputs) -> list[tuple[str, float]]:
    """What was played to its end or stopped: the item, and how much of it was heard."""
    kinds = inputs.PlaybackFinished | inputs.PlaybackStopped
    return [(event.item_id, event.heard_ms) for _, event in seen.seen if isinstance(event, kinds)]


async def test_where_recording_is_off_the_keys_say_so() -> None:
    async with conversation(script=SCRIPT) as (live, _, _):
        for key in (inputs.KeepPressed(), keeping.SaveSound("item"), keeping.MomentChosen(1.0)):
            live.apply(key)
            row = live.state.log.tail[-1]
            assert (row.severity, row.text) == (
                "warning", "recording is off: set recording.enabled in the configuration"
            )  # fmt: skip


async def test_large_messages_that_wait_for_the_thread_are_left_out_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "QUEUE_CHARACTERS", 1_000_000)
    async with recorded(tmp_path, Recording(folder=str(tmp_path))) as (live, _, _):
        raw = json.dumps({"type": "a.large.event", "text": "x" * 600_000})
        for _ in range(50):  # without a pause, so that the thread takes few of them
            live.apply(inputs.Received(json.loads(raw), raw))
        await until(lambda: live.state.recording and live.state.recording.since is not None)
    (path,) = tmp_path.glob("*.vlrec")
    wire, marks = (path / "wire.jsonl").read_text(), (path / "marks.jsonl").read_text()
    counted = sum(json.loads(line)["values"]["inputs"] for line in marks.splitlines() if '"left_out"' in line)
    kept = wire.count("a.large.event")
    assert kept < 30
    assert kept + counted >= 50  # other inputs may be left out meanwhile
    with Bundle(path) as bundle:
        bundle.moments()
        assert bundle.flaws == [f"{counted} events are missing: they came faster than they could be written"]
