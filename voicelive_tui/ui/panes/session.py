"""The session pane: settings asked for and in force, counts, tokens and the connection."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.reactive import var
from textual.timer import Timer

from voicelive_tui.session.edits import detection_of
from voicelive_tui.session.inputs import SessionEdited
from voicelive_tui.session.request import NULL_MEANS_OFF
from voicelive_tui.session.state import SessionState, Stage
from voicelive_tui.text import clock, counted, duration, excerpt, visible
from voicelive_tui.ui.hints import Hint
from voicelive_tui.ui.panes import Pane
from voicelive_tui.ui.panes.meters import health
from voicelive_tui.ui.panes.steps import DIFFERS, PAUSE, step_lines, step_of, stepped
from voicelive_tui.ui.scroll_list import ScrollList
from voicelive_tui.ui.text import Line, Span, clip, width_of, wrap
from voicelive_tui.ui.timed import now_of
from voicelive_tui.wire.events import listing, mapping

LABEL = 16
INDENT = 3
"""Of a value with a word too wide for the place beside its label."""
SERVED = " served as "


@lru_cache(maxsize=100)
def folded(line: Line, width: int) -> tuple[Line, ...]:
    """A line of the pane in pieces of at most `width` cells, all but the first under the label's right edge."""
    if width_of(line) <= width:
        return (line,)
    label, *spans = line
    words = [word for text, _ in spans for word in text.split()]
    # A word that does not fit beside its label has the rows below: none is broken where that helps.
    indent = LABEL if max(map(cell_len, words), default=0) <= width - LABEL else INDENT
    room = width - indent
    pieces: list[list[Span]] = [[label]] if indent == LABEL else [[label], [(" " * indent, "text")]]
    used = 0
    for text, tone in spans:
        parts = re.split("(?<= · )", text)  # where there is room, a part is not broken
        for index, piece in ((index, piece) for part in parts for index, piece in enumerate(wrap(part, room))):
            if index or used + width_of([(piece.rstrip(), tone)]) > room:
                pieces.append([(" " * indent, "text")])
                used = 0
                piece = piece.lstrip() or piece  # noqa: PLW2901 - a line does not begin with a gap
            pieces[-1].append((piece, tone))
            used += width_of([(piece, tone)])
    return tuple(tuple(piece) for piece in pieces)


def settings(session: SessionState, which: "Settings") -> list[Line]:
    """Settings in force, each with what was asked for if that differs."""
    asked = {**session.asked, "model": session.connection.model or None}
    rows: list[Line] = []
    for label, key, words in which:
        want, have = words(asked.get(key)), words(session.in_force.get(key))
        off = key in NULL_MEANS_OFF and key in session.in_force
        if key in session.asked and not want:
            want, off = "none", bool(session.in_force)
        if off:
            have = have or "none"
        if not want and not have:
            continue
        if key == "model" and want and have.startswith(f"{want}-"):  # a deployment or a version of it
            rows.append((*_label(label), (excerpt(want), "text"), (SERVED, "dim"), (excerpt(have), "dim")))
        elif session.in_force and want and have != want:
            shown = have or "the service's default"
            rows.append((*_label(label), (excerpt(shown), "warn"), (DIFFERS, "dim"), (excerpt(want), "text")))
        else:
            rows.append((*_label(label), (excerpt(have or want), "text" if have else "dim")))
    return rows


def interruption(session: SessionState) -> list[Line]:
    """What became of the last answer that was interrupted."""
    last = next((turn for turn in reversed(session.turns) if turn.interrupted_at is not None), None)
    if last is None or last.interrupted_at is None:
        return []
    unheard = "before its first sound" if last.unheard_ms is None else f"{duration(last.unheard_ms)} unheard"
    ms = None if last.silent_at is None else (last.silent_at - last.interrupted_at) * 1000
    silent = "" if ms is None else f"silent after {duration(ms)} · "
    return [(*_label("interrupted"), (f"turn {last.number}: {silent}{unheard}", "text"))]


def connection(session: SessionState, now: float) -> list[Line]:
    """Endpoint, credential, duration, and how the connection ended."""
    link = session.connection
    rows: list[Line] = [(*_label("endpoint"), (visible(link.endpoint) or "none yet", "text"))]
    if link.api_version or link.credential:
        words = " · ".join(filter(None, (f"api {link.api_version}" if link.api_version else "", link.credential)))
        rows.append((*_label(""), (visible(words), "dim")))
    if link.session_id:
        rows.append((*_label("session id"), (excerpt(link.session_id), "text")))
    if session.conversation_id:
        rows.append((*_label("conversation"), (excerpt(session.conversation_id), "text")))
    if link.ready_at is not None:
        until = now if link.ended_at is None else link.ended_at
        minutes = int((until - link.ready_at) // 60)
        rows.append((*_label("connected for"), (f"{minutes} min" if minutes else "less than a minute", "text")))
    if link.stage in (Stage.CLOSED, Stage.FAILED):
        code = f"code {link.close_code}" if link.close_code else ""
        said = ("" if code in link.problem else code, excerpt(link.problem))
        rows.append((*_label(link.stage.value), (" · ".join(filter(None, said)), "bad")))
    return rows


def counts(session: SessionState) -> list[Line]:
    """Counts of turns, events, audio and tokens."""
    count, usage = session.counts, session.usage.sums
    interruptions, errors = f"  interruptions {count.interruptions}", f"  errors {count.errors}"
    sound = f"sent {clock(count.audio_out_ms / 1000)}  received {clock(count.audio_in_ms / 1000)}"
    tokens_in = f" (text {usage.input_text:,}, audio {usage.input_audio:,}; cached {usage.cached:,})"
    tokens_out = f" (text {usage.output_text:,}, audio {usage.output_audio:,}"
    reasoning = f"; reasoning {usage.reasoning:,})" if usage.reasoning else ")"
    rows: list[Line] = [
        (
            *_label("turns"),
            (f"{session.turn_count}", "text"),
            (interruptions, "text"),
            (errors, "bad" if count.errors else "text"),
        ),
        (*_label("events"), (f"sent {count.events_out:,}  received {count.events_in:,}", "text")),
        (*_label("audio"), (sound, "text")),
        (*_label("tokens in"), (f"{usage.input:,}", "text"), (tokens_in, "dim")),
        (*_label("tokens out"), (f"{usage.output:,}", "text"), (tokens_out, "dim"), (reasoning, "dim")),
    ]
    if count.bad_messages:
        rows.append((*_label("bad messages"), (f"{count.bad_messages}", "bad")))
    return rows


class SessionView(ScrollList):
    """The lines of the pane."""

    items: Sequence[Line] = ()
    following = False

    def line(self, y: int) -> Line:
        return self.items[y] if y < len(self.items) else ()


class SessionPane(Pane):
    """Settings, counts, tokens and the connection."""

    ID = "session"
    NAME = "Session"
    NUMBER = "1"
    KEYS = ("session.more", "session.less", "zoom")
    HELP_TEXT = Hint("""\
First what is asked about daily, and settings that are not in force as asked; then all the rest.
silent after: from speech_started (or the key) to silence at the speaker. unheard: generated, never heard.
≠ asked: the setting in force is not the one that was asked for. served as: the service's deployment of that model.
barge-in: what this program does when you speak over an answer, besides silence at the speaker.
On the lines threshold and silence, {session.more} and {session.less} step by 0.05 and 50 ms.
tokens come from response.done. Cached tokens are a part of the input tokens.
printed by sound libraries: what ALSA and PortAudio would have written over the screen; \
it is in the file *.native.log beside the log file.""")

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus", "step(1)", "Step up", key_display="+", show=False, id="session.more"),
        Binding("minus", "step(-1)", "Step down", key_display="-", show=False, id="session.less"),
    ]

    elapsed: var[str] = var("", init=False)

    def __init__(self) -> None:
        super().__init__()
        self.view = SessionView(id="session-view")
        self._steps: dict[str, float] = {}
        """Values of the turn detection that are not sent yet."""
        self._pause: Timer | None = None
        self._blocks: dict[str, tuple[tuple[object, ...], tuple[Line, ...]]] = {}

    def body(self) -> ComposeResult:
        yield self.view

    def watch_elapsed(self) -> None:
        if self.is_mounted:
            self.show(self.session)

    def show(self, session: SessionState) -> None:
        """Write all lines; only cells that changed are repainted."""
        view = self.view
        if not view.size.width:  # it is not laid out yet
            return
        waiting = f" · buffered {duration(self.reading.buffered_ms)} · outbox {duration(self.reading.outbox_ms)}"
        printed = self.reading.native_messages
        native = f" · {counted(printed, 'line')} printed by sound libraries" if printed else ""
        sound = (*_label("sound"), *health(self.reading), (waiting, "dim"), (native, "warn"))
        link, now = session.connection, now_of(self)
        connected = (link, session.conversation_id, (now - (link.ready_at or now)) // 60)
        set_by = (session.barge_in, session.asked, session.in_force, link.model)
        view.items = [
            *self._kept(
                "daily", lambda: self._daily(session), *set_by, session.usage, session.turns, *self._steps.items()
            ),
            *self._kept("settings", lambda: self._others(session), *set_by),
            *self._kept("counts", lambda: counts(session), session.counts, session.usage, session.turns),
            *self._kept("connection", lambda: connection(session, now), *connected),
            *self._kept("sound", lambda: [sound], sound),
            *self._kept("instructions", lambda: settings(session, INSTRUCTIONS), *set_by),
        ][:-1]
        view.items_changed()

    def _daily(self, session: SessionState) -> list[Line]:
        """What is asked about daily; a setting that is not in force as asked belongs to it."""
        numbers, usage = step_lines(session, self._steps, LABEL), session.usage
        different = [line for line in settings(session, MORE_SETTINGS) if _differs(line)]
        tokens: Line = (
            *_label("tokens"),
            (f"{usage.sums.total:,}", "strong"),
            (f" in {counted(usage.responses, 'response')}", "dim"),
        )
        return [*settings(session, SETTINGS), *numbers, *different, tokens, *interruption(session)]

    def _others(self, session: SessionState) -> list[Line]:
        rules = session.barge_in
        words = ("clear" if rules.clear else "", "truncate" if rules.truncate else "never truncate")
        barge_in: Line = (*_label("barge-in"), (" · ".join(filter(None, (f"cancel {rules.cancel}", *words))), "text"))
        return [barge_in, *(line for line in settings(session, MORE_SETTINGS) if not _differs(line))]

    def action_step(self, times: int) -> None:
        """Change the number under the cursor; it is sent after a pause."""
        view = self.view
        steps = [step_of(line) for line in view.items]
        step = None if view.cursor is None else steps[view.cursor]
        if step is None:  # the next key steps it
            first = next((at for at, each in enumerate(steps) if each), None)
            if first is None:
                self.notify("This turn detection has neither a threshold nor a silence.", timeout=3)
            else:
                view.go_to(first)
            return
        self._steps = {**self._steps, step.name: stepped(self.session, step, self._steps, times)}
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(PAUSE, self.send_steps)
        self.show(self.session)

    def send_steps(self) -> None:
        """Ask for the numbers that were stepped to."""
        block, steps = detection_of(self.session), self._steps
        self._steps = {}
        if block:  # else push-to-talk came between
            self.post_message(self.Wants(SessionEdited({"turn_detection": {**block, **steps}})))
        self.show(self.session)

    def _kept(self, name: str, make: Callable[[], list[Line]], *made_of: object) -> tuple[Line, ...]:
        """The lines of a block and an empty one; made again only after a change."""
        width = self.view.size.width
        before, lines = self._blocks.get(name, ((), ()))
        if before != (width, *made_of):
            room = max(width - 1, LABEL + 10)
            lines = tuple(part for line in (*make(), ()) for part in folded(line, room))
            self._blocks[name] = ((width, *made_of), lines)
        return lines

    def count(self) -> Line:
        errors = self.session.counts.errors
        return ((counted(errors, "error"), "bad"),) if errors else ()

    def note(self) -> Line:
        """The number of lines below."""
        view = self.view
        below = view.count - view.scroll_offset.y - view.size.height
        return ((f"↓ {below} more", "dim"),) if below > 0 else ()


def _differs(line: Line) -> bool:
    """Whether a setting is not in force as asked."""
    return any(text == DIFFERS for text, _ in line)


def _label(text: str) -> Line:
    return ((f" {text}".ljust(LABEL), "dim"),)


def _plain(value: Any) -> str:
    return "" if value is None else str(value)


def _named(value: Any) -> str:
    """A voice, a transcription model, an agent: its name and other properties."""
    if not isinstance(value, Mapping):
        return _plain(value)
    name = next((str(value[key]) for key in ("name", "model", "type", "agent_id") if value.get(key)), "")
    extra = [f"{key} {value[key]}" for key in ("language", "temperature", "rate", "speed") if value.get(key)]
    return " · ".join((name, *extra))


def _turn_detection(value: Any) -> str:
    if not isinstance(value, Mapping):
        return _plain(value)
    parts = [_plain(value.get("type"))]
    if isinstance(value.get("prefix_padding_ms"), int | float):
        parts.append(f"prefix {value['prefix_padding_ms']:g} ms")
    for key, word in (
        ("create_response", "answers"),
        ("interrupt_response", "interrupts"),
        ("auto_truncate", "truncates"),
    ):
        if value.get(key) is (key == "auto_truncate"):
            parts.append(word if value[key] else f"never {word}")
    return " · ".join(parts)


def _set(value: Any) -> str:
    """Values whose order has no meaning."""
    return ", ".join(sorted(map(_named, value))) if isinstance(value, list | tuple) else _plain(value)


def _tools(value: Any) -> str:
    """Functions by name, MCP servers by label."""
    return ", ".join(sorted(_plain(mapping(tool).get("server_label")) or _named(tool) for tool in listing(value)))


def _one_line(value: Any) -> str:
    return clip(" ".join(str(value).split()), 200) if value else ""


Settings = tuple[tuple[str, str, Callable[[Any], str]], ...]
"""Label, key in the session, and how its value is put in words."""
SETTINGS: Settings = (
    ("model", "model", _plain),
    ("voice", "voice", _named),
    ("turn detection", "turn_detection", _turn_detection),
)
MORE_SETTINGS: Settings = (
    ("transcription", "input_audio_transcription", _named),
    ("noise", "input_audio_noise_reduction", _named),
    ("echo", "input_audio_echo_cancellation", _named),
    ("modalities", "modalities", _set),
    ("tools", "tools", _tools),
    ("agent", "agent", _named),
)
INSTRUCTIONS: Settings = (("instructions", "instructions", _one_line),)
"""Apart, and last: they are long."""
