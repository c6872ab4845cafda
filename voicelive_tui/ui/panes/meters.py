"""The meters pane: levels of the sent and the played audio, with peak hold, and the health of the sound path.

A bar is drawn with reversed spaces: one byte a cell, and readable without colour. Textual writes a widget's changed
line from the widget's left edge to the last change, which is why bars are widgets of their own.
"""

import re
import time
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter

from textual.app import ComposeResult

from voicelive_tui.session.reading import SILENCE_DBFS, Meter, Reading
from voicelive_tui.session.state import Device, SessionState
from voicelive_tui.text import duration, visible
from voicelive_tui.ui.canvas import HorizontalGround, Lines
from voicelive_tui.ui.hints import replayed
from voicelive_tui.ui.pace import Rates
from voicelive_tui.ui.panes import Pane, joined
from voicelive_tui.ui.panes.status import microphone, silent_devices
from voicelive_tui.ui.text import Line, Span, clip, fit, measured, width_of
from voicelive_tui.wire.events import mapping

FLOOR_DBFS = -60.0
"""The left end of a bar."""
WARN_DBFS = -12.0
BAD_DBFS = -6.0
CHUNKS = 5
"""Widgets that the bars are made of: a change of a level rewrites one or two of them."""
STEADY_DB = 1.5
"""Change in dB from which a level is drawn again: room noise must not keep the screen busy."""
LABEL = 11


def bar(meter: Meter, width: int) -> Line:
    """A level bar of `width` cells: RMS as the bar, the held peak as one cell of it."""

    def cells(level: float) -> int:
        return max(0, min(round((level - FLOOR_DBFS) / -FLOOR_DBFS * width), width))

    filled, hold = cells(meter.rms), cells(meter.hold)
    warn, bad = cells(WARN_DBFS), cells(BAD_DBFS)
    spans: list[Span] = []
    for start, end, tone in ((0, warn, "bar"), (warn, bad, "bar-warn"), (bad, width, "bar-bad")):
        if filled > start:
            spans.append((" " * (min(filled, end) - start), tone))
    if hold > filled:
        tone = "bar-bad" if hold > bad else "bar-warn" if hold > warn else "bar"
        spans += [(" " * (hold - filled - 1), "track"), (" ", tone)]
    spans.append((" " * (width - max(filled, hold)), "track"))
    return tuple(span for span in spans if span[0])


def with_mark(line: Line, at: int) -> Line:
    """A bar with the threshold of the turn detection as a mark on one cell."""
    left, ((_, tone),), right = sliced(line, (at, 1, width_of(line)))
    return (*left, ("┆", tone), *right)


def threshold(session: SessionState) -> float | None:
    """The threshold of the turn detection in force, 0 to 1; None where its type has none."""
    value = mapping(session.in_force.get("turn_detection")).get("threshold")
    return min(max(value, 0.0), 1.0) if isinstance(value, int | float) else None


@cache
def scale(width: int) -> str:
    """The numbers under a bar of `width` cells."""
    marks = [" "] * (width + 4)
    for level in (-60, -48, -36, -24, -18, -12, -6, 0) if width >= 60 else (-60, -36, -12, 0):
        at = round((level - FLOOR_DBFS) / -FLOOR_DBFS * width)
        text = str(level)
        at = max(min(at - len(text) // 2, width - len(text)), 0)
        marks[at : at + len(text)] = text
    return "".join(marks)[:width]


def sliced(line: Line, widths: Sequence[int]) -> list[Line]:
    """A line in pieces of some widths."""
    cells = [(character, tone) for text, tone in line for character in text]
    pieces: list[Line] = []
    for width in widths:
        runs = groupby(cells[:width], key=itemgetter(1))
        pieces.append(tuple(("".join(character for character, _ in run), tone) for tone, run in runs))
        del cells[:width]
    return pieces


def level(meter: Meter) -> str:
    """The RMS level in whole dBFS."""
    return "silent" if meter.rms <= SILENCE_DBFS + 6 else f"{meter.rms:.0f} dB"


def steady(shown: Meter, now: Meter) -> Meter:
    """The levels to show next, given those shown now."""

    def chosen(before: float, level: float) -> float:
        return before if abs(level - before) < STEADY_DB else level

    return Meter(chosen(shown.rms, now.rms), now.peak, chosen(shown.hold, now.hold))


def health(reading: Reading, *, whole: bool = True) -> Line:
    """Counters of lost audio, and the device's latency; the session pane shows zeros too: they rule causes out."""
    counters = {
        f"underflows {reading.underflows}": reading.underflows,
        f"overflows {reading.overflows}": reading.overflows,
        f"gaps {reading.gaps}": reading.gaps,
        f"dropped {duration(reading.dropped_ms)}": reading.dropped_ms,
        f"device latency {duration(reading.output_latency_ms)}": 0,
    }
    shown = ((words, "warn" if lost else "dim") for words, lost in counters.items() if lost or whole)
    return joined(*shown, gap=" · ")


class MetersPane(Pane):
    """Two bars; with more room a scale, the buffers and the devices."""

    ID = "meters"
    NAME = "Levels"
    NUMBER = "4"
    HELP_TEXT = """\
The bars are RMS levels in dBFS (a full-scale sine reads -3), the mark is the highest peak of the last seconds.
mic: what is being sent to the service now, so silence while muted or gated; what would be sent where it says "waits". \
A good voice is around -24 to -12.
┆ is the threshold of the turn detection, 0 at the left end and 1 at the right; it is not a level.
assistant: what the speaker plays now, not what arrived. no speaker: what it would play.
underflow: the speaker needed samples before they were ready. overflow: captured samples were not read in time.
gap: playback ran dry in the middle of an answer, because its next audio came too late over the network.
dropped: captured sound discarded because it was stale or the connection was slow.
buffered: received and not yet handed to the device. outbox: captured and waiting to be sent."""

    DEFAULT_CSS = """
    MetersPane {
        height: 5;
        & #meters-labels { width: 12; height: 1fr; }
        & #meters-levels { width: 9; height: 1fr; }
        & .meters--bars { width: 1fr; height: 1fr; }
        & #meters-more { height: 3; display: none; }
    }
    """

    def __init__(self, rates: Rates) -> None:
        super().__init__()
        self._rates = rates
        self._labels, self._levels = Lines(id="meters-labels"), Lines(id="meters-levels")
        self._bars = [Lines(id=f"meters-bars-{number}", classes="meters--bars") for number in range(CHUNKS)]
        self._more = Lines(id="meters-more")
        self._labels.can_focus = True
        self._numbers_due = 0.0
        self._labelled: object = None
        self._held_back = False
        """Numbers were not drawn because it was too soon."""
        self._capture = self._playback = Meter()

    def body(self) -> ComposeResult:
        """Labels, numbers and bars apart, so that a moving bar does not rewrite what is to its left."""
        with HorizontalGround():
            yield self._labels
            yield from self._bars
            yield self._levels
        yield self._more

    def show(self, session: SessionState) -> None:
        """Draw labels and bars; numbers less often, and whenever sound begins or ends."""
        reading, widths = self.reading, [each.size.width for each in self._bars]
        width = max(sum(widths), 1)
        capture = self._capture = steady(self._capture, reading.capture)
        playback = self._playback = steady(self._playback, reading.playback)
        sent, mark = bar(capture, width), threshold(session)
        if mark is not None:
            sent = with_mark(sent, min(round(mark * width), width - 1))
        heard, numbers = sliced(bar(playback, width), widths), sliced(((scale(width), "dim"),), widths)
        for chunk, *lines in zip(self._bars, sliced(sent, widths), heard, numbers, strict=True):
            chunk.show(*lines)
        now = time.monotonic()
        word, tone = microphone(session, reading, replayed=replayed(self))
        tone = {"chip-good": "good", "chip-bad": "bad", "chip-warn": "warn"}.get(tone, "dim")
        unheard = session.output.problem and not session.output.description
        speaker = ("no speaker", "warn") if unheard else ("assistant", "good" if session.playing else "dim")
        sounds = capture.rms > FLOOR_DBFS, playback.rms > FLOOR_DBFS
        state = word, tone, speaker, session.input, session.output, sounds
        self._held_back = now < self._numbers_due and state == self._labelled
        if self._held_back:
            return
        self._numbers_due, self._labelled = now + self._rates.numbers, state
        self._labels.show((_label(word, tone),), (_label(*speaker),))
        self._levels.show(*(measured(f"{level(meter):>8}", "text") for meter in (capture, playback)))
        if self._more.display:
            self._more.show(
                (_label("buffered"), (f"{duration(reading.buffered_ms):<10}", "text"),
                 ("outbox ", "dim"), (f"{duration(reading.outbox_ms):<10}", "text"),
                 ("device latency ", "dim"), (duration(reading.output_latency_ms), "text")),
                (_label("microphone"), self._device(session.input)),
                (_label("speaker"), self._device(session.output)),
            )  # fmt: skip

    def _device(self, device: Device) -> Span:
        words = visible(device.problem or device.description) or "not open"
        room = self.outer_size.width - LABEL - 4
        if device.problem and clip(words, room) != words:  # why, and not what to do, which stands in the log
            words = re.split("[:;]", words)[0]
        return (clip(words, room), "warn" if device.problem else "text")

    def watch_session(self, old: SessionState, new: SessionState) -> None:
        """Redraw only if a label changes; levels come with the readings."""
        shown = ("microphone", "input", "output", "playing", "in_force")
        if any(getattr(old, name) is not getattr(new, name) for name in shown):
            super().watch_session(old, new)

    def update_levels(self, reading: Reading) -> None:
        """Draw new levels, and counters of lost sound."""
        if reading == self.reading and not self._held_back:
            return
        super().update_levels(reading)
        self.show(self.session)
        self.show_head()

    def on_resize(self) -> None:
        self._more.display = self.outer_size.height >= 8
        self._numbers_due = 0.0

    def note(self) -> Line:
        """What is wrong with the sound; the head is visible in every layout."""
        works = {"microphone": self.session.input.description, "speaker": self.session.output.description}
        if failed := silent_devices(self.session):
            # Why, and not what to do, which stands in the transcript and in the log.
            whys = ((name, re.split("[:;]", visible(problem))[0]) for name, problem in failed)
            said = (
                f"{name if works.get(name) else 'no ' + name.replace(' and ', ' or ')}: {why}" for name, why in whys
            )
            return ((" · ".join(said), "warn"),)
        return health(self.reading, whole=False)


def _label(text: str, tone: str = "dim") -> Span:
    return (f" {fit(text, LABEL)}", tone)
