"""When what changed is shown: at once what a person waits for, later what only counts up.

Sound going to and fro changes the log and the counts 50 times a second. Drawn each time it would be most of the bytes
of an idle screen, so it waits for the next full second, and longer where nothing has gone on for a while.
"""

from dataclasses import replace
from operator import attrgetter, is_not

from voicelive_tui.session.state import Activity, Entry, SessionState
from voicelive_tui.ui.rows import foldable

QUIET_AFTER = 10.0
"""Seconds without anything but more of the same sound, after which the screen slows down."""
CROWD, CROWDED_EVERY = 50, 0.15
"""So many events since the log was shown are a flood, of which nobody reads each line; and the seconds between looks at
it, so that drawing does not take the processor from the sound."""
LITTLE_MS = 500.0
"""Sound of an answer, in milliseconds, that may come without being shown."""
COUNTED_EVERY, COUNTED_SELDOM = 1.0, 10.0
"""Seconds between looks at what only counts up."""


_COUNTED = ("log", "counts", "transcript")
_OTHERS = attrgetter(*(name for name in SessionState.__dataclass_fields__ if name not in _COUNTED))


def notable(old: SessionState, new: SessionState) -> bool:
    """Whether more has changed than the log, the counts, and how much sound of an answer came."""
    if any(map(is_not, _OTHERS(old), _OTHERS(new))):
        return True
    if old.transcript is new.transcript:
        return False
    return len(old.transcript) != len(new.transcript) or not all(map(_says_the_same, old.transcript, new.transcript))


def _says_the_same(old: Entry, new: Entry) -> bool:
    """Whether nothing but a little more sound came: where what is heard ends is reckoned from all of it."""
    if old is new:
        return True
    little = new.audio_ms - old.audio_ms <= max(LITTLE_MS, old.audio_ms / 10)
    return little and bool(old.audio_ms) is bool(new.audio_ms) and replace(old, audio_ms=new.audio_ms) == new


def has_news(old: SessionState, new: SessionState) -> bool:
    """Whether the log has rows that are more than one more of a run."""
    return any(not foldable(row) for row in new.log.since(old.log.next_seq))


class Pacing:
    """What is to be shown now. Times are `time.monotonic()` seconds."""

    def __init__(self, now: float, *, lean: bool) -> None:
        self.lean = lean
        self.due = 0.0
        """When that which only counts up is shown next."""
        self._notable_at = now
        self._shown_at = 0.0

    def decide(self, shown: SessionState, logged: SessionState, state: SessionState, now: float) -> tuple[bool, bool]:
        """Whether a state is to be shown, and whether its log is, given what is shown of each."""
        if state is shown and state is logged:
            return False, False
        if state.log.next_seq - logged.log.next_seq > CROWD and now - self._shown_at < CROWDED_EVERY:
            return False, False
        due = now >= self.due
        changed, news = notable(shown, state), has_news(logged, state)
        if changed or news:
            self._notable_at = now
        if due:
            self.due = now + (COUNTED_SELDOM if self.lean or self.quiet(shown, now) else COUNTED_EVERY)
        if changed or news:
            self._shown_at = now
        return changed or due, news or due

    def quiet(self, shown: SessionState, now: float) -> bool:
        """Whether nothing is going on."""
        return shown.activity is Activity.READY and now - self._notable_at > QUIET_AFTER
