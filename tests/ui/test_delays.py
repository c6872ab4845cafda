from msgspec.structs import replace

from tests import states
from voicelive_tui.ui.delays import BAR, delay_bar, slowness, sparkline
from voicelive_tui.ui.text import width_of


def test_the_longest_part_stands_out_and_slow_turns_warn():
    turn = states.SPEAKING.turns[-1]
    bar = delay_bar(turn, 1580.0)
    assert width_of(bar) == BAR
    assert [tone for _, tone in bar if tone != "dim"] == ["warn"]
    quick = replace(turn, heard_at=turn.first_audio_at)
    assert [slowness(each) for each in (1499, 1500, 3000)] == ["text", "warn", "bad"]
    assert {tone for _, tone in delay_bar(quick, 1580.0)} == {"dim", "accent"} or (quick.latency or 0) >= 1.5


def test_the_sparkline_keeps_the_worst_turn_however_narrow_it_is():
    turns = states.LONG_TRANSCRIPT.turns
    slow = replace(turns[70], heard_at=turns[70].heard_at + 9)
    line = sparkline((*turns[:70], slow, *turns[71:]), 20)
    assert width_of(line) <= 20
    assert ("█", "warn") in line
    assert all(tone == "warn" for text, tone in line if text == "█")
    assert sparkline((), 20) == ()
