from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.ui.rows import Rows
from voicelive_tui.wire import filters
from voicelive_tui.wire.log import EventLog

KINDS = (
    ("in", "response.audio.delta", "item_a", "resp_a"),
    ("in", "response.audio_transcript.delta", "item_a", "resp_a"),
    ("in", "response.audio.delta", "item_b", "resp_b"),
    ("out", "input_audio_buffer.append", "", ""),
    ("in", "response.done", "", "resp_a"),
    ("in", "input_audio_buffer.speech_started", "item_u", ""),
    ("out", "input_audio_buffer.commit", "", ""),
    ("log", "azure.core", "", ""),
)


def log_of(kinds, log=None):
    log = log or EventLog()
    for kind in kinds:
        direction, type_, item, response = KINDS[kind]
        log = log.append(float(log.next_seq), direction, type_, "{}", item_id=item, response_id=response, size=10)
    return log


def shown(rows, log):
    return [(log.row(rows[i].first).type, rows[i].rows) for i in range(len(rows))]


def test_deltas_of_one_item_are_one_line_even_in_turns():
    rows, log = Rows(), log_of([4, 0, 1, 0, 1, 5, 0, 4, 0])
    rows.update(log)
    assert shown(rows, log) == [
        ("response.done", 1),
        ("response.audio.delta", 3),
        ("response.audio_transcript.delta", 2),
        ("input_audio_buffer.speech_started", 1),
        ("response.done", 1),
        ("response.audio.delta", 1),
    ]
    assert rows[1].size == 30


def test_the_microphone_is_one_line_until_the_client_sends_something_else():
    rows, log = Rows(), log_of([3, 3, 5, 3, 6, 3])
    rows.update(log)
    assert shown(rows, log) == [
        ("input_audio_buffer.append", 3),
        ("input_audio_buffer.speech_started", 1),
        ("input_audio_buffer.commit", 1),
        ("input_audio_buffer.append", 1),
    ]


def test_log_records_are_shown_unfolded_only():
    rows, log = Rows(), log_of([7, 0, 0])
    rows.update(log)
    assert shown(rows, log) == [("response.audio.delta", 2)]
    rows.unfolded = True
    rows.restart()
    rows.update(log)
    assert [rows[i].rows for i in range(len(rows))] == [1, 1, 1]


@given(st.lists(st.lists(st.integers(0, len(KINDS) - 1), max_size=12), max_size=8), st.booleans())
def test_every_matching_row_is_in_exactly_one_line(batches, unfolded):
    rows, log = Rows(), EventLog()
    rows.unfolded = unfolded
    rows.choose = filters.parse("!commit")
    for batch in batches:
        log = log_of(batch, log)
        rows.update(log)
    kinds = [kind for batch in batches for kind in batch]
    expected = [kind for kind in kinds if kind != 6 and (unfolded or kind != 7)]
    lines = [rows[i] for i in range(len(rows))]
    assert rows.matching == len(expected) == sum(line.rows for line in lines)
    assert sum(line.size for line in lines) == 10 * len(expected)
    assert [line.first for line in lines] == sorted(line.first for line in lines)
    # In one go it is the same.
    again = Rows()
    again.unfolded, again.choose = unfolded, rows.choose
    again.update(log)
    assert [again[i] for i in range(len(again))] == lines


@given(st.lists(st.integers(0, len(KINDS) - 1), min_size=1, max_size=40))
def test_find_gives_the_line_that_holds_a_row(kinds):
    rows, log = Rows(), log_of(kinds)
    rows.update(log)
    for seq, kind in enumerate(kinds):
        row = log.row(seq)
        index = rows.find(row, log)
        if kind == 7:
            assert index is None
        else:
            line = rows[index]
            assert line.first <= seq <= line.last
            assert log.row(line.first).type == row.type


def test_rows_that_left_the_log_leave_the_list():
    rows, log = Rows(), EventLog()
    rows.unfolded = True
    total = EventLog.LIMIT + 3 * EventLog.CHUNK
    log = log_of([5] * 1000, log)
    rows.update(log)
    log = log_of([5] * (total - 1000), log)
    dropped = rows.update(log)
    assert dropped == log.first_seq > 0
    assert len(rows) == len(log) == rows.matching
    assert rows[0].first == log.first_seq


@given(st.lists(st.lists(st.integers(0, 7), max_size=60), max_size=30), st.booleans())
def test_at_the_limit_it_shows_the_same_as_a_fresh_list(steps, filtered):
    rows, log = Rows(), EventLog()
    if filtered:
        rows.choose = filters.parse("!commit")
    limit, chunk = EventLog.LIMIT, EventLog.CHUNK
    try:
        EventLog.LIMIT, EventLog.CHUNK = 64, 8
        for step in steps:
            log = log_of(step, log)
            rows.update(log)
        fresh = Rows()
        fresh.choose = rows.choose
        fresh.update(log)
        assert rows.matching == fresh.matching
        assert sum(rows[i].rows for i in range(len(rows))) == rows.matching
        assert sum(rows[i].size for i in range(len(rows))) == 10 * rows.matching
        for row in log.since(0):
            index = rows.find(row, log)
            assert (index is None) is (fresh.find(row, log) is None)
    finally:
        EventLog.LIMIT, EventLog.CHUNK = limit, chunk


def test_a_run_that_goes_on_stays_when_its_first_row_has_left():
    rows, log = Rows(), log_of([4])
    rows.update(log)
    log = log_of([3] * (EventLog.LIMIT + 2 * EventLog.CHUNK), log)
    rows.update(log)
    assert [rows[i].rows for i in range(len(rows))] == [len(log)] == [rows.matching]


def test_a_new_log_starts_an_empty_list():
    rows = Rows()
    rows.update(log_of([5] * 10))
    rows.update(log_of([4] * 3))
    assert len(rows) == 3
