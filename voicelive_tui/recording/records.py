"""`RecordMaker`: what happened as records, without secrets and with its sound placed. Used by the recorder's thread."""

import json
import re
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from voicelive_tui.audio.format import BLOCK_SECONDS, SAMPLE_WIDTH, samples_in
from voicelive_tui.recording.lines import (
    MICROPHONE,
    RECEIVED,
    Direction,
    Mark,
    encode,
    reference,
    samples_of,
    wire_line,
    without_secrets,
)
from voicelive_tui.recording.spool import Kind, Record
from voicelive_tui.recording.track import Track
from voicelive_tui.session import inputs
from voicelive_tui.wire.events import raw_with, text

if TYPE_CHECKING:
    from voicelive_tui.audio.engine import AudioEngine
    from voicelive_tui.audio.playback import PlayedBlock
    from voicelive_tui.config import Recording

SETTLED_SECONDS = 0.5
"""After the end of a played block: by then it is known how much of it was heard."""
CLOCK_NS = 1_000_000_000
PLACED = 1_000
"""Chunks whose place is remembered, for sound that is sent again."""

_COUNTERS = ("underflows", "overflows", "gaps")
_OF_CONNECTION = ("Connected", "CaptureChanged", "session.created", "session.updated")


class Entry(NamedTuple):
    """An input as it was folded."""

    n: int
    t_ns: int
    input: inputs.Input


class RecordMaker:
    """Makes the records of one recorder.

    Args:
        began_ns: The moment of sample 0.
        settings: Which names are recorded.

    Attributes:
        received: Samples of channel 2 so far.
        before: Lines that a reader of a later part needs: the connection, the session in force, the devices.
        masked: `n` of the lines that are not the original.
    """

    def __init__(self, began_ns: int, settings: "Recording") -> None:
        self.received = 0
        self.before: dict[str, Record] = {}
        self.masked: list[int] = []
        self._settings = settings
        self._microphone, self._speaker = Track(began_ns / 1e9), Track(began_ns / 1e9)
        self._placed: OrderedDict[float, int] = OrderedDict()
        self._names: set[str] = set()
        self._played_until: PlayedBlock | None = None
        self._counts: dict[str, int] | None = None
        self._clock_due = 0

    def first_sample(self, at: float) -> int:
        """A sample of channels 0 and 1 before all that is recorded from a moment on."""
        return max(min(self._microphone.position(at), self._speaker.position(at)), 0)

    def sample_at(self, moment: float) -> int:
        """The sample of channel 0 that belongs to a moment."""
        return self._microphone.position(moment)

    # --- lines

    def of_entry(self, entry: Entry) -> list[Record]:
        """The records of an input."""
        match entry.input:
            case inputs.Received(body, raw):
                records = self._message(entry, "in", raw or json.dumps(dict(body)), body)
                if (kind := text(body.get("type"))) in _OF_CONNECTION:
                    self.before[kind] = records[-1]
                return records
            case inputs.Sent(body, captured_at):
                return self._message(entry, "out", json.dumps(dict(body), default=repr), body, captured_at)
            case inputs.BadMessage(problem, raw):
                line = wire_line(entry.n, entry.t_ns, "in", self._clean(entry.n, raw), problem=problem)
                return [Record("wire", entry.t_ns, line)]
        return [self._mark_of(entry)]

    def _message(
        self, entry: Entry, direction: Direction, raw: str, body: inputs.Event, captured_at: float | None = None
    ) -> list[Record]:
        """The sound of a message, then its line."""
        records: list[Record] = []

        def substitute(payload: str) -> str | None:
            pcm = samples_of(payload)
            if not pcm or (direction == "out" and captured_at is None):
                return None
            samples = samples_in(pcm)
            if captured_at is not None:
                at = self._place(captured_at, samples)
                records.append(Record("left", at, pcm))
                return reference(MICROPHONE, at, samples)
            at, self.received = self.received, self.received + samples
            records.append(Record("received", at, pcm))
            return reference(RECEIVED, at, samples)

        foreign = '"$audio"' in raw  # it would be taken for a reference
        if not foreign and not text(body.get("type")).endswith("video.delta"):
            raw = raw_with(body, raw, substitute)
        n, t_ns = entry.n, entry.t_ns
        line = wire_line(n, t_ns, direction, self._clean(n, raw), captured_at=captured_at, plain=foreign)
        return [*records, Record("wire", t_ns, line)]

    def _place(self, captured_at: float, samples: int) -> int:
        """Where a chunk of the microphone lies; one that is sent again keeps its place."""
        if captured_at not in self._placed:
            self._placed[captured_at] = self._microphone.place(captured_at, samples)
            if len(self._placed) > PLACED:
                self._placed.popitem(last=False)
        return self._placed[captured_at]

    def _clean(self, n: int, raw: str) -> str:
        clean = without_secrets(raw)
        for name in self._names:
            clean = clean.replace(name, "…")
        if clean != raw:
            self.masked.append(n)
        return clean

    def _mark_of(self, entry: Entry) -> Record:
        n, t_ns, event = entry
        kind = type(event).__name__
        if isinstance(event, inputs.DeviceChanged):
            kind += event.direction
            named = event.description and not event.description.startswith(("none", "synthetic"))
            if named and not self._settings.device_names:
                self._hide(*_device_names(event.description))
                event = msgspec.structs.replace(event, description="a device")
        if isinstance(event, inputs.Connecting):
            for name in _OF_CONNECTION:
                self.before.pop(name, None)
            if not self._settings.host_names:
                self._hide(event.endpoint.rpartition("://")[2])
        line = self._clean(n, encode(event).decode())
        record = Record("mark", t_ns, encode(Mark(n, t_ns, msgspec.Raw(line.encode()))) + b"\n")
        if isinstance(event, inputs.MutePressed) and kind in self.before:
            del self.before[kind]
        elif isinstance(event, inputs.Connecting | inputs.DeviceChanged | inputs.MutePressed) or kind in _OF_CONNECTION:
            self.before[kind] = record
        return record

    def _hide(self, *names: str) -> None:
        self._names.update(json.dumps(name)[1:-1] for name in names if len(name) > 3)

    # --- sound and its clock

    def of_engine(self, engine: "AudioEngine", n: int, *, ending: bool) -> list[Record]:
        """What left the speaker since the last call, the clock map once a second, and counters that changed.

        Args:
            engine: The engine.
            n: Of the next input.
            ending: There will be no further call.
        """
        records = self._heard(engine.played, 0 if ending else SETTLED_SECONDS)
        now_ns = time.monotonic_ns()
        if now_ns >= self._clock_due:
            self._clock_due = now_ns + CLOCK_NS
            moment = now_ns / 1e9
            records.append(
                mark(n, "clock", left=self._microphone.position(moment), right=self._speaker.position(moment))
            )
        counters = engine.counters()
        counts = {name: getattr(counters, name) for name in _COUNTERS}
        if self._counts is not None and counts != self._counts:
            records.append(mark(n, "counters", **counts))
        self._counts = counts
        return records

    def _heard(self, played: Sequence["PlayedBlock"], settled: float) -> list[Record]:
        fresh: list[PlayedBlock] = []
        for block in reversed(played):
            if block is self._played_until:
                break
            fresh.append(block)
        records, until = [], time.monotonic() - settled - BLOCK_SECONDS
        for block in reversed(fresh):
            if block.at > until:
                break
            self._played_until = block
            at = self._speaker.place(block.at, samples_in(block.pcm))
            if block.segments and block.samples_heard:
                records.append(Record("right", at, block.pcm[: block.samples_heard * SAMPLE_WIDTH]))
        return records


def mark(n: int, name: str, **values: int) -> Record:
    """The record of something that is no input, now."""
    t_ns = time.monotonic_ns()
    return Record("mark", t_ns, encode(Mark(n, t_ns, mark=name, values=values)) + b"\n")


def joined(records: Iterable[Record]) -> list[Record]:
    """The records with sound first, and neighbouring sound of a channel in one piece."""
    lines: list[Record] = []
    pieces: dict[Kind, list[tuple[int, bytearray]]] = {"left": [], "right": [], "received": []}
    for record in records:
        sound = pieces.get(record.kind)
        if sound is None:
            lines.append(record)
        elif sound and sound[-1][0] + len(sound[-1][1]) // SAMPLE_WIDTH == record.at:
            sound[-1][1].extend(record.data)
        else:
            sound.append((record.at, bytearray(record.data)))
    return [*(Record(kind, at, bytes(pcm)) for kind, each in pieces.items() for at, pcm in each), *lines]


def _device_names(description: str) -> list[str]:
    """The names in the description of a device: `USB Headset, 24000 Hz, 11 ms (instead of "Webcam": ...)`."""
    return [description.partition(", ")[0], *re.findall(r'instead of "([^"]*)"', description)]
