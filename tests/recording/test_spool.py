"""The ring of the last minutes."""

from hypothesis import given
from hypothesis import strategies as st

from tests.recording.bundles import largest_file
from voicelive_tui.recording.spool import RING_SECONDS, SEGMENT_SECONDS, Kind, Record, Ring

NS = 1_000_000_000
KINDS: tuple[Kind, ...] = ("wire", "mark", "left", "right", "received")
records = st.lists(
    st.builds(Record, st.sampled_from(KINDS), st.integers(-(2**63), 2**63 - 1), st.binary(max_size=50)), max_size=20
)


@given(records, records)
def test_records_are_given_back_as_they_came(first: list[Record], second: list[Record]) -> None:
    ring = Ring()
    ring.add(first, 5 * NS, (), 0)
    ring.add(second, 6 * NS, (), 0)
    assert list(ring) == [*first, *second]
    assert list(ring) == [*first, *second]  # reading changes nothing
    ring.close()


def test_the_oldest_minutes_are_forgotten_and_the_lines_that_a_reader_needs_are_not() -> None:
    ring = Ring()
    session = Record("wire", 0, b"the session in force")
    minutes = int(RING_SECONDS / SEGMENT_SECONDS) + 5
    for minute in range(minutes):
        at = minute * (int(SEGMENT_SECONDS) + 1) * NS
        ring.add([Record("wire", at, b"%d" % minute)], at, [session], minute * 100)
    kept = list(ring)
    assert kept[0] == session
    oldest = int(kept[1].data)
    assert 0 < oldest < minutes - int(RING_SECONDS / (SEGMENT_SECONDS + 1))
    assert [int(record.data) for record in kept[1:]] == list(range(oldest, minutes))
    assert ring.began_ns == kept[1].at
    assert ring.received_from == oldest * 100
    ring.close()
    assert (list(ring), ring.began_ns) == ([], None)


def test_a_line_that_begins_the_ring_is_not_there_twice() -> None:
    ring = Ring()
    session = Record("wire", 0, b"the session in force")
    ring.add([session], 0, [session], 0)
    assert list(ring) == [session]
    ring.close()


def test_an_answer_that_goes_on_begins_with_its_first_sample_in_the_ring() -> None:
    ring = Ring()
    ring.add([Record("received", 480, b"\0\0" * 240), Record("received", 720, b"\0\0" * 240)], 0, (), 960)
    assert ring.received_from == 480
    ring.close()


def test_what_a_full_disk_has_not_taken_is_forgotten() -> None:
    ring = Ring()
    with largest_file(0):
        ring.add([Record("mark", 0, b"not written yet")], 0, (), 0)
        ring.close()
    assert list(ring) == []
