"""`Intent` and its parts."""

from msgspec import Struct


class Intent(Struct, frozen=True):
    """Plans of this client: the only part of the state that `policy` writes; `observe` does not read it."""

    audio_turn: str = ""
    """Id of the audio turn in progress, where push-to-talk uses them."""
    create: bool = False
    """A `response.create` waits for the active response to end."""
    sent: int = 0
    """Client events requested so far; makes their ids unique."""
    reconnect: bool = True
    """A lost session may be connected again without being asked."""
    rotate_before: float = 120.0
    """A session is rotated this many seconds before its end; 0: never."""
    rotate_asked_at: float | None = None
    """When the user asked for it."""
    standby_after: float = 0.0
    """When another link may be put on standby, after one has failed."""
    over_quota: bool = False
    """The service reported in this connection that a quota is used up: it is not connected again."""
    typed: tuple[tuple[str, str], ...] = ()
    """Messages whose item was not created yet: the event's id and the words. They are sent again to a new session."""
