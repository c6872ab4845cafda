import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from voicelive_tui.session import latency
from voicelive_tui.session.latency import Turn

TURN = Turn(
    1,
    voiced_at=10.0,
    speech_stopped_at=10.5,
    committed_at=10.51,
    created_at=10.6,
    first_text_at=10.8,
    first_audio_at=10.9,
    heard_at=11.0,
)


def test_the_parts_add_up_to_the_delay():
    parts = latency.stages(TURN)
    assert [(part.name, round(part.milliseconds)) for part in parts] == [
        ("end of speech", 510),
        ("start", 90),
        ("first words", 200),
        ("first sound", 100),
        ("speaker", 100),
    ]
    assert sum(part.milliseconds for part in parts) == pytest.approx(TURN.latency * 1000)
    assert latency.slowest(TURN).name == "end of speech"


def test_the_time_of_an_unknown_moment_counts_towards_the_next_part():
    parts = latency.stages(replace(TURN, first_text_at=None))
    assert [part.name for part in parts] == ["end of speech", "start", "first sound", "speaker"]
    assert sum(part.milliseconds for part in parts) == pytest.approx(1000)
    assert latency.stages(Turn(1)) == ()


moments = st.none() | st.floats(0, 100)


@given(st.builds(Turn, st.just(1), voiced_at=moments, committed_at=moments, created_at=moments, first_text_at=moments,
                 first_audio_at=moments, heard_at=moments), st.integers(5, 60), st.floats(1, 1e6))  # fmt: skip
def test_any_order_of_moments_gives_parts_that_fit(turn, width, scale):
    parts = latency.stages(turn)
    assert all(part.milliseconds >= 0 for part in parts)
    if turn.latency is not None and turn.latency >= 0:
        assert sum(part.milliseconds for part in parts) == pytest.approx(turn.latency * 1000, abs=0.01)
    bar = latency.waterfall(parts, width, scale)
    assert sum(map(len, bar)) <= width
    assert bool(bar) is bool(parts)
    assert [part.mark for part in parts] == [piece[0] for piece in bar]


def test_waterfall_has_the_proportions_of_the_parts():
    assert latency.waterfall(latency.stages(TURN), 20, 1000) == ("▂" * 10, "▃▃", "▅" * 4, "▆▆", "▄▄")


def test_summary_takes_the_nearest_rank():
    assert latency.summary([Turn(1)]) is None
    turns = [replace(TURN, number=n, heard_at=10 + n / 1000) for n in range(901, 1001)]
    found = latency.summary(turns)
    assert [round(value) for value in found] == [100, 1000, 950, 995, 1000]
    assert latency.summary(turns[:1]).p95 == latency.summary(turns[:1]).worst


def test_a_tool_has_its_span_between_its_call_and_the_first_words_of_the_answer() -> None:
    turn = Turn(1, asked_at=1.0, created_at=1.1, called_at=1.3, returned_at=3.3, first_text_at=3.4, heard_at=3.6)
    assert [(part.name, round(part.milliseconds)) for part in latency.stages(turn)] == [
        ("start", 100), ("arguments", 200), ("tools", 2000), ("first words", 100), ("speaker", 200)
    ]  # fmt: skip


def test_an_answer_to_announced_calls_is_measured_from_the_calls() -> None:
    turn = Turn(2, "service", called_at=1.0, returned_at=3.0, created_at=3.1, first_audio_at=3.4, heard_at=3.5)
    assert turn.latency == pytest.approx(2.5)
    parts = [(part.name, round(part.milliseconds)) for part in latency.stages(turn)]
    assert parts == [("tools", 2000), ("start", 100), ("first sound", 300), ("speaker", 100)]
