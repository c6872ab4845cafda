"""A private PulseAudio with a virtual speaker and a virtual microphone: real PortAudio streams, no hardware.

Both are null sinks clocked by timers, sample-exact in either direction. ``norewinds=1`` is what makes them usable:
without it a null sink works up to two seconds ahead. Only the bed's own folder is written. Its path
is short, since the path of a Unix socket ends at 107 characters.

Status flags prove nothing here, since ALSA's pulse plugin hides underruns: tests judge by recordings.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

RATE = 24_000
REQUIRE = "VOICELIVE_TUI_REQUIRE_SOUND_BED"

MODULES = """
.fail
load-module module-native-protocol-unix socket={dir}/native auth-anonymous=1
load-module module-null-sink sink_name=vspk format=s16le rate=24000 channels=1 norewinds=1
load-module module-null-sink sink_name=vmic_in format=s16le rate=24000 channels=1 norewinds=1
load-module module-remap-source source_name=vmic master=vmic_in.monitor format=s16le rate=24000 channels=1 remix=no
set-default-sink vspk
set-default-source vmic
"""

ALSA = """
</usr/share/alsa/alsa.conf>
pcm.!default { type pulse hint { show on description "Virtual sound bed" } }
ctl.!default { type pulse }
"""

PLUGIN = "/usr/lib/*/alsa-lib/libasound_module_pcm_pulse.so"


def missing() -> str:
    """Why the bed cannot run on this machine; empty if it can."""
    programs = [p for p in ("pulseaudio", "pactl", "parec", "pacat", "setpriv") if not shutil.which(p)]
    if programs:
        return f"the virtual sound bed needs {', '.join(programs)} (apt-get install pulseaudio pulseaudio-utils)"
    if not list(Path("/").glob(PLUGIN[1:])):
        return "the virtual sound bed needs apt-get install libasound2-plugins"
    return ""


def require(reason: str) -> None:
    """Skip the test for that reason, or fail where the bed is mandatory."""
    if reason:
        if os.environ.get(REQUIRE) == "1":
            pytest.fail(f"{REQUIRE}=1, but {reason}")
        pytest.skip(reason)


@contextlib.contextmanager
def sound_bed() -> "Iterator[SoundBed]":
    """A bed for the block; skips the test where this machine has none."""
    require(missing())
    bed = SoundBed()
    try:
        bed.start()
        yield bed
    finally:
        bed.stop()


class SoundBed:
    """One sound server; `start` and `stop` as often as needed."""

    def __init__(self) -> None:
        self.dir = Path(tempfile.mkdtemp(prefix="bed-", dir="/tmp"))
        for name in ("run", "state", "config", "home"):
            (self.dir / name).mkdir()
        (self.dir / "bed.pa").write_text(MODULES.format(dir=self.dir))
        (self.dir / "asound.conf").write_text(ALSA)
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make a program use this bed."""
        return {
            "PULSE_SERVER": f"unix:{self.dir}/native",
            "ALSA_CONFIG_PATH": f"{self.dir}/asound.conf",
            "JACK_NO_START_SERVER": "1",
        }

    def start(self) -> None:
        """Start the server and wait until it answers."""
        (self.dir / "native").unlink(missing_ok=True)
        private = {
            "HOME": "home",
            "XDG_CONFIG_HOME": "config",
            "PULSE_RUNTIME_PATH": "run",
            "PULSE_STATE_PATH": "state",
        }
        self._server = subprocess.Popen(
            # The server ends with the test process, even if that is killed.
            ["setpriv", "--pdeathsig", "KILL", "pulseaudio", "-n", "-F", self.dir / "bed.pa", "--daemonize=no",
             "--use-pid-file=no", "--exit-idle-time=-1", "--realtime=no", "--high-priority=no", "--disable-shm=yes",
             f"--log-target=file:{self.dir}/log"],
            env={"PATH": os.environ["PATH"]} | {key: str(self.dir / name) for key, name in private.items()},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while self._server.poll() is None and time.monotonic() < deadline:
            if (self.dir / "native").exists() and self._pactl("info").returncode == 0:
                return
            time.sleep(0.02)
        raise RuntimeError(f"the sound server did not start: {(self.dir / 'log').read_text()}")

    def stop(self) -> None:
        """End the server, frozen or not, and remove its folder."""
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def kill(self) -> None:
        """Kill the server."""
        if self._server and self._server.poll() is None:
            self._server.kill()
            self._server.wait()

    @property
    def running(self) -> bool:
        """Whether the server's process runs."""
        return self._server is not None and self._server.poll() is None

    def freeze(self) -> None:
        """Stop the server's process: it accepts calls and does not answer."""
        assert self._server
        self._server.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue a frozen server."""
        assert self._server
        self._server.send_signal(signal.SIGCONT)

    def _pactl(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pactl", *words],
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def pactl(self, *words: str) -> str:
        """Run pactl against this server."""
        done = self._pactl(*words)
        assert done.returncode == 0, f"pactl {' '.join(words)}: {done.stderr}"
        return done.stdout

    def speak(self, pcm: bytes) -> subprocess.Popen[bytes]:
        """Begin to play sound into the microphone; returns at once. Wait for the process for its end."""
        feeder = subprocess.Popen(
            ["pacat", "--playback", "-d", "vmic_in", "--latency-msec=200", "--format=s16le", f"--rate={RATE}",
             "--channels=1", "--raw"],
            env=os.environ | self.environment, stdin=subprocess.PIPE,
        )  # fmt: skip

        def feed() -> None:
            assert feeder.stdin
            with contextlib.suppress(BrokenPipeError), feeder.stdin:
                feeder.stdin.write(pcm)

        threading.Thread(target=feed, daemon=True).start()
        return feeder

    @contextlib.contextmanager
    def recording(self) -> "Iterator[Recording]":
        """Record the speaker from now to the end of the block."""
        recording = Recording(os.environ | self.environment)
        try:
            recording.wait_until(lambda: len(recording.samples) > 0)
            yield recording
        finally:
            recording.stop()


class Recording:
    """What the speaker plays, and the time of each portion."""

    def __init__(self, environment: dict[str, str], source: str = "vspk.monitor") -> None:
        self._parec = subprocess.Popen(
            ["parec", "-d", source, "--latency-msec=10", "--format=s16le", f"--rate={RATE}", "--channels=1",
             "--raw"],
            env=environment, stdout=subprocess.PIPE, bufsize=0,
        )  # fmt: skip
        self._portions: list[tuple[float, bytes]] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._parec.stdout
        while portion := self._parec.stdout.read(8192):
            self._portions.append((time.monotonic(), portion))

    def stop(self) -> None:
        """End the recording."""
        if self._parec.poll() is None:
            self._parec.terminate()
        self._parec.wait()
        self._thread.join()
        assert self._parec.stdout
        self._parec.stdout.close()

    @property
    def portions(self) -> tuple[tuple[float, bytes], ...]:
        """What came so far, each portion with the time at which it came."""
        return tuple(self._portions)

    @property
    def samples(self) -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
        """All samples so far."""
        data = b"".join(portion for _, portion in tuple(self._portions))
        return np.frombuffer(data, dtype="<i2", count=len(data) // 2)

    def silent_since(self) -> float:
        """Time of the portion with which the final silence began (monotonic); infinity if there is none."""
        at = float("inf")
        for came, portion in reversed(tuple(self._portions)):
            if any(portion):
                # Silence may begin within this portion.
                return came if at == float("inf") or portion[-2:] == b"\0\0" else at
            at = came
        return at

    def first_sound(self) -> float:
        """Time of the portion with which the first sound began; infinity if there was none."""
        return next((came for came, portion in tuple(self._portions) if any(portion)), float("inf"))

    def sounds_began(self) -> list[float]:
        """Times of the portions with which a sound began."""
        began, sounding = [], False
        for came, portion in tuple(self._portions):
            if any(portion) and not sounding:
                began.append(came)
            sounding = any(portion[-2:])
        return began

    def sound_began(self) -> float:
        """Time of the portion with which the last sound began; infinity if there was none."""
        return max(self.sounds_began(), default=float("inf"))

    @staticmethod
    def wait_until(happened: Callable[[], bool], limit: float = 60) -> None:
        """Poll a condition every 5 ms; fail after the limit in seconds."""
        deadline = time.monotonic() + limit
        while not happened():
            assert time.monotonic() < deadline, f"nothing within {limit} s"
            time.sleep(0.005)


MOST_ALLOWED = 0.1
"""Seconds: with a higher allowance, a bound would no longer tell a defect from a stall."""


class Canary:
    """Another process that records how late it wakes from short sleeps: stalls of the machine, not of the program."""

    PROGRAM = """
import time
while True:
    before = time.monotonic()
    time.sleep(0.005)
    late = time.monotonic() - before - 0.005
    if late > 0.01:
        print(late, flush=True)
"""

    def __init__(self) -> None:
        self.stalls: list[float] = []
        """All stalls above 10 ms so far, in seconds."""

    def __enter__(self) -> "Canary":
        self._process = subprocess.Popen([sys.executable, "-c", self.PROGRAM], stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def _read(self) -> None:
        assert self._process.stdout
        with self._process.stdout as lines:
            self.stalls.extend(map(float, lines))

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._thread.join()

    @property
    def worst(self) -> float:
        """The longest stall so far, in seconds."""
        return max(self.stalls, default=0.0)

    @property
    def allowance(self) -> float:
        """What a judged time may exceed its bound by, in seconds: the longest stall, up to `MOST_ALLOWED`."""
        return min(self.worst, MOST_ALLOWED)


def undisturbed(attempt: Callable[[Canary], None], tries: int = 10) -> None:
    """Run an attempt, and repeat it if it fails while the machine stalled (for half a block, 10 ms) or was busy.

    Where it judges times, the attempt itself adds the canary's allowance; after a longer stall it may fail, and is
    repeated.
    """
    for left in reversed(range(tries)):
        with Canary() as canary:
            failure = None
            try:
                attempt(canary)
            except AssertionError as error:
                failure = error
        if failure is None:
            return
        crowded = os.getloadavg()[0] > (os.cpu_count() or 1)
        if not left or (canary.worst < 0.01 and not crowded):
            raise failure
