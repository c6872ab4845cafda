"""`Player`: a recording at any of its moments: the state there, and the sound that belongs to it.

It has no clock: its user says how far to play. Times are seconds of the recording's clock, `t_ns` / 1e9.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

from msgspec.structs import replace

from voicelive_tui.audio.format import SAMPLE_RATE
from voicelive_tui.recording.bundle import Bundle
from voicelive_tui.recording.lines import MICROPHONE, RECEIVED, Mark, WireLine
from voicelive_tui.recording.sounds import range_of_turn, ranges_of
from voicelive_tui.session import inputs
from voicelive_tui.session.observe import observe
from voicelive_tui.session.state import SessionState

CHECKPOINT = 500
"""Moments between two states that are kept, so that a jump folds no more than these."""
LOGGED = 10_000
"""Rows of the event log that are kept: the event list is made again from all of them after a jump backwards."""


class Step(NamedTuple):
    """An input that was folded: see `client.shell.Observer`."""

    input: inputs.Input
    before: SessionState
    after: SessionState
    at: float


class Clock(NamedTuple):
    """A line of the clock map: the samples of channels 0 and 1 that belong to a moment."""

    at: float
    left: int
    right: int


class Counts(NamedTuple):
    """A line of counters: totals of the sound path, see `audio.engine.Counters`."""

    at: float
    underflows: int = 0
    overflows: int = 0
    gaps: int = 0


class Player:
    """Goes through a recording, which is to be left open.

    Attributes:
        state: The state now.
        index: How many moments are in it.
        begin, end: Times of the first moment, without what only tells how things stood, and of the last one.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.state = SessionState()
        self.index = 0
        self._moments = bundle.moments()
        self._times = array("d", (moment.t_ns / 1e9 for moment in self._moments))
        self.end = self._times[-1]
        self.begin = min(max(self._times[0], bundle.began), self.end)
        self._checkpoints = [self.state]
        self._tip = self.state
        """The state after the moments from which there are checkpoints."""
        self.indexed = 0
        """How many moments these are."""
        zero = bundle.manifest.sample_zero_ns / 1e9
        self._clocks = [Clock(zero, 0, 0)]
        self._began: dict[str, float] = {}
        self._counts = [Counts(zero)]
        for moment in self._moments:
            if isinstance(moment, Mark):
                self._note(moment)
        self._clocks.sort()

    def _note(self, mark: Mark) -> None:
        if mark.mark == "clock":
            left, right = mark.values.get("left", 0), mark.values.get("right", 0)
            self._clocks.append(Clock(mark.t_ns / 1e9, left, right))
        elif mark.mark == "counters":
            self._counts.append(Counts(mark.t_ns / 1e9, *(mark.values.get(name, 0) for name in Counts._fields[1:])))
        elif isinstance(event := self.bundle.input(mark), inputs.PlaybackStarted):
            self._began[event.item_id] = event.at

    def __len__(self) -> int:
        return len(self._moments)

    def index_at(self, at: float) -> int:
        """How many moments there are up to a time, that one included."""
        return bisect_right(self._times, at)

    def extend(self, moments: int) -> bool:
        """Make the checkpoints of that many more moments; False once all are made."""
        until = min(self.indexed + moments, len(self._moments))
        while self.indexed < until:
            self._tip, self.indexed = self._after(self._tip, self.indexed), self.indexed + 1
            if self.indexed % CHECKPOINT == 0:
                self._tip = _bounded(self._tip)
                self._checkpoints.append(self._tip)
        return self.indexed < len(self._moments)

    def advance(self, at: float) -> Iterator[Step]:
        """Fold all that happened until a time after the present one, input by input."""
        until = self.index_at(at)
        while self.index < until:
            event, before = self._input(self.index), self.state
            self.index += 1
            if event is not None:
                when = self._times[self.index - 1]
                self.state = observe(event, before, when)
                yield Step(event, before, self.state, when)
            if self.index % CHECKPOINT == 0:
                self.state = _bounded(self.state)

    def seek(self, index: int) -> None:
        """Go to the state after that many moments; missing checkpoints are made."""
        index = min(max(index, 0), len(self._moments))
        if index > self.indexed:
            self.extend(index - self.indexed)
        at = index // CHECKPOINT * CHECKPOINT
        state = self._checkpoints[index // CHECKPOINT]
        if at <= self.index <= index:  # nearer
            at, state = self.index, self.state
        while at < index:
            state, at = self._after(state, at), at + 1
        self.state, self.index = state, index

    def next_event(self, direction: int) -> int:
        """The index after the next (1) or the previous (-1) event; pieces of sound, of which runs consist, are none."""
        index = self.index + direction
        while 0 < index < len(self._moments) and not self._is_event(self._moments[index - 1]):
            index += direction
        return min(max(index, 0), len(self._moments))

    def time_of(self, index: int) -> float:
        """When the last of that many moments happened."""
        return max(self._times[index - 1], self.begin) if index > 0 else self.begin

    @staticmethod
    def _is_event(moment: WireLine | Mark) -> bool:
        return b'"$audio"' not in bytes(moment.frame) if isinstance(moment, WireLine) else not moment.mark

    def _input(self, index: int) -> inputs.Input | None:
        return self.bundle.input(self._moments[index], silent=True)

    def _after(self, state: SessionState, index: int) -> SessionState:
        event = self._input(index)
        return state if event is None else observe(event, state, self._times[index])

    # --- sound

    def sample_at(self, channel: int, at: float) -> int:
        """The sample of channel 0 or 1 that belongs to a time."""
        clock = self._clocks[max(bisect_right(self._clocks, at, key=itemgetter(0)) - 1, 0)]
        sample = clock.left if channel == MICROPHONE else clock.right
        return sample + round((at - clock.at) * SAMPLE_RATE)

    def sound(self, channel: int, at: float, seconds: float) -> bytes:
        """PCM16 of channel 0 or 1 from a time on, for at most a minute."""
        return self.bundle.sound(channel, self.sample_at(channel, at), round(seconds * SAMPLE_RATE))

    def ranges(self, item_id: str, state: SessionState) -> list[tuple[int, int, int]]:
        """Where the sound of an item of a state lies: channels, first samples, and those after the last.

        An answer is there as it came, the user's words as they were sent. All messages are read.
        """
        if found := list(ranges_of(item_id, self.bundle.lines("wire.jsonl"))):
            return [(RECEIVED, *each) for each in found]
        turn = next((turn for turn in state.turns if turn.item_id == item_id), None)
        at = (turn and turn.speech_started_at) or 0.0
        return [(MICROPHONE, *each) for each in range_of_turn(turn, (at, self.sample_at(MICROPHONE, at)))]

    def counts(self, at: float) -> Counts:
        """The counters at a time."""
        return self._counts[max(bisect_right(self._counts, at, key=itemgetter(0)) - 1, 0)]

    @property
    def underruns(self) -> list[float]:
        """Times at which an answer ran dry, or the device of the speaker did; noticed up to 0.25 s later."""
        return [
            after.at
            for before, after in pairwise(self._counts)
            if after.gaps > before.gaps or after.underflows > before.underflows
            if after.at >= self.begin
        ]

    def heard_ms(self, item_id: str, at: float) -> float:
        """Milliseconds of an item that had been heard at a time, if it was played until then."""
        began = self._began.get(item_id)
        return 0.0 if began is None else max(at - began, 0.0) * 1000


def _bounded(state: SessionState) -> SessionState:
    log = state.log.newest(LOGGED)
    return state if log is state.log else replace(state, log=log)
