import asyncio
import gc
import os
import platform
import signal
import subprocess
import sys
import weakref

import pytest

from voicelive_tui import runtime
from voicelive_tui.session.state import Connection, Device, SessionState, Stage


class Knot:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.myself = self


@pytest.fixture(autouse=True)
def collector_as_it_was():
    enabled = gc.isenabled()
    gc.unfreeze()
    yield
    gc.freeze()
    gc.enable() if enabled else gc.disable()


def test_the_policy_restores_everything_at_its_end():
    before = sys.getswitchinterval(), gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()

    def run_and_fail() -> None:
        with runtime.policy() as policy:
            assert sys.getswitchinterval() == pytest.approx(0.001)
            assert not gc.isenabled()
            policy.settle()
            assert gc.get_freeze_count() > 1000
            raise KeyError

    with pytest.raises(KeyError):
        run_and_fail()
    assert (sys.getswitchinterval(), gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()) == before


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    with runtime.policy() as policy:
        policy.settle()
    assert not gc.isenabled()


def test_garbage_is_collected_at_the_moments_of_the_policy_only():
    with runtime.policy() as policy:
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
        for _ in range(runtime.SURVIVORS_EVERY):
            policy.young()
        assert references[0]() is None
        del old
        for _ in range(2 * runtime.SURVIVORS_EVERY):
            policy.young()
        assert references[1]() is not None
        policy.full()
        assert references[1]() is None


RESIDENT = """
import resource
from pathlib import Path
from voicelive_tui import runtime

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
"""
HOLES = f"""{RESIDENT}
with runtime.policy() as policy:
    policy.full()
    pieces = [bytearray(40_000 if number % 2 else 600) for number in range(2000)]
    kept = pieces[::2]
    full = resident_mb()
    del pieces
    holes = resident_mb()
    policy.full()
    print(len(kept), full - holes, full - resident_mb())
"""
SOUNDS = f"""{RESIDENT}
with runtime.policy() as policy:
    bytearray(8_000_000)  # when such a block is freed, glibc takes smaller ones from its heap
    sounds, kept = [], []
    for _ in range(20):
        sounds.append(bytearray(b"x") * 500_000)
        kept.append(bytearray(3000))
    full = resident_mb()
    del sounds
    print(len(kept), full - resident_mb())
"""


def measured(program):
    """What a program prints, in a process of its own.

    The heap of this one has holes of other tests, and what they got back counts too.
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    return [float(figure) for figure in done.stdout.split()]


GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt and malloc_trim are glibc's")


@GLIBC
def test_memory_that_was_freed_between_what_is_kept_goes_back_to_the_system():
    kept, by_freeing, in_all = measured(HOLES)
    assert kept == 1000
    assert by_freeing < 1
    assert in_all > 20  # of 40


@GLIBC
def test_sound_that_was_freed_goes_back_to_the_system_at_once():
    kept, by_freeing = measured(SOUNDS)
    assert kept == 20
    assert by_freeing > 5  # of 10


def test_whether_much_is_young_decides_how_soon_to_collect():
    with runtime.policy() as policy:
        policy.settle()
        policy.young()
        assert not policy.much_is_young()
        lists = [[] for _ in range(2 * runtime.MANY_OBJECTS)]
        assert policy.much_is_young()
        assert len(lists) == 2 * runtime.MANY_OBJECTS
        policy.young()
        assert not policy.much_is_young()


@pytest.mark.parametrize("connection", [Connection(session_id="sess_1"), Connection(stage=Stage.FAILED)])
async def test_the_heap_is_frozen_once_the_connection_and_the_sound_path_are_there(monkeypatch, connection):
    monkeypatch.setattr(runtime, "YOUNG_SECONDS", 0.001)
    monkeypatch.setattr(runtime, "SPARSE_SECONDS", 0.001)
    state: SessionState | None = None
    with runtime.policy() as policy:
        collecting = asyncio.create_task(policy.collect(lambda: state))
        for incomplete in (SessionState(connection), SessionState(output=Device(description="none"))):
            state = incomplete
            await asyncio.sleep(0.05)
            assert gc.get_freeze_count() == 0
        state = SessionState(connection, output=Device(problem="no device"))
        async with asyncio.timeout(60):
            while gc.get_freeze_count() == 0:
                await asyncio.sleep(0.001)
            knot = weakref.ref(Knot())
            while knot() is not None:
                await asyncio.sleep(0.001)
        collecting.cancel()


async def test_the_heap_is_frozen_in_the_end_where_no_connection_is_made(monkeypatch):
    monkeypatch.setattr(runtime, "YOUNG_SECONDS", 0.001)
    monkeypatch.setattr(runtime, "SETTLE_SECONDS", 0.01)
    with runtime.policy() as policy:
        collecting = asyncio.create_task(policy.collect(lambda: None))
        async with asyncio.timeout(60):
            while gc.get_freeze_count() == 0:
                await asyncio.sleep(0.001)
        assert not collecting.done()
        collecting.cancel()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 130)])
async def test_a_signal_ends_with_its_status(number, status):
    ended = []
    runtime.end_on_signals(ended.append)
    try:
        os.kill(os.getpid(), number)
        async with asyncio.timeout(60):
            while not ended:
                await asyncio.sleep(0.001)
    finally:
        for known, _ in runtime.ENDINGS:
            asyncio.get_running_loop().remove_signal_handler(known)
    assert ended == [status]


NATIVE = """
import os, sys
from voicelive_tui.runtime import native_stderr_to
os.write(2, b"before\\n")
with native_stderr_to(sys.argv[1]) as log:
    os.write(2, b"ALSA lib pcm.c: underrun occurred\\n")
    os.write(2, b"Expression failed\\n")
    assert log.lines() == 2, log.lines()
    os.write(2, b"and again\\n")
    assert log.lines() == 3, log.lines()
    print("the screen \\N{BOX DRAWINGS LIGHT HORIZONTAL}", file=sys.__stderr__)
    print("an error", file=sys.stderr)
    os.system("echo a child >&2")
os.write(2, b"after\\n")
print("python after", file=sys.stderr)
"""


def test_native_output_goes_to_the_log_and_the_screen_stays_clean(tmp_path):
    log = tmp_path / "native.log"
    log.write_text("of an earlier run\n")
    done = subprocess.run(
        [sys.executable, "-c", NATIVE, str(log)],
        capture_output=True, check=False, env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr.decode() == "before\nthe screen ─\nan error\nafter\npython after\n"
    assert log.read_text() == (
        "of an earlier run\nALSA lib pcm.c: underrun occurred\nExpression failed\nand again\na child\n"
    )


def test_where_the_file_cannot_be_written_native_output_goes_nowhere(tmp_path):
    program = (
        "import os, sys\nfrom voicelive_tui.runtime import native_stderr_to\n"
        "with native_stderr_to(sys.argv[1]) as log:\n    os.write(2, b'ALSA\\n')\n    print(log.lines())\n"
        "print('still here', file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "nowhere" / "x.log")], capture_output=True, text=True, check=True
    )
    assert done.stdout == "0\n"
    assert done.stderr.splitlines()[-1] == "still here"
    assert "ALSA" not in done.stderr


def test_signals_end_it_without_sighup_and_signal_handlers_of_the_loop_as_on_windows():
    program = (
        "import asyncio, os, signal, sys\n"
        "number = signal.SIGHUP\n"
        "del signal.SIGHUP\n"
        "from voicelive_tui import cli, runtime\n"
        "async def main():\n"
        "    loop = asyncio.get_running_loop()\n"
        "    def refuse(*_): raise NotImplementedError\n"
        "    loop.add_signal_handler = refuse\n"
        "    ended = asyncio.get_running_loop().create_future()\n"
        "    runtime.end_on_signals(ended.set_result)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print(await ended)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("130\n", "")
