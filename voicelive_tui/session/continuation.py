"""How a session continues a lost one, or one that it took over from: facts of the state."""

from typing import NamedTuple

from msgspec import Struct


class Retry(Struct, frozen=True):
    """An attempt to connect again that is waited for."""

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


class Restored(Struct, frozen=True):
    """What the session was given of the conversation in the lost one."""

    seeds: tuple[Seed, ...]
    """Those that the service has not answered yet, in the order in which they were sent; none: all is restored."""
    turns: int
    """Of the user."""
    tokens: int
    """An estimate."""
    wordless: int
    """Turns of the user that had no transcript, and are missing."""
    seconds: float | None
    """From the loss to the new session; None where it took over before."""
    refused: int = 0
    """Seeds that the service refused."""
