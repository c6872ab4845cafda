"""What `policy` may request. `LiveSession` performs effects in the order given."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from voicelive_tui.config import Function
from voicelive_tui.session.continuation import Restored, Retry


class OnSound(Struct, frozen=True):
    """The base of the effects that need the sound path."""


class Send(Struct, frozen=True):
    """Send a client event, after everything in the outbox."""

    event: Mapping[str, Any]
    standby: bool = False
    """On the link that is to take over."""


class Play(OnSound, frozen=True):
    """Append PCM16 (24 kHz, mono) of an item to the jitter buffer."""

    item_id: str
    pcm: bytes


class PlayMoment(OnSound, frozen=True):
    """Play PCM16 that belongs to no item; the next sound of an answer ends it."""

    pcm: bytes


class FinishItem(OnSound, frozen=True):
    """No more audio of this item will come."""

    item_id: str


class StopPlayback(OnSound, frozen=True):
    """Silence the speaker now; `PlaybackStopped` reports what was heard of each item."""


class StartCapture(OnSound, frozen=True):
    """Send captured sound from now on; sound captured before is stale."""

    since: float | None = None
    """Send also what was kept from this moment on, where the microphone is still open."""


class CarryOver(OnSound, frozen=True):
    """Send the sound of a moment ago, from `since` on, to the link that took over, if it holds a voice."""

    since: float


class SetMute(OnSound, frozen=True):
    """Send silence instead of captured sound, or captured sound again."""

    muted: bool


class BeginTalk(OnSound, frozen=True):
    """Send what was captured from a moment on, the beginning of a push-to-talk turn."""

    since: float
    """The pre-roll before the key, so that the first syllable is in it."""


class DropTalk(OnSound, frozen=True):
    """Discard what was captured of a push-to-talk turn."""


class EndTalk(OnSound, frozen=True):
    """Send what was captured up to now, the end of a push-to-talk turn, and report `VoicedUntil`."""


class Disconnect(Struct, frozen=True):
    """Close the connection, or wait for no other, until the user resets."""


class Reconnect(Struct, frozen=True):
    """Close the connection, if any, and make a new one."""

    retry: Retry | None = None
    """At this attempt's moment, and `Reconnecting` reports it; None: at once."""


class BeginStandby(Struct, frozen=True):
    """Make another connection while this one serves; what happens on it comes as `OnStandby`."""


class TakeOver(Struct, frozen=True):
    """Use the link on standby from now on, close the other one, and report `Rotated`."""


class Restore(Struct, frozen=True):
    """Send the history of a lost session, and report `HistorySent`."""

    events: tuple[Mapping[str, Any], ...]
    history: Restored


class AskVoiced(OnSound, frozen=True):
    """Report `VoicedUntil`."""


class CallTool(Struct, frozen=True):
    """Run a function, or answer its call as the rule says; `ToolStarted` and `ToolReturned` report it."""

    item_id: str
    name: str
    arguments: str
    rule: Function
    again: bool = False
    """The call has its output: the result is for the user only."""


Effect = OnSound | Send | CallTool | Disconnect | Reconnect | BeginStandby | TakeOver | Restore
