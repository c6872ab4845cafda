"""Process-wide timing policy, so that Python leaves the sound callbacks in time.

A callback must run every 20 ms, and waits for the interpreter like any other thread. Two things make it wait:

- A busy thread keeps the interpreter for the switch interval. Waiting for it took 5.3 ms (99th percentile 6 to 10) with
  Python's default of 5 ms, 1.25 ms (1.4 to 4) with 1 ms.
- A full garbage collection keeps it for as long as it takes: 50 to 112 ms in a Textual program. With defaults a minute
  of playback beside a drawing Textual app had 29 underflows, with the policy below none, under the same load. (Raising
  the thresholds instead made it worse: 70 ms in a young collection.)

So: once the first screen is up, collect, freeze what is there (it will not be garbage) and switch the automatic
collector off; collect what is young often, and everything only while nothing is played. Often, because a collection
takes as long as there is to look at: once a second it held a busy Textual app for 29 ms (75 at most) beside which the
speaker was damaged; ten times a second for 1 ms (18 at most), and every fifth time 4 to 8 ms for what had survived.
Where little is made twice a second is enough.
``tests/benchmarks/bench_audio_realtime.py`` measures it, with the defaults beside it.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SWITCH_INTERVAL = 0.001
"""Seconds after which a busy thread is asked for the interpreter."""

MUCH = 700
"""Objects; Python's own threshold for a young collection."""
SURVIVORS_EVERY = 5
"""Of so many young collections one also looks at the survivors of the others."""


class Policy:
    """When to collect garbage; called on the event loop."""

    def __init__(self) -> None:
        self._calls = 0

    def settle(self) -> None:
        """Once, when the first screen is up: freeze the heap and take the collector over."""
        gc.collect()
        gc.freeze()
        gc.disable()

    def much_is_young(self) -> bool:
        """Whether so much was made since the last collection that the next should come sooner."""
        return gc.get_count()[0] > MUCH

    def young(self) -> None:
        """Two to ten times a second: what is young, and every fifth time what survived that."""
        self._calls += 1
        gc.collect(0 if self._calls % SURVIVORS_EVERY else 1)

    def full(self) -> None:
        """Everything that came since: 2 ms beside a full log, but nothing bounds it: only while nothing is played."""
        gc.collect()


@contextmanager
def policy() -> Iterator[Policy]:
    """Set the switch interval; at the end put everything back as it was."""
    interval, enabled = sys.getswitchinterval(), gc.isenabled()
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        yield Policy()
    finally:
        sys.setswitchinterval(interval)
        gc.unfreeze()
        if enabled:
            gc.enable()
