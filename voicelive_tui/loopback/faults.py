"""Faults that can be injected between the session and the socket, by name.

A fault is written `NAME[=VALUE][@WHEN]`. `WHEN` is a server event (`@response.created`), its n-th occurrence
(`@response.audio.delta#5`) or a time since the connection (`@2.5s`). `_KINDS` is the table of all faults.

Sessions know nothing of faults. `FaultInjector` stands between a session and its socket and turns server events into
`Action`s, unchanged or damaged; it has no clock and no I/O. `service` performs the actions and the handshake's faults.
"""

import difflib
import heapq
import itertools
import random
import re
from collections.abc import Callable, Iterable
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from voicelive_tui.errors import UserError
from voicelive_tui.loopback.protocol import new_id

Event = dict[str, Any]

_AUDIO = "response.audio.delta"
_DONE = "response.done"
_TRANSCRIPT = "conversation.item.input_audio_transcription."
NEVER = float("inf")
CONNECTION = "connection"
"""In place of an event: the n-th handshake that the service was asked for."""

SERVER_EVENTS = (
    "session.created", "session.updated", "error", "warning",
    "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed",
    "input_audio_buffer.cleared",
    "conversation.item.created", "conversation.item.done", "conversation.item.retrieved",
    "conversation.item.truncated", "conversation.item.deleted",
    _TRANSCRIPT + "delta", _TRANSCRIPT + "completed", _TRANSCRIPT + "failed",
    "response.created", _DONE, "response.output_item.added", "response.output_item.done",
    "response.content_part.added", "response.content_part.done", "response.text.delta", "response.text.done",
    _AUDIO, "response.audio.done", "response.audio_transcript.delta", "response.audio_transcript.done",
    "response.audio_timestamp.delta", "response.audio_timestamp.done",
    "response.animation_viseme.delta", "response.animation_viseme.done",
    "response.function_call_arguments.delta", "response.function_call_arguments.done",
    "response.mcp_call_arguments.delta", "response.mcp_call_arguments.done", "response.mcp_call.in_progress",
    "response.mcp_call.completed", "response.mcp_call.failed",
    "mcp_list_tools.in_progress", "mcp_list_tools.completed", "mcp_list_tools.failed",
)  # fmt: skip
"""The events that this service sends."""


class FaultError(UserError):
    """The notation of a fault is wrong."""


class Frame(Struct, frozen=True):
    """Send a frame: of text, or binary."""

    data: str | bytes


class Close(Struct, frozen=True):
    """Close the WebSocket."""

    code: int


class Reset(Struct, frozen=True):
    """Reset the TCP connection."""


class Stall(Struct, frozen=True):
    """Read and send nothing for this many seconds."""

    seconds: float


class _Mute(Struct, frozen=True):
    """Send nothing after this; never leaves the injector."""


Action = Frame | Close | Reset | Stall | _Mute

Role = Literal["handshake", "session", "lasting", "before", "after", "instead"]
"""What a fault changes: the handshake, the session, all events from now on, or one event (by actions)."""
_MOMENTARY = ("before", "after", "instead")


class _Kind(Struct, frozen=True):
    """One row of the table."""

    role: Role
    help: str
    """What it does, with its value in capitals."""
    value: float | None = None
    """The default value; None for faults without one."""
    low: float = 0
    high: float = NEVER
    actions: Callable[[float, Event], list[Action]] = lambda _value, _event: []
    """The actions before, after or instead of the event (empty when a time and not an event triggers the fault)."""
    event: str = _AUDIO
    """Where its role is momentary: the event at which it happens by default."""

    @property
    def when(self) -> str | None:
        return self.event if self.role in _MOMENTARY else None


def _always(*actions: Action) -> Callable[[float, Event], list[Action]]:
    return lambda _value, _event: [*actions]


def _encode(event: Event) -> str:
    return msgspec.json.encode(event).decode()


def _made(kind: str, **fields: Any) -> Frame:
    return Frame(_encode({"type": kind, "event_id": new_id("event"), **fields}))


def _storm(count: float, _: Event) -> list[Action]:
    errors = ({"type": "server_error", "code": "error_storm", "message": f"Error {n + 1}."} for n in range(int(count)))
    return [_made("error", error=error) for error in errors]


def _padded(mebibytes: float, event: Event) -> list[Action]:
    text = _encode(event)
    return [Frame(text + " " * max(0, int(mebibytes * 1024 * 1024) - len(text.encode())))]


_KINDS: dict[str, _Kind] = {
    "refuse": _Kind("handshake", "answer the handshake with HTTP status VALUE (503)", 503, 200, 599),
    "throttle": _Kind("handshake", "answer the handshake with 429 and Retry-After: VALUE seconds (5)", 5),
    "redirect": _Kind("handshake", "answer the handshake with a redirect, status VALUE (307)", 307, 300, 399),
    "hang": _Kind("handshake", "answer the handshake only after VALUE seconds (for ever)", NEVER),
    "close": _Kind(
        "after", "close with code VALUE (1011) after the event", 1011, 1000, 4999, lambda value, _: [Close(int(value))]
    ),
    "reset": _Kind("after", "reset the TCP connection after the event", actions=_always(Reset())),
    "stall": _Kind(
        "after", "after the event send nothing, read nothing and answer no ping for VALUE seconds (for ever)",
        NEVER, actions=lambda value, _: [Stall(value)],
    ),
    "half-open": _Kind(
        "after", "after the event go on reading and answering pings, but send nothing any more",
        actions=_always(_Mute()),
    ),
    "expire": _Kind("session", "let the session expire after VALUE seconds (10)", 10),
    "jitter": _Kind("lasting", "delay each audio delta by up to VALUE milliseconds (200)", 200, 0, 60_000),
    "bandwidth": _Kind("lasting", "send audio deltas at VALUE kilobits a second (256)", 256, 1),
    "late-transcript": _Kind("lasting", "send the user's transcripts VALUE seconds late (3)", 3),
    "failed-transcript": _Kind("lasting", "let every transcription fail"),
    "empty-transcript": _Kind("lasting", "once audio is committed, send an empty transcript for the item before"),
    "malformed-json": _Kind(
        "before", "send a frame of broken JSON first",
        actions=_always(Frame('{"type": "response.audio.delta", "delta": ')),
    ),
    "non-object-json": _Kind(
        "before", "send a frame that holds a JSON list first", actions=_always(Frame('["not", "an", "object"]'))
    ),
    "unknown-event": _Kind(
        "before", "send an event of an unknown type first", actions=lambda _value, _event: [_made("loopback.unknown")]
    ),
    "empty-frame": _Kind("before", "send an empty frame first", actions=_always(Frame(""))),
    "error-storm": _Kind("before", "send VALUE errors first (50)", 50, 1, 10_000, _storm),
    "bad-base64": _Kind(
        "instead", "send an audio delta that is not base64",
        actions=lambda _, event: [Frame(_encode(event | {"delta": "!not base64!"}))],
    ),
    "binary-frame": _Kind(
        "instead", "send the event as a binary frame", actions=lambda _, event: [Frame(_encode(event).encode())]
    ),
    "oversize": _Kind("instead", "send the event in a frame of VALUE MiB (5)", 5, 0.001, 64, _padded),
    "duplicate-done": _Kind(
        "instead", "send the event twice", actions=lambda _, event: [Frame(_encode(event))] * 2, event=_DONE
    ),
    "missing-done": _Kind("instead", "leave the event out", event=_DONE),
}  # fmt: skip

FORM = (
    "NAME[=VALUE][@WHEN]",
    "a default VALUE stands in (), a default WHEN in []; WHEN may be a server event (@response.created), its n-th "
    "occurrence (@response.audio.delta#5), or, unless the fault changes an event, seconds since the connection "
    "(@2.5s); a fault of the handshake may name the n-th connection to the service (@connection#2)",
)
"""The notation of a fault, and its explanation."""

FAULTS = {name: kind.help + (f" [@{kind.when}]" if kind.when else "") for name, kind in _KINDS.items()}
"""Each fault's effect in a line, with its default moment."""


class Fault(Struct, frozen=True):
    """One fault: a name of `FAULTS`, its value, and its moment."""

    name: str
    value: float
    event: str | None = None
    """The type of the server event at which it happens, or `CONNECTION`; None for a time or no moment."""
    nth: int = 1
    after: float | None = None
    """Seconds since the connection."""

    @property
    def in_handshake(self) -> bool:
        return _KINDS[self.name].role == "handshake"

    @property
    def can_be_armed(self) -> bool:
        """Whether it can begin during a session."""
        return _KINDS[self.name].role in {"lasting", *_MOMENTARY}

    def __str__(self) -> str:
        value = f"={self.value:g}" if _KINDS[self.name].value is not None and self.value != NEVER else ""
        when = f"@{self.after:g}s" if self.after is not None else ""
        if self.event:
            when = f"@{self.event}" + (f"#{self.nth}" if self.nth > 1 else "")
        return self.name + value + when


_FORM = re.compile(r"(?P<name>[^=@]*)(?:=(?P<value>[^@]*))?(?:@(?P<when>.*))?", re.DOTALL)
_WHEN = re.compile(r"(?P<event>[a-z_]+(?:\.[a-z_]+)*)(?:#(?P<nth>[1-9]\d{0,5}))?|(?P<seconds>\d+(?:\.\d+)?)s")


def parse(text: str) -> Fault:
    """The fault written as `NAME[=VALUE][@WHEN]`. Raises `FaultError` for an unknown name, a bad value or moment."""
    form = _FORM.fullmatch(text.strip())
    assert form is not None
    name = form["name"].strip()
    kind = _KINDS.get(name)
    if kind is None:
        raise FaultError(f"there is no fault {name!r}{_similar(name, _KINDS)}")
    fault = Fault(name, _value(name, kind, form["value"]))
    when = form["when"] if form["when"] is not None else kind.when
    if when is None:
        return fault
    moment = _WHEN.fullmatch(when)
    event, nth = (moment["event"], int(moment["nth"] or 1)) if moment else (None, 1)
    if kind.role == "handshake" and event == CONNECTION:
        return replace(fault, event=event, nth=nth)
    if kind.when is None:
        raise FaultError(f"the fault {name!r} has no moment; leave out @{when}")
    timed = kind.role != "instead"
    if timed and moment and moment["seconds"]:
        return replace(fault, after=float(moment["seconds"]))
    if not event:
        expected = "a server event such as response.created#2" + (" or a time such as 2.5s" if timed else "")
        raise FaultError(f"the fault {name!r} cannot happen at {when!r}; expected {expected}")
    if event not in SERVER_EVENTS:
        raise FaultError(f"there is no server event {event!r}{_similar(event, SERVER_EVENTS)}")
    return replace(fault, event=event, nth=nth)


def _similar(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else "; `voicelive-tui serve --help` lists the faults"


def _value(name: str, kind: _Kind, text: str | None) -> float:
    if text is None:
        return 0.0 if kind.value is None else kind.value
    if kind.value is None:
        raise FaultError(f"the fault {name!r} takes no value")
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not kind.low <= value <= kind.high or value == NEVER:
        limit = f"from {kind.low:g}" + ("" if kind.high == NEVER else f" to {kind.high:g}")
        raise FaultError(f"the value of the fault {name!r} must be a number {limit}, not {text!r}")
    return value


class FaultInjector:
    """Turns the server events of one session into actions, with its faults.

    Args:
        faults: The faults of the whole session.
        now: The time of the connection, in seconds on any steady clock.
        translate: Writes an event in the client's dialect, as one event or several; faults name Voice Live's events.
    """

    def __init__(
        self,
        faults: Iterable[Fault],
        now: float,
        translate: Callable[[Event], list[Event]] = lambda event: [event],
    ) -> None:
        self.happened: list[Fault] = []
        """The faults that have happened; the reader empties the list."""
        self._waiting: list[tuple[Fault, int]] = []
        self._lasting: dict[str, float] = {}
        self._agenda: list[tuple[float, int, Action | Fault]] = []
        self._order = itertools.count()
        self._last = now
        self._translate = translate
        self._transcribed: Event | None = None
        self._mute = False
        self._random = random.Random(0)  # noqa: S311  jitter, not a secret; the same in every run
        for fault in faults:
            self.arm(fault, now)

    def arm(self, fault: Fault, now: float) -> None:
        """Let a fault happen; its occurrences and its time count from here."""
        if fault.after is not None:
            self._put(now + fault.after, fault)
        elif fault.event is not None:
            self._waiting.append((fault, fault.nth))
        elif _KINDS[fault.name].role == "lasting":
            self._lasting[fault.name] = fault.value
            self.happened.append(fault)

    @property
    def next_due(self) -> float:
        """The time at which `take` will have an action."""
        return self._agenda[0][0] if self._agenda else NEVER

    def send(self, event: Event, now: float) -> None:
        """Take one server event of the session."""
        event = self._fail_transcript(event)
        translated = self._translate(event)
        actions: dict[Role, list[Action]] = {
            "before": [],
            "instead": [Frame(_encode(each)) for each in translated],
            "after": self._empty_transcript(event),
        }
        for fault in self._due(event["type"]):
            self.happened.append(fault)
            kind = _KINDS[fault.name]
            made = kind.actions(fault.value, translated[0] if translated else event)
            actions[kind.role] = made if kind.role == "instead" else actions[kind.role] + made
        at = self._release_time(event, actions["instead"], now)
        if event["type"].startswith(_TRANSCRIPT) and "late-transcript" in self._lasting:
            at = now + self._lasting["late-transcript"]
        else:
            self._last = at
        for action in itertools.chain.from_iterable(actions.values()):
            self._put(at, action)

    def _due(self, event_type: str) -> list[Fault]:
        """The faults that happen at this event; counts it for the others."""
        counted = [(fault, count - (fault.event == event_type)) for fault, count in self._waiting]
        self._waiting = [(fault, count) for fault, count in counted if count]
        return [fault for fault, count in counted if not count]

    def take(self, now: float) -> list[Action]:
        """The actions that are due, in order."""
        actions: list[Action] = []
        while self.next_due <= now:
            due = heapq.heappop(self._agenda)[2]
            if isinstance(due, Fault):
                self.happened.append(due)
                for action in _KINDS[due.name].actions(due.value, {}):
                    self._put(now, action)
            else:
                self._mute = self._mute or isinstance(due, _Mute)
                if not self._mute:
                    actions.append(due)
        return actions

    def close(self, code: int, now: float) -> None:
        """Close after all events so far."""
        self._put(max(self._last, now), Close(code))

    def _put(self, at: float, due: Action | Fault) -> None:
        heapq.heappush(self._agenda, (at, next(self._order), due))

    def _release_time(self, event: Event, actions: list[Action], now: float) -> float:
        """When an event goes out: never before the one ahead of it, audio deltas at the pace of the faults."""
        at = max(self._last, now)
        if event["type"] == _AUDIO:
            at = max(at, now + self._random.uniform(0, self._lasting.get("jitter", 0)) / 1000)
            if "bandwidth" in self._lasting:
                size = sum(len(action.data) for action in actions if isinstance(action, Frame))
                at += size * 8 / 1000 / self._lasting["bandwidth"]
        return at

    def _empty_transcript(self, event: Event) -> list[Action]:
        """With the fault: an empty transcript of the item that was transcribed last, once audio is committed."""
        if "empty-transcript" not in self._lasting:
            return []
        if event["type"] == _TRANSCRIPT + "completed":
            self._transcribed = event
        if event["type"] != "input_audio_buffer.committed" or self._transcribed is None:
            return []
        empty = self._transcribed | {"event_id": new_id("event"), "transcript": ""}
        self._transcribed = None
        return [Frame(_encode(each)) for each in self._translate(empty)]

    def _fail_transcript(self, event: Event) -> Event:
        if event["type"] == _TRANSCRIPT + "completed" and "failed-transcript" in self._lasting:
            error = {"type": "server_error", "code": "transcription_failed", "message": "Transcription failed."}
            kept = {key: event[key] for key in ("event_id", "item_id", "content_index")}
            return {"type": _TRANSCRIPT + "failed", **kept, "error": error}
        return event
