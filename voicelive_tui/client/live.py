"""LiveSession: one connection, one audio engine, one state. The only place where effects become actions.

Its tasks, all on one event loop:

- `run` connects, and then receives: each server event passes the taps, then the reducer, then its effects are done.
- the sender drains the outbox in order, so that a commit never overtakes an append.
- housekeeping looks every 10 ms, or after a chunk was taken when the next is due: whole microphone chunks go to the
  outbox, and what began or ended at the speaker goes to the reducer. Without a microphone it rests until something
  happens.
- the watch notices streams of sound that stall.

`state` is replaced here and nowhere else. Whoever wants to know looks at it; nobody is called for drawing.
"""

import asyncio
import base64
import logging
import math
import time
from array import array
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Literal

from voicelive_tui.audio.devices import Source, list_devices
from voicelive_tui.audio.engine import Chunk, Direction, Started
from voicelive_tui.audio.format import SAMPLE_RATE, duration_ms, ms_to_samples
from voicelive_tui.client.connection import BadMessage, ConnectError, Credential, LinkClosed, ServiceConnection
from voicelive_tui.client.log_file import log_file
from voicelive_tui.client.sound import Sound, off_loop
from voicelive_tui.config import Service, Settings, host_of
from voicelive_tui.credentials import CredentialSource
from voicelive_tui.session import effects, inputs
from voicelive_tui.session.fold import reduce
from voicelive_tui.session.request import session_request
from voicelive_tui.session.state import Activity, DeviceChoice, Link, Meter, Reading, SessionState

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.010
"""How often captured sound and the speaker's progress are looked at, where news may be there; each look wakes a
processor."""
BURST_SECONDS = 0.0003
"""Received events are worked on for so long before anybody else has a turn."""
EARLIER_SECONDS = 0.002
"""By so much each look after a chunk comes sooner than the next chunk is due after that look."""
LONGEST_LOOK_SECONDS = 0.040
"""For the speaker's progress is not to be told much later than it happens."""
NATIVE_SECONDS = 1.0
"""How often the messages of C libraries are counted, for which their file is read."""
OUTBOX_LIMIT_MS = 500.0
"""Captured sound that may wait for the network; beyond it the oldest is dropped, and said so."""
CLOSE_LIMIT = 5.0
"""Seconds for an orderly end."""

Tap = Callable[[inputs.Input, float], None]
Connect = Callable[[Service, str, Credential], Awaitable[ServiceConnection]]


class LiveSession:
    """A conversation, or one after another, until `close`.

    Args:
        settings: With the endpoint to connect to.
        credential: Gives the credential for each connection; `ConnectError` where there is none.
        credential_kind: In words, for the screen and the log.
        demo: The endpoint is our own loopback service.
        caller: The synthetic user of the demo, in place of a microphone.
        native_messages: Counts the lines that C libraries printed so far.
        connect: Makes the connections; tests script them here.
    """

    def __init__(
        self,
        settings: Settings,
        credential: CredentialSource,
        credential_kind: str,
        *,
        demo: bool = False,
        caller: Source | None = None,
        native_messages: Callable[[], int] = lambda: 0,
        connect: Connect = ServiceConnection.open,
    ) -> None:
        self.settings = settings
        self.state = SessionState(wanted=session_request(settings.session))
        self.sound = Sound(settings.audio, self._device_changed, caller)
        self.engine = self.sound.engine
        self._credential = credential
        self._credential_kind = credential_kind
        self._demo = demo
        self._caller = caller is not None
        self._count_native = native_messages
        self._native_messages, self._native_due = 0, 0.0
        self._connect = connect
        self._taps: list[Tap] = []
        self._connection: ServiceConnection | None = None
        self._attempt: asyncio.Task[ServiceConnection] | None = None
        self._outbox: deque[Mapping[str, Any] | Chunk] = deque()
        self._outbox_ms = 0.0
        self._outbox_dropped_ms = 0.0
        self._outbox_filled = asyncio.Event()
        self._happened = asyncio.Event()
        self._reconnect = asyncio.Event()
        self._closing = self._input_over = False
        self._ended = asyncio.Event()
        self._chores: set[asyncio.Task[None]] = set()
        self._check: asyncio.Task[None] | None = None

    # --- for the screen and the console

    def add_tap(self, tap: Tap) -> None:
        """Let `tap(input, now)` see every input before the reducer does."""
        self._taps.append(tap)

    def apply(self, event: inputs.Input) -> None:
        """Something happened: fold it into the state, and do what that asks for. On the loop's thread only."""
        now = time.monotonic()
        for tap in self._taps:
            tap(event, now)
        before = self.state
        self.state, wanted = reduce(event, before, now)
        log_file(event, before, self.state, now)
        for effect in wanted:
            self._perform(effect)
        self._happened.set()

    def reading(self) -> Reading:
        """What the sound path shows at this moment; once a tick."""
        levels, counters = self.engine.levels(), self.engine.counters()
        item, now = self.state.playing, time.monotonic()
        if now >= self._native_due:
            self._native_messages, self._native_due = self._count_native(), now + NATIVE_SECONDS
        return Reading(
            capture=Meter(*levels.capture),
            playback=Meter(*levels.playback),
            gated=self.engine.gated,
            input_ended=self.sound.input_ended,
            heard_item=item,
            heard_ms=self.engine.heard_ms(item) if item else 0.0,
            buffered_ms=self.engine.buffered_ms,
            outbox_ms=self._outbox_ms,
            dropped_ms=counters.dropped_ms + self._outbox_dropped_ms,
            underflows=counters.underflows,
            overflows=counters.overflows,
            gaps=counters.gaps,
            native_messages=self._native_messages,
            output_latency_ms=self.sound.output_latency_ms,
            stalled=tuple(sorted(self.sound.stalled)),
        )

    def stirs(self) -> bool:
        """Whether sound began or ended since the last `reading`: a reason to take another one sooner."""
        return self.engine.activity_changed()

    async def devices(self) -> list[DeviceChoice]:
        """What the device picker offers.

        Raises:
            AudioError: There is no way to list devices, for the reason given.
        """
        found = await off_loop(list_devices, "listing sound devices")
        choices: list[DeviceChoice] = []
        for direction in ("input", "output"):
            current = self.sound.devices[direction]
            choices.append(DeviceChoice(direction, "", "system default", current == ""))
            for device in found:
                if device.inputs if direction == "input" else device.outputs:
                    label = f"{device.name} ({device.hostapi})"
                    choices.append(DeviceChoice(direction, str(device.index), label, current == str(device.index)))
            if current.startswith("file:"):
                choices.append(DeviceChoice(direction, current, current, True))
            choices.append(DeviceChoice(direction, "none", "none", current == "none"))
        return choices

    async def choose_device(self, direction: Literal["input", "output"], spec: str) -> None:
        """Change to another device while the conversation goes on; a file in use is not begun anew."""
        if spec.startswith("file:") and spec == self.sound.devices[direction]:
            return
        if direction == "input":
            self._input_over = False
        await self.sound.choose(direction, spec)
        self._follow_capture()

    async def test_tone(self) -> None:
        """A short tone from the speaker."""
        self.engine.play(TEST_TONE, _tone())
        self.engine.finish(TEST_TONE)

    async def suspend(self) -> None:
        """Release the microphone, as before the program is stopped by Ctrl+Z."""
        if self.sound.input_open:
            self._input_over = self.sound.input_ended
        await self.sound.stop_capture()
        self._follow_capture()

    async def resume(self) -> None:
        """Take the microphone again; a file that was over does not begin anew."""
        if self.state.connection.link is Link.READY and not self._input_over:
            await self._capture()

    # --- its life

    async def run(self) -> None:
        """Converse, again after each reset, until `close`. What goes wrong with a conversation is in the state."""
        chores = [asyncio.create_task(self._keep_house()), asyncio.create_task(self.sound.watch())]
        self._check = asyncio.create_task(self.sound.check())
        chores.append(self._check)
        try:
            while not self._closing:
                self._reconnect.clear()
                await self._converse()
                if not self._closing:
                    await self._reconnect.wait()
        finally:
            for task in (*chores, *self._chores):
                task.cancel()
            await asyncio.gather(*chores, *self._chores, return_exceptions=True)
            await self.sound.close()
            log.info("cleaned up")
            self._ended.set()

    async def close(self) -> None:
        """End in order: capture and playback stop, the socket closes with 1000. Waits `CLOSE_LIMIT` at most."""
        if not self._closing:
            self._closing = True
            self.engine.flush()
            self._reconnect.set()
            if self._attempt is not None:
                self._attempt.cancel()
            if self._connection is not None:
                await self._connection.close()
        try:
            async with asyncio.timeout(CLOSE_LIMIT):
                await self._ended.wait()
        except TimeoutError:
            log.warning("the end took longer than %g s", CLOSE_LIMIT)

    async def _converse(self) -> None:
        """One connection, from connecting to its end."""
        service, session = self.settings.service, self.settings.session
        self.engine.forget()
        self.apply(
            inputs.Connecting(
                endpoint=host_of(service.endpoint),
                api_version=service.api_version,
                model=session.model,
                credential=self._credential_kind,
                demo=self._demo,
                caller=self._caller,
            )
        )
        try:
            self._attempt = asyncio.create_task(self._open_connection(service, session.model))
            connection = await self._attempt
        except ConnectError as problem:
            self.apply(inputs.ConnectFailed(str(problem)))
            return
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # it is not the attempt that was called off, but all of this
                raise
            return
        finally:
            self._attempt = None
        if self._closing:  # it was made just as the end was asked for
            await connection.close()
            return
        self._connection = connection
        self._outbox.clear()
        self._outbox_ms = 0.0
        self.apply(inputs.Connected())
        sender = asyncio.create_task(self._send_all(connection))
        try:
            await self._receive_all(connection)
        finally:
            self._connection = None
            sender.cancel()
            await connection.close()
            await asyncio.gather(sender, return_exceptions=True)
            await self.sound.stop_capture()

    async def _open_connection(self, service: Service, model: str) -> ServiceConnection:
        return await self._connect(service, model, await self._credential())

    async def _receive_all(self, connection: ServiceConnection) -> None:
        since = time.monotonic()
        while True:
            try:
                event, raw = await connection.receive()
            except BadMessage as problem:
                self.apply(inputs.BadMessage(str(problem), problem.raw))
            except LinkClosed as end:
                ours = self._closing or self._reconnect.is_set()
                self.apply(inputs.Disconnected(end.code, "" if ours else str(end)))
                return
            else:
                self.apply(inputs.Received(event, raw))
            # A burst that is already here must not starve the sender and the screen; but a turn of the loop for each
            # event takes as long as the event.
            if time.monotonic() - since > BURST_SECONDS:
                await asyncio.sleep(0)
                since = time.monotonic()

    async def _send_all(self, connection: ServiceConnection) -> None:
        while True:
            while not self._outbox:
                self._outbox_filled.clear()
                await self._outbox_filled.wait()
            entry = self._outbox.popleft()
            if isinstance(entry, Chunk):
                self._outbox_ms -= duration_ms(entry.pcm)
                event: Mapping[str, Any] = {
                    "type": "input_audio_buffer.append",
                    "audio": base64.b64encode(entry.pcm).decode("ascii"),
                }
            else:
                event = entry
            try:
                await connection.send(event)
            except LinkClosed:
                return  # the receiver finds out why
            self.apply(inputs.Sent(event))

    async def _keep_house(self) -> None:
        pause = LOOK_SECONDS
        while True:
            idle = self.state.activity is Activity.READY and not self.engine.playing
            if idle and not self.sound.input_open:
                self._happened.clear()
                await self._happened.wait()
            else:
                await asyncio.sleep(pause)
            pause = LOOK_SECONDS
            while chunk := self.engine.chunk():
                # So the looks come ever sooner after the chunks, and once too early: that one is caught fresh.
                pause = min(self.engine.chunk_ms / 1000 - EARLIER_SECONDS, LONGEST_LOOK_SECONDS)
                if self.state.microphone.sending and self._connection is not None:
                    self._post(chunk)
            for event in self.engine.events():
                if isinstance(event, Started):
                    self.apply(inputs.PlaybackStarted(event.item_id, event.at))
                else:
                    self.apply(inputs.PlaybackFinished(event.item_id, event.ms))

    # --- effects

    def _perform(self, effect: effects.Effect) -> None:
        match effect:
            case effects.Play(item_id, pcm):
                self.engine.play(item_id, pcm)
            case effects.FinishItem(item_id):
                self.engine.finish(item_id)
            case effects.StopPlayback():
                if self.engine.playing or self.engine.buffered_ms > 0:
                    self.engine.flush()
                    self._start(self._cut())
            case effects.Send(event):
                self._post(event)
            case effects.StartCapture():
                self._start(self._capture())
            case effects.SetMute(muted):
                self.engine.muted = muted
            case effects.BeginTalk():
                self.engine.discard_captured()
            case effects.EndTalk():
                while chunk := self.engine.chunk() or self.engine.chunk(rest=True):
                    self._post(chunk)
                self._tell_voiced()
            case effects.AskVoiced():
                self._tell_voiced()
            case effects.Disconnect() | effects.Reconnect():
                if isinstance(effect, effects.Reconnect):
                    self._reconnect.set()
                    if self._attempt is not None:  # it may hang for as long as a handshake may take
                        self._attempt.cancel()
                if self._connection is not None:
                    self._start(self._connection.close())

    def _post(self, entry: Mapping[str, Any] | Chunk) -> None:
        if self._connection is None:
            return
        self._outbox.append(entry)
        self._outbox_filled.set()
        if isinstance(entry, Chunk):
            self._outbox_ms += duration_ms(entry.pcm)
            if self._outbox_ms > OUTBOX_LIMIT_MS:
                self._drop_oldest_chunk()

    def _drop_oldest_chunk(self) -> None:
        oldest = next(entry for entry in self._outbox if isinstance(entry, Chunk))
        self._outbox.remove(oldest)
        self._outbox_ms -= duration_ms(oldest.pcm)
        if self._outbox_dropped_ms == 0.0:
            log.warning("the network is behind: captured sound older than %d ms is dropped", OUTBOX_LIMIT_MS)
        self._outbox_dropped_ms += duration_ms(oldest.pcm)

    async def _cut(self) -> None:
        heard = await self.sound.cut()
        silent_at = time.monotonic()  # at the latest: the device has been stopped, and started again
        for item in heard:
            self.apply(inputs.PlaybackStopped(item.item_id, item.heard_ms, silent_at))

    async def _capture(self) -> None:
        if self._check is not None:
            await asyncio.wait([self._check])
        await self.sound.start_capture()
        if self.state.connection.link is not Link.READY:  # it ended meanwhile
            await self.sound.stop_capture()
        self.engine.discard_captured()
        self._follow_capture()

    def _follow_capture(self) -> None:
        capturing = self.sound.input_open and self.state.connection.link is Link.READY
        if capturing != self.state.microphone.capturing:
            self.apply(inputs.CaptureChanged(capturing))

    def _device_changed(self, direction: Direction, description: str, problem: str) -> None:
        device = self.state.input if direction == "input" else self.state.output
        if (device.description, device.problem) != (description, problem):
            self.apply(inputs.DeviceChanged(direction, description, problem))

    def _tell_voiced(self) -> None:
        if self.engine.last_voiced_at is not None:
            self.apply(inputs.VoicedUntil(self.engine.last_voiced_at))

    def _start(self, chore: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine beside the rest; kept until it is done, or ended with the session."""
        task = asyncio.create_task(chore)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)


TEST_TONE = "test-tone"
"""The item id under which the test tone is played; no item of the service has it."""


def _tone() -> bytes:
    """0.4 s of 440 Hz at -20 dBFS."""
    wave = (3277 * math.sin(2 * math.pi * 440 * frame / SAMPLE_RATE) for frame in range(ms_to_samples(400)))
    return array("h", map(int, wave)).tobytes()
