import pytest

from voicelive_tui.audio import engine as module


@pytest.fixture
def clock(monkeypatch):
    """Time that stands still unless told: only `time.monotonic` as the engine sees it."""

    class Clock:
        now = 1000.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock
