"""A line of the synthetic caller."""

from typing import Annotated

from msgspec import Meta, Struct


class Line(Struct, forbid_unknown_fields=True, frozen=True):
    """A line of the demo's synthetic caller; the service recognises it by its sound, as transcript and for `match`."""

    say: str
    pause: Annotated[float, Meta(ge=0, le=600)] = 0.9
    """Seconds from the end of the answer before to the line; the very first line begins after a second."""
    interrupts_after: Annotated[float, Meta(ge=0, le=600)] = 0
    """Spoken over the answer before, after that many seconds of it; 0 waits for its end."""
