"""`voicelive-tui console`: the conversation as a line for each notable event, or `--json` lines of every event.

It writes to stdout only. With a file as the microphone it ends by itself: when the file is over, every turn has been
answered, and the answer has been heard.
"""

import asyncio
import functools
import json
import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from voicelive_tui.client.shell import Shell
from voicelive_tui.commands.setup import FAILED, Options, run_conversation
from voicelive_tui.config import APP_NAME, Settings
from voicelive_tui.runtime import end_on_signals
from voicelive_tui.session import inputs
from voicelive_tui.session.headline import headline
from voicelive_tui.session.state import RECENT, Activity, Entry, EntryStatus, Link, SessionState
from voicelive_tui.text import encodable, escaped, visible
from voicelive_tui.wire.events import without_audio

if TYPE_CHECKING:
    from voicelive_tui.commands.setup import Open

SETTLE_SECONDS = 1.0
"""After the end of the file: the service may still notice speech in its last words."""
NO_SPEECH_SECONDS = 3.0
"""After the end of the file, if no speech was noticed by then, none will be."""
PATIENCE_SECONDS = 30.0
"""Silence of the service after the end of the file, after which it is taken to be stuck."""
TIMER_SECONDS = 0.25
"""Between checks of these limits, which pass without an event."""


def run(options: Options, *, as_json: bool) -> int:
    """Hold a conversation in lines of text; the exit status."""
    return run_conversation(options, functools.partial(_hold, as_json=as_json), quiet=as_json)


async def _hold(settings: Settings, open_session: "Open", *, as_json: bool) -> tuple[int, SessionState]:
    live = open_session()
    talk = asyncio.create_task(hold_conversation(live, click.echo, as_json=as_json))
    ended_by: list[int] = []

    def end(status: int) -> None:
        ended_by.append(status)
        talk.cancel()

    end_on_signals(end)
    await asyncio.wait([talk])
    if ended_by:
        return ended_by[0], live.state
    try:
        return talk.result(), live.state
    except BrokenPipeError:
        return 0, live.state  # the reader has seen enough, as `head` has
    except OSError as error:
        click.echo(f"{APP_NAME}: the output cannot be written: {error.strerror or error}", err=True)
        return FAILED, live.state


async def hold_conversation(live: Shell, write: Callable[[str], None], *, as_json: bool) -> int:
    """Run the conversation until it ends, and write it line by line.

    Returns:
        The exit status: 0 ended as asked, 1 the conversation failed.

    Raises:
        OSError: `write` raised it; `BrokenPipeError` where the reader went away.
    """
    writer: _JsonLines | _TextLines = _JsonLines(write) if as_json else _TextLines(write)
    end = _End(live, writer)
    live.observe(writer.observe)
    live.observe(end.observe)
    running = asyncio.create_task(live.run())
    try:
        while not end.reached.done() and not running.done():
            await asyncio.wait((end.reached, running), timeout=TIMER_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            end.check(live.state)
    finally:
        writer.closing = True
        await live.close()
        await asyncio.gather(running, return_exceptions=True)
    if writer.error:
        raise writer.error
    problem = end.reached.result() if end.reached.done() else ""
    if problem:
        writer.end(problem)
    return 1 if problem else 0


class _End:
    """Decides when the conversation is over.

    Attributes:
        reached: Done at the end: the reason if it is a failure, else "".
    """

    def __init__(self, live: Shell, writer: "_Writer") -> None:
        self.reached: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._live = live
        self._writer = writer
        self._captured = False
        self._file_over_at: float | None = None
        self._last_event_at = time.monotonic()

    def observe(self, event: inputs.Input, before: SessionState, after: SessionState, now: float) -> None:
        if isinstance(event, inputs.Received):
            self._last_event_at = now
        self._captured |= after.microphone.capturing
        if not isinstance(event, inputs.LogRecord):
            self.check(after)

    def check(self, state: SessionState) -> None:
        """Set `reached` if the conversation is over."""
        if not self.reached.done() and (verdict := self._verdict(state, time.monotonic())) is not None:
            self._writer.closing = True
            self.reached.set_result(verdict)

    def _verdict(self, state: SessionState, now: float) -> str | None:
        if self._writer.error:
            return ""
        if state.connection.link in (Link.FAILED, Link.CLOSED):
            return state.connection.problem if state.connection.failed else ""
        if state.microphone.push_to_talk:
            return "push-to-talk needs the dashboard's key: choose another --turn-detection"
        if not self._captured and (state.input.problem or state.output.problem):
            return state.input.problem or state.output.problem
        reading = self._live.reading()
        if not reading.input_ended:
            return None
        self._file_over_at = over_at = self._file_over_at or now
        silent = not state.playing and reading.buffered_ms == 0
        if not state.turns and now - over_at > NO_SPEECH_SECONDS:
            return "no speech heard: nothing in the file was noticed as speech by the service"
        if state.turns and now - over_at > SETTLE_SECONDS and silent and _all_answered(state):
            return ""
        if now - max(self._last_event_at, over_at) > PATIENCE_SECONDS and not state.playing:
            return f"nothing came from the service for {PATIENCE_SECONDS:g} s"
        return None


def _all_answered(state: SessionState) -> bool:
    """Whether each committed turn had its `response.done`."""
    if state.response is not None or state.activity not in (Activity.READY, Activity.INTERRUPTED):
        return False
    return all(turn.done_at is not None for turn in state.turns if turn.committed_at is not None)


class _Writer:
    """Writes lines as long as that works. It runs inside the session, so it keeps an error instead of raising it.

    Attributes:
        error: Why nothing can be written any more.
        closing: The conversation is over, and its end has been reported.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self.error: OSError | None = None
        self.closing = False
        self._out = write

    def _write(self, line: str) -> None:
        if self.error is None:
            try:
                self._out(line)
            except OSError as error:
                self.error = error


class _JsonLines(_Writer):
    """`{"t": seconds since start, "dir": "in"|"out"|"local", "event": {...}}`, an object a line."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__(write)
        self._began = time.monotonic()

    def observe(self, event: inputs.Input, before: SessionState, after: SessionState, now: float) -> None:
        match event:
            case inputs.Received(body):
                self._line(now, "in", without_audio(body))
            case inputs.Sent(body):
                self._line(now, "out", without_audio(body))
            case inputs.LogRecord():
                pass
            case _:
                kind = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
                fields = {name: getattr(event, name) for name in event.__struct_fields__}
                if "at" in fields:  # on the same clock as "t"
                    fields["at"] = round(fields["at"] - self._began, 3)
                self._line(now, "local", {"type": kind, **fields})

    def end(self, problem: str) -> None:
        """Report a failure."""
        self._line(time.monotonic(), "local", {"type": "failed", "problem": problem})

    def _line(self, now: float, direction: str, event: dict[str, Any]) -> None:
        line = {"t": round(now - self._began, 3), "dir": direction, "event": event}
        text = encodable(json.dumps(line, ensure_ascii=False, default=repr))
        self._write(escaped(text))


class _TextLines(_Writer):
    """The time of day, and what happened, in words."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__(write)
        self._headline = ""
        self._written: set[str] = set()

    def observe(self, event: inputs.Input, before: SessionState, after: SessionState, now: float) -> None:
        match event:
            case inputs.DeviceChanged(direction, description, problem):
                self._line(f"audio {direction}: {problem or description}")
            case inputs.BadMessage(problem):
                self._line(problem)
        if after.connection.link is Link.READY and before.connection.link is not Link.READY:
            self._line(f"session ready: {after.connection.session_id} (model {after.in_force.get('model', '?')})")
        for pinned in after.problems:
            if pinned.seq >= before.log.next_seq:
                self._line(f"{pinned.severity}: {pinned.text}")
        if after.transcript is not before.transcript:
            for entry in after.transcript[-RECENT:]:
                if entry.status not in (EntryStatus.LISTENING, EntryStatus.PARTIAL):
                    self._write_entry(entry)
        if not self.closing:
            word, detail, _ = headline(after)  # hints name keys of the dashboard
            # A hint names a key of the dashboard.
            self._write_headline(f"{word}: {detail}" if detail else word)

    def end(self, problem: str) -> None:
        """Report a failure, unless the headline did."""
        self._write_headline(f"failed: {problem}")

    def _write_entry(self, entry: Entry) -> None:
        if entry.item_id in self._written or not (entry.text or entry.note or entry.tool):
            return
        self._written.add(entry.item_id)
        line = entry.text or (f"{entry.tool} {entry.arguments} → {entry.output}" if entry.tool else "")
        if entry.note:
            line += f" [{entry.note}]"
        if entry.status is EntryStatus.INTERRUPTED and entry.heard_ms is not None:
            line += f" [interrupted after {entry.heard_ms / 1000:.1f} s]"
        self._line(f"{entry.role}: {line}")

    def _write_headline(self, text: str) -> None:
        if text != self._headline:
            self._headline = text
            self._line(text)

    def _line(self, text: str) -> None:
        self._write(f"{datetime.now().astimezone():%H:%M:%S}  {visible(text)}")
