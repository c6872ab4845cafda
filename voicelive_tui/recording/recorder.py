"""`Recorder`: an observer of the session, and the thread that records what it observes.

The event loop appends to a queue, and nothing else. The thread makes records, and writes them into the ring of the last
minutes and into the bundle while one is kept. What goes wrong there ends the recording with a sentence, and never the
conversation.
"""

import asyncio
import json
import logging
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voicelive_tui import __version__
from voicelive_tui.recording.files import unused, write_wave
from voicelive_tui.recording.lines import without_secrets
from voicelive_tui.recording.records import SETTLED_SECONDS, Entry, RecordMaker, joined, mark
from voicelive_tui.recording.spool import Kind, Record, Ring
from voicelive_tui.recording.writer import SUFFIX, BundleWriter, Manifest
from voicelive_tui.session import inputs
from voicelive_tui.session.keeping import MomentChosen, MomentFound, RecordingChanged, SaveSound, SoundSaved
from voicelive_tui.session.state import SessionState

if TYPE_CHECKING:
    from voicelive_tui.audio.engine import AudioEngine
    from voicelive_tui.config import Recording

log = logging.getLogger(__name__)

WAKE_SECONDS = 0.25
QUEUE_LIMIT = 3_000
"""Inputs that may wait for the thread; more are left out and counted. A second of a flood has 2,000."""
QUEUE_CHARACTERS = 32_000_000
"""Likewise, of the messages that wait."""
WAKE_AT = 500
"""Inputs that wake the thread early, so that their events are not kept in memory for long."""
LATE_SECONDS = 1.0
"""Captured sound is sent at the latest this long after its capture, but for the gap of a reconnect."""
BATCH = 500
BATCH_CHARACTERS = 4_000_000
"""Of the messages that are recorded in one step."""
LARGE_BYTES = 500_000_000
LARGE = "the recording has 500 MB, and goes on until you end it"
CLOSE_LIMIT = 5.0


class Recorder:
    """Records a session from its construction to `close`.

    `apply` takes inputs, on the event loop; `engine` gives the engine, once there is one. Bundles go to the `folder`
    where the settings name none.
    """

    def __init__(
        self,
        apply: Callable[[inputs.Input], None],
        engine: "Callable[[], AudioEngine | None]",
        settings: "Recording",
        folder: Path,
    ) -> None:
        self._apply = apply
        self._engine = engine
        self._folder = Path(settings.folder).expanduser() if settings.folder else folder
        self._flac = settings.format == "flac"
        self._loop = asyncio.get_running_loop()
        self._state = SessionState()
        self._entries: deque[Entry] = deque()
        self._sounds: deque[SaveSound | MomentChosen] = deque()
        """What sound is to be saved, or handed back to be played."""
        self._next_n = self._left_out = 0
        self._queued = self._taken = 0
        """Characters of messages; the loop counts what it puts into the queue, the thread what it takes."""
        self._woken = threading.Event()
        self._wanted = threading.Event()
        """A bundle is wanted."""
        self._closing = False

        # Used by the thread alone.
        self._unix_ns, self._began_ns = time.time_ns(), time.monotonic_ns()
        self._maker = RecordMaker(self._began_ns, settings)
        self._ring: Ring | None = Ring()
        self._writer: BundleWriter | None = None
        self._noticed: set[str] = set()

        if settings.folder:
            self._wanted.set()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()
        apply(RecordingChanged())

    # --- on the event loop

    def observe(self, event: inputs.Input, before: SessionState, after: SessionState, now: float) -> None:
        """Queue an input for the thread."""
        if isinstance(event, RecordingChanged | SoundSaved | MomentFound):  # about the recording, not in it
            return
        self._state = after
        if isinstance(event, inputs.KeepPressed):
            (self._wanted.clear if self._wanted.is_set() else self._wanted.set)()
            self._woken.set()
            return
        if isinstance(event, SaveSound | MomentChosen):
            self._sounds.append(event)
            self._woken.set()
            return
        if len(self._entries) < QUEUE_LIMIT and self._queued - self._taken < QUEUE_CHARACTERS:
            self._queued += _characters(event)
            self._entries.append(Entry(self._next_n, round(now * 1e9), event))
        else:
            self._left_out += 1
        if len(self._entries) == WAKE_AT:
            self._woken.set()
        self._next_n += 1

    def close(self) -> None:
        """End the recording and its bundle, within `CLOSE_LIMIT` seconds."""
        self._closing = True
        self._woken.set()
        self._thread.join(CLOSE_LIMIT)
        if self._thread.is_alive():
            log.warning("the recording took longer than %g s to end", CLOSE_LIMIT)

    # --- in the thread

    def _run(self) -> None:
        while not self._closing:
            self._woken.wait(WAKE_SECONDS)
            self._woken.clear()
            self._step()
            if self._entries:
                self._woken.set()
        while len(self._entries) > 1:
            self._step()
        self._wanted.clear()
        self._step()
        if self._ring is not None:
            self._ring.close()

    def _step(self) -> None:
        """Record what happened since the last step, and begin or end a bundle."""
        try:
            records = joined(self._records())
            self._remember(records)
            if self._writer is not None:
                self._write(records)
                if not self._wanted.is_set():
                    self._finish()
            elif self._wanted.is_set():
                self._keep()
            while self._sounds:
                match self._sounds.popleft():
                    case SaveSound(item_id):
                        self._save_sound(item_id)
                    case MomentChosen(at):
                        self._find_moment(at)
        except OSError as error:
            where = self._writer.path if self._writer else self._folder
            self._fail(f"the recording ended: {error.strerror or error} ({where})")
        except Exception:  # a defect here must not end the conversation
            log.exception("the recorder failed")
            self._fail("the recording ended: the program has a defect, see the log file")

    def _records(self) -> Iterator[Record]:
        enough = self._taken + BATCH_CHARACTERS
        while self._entries and self._taken < enough:
            entry = self._entries.popleft()
            yield from self._maker.of_entry(entry)
            self._taken += _characters(entry.input)
        if left_out := self._left_out:
            self._left_out -= left_out
            yield mark(self._next_n, "left_out", inputs=left_out)
        if (engine := self._engine()) is not None:
            yield from self._maker.of_engine(engine, self._next_n, ending=self._closing)

    def _remember(self, records: list[Record]) -> None:
        if self._ring is None or not records:
            return
        try:
            self._ring.add(records, time.monotonic_ns(), self._maker.before, self._maker.received)
        except OSError as error:
            self._ring.close()
            self._ring = None
            self._report(f"the last minutes are no longer kept: {error.strerror or error} ({tempfile.gettempdir()})")

    def _write(self, records: list[Record]) -> None:
        assert self._writer is not None
        has_room, size = self._writer.add(records), self._writer.size
        notice = "the recording is full: from here on it has no sound" if not has_room else LARGE
        if (not has_room or size > LARGE_BYTES) and notice not in self._noticed:
            self._noticed.add(notice)
            self._report(notice)

    def _keep(self) -> None:
        """Begin a bundle with what the ring holds."""
        from importlib.metadata import version  # noqa: PLC0415 - takes 20 ms

        ring = self._ring if self._ring is not None else Ring()
        began_ns = time.monotonic_ns() if ring.began_ns is None else ring.began_ns
        manifest = Manifest(
            program=__version__,
            sdk=version("azure-ai-voicelive"),
            api_version=self._state.connection.api_version,
            session=self._session(),
            unix_ns=self._unix_ns,
            t_ns=self._began_ns,
            sample_zero_ns=self._began_ns,
            audio_origin=self._maker.first_sample(began_ns / 1e9 - SETTLED_SECONDS - LATE_SECONDS),
            received_origin=ring.received_from,
        )
        self._writer = BundleWriter(unused(self._folder, SUFFIX), manifest, flac=self._flac)
        self._noticed.clear()
        records = iter(ring) if ring.began_ns is not None else iter(self._maker.before)
        while batch := list(islice(records, BATCH)):
            self._write(batch)
        self._report(kept=(time.monotonic_ns() - began_ns) / 1e9)

    def _save_sound(self, item_id: str) -> None:
        """Write the sound of an item as a WAV file: an answer as it came, the user's words as they were sent."""
        from voicelive_tui.recording.sounds import collect, range_of_turn, ranges_of  # noqa: PLC0415 - rarely needed

        ring, moment = self._ring if self._ring is not None else (), time.monotonic()
        kind: Kind = "received"
        ranges = list(ranges_of(item_id, (record.data for record in ring if record.kind == "wire")))
        if not ranges:
            turn = next((turn for turn in self._state.turns if turn.item_id == item_id), None)
            kind, ranges = "left", range_of_turn(turn, (moment, self._maker.sample_at(moment)))
        pcm = collect(ranges, kind, ring)
        if not any(pcm):
            self._tell(SoundSaved(problem="this item has no sound within the last minutes"))
            return
        try:
            path = unused(self._folder, ".wav")
            write_wave(path, pcm)
        except OSError as error:
            self._tell(SoundSaved(problem=f"the sound cannot be saved: {error.strerror or error}"))
        else:
            self._tell(SoundSaved(str(path)))

    def _find_moment(self, at: float) -> None:
        """Hand back the sound around a moment: what was sent and what was heard."""
        from voicelive_tui.recording.sounds import around  # noqa: PLC0415 - rarely needed

        kinds: tuple[Kind, ...] = ("left", "right")
        positions = {kind: self._maker.sample_at(at, kind) for kind in kinds}
        pcm = around(positions, self._ring if self._ring is not None else ())
        if any(pcm):
            self._tell(MomentFound(pcm))
        else:
            self._tell(MomentFound(problem="nothing is recorded around this moment but silence"))

    def _finish(self) -> None:
        writer, self._writer = self._writer, None
        assert writer is not None
        from voicelive_tui.recording.document import markdown  # noqa: PLC0415 - few conversations are kept

        writer.finish(self._session(), self._maker.masked, self._maker.without_names(markdown(self._state)))
        self._report()

    def _fail(self, sentence: str) -> None:
        self._wanted.clear()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        self._report(sentence)

    def _report(self, problem: str = "", kept: float = 0.0) -> None:
        self._tell(RecordingChanged(str(self._writer.path) if self._writer else "", problem, kept))

    def _tell(self, event: RecordingChanged | SoundSaved | MomentFound) -> None:
        try:
            self._loop.call_soon_threadsafe(self._apply, event)
        except RuntimeError:  # the loop is closed: the program ends
            if event.problem:
                log.warning("%s", event.problem)

    def _session(self) -> Mapping[str, Any]:
        clean = self._maker.without_names(without_secrets(json.dumps(dict(self._state.in_force))))
        found: Mapping[str, Any] = json.loads(clean)
        return found


def _characters(event: inputs.Input) -> int:
    """Characters of a message from the service; 0 of another input."""
    inner = event.inner if isinstance(event, inputs.OnStandby) else event
    return len(inner.raw) if isinstance(inner, inputs.Received | inputs.BadMessage) else 0
