"""`voicelive-tui console`: the conversation as a line for each notable event, or `--json` lines of every event.

It writes to stdout only. With files as the microphone, or messages to say, it ends by itself: when the last file is
over and the last message typed, every turn has been answered, and the answers have been heard. Files come first, each
after the answer to the one before; then the messages, in the same way.
"""

import asyncio
import contextlib
import dataclasses
import functools
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from voicelive_tui.client.shell import Shell
from voicelive_tui.commands.lines import JsonLines, TextLines, Writer
from voicelive_tui.commands.output import READER_LEFT, reader_gone, to_stdout
from voicelive_tui.commands.setup import FAILED, Options, complain, run_conversation, warn
from voicelive_tui.config import Audio, Settings
from voicelive_tui.runtime import end_on_signals
from voicelive_tui.session import inputs, mcp
from voicelive_tui.session.latency import Turn
from voicelive_tui.session.state import Activity, SessionState, Stage
from voicelive_tui.wire.events import canonical, mapping, text

if TYPE_CHECKING:
    from voicelive_tui.commands.setup import Open

SETTLE_SECONDS = 1.0
"""After the end of a file: the service may still notice speech in its last words."""
NO_SPEECH_SECONDS = 3.0
"""After the end of a file, if no speech was noticed by then, none will be."""
PATIENCE_SECONDS = 30.0
"""Silence of a service that owes something, after which it is taken to be stuck."""
DRAIN_SECONDS = 3.0
"""After the end of the connection: sound that arrived is played, as long as some is played within this time."""
TIMER_SECONDS = 0.25
"""Between checks of these limits, which pass without an event."""


@dataclasses.dataclass(frozen=True)
class Script:
    """What the console sends by itself, and what it requires."""

    files: Sequence[str] = ()
    """Input devices ("file:PATH") after the first one."""
    messages: Sequence[str] = ()
    """Typed messages; "-" stands for the lines of stdin."""
    max_delay_ms: float | None = None
    """The conversation fails if a turn's answer took longer."""


def run(options: Options, *, as_json: bool, script: Script) -> int:
    """Hold a conversation in lines of text; the exit status."""
    device, flags = options.flags.get("audio.input_device"), dict(options.flags)
    others = [other for other in (device, *script.files) if not str(other).startswith("file:")]
    if script.files and others:
        return complain(f"--input-device: {others[0]!r} cannot be one of several, they must all be file:PATH")
    if any(not message.strip() for message in script.messages):
        return complain("--say: the text is empty")
    if script.messages and device is None:
        flags["audio.input_device"] = "none"  # an open microphone would talk into the script
    options = structs.replace(options, flags=flags, more_inputs=tuple(script.files))
    return run_conversation(
        options, functools.partial(_hold, as_json=as_json, script=script), quiet=as_json, attended=False
    )


async def _hold(settings: Settings, open_session: "Open", *, as_json: bool, script: Script) -> tuple[int, SessionState]:
    live = open_session()
    talk = asyncio.create_task(hold_conversation(live, to_stdout, settings.audio, as_json=as_json, script=script))
    ended_by: list[int] = []

    def end(status: int) -> None:
        ended_by.append(status)
        talk.cancel()

    end_on_signals(end)
    await asyncio.wait([talk, asyncio.create_task(reader_gone())], return_when=asyncio.FIRST_COMPLETED)
    if not talk.done():
        end(0)
        await asyncio.wait([talk])
    if ended_by:
        return ended_by[0], live.state
    try:
        return talk.result(), live.state
    except OSError as error:
        if error.errno in READER_LEFT:
            return 0, live.state
        warn(f"the output cannot be written: {error.strerror or error}")
        return FAILED, live.state


async def hold_conversation(
    live: Shell, write: Callable[[str], None], audio: Audio, *, as_json: bool, script: Script = Script()
) -> int:
    """Run the conversation until it ends, and write it line by line; the exit status.

    `write` writes a line, in a thread; it may block. An `OSError` of it ends the conversation, and is raised then
    (`BrokenPipeError` where the reader went away).
    """
    silent = audio.input_device == "none" and not script.messages
    writer: Writer = JsonLines(write, silent=silent) if as_json else TextLines(write, silent=silent)
    course = _Course(live, writer, audio, script)
    live.observe(writer.observe)
    live.observe(course.observe)
    running = asyncio.create_task(live.run())
    verdict: str | None = None
    try:
        while verdict is None and not running.done():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TIMER_SECONDS):
                    await course.changed.wait()
            course.changed.clear()
            verdict = await course.step()
    finally:
        writer.closing = True
        await live.close()
        await asyncio.gather(running, return_exceptions=True)
        writer.write_delays()
        if verdict:
            writer.end(verdict)
        if (left := await writer.output.close()) and not writer.output.error:
            warn(f"{left:,} lines were not written: the reader had stopped")
    if writer.output.error:
        raise writer.output.error
    return FAILED if verdict else 0


class _Course:
    """Takes the conversation through its script, and decides when it is over."""

    def __init__(self, live: Shell, writer: Writer, audio: Audio, script: Script) -> None:
        self.changed = asyncio.Event()  # set whenever `step` may have something to do
        self._live = live
        self._writer = writer
        self._files = list(script.files)
        self._messages = _messages(script.messages)
        self._has_messages = bool(script.messages)
        self._max_delay_ms = script.max_delay_ms
        self._has_file = str(audio.input_device).startswith("file:")
        self._speaker = str(audio.output_device)
        self._captured = self._typed = False
        self._file_over_at: float | None = None
        self._turns_before_file = 0
        self._last_event_at = self._played_at = time.monotonic()
        self._buffered_ms = 0.0
        self._failure = ""

    def observe(self, event: inputs.Input, before: SessionState, after: SessionState, now: float) -> None:
        """Record what `step` and the verdict need."""
        if isinstance(event, inputs.LogRecord):
            return
        self.changed.set()
        self._captured |= after.microphone.capturing
        if isinstance(event, inputs.DeviceChanged) and event.direction == "output" and self._speaker[:5] == "file:":
            self._failure = self._failure or event.problem  # the file lacks what comes after this
        if isinstance(event, inputs.Received | inputs.ToolReturned):  # then the service owes the answer
            self._last_event_at = now
        if isinstance(event, inputs.Received) and canonical(text(event.event.get("type"))) == "response.done":
            failed = text(mapping(event.event.get("response")).get("status")) == "failed"
            reasons = [problem.text for problem in after.problems if problem.seq >= before.log.next_seq]
            self._failure = self._failure or " ".join((reasons or ["the response failed"]) if failed else [])

    async def step(self) -> str | None:
        """Take the script's next step, if it is due; None to go on, at the end "", or why the conversation failed."""
        state, now = self._live.state, time.monotonic()
        if self._writer.output.error:
            return ""
        if state.connection.stage in (Stage.FAILED, Stage.CLOSED) and not state.resuming:
            if state.connection.stage is Stage.CLOSED and not self._is_drained(state, now):
                return None
            return state.connection.problem if state.connection.failed else self._failure or self._unfinished(state)
        if problem := self._unusable(state):
            return problem
        reading = self._live.reading()
        over = state.microphone.ended
        if not state.ready or not (over or self._has_messages):
            return self._stuck(state, now, owed=state.awaiting or state.response != "")
        if over:
            self._file_over_at = self._file_over_at or now
            if len(state.turns) <= self._turns_before_file and now - self._file_over_at > NO_SPEECH_SECONDS:
                return "no speech heard: nothing in the file was noticed as speech by the service"
        busy = self._has_file and not over
        settled = self._file_over_at is None or (
            now - self._file_over_at > SETTLE_SECONDS and len(state.turns) > self._turns_before_file
        )
        waits = not _all_answered(state) or mcp.is_listing(state, now)
        if busy or not settled or state.playing or reading.buffered_ms or waits:
            return self._stuck(state, now, owed=not busy)
        return await self._go_on(state, now)

    async def _go_on(self, state: SessionState, now: float) -> str | None:
        """The next file or message; without one, the end."""
        self._last_event_at = now
        if self._files:
            self._file_over_at, self._turns_before_file = None, len(state.turns)
            await self._live.choose_device("input", self._files.pop(0))
            return self._live.state.input.problem or None
        if self._has_messages:
            message = next(self._messages, "")
            if message:
                self._typed = True
                self._live.apply(inputs.TextTyped(message))
            if message != "":
                return None
            if not self._typed:
                return "nothing was said: no line came from stdin"
        return self._judged()

    def _judged(self) -> str:
        """Why a conversation that reached its end counts as failed, or ""."""
        if self._failure or self._max_delay_ms is None:
            return self._failure
        delays = self._writer.milliseconds
        slow = [delay for delay in delays if delay > self._max_delay_ms]
        if slow:
            worst = f"the slowest took {max(slow):,.0f} ms, --max-delay allows {self._max_delay_ms:,.0f} ms"
            return f"{len(slow)} of {len(delays)} turns were too slow: {worst}"
        return "" if delays else "no turn's delay could be measured for --max-delay"

    def _unfinished(self, state: SessionState) -> str:
        """What of the script was left when the service closed the session; "" without a script, or at its end."""
        file_left = self._has_file and (bool(self._files) or not state.microphone.ended)
        scripted = self._has_file or self._has_messages
        unanswered = scripted and any(turn.done_at is None for turn in _asked(state))
        if unanswered or file_left or next(self._messages, ""):
            return "the service closed the session before everything was said and answered"
        return ""

    def _unusable(self, state: SessionState) -> str:
        if state.microphone.push_to_talk and not (self._has_messages and not self._captured):
            return "push-to-talk needs the dashboard's key: choose another --turn-detection"
        # Without a choice of a speaker, an answer that is read is enough.
        return "" if self._captured else state.input.problem or (self._speaker and state.output.problem)

    def _stuck(self, state: SessionState, now: float, *, owed: bool) -> str | None:
        """The failure of a service that owes something and has been silent for too long."""
        since = max(self._last_event_at, self._file_over_at or 0.0)
        runs = any(call.kind == "function" and not call.ended_at for _, call in state.open_calls)
        if not owed or runs or state.resuming or now - since <= PATIENCE_SECONDS or not self._is_drained(state, now):
            return None
        return f"nothing came from the service for {PATIENCE_SECONDS:g} s"

    def _is_drained(self, state: SessionState, now: float) -> bool:
        """Whether what arrived has been played, or playback makes no progress."""
        buffered = self._live.reading().buffered_ms
        if not buffered and not state.playing:
            return True
        if buffered != self._buffered_ms:
            self._buffered_ms, self._played_at = buffered, now
        return now - self._played_at > DRAIN_SECONDS


def _all_answered(state: SessionState) -> bool:
    """Whether each turn that was committed or typed had its `response.done`, and each call of a tool its answer."""
    if state.response or state.open_calls or state.activity not in (Activity.READY, Activity.INTERRUPTED):
        return False
    return all(turn.done_at is not None for turn in _asked(state))


def _asked(state: SessionState) -> Iterator[Turn]:
    """The turns that are to be answered."""
    return (turn for turn in state.turns if turn.committed_at is not None or turn.began_by == "text")


def _messages(texts: Sequence[str]) -> Iterator[str | None]:
    """The messages in order; None while a line of stdin is still to come."""
    for message in texts:
        if message == "-":
            yield from _stdin_lines()
        else:
            yield message


def _stdin_lines() -> Iterator[str | None]:
    lines: queue.Queue[str | None] = queue.Queue(maxsize=1)

    def read() -> None:
        # Past Python's own buffer, whose lock would keep the program from ending.
        with contextlib.suppress(OSError), open(0, "rb", buffering=0, closefd=False) as stdin:
            for line in stdin:
                if message := line.decode(errors="replace").strip():
                    lines.put(message)
        lines.put(None)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while True:
        try:
            line = lines.get_nowait()
        except queue.Empty:
            yield None
            continue
        if line is None:
            return
        yield line
