"""`Bundle`: a recording to read, from a folder, a zip, or a bare file of messages.

A bundle from someone else is data: sizes are limited, names inside a zip are looked up and never extracted, lines that
cannot be read are counted and left out.
"""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec

from voicelive_tui.audio.format import SAMPLE_RATE, SAMPLE_WIDTH, silence
from voicelive_tui.errors import UserError
from voicelive_tui.recording.files import HEADER_BYTES
from voicelive_tui.recording.flac import as_wave, missing
from voicelive_tui.recording.lines import RECEIVED, DamageError, Line, Mark, WireLine, input_of, read, with_sound
from voicelive_tui.recording.writer import FORMAT, Manifest
from voicelive_tui.recording.zipped import LARGEST_AUDIO, LARGEST_TEXT, UNREADABLE, Opener, begins_like_zip, open_zip
from voicelive_tui.session import inputs
from voicelive_tui.session.observe import observe
from voicelive_tui.session.state import SessionState
from voicelive_tui.text import counted
from voicelive_tui.wire.events import parse

LONGEST_LINE = 50_000_000
"""Bytes of one line."""
FARTHEST = 10**12
"""No sample of a recording is farther from its beginning."""


class BundleError(UserError):
    """A recording that cannot be opened."""


class Bundle:
    """An opened recording: a folder or a zip with a bundle, or a file with a message in each line.

    Raises `BundleError` if there is nothing to read.

    Attributes:
        manifest: Its manifest; the default one where there is none.
        flaws: A sentence for each kind of damage.
        open: Opens one of its files by name; None if it is not there, or cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.flaws: list[str] = []
        self.open = self._opener()
        self.manifest = self._read_manifest()
        self._audio = self._sound("audio", 2, self.manifest.audio_origin)
        self._received = self._sound("received", 1, self.manifest.received_origin)

    def __enter__(self) -> "Bundle":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its files; sound is silence from then on."""
        for sound in (self._audio, self._received):
            if sound is not None:
                sound.close()
        self._audio = self._received = None

    def _opener(self) -> Opener:
        path = self.path.expanduser()
        try:
            if path.is_dir():
                if not (path / "wire.jsonl").is_file():
                    raise BundleError(f"{path} is not a recording: it has no wire.jsonl")
                return self._file_opener
            if begins_like_zip(path):
                return open_zip(path, self.flaws)
        except UNREADABLE as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise BundleError(f"cannot open {path}: {reason or error}") from None
        return lambda name: cast("BinaryIO", path.open("rb")) if name == "wire.jsonl" else None

    def _file_opener(self, name: str) -> BinaryIO | None:
        path = self.path.expanduser() / name
        try:
            return cast("BinaryIO", path.open("rb")) if path.is_file() else None
        except OSError as error:
            self.flaws.append(f"{name} cannot be read ({error.strerror})")
            return None

    def _read_manifest(self) -> Manifest:
        file = self.open("manifest.json")
        if file is None:
            return Manifest()
        with file:
            try:
                found = msgspec.json.decode(file.read(LONGEST_LINE), type=Manifest)
            except UNREADABLE as error:
                self.flaws.append(f"manifest.json cannot be read ({error})")
                return Manifest()
        if found.format > FORMAT:
            self.flaws.append(f"format {found.format} is newer than this program knows ({FORMAT}): update it")
        return found

    def _sound(self, name: str, channels: int, origin: int) -> "_Sound | None":
        if (file := self.open(f"{name}.wav")) is not None:
            return _Sound(file, channels, origin)
        if (file := self.open(f"{name}.flac")) is None:
            return None
        with file:
            try:
                return _Sound(as_wave(file, channels, LARGEST_AUDIO), channels, origin)
            except (ImportError, *UNREADABLE) as error:
                self.flaws.append(f"{name}.flac cannot be read ({missing() or error})")
                return None

    def size(self, name: str) -> int | None:
        """Bytes of one of its files, None if it is not there."""
        file = self.open(name)
        if file is None:
            return None
        with file:
            return file.seek(0, io.SEEK_END)

    @property
    def began(self) -> float:
        """The moment of the first sample of `audio.wav`; 0.0 where there is no manifest."""
        return self.manifest.sample_zero_ns / 1e9 + self.manifest.audio_origin / SAMPLE_RATE

    def final_state(self) -> SessionState:
        """The state at the end of the recording."""
        state = SessionState()
        for moment in self.moments():
            if (event := self.input(moment, silent=True)) is not None:
                state = observe(event, state, moment.t_ns / 1e9)
        return state

    def sound(self, channel: int, at: int, samples: int) -> bytes:
        """PCM16 of a channel from a sample on, for at most a minute; silence where the recording has none."""
        samples, at = max(min(samples, 60 * SAMPLE_RATE), 0), max(min(at, FARTHEST), -FARTHEST)
        source, lane = (self._received, 0) if channel == RECEIVED else (self._audio, channel)
        return silence(samples) if source is None else source.read(lane, at, samples)

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a file, without their ends; the last one may be a piece."""
        file = self.open(name)
        if file is None:
            return
        with file:
            total = 0
            while line := self._next_line(name, file):
                total += len(line)
                if total > LARGEST_TEXT:
                    self.flaws.append(f"{name} is longer than {LARGEST_TEXT:,} bytes: the rest is left out")
                    return
                if line := line.strip():
                    yield line

    def _next_line(self, name: str, file: BinaryIO) -> bytes:
        try:
            return file.readline(LONGEST_LINE)
        except UNREADABLE as error:
            self.flaws.append(f"{name} ends early: {error}")
            return b""

    def moments(self) -> list[WireLine | Mark]:
        """Everything in the order in which it happened. Damaged lines are left out; `flaws` names what is missing.

        Raises `BundleError` if there is nothing.
        """
        messages = {line.n: line for line in self._read("wire.jsonl", _message)}
        marks = {(mark.n, mark.mark): mark for mark in self._read("marks.jsonl", _mark)}
        if not messages and not marks:
            raise BundleError(": ".join([f"{self.path} holds no message", *self.flaws[-1:]]))
        if left_out := sum(mark.values.get("inputs", 0) for mark in marks.values() if mark.mark == "left_out"):
            self.flaws.append(f"{left_out:,} events are missing: they came faster than they could be written")
        return sorted([*messages.values(), *marks.values()], key=lambda moment: (moment.t_ns, moment.n))

    def _read(self, name: str, read_line: Callable[[bytes, int], Line]) -> Iterator[Line]:
        bad, first = 0, ""
        for number, line in enumerate(self.lines(name)):
            try:
                yield read_line(line, number)
            except DamageError as damage:
                bad, first = bad + 1, first or f"line {number + 1}: {damage}"
        if bad:
            self.flaws.append(f"{name}: {counted(bad, 'line')} cannot be read ({first})")

    def text(self, line: WireLine) -> str:
        """A message as it was on the wire."""
        return with_sound(line, self.sound)

    def input(self, moment: WireLine | Mark, *, silent: bool = False) -> inputs.Input | None:
        """What a moment is for the fold; None where it is nothing, or cannot be read.

        If `silent`, silence of the same length is in place of the sound, which is not read then: the state is the same.
        """
        if isinstance(moment, Mark):
            return input_of(moment)
        raw = with_sound(moment, lambda _channel, _at, samples: silence(samples)) if silent else self.text(moment)
        found: inputs.OfLink
        if moment.problem:
            found = inputs.BadMessage(moment.problem, raw)
        elif moment.dir == "in":
            found = inputs.Received(parse(raw), raw)
        else:
            found = inputs.Sent(parse(raw), moment.captured_at)
        return inputs.OnStandby(found) if moment.standby else found


def _message(line: bytes, number: int) -> WireLine:
    try:
        wire = read(WireLine, line)
    except DamageError:
        wire = _bare(line, number)
    if not wire.problem:
        try:
            parse(wire.raw)
        except ValueError as error:
            raise DamageError(str(error)) from None
    return wire


def _mark(line: bytes, _number: int) -> Mark:
    mark = read(Mark, line)
    input_of(mark)
    return mark


_TIMES = ("t_ns", "t", "time", "timestamp", "ts", "at")
_BODIES = ("frame", "message", "event", "data", "payload")
_DIRECTIONS = ("dir", "direction", "way")


def _bare(line: bytes, number: int) -> WireLine:
    """A line of a file that is not a bundle: a message, or an object that holds one."""
    try:
        found = parse(line.decode("utf-8", "replace"))
    except ValueError as error:
        raise DamageError(str(error)) from None
    body: Any = found
    if "type" not in found or any(isinstance(found.get(name), dict) for name in ("frame", "message")):
        body = next((found[name] for name in _BODIES if isinstance(found.get(name), dict | str)), None)
    if isinstance(body, str):
        try:
            body = parse(body)
        except ValueError as error:
            raise DamageError(str(error)) from None
    if not isinstance(body, dict) or not isinstance(body.get("type"), str):
        raise DamageError("no message")
    way = next((str(found[name]).lower() for name in _DIRECTIONS if name in found), "")
    out = way in ("out", "sent", "send", "client", "up", "tx", ">") if way else body["type"] in _CLIENT_EVENTS
    times = (found[name] for name in _TIMES if isinstance(found.get(name), int | float))
    return WireLine(number, _nanoseconds(next(times, number / 100)), "out" if out else "in",
                    msgspec.Raw(json.dumps(body).encode()))  # fmt: skip


_CLIENT_EVENTS = frozenset({
    "session.update", "input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.clear",
    "conversation.item.create", "conversation.item.truncate", "conversation.item.delete", "conversation.item.retrieve",
    "response.create", "response.cancel", "input_audio.clear", "input_audio.turn.start", "input_audio.turn.append",
    "input_audio.turn.end", "input_audio.turn.cancel",
})  # fmt: skip


def _nanoseconds(time: float) -> int:
    """A time in seconds, milliseconds, microseconds or nanoseconds, by its size (Unix times of this century)."""
    for limit, factor in ((1e10, 1e9), (1e13, 1e6), (1e16, 1e3)):
        if time < limit:
            return int(time * factor)
    return int(time)


class _Sound:
    """Samples of a WAV file of this program, which may still be written or have lost its end."""

    def __init__(self, file: BinaryIO, channels: int, origin: int) -> None:
        self._file, self._channels, self._origin = file, channels, origin

    def close(self) -> None:
        self._file.close()

    def read(self, channel: int, at: int, samples: int) -> bytes:
        import numpy as np  # noqa: PLC0415 - a transcript needs none

        skipped = max(self._origin - at, 0)
        width = self._channels * SAMPLE_WIDTH
        found = np.zeros(samples, "<i2")
        if skipped < samples:
            self._file.seek(HEADER_BYTES + (at + skipped - self._origin) * width)
            data = self._file.read((samples - skipped) * width)
            frames = np.frombuffer(data[: len(data) // width * width], "<i2").reshape(-1, self._channels)
            found[skipped : skipped + len(frames)] = frames[:, channel]
        return found.tobytes()
