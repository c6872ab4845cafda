"""What a screen asks of the sound path: readings for the meters, and the choices of the device picker."""

import contextlib

import numpy as np

from voicelive_tui.audio.devices import SYNTHETIC, AudioError, choose
from voicelive_tui.audio.engine import Direction
from voicelive_tui.audio.format import SAMPLE_RATE, ms_to_samples
from voicelive_tui.audio.portaudio import list_devices
from voicelive_tui.client.blocking import off_loop
from voicelive_tui.client.sound import Sound
from voicelive_tui.session.state import DeviceChoice, Meter, Reading

TEST_TONE = "test-tone"
"""The item id under which the test tone is played; no item of the service has it."""


def take_reading(
    sound: Sound, item: str, *, outbox_ms: float, dropped_ms: float, unkept_ms: float, native_messages: int
) -> Reading:
    """The sound path at this moment.

    Args:
        sound: The sound path.
        item: The item that is playing, or "".
        outbox_ms: Captured sound that waits to be sent.
        dropped_ms: Captured sound that links dropped.
        unkept_ms: See `Reading`.
        native_messages: Lines that C libraries have printed.
    """
    engine = sound.engine
    levels, counters = engine.levels(), engine.counters()
    return Reading(
        capture=Meter(*levels.capture),
        playback=Meter(*levels.playback),
        gated=engine.gated,
        heard_item=item,
        heard_ms=engine.heard_ms(item) if item else 0.0,
        buffered_ms=engine.buffered_ms,
        outbox_ms=outbox_ms,
        dropped_ms=counters.dropped_ms + dropped_ms,
        unkept_ms=unkept_ms,
        underflows=counters.underflows,
        overflows=counters.overflows,
        gaps=counters.gaps,
        native_messages=native_messages,
        output_latency_ms=sound.output_latency_ms,
        stalled=tuple(sorted(sound.stalled)),
    )


async def device_choices(sound: Sound) -> list[DeviceChoice]:
    """Every device of both directions, the system's default, the synthetic microphone, the file in use, and none.

    Raises:
        AudioError: The devices cannot be listed.
    """
    found = await off_loop(list_devices, "listing sound devices")
    choices: list[DeviceChoice] = []
    directions: tuple[Direction, ...] = ("input", "output")
    for direction in directions:
        chosen = sound.devices[direction]
        current = str(chosen)
        if chosen.kind == "name":
            with contextlib.suppress(AudioError):  # it is not there any more
                current = str(choose(chosen, direction, found)[0].index)
        offered = {"": "system default"}
        if direction == "input" and sound.has_source:
            offered[str(SYNTHETIC)] = "synthetic caller"
        for device in found:
            if device.inputs if direction == "input" else device.outputs:
                offered[str(device.index)] = f"{device.name} ({device.hostapi})"
        if current.startswith("file:"):
            offered[current] = current
        offered["none"] = "none"
        choices += (DeviceChoice(direction, spec, label, spec == current) for spec, label in offered.items())
    return choices


def play_test_tone(sound: Sound) -> None:
    """Play 0.4 s of 440 Hz at -20 dBFS."""
    wave = 3277 * np.sin(2 * np.pi * 440 / SAMPLE_RATE * np.arange(ms_to_samples(400)))
    sound.engine.play(TEST_TONE, wave.astype("<i2").tobytes())
    sound.engine.finish(TEST_TONE)
