"""What the console writes: lines of text, or `--json` an object a line, for events, delays and the end."""

import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from voicelive_tui.commands.output import LineOutput
from voicelive_tui.session import inputs
from voicelive_tui.session.headline import headline
from voicelive_tui.session.latency import Turn, stages, summarize
from voicelive_tui.session.reconnect import TRIES
from voicelive_tui.session.state import RECENT, SessionState
from voicelive_tui.session.transcript import Entry, EntryStatus
from voicelive_tui.text import counted, duration, encodable, escaped, masked, visible
from voicelive_tui.wire.events import without_audio

DEMO = "DEMO: the built-in service answers, not Azure (--endpoint URL for Azure)"
NOTHING_SENT = "the input device is none and there is no --say: nothing will be sent"


class Moments:
    """The times of lines: `now()` in seconds of `time.monotonic` or of a recording, and the Unix time at its 0."""

    def __init__(self, now: Callable[[], float] = time.monotonic, epoch: float | None = None) -> None:
        self.now = now
        self.epoch = time.time() - time.monotonic() if epoch is None else epoch


class Writer:
    """Writes what observers see.

    Args:
        write: Writes a line; it may block, and raise `OSError`.
        silent: Nothing will be sent to the service.
        moments: A recording's, where one is written: it may begin within a connection.
    """

    def __init__(self, write: Callable[[str], None], *, silent: bool = False, moments: Moments | None = None) -> None:
        self.output = LineOutput(write, self._dropped)
        self.closing = False  # set when the conversation is over, and its end reported
        self._silent = silent
        self._noticed, self._begun = False, moments is not None
        self._moments = moments or Moments()
        self._observed_at: float | None = None
        self.milliseconds: list[float] = []
        """The turns' delays."""
        self._measured: set[float] = set()

    def observe(self, event: inputs.Input, before: SessionState, after: SessionState, now: float) -> None:
        """Write what the event means, and a turn's delay. Nothing comes before the line that says who answers."""
        self._observed_at = now
        if isinstance(event, inputs.Connecting) and not self._noticed:
            self._begun = self._noticed = True
            if notice := "; ".join([DEMO] * event.demo + [NOTHING_SENT] * self._silent):
                self._report("notice", notice, text=notice)
        if self._begun:
            self._observe(event, before, after, now)
        for turn in after.turns[-4:] if after.turns is not before.turns else ():
            self._write_delay(turn)
        self._observed_at = None

    def _write_delay(self, turn: Turn) -> None:
        """Write how long a turn's answer took, once it is heard, or over without sound."""
        silent_answer = turn.done_at is not None and turn.first_text_at is not None and turn.first_audio_at is None
        began, parts = turn.ended_speaking_at, stages(turn)
        if began is None or began in self._measured or not parts or not (turn.heard_at or silent_answer):
            return
        self._measured.add(began)
        delay = sum(part.milliseconds for part in parts)
        self.milliseconds.append(delay)
        named = ", ".join(f"{part.name} {duration(part.milliseconds)}" for part in parts)
        rounded = {part.name.replace(" ", "_"): round(part.milliseconds, 1) for part in parts}
        words = f"delay of turn {turn.number}: {duration(delay)} ({named})"
        self._report("turn_delay", words, turn=turn.number, ms=round(delay, 1), parts=rounded)

    def write_delays(self) -> None:
        """Write the percentiles over all turns, if there are any."""
        if summary := summarize(self.milliseconds):
            times = {"p50": summary.p50, "p95": summary.p95, "worst": summary.worst}
            words = ", ".join(f"{name} {duration(value)}" for name, value in times.items())
            fields = {f"{name}_ms": round(value, 1) for name, value in times.items()}
            self._report("delays", f"delay of {counted(summary.turns, 'turn')}: {words}", turns=summary.turns, **fields)

    def end(self, problem: str) -> None:
        """Write the failure that ended the conversation."""
        self._report("failed", f"failed: {problem}", problem=problem)

    def _report(self, kind: str, words: str, **fields: Any) -> None:
        """Write a local event, as words or by its type and fields."""
        raise NotImplementedError

    def _observe(self, event: inputs.Input, before: SessionState, after: SessionState, now: float) -> None:
        raise NotImplementedError

    def _dropped(self, count: int) -> str:
        raise NotImplementedError


class JsonLines(Writer):
    """`{"time": Unix seconds, "t": seconds since the start, "dir": "in"|"out"|"local", "event": {...}}`, one a line."""

    def __init__(self, write: Callable[[str], None], *, silent: bool = False, moments: Moments | None = None) -> None:
        super().__init__(write, silent=silent, moments=moments)
        self._began = self._moments.now()
        self._link: dict[str, str] = {}

    def _observe(self, event: inputs.Input, before: SessionState, after: SessionState, now: float) -> None:
        match event:
            case inputs.Received(body):
                self._write(now, "in", without_audio(body))
            case inputs.Sent(body):
                self._write(now, "out", without_audio(body))
            case inputs.OnStandby(inner):
                self._link = {"link": "standby"}
                self._observe(inner, before, after, now)
                self._link = {}
                return
            case inputs.Rotated():
                old, new = before.connection.session_id, after.connection.session_id
                self._local("rotated", before=old, session=new)
            case inputs.LogRecord(severity) if severity != "error":
                pass
            case inputs.HistorySent() | inputs.RotationDue():
                pass
            case inputs.Reconnecting(retry):
                self._local("reconnecting", seconds=round(retry.seconds, 1), number=retry.number, tries=TRIES)
            case _:
                kind = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
                fields = {name: getattr(event, name) for name in event.__struct_fields__}
                for name in ("at", "alive_at"):  # on the same clock as "t"
                    if isinstance(fields.get(name), float):
                        fields[name] = round(fields[name] - self._began, 3)
                self._write(now, "local", {"type": kind, **fields})
        became_ready = not before.ready and after.ready
        if before.lost_at is not None and became_ready:
            self._local("reconnected", seconds=round(now - before.lost_at, 1))
        done = after.restored
        if done and not done.seeds and (before.restored is None or before.restored.seeds):
            figures = {name: getattr(done, name) for name in ("turns", "tokens", "wordless", "refused")}
            self._local("restored", **figures, seconds=round(done.seconds or 0.0, 1))

    def _report(self, kind: str, words: str, **fields: Any) -> None:
        self._local(kind, **fields)

    def _local(self, kind: str, **fields: Any) -> None:
        # What follows from an event has its time, so that no line is older than the one before it.
        now = self._moments.now() if self._observed_at is None else self._observed_at
        self._write(now, "local", {"type": kind, **fields})

    def _write(self, now: float, direction: str, event: Mapping[str, Any]) -> None:
        self.output.write(self._line(now, direction, event))

    def _line(self, now: float, direction: str, event: Mapping[str, Any]) -> str:
        times = {"time": round(self._moments.epoch + now, 3), "t": round(now - self._began, 3)}
        line = {**times, "dir": direction, **self._link, "event": event}
        return escaped(encodable(json.dumps(masked(line), ensure_ascii=False, default=repr)))

    def _dropped(self, count: int) -> str:
        return self._line(self._moments.now(), "local", {"type": "lines_dropped", "count": count})


class TextLines(Writer):
    """The time of day, and what happened, in words."""

    def __init__(self, write: Callable[[str], None], *, silent: bool = False, moments: Moments | None = None) -> None:
        super().__init__(write, silent=silent, moments=moments)
        self._headline = ""
        self._written: set[str] = set()

    def _report(self, kind: str, words: str, **fields: Any) -> None:
        if kind != "failed" or words != self._headline:  # which may be the failure
            self._write(words)

    def _observe(self, event: inputs.Input, before: SessionState, after: SessionState, now: float) -> None:
        if isinstance(event, inputs.LogRecord) and event.severity == "error":
            self._write(f"error: {event.text}")
        if isinstance(event, inputs.DeviceChanged):
            self._write(f"audio {event.direction}: {event.problem or event.description}")
        if after.ready and not before.ready:
            self._write(f"session ready: {after.connection.session_id} (model {after.in_force.get('model', '?')})")
        for pinned in after.problems:
            failure = pinned.text == after.connection.problem and not self.closing  # the headline has it
            if pinned.seq >= before.log.next_seq and not failure:
                self._write(f"{pinned.severity}: {pinned.text}")
        if after.transcript is not before.transcript:
            for entry in after.transcript[-RECENT:]:
                if entry.status not in (EntryStatus.LISTENING, EntryStatus.PARTIAL):
                    self._write_entry(entry)
        if not self.closing:
            word, detail, *_ = headline(after)  # a hint names keys of the dashboard
            text = f"{word}: {detail}" if detail else word
            if text != self._headline:
                self._headline = text
                self._write(text)

    def _write_entry(self, entry: Entry) -> None:
        if entry.item_id in self._written or not (entry.text or entry.note or entry.call):
            return
        call = entry.call
        if call and call.kind == "mcp" and not (call.output or call.answered_by or call.overtaken_at):
            return  # its result, or the reason of its failure, comes after its end
        self._written.add(entry.item_id)
        parts = [entry.text or (f"{call.name} {call.arguments} → {call.output}" if call else "")]
        if entry.note:
            parts.append(f"[{entry.note}]")
        if entry.status is EntryStatus.INTERRUPTED and entry.heard_ms is not None:
            parts.append(f"[interrupted after {entry.heard_ms / 1000:.1f} s]")
        self._write(f"{entry.role}: {' '.join(part for part in parts if part)}")

    def _write(self, text: str) -> None:
        self.output.write(self._line(text))

    def _line(self, text: str) -> str:
        moment = datetime.fromtimestamp(self._moments.epoch + self._moments.now()).astimezone()
        return f"{moment:%H:%M:%S}  {visible(text)}"

    def _dropped(self, count: int) -> str:
        return self._line(f"{counted(count, 'line')} dropped: the reader had stopped")
