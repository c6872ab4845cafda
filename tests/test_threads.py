"""Calls in daemon threads."""

import asyncio
import threading

import pytest

from voicelive_tui import threads


async def test_the_result_and_the_name_of_the_thread() -> None:
    assert await asyncio.wrap_future(threads.start(lambda: threading.current_thread().name, "a call")) == "a call"


async def test_an_exception_reaches_the_waiter() -> None:
    def fail() -> None:
        raise SystemExit(3)

    with pytest.raises(BaseException, match="3") as info:
        threads.start(fail, "a call").result(60)
    assert isinstance(info.value, SystemExit)


async def test_a_cancelled_call_hands_its_result_over_and_nothing_waits_for_it() -> None:
    go_on, handed = threading.Event(), threading.Event()
    results: list[int] = []

    def call() -> int:
        assert go_on.wait(60)
        return 7

    def unclaimed(result: int) -> None:
        results.append(result)
        handed.set()

    future = threads.start(call, "a cancelled call", unclaimed)
    assert [thread.daemon for thread in threading.enumerate() if thread.name == "a cancelled call"] == [True]
    assert future.cancel()
    go_on.set()
    assert await asyncio.to_thread(handed.wait, 60)
    assert results == [7]
