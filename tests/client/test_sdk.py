"""The SDK is imported on threads."""

import subprocess
import sys


def test_the_sdk_is_imported_while_the_event_loop_runs():
    program = """
import asyncio, sys, threading

async def main():
    from voicelive_tui.client.sdk import import_sdk
    ticks, found = 0, {}
    class Finder:
        def find_spec(self, name, path=None, target=None):
            found[name] = threading.current_thread()
    importing = asyncio.create_task(import_sdk())
    sys.meta_path.insert(0, Finder())
    while not importing.done():
        ticks += 1
        await asyncio.sleep(0.001)
    await importing
    assert "voicelive_tui.client.connection" in sys.modules
    assert ticks > 10, ticks
    for name in ("aiohttp", "azure.ai.voicelive.models", "voicelive_tui.client.connection"):
        assert found[name] is not threading.main_thread(), name

asyncio.run(main())
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=120)
