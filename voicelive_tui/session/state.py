"""The state of the session as one frozen value, which only the fold replaces.

Rules of this file:

- Fields hold facts. What follows from facts is a property: `activity`, `unheard`, `turn_count`.
- All times are `time.monotonic()` seconds, unless a field says otherwise.
- `SessionState` compares by identity: a new value is a new object, so a screen that compares 20 times a second pays
  nothing while nothing happens. Parts that did not change are shared between values.
- Mappings come from the wire or the configuration and are never modified.
- What changes with every block of sound (levels, buffer depth) is in `reading.py` instead.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from voicelive_tui.config import Approval, BargeIn, Function
from voicelive_tui.session.calls import Call
from voicelive_tui.session.continuation import Restored, Retry
from voicelive_tui.session.intent import Intent
from voicelive_tui.session.latency import Turn
from voicelive_tui.session.transcript import Entry, Role, change, update
from voicelive_tui.session.usage import Usage
from voicelive_tui.wire.events import BYTES_PER_MS, Event
from voicelive_tui.wire.log import EventLog

RECENT = 32
"""Entries, and ids of interrupted answers, that can still be playing or arriving; older ones are settled."""
CREDIBLE_SECONDS = 300.0, 7200.0
"""Lengths of a session between which this machine's clock is believed; the service's own are 30 to 60 minutes."""


class Stage(StrEnum):
    """Stages of the connection to the service."""

    IDLE = "idle"
    CONNECTING = "connecting"
    CONFIGURING = "configuring"  # until the first session.updated
    READY = "ready"
    CLOSED = "closed"  # it ended after it had been made
    FAILED = "failed"  # it could not be made, or the service refused the configuration


class Activity(StrEnum):
    """What the conversation is doing while the link is ready."""

    READY = "ready"
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"  # audio is being played, not merely generated
    INTERRUPTED = "interrupted"


class Connection(Struct, frozen=True):
    """Where the link leads, since when, and how it ended."""

    stage: Stage = Stage.IDLE
    endpoint: str = ""
    """Scheme and host as shown to the user; never a query, never a secret."""
    api_version: str = ""
    model: str = ""
    """The model asked for; the one in force is `SessionState.in_force["model"]`."""
    agent: str = ""
    """Name of the Foundry agent that answers in place of a model. The service keeps its conversation."""
    demo: bool = False
    """The other end is the built-in loopback service."""
    caller: bool = False
    """The microphone is the synthetic demo caller."""
    resumed: bool = False
    """It continues a session that was lost."""
    credential: str = ""
    """Kind of credential in words, such as "API key"."""
    session_id: str = ""
    started_at: float = 0.0
    """When connecting began."""
    ready_at: float | None = None
    """When the first `session.updated` came."""
    ended_at: float | None = None
    expires_at: float | None = None
    """Unix seconds, from the service."""
    epoch: float | None = None
    """Unix seconds at `time.monotonic()` 0, once the WebSocket is open."""
    dated: bool = False
    """The epoch is by the service's clock, not by this machine's."""
    close_code: int | None = None
    problem: str = ""
    """One sentence: how it ended or why it failed."""

    @property
    def ends_at(self) -> float | None:
        """When the session expires; None where that is unknown, or absurd by a clock that is not the service's."""
        if self.expires_at is None or self.epoch is None:
            return None
        ends_at = self.expires_at - self.epoch
        low, high = CREDIBLE_SECONDS
        return ends_at if self.dated or low < ends_at - self.started_at < high else None

    @property
    def foreign(self) -> bool:
        """Whether what is folded is another program's traffic: this one has begun no connection."""
        return self.stage is Stage.IDLE

    @property
    def failed(self) -> bool:
        """Whether it could not be made, or ended by anything but a normal close (RFC 6455: 1000)."""
        return self.stage is Stage.FAILED or (self.stage is Stage.CLOSED and self.close_code != 1000)


class Microphone(Struct, frozen=True):
    """Where captured sound goes. `gated` (half-duplex) is in `Reading`: it follows playback, not the session."""

    capturing: bool = False
    muted: bool = False
    """Silence is sent instead of captured sound."""
    push_to_talk: bool = False
    """Turn detection is off; nothing is sent between turns."""
    talking: bool = False
    """A push-to-talk turn is open."""
    ended: bool = False
    """The sound file in place of the microphone has ended."""

    @property
    def sending(self) -> bool:
        """Whether captured chunks (or silence for them) go to the service now."""
        return self.capturing and (self.talking or not self.push_to_talk)


class Device(Struct, frozen=True):
    """The device of one direction."""

    description: str = ""
    """Name, rate and latency of the open device, or "none"."""
    problem: str = ""
    """One sentence with its remedy when the direction does not work."""


class Recording(Struct, frozen=True):
    """The recorder, which always has the last minutes."""

    path: str = ""
    """The bundle that is being written, or the last one."""
    since: float | None = None
    """When what it holds began; None while none is written."""


class Edit(Struct, frozen=True):
    """A `session.update` for which the user asked, and its answer."""

    changes: Mapping[str, Any]
    before: Mapping[str, Any]
    """What was wanted of the same fields; a field that was not is missing."""
    event_id: str = ""
    """Once it is sent."""
    answered: bool = False
    refusal: Mapping[str, Any] = {}
    """The `error` object; empty where the service accepted it."""
    whole: bool = False
    """It is the configuration of a new session, which ends with a refusal."""


class Request(NamedTuple):
    """A change of the conversation that a client asked for."""

    event_id: str
    kind: Literal["delete", "insert"]
    item_id: str
    at: str
    """The item that is deleted, or after which one is inserted."""


class Counts(Struct, frozen=True):
    """Sums over the session."""

    interruptions: int = 0
    errors: int = 0
    """Rows of the event log with severity `error`."""
    bad_messages: int = 0
    """Messages that were not JSON objects, or had no readable audio."""
    events_in: int = 0
    events_out: int = 0
    audio_in_ms: float = 0.0
    """Audio received from the service."""
    audio_out_ms: float = 0.0
    """Audio sent to the service."""

    def plus(self, **more: float) -> "Counts":
        """The sums with these numbers added."""
        return replace(self, **{name: getattr(self, name) + number for name, number in more.items()})


class Problem(Struct, frozen=True):
    """An error or warning, pinned until the user dismisses it."""

    severity: Literal["warning", "error"]
    text: str
    seq: int
    """The row of the event log with the details."""


class Standby(Struct, frozen=True):
    """The session that is to take over from the one that serves."""

    connection: Connection
    asked: Mapping[str, Any] = {}
    in_force: Mapping[str, Any] = {}


class SessionState(Struct, frozen=True, eq=False):
    """Everything known about the session; see the rules at the head of the file."""

    connection: Connection = field(default_factory=Connection)
    began_at: float = 0.0
    """When the first connection was begun; `log.origin` repeats it from then on, for readers that have only the log."""
    connects: tuple[float, ...] = ()
    """When the last `RECENT` connections were begun."""
    lost_at: float | None = None
    """When the session was lost that the next connection continues; None once it is ready."""
    retry: Retry | None = None
    """The attempt to continue it that is waited for."""
    restored: Restored | None = None
    """Set in a session that continues a lost one."""
    fresh_at: float = 0.0
    """When the model last started without a history: it knows nothing of what was said before."""
    conversation_id: str = ""
    """The conversation of an agent, to be continued by the next connection; "" for a new one."""
    wanted: Mapping[str, Any] = field(default_factory=dict)
    """The session object to ask for; it survives resets."""
    detection: Mapping[str, Any] = field(default_factory=dict)
    """The turn detection to ask for when push-to-talk ends."""
    barge_in: BargeIn = field(default_factory=BargeIn)
    audio_turns: bool = False
    """Push-to-talk uses the SDK's audio turns (experimental); False once the service has refused one."""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """The session object as asked for by every `session.update` of this connection, merged."""
    edits: tuple[Edit, ...] = ()
    """The latest edits of this connection, in their order."""
    in_force: Mapping[str, Any] = field(default_factory=dict)
    """The session object as last reported by the service, with Voice Live's field names."""
    standby: Standby | None = None
    """Set while a rotation is prepared."""
    microphone: Microphone = field(default_factory=Microphone)
    input: Device = field(default_factory=Device)
    output: Device = field(default_factory=Device)
    recording: Recording | None = None
    """None where the configuration switched it off."""
    transcript: tuple[Entry, ...] = ()
    left_out: int = 0
    """Entries evicted from the front of the transcript."""
    requests: tuple[Request, ...] = ()
    """The last `RECENT` of this program."""
    response: str = ""
    """The id of the response being generated, "" for none."""
    awaiting: bool = False
    """The user's turn ended or an answer was requested, and none of the answer has arrived yet."""
    intent: Intent = field(default_factory=Intent)
    rules: Mapping[str, Function] = field(default_factory=dict)
    """How calls of functions are handled, by name."""
    approvals: Mapping[str, Approval | Mapping[str, Approval]] = field(default_factory=dict)
    """The answer when the service asks for an approval: by MCP server, for all its tools or by tool."""
    attended: bool = True
    """There is a user who can approve a call."""
    playing: str = ""
    """The item being played, "" in silence."""
    silenced: tuple[str, ...] = ()
    """Ids of interrupted responses and items, the last `RECENT`: their late audio is dropped."""
    turns: tuple[Turn, ...] = ()
    """The last 1,000 turns."""
    counts: Counts = field(default_factory=Counts)
    usage: Usage = field(default_factory=Usage)
    problems: tuple[Problem, ...] = ()
    log: EventLog = field(default_factory=EventLog)

    @property
    def ready(self) -> bool:
        """Whether the session is confirmed, and has not ended."""
        return self.connection.stage is Stage.READY

    def entry(self, item_id: str) -> Entry | None:
        """The transcript's entry for an item, searched from the end."""
        return next((e for e in reversed(self.transcript) if e.item_id == item_id), None)

    def call(self, item_id: str) -> Call | None:
        """The call of a tool that an item is."""
        return next((entry.call for entry in reversed(self.transcript) if entry.item_id == item_id), None)

    def with_entry(self, item_id: str, role: Role, now: float, **changes: Any) -> "SessionState":
        """The state with an item's entry changed; a new entry goes to the end of the transcript."""
        return replace(self, transcript=update(self.transcript, item_id, role, now, **changes))

    def with_change(self, item_id: str, /, **changes: Any) -> "SessionState":
        """The state with an item's entry changed, if there is one."""
        return replace(self, transcript=change(self.transcript, item_id, **changes))

    @property
    def calls(self) -> list[tuple[Entry, Call]]:
        """The calls of tools, each with its entry."""
        return [(entry, entry.call) for entry in self.transcript if entry.call]

    @property
    def open_calls(self) -> list[tuple[Entry, Call]]:
        """Calls of this conversation whose output or answer is still to come."""
        recent = self.transcript[-RECENT:]
        return [(entry, entry.call) for entry in recent if entry.call and entry.call.open and entry.at >= self.fresh_at]

    @property
    def resuming(self) -> bool:
        """Whether a lost session is being continued: the next attempt is waited for or made."""
        under_way = self.connection.stage in (Stage.CONNECTING, Stage.CONFIGURING)
        return self.lost_at is not None and (self.retry is not None or under_way)

    @property
    def turn(self) -> Turn | None:
        """The latest turn."""
        return self.turns[-1] if self.turns else None

    @property
    def turn_count(self) -> int:
        """Turns of the user: spoken and committed, or typed."""
        gone = self.turns[0].number - 1 if self.turns else 0
        return gone + sum(turn.began_by == "text" or turn.committed_at is not None for turn in self.turns)

    @property
    def unheard(self) -> list[Entry]:
        """Answers with sound that is still to be played to its end. A single byte is not sound."""
        if self.connection.foreign:  # it does not say what it has played
            return []
        return [
            entry
            for entry in self.transcript[-RECENT:]
            if entry.audio_ms > 1 / BYTES_PER_MS and entry.heard_ms is None and entry.item_id not in self.silenced
        ]

    @property
    def barged_in(self) -> bool:
        """Whether the latest turn began by interrupting an answer."""
        began = self.turn.speech_started_at if self.turn else None
        return began is not None and any(turn.interrupted_at == began for turn in self.turns[-4:-1])

    @property
    def activity(self) -> Activity:
        """What the conversation is doing now; an interruption lasts until the interrupted response has ended."""
        going_on = self.ready or self.connection.foreign
        speech = self.turn if self.microphone.capturing or self.connection.foreign else None
        if going_on:
            if self.microphone.talking:
                return Activity.LISTENING
            if speech and speech.began_by == "speech" and speech.speech_stopped_at is None and not speech.committed_at:
                return Activity.LISTENING
            if self.awaiting:
                return Activity.THINKING
            if self.response in self.silenced or self.playing in self.silenced:
                return Activity.INTERRUPTED
        if self.playing:
            return Activity.SPEAKING
        pending = going_on and (self.response or self.unheard or self.open_calls)
        return Activity.THINKING if pending else Activity.READY


InputHandler = Callable[[Any, SessionState, float], SessionState]
"""Takes an input of one class, the state before it, and the time; gives the state after it."""
EventHandler = Callable[[Event, SessionState, float], SessionState]
"""The same for a server event."""
