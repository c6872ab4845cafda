"""Everything that the fold accepts: events in both directions, sound facts, and the user's keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Event = Mapping[str, Any]
"""The JSON object of an event."""


@dataclass(frozen=True, slots=True)
class Received:
    """A server event arrived."""

    event: Event
    raw: str = ""
    """The JSON text as it came; "" where it is unknown."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A client event was written to the socket."""

    event: Event


@dataclass(frozen=True, slots=True)
class BadMessage:
    """A WebSocket message arrived that is no event; the connection continues."""

    problem: str
    raw: str = ""
    """The message as text; bytes that are not UTF-8 as escapes."""


@dataclass(frozen=True, slots=True)
class Connecting:
    """A connection is being made; of an earlier session, the event log and the wanted session are kept."""

    endpoint: str
    api_version: str
    model: str
    credential: str
    demo: bool = False
    caller: bool = False
    tap: bool = False
    """See `Connection.tap`."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The WebSocket is open; no event has arrived yet."""


@dataclass(frozen=True, slots=True)
class ConnectFailed:
    """The connection could not be made."""

    problem: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is over."""

    code: int
    problem: str
    """One sentence, "" after a close of our own."""


@dataclass(frozen=True, slots=True)
class DeviceChanged:
    """A device was opened, failed, or was closed."""

    direction: Literal["input", "output"]
    description: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class CaptureChanged:
    """Capture started or stopped."""

    capturing: bool


@dataclass(frozen=True, slots=True)
class InputEnded:
    """The sound file that stands in for the microphone is over."""


@dataclass(frozen=True, slots=True)
class MutePressed:
    """Mute or unmute the microphone."""


@dataclass(frozen=True, slots=True)
class TalkPressed:
    """Begin a push-to-talk turn, or send it."""


@dataclass(frozen=True, slots=True)
class InterruptPressed:
    """Interrupt the assistant."""


@dataclass(frozen=True, slots=True)
class ResetPressed:
    """Start a new session with the wanted settings."""


@dataclass(frozen=True, slots=True)
class TextTyped:
    """The user typed a message."""

    text: str


@dataclass(frozen=True, slots=True)
class ProblemsSeen:
    """Dismiss the pinned problems."""


@dataclass(frozen=True, slots=True)
class VoicedUntil:
    """ADC time of the last voiced microphone block, as requested by `AskVoiced`."""

    at: float


@dataclass(frozen=True, slots=True)
class PlaybackStarted:
    """The first sample of an item reached the DAC."""

    item_id: str
    at: float


@dataclass(frozen=True, slots=True)
class PlaybackFinished:
    """An item was played to its last sample."""

    item_id: str
    heard_ms: float


@dataclass(frozen=True, slots=True)
class PlaybackStopped:
    """Playback of an item was stopped after `heard_ms` of it."""

    item_id: str
    heard_ms: float
    at: float
    """When the speaker fell silent."""


@dataclass(frozen=True, slots=True)
class LocalProblem:
    """Something failed on this side; the rest goes on."""

    problem: str
    """One sentence for the user."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record of Python's logging, for the event log."""

    severity: Literal["debug", "info", "warning", "error"]
    logger: str
    text: str


Key = MutePressed | TalkPressed | InterruptPressed | ResetPressed | TextTyped | ProblemsSeen
"""What a key of the dashboard causes."""

Input = (
    Received
    | Sent
    | BadMessage
    | Connecting
    | Connected
    | ConnectFailed
    | Disconnected
    | DeviceChanged
    | CaptureChanged
    | InputEnded
    | MutePressed
    | TalkPressed
    | InterruptPressed
    | ResetPressed
    | TextTyped
    | ProblemsSeen
    | VoicedUntil
    | PlaybackStarted
    | PlaybackFinished
    | PlaybackStopped
    | LocalProblem
    | LogRecord
)
