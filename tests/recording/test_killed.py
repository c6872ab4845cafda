"""A program that is killed in the middle of a recording."""

import base64
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from voicelive_tui.recording.bundle import Bundle
from voicelive_tui.recording.lines import WireLine
from voicelive_tui.session import inputs

ENDLESS = Path(__file__).with_name("endless.py")


def test_a_recording_that_is_killed_opens_and_lacks_at_most_the_last_second(tmp_path: Path) -> None:
    moments = random.Random(11)
    folders = [str(tmp_path / str(number)) for number in range(20)]
    with subprocess.Popen([sys.executable, str(ENDLESS), *folders], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        began = [parent.stdout.readline().split() for _ in folders]
        for process, _ in began:
            time.sleep(moments.uniform(0, 0.2))
            os.kill(int(process), signal.SIGKILL)
    for folder in folders:
        check(Path(folder))


def check(folder: Path) -> None:
    last_ns = int.from_bytes(Path(f"{folder}.at").read_bytes(), "little")
    (path,) = folder.iterdir()
    with Bundle(path) as bundle:
        found = bundle.moments()
        assert len(bundle.flaws) <= 1  # the line that was being written
        assert not bundle.manifest.complete
        received = [moment for moment in found if isinstance(moment, WireLine)]
        for number, line in enumerate(received):
            event = bundle.input(line)
            assert isinstance(event, inputs.Received)
            assert base64.b64decode(event.event["delta"]) == number.to_bytes(2, "little") * 480
        assert last_ns - found[-1].t_ns < 2e9  # a second, and another one for a busy machine
