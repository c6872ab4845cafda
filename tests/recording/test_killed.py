"""A program that is killed in the middle of a recording."""

import base64
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from voicelive_tui.recording.bundle import Bundle
from voicelive_tui.recording.lines import WireLine
from voicelive_tui.session import inputs

ENDLESS = Path(__file__).with_name("endless.py")
AT_ONCE = 5


@pytest.mark.timeout(120)
def test_a_recording_that_is_killed_opens_and_lacks_at_most_the_last_second(tmp_path: Path) -> None:
    moments = random.Random(11)
    folders = [tmp_path / str(number) for number in range(20)]
    for batch in (folders[at : at + AT_ONCE] for at in range(0, len(folders), AT_ONCE)):
        command = [sys.executable, str(ENDLESS)]
        running = [subprocess.Popen([*command, str(folder)], stdout=subprocess.PIPE) for folder in batch]
        for process, folder in zip(running, batch, strict=True):
            with process:
                assert process.stdout is not None
                assert process.stdout.readline() == b"recording\n"
                time.sleep(moments.uniform(0, 0.7))
                process.kill()
                killed_ns = time.monotonic_ns()
            check(folder, killed_ns)


def check(folder: Path, killed_ns: int) -> None:
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
        assert killed_ns - found[-1].t_ns < 2e9  # a second, and another one for a busy machine
