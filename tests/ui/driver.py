"""The dashboard alone in a terminal: `python -m tests.ui.driver SCENE [--lean] [--theme NAME]`.

The shell is a stand-in that plays a scripted conversation through the real reducer by the wall clock; its levels are
simulated. No network, no sound. Scenes: `talk`, `idle`, `flood` (2,000 events a second), `hostile`, `meter` (nothing
but a level that jumps). With `--report PATH`, a JSON object with what was measured is written there at the end.
"""

import argparse
import asyncio
import json
import math
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

ANSWER = (
    "I heard you for three seconds. Your level was minus eighteen decibels with peaks at minus six and the noise "
    "floor lies at minus sixty two. That is a good line: keep the distance to the microphone as it is, and speak on "
    "as long as you like."
).split()
HOSTILE = (
    "[bold red]markup[/] and [link=javascript:1]more[/link]",
    "escape \x1b[2J\x1b[H\x1b]0;title\x07 \x1b]52;c;aGVsbG8=\x07 \x9b2J end",
    "cursor \r\b\b\b\x0b\x0c up \x1b[10A",
    "marks e" + "\u0301" * 10_000 + " end",
    "bidi \u202eevil\u202c \u2066x\u2069 zero\u200bwidth",
    "wide 漢字かな交じり文 👩‍👩‍👧 🇩🇪 👍🏽 ❤️ end",
    "long " + "x" * 1_000_000,
    "lone \ud800 surrogate",
)


class ScriptedLive:
    """A stand-in for the shell; see the head of the file."""

    def __init__(self, scene: str) -> None:
        from voicelive_tui.session import inputs
        from voicelive_tui.session.fold import reduce
        from voicelive_tui.session.reading import Meter, Reading
        from voicelive_tui.session.state import SessionState

        self._inputs, self._reduce, self._meter, self._reading_type = inputs, reduce, Meter, Reading
        self.scene = scene
        self.state = SessionState()
        self._observers: list[Callable[..., None]] = []
        self.playing: tuple[str, float, float] | None = None
        self.speaking_until = 0.0
        self._sounding = (False, False)
        self._closed = asyncio.Event()
        self._random = random.Random(1)
        self.measured: dict[str, Any] = {}
        self.flooded, self.flooded_s = 2, 0.0  # the two events of the opening are received as well

    def observe(self, observer: Callable[..., None]) -> Callable[[], None]:
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    def apply(self, input_: Any) -> None:
        before, now = self.state, time.monotonic()
        self.state, _effects = self._reduce(input_, before, now)
        for observer in self._observers:
            observer(input_, before, self.state, now)

    def reading(self) -> Any:
        now = time.monotonic()
        quiet = self._meter()
        capture = playback = quiet
        if now < self.speaking_until:
            capture = self._voice(now)
        item, heard, buffered = "", 0.0, 0.0
        if self.playing is not None:
            item, began, length = self.playing
            heard = min((now - began) * 1000, length)
            buffered = length - heard
            playback = self._voice(now)
        return self._reading_type(
            capture=capture, playback=playback, heard_item=item, heard_ms=heard, buffered_ms=buffered
        )

    def activity_changed(self) -> bool:
        sounding = time.monotonic() < self.speaking_until, self.playing is not None
        changed, self._sounding = sounding != self._sounding, sounding
        return changed

    def _voice(self, now: float) -> Any:
        """Levels that move as speech does: syllables at 4 Hz with some chance in them."""
        rms = -24 + 9 * math.sin(now * 25) + self._random.uniform(-3, 3)
        return self._meter(rms, rms + 9, -9.0)

    async def run(self) -> None:
        task = asyncio.create_task(self._play())
        await self._closed.wait()
        task.cancel()

    async def close(self) -> None:
        self._closed.set()

    async def reload_tools(self) -> None: ...

    async def suspend(self) -> None:
        self.apply(self._inputs.CaptureChanged(False))

    async def resume(self) -> None:
        self.apply(self._inputs.CaptureChanged(True))

    async def devices(self) -> list[Any]:
        return []

    def receive(self, type_: str, **fields: Any) -> None:
        self.apply(self._inputs.Received({"type": type_, **fields}))

    def send(self, type_: str, **fields: Any) -> None:
        self.apply(self._inputs.Sent({"type": type_, **fields}))

    async def _play(self) -> None:
        self.open()
        if self.scene == "idle":
            await self.idle()
        elif self.scene == "flood":
            await self.flood()
        elif self.scene == "hostile":
            self.hostile()
        elif self.scene == "meter":
            await self.jump()
        else:
            for number in range(1000):
                await self.exchange(number)

    def open(self) -> None:
        session: Mapping[str, Any] = {
            "model": "gpt-realtime",
            "voice": {"type": "azure-standard", "name": "en-US-Ava:DragonHDLatestNeural"},
            "turn_detection": {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 500},
        }
        self.apply(self._inputs.Connecting("http://127.0.0.1:1", "2025-10-01", "gpt-realtime", "API key", demo=True))
        self.apply(self._inputs.Connected())
        self.receive("session.created", session={"id": "sess_1", **session})
        self.send("session.update", session=session)
        self.receive("session.updated", session={"id": "sess_1", **session})
        self.apply(self._inputs.CaptureChanged(True))

    async def idle(self) -> None:
        """An open microphone in a silent room."""
        while True:
            self.append()
            await asyncio.sleep(0.04)

    def append(self) -> None:
        self.send("input_audio_buffer.append", audio="A" * 2560)

    async def flood(self) -> None:
        """2,000 events a second for as long as it is let, 200 of them of their own kind."""
        began, sent = time.monotonic(), 0
        while True:
            self.flooded_s = time.monotonic() - began
            for _ in range(int(self.flooded_s * 2000) - sent):
                sent += 1
                self.flooded += 1
                kind = "response.audio_transcript.delta" if sent % 10 else "response.content_part.added"
                self.receive(kind, item_id="item_f", response_id="resp_f", delta=f"word{sent} ")
            await asyncio.sleep(0.01)

    async def jump(self) -> None:
        """A level that jumps; when it did is reported."""
        came = self.measured["jumps"] = []
        while True:
            for length in (0.61, 0.73):
                self.speaking_until = time.monotonic() + length if length == 0.61 else 0.0
                came.append(time.monotonic())
                await asyncio.sleep(length)

    def hostile(self) -> None:
        for number, text in enumerate(HOSTILE):
            item = f"item_h{number}"
            body = {"id": item, "type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
            self.receive("conversation.item.created", item=body)
        self.receive("error", error={"code": HOSTILE[1], "message": HOSTILE[1] + HOSTILE[0]})
        self.receive(HOSTILE[1], item_id=HOSTILE[1], **{HOSTILE[0]: HOSTILE[2]})

    async def exchange(self, number: int) -> None:
        """Three seconds of speech and an answer of ten seconds, generated in a quarter of that; each third is cut."""
        user, answer, response = f"item_u{number}", f"item_a{number}", f"resp_{number}"
        script = sorted(self.script(user, answer, response, cut=number % 3 == 2), key=lambda step: step[0])
        began = time.monotonic()
        for at, action in script:
            await asyncio.sleep(max(began + at - time.monotonic(), 0))
            action()

    def script(self, user: str, answer: str, response: str, *, cut: bool) -> Iterator[tuple[float, Any]]:
        ids = {"item_id": answer, "response_id": response, "output_index": 0, "content_index": 0}
        end = 15.0
        for chunk in range(int(end / 0.04)):
            yield chunk * 0.04, self.append

        def speak(seconds: float) -> None:
            self.speaking_until = time.monotonic() + seconds

        def play() -> None:
            now = time.monotonic()
            self.playing = (answer, now, 10_000)
            self.apply(self._inputs.PlaybackStarted(answer, now))

        def finish() -> None:
            if self.playing is None:
                return
            self.playing = None
            self.apply(self._inputs.PlaybackFinished(answer, 10_000))

        def interrupted() -> None:
            assert self.playing is not None
            heard = (time.monotonic() - self.playing[1]) * 1000
            self.playing = None
            self.receive("input_audio_buffer.speech_started", audio_start_ms=1, item_id=user + "x")
            self.apply(self._inputs.PlaybackStopped(answer, heard, time.monotonic()))

        yield 0.2, lambda: speak(3.0)
        yield 0.4, lambda: self.receive("input_audio_buffer.speech_started", audio_start_ms=100, item_id=user)
        yield 3.7, lambda: self.apply(self._inputs.VoicedUntil(time.monotonic() - 0.5))
        yield 3.7, lambda: self.receive("input_audio_buffer.speech_stopped", audio_end_ms=3700, item_id=user)
        yield 3.71, lambda: self.receive("input_audio_buffer.committed", item_id=user)
        body = {"id": user, "type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": None}]}
        yield 3.72, lambda: self.receive("conversation.item.created", item=body)
        yield 3.75, lambda: self.receive("response.created", response={"id": response, "status": "in_progress"})
        item = {"id": answer, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        yield 3.8, lambda: self.receive("response.output_item.added", response_id=response, item=item)
        yield 3.8, lambda: self.receive("conversation.item.created", previous_item_id=user, item=item)
        for index, word in enumerate(ANSWER):
            delta = word + " "
            yield (
                4.0 + index * 2.5 / len(ANSWER),
                lambda delta=delta: self.receive("response.audio_transcript.delta", delta=delta, **ids),
            )
        for index in range(100):
            yield 4.1 + index * 0.025, lambda: self.receive("response.audio.delta", delta="A" * 6400, **ids)
        done = "conversation.item.input_audio_transcription.completed"
        yield 4.4, lambda: self.receive(done, item_id=user, transcript="[speech, 3.0 s, -18 dBFS]")
        yield 4.25, play
        yield 6.7, lambda: self.receive("response.audio.done", **ids)
        yield 6.7, lambda: self.receive("response.audio_transcript.done", transcript=" ".join(ANSWER), **ids)
        usage = {"total_tokens": 400, "input_tokens": 300, "output_tokens": 100}
        finished = {"id": response, "status": "completed", "usage": usage}
        yield 6.75, lambda: self.receive("response.done", response=finished)
        if cut:
            yield 9.0, interrupted
        yield 14.3, finish


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("scene", choices=("talk", "idle", "flood", "hostile", "meter"))
    parser.add_argument("--lean", action="store_true")
    parser.add_argument("--theme", default="")
    parser.add_argument("--seconds", type=float, default=math.inf)
    parser.add_argument("--report")
    parser.add_argument("--settle", type=float, default=0.0, help="CPU is counted from here on")
    options = parser.parse_args()
    if options.lean:
        # Half the bytes of every colour. Textual reads it when it is loaded, so it must be set before that.
        assert os.environ.get("TEXTUAL_COLOR_SYSTEM") == "256"
    measured: dict[str, Any] = {}

    from voicelive_tui.config import Ui
    from voicelive_tui.ui.app import VoiceLiveApp

    live = ScriptedLive(options.scene)
    app = VoiceLiveApp(lambda: live, Ui(theme=options.theme, lean=options.lean), {})

    async def run() -> None:
        task = asyncio.create_task(app.run_async())
        await asyncio.wait([task], timeout=options.settle)
        began, used = time.monotonic(), time.process_time()
        await asyncio.wait([task], timeout=None if options.seconds == math.inf else options.seconds - options.settle)
        measured["cpu_percent"] = (time.process_time() - used) / (time.monotonic() - began) * 100
        measured.update(live.measured | {"sent": live.flooded, "elapsed_s": live.flooded_s})
        if not task.done():
            app.exit()
        await task

    asyncio.run(run())
    if options.report:
        Path(options.report).write_text(json.dumps(measured | {"return_code": app.return_code}))
    sys.exit(app.return_code)


if __name__ == "__main__":
    main()
