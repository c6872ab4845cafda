"""The pytest fixture `voicelive_loopback`: a running service for one test, with a script, faults and recorded events.

pytest loads this module in every test run of an environment that has voicelive-tui, so it imports the service only
when a test asks for it.
"""

import asyncio
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from voicelive_tui.loopback.service import ServiceRecord

_MARK = "voicelive_loopback(script=None, faults=(), api_key=None): how the fixture of that name runs the service"


class RunningLoopback:
    """The service in a thread of its own, so that synchronous and asynchronous tests can use it.

    Args:
        script: A path, the name of a shipped script, a `Script`, or None for the line check.
        faults: Faults as on the command line, such as `close=1011@response.created`.
        api_key: The key that clients must send; None accepts every client.
    """

    def __init__(self, script: Any = None, faults: tuple[str, ...] = (), api_key: str | None = None) -> None:
        from voicelive_tui.loopback.faults import parse  # noqa: PLC0415
        from voicelive_tui.loopback.script import Script, named  # noqa: PLC0415
        from voicelive_tui.loopback.service import LoopbackService  # noqa: PLC0415

        if script is not None and not isinstance(script, Script):
            script = named(str(script))
        self.client_events: list[dict[str, Any]] = []
        """What clients have sent, in order."""
        self.records: list[ServiceRecord] = []
        """What the service has reported: sessions, turns, answers, errors, faults, and ends."""
        self.endpoint = ""
        self._service: LoopbackService = LoopbackService(
            script=script,
            faults=[parse(fault) for fault in faults],
            api_key=api_key,
            on_record=self.records.append,
            on_client_event=lambda _session, event: self.client_events.append(event),
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="voicelive-loopback", daemon=True)

    def sent(self, kind: str) -> list[dict[str, Any]]:
        """The client events of one type, in order."""
        return [event for event in self.client_events if event.get("type") == kind]

    def start(self) -> None:
        """Listen; `endpoint` is set then."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._service.start(), self._loop).result(10)
        self.endpoint = self._service.endpoint

    def stop(self) -> None:
        """Close every session and stop listening."""
        asyncio.run_coroutine_threadsafe(self._service.stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark."""
    config.addinivalue_line("markers", _MARK)


@pytest.fixture
def voicelive_loopback(request: pytest.FixtureRequest) -> Iterator[RunningLoopback]:
    """A Voice Live service on loopback for one test; the mark of the same name gives it a script, faults or a key."""
    mark = request.node.get_closest_marker("voicelive_loopback")
    running = RunningLoopback(*mark.args, **mark.kwargs) if mark else RunningLoopback()
    running.start()
    try:
        yield running
    finally:
        running.stop()
