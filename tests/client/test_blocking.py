import asyncio
import subprocess
import sys
import threading

import pytest

from tests.conversing import until
from voicelive_tui.client.blocking import hanging, off_loop
from voicelive_tui.errors import AudioError


async def test_a_call_runs_in_a_daemon_thread_and_returns_its_result() -> None:
    thread = await off_loop(threading.current_thread, "looking")
    assert thread is not threading.current_thread()
    assert thread.daemon


async def test_whatever_a_sound_library_raises_is_a_reason_in_words() -> None:
    def fail() -> None:
        b"\xff".decode()  # as for a device's name

    with pytest.raises(AudioError, match=r"^listing devices failed \(UnicodeDecodeError: .*invalid start byte\)$"):
        await off_loop(fail, "listing devices")


async def test_a_call_that_exceeds_its_limit_is_abandoned_and_its_late_result_discarded() -> None:
    release, discarded = threading.Event(), []

    def open_slowly() -> str:
        release.wait()
        return "a stream"

    with pytest.raises(AudioError, match=r"^opening took longer than 0.05 s: the sound server does not answer$"):
        await off_loop(open_slowly, "opening", 0.05, discarded.append)
    assert hanging()
    assert [thread.name for thread in threading.enumerate() if thread.name == "audio: opening"]
    release.set()
    await until(lambda: not hanging())
    assert discarded == ["a stream"]


async def test_the_result_for_a_cancelled_caller_is_discarded() -> None:
    entered, release, discarded = threading.Event(), threading.Event(), []

    def open_slowly() -> str:
        entered.set()
        release.wait()
        return "a stream"

    caller = asyncio.create_task(off_loop(open_slowly, "opening", 10, discarded.append))
    await until(entered.is_set)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    release.set()
    await until(lambda: not hanging())
    assert discarded == ["a stream"]


def test_a_hanging_call_does_not_keep_the_program_from_ending() -> None:
    program = (
        "import asyncio, time\nfrom voicelive_tui.errors import AudioError\n"
        "from voicelive_tui.client.blocking import off_loop\n"
        "try: asyncio.run(off_loop(lambda: time.sleep(600), 'x', 0.05))\nexcept AudioError as e: print(e)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert (done.stdout, done.stderr) == ("x took longer than 0.05 s: the sound server does not answer\n", "")
