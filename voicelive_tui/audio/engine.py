"""AudioEngine: the two queues, and what the rest of the program reads from them.

Rules. A backend drives the engine from its callback threads by `fill` and `captured`; everything else is called on the
loop. The callbacks copy, count and return: no lock, no log, no level, no call into the loop. Times are
`time.monotonic()` seconds throughout; backends translate their own clocks.

The loop writes `muted`, `half_duplex` and the monitors. The output callback writes `blocks_out`, `underflows` and
`_last_out`; the input callback writes `blocks_in`, `overflows`, `_last_in` and `gated`. For the queues see their own
modules.
"""

import math
import threading
import time
from dataclasses import dataclass
from typing import Literal, NamedTuple

from voicelive_tui.audio.capture import CaptureQueue
from voicelive_tui.audio.format import SAMPLE_RATE, ms_to_samples, samples_in
from voicelive_tui.audio.meters import Levels, Meters
from voicelive_tui.audio.microphone import MicrophoneMonitor
from voicelive_tui.audio.pcm import Level, level
from voicelive_tui.audio.playback import Heard, PlaybackEvent, PlaybackQueue, PlayedBlock

Direction = Literal["input", "output"]

HALF_DUPLEX_TAIL = 0.2
"""Seconds for which the room rings, and the microphone's buffers hold it, after the last sample left the DAC."""
MONITOR_BLOCKS = 75
"""Played blocks, 1.5 s, with which captured sound is compared."""
STALL_SECONDS = 0.5
"""A stream without a callback for this long is stalled."""


class Chunk(NamedTuple):
    """What one append carries."""

    pcm: bytes
    at: float
    """ADC time of the first sample (monotonic seconds)."""
    level: Level
    gated: bool
    """Contains silence in place of the microphone because of half-duplex."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Totals since the engine was created."""

    overflows: int
    """Callbacks in which the device reported that microphone sound was lost."""
    underflows: int
    """Callbacks in which the device reported that it had run out of sound while there was some to play."""
    gaps: int
    """Times that playback ran dry in the middle of an item, because the service or the link was late."""
    dropped_ms: float
    """Microphone sound dropped because it was too old, in milliseconds."""


class Watchdog:
    """Finds open streams that have stalled, by the time of their last callback.

    PortAudio reports nothing when a sound server freezes or a device is suspended: the callbacks just stop. Backends
    write `_since` and `_ended`, the loop writes the rest.
    """

    def __init__(self) -> None:
        self._since: dict[Direction, float] = {"input": math.inf, "output": math.inf}  # infinity: not open
        self._ended: dict[Direction, str | None] = {"input": None, "output": None}
        self._asked_at = self._excused_until = 0.0

    def opened(self, direction: Direction) -> None:
        """Expect callbacks from now on (called by backends)."""
        self._ended[direction] = None
        self._since[direction] = time.monotonic()

    def closed(self, direction: Direction) -> None:
        """Expect no more callbacks: the stream was closed (called by backends)."""
        self._since[direction] = math.inf
        self._ended[direction] = None

    def ended(self, direction: Direction, why: str = "") -> None:
        """Note that a stream ended by itself (called by backends, from any thread)."""
        self._ended[direction] = why

    def has_ended(self, direction: Direction) -> bool:
        """Whether an open stream ended by itself."""
        return self._ended[direction] is not None

    def reason(self, direction: Direction) -> str:
        """Why that stream stalled, in words for the user."""
        name = {"input": "microphone", "output": "speaker"}[direction]
        why = self._ended[direction]
        if why is None:
            return f"the {name} stalled: its device is suspended or its sound server does not answer"
        return why or f"the {name} was lost: its device or its sound server is gone"

    def stalled(self, now: float, last: dict[Direction, float]) -> set[Direction]:
        """The open directions that ended by themselves, or had no callback for `STALL_SECONDS`.

        To be called at least every half second. `last` has the time of each direction's last callback.
        """
        # If the program itself was stopped (Ctrl+Z, a debugger), the streams are not to blame.
        if now - self._asked_at > STALL_SECONDS:
            self._excused_until = now
        self._asked_at = now
        return {
            direction
            for direction, since in self._since.items()
            if self._ended[direction] is not None
            or now - max(since, last[direction], self._excused_until) > STALL_SECONDS
        }


class AudioEngine:
    """Sound in both directions, independent of the devices.

    Args:
        chunk_ms: Length of the microphone's chunks in milliseconds, at least that of a block.
        half_duplex: Send silence while an item is played, and for `HALF_DUPLEX_TAIL` after it.
    """

    def __init__(self, chunk_ms: float = 40, half_duplex: bool = False) -> None:
        self.chunk_ms = chunk_ms
        self.half_duplex = half_duplex
        self.muted = False
        self.watchdog = Watchdog()
        self._playback = PlaybackQueue()
        self._capture = CaptureQueue()
        self._meters = Meters()
        self._microphone = MicrophoneMonitor()
        self._sound_came = threading.Event()

        # Written by the callbacks.
        self.gated = False
        """Silence replaces the microphone at the moment because of half-duplex."""
        self.blocks_in = self.blocks_out = 0
        """Callbacks so far."""
        self.overflows = self.underflows = 0
        self._last_in = self._last_out = 0.0

    # --- playback, on the loop

    def play(self, item_id: str, pcm: bytes) -> bool:
        """Append sound to an item, in pieces of any number of bytes and much faster than real time if need be.

        False if so much waits to be played that the sound is dropped.
        """
        queued = self._playback.play(item_id, pcm)
        self._sound_came.set()
        return queued

    def finish(self, item_id: str) -> None:
        """Mark an item as complete."""
        self._playback.finish(item_id)

    def flush(self) -> None:
        """Drop all queued sound at once, and the later sound of its items.

        The device still plays what it holds unless its stream is interrupted. `settle` reports what was heard.
        """
        self._playback.flush(time.monotonic())

    def settle(self, stopped_at: float | None = None) -> list[Heard]:
        """How much was heard of each item that `flush` dropped.

        `stopped_at` is the result of `OutputStream.interrupt`, None if the device plays out what it holds.
        """
        return self._playback.settle(stopped_at)

    def forget(self) -> None:
        """Reset for a new session: nothing queued, no item known."""
        self._playback.forget()
        self._capture.clear()

    def events(self) -> list[PlaybackEvent]:
        """The items that started or ended at the DAC since the last call."""
        return self._playback.events(time.monotonic())

    def heard_ms(self, item_id: str) -> float:
        """Milliseconds of the item that have left the DAC."""
        return self._playback.heard_ms(item_id, time.monotonic())

    @property
    def buffered_ms(self) -> float:
        """Sound that the device has not taken yet, in milliseconds."""
        return self._playback.buffered_ms

    @property
    def playing(self) -> bool:
        """Whether an item waits or is being heard, including gaps within it."""
        return self._playback.playing(time.monotonic())

    def wait_for_sound(self, limit: float) -> bool:
        """Sleep while there is nothing to play, at most `limit` seconds; for a stream that need not play silence.

        False without sleeping if an item waits or is being heard, else True.
        """
        self._sound_came.clear()
        if self.playing:
            return False
        self._sound_came.wait(limit)
        return True

    def wake(self) -> None:
        """End a `wait_for_sound` that is under way."""
        self._sound_came.set()

    @property
    def played(self) -> tuple[PlayedBlock, ...]:
        """The blocks of the last ten seconds with their DAC times, including silence, oldest first."""
        return tuple(self._playback.played.copy())

    # --- capture, on the loop

    def chunk(self, *, rest: bool = False) -> Chunk | None:
        """The next whole chunk of the microphone, or with `rest` what there is of it; None if there is none yet."""
        taken = self._capture.take(ms_to_samples(self.chunk_ms), rest=rest)
        if taken is None:
            return None
        chunk = Chunk(taken.pcm, taken.at, level(taken.pcm), taken.gated)
        self._meters.captured(chunk.level, time.monotonic())
        if self.muted or chunk.gated:
            self._microphone.pause()
        else:
            seconds = samples_in(chunk.pcm) / SAMPLE_RATE
            self._microphone.judge(chunk.pcm, chunk.level, chunk.at + seconds, seconds)
            if self.playing:
                played = b"".join(block.pcm for block in self.played[-MONITOR_BLOCKS:])
                self._microphone.compare(chunk.pcm, chunk.level, played)
        return chunk

    @property
    def capture_is_behind(self) -> bool:
        """Whether so much captured sound waits to be taken that a file had better wait."""
        return self._capture.is_behind

    def discard_captured(self) -> None:
        """Discard what was captured and not taken yet, as at the start of a push-to-talk turn."""
        self._capture.clear()

    @property
    def last_voiced_at(self) -> float | None:
        """When the last voiced chunk ended at the ADC; see `MicrophoneMonitor.last_voiced_at`."""
        return self._microphone.last_voiced_at

    def complaint(self) -> str:
        """What is wrong with the microphone's sound, in words for the user; empty if nothing is."""
        return self._microphone.complaint(time.monotonic())

    # --- both, on the loop

    def levels(self) -> Levels:
        """The level of the last chunk taken, and of what was heard since the last call (at least one block)."""
        return self._meters.read(reversed(self._playback.played.copy()), time.monotonic())

    def activity_changed(self) -> bool:
        """Whether either direction started or stopped since the last `levels`."""
        return self._meters.activity_changed(reversed(self._playback.played.copy()), time.monotonic())

    def counters(self) -> Counters:
        return Counters(self.overflows, self.underflows, self._playback.gaps, self._capture.dropped_ms)

    def stalled(self) -> set[Direction]:
        """The open streams that ended by themselves or whose callbacks stopped; call it at least twice a second."""
        return self.watchdog.stalled(time.monotonic(), {"input": self._last_in, "output": self._last_out})

    # --- in the callbacks

    def fill(self, out: memoryview, at: float, now: float, *, underflow: bool = False) -> None:
        """Fill the device's buffer with mono PCM16 whose first sample reaches the DAC `at` that time (output callback).

        With `underflow` the device reports that it ran out of sound before this call, at `now`.
        """
        due = self._playback.silent_from() > self._last_out  # running out of silence is harmless
        self._playback.fill(out, at, now)
        self.blocks_out += 1
        self.underflows += underflow and due
        self._last_out = now

    def captured(self, pcm: bytes, at: float, now: float, *, overflow: bool = False, live: bool = True) -> None:
        """Take a block of mono PCM16 whose first sample has the ADC time `at` (input callback).

        With `overflow` the device reports that it lost sound before this call, at `now`. What is not `live`, as a file,
        is taken however late it is.
        """
        self.gated = gated = self.half_duplex and at < self._playback.silent_from() + HALF_DUPLEX_TAIL
        if self.muted or gated:
            pcm = bytes(len(pcm))
        self._capture.put(pcm, at, now, gated=gated, live=live)
        self.blocks_in += 1
        self.overflows += overflow
        self._last_in = now
