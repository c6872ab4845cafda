"""Blocking calls in daemon threads, which do not keep the program from ending."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def start(call: Callable[[], T], name: str, unclaimed: Callable[[T], object] = lambda _: None) -> Future[T]:
    """Run a call in a thread of its own; `asyncio.wrap_future` makes the result awaitable.

    If the future was cancelled meanwhile, `unclaimed` gets the result, in the thread.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            result = call()
        except BaseException as error:
            if future.set_running_or_notify_cancel():
                future.set_exception(error)
            return
        if future.set_running_or_notify_cancel():
            future.set_result(result)
        else:
            unclaimed(result)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
