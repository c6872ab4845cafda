"""Processes that record until they are killed: `endless.py FOLDER...`. Each prints its id once it records.

`FOLDER.at` has the time of the last event that was recorded: eight bytes of nanoseconds, little-endian.
"""

import asyncio
import base64
import json
import os
import sys
import time
from pathlib import Path

from voicelive_tui.config import Recording
from voicelive_tui.recording.recorder import Recorder
from voicelive_tui.session import inputs
from voicelive_tui.session.keeping import RecordingChanged
from voicelive_tui.session.observe import observe
from voicelive_tui.session.state import SessionState


async def record(folder: str) -> None:
    loop, state = asyncio.get_running_loop(), SessionState()

    def apply(event: inputs.Input) -> None:
        nonlocal state
        now, before = loop.time(), state
        state = observe(event, before, now)
        recorder.observe(event, before, state, now)
        if isinstance(event, RecordingChanged) and event.path:
            os.write(1, f"{os.getpid()} {folder}\n".encode())

    recorder = Recorder(
        lambda event: loop.call_soon(apply, event), lambda: None, Recording(folder=folder), Path(folder)
    )
    progress = os.open(f"{folder}.at", os.O_WRONLY | os.O_CREAT)
    for number in range(65_536):
        sound = base64.b64encode(number.to_bytes(2, "little") * 480).decode()
        body = {"type": "response.audio.delta", "item_id": "i", "response_id": "r", "delta": sound}
        apply(inputs.Received(body, json.dumps(body)))
        apply(inputs.MutePressed())
        os.pwrite(progress, time.monotonic_ns().to_bytes(8, "little"), 0)
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        if os.fork() == 0:
            asyncio.run(record(folder))
            os._exit(0)
    for _ in sys.argv[1:]:
        os.wait()
