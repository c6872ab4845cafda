"""What can happen: everything the reducer accepts. Server events come in as `Received`, all else is local."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Received:
    """A server event arrived: the JSON object as it came over the wire."""

    event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """A client event was handed to the socket."""

    event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BadFrame:
    """A message arrived that is no event; the connection goes on."""

    problem: str


@dataclass(frozen=True, slots=True)
class Connecting:
    """A connection is being made; everything of an earlier session but the event log is forgotten."""

    endpoint: str
    api_version: str
    model: str
    credential: str
    request: Mapping[str, Any]
    """The session body that will be asked for."""
    demo: bool = False
    caller: bool = False


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
    """Captured sound begins or ceases to be taken for the service."""

    capturing: bool


@dataclass(frozen=True, slots=True)
class MutePressed:
    """The user asks for silence instead of the microphone, or the other way round."""


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
    """When the microphone last held a voice, as measured at the ADC; told just before a turn is closed."""

    at: float


@dataclass(frozen=True, slots=True)
class PlaybackStarted:
    """The first sample of an item reached the DAC."""

    item_id: str
    at: float


@dataclass(frozen=True, slots=True)
class PlaybackFinished:
    """The last sample of an item was heard; nothing of it was cut."""

    item_id: str
    heard_ms: float


@dataclass(frozen=True, slots=True)
class PlaybackStopped:
    """Playback of an item was cut, and this much of it had been heard."""

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
    | BadFrame
    | Connecting
    | Connected
    | ConnectFailed
    | Disconnected
    | DeviceChanged
    | CaptureChanged
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
