"""`Intent` and its parts."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from voicelive_tui.session.inputs import Restored


class Retry(Struct, frozen=True):
    """An attempt to connect again."""

    at: float
    seconds: float
    """The wait before it."""
    number: int
    """Counted from 1 for each loss."""


class Seed(NamedTuple):
    """A client event that gives an item of a lost session to the new one."""

    event_id: str
    item_id: str
    """Of the entry in the transcript."""


class Edit(Struct, frozen=True):
    """A `session.update` for which the user asked, and its answer."""

    event_id: str
    changes: Mapping[str, Any]
    before: Mapping[str, Any]
    """What was wanted of the same fields; a field that was not is missing."""
    answered: bool = False
    refusal: Mapping[str, Any] = {}
    """The `error` object; empty where the service accepted it."""


class Intent(Struct, frozen=True):
    """Plans of this client: the only part of the state that `policy` writes."""

    create: bool = False
    """A `response.create` waits for the active response to end."""
    sent: int = 0
    """Client events requested so far; makes their ids unique."""
    reconnect: bool = True
    """A lost session may be connected again without being asked."""
    over_quota: bool = False
    """The service reported in this connection that a quota is used up: it is not connected again."""
    retry: Retry | None = None
    """The next attempt."""
    seeds: tuple[Seed, ...] = ()
    """Seeds that the service has not answered yet, in the order in which they were sent."""
    restored: Restored | None = None
    """The result, until it is reported."""
    typed: tuple[tuple[str, str], ...] = ()
    """Messages whose item was not created yet: the event's id and the words. They are sent again to a new session."""
    edits: tuple[Edit, ...] = ()
    """The latest edits of this connection, in the order in which they were sent."""
