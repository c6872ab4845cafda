"""How often the screen draws: the table of rates, and which parts of a new state are drawn now.

What a user waits for is drawn at once, at most once a frame. Counters wait: audio in both directions
changes the log and the counts 50 times a second, and drawing each change would be most of the bytes of an idle screen.
"""

from operator import attrgetter, is_not
from typing import NamedTuple

from msgspec.structs import replace

from voicelive_tui.session.state import Activity, SessionState
from voicelive_tui.session.transcript import Entry
from voicelive_tui.ui.rows import foldable


class Rates(NamedTuple):
    """Intervals in seconds, and sizes that decide how many bytes a change takes."""

    frame: float
    """Between two draws of new states."""
    flood_frame: float
    """The same while events come faster than `FLOOD_RATE`, so that drawing leaves the processor to the audio."""
    tick: float
    """Between two checks for an onset of sound and for updates that are due."""
    quiet_tick: float
    levels: float
    """Between two draws of the levels; less than two ticks, so that every second tick draws them."""
    numbers: float
    """Between two draws of the numbers beside the bars."""
    counts: float
    """Between two draws of counters."""
    quiet_counts: float
    clock: float
    scroll_step: float
    """Share of the pane by which a full list scrolls while it follows its end; 0: line by line."""
    spacious: bool
    """Whether a tall terminal gets a tall status line, and the clock moves each second."""


NORMAL = Rates(
    frame=0.05,
    flood_frame=0.15,
    tick=0.05,
    quiet_tick=0.08,
    levels=0.075,
    numbers=0.5,
    counts=1.0,
    quiet_counts=10.0,
    clock=0.5,
    scroll_step=0.0,
    spacious=True,
)
LEAN = Rates(
    frame=0.6,
    flood_frame=0.6,
    tick=0.6,
    quiet_tick=0.6,
    levels=0.9,
    numbers=2.0,
    counts=10.0,
    quiet_counts=10.0,
    clock=1.2,
    scroll_step=0.9,
    spacious=False,
)
"""For slow lines: `--lean`."""

QUIET_AFTER = 2.0
"""Seconds without anything but counts, after which the screen slows down."""
FLOOD_RATE = 600
"""Events a second."""
LITTLE_MS = 500.0
"""Milliseconds of an answer's audio that may arrive without being drawn."""

_COUNTED = ("log", "counts", "transcript")
_OTHERS = attrgetter(*(name for name in SessionState.__struct_fields__ if name not in _COUNTED))


def notable(old: SessionState, new: SessionState) -> bool:
    """Whether more has changed than the log, the counts and a little audio of an answer."""
    if any(map(is_not, _OTHERS(old), _OTHERS(new))):
        return True
    if old.transcript is new.transcript:
        return False
    return len(old.transcript) != len(new.transcript) or not all(map(_reads_alike, old.transcript, new.transcript))


def _reads_alike(old: Entry, new: Entry) -> bool:
    """Whether only a little more audio came: the place up to which words were heard is estimated from all of it."""
    if old is new:
        return True
    little = new.audio_ms - old.audio_ms <= max(LITTLE_MS, old.audio_ms / 10)
    return little and bool(old.audio_ms) is bool(new.audio_ms) and replace(old, audio_ms=new.audio_ms) == new


def has_news(old: SessionState, new: SessionState) -> bool:
    """Whether the log has new rows other than those that only lengthen a run."""
    return any(not foldable(row) for row in new.log.since(old.log.next_seq))


class Pacing:
    """Decides which parts of a state are drawn now. Times are `time.monotonic()` seconds."""

    def __init__(self, now: float, rates: Rates) -> None:
        self.rates = rates
        self.counts_due = 0.0
        """When counters are drawn next."""
        self._notable_at = now
        self._looked_at, self._next_seq = now, 0

    def decide(self, shown: SessionState, logged: SessionState, state: SessionState, now: float) -> tuple[bool, bool]:
        """Whether to draw a state, and whether to draw its log, given what is drawn of each."""
        if state is shown and state is logged:
            return False, False
        due = now >= self.counts_due
        changed, news = notable(shown, state), has_news(logged, state)
        if changed or news:
            self._notable_at = now
        if due:
            self.counts_due = now + (self.rates.quiet_counts if self.quiet(shown, now) else self.rates.counts)
        return changed or due, news or due

    def pause(self, state: SessionState, now: float) -> float:
        """Seconds until the frame after this one."""
        events, seconds = state.log.next_seq - self._next_seq, max(now - self._looked_at, self.rates.frame)
        self._next_seq, self._looked_at = state.log.next_seq, now
        return self.rates.flood_frame if events / seconds > FLOOD_RATE else self.rates.frame

    def quiet(self, shown: SessionState, now: float) -> bool:
        """Whether nothing is going on."""
        return shown.activity is Activity.READY and now - self._notable_at > QUIET_AFTER
