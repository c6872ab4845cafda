"""`reduce`: `observe`, then `policy`. The same arguments always give the same result."""

from voicelive_tui.session import inputs
from voicelive_tui.session.observe import observe
from voicelive_tui.session.policy import policy
from voicelive_tui.session.sending import Step
from voicelive_tui.session.state import SessionState


def reduce(event: inputs.Input, state: SessionState, now: float) -> Step:
    """The state after `event` at `now` (`time.monotonic()` seconds), and the effects to perform in this order.

    Raises `TypeError` if `event` is none of the classes of `inputs.py`.
    """
    return policy(event, state, observe(event, state, now), now)
