"""AudioEngine: the two queues, and what the rest of the program wants to know about them.

Rules. A backend drives the engine from its callback threads by `fill` and `captured`; everything else is called on the
loop. The callbacks count, copy and return: no lock, no log, no level, no call into the loop. Times are
`time.monotonic()` seconds throughout; backends translate their own clocks.

Written by the loop: ``muted``, ``half_duplex``, meters, ``last_voiced_at``. Written by the output callback:
``blocks_out``, ``underflows``, ``_last_out``. Written by the input callback: ``blocks_in``, ``overflows``,
``_last_in``, ``gated``. The queues' headers tell the rest.
"""

import math
import threading
import time
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from voicelive_tui.audio.capture import CaptureQueue
from voicelive_tui.audio.meters import Levels, Meters
from voicelive_tui.audio.pcm import FLOOR_DBFS, SAMPLE_RATE, SAMPLE_WIDTH, Level, level, ms_to_frames, samples
from voicelive_tui.audio.playback import Finished, Heard, PlaybackEvent, PlaybackQueue, PlayedBlock, Started

__all__ = [
    "AudioEngine", "Chunk", "Counters", "Direction", "Finished", "Heard", "Levels", "PlaybackEvent",
    "Started", "Watchdog",
]  # fmt: skip

Direction = Literal["input", "output"]

HALF_DUPLEX_TAIL = 0.2
"""After the last sample left the DAC the room still rings, and the microphone's own buffers still hold it (seconds)."""
STALL_SECONDS = 0.5
"""A stream whose callback has not come for so long is stalled."""
VOICED_DBFS = -45.0
"""A chunk may count as voiced from this RMS up ..."""
VOICED_OVER_NOISE = 9.0
"""... if it stands out from the noise floor by so many dB."""
NOISE_RISE = 3.0
"""The noise floor follows a quieter chunk at once, and a louder one by so many dB a second."""
ZEROS_SECONDS = 3.0
"""A microphone that gave nothing but zeros for so long is said to be silent: real ones always carry noise."""
CLIPPED_SAMPLES = 3
"""So many samples in a row at full scale are a clipped wave."""
CLIPPING_SECONDS = 2.0
"""How long a clipped chunk is remembered."""


class Chunk(NamedTuple):
    """What one append carries."""

    pcm: bytes
    at: float
    """ADC time of the first sample (monotonic seconds)."""
    ended_at: float
    """ADC time of the end of the last sample."""
    level: Level
    gated: bool
    """Silence stands in it for the microphone because of half-duplex."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What happened so far. Counts, and milliseconds where the name says so."""

    blocks_in: int
    blocks_out: int
    overflows: int
    """Callbacks in which the device said that microphone sound was lost."""
    underflows: int
    """Callbacks in which the device said that it had run out of sound while there was some to be heard."""
    gaps: int
    """Times that an answer ran dry before its end because the service or the link was late."""
    dropped_ms: float
    """Microphone sound thrown away because it was too old."""
    late_ms: float
    """Sound that came for an answer after its interruption, and was not played."""


class Watchdog:
    """Tells which open streams have stalled, by the time of their last callback.

    The streams report nothing when a sound server freezes or a device is suspended: the callbacks just stop.
    Backends write ``_since`` and ``_ended``, the loop the rest.
    """

    def __init__(self) -> None:
        self._since: dict[Direction, float] = {"input": math.inf, "output": math.inf}  # infinity: not open
        self._ended: dict[Direction, str | None] = {"input": None, "output": None}
        self._asked_at = self._excused_until = 0.0

    def opened(self, direction: Direction) -> None:
        """A stream was started: callbacks are due from now on (called by backends)."""
        self._ended[direction] = None
        self._since[direction] = time.monotonic()

    def closed(self, direction: Direction) -> None:
        """A stream was closed as asked (called by backends)."""
        self._since[direction] = math.inf
        self._ended[direction] = None

    def ended(self, direction: Direction, why: str = "") -> None:
        """A stream ended by itself (called by backends, from any thread)."""
        self._ended[direction] = why

    def reason(self, direction: Direction) -> str:
        """Why that stream stalled, in words for the user."""
        name = {"input": "microphone", "output": "speaker"}[direction]
        why = self._ended[direction]
        if why is None:
            return f"the {name} stalled: its device is suspended or its sound server does not answer"
        return why or f"the {name} was lost: its device or its sound server is gone"

    def stalled(self, now: float, last: dict[Direction, float]) -> set[Direction]:
        """The open directions that ended by themselves, or whose last callback is `STALL_SECONDS` ago.

        Args:
            now: The time; to be asked at least every half second.
            last: The time of each direction's last callback.
        """
        # Where the program itself was stopped (suspended, in the debugger) it is the watchdog that was late.
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
    """Sound in both directions, independent of where it comes from and goes to.

    Args:
        chunk_ms: Length of the microphone's chunks, 20 to 100 ms.
        half_duplex: Send silence while something is being played, and for `HALF_DUPLEX_TAIL` after it.
        prebuffer_ms: Sound to have before an answer begins, in milliseconds.
    """

    def __init__(self, chunk_ms: float = 40, half_duplex: bool = False, prebuffer_ms: float = 100) -> None:
        if not 20 <= chunk_ms <= 100:
            raise ValueError(f"chunks of {chunk_ms} ms: they may have 20 to 100 ms")
        self.chunk_ms = chunk_ms
        self.half_duplex = half_duplex
        self.muted = False
        self.last_voiced_at: float | None = None
        """When the last voiced chunk ended at the ADC.

        A chunk is voiced when its RMS is `VOICED_DBFS` at least and `VOICED_OVER_NOISE` above the noise floor, which
        is the quietest chunk of late. Good for latency figures; the service judges speech by its own, better means.
        """
        self.watchdog = Watchdog()
        self._playback = PlaybackQueue(prebuffer_ms)
        self._capture = CaptureQueue()
        self._meters = Meters()
        self._noise = VOICED_DBFS - VOICED_OVER_NOISE
        self._zeros = 0.0  # seconds of sound
        self._clipped_at = -math.inf

        self._sound_came = threading.Event()

        # Written by the callbacks.
        self.gated = False
        """Whether the microphone is replaced by silence just now because of half-duplex."""
        self.blocks_in = self.blocks_out = 0
        self.overflows = self.underflows = 0
        self._last_in = self._last_out = 0.0

    # --- playback, on the loop

    def play(self, item_id: str, pcm: bytes) -> None:
        """Append sound of an item; it may come much faster than real time, in pieces of any number of bytes."""
        self._playback.play(item_id, pcm)
        self._sound_came.set()

    def finish(self, item_id: str) -> None:
        """No more sound of that item will come."""
        self._playback.finish(item_id)

    def flush(self) -> None:
        """Drop all that is queued, at once. The device still plays what it holds, unless its stream is cut.

        Sound that comes later for the items dropped is not played. `settle` tells what was heard of them.
        """
        self._playback.flush(time.monotonic())

    def settle(self, stopped_at: float | None = None) -> list[Heard]:
        """What was heard of each item that `flush` dropped.

        Args:
            stopped_at: What the output stream's ``cut()`` returned; None when it was not cut, and plays out what it
                holds.
        """
        return self._playback.settle(stopped_at)

    def forget(self) -> None:
        """Begin anew, as for a new session: nothing queued, no item known."""
        self._playback.forget()
        self._capture.clear()

    def events(self) -> list[PlaybackEvent]:
        """The items that began or ended at the DAC since the last call."""
        return self._playback.events(time.monotonic())

    def heard_ms(self, item_id: str) -> float:
        """Milliseconds of the item heard up to now."""
        return self._playback.heard_ms(item_id, time.monotonic())

    @property
    def buffered_ms(self) -> float:
        """Sound that waits to be played, in milliseconds."""
        return self._playback.buffered_ms

    @property
    def prebuffer_ms(self) -> float:
        """Sound awaited before an answer begins or goes on: more than asked for after gaps."""
        return self._playback.target_ms

    @property
    def playing(self) -> bool:
        """True from the first sound of an item until its last sample was heard, gaps within it included."""
        return self._playback.playing(time.monotonic())

    def wait_for_sound(self, limit: float) -> bool:
        """Sleep while there is nothing to be heard, for a stream that need not play silence.

        Args:
            limit: Seconds at most.

        Returns:
            False at once where something waits or is being heard, else True.
        """
        self._sound_came.clear()
        if self.playing:
            return False
        self._sound_came.wait(limit)
        return True

    @property
    def played(self) -> tuple[PlayedBlock, ...]:
        """The blocks of the last ten seconds, silence included, with their DAC times; oldest first."""
        return tuple(self._playback.played.copy())

    # --- capture, on the loop

    def chunk(self, *, rest: bool = False) -> Chunk | None:
        """The next whole chunk of the microphone, or None while there is none.

        Args:
            rest: At the end of a turn: give what there is, even if it is less than a chunk.
        """
        taken = self._capture.take(ms_to_frames(self.chunk_ms), rest=rest)
        if taken is None:
            return None
        seconds = len(taken.pcm) / SAMPLE_WIDTH / SAMPLE_RATE
        chunk = Chunk(taken.pcm, taken.at, taken.at + seconds, level(taken.pcm), taken.gated)
        self._meters.captured(chunk.level, time.monotonic())
        self._judge(chunk, seconds)
        return chunk

    def discard_captured(self) -> None:
        """Throw away what was captured so far and not taken (a push-to-talk turn begins)."""
        self._capture.clear()

    def _judge(self, chunk: Chunk, seconds: float) -> None:
        rms = chunk.level.rms
        if self.muted or chunk.gated:
            self._zeros = 0.0
            return
        if chunk.level.peak <= FLOOR_DBFS:
            self._zeros += seconds
            return
        self._zeros = 0.0
        self._noise = min(rms, self._noise + NOISE_RISE * seconds)
        if rms >= max(VOICED_DBFS, self._noise + VOICED_OVER_NOISE):
            self.last_voiced_at = chunk.ended_at
        if chunk.level.peak >= -0.01 and _clips(chunk.pcm):
            self._clipped_at = chunk.ended_at

    def complaint(self) -> str:
        """What is wrong with the microphone's sound, in words for the user; empty when nothing is."""
        now = time.monotonic()
        if self._zeros > ZEROS_SECONDS:
            return "the microphone gives only zeros: it is muted, switched off or unplugged"
        if now - self._clipped_at < CLIPPING_SECONDS:
            return "the microphone clips: lower its input level"
        return ""

    # --- both, on the loop

    def levels(self) -> Levels:
        """The meters: the last chunk taken, and what was heard since the last call (one block at least)."""
        return self._meters.read(reversed(self._playback.played.copy()), time.monotonic())

    def stirs(self) -> bool:
        """Whether sound began or ended in either direction since the last `levels`; see `Meters.stir`."""
        return self._meters.stir(reversed(self._playback.played.copy()), time.monotonic())

    def counters(self) -> Counters:
        """The counters as they are now."""
        return Counters(
            blocks_in=self.blocks_in,
            blocks_out=self.blocks_out,
            overflows=self.overflows,
            underflows=self.underflows,
            gaps=self._playback.gaps,
            dropped_ms=self._capture.dropped_ms,
            late_ms=self._playback.late_frames * 1000 / SAMPLE_RATE,
        )

    def stalled(self) -> set[Direction]:
        """The open streams that ended by themselves or whose callbacks stopped; ask at least twice a second."""
        return self.watchdog.stalled(time.monotonic(), {"input": self._last_in, "output": self._last_out})

    # --- the callbacks' side

    def fill(self, out: memoryview, at: float, now: float, *, underflow: bool = False) -> None:
        """Fill the device's buffer (output callback).

        Args:
            out: Bytes of mono PCM16 to be written.
            at: When the first frame reaches the DAC.
            now: The time of the call.
            underflow: The device says that it ran out of sound before this call.
        """
        due = self._playback.silent_from() > self._last_out  # a device that runs out of silence harms nobody
        self._playback.fill(out, at, now)
        self.blocks_out += 1
        self.underflows += underflow and due
        self._last_out = now

    def captured(self, pcm: bytes, at: float, now: float, *, overflow: bool = False) -> None:
        """Take a block from the device (input callback).

        Args:
            pcm: Mono PCM16.
            at: ADC time of the first frame.
            now: The time of the call.
            overflow: The device says that it lost sound before this call.
        """
        self.gated = gated = self.half_duplex and at < self._playback.silent_from() + HALF_DUPLEX_TAIL
        if self.muted or gated:
            pcm = bytes(len(pcm))
        self._capture.put(pcm, at, now, gated=gated)
        self.blocks_in += 1
        self.overflows += overflow
        self._last_in = now


def _clips(pcm: bytes) -> bool:
    """Whether so many samples in a row stand at the same end of the scale."""
    x = samples(pcm)
    for end in (x == 32767, x == -32768):
        if np.convolve(end, np.ones(CLIPPED_SAMPLES), "valid").max() >= CLIPPED_SAMPLES - 0.5:
            return True
    return False
