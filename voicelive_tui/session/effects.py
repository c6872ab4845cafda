"""What the policy may ask for. `LiveSession` performs these, in the order given."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Send:
    """Send a client event, after everything that waits to be sent."""

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
    """Silence the speaker now; what was heard comes back as `PlaybackStopped`."""


@dataclass(frozen=True, slots=True)
class StartCapture:
    """Send the microphone's sound from now on; sound captured before is stale."""


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
class AskVoiced:
    """Report when the microphone last held a voice, as `VoicedUntil`."""


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
    | AskVoiced
)
