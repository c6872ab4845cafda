"""What `policy` may request. `LiveSession` performs effects in the order given."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class Send(Struct, frozen=True):
    """Send a client event, after everything in the outbox."""

    event: Mapping[str, Any]


class Play(Struct, frozen=True):
    """Append PCM16 (24 kHz, mono) of an item to the jitter buffer."""

    item_id: str
    pcm: bytes


class FinishItem(Struct, frozen=True):
    """No more audio of this item will come."""

    item_id: str


class StopPlayback(Struct, frozen=True):
    """Silence the speaker now; `PlaybackStopped` reports what was heard of each item."""


class StartCapture(Struct, frozen=True):
    """Send captured sound from now on; sound captured before is stale."""


class SetMute(Struct, frozen=True):
    """Send silence instead of captured sound, or captured sound again."""

    muted: bool


class BeginTalk(Struct, frozen=True):
    """Discard what was captured up to now: it is no part of the push-to-talk turn."""


class EndTalk(Struct, frozen=True):
    """Send what was captured up to now, the end of a push-to-talk turn, and report `VoicedUntil`."""


class Disconnect(Struct, frozen=True):
    """Close the connection until the user resets."""


class Reconnect(Struct, frozen=True):
    """Close the connection, if any, and make a new one."""


class AskVoiced(Struct, frozen=True):
    """Report `VoicedUntil`."""


OnSound = Play | FinishItem | StopPlayback | StartCapture | SetMute | BeginTalk | EndTalk | AskVoiced
"""Effects that need the sound path."""
Effect = OnSound | Send | Disconnect | Reconnect
