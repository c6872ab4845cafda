"""Blocking calls off the event loop, and the one boundary around the sound libraries.

A call into a frozen sound server may never return, and a library may raise anything; here both become an `AudioError`.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from voicelive_tui import threads
from voicelive_tui.errors import AudioError

log = logging.getLogger(__name__)

TIME_LIMIT = 5.0
"""Seconds for a call that opens, closes or lists devices."""
THREAD_PREFIX = "audio: "
"""Start of the names of the threads, for `hanging`."""

_T = TypeVar("_T")


async def off_loop(
    call: Callable[[], _T], what: str, limit: float | None = None, discard: Callable[[_T], None] = lambda _: None
) -> _T:
    """Run a blocking call in a daemon thread of its own, and wait for it without blocking the loop.

    A call that takes longer than its limit in seconds, or whose caller is cancelled, is abandoned; it does not keep the
    program from ending, and `discard` is called in the thread with its result.

    Raises `AudioError` if the call failed, for whatever reason, or took too long; the sentence says `what` it does.
    """

    def discarded(result: _T) -> None:
        with contextlib.suppress(AudioError):
            _guarded(lambda: discard(result), f"what follows {what}")

    limit = TIME_LIMIT if limit is None else limit
    future = threads.start(lambda: _guarded(call, what), f"{THREAD_PREFIX}{what}", discarded)
    try:
        async with asyncio.timeout(limit):
            return await asyncio.wrap_future(future)
    except TimeoutError:
        if not future.cancel():  # done at the last moment
            return future.result()
    except asyncio.CancelledError:
        future.cancel()
        raise
    raise AudioError(f"{what} took longer than {limit:g} s: the sound server does not answer")


def _guarded(call: Callable[[], _T], what: str) -> _T:
    try:
        return call()
    except AudioError:
        raise
    except Exception as error:  # of a sound library: a device's name that is not UTF-8, a missing symbol, ...
        log.warning("%s failed", what, exc_info=True)
        text = " ".join(str(error).split())[:200]
        raise AudioError(f"{what} failed ({type(error).__name__}: {text})") from None


def hanging() -> bool:
    """Whether an abandoned call still hangs. Then exit by `os._exit`, since PortAudio's exit handler would hang too."""
    return any(thread.name.startswith(THREAD_PREFIX) for thread in threading.enumerate())
