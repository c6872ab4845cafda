"""Makes recordings without a conversation: any number of exchanges, of ten seconds each. And a full disk."""

import base64
import contextlib
import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from voicelive_tui.config import Recording
from voicelive_tui.recording.records import Entry, RecordMaker, joined
from voicelive_tui.recording.spool import Record
from voicelive_tui.recording.writer import BundleWriter, Manifest
from voicelive_tui.session import inputs

BEGAN = 5_000.0
"""The time of the first moment."""
EXCHANGE = 10.0
"""Seconds."""
SPEECH = 1.0, 3.0
"""Of an exchange: when the user's words begin and end."""
ANSWER = 4.0, 8.0
"""When the answer is heard; in the last exchange it is interrupted after 2 s."""
CHUNK = 0.04


def tone(seconds: float, amplitude: int) -> bytes:
    """A tone of 440 Hz as PCM16."""
    wave = amplitude * np.sin(2 * np.pi * 440 / 24_000 * np.arange(round(seconds * 24_000)))
    return wave.astype("<i2").tobytes()


def received(kind: str, **fields: Any) -> inputs.Received:
    event = {"type": kind, **fields}
    return inputs.Received(event, json.dumps(event))


def exchange(number: int, at: float, *, interrupted: bool) -> Iterator[tuple[float, inputs.Input]]:
    """What happens in one exchange, which begins at a time."""
    user, answer, response = f"item_u{number}", f"item_a{number}", f"resp_{number}"
    loud, quiet = (base64.b64encode(tone(CHUNK, level)).decode() for level in (8_000, 0))
    found: list[tuple[float, inputs.Input]] = []
    for index in range(round(EXCHANGE / CHUNK)):
        captured = at + index * CHUNK
        audio = loud if SPEECH[0] <= index * CHUNK < SPEECH[1] else quiet
        event = {"type": "input_audio_buffer.append", "audio": audio}
        found.append((captured + CHUNK, inputs.Sent(event, captured_at=captured)))
    of_answer = {"item_id": answer, "response_id": response, "output_index": 0, "content_index": 0}
    item = {"id": answer, "type": "message", "role": "assistant", "content": []}
    said = {"id": user, "type": "message", "role": "user", "content": []}
    found += [
        (at + SPEECH[0], received("input_audio_buffer.speech_started", item_id=user, audio_start_ms=0)),
        (at + SPEECH[1], received("input_audio_buffer.speech_stopped", item_id=user, audio_end_ms=0)),
        (at + SPEECH[1], inputs.VoicedUntil(at + SPEECH[1])),
        (at + 3.1, received("input_audio_buffer.committed", item_id=user)),
        (at + 3.1, received("conversation.item.created", item=said)),
        (at + 3.2, received("response.created", response={"id": response, "status": "in_progress"})),
        (at + 3.3, received("response.output_item.added", response_id=response, item=item)),
        (at + 3.4, received("conversation.item.created", item=item, previous_item_id=user)),
        (at + 3.5, received("response.audio_transcript.delta", **of_answer, delta=f"This is answer {number}.")),
    ]
    for index in range(40):
        delta = base64.b64encode(tone(0.1, 16_000)).decode()
        found.append((at + 3.6 + index * 0.01, received("response.audio.delta", **of_answer, delta=delta)))
    found += [
        (at + 4.0, received("response.audio.done", **of_answer)),
        (at + 4.0, received("response.done", response={"id": response, "status": "completed", "output": [item]})),
        (at + 4.02, inputs.PlaybackStarted(answer, at + ANSWER[0])),
    ]
    if interrupted:
        over = f"{user}_over"
        found.append((at + 6.0, received("input_audio_buffer.speech_started", item_id=over, audio_start_ms=0)))
        found.append((at + 6.01, inputs.PlaybackStopped(answer, 2_000.0, at + 6.0)))
    else:
        found.append((at + ANSWER[1], inputs.PlaybackFinished(answer, 4_000.0)))
    yield from sorted(found, key=lambda each: each[0])


def moments(exchanges: int, **of_session: object) -> Iterator[tuple[float, inputs.Input]]:
    """A conversation: times and inputs."""
    session = {"id": "sess_1", "model": "gpt-realtime", "turn_detection": {"type": "server_vad"}, **of_session}
    yield BEGAN, inputs.Connecting("http://127.0.0.1:1", "2026-07-15", "gpt-realtime", "API key")
    yield BEGAN + 0.01, inputs.Connected()
    yield BEGAN + 0.02, received("session.created", session=session)
    yield BEGAN + 0.03, inputs.Sent({"type": "session.update", "session": session})
    yield BEGAN + 0.04, received("session.updated", session=session)
    yield BEGAN + 0.05, inputs.CaptureChanged(True)
    for number in range(exchanges):
        yield from exchange(number, BEGAN + 0.1 + number * EXCHANGE, interrupted=number == exchanges - 1)


def make_bundle(folder: Path, exchanges: int = 3, *, sound: bool = True, **of_session: object) -> Path:
    """Record a conversation of some exchanges, without its sound if there would be too much of it."""
    began_ns = round(BEGAN * 1e9)
    maker = RecordMaker(began_ns, Recording())
    manifest = Manifest(program="1", unix_ns=1_800_000_000 * 10**9, t_ns=began_ns, sample_zero_ns=began_ns)
    writer = BundleWriter(folder / "talk.vlrec", manifest)
    for n, (at, event) in enumerate(moments(exchanges, **of_session)):
        records = maker.of_entry(Entry(n, round(at * 1e9), event))
        writer.add(joined(record for record in records if sound or record.kind in ("wire", "mark")))
    for number in range(exchanges if sound else 0):
        first = round((0.1 + number * EXCHANGE + ANSWER[0]) * 24_000)
        length = 2.0 if number == exchanges - 1 else ANSWER[1] - ANSWER[0]
        writer.add([Record("right", first, tone(length, 16_000))])
    writer.finish({}, (), "")
    return writer.path


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Limit the size of every file of this process, in bytes, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
