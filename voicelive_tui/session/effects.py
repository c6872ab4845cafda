"""What the reducer may ask for. `live.py` is the only place where these become actions, in the order given."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Send:
    """Send a client event, after all that waits to be sent already."""

    event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Play:
    """Append PCM16 (24 kHz, mono) of an item to the playback queue."""

    item_id: str
    pcm: bytes


@dataclass(frozen=True, slots=True)
class FinishItem:
    """No more audio of this item will come."""

    item_id: str


@dataclass(frozen=True, slots=True)
class StopPlayback:
    """Silence now, before anything else; what was heard comes back as `PlaybackStopped`."""


@dataclass(frozen=True, slots=True)
class StartCapture:
    """Take the microphone's sound for the service from now on; what was captured before is stale."""


@dataclass(frozen=True, slots=True)
class SetMute:
    """Replace the microphone by silence, or end that."""

    muted: bool


@dataclass(frozen=True, slots=True)
class BeginTalk:
    """A push-to-talk turn begins: what was captured before the key is not part of it."""


@dataclass(frozen=True, slots=True)
class EndTalk:
    """A push-to-talk turn ends: what was captured before the key still belongs to it."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close the connection; it stays closed until the user asks again."""


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Close the connection, if there is one, and make a new one."""


@dataclass(frozen=True, slots=True)
class Notify:
    """Log a sentence; from `warning` on, tell the user as well."""

    severity: Literal["info", "warning", "error"]
    text: str


Effect = (
    Send
    | Play
    | FinishItem
    | StopPlayback
    | StartCapture
    | SetMute
    | BeginTalk
    | EndTalk
    | Disconnect
    | Reconnect
    | Notify
)
