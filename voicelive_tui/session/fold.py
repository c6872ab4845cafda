"""`reduce`: `observe`, then `policy`. The same arguments always give the same result."""

from voicelive_tui.session import inputs
from voicelive_tui.session.observe import observe
from voicelive_tui.session.policy import Step, policy
from voicelive_tui.session.state import SessionState


def reduce(event: inputs.Input, state: SessionState, now: float) -> Step:
    """The state after `event`, and the effects it asks for, in the order in which they are to be performed.

    Args:
        event: What happened.
        state: The state before it.
        now: `time.monotonic()` seconds.

    Raises:
        TypeError: `event` is none of the classes of `inputs.py`.
    """
    return policy(event, state, observe(event, state, now), now)
