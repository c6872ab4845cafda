"""What may be made to go wrong between the brain and the socket, by name.

A fault is written ``NAME[=VALUE][@WHEN]``. ``WHEN`` is a server event (``@response.created``), its n-th occurrence
(``@response.audio.delta#5``) or a time since the connection (``@2.5s``). ``FAULTS`` says what each name does.

The brain knows nothing of faults: ``Link`` stands between it and the socket and turns server events into the frames
that go out, as they are or spoilt. It has no clock and no I/O of its own. ``service`` performs the frames, and the
faults of the handshake.
"""

from __future__ import annotations

import difflib
import heapq
import itertools
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from voicelive_tui.loopback.protocol import new_id

Event = dict[str, Any]

_AUDIO = "response.audio.delta"
_DONE = "response.done"
_TRANSCRIPT = "conversation.item.input_audio_transcription."
NEVER: Final = float("inf")


class FaultError(Exception):
    """A fault that cannot be understood; its text is one sentence."""


@dataclass(frozen=True, slots=True)
class _Sort:
    """What a name stands for.

    Attributes:
        help: What it does, with its value in capitals.
        value: The value when none is given; None if it takes none.
        low: The least value.
        high: The greatest.
        when: Where it happens when not told; None if it has no moment.
    """

    help: str
    value: float | None = None
    low: float = 0
    high: float = NEVER
    when: str | None = None


_HANDSHAKE = {
    "refuse": _Sort("answer the handshake with HTTP status VALUE (503)", 503, 200, 599),
    "throttle": _Sort("answer the handshake with 429 and Retry-After: VALUE seconds (5)", 5),
    "redirect": _Sort("answer the handshake with a redirect, status VALUE (307)", 307, 300, 399),
    "hang": _Sort("answer the handshake only after VALUE seconds (for ever)", NEVER),
}
_LINK = {
    "close": _Sort("close with code VALUE (1011) after the event", 1011, 1000, 4999, _AUDIO),
    "reset": _Sort("reset the TCP connection after the event", when=_AUDIO),
    "stall": _Sort(
        "after the event send nothing, read nothing and answer no ping for VALUE seconds (for ever)", NEVER, when=_AUDIO
    ),
    "half-open": _Sort("after the event go on reading and answering pings, but send nothing any more", when=_AUDIO),
    "expire": _Sort("let the session expire after VALUE seconds (10)", 10),
}
_PACE = {
    "jitter": _Sort("delay each audio delta by up to VALUE milliseconds (200)", 200, 0, 60_000),
    "bandwidth": _Sort("send audio deltas at VALUE kilobits a second (256)", 256, 1),
    "late-transcript": _Sort("send the user's transcripts VALUE seconds late (3)", 3),
    "failed-transcript": _Sort("let every transcription fail"),
}
_BESIDE = {
    "malformed-json": _Sort("send a frame of broken JSON first", when=_AUDIO),
    "non-object-json": _Sort("send a frame that holds a JSON list first", when=_AUDIO),
    "unknown-event": _Sort("send an event of an unknown type first", when=_AUDIO),
    "empty-frame": _Sort("send an empty frame first", when=_AUDIO),
    "error-storm": _Sort("send VALUE errors first (50)", 50, 1, 10_000, _AUDIO),
}
_REPLACING = {
    "bad-base64": _Sort("send an audio delta that is not base64", when=_AUDIO),
    "binary-frame": _Sort("send the event as a binary frame", when=_AUDIO),
    "oversize": _Sort("send the event in a frame of VALUE MiB (5)", 5, 0.001, 64, _AUDIO),
    "duplicate-done": _Sort("send the event twice", when=_DONE),
    "missing-done": _Sort("leave the event out", when=_DONE),
}
_SORTS = _HANDSHAKE | _LINK | _PACE | _BESIDE | _REPLACING

FORM: Final = (
    "NAME[=VALUE][@WHEN]",
    "a default VALUE stands in (), a default WHEN in []; WHEN may be a server event (@response.created), its n-th "
    "occurrence (@response.audio.delta#5), or, unless the fault changes an event, seconds since the connection (@2.5s)",
)
"""How a fault is written, and what that means."""

FAULTS: Final[dict[str, str]] = {
    name: sort.help + (f" [@{sort.when}]" if sort.when else "") for name, sort in _SORTS.items()
}
"""What each fault does, in a line, with the moment it has when none is given."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        name: Its name in ``FAULTS``.
        value: Its value, or the default.
        event: At which server event it happens; None for faults without a moment, or with a time.
        nth: At which occurrence of that event.
        after: At how many seconds after the connection.
    """

    name: str
    value: float
    event: str | None = None
    nth: int = 1
    after: float | None = None

    @property
    def in_handshake(self) -> bool:
        """Whether it happens before there is a session."""
        return self.name in _HANDSHAKE

    @property
    def can_be_armed(self) -> bool:
        """Whether it can begin when the session has begun already."""
        return not self.in_handshake and self.name != "expire"

    def __str__(self) -> str:
        value = f"={self.value:g}" if _SORTS[self.name].value is not None and self.value != NEVER else ""
        when = f"@{self.after:g}s" if self.after is not None else ""
        if self.event:
            when = f"@{self.event}" + (f"#{self.nth}" if self.nth > 1 else "")
        return self.name + value + when


_FORM = re.compile(r"(?P<name>[^=@]*)(?:=(?P<value>[^@]*))?(?:@(?P<when>.*))?", re.DOTALL)
_TIME = re.compile(r"(\d+(?:\.\d+)?)s")
_EVENT = re.compile(r"([a-z_]+(?:\.[a-z_]+)*)(?:#([1-9]\d{0,5}))?")


def parse(text: str) -> Fault:
    """The fault that ``text`` names, as ``NAME[=VALUE][@WHEN]``.

    Raises:
        FaultError: The name is unknown (the near ones are named), or its value or its moment cannot be.
    """
    form = _FORM.fullmatch(text.strip())
    assert form is not None
    name = form["name"].strip()
    sort = _SORTS.get(name)
    if sort is None:
        near = difflib.get_close_matches(name, _SORTS, n=3, cutoff=0.5) or list(_SORTS)
        raise FaultError(f"There is no fault {name!r}; did you mean {' or '.join(near)}?")
    fault = Fault(name, _value(name, sort, form["value"]))
    when = form["when"] if form["when"] is not None else sort.when
    if when is None:
        return fault
    if sort.when is None:
        raise FaultError(f"The fault {name!r} has no moment, so @{when} says nothing.")
    time, event = _TIME.fullmatch(when), _EVENT.fullmatch(when)
    if time and name not in _REPLACING:
        return replace(fault, after=float(time[1]))
    if not event:
        wanted = "a server event such as response.created#2"
        if name not in _REPLACING:
            wanted += " or a time such as 2.5s"
        raise FaultError(f"The fault {name!r} cannot happen at {when!r}; expected {wanted}.")
    return replace(fault, event=event[1], nth=int(event[2] or 1))


def _value(name: str, sort: _Sort, text: str | None) -> float:
    if text is None:
        return 0.0 if sort.value is None else sort.value
    if sort.value is None:
        raise FaultError(f"The fault {name!r} takes no value.")
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not sort.low <= value <= sort.high or value == NEVER:
        limit = f"from {sort.low:g}" + ("" if sort.high == NEVER else f" to {sort.high:g}")
        raise FaultError(f"The value of the fault {name!r} must be a number {limit}, not {text!r}.")
    return value


@dataclass(frozen=True, slots=True)
class Text:
    """Send a text frame."""

    data: str


@dataclass(frozen=True, slots=True)
class Binary:
    """Send a binary frame."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Close the WebSocket."""

    code: int


@dataclass(frozen=True, slots=True)
class Reset:
    """Reset the TCP connection."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Read and send nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class _Mute:
    """Send nothing after this; never leaves the link."""


Frame = Text | Binary | Close | Reset | Stall | _Mute


class Link:
    """The way from the brain to the socket, with its faults.

    Args:
        faults: Those of the whole session.
        now: The time of the connection, in seconds on any steady clock.
        seed: Of what is left to chance (jitter), so that it can be had again.
    """

    def __init__(self, faults: Iterable[Fault], now: float, seed: int = 0) -> None:
        self.happened: list[Fault] = []
        """Faults that have happened since the list was last emptied."""
        self._waiting: list[tuple[Fault, int]] = []
        self._lasting: dict[str, float] = {}
        self._out: list[tuple[float, int, Frame]] = []
        self._timed: list[tuple[float, int, Fault]] = []
        self._order = itertools.count()
        self._last = now
        self._mute = False
        self._random = random.Random(seed)  # noqa: S311  jitter, no secret
        for fault in faults:
            self.arm(fault, now)

    def arm(self, fault: Fault, now: float) -> None:
        """Let a fault happen from now on; its occurrences and its time count from here."""
        if fault.after is not None:
            heapq.heappush(self._timed, (now + fault.after, next(self._order), fault))
        elif fault.event is not None:
            self._waiting.append((fault, fault.nth))
        elif fault.name in _PACE:
            self._lasting[fault.name] = fault.value
            self.happened.append(fault)

    @property
    def next_due(self) -> float:
        """When ``take`` will have a frame."""
        return min(self._out[0][0] if self._out else NEVER, self._timed[0][0] if self._timed else NEVER)

    def send(self, event: Event, now: float) -> None:
        """Put one server event on its way."""
        event = self._spoil_transcript(event)
        due: list[Fault] = []
        left: list[tuple[Fault, int]] = []
        for fault, count in self._waiting:
            if fault.event != event["type"]:
                left.append((fault, count))
            elif count > 1:
                left.append((fault, count - 1))
            else:
                due.append(fault)
        self._waiting = left
        before: list[Frame] = []
        instead: list[Frame] = [Text(_encode(event))]
        after: list[Frame] = []
        for fault in due:
            self.happened.append(fault)
            if fault.name in _REPLACING:
                instead = _replaced(fault, event)
            elif fault.name in _LINK:
                after += _struck(fault)
            else:
                before += _struck(fault)
        at = self._release(event, instead, now)
        if event["type"].startswith(_TRANSCRIPT) and "late-transcript" in self._lasting:
            at = now + self._lasting["late-transcript"]
        else:
            self._last = at
        for frame in (*before, *instead, *after):
            self._put(at, frame)

    def take(self, now: float) -> list[Frame]:
        """The frames that are due, in order."""
        frames: list[Frame] = []
        while self.next_due <= now:
            if self._timed and (not self._out or self._timed[0][0] <= self._out[0][0]):
                fault = heapq.heappop(self._timed)[2]
                self.happened.append(fault)
                for frame in _struck(fault):
                    self._put(now, frame)
            else:
                frame = heapq.heappop(self._out)[2]
                self._mute = self._mute or isinstance(frame, _Mute)
                if not self._mute:
                    frames.append(frame)
        return frames

    def close(self, code: int, now: float) -> None:
        """Close after everything that is on its way."""
        self._put(max(self._last, now), Close(code))

    def _put(self, at: float, frame: Frame) -> None:
        heapq.heappush(self._out, (at, next(self._order), frame))

    def _release(self, event: Event, frames: list[Frame], now: float) -> float:
        """When an event goes out: never before the one ahead of it, and audio deltas as slowly as asked."""
        at = max(self._last, now)
        if event["type"] == _AUDIO:
            at = max(at, now + self._random.uniform(0, self._lasting.get("jitter", 0)) / 1000)
            if "bandwidth" in self._lasting:
                size = sum(len(frame.data) for frame in frames if isinstance(frame, Text | Binary))
                at += size * 8 / 1000 / self._lasting["bandwidth"]
        return at

    def _spoil_transcript(self, event: Event) -> Event:
        if event["type"] == _TRANSCRIPT + "completed" and "failed-transcript" in self._lasting:
            error = {"type": "server_error", "code": "transcription_failed", "message": "Transcription failed."}
            kept = {key: event[key] for key in ("event_id", "item_id", "content_index")}
            return {"type": _TRANSCRIPT + "failed", **kept, "error": error}
        return event


def _replaced(fault: Fault, event: Event) -> list[Frame]:
    """What goes out in place of the event."""
    text = _encode(event)
    match fault.name:
        case "bad-base64":
            return [Text(_encode(event | {"delta": "!not base64!"}))]
        case "binary-frame":
            return [Binary(text.encode())]
        case "oversize":
            return [Text(text + " " * max(0, int(fault.value * 1024 * 1024) - len(text.encode())))]
        case "duplicate-done":
            return [Text(text), Text(text)]
    return []


def _struck(fault: Fault) -> list[Frame]:
    """What goes out beside events."""
    match fault.name:
        case "close":
            return [Close(int(fault.value))]
        case "reset":
            return [Reset()]
        case "stall":
            return [Stall(fault.value)]
        case "half-open":
            return [_Mute()]
        case "malformed-json":
            return [Text('{"type": "response.audio.delta", "delta": ')]
        case "non-object-json":
            return [Text('["not", "an", "object"]')]
        case "unknown-event":
            return [Text(_encode({"type": "loopback.unknown", "event_id": new_id("event")}))]
        case "error-storm":
            return [Text(_storm_error(index + 1)) for index in range(int(fault.value))]
    return [Text("")]  # empty-frame


def _storm_error(number: int) -> str:
    error = {"type": "server_error", "code": "error_storm", "message": f"Error {number}."}
    return _encode({"type": "error", "event_id": new_id("event"), "error": error})


def _encode(event: Event) -> str:
    return msgspec.json.encode(event).decode()
