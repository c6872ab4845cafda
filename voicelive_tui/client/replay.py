"""`ReplaySession`: a recording in place of a conversation, for the dashboard and the console. It implements `Shell`.

Each tick folds what had happened until then, tells the observers, and hands the sound of channel 1, what was heard, to
the speaker. Nothing is sent, and no effect is performed.
"""

import asyncio
import contextlib
import importlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from voicelive_tui.audio.format import SAMPLE_RATE, SAMPLE_WIDTH
from voicelive_tui.client.shell import DeviceChoice, Observer
from voicelive_tui.config import Audio, Settings
from voicelive_tui.recording.files import unused, write_wave
from voicelive_tui.recording.lines import MICROPHONE, SPEAKER
from voicelive_tui.recording.player import Player
from voicelive_tui.recording.sounds import SNIPPET
from voicelive_tui.session import inputs
from voicelive_tui.session.observe import observe
from voicelive_tui.session.reading import Meter, Reading
from voicelive_tui.session.state import SessionState

if TYPE_CHECKING:
    from voicelive_tui.client.sound import Sound

TICK = 0.02
SLICE = 50
"""Moments that are folded at once for checkpoints: 2 ms."""
AHEAD = 0.3
"""Seconds of sound that wait for the speaker."""
LEVEL_SECONDS = 0.04
LONGEST_SOUND = 3_600
"""Seconds of an item's sound that are saved: a damaged recording may claim any length."""
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
JUMP = inputs.LogRecord("debug", "replay", "jumped")
"""What observers receive after a jump; it is not in the log."""


class ReplaySession:
    """Plays a recording from its beginning.

    Attributes:
        position: The time now, on the recording's clock.
        playing: It goes on by itself.
        speed: Seconds of the recording in one.
        speaker_problem: Why the speaker does not work, "" while it does.
    """

    def __init__(self, player: Player, audio: Audio) -> None:
        self.player = player
        self.position = player.begin
        self.playing = True
        self.speed = 1.0
        self.speaker_problem = ""
        self._audio = audio
        self._observers: list[Observer] = []
        self._closing = asyncio.Event()
        self._ticked_at = 0.0
        self._stop_at = player.end
        self._sound: Sound | None = None
        self._fed_until = 0
        """The sample of channel 1 that the speaker gets next."""
        self._item = ""
        """What the speaker plays; "" where it is silent."""
        self._items = 0
        self._silencing: set[asyncio.Task[object]] = set()

    # --- the face, see `Shell`

    @property
    def state(self) -> SessionState:
        return self.player.state

    def observe(self, observer: Observer) -> Callable[[], None]:
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    def apply(self, event: inputs.Input) -> None:
        """Nothing of a recording can be changed; only seen problems can be dismissed."""
        if isinstance(event, inputs.ProblemsSeen):
            before, self.player.state = self.state, observe(event, self.state, self.position)
            self._tell(event, before, self.state, self.position)

    def reading(self) -> Reading:
        item, at = self.state.playing, self.position
        capture, playback = (self._meter(channel, at) for channel in (MICROPHONE, SPEAKER))
        entry, heard_ms = self.state.entry(item), self.player.heard_ms(item, at)
        buffered_ms = max(entry.audio_ms - heard_ms, 0.0) if entry else 0.0
        counts = self.player.counts(at)
        return Reading(
            capture=capture,
            playback=playback,
            heard_item=item,
            heard_ms=heard_ms,
            buffered_ms=buffered_ms,
            underflows=counts.underflows,
            overflows=counts.overflows,
            gaps=counts.gaps,
        )

    def activity_changed(self) -> bool:
        return False

    async def run(self) -> None:
        tasks = [asyncio.create_task(each) for each in (self._index(), self._open_speaker())]
        self._ticked_at = time.monotonic()
        try:
            while not self._closing.is_set():
                self._tick(time.monotonic())
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), TICK)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, *self._silencing, return_exceptions=True)
            if self._sound is not None:
                await self._sound.close()

    async def close(self) -> None:
        self._closing.set()

    async def devices(self) -> list[DeviceChoice]:
        return []

    async def choose_device(self, direction: Literal["input", "output"], spec: str) -> None: ...

    async def change_settings(self, settings: Settings, origin: str, *, demo: bool) -> None: ...

    async def test_tone(self) -> None: ...

    async def reload_tools(self) -> None: ...

    async def suspend(self) -> None:
        self.pause()

    async def resume(self) -> None: ...

    # --- the controls

    @property
    def ended(self) -> bool:
        """Whether the end is reached."""
        return self.position >= self.player.end

    def play(self) -> None:
        """Go on; at the end, from the beginning."""
        if self.ended:
            self.go_to(self.player.begin)
        self._stop_at = self.player.end
        self.playing = True

    def pause(self) -> None:
        """Stop at this moment."""
        self.playing = False
        self._silence()

    def go_to(self, at: float) -> None:
        """Jump to a time. It goes on playing if it did."""
        at = min(max(at, self.player.begin), self.player.end)
        self._jump(self.player.index_at(at), at)

    def step(self, direction: int) -> None:
        """Pause, and go to the next (1) or the previous (-1) event."""
        self.pause()
        index = self.player.next_event(direction)
        self._jump(index, self.player.time_of(index))

    def faster(self, direction: int) -> None:
        """The next (1) or previous (-1) of the `SPEEDS`."""
        at = SPEEDS.index(self.speed) + direction
        self.speed = SPEEDS[min(max(at, 0), len(SPEEDS) - 1)]
        self._silence()

    def play_around(self, at: float) -> None:
        """Play the `SNIPPET` around a time, then pause."""
        self.go_to(at - SNIPPET / 2)
        self.speed, self.playing = 1.0, True
        self._stop_at = min(self.position + SNIPPET, self.player.end)

    async def save_sound(self, item_id: str) -> str:
        """Write the sound of an item as a WAV file beside the recording; a sentence about it."""
        bundle = self.player.bundle
        ranges = await asyncio.to_thread(self.player.ranges, item_id, self.state)
        if sum(end - start for _, start, end in ranges) > LONGEST_SOUND * SAMPLE_RATE:
            return "the sound cannot be saved: it is longer than an hour"
        pieces: list[bytes] = []
        for channel, start, end in ranges:
            for at in range(start, end, SAMPLE_RATE):  # in steps on the loop: `_feed` moves the same file
                pieces.append(bundle.sound(channel, at, min(end - at, SAMPLE_RATE)))
                await asyncio.sleep(0)
        return await asyncio.to_thread(_save, pieces, bundle.path.expanduser().absolute().parent)

    def levels(self, begin: float, end: float, count: int) -> list[tuple[float, float]]:
        """RMS of the microphone and of what was heard, in dBFS, in `count` equal parts of a stretch of time."""
        from voicelive_tui.audio.pcm import level  # noqa: PLC0415 - loads numpy

        part = (end - begin) / count * SAMPLE_RATE
        lanes = [self.player.sound(channel, begin, end - begin) for channel in (MICROPHONE, SPEAKER)]
        size = round(part) * SAMPLE_WIDTH
        starts = [round(index * part) * SAMPLE_WIDTH for index in range(count)]
        return [(level(lanes[0][at : at + size]).rms, level(lanes[1][at : at + size]).rms) for at in starts]

    # --- its course

    def _tick(self, now: float) -> None:
        passed, self._ticked_at = now - self._ticked_at, now
        if not self.playing:
            return
        self.position = min(self.position + passed * self.speed, self._stop_at)
        for step in self.player.advance(self.position):
            self._tell(*step)
        self._feed()
        if self.position >= self._stop_at:
            self.playing = False
            self._stop_at = self.player.end

    def _jump(self, index: int, at: float) -> None:
        before = self.state
        self._silence()
        self._stop_at = self.player.end
        self.player.seek(index)
        self.position = at
        self._tell(JUMP, before, self.state, at)

    def _tell(self, event: inputs.Input, before: SessionState, after: SessionState, at: float) -> None:
        for observer in tuple(self._observers):
            observer(event, before, after, at)

    async def _index(self) -> None:
        more = True
        while more:
            more = self.player.extend(SLICE)
            await asyncio.sleep(0.002)  # leaves half of the loop's time to what is seen

    # --- sound

    def _meter(self, channel: int, at: float) -> Meter:
        if not self.playing:
            return Meter()
        from voicelive_tui.audio.pcm import level  # noqa: PLC0415 - loads numpy

        measured = level(self.player.sound(channel, at - LEVEL_SECONDS, LEVEL_SECONDS))
        return Meter(measured.rms, measured.peak, measured.peak)

    async def _open_speaker(self) -> None:
        await asyncio.to_thread(importlib.import_module, "voicelive_tui.client.sound")
        from voicelive_tui.client.sound import Sound  # noqa: PLC0415

        silent = Audio(input_device="none", output_device=self._audio.output_device)
        sound = Sound(silent, self._speaker_changed)
        await sound.check()
        await sound.start_capture()  # opens a file in place of the speaker; there is nothing to capture
        self._sound = sound
        await sound.watch()

    def _speaker_changed(self, direction: str, _description: str, problem: str) -> None:
        if direction == "output":
            self.speaker_problem = problem

    def _feed(self) -> None:
        if self._sound is None or self.speed != 1.0:  # other speeds are silent
            return
        if not self._item:
            self._items += 1
            self._item, self._fed_until = f"replay-{self._items}", self.player.sample_at(SPEAKER, self.position)
        until = self.player.sample_at(SPEAKER, min(self.position + AHEAD, self._stop_at))
        if until > self._fed_until:
            pcm = self.player.bundle.sound(SPEAKER, self._fed_until, until - self._fed_until)
            self._sound.engine.play(self._item, pcm)
            self._fed_until = until

    def _silence(self) -> None:
        """Stop the speaker; later sound is an item of its own, because the rest of this one is dropped."""
        if self._sound is not None and self._item:
            self._item = ""
            self._sound.engine.flush()
            task = asyncio.create_task(self._sound.interrupt())
            self._silencing.add(task)
            task.add_done_callback(self._silencing.discard)


def _save(pieces: list[bytes], folder: Path) -> str:
    """Write sound as a new WAV file in a folder; a sentence about it."""
    if not any(map(any, pieces)):
        return "this item has no sound"
    path = unused(folder, ".wav")
    try:
        write_wave(path, b"".join(pieces))
    except OSError as error:
        return f"the sound cannot be saved: {error.strerror or error} ({path})"
    return f"sound saved to {path}"
