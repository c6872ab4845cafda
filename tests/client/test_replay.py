"""A replay in time: each event comes when it is due, at each speed, and the speaker gets what was heard."""

import asyncio
import math
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.recording.bundles import ANSWER, BEGAN, make_bundle, received
from voicelive_tui.audio.wav import load_wav
from voicelive_tui.client.replay import ReplaySession
from voicelive_tui.config import Audio, Recording
from voicelive_tui.recording.bundle import Bundle
from voicelive_tui.recording.files import write_wave
from voicelive_tui.recording.lines import SPEAKER
from voicelive_tui.recording.player import Player
from voicelive_tui.recording.records import Entry, RecordMaker
from voicelive_tui.recording.sounds import NOTICED_SECONDS
from voicelive_tui.recording.spool import Record
from voicelive_tui.recording.writer import BundleWriter, Manifest
from voicelive_tui.session import inputs
from voicelive_tui.session.state import Problem, SessionState

FIRST = BEGAN + 0.1


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bundle]:
    with Bundle(make_bundle(tmp_path_factory.mktemp("replay"), 1)) as opened:
        yield opened


def a_replay(bundle: Bundle, output: str = "none") -> ReplaySession:
    return ReplaySession(Player(bundle), Audio(output_device=output))


async def played(live: ReplaySession, up_to: float = math.inf) -> None:
    """Run until it pauses by itself, or comes to a moment."""
    running = asyncio.create_task(live.run())
    async with asyncio.timeout(60):
        while live.playing and live.position < up_to:
            await asyncio.sleep(0.01)
    await live.close()
    await running


async def test_at_eight_times_the_speed_everything_is_told_in_order_and_in_time(bundle: Bundle) -> None:
    live = a_replay(bundle)
    for _ in range(3):
        live.faster(1)
    told: list[tuple[inputs.Input, float]] = []
    live.observe(lambda event, _before, _after, now: told.append((event, now)))
    loop = asyncio.get_running_loop()
    began = loop.time()
    await played(live)
    assert live.speed == 8.0
    assert loop.time() - began > (live.player.end - live.player.begin) / 8 - 0.1
    assert [event for event, _ in told] == [event for m in bundle.moments() if (event := bundle.input(m, silent=True))]
    assert [at for _, at in told] == sorted(at for _, at in told)
    assert live.ended


async def test_the_speaker_gets_what_was_heard(bundle: Bundle, tmp_path: Path) -> None:
    live = a_replay(bundle, f"file:{tmp_path / 'heard.wav'}")
    live.go_to(FIRST + ANSWER[0] - 0.5)
    await played(live, FIRST + ANSWER[0] + 3)
    heard = np.frombuffer(load_wav(tmp_path / "heard.wav")[0], "<i2")
    sounding = np.flatnonzero(np.abs(heard) > 100)
    # The answer was interrupted after 2 s.
    assert (sounding[-1] - sounding[0]) / 24_000 == pytest.approx(2.0, abs=0.05)


class Heard:
    """In place of `Sound`, and its engine: what comes to the speaker."""

    def __init__(self, live: ReplaySession) -> None:
        self.engine, self.live, self.pcm, self.began = self, live, b"", 0

    def play(self, _item: str, pcm: bytes) -> None:
        self.began = self.began or self.live.player.sample_at(SPEAKER, self.live.position)
        self.pcm += pcm

    def flush(self) -> None: ...

    async def check(self) -> None: ...

    start_capture = watch = close = interrupt = check


async def test_no_sample_is_lost_or_repeated_between_the_pieces_for_the_speaker(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = a_replay(bundle)
    sound = Heard(live)
    monkeypatch.setattr("voicelive_tui.client.sound.Sound", lambda *_: sound)
    live.go_to(FIRST + ANSWER[0] - 0.5)
    await played(live, FIRST + ANSWER[0] + 1.0)
    heard = np.frombuffer(sound.pcm, "<i2")
    assert np.any(heard)
    assert sound.pcm == bundle.sound(SPEAKER, sound.began, len(heard))


async def test_other_speeds_are_silent(bundle: Bundle, tmp_path: Path) -> None:
    live = a_replay(bundle, f"file:{tmp_path / 'heard.wav'}")
    live.go_to(FIRST + ANSWER[0] - 0.5)
    live.faster(1)
    await played(live, FIRST + ANSWER[0] + 2)
    assert not any(load_wav(tmp_path / "heard.wav")[0])


async def test_levels_are_those_of_the_channels_at_the_moment(bundle: Bundle) -> None:
    live = a_replay(bundle)
    live.go_to(FIRST + 2.0)
    assert live.reading().capture.rms == pytest.approx(-15.3, abs=0.5)
    assert live.reading().playback.rms == -96
    live.go_to(FIRST + 5.0)
    reading = live.reading()
    assert (reading.capture.rms, round(reading.playback.rms)) == (-96, -9)
    assert (reading.heard_item, round(reading.heard_ms), round(reading.buffered_ms)) == ("item_a0", 1_000, 3_000)
    live.pause()
    assert live.reading().playback.rms == -96
    assert [round(speaker) for _, speaker in live.levels(FIRST + 3, FIRST + 7, 4)] == [-96, -9, -9, -96]


async def test_a_problem_can_be_dismissed_and_nothing_else_changed(bundle: Bundle) -> None:
    live = a_replay(bundle)
    live.player.state = SessionState(problems=(Problem("error", "it failed", 0),))
    live.apply(inputs.MutePressed())
    assert not live.state.microphone.muted
    live.apply(inputs.ProblemsSeen())
    assert live.state.problems == ()


async def test_the_seconds_around_a_moment_are_played_and_no_more(bundle: Bundle) -> None:
    live = a_replay(bundle)
    live.pause()
    live.play_around(FIRST + 2.0)
    assert live.position == pytest.approx(FIRST + 0.5)
    await played(live)
    assert live.position == pytest.approx(FIRST + 3.5)
    live.play()
    assert live.playing
    live.go_to(live.player.end)
    live.play()
    assert live.position == live.player.begin


def long_turn(folder: Path, seconds: int) -> Bundle:
    """A recording of a user's turn. Of its sound only the last sample is not zero."""
    began_ns = round(BEGAN * 1e9)
    maker = RecordMaker(began_ns, Recording())
    writer = BundleWriter(folder / "long.vlrec", Manifest(t_ns=began_ns, sample_zero_ns=began_ns))
    for n, (at, kind) in enumerate([(1, "started"), (1 + seconds, "stopped")]):
        event = received(f"input_audio_buffer.speech_{kind}", item_id="long")
        writer.add(maker.of_entry(Entry(n, began_ns + at * 10**9, event)))
    writer.add([Record("left", (1 + seconds) * 24_000 - 1, b"\1\2")])
    writer.close()
    return Bundle(writer.path)


async def test_a_turn_of_more_than_a_minute_is_saved_whole(tmp_path: Path) -> None:
    with long_turn(tmp_path, 90) as bundle:
        live = a_replay(bundle)
        live.go_to(live.player.end)
        pcm, _ = load_wav(Path((await live.save_sound("long")).removeprefix("sound saved to ")))
    assert len(pcm) == 2 * round((90 + NOTICED_SECONDS) * 24_000)
    assert pcm.endswith(b"\1\2")
    assert not any(pcm[:-2])


async def test_a_turn_of_more_than_an_hour_is_refused(tmp_path: Path) -> None:
    with long_turn(tmp_path, 3_601) as bundle:
        live = a_replay(bundle)
        live.go_to(live.player.end)
        assert await live.save_sound("long") == "the sound cannot be saved: it is longer than an hour"
    assert list(tmp_path.glob("*.wav")) == []


async def test_while_sound_is_saved_the_loop_runs_and_a_jump_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jumped, running = threading.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def late_lines(name: str) -> Iterator[bytes]:
        assert jumped.wait(30)
        return Bundle.lines(bundle, name)

    def late_write(path: Path, pcm: bytes) -> None:
        loop.call_soon_threadsafe(running.set)
        assert running.wait(10), "the loop waits for the file"
        write_wave(path, pcm)

    with long_turn(tmp_path, 2) as bundle:
        live = a_replay(bundle)
        live.go_to(live.player.end)
        monkeypatch.setattr(bundle, "lines", late_lines)
        monkeypatch.setattr("voicelive_tui.client.replay.write_wave", late_write)
        saving = asyncio.create_task(live.save_sound("long"))
        await asyncio.sleep(0)
        live.go_to(live.player.begin)
        jumped.set()
        assert (await saving).startswith("sound saved to ")
