"""Blocking calls off the event loop, and the one boundary around the sound libraries.

A call into a frozen sound server may never return, and a library may raise anything; here both become an `AudioError`.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from voicelive_tui.audio.devices import AudioError

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

    A call that exceeds its limit, or whose caller is cancelled, is abandoned; it does not keep the program from ending.

    Args:
        call: What to run.
        what: What it does, for the message: "opening the audio input".
        limit: Seconds; `TIME_LIMIT` if None.
        discard: Called in the thread with the result of an abandoned call.

    Raises:
        AudioError: The call failed, for whatever reason, or took longer than its limit.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()
    verdict = threading.Lock()  # acquired once: by the thread if it is in time, by the caller if it gives up

    def finish(result: _T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: _T | None = None
        failure: AudioError | None = None
        try:
            result = call()
            if not verdict.acquire(blocking=False):
                discard(result)
                return
        except AudioError as error:
            failure = error
        except Exception as error:  # of a sound library: a device's name that is no UTF-8, a missing symbol, ...
            log.warning("%s failed", what, exc_info=True)
            failure = AudioError(f"{what} failed ({type(error).__name__}: {' '.join(str(error).split())[:200]})")
        with contextlib.suppress(RuntimeError):  # the loop is closed: the program is ending
            loop.call_soon_threadsafe(finish, result, failure)

    threading.Thread(target=run, name=f"{THREAD_PREFIX}{what}", daemon=True).start()
    limit = TIME_LIMIT if limit is None else limit
    try:
        await asyncio.wait({done}, timeout=limit)
        if done.done() or not verdict.acquire(blocking=False):
            return await done
    except asyncio.CancelledError:
        verdict.acquire(blocking=False)
        done.cancel()
        raise
    done.cancel()
    raise AudioError(f"{what} took longer than {limit:g} s: the sound server does not answer")


def hanging() -> bool:
    """Whether an abandoned call still hangs. Then exit by `os._exit`, since PortAudio's exit handler would hang too."""
    return any(thread.name.startswith(THREAD_PREFIX) for thread in threading.enumerate())
