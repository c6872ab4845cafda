"""A recording on the virtual sound bed: both channels and the marks against what the sound server played and captured.

By hand, for 10 minutes: `python -m tests.recording.test_sound_bed 600`.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from tests.sound_bed import RATE, Recording, SoundBed, missing, require, undisturbed
from voicelive_tui.audio.wav import WavWriter
from voicelive_tui.recording.bundle import Bundle
from voicelive_tui.recording.lines import Mark
from voicelive_tui.session import inputs

pytestmark = [pytest.mark.sound_bed, pytest.mark.xdist_group("sound_bed"), pytest.mark.timeout(180)]

CLICK = 12
"""Samples of one click; each click has a value of its own, and there is one a second."""
SAID, PLAYED = 300, 5_000
"""Value of the first click into the microphone, too quiet to be speech, and of the first one of the answer."""
SETTLE = 10
"""Seconds that PulseAudio takes to be sure of the latency of a new stream: the answer begins after them."""
PORTION_MS = 10
"""The sound server gives sound in portions of this length: its times of the two channels differ by up to that."""
NEAR = 5
"""Seconds of monitor sound around a click whose earliest portion tells its time: later ones were held up."""

Samples = np.ndarray[tuple[int], np.dtype[np.int16]]


class Clicks(NamedTuple):
    """Moments of clicks by number, in seconds, and what they were measured on."""

    recorded: dict[int, float]
    """By the clock marks of the bundle."""
    monitored: dict[int, float]
    """By when the sound server gave them to the test, which is later by its latency."""

    @property
    def lags(self) -> list[float]:
        """Milliseconds from the recording's moment of each click to the monitor's."""
        both = sorted(self.recorded.keys() & self.monitored.keys())
        return [1000 * (self.monitored[number] - self.recorded[number]) for number in both]


class Measured(NamedTuple):
    """What was found in one conversation."""

    left: Clicks
    right: Clicks
    first_heard: float
    """Milliseconds from the mark of the answer's first sample to its moment in the right channel."""
    right_sound: Samples
    monitor_sound: Samples
    """From the first sample that is not zero to the last one."""


def click_track(first: int, seconds: int, noise: int) -> Samples:
    track = np.random.default_rng(1).integers(1, noise + 1, seconds * RATE).astype("<i2") if noise else np.zeros(
        seconds * RATE, "<i2")  # fmt: skip
    for number in range(seconds):
        track[number * RATE + RATE // 2 :][:CLICK] = first + number
    return track


def clicks_in(sound: Samples, first: int, seconds: int) -> dict[int, int]:
    """The first sample of each whole click, by number."""
    found = {}
    for number in range(seconds):
        at = np.flatnonzero(sound == first + number)
        if len(at) == CLICK:
            found[number] = int(at[0])
    return found


def monitored(recording: Recording, first: int, seconds: int) -> dict[int, float]:
    """When each click came from a monitor, as if no portion had been held up."""
    arrivals, position = [], 0
    for came, portion in recording.portions:
        position += len(portion) // 2
        arrivals.append((position, came - position / RATE))
    ends, offsets = map(np.array, zip(*arrivals, strict=True))
    return {
        number: at / RATE + float(offsets[np.abs(ends - at) < NEAR * RATE].min())
        for number, at in clicks_in(recording.samples, first, seconds).items()
    }


def recorded(bundle: Bundle, channel: int, sound: Samples, first: int, seconds: int) -> dict[int, float]:
    """When each click was, by the clock mark next to it."""
    side = ("left", "right")[channel]
    marks = [mark for mark in bundle.moments() if isinstance(mark, Mark) and mark.mark == "clock"]
    moments = {}
    for number, at in clicks_in(sound, first, seconds).items():
        sample = at + bundle.manifest.audio_origin
        near = min(marks, key=lambda mark: abs(mark.values[side] - sample))
        moments[number] = near.t_ns / 1e9 + (sample - near.values[side]) / RATE
    return moments


def trimmed(sound: Samples) -> Samples:
    sounding = np.flatnonzero(sound)
    return sound[sounding[0] : sounding[-1] + 1]


def measure(bed: SoundBed, folder: Path, seconds: int) -> Measured:
    """Record a conversation of that length with one long answer, while the microphone hears clicks too."""
    writer = WavWriter(folder / "answer.wav")
    writer.write(click_track(PLAYED, seconds - SETTLE, noise=40).tobytes())
    writer.close()
    reply = f'[[reply]]\nsay = "Clicks."\ndelay_ms = {SETTLE * 1000}\nplay = "answer.wav"\n'
    (folder / "script.toml").write_text(reply)
    program = [sys.executable, "-m", "voicelive_tui"]
    environment = {**os.environ, **bed.environment, "HOME": str(folder), "AZURE_VOICELIVE_API_KEY": "k3y"}
    serve = [*program, "serve", "--json", "--api-key", "k3y", "--script", str(folder / "script.toml")]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, env=environment) as service:
        assert service.stdout
        endpoint = json.loads(service.stdout.readline())["endpoint"]
        speaker, microphone = (Recording(environment, source) for source in ("vspk.monitor", "vmic_in.monitor"))
        feeder = bed.speak(click_track(SAID, seconds, noise=0).tobytes())
        try:
            subprocess.run(
                [*program, "console", "--endpoint", endpoint, "--input-device", "default", "--output-device", "default",
                 "--say", "go", "--record", str(folder / "kept")],
                env=environment, check=True, capture_output=True, timeout=seconds + 60,
            )  # fmt: skip
        finally:
            for process in (feeder, service):
                process.terminate()
            feeder.wait()
            for recording in (speaker, microphone):
                recording.stop()
    (path,) = (folder / "kept").iterdir()
    with Bundle(path) as bundle:
        origin, samples = bundle.manifest.audio_origin, (path / "audio.wav").stat().st_size // 4
        left, right = (
            np.frombuffer(
                b"".join(bundle.sound(channel, at, 60 * RATE) for at in range(origin, origin + samples, 60 * RATE)),
                "<i2",
            )
            for channel in (0, 1)
        )
        said = {number: at for number, at in recorded(bundle, 0, left, SAID, seconds).items() if number >= SETTLE}
        heard = recorded(bundle, 1, right, PLAYED, seconds)
        started = next(found for moment in bundle.moments()
                       if isinstance(found := bundle.input(moment), inputs.PlaybackStarted))  # fmt: skip
        return Measured(
            Clicks(said, monitored(microphone, SAID, seconds)),
            Clicks(heard, monitored(speaker, PLAYED, seconds)),
            1000 * (heard[0] - 0.5 - started.at),
            trimmed(right),
            trimmed(speaker.samples),
        )


@pytest.fixture
def bed() -> Iterator[SoundBed]:
    require(missing())
    bed = SoundBed()
    bed.start()
    yield bed
    bed.stop()


def test_both_channels_and_the_marks_agree_and_the_right_one_is_what_the_speaker_played(
    bed: SoundBed, tmp_path: Path
) -> None:
    folders = (tmp_path / str(number) for number in range(9))

    def attempt() -> None:
        folder = next(folders)
        folder.mkdir()
        found = measure(bed, folder, 24)
        assert np.array_equal(found.right_sound, found.monitor_sound)
        assert len(found.right_sound) == (24 - SETTLE) * RATE
        lags = [found.left.lags, found.right.lags]
        assert min(map(len, lags)) >= 10
        assert all(abs(lag - statistics.median(each)) < 5 for each in lags for lag in each), figures(found)
        assert abs(statistics.median(lags[0]) - statistics.median(lags[1])) < PORTION_MS, figures(found)
        assert abs(found.first_heard) < 5

    undisturbed(attempt, 3)


def figures(found: Measured) -> str:
    """The measurement in lines."""
    lines = []
    for name, clicks in (("left", found.left), ("right", found.right)):
        low, middle, high = np.percentile(clicks.lags, (5, 50, 95))
        lines.append(f"{name}: {len(clicks.lags)} clicks, lag of the monitor {middle:.2f} ms, nine of ten {low:.2f} to "
                     f"{high:.2f}, all {min(clicks.lags):.2f} to {max(clicks.lags):.2f}")  # fmt: skip
    same = np.array_equal(found.right_sound, found.monitor_sound)
    lines.append(f"first sample {found.first_heard:+.2f} ms from its mark; right channel is the monitor's: {same} "
                 f"({len(found.right_sound):,} and {len(found.monitor_sound):,} samples)")  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    """Measure for a number of seconds."""
    bed = SoundBed()
    bed.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            print(figures(measure(bed, Path(folder), int(sys.argv[1]))))
    finally:
        bed.stop()


if __name__ == "__main__":
    main()
