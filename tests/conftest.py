"""For all tests."""

import gc
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.sound_bed import SoundBed, sound_bed

# The theme depends on it.
os.environ["COLORTERM"] = "truecolor"

# Machines that run these tests may be busy: a slow example says nothing about the program. Each run tries the same
# examples, so that one that fails was broken by the change at hand; `pytest --hypothesis-profile=random` tries others.
for profile, same in (("same", True), ("random", False)):
    settings.register_profile(profile, deadline=None, derandomize=same, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("same")


def pytest_xdist_auto_num_workers() -> int:
    """Twice as many as processors: conversations take their time, and leave the processors idle meanwhile."""
    return (os.cpu_count() or 2) * 2


def pytest_collection_finish() -> None:
    """Leave modules and collected tests, which live to the end, out of each garbage collection."""
    gc.collect()
    gc.freeze()


# Programs that tests start would inherit what the tests' own parent ignores, as nohup does, and keep ignoring it.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)


@pytest.fixture
def bed() -> Iterator[SoundBed]:
    """A sound server of the test's own."""
    with sound_bed() as running:
        yield running
