"""The conversation without the dashboard: a line for each notable thing, or `--json` lines of every event both ways.

It talks on stdout only; what it has to say about itself goes to stderr by way of `cli.py`. With a file as the
microphone it ends by itself: when the file is over, every turn has had its answer, and the answer has been heard.
"""

import asyncio
import dataclasses
import json
import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from voicelive_tui.client.live import LiveSession
from voicelive_tui.session import inputs
from voicelive_tui.session.headline import headline
from voicelive_tui.session.state import Activity, EntryStatus, Link, SessionState
from voicelive_tui.text import encodable, escaped, visible
from voicelive_tui.wire.events import without_audio

LOOK_SECONDS = 0.05
SETTLE_SECONDS = 1.0
"""After the file's end: the service may still be about to notice speech in its last words."""
NO_SPEECH_SECONDS = 3.0
"""After the file's end without any speech noticed, nothing will come any more."""
PATIENCE_SECONDS = 30.0
"""Nothing at all for so long after the file's end: the other side is stuck."""


async def hold_conversation(live: LiveSession, write: Callable[[str], None], *, as_json: bool) -> int:
    """Run the conversation until it ends, and write it line by line.

    Returns:
        The exit status: 0 ended as asked, 1 the conversation failed.

    Raises:
        OSError: `write` raised it; `BrokenPipeError` where the reader went away.
    """
    writer: _JsonLines | _Lines = _JsonLines(write) if as_json else _Lines(write)
    live.add_tap(writer.tap)
    running = asyncio.create_task(live.run())
    try:
        problem = await _until_over(live, running, writer)
    finally:
        await live.close()
        running.cancel()  # it has ended, or had its time
        await asyncio.gather(running, return_exceptions=True)
    if writer.problem:
        raise writer.problem
    if problem:
        writer.end(problem)
    return 1 if problem else 0


async def _until_over(live: LiveSession, running: "asyncio.Task[None]", writer: "_JsonLines | _Lines") -> str:
    """Wait for the end; the reason if it is a failure, else ""."""
    file_over_at: float | None = None
    last_event_at = time.monotonic()
    events, captured = 0, False
    while not running.done():
        await asyncio.sleep(LOOK_SECONDS)
        state, now = live.state, time.monotonic()
        writer.look(state)
        if writer.problem:
            return ""
        if state.connection.link in (Link.FAILED, Link.CLOSED):
            return state.connection.problem if state.connection.failed else ""
        captured = captured or state.microphone.capturing
        if state.microphone.push_to_talk:
            return "push-to-talk needs the dashboard's key: choose another --turn-detection"
        if not captured and (state.input.problem or state.output.problem):
            return state.input.problem or state.output.problem
        if state.counts.events_in != events:
            events, last_event_at = state.counts.events_in, now
        if not live.sound.input_ended:
            continue
        file_over_at = file_over_at or now
        if not state.turns and now - file_over_at > NO_SPEECH_SECONDS:
            return "no speech heard: nothing in the file was noticed as speech by the service"
        if state.turns and now - file_over_at > SETTLE_SECONDS and _all_answered(live):
            return ""
        if now - max(last_event_at, file_over_at) > PATIENCE_SECONDS and not live.engine.playing:
            return f"nothing came from the service for {PATIENCE_SECONDS:g} s"
    running.result()  # raises what ended it, if it was not its own end
    return ""


def _all_answered(live: LiveSession) -> bool:
    """Whether each committed turn had its response.done, and all of the answers has been played."""
    state = live.state
    if state.response is not None or state.activity not in (Activity.READY, Activity.INTERRUPTED):
        return False
    answered = all(turn.done_at is not None for turn in state.turns if turn.committed_at is not None)
    return answered and not live.engine.playing and live.engine.buffered_ms == 0


class _Writer:
    """Writes lines as long as that works. It is called from within the session, so it keeps what goes wrong.

    Attributes:
        problem: Why nothing can be written any more.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._out = write
        self.problem: OSError | None = None

    def _write(self, line: str) -> None:
        if self.problem is None:
            try:
                self._out(line)
            except OSError as problem:
                self.problem = problem


class _JsonLines(_Writer):
    """`{"t": seconds since start, "dir": "in"|"out"|"local", "event": {...}}`, an object a line."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__(write)
        self._began = time.monotonic()

    def tap(self, event: inputs.Input, now: float) -> None:
        match event:
            case inputs.Received(body):
                self._line(now, "in", without_audio(body))
            case inputs.Sent(body):
                self._line(now, "out", without_audio(body))
            case inputs.LogRecord():
                pass
            case _:
                kind = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
                fields = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
                if "at" in fields:  # on the same clock as "t"
                    fields["at"] = round(fields["at"] - self._began, 3)
                self._line(now, "local", {"type": kind, **fields})

    def look(self, state: SessionState) -> None:
        pass  # every event has been written already

    def end(self, problem: str) -> None:
        self._line(time.monotonic(), "local", {"type": "failed", "problem": problem})

    def _line(self, now: float, direction: str, event: dict[str, Any]) -> None:
        line = {"t": round(now - self._began, 3), "dir": direction, "event": event}
        text = encodable(json.dumps(line, ensure_ascii=False, default=repr))
        self._write(escaped(text))


class _Lines(_Writer):
    """Time of day, and what happened, in words."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__(write)
        self._state: SessionState | None = None
        self._said = ""
        self._told: set[str] = set()

    def tap(self, event: inputs.Input, now: float) -> None:
        match event:
            case inputs.DeviceChanged(direction, description, problem):
                self._line(f"audio {direction}: {problem or description}")
            case inputs.BadMessage(problem):
                self._line(problem)

    def look(self, state: SessionState) -> None:
        """Say what is new since the last look."""
        if state is self._state:
            return
        before, self._state = self._state, state
        word, detail, _ = headline(state)  # hints name keys of the dashboard
        said = f"{word}: {detail}" if detail else word
        if state.connection.link is Link.READY and (before is None or before.connection.link is not Link.READY):
            self._line(f"session ready: {state.connection.session_id} (model {state.in_force.get('model', '?')})")
        for problem in state.problems:
            if before is None or problem.seq >= before.log.next_seq:
                self._line(f"{problem.severity}: {problem.text}")
        for entry in state.transcript:
            over = entry.status in (EntryStatus.DONE, EntryStatus.FAILED, EntryStatus.INTERRUPTED)
            if not over or entry.item_id in self._told or not (entry.text or entry.note or entry.tool):
                continue
            self._told.add(entry.item_id)
            words = entry.text or (f"{entry.tool} {entry.arguments} → {entry.output}" if entry.tool else "")
            cut = ""
            if entry.status is EntryStatus.INTERRUPTED and entry.heard_ms is not None:
                cut = f" [interrupted after {entry.heard_ms / 1000:.1f} s]"
            self._line(f"{entry.role}: {words}{f' [{entry.note}]' if entry.note else ''}{cut}")
        self._say(said)

    def end(self, problem: str) -> None:
        self._say(f"failed: {problem}")

    def _say(self, said: str) -> None:
        if said != self._said:
            self._said = said
            self._line(said)

    def _line(self, text: str) -> None:
        self._write(f"{datetime.now().astimezone():%H:%M:%S}  {visible(text)}")
