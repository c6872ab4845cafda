import gc
import sys
import weakref

import pytest

from voicelive_tui import runtime as realtime


class Knot:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.myself = self


@pytest.fixture(autouse=True)
def collector_as_it_was():
    enabled = gc.isenabled()
    yield
    gc.unfreeze()
    gc.enable() if enabled else gc.disable()


def test_everything_is_as_before_at_the_end():
    before = sys.getswitchinterval(), gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()

    def run_and_fail() -> None:
        with realtime.policy() as policy:
            assert sys.getswitchinterval() == pytest.approx(0.001)
            assert gc.isenabled()  # until the first screen is up
            policy.settle()
            assert not gc.isenabled()
            assert gc.get_freeze_count() > 1000
            raise KeyError

    with pytest.raises(KeyError):
        run_and_fail()
    assert (sys.getswitchinterval(), gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()) == before


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    with realtime.policy() as policy:
        policy.settle()
    assert not gc.isenabled()


def test_garbage_is_collected_when_the_policy_says_so_and_not_before():
    with realtime.policy() as policy:
        policy.settle()
        young = weakref.ref(Knot())
        lists = [[] for _ in range(5000)]  # more than sets off an automatic collection
        assert len(lists) == 5000
        assert young() is not None
        policy.young()
        assert young() is None
        survivor, old = Knot(), Knot()
        policy.young()
        references = weakref.ref(survivor), weakref.ref(old)
        del survivor
        for _ in range(realtime.SURVIVORS_EVERY):
            policy.young()
        assert references[0]() is None
        del old
        for _ in range(2 * realtime.SURVIVORS_EVERY):
            policy.young()
        assert references[1]() is not None
        policy.full()
        assert references[1]() is None


def test_whether_much_is_young_decides_how_soon_to_collect():
    with realtime.policy() as policy:
        policy.settle()
        policy.young()
        assert not policy.much_is_young()
        lists = [[] for _ in range(2 * realtime.MUCH)]
        assert policy.much_is_young()
        assert len(lists) == 2 * realtime.MUCH
        policy.young()
        assert not policy.much_is_young()
