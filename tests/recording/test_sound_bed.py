"""A recording on the virtual sound bed: both channels and the marks against what the sound server played and captured.

By hand, for 10 minutes: `python -m tests.recording.test_sound_bed 600`. On a busy machine, where the sound server runs
dry, the output latency may be higher: `python -m tests.recording.test_sound_bed 600 0.2`.
"""

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from tests.sound_bed import RATE, Canary, Recording, SoundBed, sound_bed, undisturbed
from voicelive_tui.audio.wav import WavWriter
from voicelive_tui.recording.bundle import Bundle
from voicelive_tui.recording.lines import Mark, WireLine, references
from voicelive_tui.recording.player import Player
from voicelive_tui.session import inputs

pytestmark = [pytest.mark.sound_bed, pytest.mark.xdist_group("sound_bed")]

CLICK = 12
"""Samples of one click; each click has a value of its own, and there is one a second."""
SAID, PLAYED = 300, 5_000
"""Value of the first click into the microphone, too quiet to be speech, and of the first one of the answer."""
SETTLE = 5
"""Seconds to the first answer: PulseAudio takes some to be sure of the latency of a new stream."""
LAST = 2
"""Seconds of the second answer, which follows the first one."""
LEAD = 0.5
"""Seconds from the beginning of an answer to its first click."""
MICROPHONE = "vmic_in.monitor"
"""In place of the bed's `vmic`, a remapped source. Sound comes to a monitor before its time, and PulseAudio corrects
for that in the latency of a monitor's stream, but behind a remapped source it reports 0 instead of less than 0: its
times were 3.3 to 11.3 ms early then, with portions of 4 to 20 ms."""
PORTION = RATE // 100
"""Samples that a null sink plays at once, as many as `Recording` asks for. It gives them to its monitor when the first
of them is due."""
NEAR = 5
"""Seconds of monitor sound around a click whose earliest portion tells its time: later ones were held up."""

Samples = np.ndarray[tuple[int], np.dtype[np.int16]]


class Measured(NamedTuple):
    """What was found in one conversation."""

    lags: dict[str, list[float]]
    """Milliseconds from a click, by the recording, to the same click at the monitor: for each channel, by the clock
    marks, and by the device's time of the message or the answer that it is in."""
    right_sound: Samples
    monitor_sound: Samples
    """From the first sample that is not zero to the last one."""
    gaps: int
    """How often an answer ran dry: what follows in it is later than its time says."""


def click_track(first: int, seconds: int, noise: int) -> Samples:
    track = np.random.default_rng(1).integers(1, noise + 1, seconds * RATE).astype("<i2") if noise else np.zeros(
        seconds * RATE, "<i2")  # fmt: skip
    for number in range(seconds):
        track[number * RATE + round(LEAD * RATE) :][:CLICK] = first + number
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
    """When each click was due at a null sink: portions come from its monitor then, if none is held up."""
    assert statistics.median(len(portion) // 2 for _, portion in recording.portions) == PORTION
    arrivals, position = [], 0
    for came, portion in recording.portions:
        position += len(portion) // 2
        arrivals.append((position, came - (position - PORTION) / RATE))
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


def captured(bundle: Bundle, sound: Samples, first: int, seconds: int) -> dict[int, float]:
    """When each click was, by the time of capture of the message in which it was sent."""
    sent = [(at, samples, line.captured_at) for line in bundle.moments()
            if isinstance(line, WireLine) and line.captured_at is not None
            for _, at, samples in references(bytes(line.frame).decode())]  # fmt: skip
    return {
        number: captured_at + (click - at) / RATE
        for number, sample in clicks_in(sound, first, seconds).items()
        for click in (sample + bundle.manifest.audio_origin,)
        for at, samples, captured_at in sent
        if at <= click < at + samples
    }


def lags(moments: dict[int, float], monitored: dict[int, float]) -> list[float]:
    """See `Measured.lags`."""
    return [1000 * (monitored[number] - moments[number]) for number in sorted(moments.keys() & monitored)]


def trimmed(sound: Samples) -> Samples:
    sounding = np.flatnonzero(sound)
    return sound[sounding[0] : sounding[-1] + 1]


def measure(bed: SoundBed, folder: Path, seconds: int, latency: str = "low") -> Measured:
    """Record a conversation of that length, a long answer and a short one, while the microphone hears clicks too."""
    second = seconds - SETTLE - LAST
    replies = ""
    for turn, first, length, delay in ((1, 0, second, SETTLE), (2, second, LAST, 0)):
        writer = WavWriter(folder / f"{turn}.wav")
        writer.write(click_track(PLAYED + first, length, noise=40).tobytes())
        writer.close()
        replies += f'[[reply]]\nturn = {turn}\nsay = "Clicks."\ndelay_ms = {delay * 1000}\nplay = "{turn}.wav"\n'
    (folder / "script.toml").write_text(replies)
    program = [sys.executable, "-m", "voicelive_tui"]
    environment = {**os.environ, **bed.environment, "HOME": str(folder), "AZURE_VOICELIVE_API_KEY": "k3y"}
    serve = [*program, "serve", "--json", "--api-key", "k3y", "--script", str(folder / "script.toml")]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, env=environment) as service:
        assert service.stdout
        endpoint = json.loads(service.stdout.readline())["endpoint"]
        speaker, microphone = (Recording(environment, source) for source in ("vspk.monitor", "vmic_in.monitor"))
        bed.pactl("set-default-source", MICROPHONE)
        feeder = bed.speak(click_track(SAID, seconds, noise=0).tobytes())
        try:
            subprocess.run(
                [*program, "console", "--endpoint", endpoint, "--input-device", "default", "--output-device", "default",
                 "--output-latency", latency, "--say", "go", "--say", "go on", "--record", str(folder / "kept")],
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
        events = map(bundle.input, bundle.moments())
        begun = [event.at + LEAD for event in events if isinstance(event, inputs.PlaybackStarted)]
        at_microphone, at_speaker = monitored(microphone, SAID, seconds), monitored(speaker, PLAYED, seconds)
        return Measured(
            {
                "left, clock marks": lags(recorded(bundle, 0, left, SAID, seconds), at_microphone),
                "left, times of messages": lags(captured(bundle, left, SAID, seconds), at_microphone),
                "right, clock marks": lags(recorded(bundle, 1, right, PLAYED, seconds), at_speaker),
                "right, times of answers": lags(dict(zip((0, second), begun, strict=True)), at_speaker),
            },
            trimmed(right),
            trimmed(speaker.samples),
            Player(bundle).counts(math.inf).gaps,
        )


def test_both_channels_and_the_marks_agree_and_the_right_one_is_what_the_speaker_played(
    bed: SoundBed, tmp_path: Path
) -> None:
    """With an output latency of 0.3 s: a sound server on a busy machine runs dry at the default one.

    What it plays then differs from the recording by the pauses.
    """
    folders = (tmp_path / str(number) for number in range(9))

    def attempt(canary: Canary) -> None:
        folder = next(folders)
        folder.mkdir()
        found = measure(bed, folder, 20, latency="0.3")
        assert np.array_equal(found.right_sound, found.monitor_sound)
        assert len(found.right_sound) >= (20 - SETTLE) * RATE
        left, messages, right, _ = found.lags.values()
        assert min(map(len, (left, messages, right))) >= 10
        every = [lag for each in found.lags.values() for lag in each]
        stall_ms = canary.allowance * 1000
        assert max(map(abs, every)) < 5 + stall_ms, figures(found)
        assert max(every) - min(every) < 5 + 2 * stall_ms, figures(found)

    undisturbed(attempt)


def test_both_channels_are_on_time_at_the_default_latency(bed: SoundBed, tmp_path: Path) -> None:
    """By the medians of the series with many clicks, which a sound server that runs dry once does not move far."""
    folders = (tmp_path / str(number) for number in range(9))

    def attempt(canary: Canary) -> None:
        folder = next(folders)
        folder.mkdir()
        found = measure(bed, folder, 20)
        many = [each for name, each in found.lags.items() if name != "right, times of answers"]
        assert min(map(len, many)) >= 10
        late_ms = [abs(statistics.median(each)) for each in many]
        assert max(late_ms) < 5 + canary.allowance * 1000, figures(found)

    undisturbed(attempt)


def figures(found: Measured) -> str:
    """The measurement in lines."""
    lines = []
    for name, each in found.lags.items():
        low, middle, high = np.percentile(each, (5, 50, 95))
        lines.append(f"{name}: {len(each)} clicks, the monitor is later by {middle:.2f} ms, nine of ten {low:.2f} to "
                     f"{high:.2f}, all {min(each):.2f} to {max(each):.2f}")  # fmt: skip
    same = np.array_equal(found.right_sound, found.monitor_sound)
    lines.append(f"right channel is the monitor's: {same} ({len(found.right_sound):,} and "
                 f"{len(found.monitor_sound):,} samples); gaps {found.gaps}")  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    """Measure for a number of seconds, at an output latency."""
    with sound_bed() as bed, tempfile.TemporaryDirectory() as folder:
        print(figures(measure(bed, Path(folder), int(sys.argv[1]), *sys.argv[2:])))


if __name__ == "__main__":
    main()
