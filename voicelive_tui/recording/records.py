"""`RecordMaker`: what happened as records, without secrets and with its sound placed. Used by the recorder's thread."""

import json
import re
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import msgspec

from voicelive_tui.audio.format import BLOCK_SECONDS, SAMPLE_WIDTH, samples_in
from voicelive_tui.recording.lines import (
    MICROPHONE,
    RECEIVED,
    Direction,
    Mark,
    WireLine,
    encode,
    read,
    reference,
    samples_of,
    wire_line,
    without_secrets,
)
from voicelive_tui.recording.spool import Kind, Record
from voicelive_tui.recording.track import Track
from voicelive_tui.session import inputs
from voicelive_tui.text import in_markdown
from voicelive_tui.wire.events import Event, listing, mapping, raw_with, session_of, text

if TYPE_CHECKING:
    from voicelive_tui.audio.engine import AudioEngine
    from voicelive_tui.audio.playback import PlayedBlock
    from voicelive_tui.config import Recording

SETTLED_SECONDS = 0.5
"""After the end of a played block: by then it is known how much of it was heard."""
MICROPHONE_SECONDS, SPEAKER_SECONDS = 10.0, 0.5
"""Over which the clocks of the devices are averaged: ADC times of a virtual microphone swing by several milliseconds
within seconds, DAC times do not, and change at once after an underrun of the server."""
CLOCK_NS = 1_000_000_000
PLACED = 1_000
"""Chunks whose place is remembered, for sound that is sent again."""

_COUNTERS = ("underflows", "overflows", "gaps")
_OF_CONNECTION = ("Connected", "CaptureChanged", "session.created", "session.updated", "Disconnected", "ConnectFailed")


class Entry(NamedTuple):
    """An input as it was folded."""

    n: int
    t_ns: int
    input: inputs.Input


class RecordMaker:
    """Makes the records of one recorder, for which `began_ns` is the moment of sample 0.

    Attributes:
        received: Samples of channel 2 so far.
        masked: `n` of the lines that are not the original.
    """

    def __init__(self, began_ns: int, settings: "Recording") -> None:
        self.received = 0
        self._before: dict[str, Record] = {}
        self._standby: dict[str, Record] = {}
        self.masked: list[int] = []
        self._settings = settings
        self._microphone = Track(began_ns / 1e9, MICROPHONE_SECONDS)
        self._speaker = Track(began_ns / 1e9, SPEAKER_SECONDS)
        self._placed: OrderedDict[float, int] = OrderedDict()
        self._names: list[str] = []
        self._played_until: PlayedBlock | None = None
        self._counts: dict[str, int] = {}
        self._clock_due = 0

    def first_sample(self, at: float) -> int:
        """A sample of channels 0 and 1 before all that is recorded from a moment on."""
        return max(min(self._microphone.position(at), self._speaker.position(at)), 0)

    def sample_at(self, moment: float, kind: Kind = "left") -> int:
        """The sample of channel 0 that belongs to a moment, or of channel 1 for `right`."""
        return (self._speaker if kind == "right" else self._microphone).position(moment)

    # --- lines

    @property
    def before(self) -> tuple[Record, ...]:
        """Lines that a reader of a later part needs: the connections, the sessions in force, the devices, counters."""
        return (*self._before.values(), *self._standby.values())

    def of_entry(self, entry: Entry) -> list[Record]:
        """The records of an input."""
        n, t_ns, event = entry
        standby = isinstance(event, inputs.OnStandby)
        match inner := event.inner if isinstance(event, inputs.OnStandby) else event:
            case inputs.Received(body, raw):
                records = self._message(entry, "in", raw or json.dumps(dict(body)), body, standby=standby)
            case inputs.Sent(body, at):
                raw = json.dumps(dict(body), default=repr)
                self._hide_servers(session_of(body).get("tools"))
                records = self._message(entry, "out", raw, body, captured_at=at, standby=standby)
            case inputs.BadMessage(problem, raw):
                line = wire_line(n, t_ns, "in", self._clean(n, raw), problem=problem, standby=standby)
                records = [Record("wire", t_ns, line)]
            case _:
                records = [self._mark_of(entry, inner)]
        self._keep(inner, records[-1], self._standby if standby else self._before)
        return records

    def _keep(self, event: inputs.Input, record: Record, lines: dict[str, Record]) -> None:
        """Keep the line of an input that a reader of a later part needs."""
        kind = type(event).__name__
        match event:
            case inputs.Connecting():
                for name in _OF_CONNECTION:
                    lines.pop(name, None)
            case inputs.Received(body):
                kind = text(body.get("type"))
            case inputs.DeviceChanged(direction):
                kind += direction
            case inputs.MutePressed() if kind in lines:
                del lines[kind]
                return
            case inputs.Disconnected() | inputs.ConnectFailed() if lines is self._standby:
                lines.clear()
                return
            case inputs.Rotated():
                for name in _OF_CONNECTION:
                    lines.pop(name, None)
                lines.update((name, _as_serving(each)) for name, each in self._standby.items())
                self._standby.clear()
        if kind in _OF_CONNECTION or isinstance(event, inputs.Connecting | inputs.DeviceChanged | inputs.MutePressed):
            lines[kind] = record

    def _message(
        self,
        entry: Entry,
        direction: Direction,
        raw: str,
        body: Event,
        *,
        captured_at: float | None = None,
        standby: bool,
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
        clean = self._clean(n, raw)
        line = wire_line(n, t_ns, direction, clean, captured_at=captured_at, standby=standby, plain=foreign)
        return [*records, Record("wire", t_ns, line)]

    def _place(self, captured_at: float, samples: int) -> int:
        """Where a chunk of the microphone lies; one that is sent again keeps its place."""
        if captured_at not in self._placed:
            self._placed[captured_at] = self._microphone.place(captured_at, samples)
            if len(self._placed) > PLACED:
                self._placed.popitem(last=False)
        return self._placed[captured_at]

    def _clean(self, n: int, raw: str) -> str:
        clean = self.without_names(without_secrets(raw))
        if clean != raw:
            self.masked.append(n)
        return clean

    def _mark_of(self, entry: Entry, inner: inputs.Input) -> Record:
        n, t_ns, event = entry
        if isinstance(event, inputs.DeviceChanged):
            named = event.description and not event.description.startswith(("none", "synthetic"))
            if named and not self._settings.device_names:
                self._hide(*_device_names(event.description))
                event = msgspec.structs.replace(event, description="a device")
        match inner:
            case inputs.Connecting(endpoint):
                self._hide_hosts([endpoint])
            case inputs.SessionEdited(session) | inputs.SettingsChanged(session):
                self._hide_servers(session.get("tools"))
        line = self._clean(n, encode(event).decode())
        return Record("mark", t_ns, encode(Mark(n, t_ns, msgspec.Raw(line.encode()))) + b"\n")

    def _hide_servers(self, tools: object) -> None:
        """Hide the hosts of the MCP servers among the tools of a session."""
        self._hide_hosts(text(mapping(tool).get("server_url")) for tool in listing(tools))

    def _hide_hosts(self, urls: Iterable[str]) -> None:
        for url in () if self._settings.host_names else urls:
            try:
                host = urlsplit(url)
                self._hide(host.netloc, host.hostname or "")
            except ValueError:  # the editor takes any text
                self._hide(url)

    def _hide(self, *names: str) -> None:
        forms = (form for name in names if len(name) > 3 for form in (name, json.dumps(name)[1:-1], in_markdown(name)))
        self._names = sorted({*self._names, *forms}, key=len, reverse=True)

    def without_names(self, text: str) -> str:
        """A text, a line or a document without the names that are not to be recorded."""
        for name in self._names:
            text = text.replace(name, "…")
        return text

    # --- sound and its clock

    def of_engine(self, engine: "AudioEngine", n: int, *, ending: bool) -> list[Record]:
        """What left the speaker since the last call, the clock map once a second, and counters, first and if changed.

        `n` is that of the next input; `ending` says that there will be no further call.
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
        if counts != self._counts:
            self._counts, self._before["counters"] = counts, mark(n, "counters", **counts)
            records.append(self._before["counters"])
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
    """The record of something that is not an input, now."""
    t_ns = time.monotonic_ns()
    return Record("mark", t_ns, encode(Mark(n, t_ns, mark=name, values=values)) + b"\n")


def _as_serving(record: Record) -> Record:
    """The line of the link on standby as if that link had served then."""
    line: WireLine | Mark
    if record.kind == "wire":
        line = msgspec.structs.replace(read(WireLine, record.data), standby=False)
    else:
        line = read(Mark, record.data)
        line = msgspec.structs.replace(line, input=msgspec.Raw(encode(json.loads(bytes(line.input))["inner"])))
    return record._replace(data=encode(line) + b"\n")


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
    name = description.partition(", ")[0]
    path = name.removeprefix("file:")
    return [name, path, Path(path).name, *re.findall(r'instead of "([^"]*)"', description)]
