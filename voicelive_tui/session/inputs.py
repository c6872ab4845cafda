"""What can happen: everything that the fold accepts. Server events come in as `Received`, all else is local."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Event = Mapping[str, Any]
"""A JSON object of the wire."""


@dataclass(frozen=True, slots=True)
class Received:
    """A server event arrived."""

    event: Event
    raw: str = ""
    """Its text as it came over the wire."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A client event was handed to the socket."""

    event: Event


@dataclass(frozen=True, slots=True)
class BadMessage:
    """A WebSocket message arrived that is no event; the connection goes on."""

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
    """One sentence, "" when we closed it ourselves."""


@dataclass(frozen=True, slots=True)
class DeviceChanged:
    """A direction of sound was opened, failed, or was closed."""

    direction: Literal["input", "output"]
    description: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class CaptureChanged:
    """Captured sound starts or stops being taken for the service."""

    capturing: bool


@dataclass(frozen=True, slots=True)
class InputEnded:
    """The sound file that stands in for the microphone is over."""


@dataclass(frozen=True, slots=True)
class MutePressed:
    """The user toggles mute."""


@dataclass(frozen=True, slots=True)
class TalkPressed:
    """Push-to-talk: a turn begins, or is sent."""


@dataclass(frozen=True, slots=True)
class InterruptPressed:
    """The user wants the assistant to stop."""


@dataclass(frozen=True, slots=True)
class ResetPressed:
    """The user wants a new session with the same settings, or a new try."""


@dataclass(frozen=True, slots=True)
class TextTyped:
    """The user typed a message."""

    text: str


@dataclass(frozen=True, slots=True)
class ProblemsSeen:
    """The user has looked at the pinned problems."""


@dataclass(frozen=True, slots=True)
class VoicedUntil:
    """When the microphone last held a voice (ADC time); the answer to `AskVoiced`."""

    at: float


@dataclass(frozen=True, slots=True)
class PlaybackStarted:
    """The first sample of an item reached the DAC."""

    item_id: str
    at: float


@dataclass(frozen=True, slots=True)
class PlaybackFinished:
    """The last sample of an item was heard."""

    item_id: str
    heard_ms: float


@dataclass(frozen=True, slots=True)
class PlaybackStopped:
    """Playback of an item was interrupted after this much of it was heard."""

    item_id: str
    heard_ms: float
    at: float
    """When the speaker fell silent."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record of Python's logging, for the event log."""

    severity: Literal["debug", "info", "warning", "error"]
    logger: str
    text: str


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
    | LogRecord
)
