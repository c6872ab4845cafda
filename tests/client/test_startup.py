"""Joining the parts, and the session that is there before it is."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import pytest

from tests.conversing import until
from voicelive_tui.client.live import LiveSession
from voicelive_tui.client.startup import LateSession, join
from voicelive_tui.config import Audio, Settings
from voicelive_tui.session.inputs import MutePressed, ResetPressed
from voicelive_tui.session.state import Link, SessionState

SILENT = Settings(audio=Audio(input_device="none", output_device="none"))


async def test_the_demo_is_joined_runs_and_ends_with_its_service() -> None:
    late = LateSession(join(SILENT, demo=True))
    running = asyncio.create_task(late.run())
    await until(lambda: late.state.connection.link is Link.READY, "the demo is ready")
    connection = late.state.connection
    assert connection.demo
    assert not connection.caller  # an input was chosen: "none"
    assert connection.credential == "the demo's own key"
    logging.getLogger("voicelive_tui.test").warning("from %s", "a library")
    await until(
        lambda: "voicelive_tui.test" in {row.type for row in late.state.log.since(0)}, "the record joins the log"
    )
    await late.close()
    await asyncio.wait_for(running, 5.0)
    assert late.state.connection.close_code == 1000


async def test_before_the_session_is_there_the_dashboard_sees_an_empty_one() -> None:
    gate = asyncio.Event()

    @contextlib.asynccontextmanager
    async def slow() -> AsyncIterator[LiveSession]:
        await gate.wait()
        async with join(SILENT, demo=True) as live:
            yield live

    late = LateSession(slow())
    running = asyncio.create_task(late.run())
    await asyncio.sleep(0)
    assert late.state is late.state
    assert isinstance(late.state, SessionState)
    assert late.reading().underflows == 0
    assert await late.devices() == []
    late.apply(MutePressed())
    assert not late.state.microphone.muted
    gate.set()
    await until(lambda: late.state.connection.link is Link.READY)
    late.apply(ResetPressed())
    await late.close()
    await running


async def test_ending_before_the_session_is_there_ends_the_joining() -> None:
    @contextlib.asynccontextmanager
    async def never() -> AsyncIterator[LiveSession]:
        await asyncio.Event().wait()
        raise AssertionError
        yield

    late = LateSession(never())
    running = asyncio.create_task(late.run())
    await asyncio.sleep(0)
    await asyncio.wait_for(late.close(), 5.0)
    await running


async def test_what_goes_wrong_while_joining_is_a_failed_session_with_the_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @contextlib.asynccontextmanager
    async def broken() -> AsyncIterator[LiveSession]:
        raise RuntimeError("no such part")
        yield

    late = LateSession(broken())
    await late.run()
    assert late.state.connection.link is Link.FAILED
    assert "RuntimeError: no such part" in late.state.connection.problem
    assert "the session broke down" in caplog.text


async def test_a_session_that_does_not_come_to_its_end_is_left_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voicelive_tui.client.startup.CLOSE_LIMIT", 0.05)
    cancelled = asyncio.Event()

    class Stuck:
        async def run(self) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        async def close(self) -> None:
            pass

    @contextlib.asynccontextmanager
    async def joining() -> AsyncIterator[Stuck]:
        yield Stuck()

    late = LateSession(joining())  # type: ignore[arg-type]
    running = asyncio.create_task(late.run())
    await until(lambda: late.live is not None, "it runs")
    await late.close()
    await asyncio.wait_for(cancelled.wait(), 5.0)
    await asyncio.wait_for(running, 5.0)
