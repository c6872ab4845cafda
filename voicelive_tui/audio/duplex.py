"""Duplex: the microphone and the speaker of a conversation, opened as a pair, each living and failing alone.

Rules. Every method here blocks and belongs in a daemon thread with a time limit, never on the event loop. Locks keep
them apart, as a call that hung with a frozen sound server goes on when that thaws; the callbacks know nothing of them.

Recovery. PortAudio sees devices that came or went only when it is started anew, which ends all its streams. So a lost
direction is first tried alone. Only where that fails is PortAudio started anew; where that costs a stream that is well,
only while nothing is played, and once in `RESCAN_SECONDS`. Streams of other backends (files) are left alone.
"""

import contextlib
import threading
import time
from collections.abc import Collection, Iterator

from voicelive_tui.audio.devices import (
    AudioError,
    Checked,
    InputStream,
    Latency,
    OutputStream,
    Source,
    backend_for,
    input_for,
    output_for,
)
from voicelive_tui.audio.engine import AudioEngine, Direction

LOCK_LIMIT = 0.5
"""Seconds to wait for an earlier call; one that takes longer hangs with the sound server."""
RESCAN_SECONDS = 10.0
DIRECTIONS: tuple[Direction, Direction] = ("input", "output")


class Duplex:
    """Opens, cuts, switches, recovers and closes the two streams of an engine.

    Args:
        engine: What the streams drive.
        input_device: As for `backends.input_for`.
        output_device: As for `backends.output_for`.
        latency: Of the output.
        source: A synthetic microphone, for the input "none".
    """

    def __init__(
        self,
        engine: AudioEngine,
        input_device: str = "",
        output_device: str = "",
        latency: Latency = "low",
        source: Source | None = None,
    ) -> None:
        self._engine = engine
        self._devices: dict[Direction, str] = {"input": input_device, "output": output_device}
        self._latency: Latency = latency
        self._source = source
        self._input: InputStream | None = None
        self._output: OutputStream | None = None
        self._lock = threading.Lock()  # held by all but cut, which waits for nothing but the speaker's closing
        self._lock_of_others = threading.Lock()  # by what is not PortAudio's, and cannot hang with a sound server
        self._speaker = threading.Lock()
        self._wanted: set[Direction] = set()
        self._opening: set[Direction] = set()
        """What `open` is at: wanted and not there yet, but not lost either."""
        self._away: set[Direction] = set()
        self._rescanned_at = -RESCAN_SECONDS

    @property
    def input_ended(self) -> bool:
        """Whether a file that stands in for the microphone is over."""
        return self._input is not None and self._input.input_ended

    @property
    def output_latency(self) -> float:
        """Seconds that the speaker's device holds; 0 without one."""
        return self._output.latency if self._output else 0.0

    @property
    def missing(self) -> set[Direction]:
        """The directions wanted that are not open."""
        return {d for d in tuple(self._wanted) if not self._stream(d) and d not in self._opening}

    @property
    def incomplete(self) -> set[Direction]:
        """The directions wanted that are not open, or on the default device in place of the one that was chosen."""
        return self.missing | self._away

    def open(self, *directions: Direction) -> list[Checked]:
        """Open and start these directions (both when none is named); each result says with what, or why not.

        What could not be opened is wanted nevertheless: `recover` tries again.
        """
        self._opening.update(directions or DIRECTIONS)
        self._wanted.update(directions or DIRECTIONS)
        results = []
        for direction in directions or DIRECTIONS:
            try:
                with _held(self._lock_for(direction)):
                    results.append(self._open(direction))
            except AudioError as error:
                results.append(Checked(direction, ok=False, sentence=str(error)))
            finally:
                self._opening.discard(direction)
        return results

    def close(self, *directions: Direction) -> None:
        """Close these directions (both when none is named)."""
        for direction in directions or DIRECTIONS:
            self._wanted.discard(direction)
            self._away.discard(direction)
            with _held(self._lock_for(direction)):
                self._close(direction)

    def cut(self) -> float | None:
        """Silence the speaker now: for `AudioEngine.settle`; None when there is no speaker.

        Raises:
            AudioError: The speaker did not come back.
        """
        with _held(self._speaker):
            return self._output.cut() if self._output else None

    def switch(self, direction: Direction, device: str) -> str:
        """Go on with another device, or with the old one where that fails.

        Returns:
            The new device's description.

        Raises:
            AudioError: Why not.
        """
        with _held(self._lock):
            before = self._devices[direction]
            self._close(direction)
            self._devices[direction] = device
            opened = self._open(direction)
            if not opened.ok:
                self._devices[direction] = before
                self._open(direction)
                raise AudioError(opened.sentence)
            self._wanted.add(direction)
            self._away.discard(direction)
            return opened.sentence

    def ease(self, latency: float) -> str:
        """Open the speaker anew with a higher latency, for a machine that does not keep the one it has.

        Returns:
            The speaker's description.

        Raises:
            AudioError: It did not open again.
        """
        with _held(self._lock):
            self._latency = latency
            self._close("output")
            opened = self._open("output")
            if not opened.ok:
                raise AudioError(opened.sentence)
            return opened.sentence

    def recover(self, stalled: Collection[Direction] = ()) -> list[Checked]:
        """Bring back what is lost: the same device, else the default. To be tried again every few seconds.

        Args:
            stalled: What `AudioEngine.stalled` says; what is `incomplete` is known here.

        Returns:
            A result for each direction that was opened anew, or could not be.
        """
        with _held(self._lock):
            lost = [d for d in DIRECTIONS if d in self._wanted and (d in stalled or d in self.missing)]
            for direction in lost:
                self._close(direction)
            results = [self._open(direction) for direction in lost]
            if all(result.ok for result in results) and not self._away:
                return results
            if not self._may_rescan():
                return results
            again = [d for d in DIRECTIONS if d in self._wanted and (self._rescans(d) or d in lost)]
            for direction in again:
                self._close(direction)
            self._rescanned_at = time.monotonic()
            with contextlib.suppress(AudioError):  # what opens next will say the same
                backend_for("").rescan()
            return [self._open_or_default(direction) for direction in again]

    def _may_rescan(self) -> bool:
        well = any(self._stream(d) and self._rescans(d) for d in DIRECTIONS)
        due = time.monotonic() - self._rescanned_at >= RESCAN_SECONDS
        return not well or (due and not self._engine.playing)

    def _lock_for(self, direction: Direction) -> threading.Lock:
        return self._lock if self._rescans(direction) else self._lock_of_others

    def _rescans(self, direction: Direction) -> bool:
        return type(backend_for(self._devices[direction])) is type(backend_for(""))

    def _stream(self, direction: Direction) -> InputStream | OutputStream | None:
        return self._input if direction == "input" else self._output

    def _open_or_default(self, direction: Direction) -> Checked:
        result = self._open(direction)
        wanted = self._devices[direction]
        self._away.discard(direction)
        if result.ok or not wanted:
            return result
        self._devices[direction] = ""
        instead = self._open(direction)
        self._devices[direction] = wanted
        if not instead.ok:
            return result
        self._away.add(direction)
        return Checked(direction, ok=True, sentence=f'{instead.sentence} (instead of "{wanted}": {result.sentence})')

    def _open(self, direction: Direction) -> Checked:
        stream: InputStream | OutputStream | None = None
        try:
            if direction == "input":
                stream = microphone = input_for(self._devices["input"], self._source).open(self._engine)
                stream.start()
                self._input = microphone
            else:
                stream = speaker = output_for(self._devices["output"], self._latency).open(self._engine)
                stream.start()
                self._output = speaker
        except AudioError as error:
            if stream:
                stream.close()
            return Checked(direction, ok=False, sentence=str(error))
        return Checked(direction, ok=True, sentence=stream.description)

    def _close(self, direction: Direction) -> None:
        if direction == "output":
            with _held(self._speaker):
                speaker, self._output = self._output, None
                if speaker:
                    speaker.close()
        else:
            microphone, self._input = self._input, None
            if microphone:
                microphone.close()


@contextlib.contextmanager
def _held(lock: threading.Lock) -> Iterator[None]:
    if not lock.acquire(timeout=LOCK_LIMIT):
        raise AudioError("the sound server still does not answer", "timeout")
    try:
        yield
    finally:
        lock.release()
