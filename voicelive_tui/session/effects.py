"""What `policy` may request. `LiveSession` performs effects in the order given."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Send:
    """Send a client event, after everything in the outbox."""

    event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Play:
    """Append PCM16 (24 kHz, mono) of an item to the jitter buffer."""

    item_id: str
    pcm: bytes


@dataclass(frozen=True, slots=True)
class FinishItem:
    """No more audio of this item will come."""

    item_id: str


@dataclass(frozen=True, slots=True)
class StopPlayback:
    """Silence the speaker now; `PlaybackStopped` reports what was heard of each item."""


@dataclass(frozen=True, slots=True)
class StartCapture:
    """Send captured sound from now on; sound captured before is stale."""


@dataclass(frozen=True, slots=True)
class SetMute:
    """Send silence instead of captured sound, or captured sound again."""

    muted: bool


@dataclass(frozen=True, slots=True)
class BeginTalk:
    """Discard what was captured up to now: it is no part of the push-to-talk turn."""


@dataclass(frozen=True, slots=True)
class EndTalk:
    """Send what was captured up to now, the end of a push-to-talk turn, and report `VoicedUntil`."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close the connection until the user resets."""


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Close the connection, if any, and make a new one."""


@dataclass(frozen=True, slots=True)
class AskVoiced:
    """Report `VoicedUntil`."""


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
