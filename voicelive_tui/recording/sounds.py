"""The sound of one item, or around a moment, found in records."""

from collections.abc import Iterable, Iterator, Mapping

from voicelive_tui.audio.format import SAMPLE_RATE, SAMPLE_WIDTH, samples_in
from voicelive_tui.recording.lines import RECEIVED, DamageError, WireLine, read, references
from voicelive_tui.recording.spool import Kind, Record
from voicelive_tui.session.latency import Turn
from voicelive_tui.wire.events import parse, text

NOTICED_SECONDS = 0.7
"""From the first sound of a voice to the event that says so: the service waits for some of it, and the network."""
SNIPPET = 3.0
"""Seconds around a moment that are played."""
Range = tuple[int, int]
"""Samples of a channel: the first one, and the one after the last."""


def ranges_of(item_id: str, lines: Iterable[bytes]) -> Iterator[Range]:
    """Where the sound of an answer lies in channel 2, from the lines of `wire.jsonl`."""
    for line in lines:
        if b"$audio" not in line or item_id.encode() not in line:
            continue
        try:
            frame = read(WireLine, line).raw
            if text(parse(frame).get("item_id")) != item_id:
                continue
        except (DamageError, ValueError):
            continue
        for channel, at, samples in references(frame):
            if channel == RECEIVED:
                yield at, at + samples


def range_of_turn(turn: Turn | None, known: tuple[float, int]) -> list[Range]:
    """Where the user's words of a turn lie in channel 0, from a moment and the sample that belongs to it."""
    if turn is None or turn.speech_started_at is None or turn.speech_stopped_at is None:
        return []
    moment, sample = known
    spoken = (turn.speech_started_at - NOTICED_SECONDS, turn.speech_stopped_at)
    start, end = (max(sample + round((at - moment) * SAMPLE_RATE), 0) for at in spoken)
    return [(start, end)]


def collect(ranges: list[Range], kind: Kind, records: Iterable[Record]) -> bytes:
    """The PCM16 of ranges of a channel, one after the other; silence where the records have none."""
    pieces = [bytearray((end - start) * SAMPLE_WIDTH) for start, end in ranges]
    for record in records:
        if record.kind != kind:
            continue
        record_end = record.at + samples_in(record.data)
        for (start, end), piece in zip(ranges, pieces, strict=True):
            first, last = max(start, record.at), min(end, record_end)
            if first < last:
                found = record.data[(first - record.at) * SAMPLE_WIDTH : (last - record.at) * SAMPLE_WIDTH]
                piece[(first - start) * SAMPLE_WIDTH : (last - start) * SAMPLE_WIDTH] = found
    return b"".join(pieces)


def around(positions: Mapping[Kind, int], records: Iterable[Record]) -> bytes:
    """The PCM16 of the `SNIPPET` around a moment, all channels in one.

    The positions are the samples of the channels that belong to the moment.
    """
    import numpy as np  # noqa: PLC0415 - takes a while to load, and this is rarely needed

    half = round(SNIPPET / 2 * SAMPLE_RATE)
    mixed = np.zeros(2 * half, np.int32)
    for kind, at in positions.items():
        mixed += np.frombuffer(collect([(at - half, at + half)], kind, records), "<i2")
    return mixed.clip(-32_768, 32_767).astype("<i2").tobytes()
