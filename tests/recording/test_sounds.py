"""The sound of one item, out of the records of all."""

import json

import numpy as np

from voicelive_tui.audio.format import SAMPLE_RATE
from voicelive_tui.recording.lines import MICROPHONE, RECEIVED, reference, wire_line
from voicelive_tui.recording.sounds import SNIPPET, around, collect, range_of_turn, ranges_of
from voicelive_tui.recording.spool import Record
from voicelive_tui.session.latency import Turn


def delta(item_id: str, channel: int, at: int, samples: int) -> bytes:
    text = json.dumps({"type": "response.audio.delta", "item_id": item_id, "delta": "SOUND"})
    return wire_line(0, 0, "in", text.replace('"SOUND"', reference(channel, at, samples)))


def test_an_answer_is_found_by_the_references_of_its_own_events() -> None:
    lines = [
        delta("item_a", RECEIVED, 0, 480),
        delta("item_ab", RECEIVED, 480, 240),
        delta("item_a", MICROPHONE, 0, 99),
        wire_line(0, 0, "in", '{"type":"response.audio.done","item_id":"item_a"}'),
        b'{"n":0, "item_a $audio\n',
        delta("item_a", RECEIVED, 720, 240),
    ]
    assert list(ranges_of("item_a", lines)) == [(0, 480), (720, 960)]
    assert list(ranges_of("item_x", lines)) == []


def test_the_words_of_a_turn_lie_between_the_moments_of_its_speech() -> None:
    turn = Turn(number=1, speech_started_at=100.0, speech_stopped_at=101.5)
    assert range_of_turn(turn, (103.0, 3 * SAMPLE_RATE)) == [(0, 3 * SAMPLE_RATE // 2)]
    assert range_of_turn(turn, (103.0, 2 * SAMPLE_RATE)) == [(0, SAMPLE_RATE // 2)]  # it began before the recording
    assert range_of_turn(Turn(number=2, speech_started_at=100.0), (103.0, 0)) == []
    assert range_of_turn(None, (103.0, 0)) == []


def test_ranges_are_collected_over_the_edges_of_records_with_silence_where_there_is_none() -> None:
    records = [Record("received", 4, np.arange(4, 10, dtype="<i2").tobytes()), Record("left", 0, b"\1\1" * 20),
               Record("received", 10, np.arange(10, 14, dtype="<i2").tobytes())]  # fmt: skip
    found = np.frombuffer(collect([(2, 6), (8, 12)], "received", records), "<i2")
    assert found.tolist() == [0, 0, 4, 5, 8, 9, 10, 11]


def test_the_sound_around_a_moment_has_both_directions_in_it_and_does_not_overflow() -> None:
    half = round(SNIPPET / 2 * SAMPLE_RATE)
    loud = np.full(10, 30_000, "<i2").tobytes()
    records = [Record("left", 100_000, loud), Record("right", 50_005, loud), Record("received", 50_000, loud)]
    found = np.frombuffer(around({"left": 100_000, "right": 50_000}, records), "<i2")
    assert len(found) == 2 * half
    assert found[half : half + 16].tolist() == [30_000] * 5 + [32_767] * 5 + [30_000] * 5 + [0]
    assert not found[:half].any()
