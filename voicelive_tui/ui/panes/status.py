"""The status line, visible in every layout: activity, microphone, service, elapsed time."""

import re

from rich.cells import cell_len
from textual.reactive import var

from voicelive_tui.session.headline import caller_speaks, headline
from voicelive_tui.session.reading import SILENCE_DBFS, Reading
from voicelive_tui.session.state import Activity, SessionState, Stage
from voicelive_tui.text import clock, visible
from voicelive_tui.ui.arrangement import LEAST
from voicelive_tui.ui.canvas import Lines
from voicelive_tui.ui.hints import Hint, keyed, replayed, with_keys, works
from voicelive_tui.ui.text import Line, Span, clip, spread, width_of, wrap
from voicelive_tui.ui.timed import now_of

CHIP = 15
"""Cells of the chip, so that nothing beside it moves when the word changes."""

_TONES = {
    "listening": "chip-accent",
    "talking": "chip-accent",
    "thinking": "chip-accent",
    "approve?": "chip-warn",
    "speaking": "chip-good",
    "interrupted": "chip-warn",
    "muted": "chip-bad",
    "reconnecting": "chip-warn",
    "failed": "chip-bad",
    "closed": "chip-bad",
}
SETTLED = frozenset((Stage.READY, Stage.CLOSED, Stage.FAILED))
"""Stages in which no second is counted."""
LONG_WAIT = 3.0
"""Seconds from which on waiting is a warning."""
LEAST_DETAIL = 16
"""Cells; with less room than that a hint stands alone."""
EXPIRY_NOTICE = 300
"""Seconds before the session's end from which on the time left is shown."""


def microphone(session: SessionState, reading: Reading, *, replayed: bool = False) -> Span:
    """The microphone's state in a word, by what happens to its sound; one that was live in a recording is not."""
    mic = session.microphone
    if "input" in reading.stalled:
        return ("mic STALLED", "chip-bad")
    if session.input.description == "none":
        return ("mic none", "chip")
    if session.resuming and session.input.description and not session.input.problem:
        return ("mic kept", "chip-warn") if mic.talking or not mic.push_to_talk else ("mic waits", "chip")
    if not mic.capturing:
        return ("mic none", "chip-warn") if session.input.problem else ("mic off", "chip")
    if mic.ended:
        return ("mic ended", "chip-warn")
    if mic.muted:
        return ("mic MUTED", "chip-bad")
    if reading.gated:
        return ("mic gated", "chip-warn")
    if mic.push_to_talk and not mic.talking:
        return ("mic waits", "chip")
    return ("mic", "chip") if replayed else ("mic LIVE", "chip-good")


def silent_devices(session: SessionState) -> list[tuple[str, str]]:
    """Which direction of sound does not work, and why; one line where both fail for the same reason."""
    microphone, speaker = session.input.problem, session.output.problem
    if microphone and microphone == speaker:
        return [("microphone and speaker", microphone)]
    return [(name, problem) for name, problem in (("microphone", microphone), ("speaker", speaker)) if problem]


def service(endpoint: str) -> str:
    """A short name of the service; the session pane shows the whole address."""
    host = endpoint.partition("://")[2]
    return "AZURE" if host.endswith((".azure.com", ".microsoft.com")) else clip(visible(host), 15)


def counts_seconds(session: SessionState, now: float) -> bool:
    """Whether the status line counts the seconds of a wait, or those that are left."""
    waits = session.resuming or session.connection.stage not in SETTLED or session.activity is Activity.THINKING
    return waits or remaining(session, now) is not None


def remaining(session: SessionState, now: float) -> float | None:
    """Seconds until the session expires, if that is within `EXPIRY_NOTICE`."""
    ends_at = session.connection.ends_at
    if ends_at is None or not session.ready:
        return None
    left = ends_at - now
    return max(left, 0.0) if left < EXPIRY_NOTICE else None


def starved(session: SessionState, reading: Reading) -> bool:
    """Whether playback has caught up with an answer that is still arriving."""
    awaited = session.activity is Activity.SPEAKING and session.response != ""
    return awaited and not reading.buffered_ms and reading.playback.rms <= SILENCE_DBFS


class Clock(Lines):
    """The conversation's length; a widget of its own, so that each second writes few bytes."""

    elapsed: var[str] = var("", init=False)

    def redraw(self) -> None:
        line: Line = ((self.elapsed.rjust(self.size.width - 1), "dim"),)
        self.show(*(((), line) if self.size.height >= 3 else (line,)))

    watch_elapsed = on_resize = redraw


class StatusLine(Lines):
    """One line; in a tall terminal three, with the text in the middle."""

    session: var[SessionState] = var(SessionState, init=False)
    reading = Reading()
    elapsed: var[str] = var("", init=False)
    in_front: var[bool] = var(True, init=False)
    """The keys that it names are those of the screen in use."""

    def watch_session(self) -> None:
        self.redraw()

    def watch_in_front(self) -> None:
        self.redraw()

    def update_levels(self, reading: Reading) -> None:
        """Redraw if what is shown of a reading changed."""
        old, self.reading = self.reading, reading
        marks = [
            (each.gated, each.stalled, starved(self.session, each), int(each.unkept_ms / 1000))
            for each in (old, reading)
        ]
        if marks[0] != marks[1]:
            self.redraw()

    def watch_elapsed(self) -> None:
        session = self.session
        recording = session.recording and session.recording.since is not None
        if recording or counts_seconds(session, now_of(self)):
            self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def redraw(self) -> None:
        now = now_of(self)
        word, detail, hint, waited = headline(self.session, now)
        if starved(self.session, self.reading):
            word, detail, hint, waited = "thinking", "waiting for more sound", "", 0.0
        elif word == "speaking" and self.reading.gated:
            hint = "{interrupt} to interrupt"
        # What to do comes first: where there is no room, the explanation is shortened.
        hint = hint if not replayed(self) and (self.in_front or works(self, hint)) else ""
        tone = "chip-warn" if waited >= LONG_WAIT else _TONES.get(word, "chip")
        chip = word.upper() + (f" {int(waited)} s" if waited >= 1 else "")
        badge: Line = ((chip.center(CHIP), tone), ("  ", "text"))
        hinted = keyed(self, hint)
        words: Line = (*hinted, (" · " if hinted and detail else "", "text"), (visible(detail), "text"))
        tall, under = self.size.height >= 3, ""
        for caller, named in ((" synthetic caller", True), (" synthetic", True), ("", False), ("", True)):
            right = self._right(now, caller, named=named)
            room = self.size.width - width_of((*badge, *right))
            if width_of(words) <= room:
                break
        else:
            beside = room - width_of(hinted) - len(" · ")
            if hinted and beside < LEAST_DETAIL:
                first_key = hint.partition(", ")[0].partition(" · ")[0]
                words = hinted if beside + len(" · ") >= 0 else keyed(self, first_key)
            elif tall:
                first, *rest = wrap(visible(detail), beside)
                words, under = (*words[:-1], (first.rstrip(), "text")), clip("".join(rest), self.size.width - CHIP - 3)
        line = spread((*badge, *words), right, self.size.width)
        edge: Span = (" " * CHIP, tone)
        self.show(*(((edge,), line, (edge, (f"  {under}", "text"))) if tall else (line,)))

    def _right(self, now: float, caller: str, *, named: bool) -> Line:
        """What stands at the right end: recording, service where `named`, microphone; `caller` follows the badge."""
        connection, recording = self.session.connection, self.session.recording
        right: list[Span] = [(" ", "text")]
        if recording and recording.since is not None:
            right += [("● ", "bad"), (clock(now - recording.since), "text"), ("  ", "text")]
        if self.reading.unkept_ms >= 1000:
            right += [(f"{self.reading.unkept_ms / 1000:.0f} s lost", "warn"), ("  ", "text")]
        left_s = remaining(self.session, now)
        if left_s is not None:
            right += [(f"ends in {clock(left_s)}", "warn"), ("  ", "text")]
        if connection.demo:
            right += [(" DEMO ", "chip"), (caller if caller_speaks(self.session) else "", "dim"), ("  ", "text")]
        elif connection.endpoint and named:
            right += [(service(connection.endpoint), "accent"), ("  ", "text")]
        mic, mic_tone = microphone(self.session, self.reading, replayed=replayed(self))
        return (*right, (f" {mic} ", mic_tone))


class TooSmall(StatusLine):
    """Shown in a terminal too small for the dashboard, where the microphone may still be live."""

    def redraw(self) -> None:
        if self.size.width:  # it is shown
            sentence = f"The dashboard needs at least {LEAST.width}x{LEAST.height} characters."
            lines = (((piece, "text"),) for piece in wrap(sentence, self.size.width))
            self.show((microphone(self.session, self.reading, replayed=replayed(self)),), *lines)


class ProblemLine(Lines):
    """The newest unseen problem, pinned under the status line."""

    session: var[SessionState] = var(SessionState, init=False)
    in_front: var[bool] = var(True, init=False)
    """See `StatusLine`."""

    def redraw(self) -> None:
        problems = self.session.problems
        if self.display is not bool(problems):
            self.display = bool(problems)
        if problems:
            newest = problems[-1]
            tone = "bad" if newest.severity == "error" else "warn"
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            mark = "✗ error: " if newest.severity == "error" else "! warning: "
            words, room = visible(newest.text) + more, self.size.width - len(mark) - 1
            keys = with_keys(self, Hint("  {cross} opens it, {back} dismisses "))
            if cell_len(words + keys) > room:  # the event has its code too
                words = re.sub(r" \(code [^)]*\)", "", words)
            if cell_len(words + keys) > room:
                keys = with_keys(self, Hint("  {cross} opens it "))
            left: Line = ((" " + mark, tone), (words, tone))
            self.show(spread(left, ((keys if self.in_front else "", "dim"),), self.size.width))

    watch_session = watch_in_front = on_resize = redraw
