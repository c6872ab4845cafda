"""Importing the SDK, which takes a third of the time until a session is ready."""

import asyncio
import sys
from importlib import import_module


async def import_sdk() -> None:
    """Import `links.py`, and with it the SDK, on threads.

    When aiohttp is imported it reads the system's certificates, for 25 ms and without the interpreter's lock. The
    models of the SDK, which need the lock for as long, are imported meanwhile.
    """
    http = asyncio.create_task(asyncio.to_thread(import_module, "aiohttp"))
    # Wait for the module that reads them; imports set no event.
    while "aiohttp.connector" not in sys.modules and not http.done():  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    await asyncio.to_thread(import_module, "azure.ai.voicelive.models")
    await http
    await asyncio.to_thread(import_module, "voicelive_tui.client.links")
