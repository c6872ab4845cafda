"""The timeline pane: the level of both directions over time, with the moments of each turn.

It sweeps in place, as an oscilloscope does: a moment keeps its column, and the newest column moves on. Textual writes
a widget's changed line from its left edge to the change, so the columns are in widgets of `CHUNK` cells.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from voicelive_tui.session.history import spoken
from voicelive_tui.session.keeping import MomentChosen
from voicelive_tui.session.reading import SILENCE_DBFS, Reading
from voicelive_tui.session.state import SessionState
from voicelive_tui.ui.canvas import Lines
from voicelive_tui.ui.hints import Hint, with_keys
from voicelive_tui.ui.pace import Rates
from voicelive_tui.ui.panes import Pane, Place, joined
from voicelive_tui.ui.panes.meters import FLOOR_DBFS
from voicelive_tui.ui.text import Line, Span, centred, fit
from voicelive_tui.ui.timed import now_of

CHUNK = 10
"""Cells of a widget with columns."""
LABEL = 11
PERIOD = 1.0
"""Seconds between two repaints."""
SPANS = (5.0, 10.0, 20.0, 30.0, 60.0)
"""Seconds that the columns may show."""
BLOCKS = " ▁▂▃▄▅▆▇█"
LATE = 0.1
"""Seconds after which the levels of a column are known."""
HISTORY, SLOT = 6_000, 0.1
"""Levels that are kept of a conversation: ten minutes, in slots of that many seconds."""

Levels = Callable[[float, float, int], list[tuple[float, float]]]
"""Gives the levels in dBFS of microphone and speaker in equal parts of a stretch of time: its begin and end, how many
parts."""


SIGNS = {
    "[": "speech started", "]": "speech stopped", "c": "committed", "r": "response created", ">": "first sound heard",
    "!": "interrupted", "t": "call of a tool", "u": "underrun",
}  # fmt: skip


class Moment(NamedTuple):
    """A mark between the lanes."""

    at: float
    sign: str
    tone: str


def marks(session: SessionState) -> Iterator[Moment]:
    """The marks of a session; where two fall on one column, the later in this order is drawn."""
    for turn in session.turns:
        for at, sign, tone in (
            (turn.committed_at, "c", "dim"),
            (turn.created_at, "r", "dim"),
            (turn.speech_started_at, "[", "accent"),
            (turn.speech_stopped_at, "]", "accent"),
            (turn.heard_at, ">", "good"),
        ):
            if at is not None:
                yield Moment(at, sign, tone)
    for _, call in session.calls:
        if call.complete_at is not None:
            yield Moment(call.complete_at, "t", "warn")
    for turn in session.turns:  # after the speech that interrupts
        if turn.interrupted_at is not None:
            yield Moment(turn.interrupted_at, "!", "bad")


class History:
    """The levels of the last ten minutes of a conversation, as they were read, and the times of underruns."""

    def __init__(self) -> None:
        self.underruns: deque[float] = deque(maxlen=50)
        self._ran_dry = 0
        self._lanes = bytearray(HISTORY), bytearray(HISTORY)
        self._newest = 0

    def put(self, at: float, reading: Reading) -> None:
        """Note the levels of a moment, and whether playback ran dry."""
        ran_dry = reading.gaps + reading.underflows
        if ran_dry > self._ran_dry:
            self.underruns.append(at)
        self._ran_dry = ran_dry
        slot = int(at / SLOT)
        for skipped in range(max(self._newest + 1, slot - HISTORY + 1), slot + 1):
            for lane in self._lanes:
                lane[skipped % HISTORY] = 0
        self._newest = slot
        for lane, meter in zip(self._lanes, (reading.capture, reading.playback), strict=True):
            lane[slot % HISTORY] = max(lane[slot % HISTORY], round(min(max(meter.rms - SILENCE_DBFS, 0.0), 96.0)))

    def levels(self, begin: float, end: float, count: int) -> list[tuple[float, float]]:
        """See `Levels`."""
        part = (end - begin) / count
        return [self._level(begin + index * part, begin + (index + 1) * part) for index in range(count)]

    def _level(self, begin: float, end: float) -> tuple[float, float]:
        first, last = max(int(begin / SLOT), self._newest - HISTORY + 1), min(int(end / SLOT), self._newest)
        left, right = (
            max((lane[slot % HISTORY] for slot in range(first, last + 1)), default=0) for lane in self._lanes
        )
        return SILENCE_DBFS + left, SILENCE_DBFS + right


def heights(dbfs: float, rows: int) -> list[str]:
    """A column of a lane, from the top: eighths of a block."""
    eighths = max(0, min(round((dbfs - FLOOR_DBFS) / -FLOOR_DBFS * rows * 8), rows * 8))
    return [BLOCKS[max(0, min(eighths - 8 * row, 8))] for row in reversed(range(rows))]


class TimelinePane(Pane):
    """Two lanes of levels, and the marks between them.

    Attributes:
        levels: Where the levels come from.
        underruns: Times of underruns.
        cursor: The time of the cursor; None while the newest columns are shown.
    """

    ID = "timeline"
    NAME = "Timeline"
    NUMBER = "6"
    KEYS = ("timeline.play", "timeline.longer", "timeline.shorter", "cross", "zoom")
    CROSSES_TO = "events"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left_square_bracket", "zoom_time(1)", "Longer", key_display="[", show=False, id="timeline.longer"),
        Binding("right_square_bracket", "zoom_time(-1)", "Shorter", key_display="]", show=False, id="timeline.shorter"),
        Binding("left", "move(-1)", "Earlier", show=False, id="timeline.earlier"),
        Binding("right", "move(1)", "Later", show=False, id="timeline.later"),
        Binding("enter", "play", "Play", show=False, tooltip="The 3 s around the cursor", id="timeline.play"),
    ]
    HELP_TEXT = Hint(
        """\
The level of the microphone as sent, and of what is heard, from -60 to 0 dBFS. The newest column moves to the right, \
and begins at the left again.
"""
        + ", ".join(f"{sign} {name}" for sign, name in SIGNS.items())
        + """.
{timeline.longer} and {timeline.shorter} show more and less time. {locate} on an event or an answer shows its moment \
here. {match.next} and {match.previous} go from mark to mark, {timeline.earlier} and {timeline.later} move the cursor, \
or a replay by 5 s; {cross} goes to the event there, {timeline.play} plays the 3 s around it, {back} follows again."""
    )

    DEFAULT_CSS = """
    TimelinePane {
        height: 7; padding: 1 2 1 1; layout: horizontal;
        & #timeline-labels { width: 1fr; height: 1fr; }
        & .timeline--chunk { width: 10; height: 1fr; }
    }
    """

    def __init__(self, rates: Rates) -> None:
        super().__init__()
        self._off = not rates.spacious
        self._history = History()
        self.levels: Levels = self._history.levels
        self.underruns: Iterable[float] = self._history.underruns
        self.cursor: float | None = None
        self._labels = Lines(id="timeline-labels")
        self._labels.can_focus = True
        self._chunks: list[Lines] = []
        self._span = 3
        self._columns: dict[int, tuple[float, float]] = {}
        """The levels of columns by number: time over `_seconds`."""
        self._due = 0.0

    def body(self) -> ComposeResult:
        yield self._labels

    @property
    def _seconds(self) -> float:
        """Of a column."""
        return SPANS[self._span] / max(len(self._chunks) * CHUNK, 1)

    def on_resize(self) -> None:
        wanted = 0 if self._off else max(self.size.width - LABEL, 0) // CHUNK
        if wanted > len(self._chunks):
            fresh = [Lines(classes="timeline--chunk") for _ in range(wanted - len(self._chunks))]
            self._chunks += fresh
            self.mount(*fresh)
        for chunk in self._chunks[wanted:]:
            chunk.remove()
        del self._chunks[wanted:]
        self._columns.clear()
        self.call_after_refresh(self.redraw)

    def show(self, session: SessionState) -> None:
        """Nothing at once: it is drawn at its own pace."""

    def update_levels(self, reading: Reading) -> None:
        """Note the levels, and draw them if it is time to."""
        if self._off:
            return
        now = now_of(self)
        super().update_levels(reading)
        self._history.put(now, reading)
        if not 0 <= now - self._due < PERIOD:
            self._due = now
            self.redraw()

    def redraw(self) -> None:
        if self._off:
            self._labels.show(*centred([(("Off with --lean: it is drawn all the time.", "dim"),)], *self._labels.size))
        if not self.display or not self._chunks or not self.is_attached:
            return
        count, rows = len(self._chunks) * CHUNK, max((self._labels.size.height - 1) // 2, 1)
        newest = int((now_of(self) - LATE) / self._seconds) - 1
        cursor = None if self.cursor is None else int(self.cursor / self._seconds)
        if cursor is not None and cursor <= newest - count + 1:
            newest = cursor + count // 2
        oldest = newest - count + 2  # a blank column is between the newest and the oldest
        self._fill(oldest, newest)
        signs = {int(mark.at / self._seconds): (mark.sign, mark.tone) for mark in self._marks()}
        for index, chunk in enumerate(self._chunks):
            columns = range(index * CHUNK, (index + 1) * CHUNK)
            numbers = [number if (number := newest - (newest - x) % count) >= oldest else None for x in columns]
            chunk.show(*self._lines(numbers, rows, cursor, signs))
        names: list[Line] = [((f" {fit(name, LABEL - 1)}", "dim"),) for name in ("mic", "assistant")]
        above: list[Line] = [()] * (rows - 1)
        self._labels.show(*above, names[0], (), *above, names[1])
        self.show_head()

    def _marks(self) -> list[Moment]:
        return [*marks(self.session), *(Moment(at, "u", "warn") for at in self.underruns)]

    def _fill(self, oldest: int, newest: int) -> None:
        """Fetch the levels that are missing, and forget those that are not shown."""
        self._columns = {number: found for number, found in self._columns.items() if oldest <= number <= newest}
        missing = [number for number in range(oldest, newest + 1) if number not in self._columns]
        if missing:
            first, last, seconds = missing[0], missing[-1], self._seconds
            found = self.levels(first * seconds, (last + 1) * seconds, last - first + 1)
            self._columns |= zip(range(first, last + 1), found, strict=True)

    def _lines(
        self, numbers: list[int | None], rows: int, cursor: int | None, signs: dict[int, tuple[str, str]]
    ) -> list[Line]:
        """The lines of a chunk: the microphone's, the marks, the speaker's."""
        silent = SILENCE_DBFS, SILENCE_DBFS
        levels = [silent if number is None else self._columns.get(number, silent) for number in numbers]
        lanes = [list(zip(*(heights(level[lane], rows) for level in levels), strict=True)) for lane in (0, 1)]

        def line(cells: list[Span]) -> Line:
            spans: list[Span] = []
            for number, (cell, tone) in zip(numbers, cells, strict=True):
                if number is None:
                    cell, tone = "│", "faint"  # noqa: PLW2901 - where the newest column goes next
                elif number == cursor:
                    tone = "cursor"  # noqa: PLW2901
                if spans and spans[-1][1] == tone:
                    spans[-1] = (spans[-1][0] + cell, tone)
                else:
                    spans.append((cell, tone))
            return tuple(spans)

        marked = [(" ", "faint") if number is None else signs.get(number, (" ", "faint")) for number in numbers]
        return [
            *(line([(cell, "accent") for cell in row]) for row in lanes[0]),
            line(marked),
            *(line([(cell, "good") for cell in row]) for row in lanes[1]),
        ]

    def note(self) -> Line:
        """Where the cursor is, and the time shown."""
        if self._off:
            return ()
        keys = Hint(f"{{timeline.longer}} {SPANS[self._span]:g} s {{timeline.shorter}}")
        shown: Span = (with_keys(self, keys), "dim")
        if self.cursor is None:
            return (shown,)
        at = f"at {self.cursor - self.session.log.origin:.3f}"
        mark = next((SIGNS[mark.sign] for mark in self._marks() if mark.at == self.cursor), "")
        return joined((at, "accent"), (mark, "text"), shown)

    # --- the cursor

    def time_of(self, place: Place) -> float | None:
        """When what a line shows happened."""
        row = self.session.log.row(place.seq) if place.seq is not None else None
        if row is not None:
            return row.at
        entry = self.session.entry(place.item_id)
        if entry is None or place.share is None:
            return None if entry is None else entry.at
        ids = {entry.item_id, entry.response_id} - {""}
        turn = next((turn for turn in self.session.turns if ids & {turn.item_id, turn.response_id}), None)
        start, end = spoken(entry, turn)
        return min(start + place.share * max(entry.audio_ms / 1000, end - start), end)

    def go_to(self, place: Place) -> bool:
        at = self.time_of(place)
        if at is None or self._off:
            return False
        self.locate(at)
        return True

    def locate(self, at: float) -> None:
        """Move the cursor to a time."""
        self.cursor = at
        self.redraw()

    def place(self) -> Place | None:
        """The event at the cursor: the last one until then, log records apart."""
        log = self.session.log
        at = now_of(self) if self.cursor is None else self.cursor
        kept = range(log.first_seq, log.next_seq)
        index = bisect_right(kept, at, key=lambda seq: row.at if (row := log.row(seq)) else 0.0)
        rows = (log.row(seq) for seq in reversed(kept[:index]))
        row = next((row for row in rows if row and row.direction != "log"), None)
        return None if row is None else Place(row.item_id, row.response_id, row.seq)

    @property
    def leaves(self) -> bool:
        return self.cursor is not None

    def close(self) -> bool:
        if self.cursor is None:
            return False
        self.cursor = None
        self.redraw()
        return True

    def action_move(self, direction: int) -> None:
        at = now_of(self) if self.cursor is None else self.cursor
        self.locate(min(at + direction * self._seconds, now_of(self)))

    def next_match(self, step: int) -> None:
        """Move the cursor to the next mark (1) or the previous one (-1)."""
        here = now_of(self) if self.cursor is None else self.cursor
        times = sorted(mark.at for mark in self._marks() if (mark.at - here) * step > 0)
        if times:
            self.locate(times[0 if step > 0 else -1])

    def action_zoom_time(self, direction: int) -> None:
        self._span = min(max(self._span + direction, 0), len(SPANS) - 1)
        self._columns.clear()
        self.redraw()
        self.show_head()

    def action_play(self) -> None:
        self.post_message(self.Wants(MomentChosen(now_of(self) if self.cursor is None else self.cursor)))
