"""For all tests."""

import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The theme depends on it.
os.environ["COLORTERM"] = "truecolor"

# Machines that run these tests may be busy: a slow example says nothing about the program.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")


def pytest_xdist_auto_num_workers() -> int:
    """Twice as many as processors: conversations take their time, and leave the processors idle meanwhile."""
    return (os.cpu_count() or 2) * 2


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mix the folders for the workers: tests of some mostly wait, tests of others mostly compute.

    Groups come first anyway, and keep their order.
    """
    if not hasattr(config, "workerinput"):
        return
    sizes, seen, places = Counter(item.path.parent for item in items), Counter[Path](), {}
    for item in items:
        folder = item.path.parent
        seen[folder] += 1
        places[item] = 0.0 if item.get_closest_marker("xdist_group") else seen[folder] / sizes[folder]
    items.sort(key=places.__getitem__)


# Programs that tests start would inherit what the tests' own parent ignores, as nohup does, and keep ignoring it.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)
