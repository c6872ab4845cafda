"""`SoundPath`: the sound of a session, performed and reported. `LiveSession` loads it while it connects."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Coroutine
from typing import Any, Literal

import numpy as np

from voicelive_tui.audio.devices import SYNTHETIC, DeviceSpec, Source, choose
from voicelive_tui.audio.engine import Direction
from voicelive_tui.audio.format import SAMPLE_RATE, ms_to_samples
from voicelive_tui.audio.portaudio import list_devices
from voicelive_tui.client.blocking import off_loop
from voicelive_tui.client.link import Link
from voicelive_tui.client.pump import AudioPump
from voicelive_tui.client.shell import DeviceChoice, Session
from voicelive_tui.client.sound import Sound
from voicelive_tui.config import Audio
from voicelive_tui.errors import AudioError
from voicelive_tui.session import effects, inputs
from voicelive_tui.session.reading import Meter, Reading

NATIVE_SECONDS = 1.0
"""Between counts of the messages of C libraries, for which their file is read."""
OVERFULL = "more than ten minutes of sound wait for the speaker"
TEST_TONE = "test-tone"
"""The item id under which the test tone is played; no item of the service has it."""
MOMENT = "moment-"
"""How the ids begin under which the sound around a moment is played."""


class SoundPath:
    """Performs the effects on sound, and reports as inputs what came of them.

    A `source` is a synthetic microphone in place of the input device. `start` runs a coroutine as a task until the
    session ends; `native_messages` counts the lines that C libraries have printed.
    """

    def __init__(
        self,
        audio: Audio,
        source: Source | None,
        session: Session,
        *,
        link: Callable[[], Link | None],
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        native_messages: Callable[[], int],
    ) -> None:
        self._session, self._start = session, start
        self.sound = Sound(audio, self._device_changed, source)
        self._engine = self.sound.engine
        self._engine.muted = session.state.microphone.muted
        self._pump = AudioPump(self.sound, session, link)
        self.wake = self._pump.wake
        self._count_native = native_messages
        self._native_messages, self._native_due = 0, 0.0
        self._overfull = ""  # the latest item whose sound did not fit into the queue
        self._moment, self._numbers = "", itertools.count(1)
        self._input_over = False  # a sound file had ended when capture was suspended
        self._check = start(self.sound.check())
        start(self._pump.run())
        start(self.sound.watch())

    def perform(self, effect: effects.OnSound) -> None:
        """Perform an effect; what takes time goes on as a task."""
        match effect:
            case effects.Play(item_id, pcm):
                self._end_moment()
                if not self._engine.play(item_id, pcm) and item_id != self._overfull:
                    self._overfull = item_id
                    self._session.apply(inputs.LocalProblem(f"the rest of {item_id} is not played: {OVERFULL}"))
            case effects.PlayMoment(pcm):
                self._end_moment()
                self._moment = f"{MOMENT}{next(self._numbers)}"  # sound of an item that was ended would be dropped
                self._engine.play(self._moment, pcm)
                self._engine.finish(self._moment)
            case effects.FinishItem(item_id):
                self._engine.finish(item_id)
            case effects.StopPlayback():
                self._stop_playback()
            case effects.StartCapture(since):
                if since is not None and self.sound.input_open:
                    self._pump.send_late(since)
                    self._follow_capture()  # at once: the next chunk goes to the link
                else:
                    self._start(self._capture())
            case effects.CarryOver(since):
                self._pump.carry_over(since)
            case effects.SetMute(muted):
                self._engine.muted = muted
            case effects.BeginTalk(since):
                self._pump.begin_turn(since)
            case effects.DropTalk():
                self._pump.drop_turn()
            case effects.EndTalk():
                self._pump.finish_turn()
            case effects.AskVoiced():
                self._pump.report_voiced()

    def _stop_playback(self) -> None:
        if self._engine.playing or self._engine.buffered_ms > 0:
            self._engine.flush()
            self._start(self._silence_speaker())

    def _end_moment(self) -> None:
        """Stop the sound around a moment, so that an answer does not wait for its end."""
        if self._moment:
            self._moment = ""
            self._stop_playback()

    async def _silence_speaker(self) -> None:
        heard = await self.sound.interrupt()
        silent_at = time.monotonic()  # at the latest: the device was stopped and started again
        for item in heard:
            self._session.apply(inputs.PlaybackStopped(item.item_id, item.heard_ms, silent_at))

    async def _capture(self) -> None:
        await asyncio.wait([self._check])
        self._engine.discard_captured()  # of the session before
        await self.sound.start_capture()
        if not self._session.state.ready:  # the connection ended meanwhile
            await self.sound.stop_capture()
            self._engine.discard_captured()
        self._follow_capture()

    def _follow_capture(self) -> None:
        state = self._session.state
        capturing = self.sound.input_open and state.ready
        if capturing != state.microphone.capturing:
            self._session.apply(inputs.CaptureChanged(capturing))

    def _device_changed(self, direction: Direction, description: str, problem: str) -> None:
        device = self._session.state.input if direction == "input" else self._session.state.output
        if (device.description, device.problem) != (description, problem):
            self._session.apply(inputs.DeviceChanged(direction, description, problem))

    async def stop_capture(self) -> None:
        """Close the microphone; what it captured is not sent to another session."""
        await self.sound.stop_capture()
        self._pump.ring.clear()

    async def suspend(self) -> None:
        """Release the microphone."""
        if self.sound.input_open:
            self._input_over = self.sound.input_ended
        await self.sound.stop_capture()
        self._follow_capture()

    async def resume(self) -> None:
        """Open the microphone again in a session that is ready; a file that ended does not start over."""
        if self._session.state.ready and not self._input_over:
            await self._capture()

    async def choose_device(self, direction: Literal["input", "output"], spec: str) -> None:
        """Change to another device, but for the file in use: it would start over, or be emptied."""
        is_input = direction == "input"
        again = spec.startswith("file:") and spec == str(self.sound.devices[direction])
        if again and not (is_input and self.sound.input_ended):
            return
        if is_input:
            self._input_over = False
            if not self.sound.input_open:
                self._engine.discard_captured()  # what the device before had left
        source = is_input and self.sound.has_source and spec == str(SYNTHETIC)
        await self.sound.choose(direction, SYNTHETIC if source else DeviceSpec.parse(spec))
        if self._session.state.microphone.ended and self.sound.input_open and not self.sound.input_ended:
            self._session.apply(inputs.CaptureChanged(capturing=True))  # another file
        self._follow_capture()

    async def change_settings(self, before: Audio, after: Audio, *, demo: bool) -> None:
        """Change to the devices of other settings; the demo's caller speaks in the demo only."""
        self._engine.half_duplex = after.half_duplex
        if after.input_device != before.input_device or (self.sound.devices["input"] == SYNTHETIC and not demo):
            await self.choose_device("input", str(after.input_device))
        if after.output_device != before.output_device:
            await self.choose_device("output", str(after.output_device))

    async def device_choices(self) -> list[DeviceChoice]:
        """Every device of both directions, the system's default, the synthetic microphone, the file in use, and none.

        Raises `AudioError` if the devices cannot be listed.
        """
        found = await off_loop(list_devices, "listing sound devices")
        choices: list[DeviceChoice] = []
        directions: tuple[Direction, ...] = ("input", "output")
        for direction in directions:
            chosen = self.sound.devices[direction]
            current = str(chosen)
            if chosen.kind == "name":
                with contextlib.suppress(AudioError):  # it is not there any more
                    current = str(choose(chosen, direction, found)[0].index)
            offered = {"": "system default"}
            if direction == "input" and self.sound.has_source:
                offered[str(SYNTHETIC)] = "synthetic caller"
            for device in found:
                if device.channels(direction):
                    offered[str(device.index)] = f"{device.name} ({device.hostapi})"
            if current.startswith("file:"):
                offered[current] = current
            offered["none"] = "none"
            choices += (DeviceChoice(direction, spec, label, spec == current) for spec, label in offered.items())
        return choices

    def play_test_tone(self) -> None:
        """Play 0.4 s of 440 Hz at -20 dBFS."""
        wave = 3277 * np.sin(2 * np.pi * 440 / SAMPLE_RATE * np.arange(ms_to_samples(400)))
        self._engine.play(TEST_TONE, wave.astype("<i2").tobytes())
        self._engine.finish(TEST_TONE)

    def reading(self, *, outbox_ms: float, dropped_ms: float) -> Reading:
        """The sound path at this moment, with what waits at the link and what links dropped."""
        if (now := time.monotonic()) >= self._native_due:
            self._native_messages, self._native_due = self._count_native(), now + NATIVE_SECONDS
        engine, item = self._engine, self._session.state.playing
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
            unkept_ms=self._pump.unkept_ms(),
            underflows=counters.underflows,
            overflows=counters.overflows,
            gaps=counters.gaps,
            native_messages=self._native_messages,
            output_latency_ms=self.sound.output_latency_ms,
            stalled=tuple(sorted(self.sound.stalled)),
        )
