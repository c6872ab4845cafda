import re

from msgspec.structs import replace

from tests import states
from voicelive_tui.ui.delays import BAR, Scale, delay_bar, sparkline
from voicelive_tui.ui.text import width_of


def test_the_longest_part_stands_out_and_slow_turns_warn():
    turn = states.SPEAKING.turns[-1]
    bar = delay_bar(turn, Scale(1580.0))
    assert width_of(bar) == BAR
    assert [tone for text, tone in bar if tone != "dim" and text.strip()] == ["warn"]
    quick = replace(turn, heard_at=turn.first_audio_at)
    assert [Scale().tone(each) for each in (1499, 1500, 3000)] == ["text", "warn", "bad"]
    tones = {tone for text, tone in delay_bar(quick, Scale(1580.0)) if text.strip()}
    assert tones == {"dim", "accent"} or (quick.latency or 0) >= 1.5


def test_the_sparkline_keeps_the_worst_turn_however_narrow_it_is():
    turns = states.LONG_TRANSCRIPT.turns
    slow = replace(turns[70], heard_at=turns[70].heard_at + 9)
    line = sparkline((*turns[:70], slow, *turns[71:]), 20)
    assert width_of(line) <= 20
    assert ("█", "warn") in line
    assert all(tone == "warn" for text, tone in line if text == "█")


def test_the_heights_of_p50_and_p95_stand_beside_the_sparkline():
    turns = states.LONG_TRANSCRIPT.turns
    slow = replace(turns[70], heard_at=turns[70].heard_at + 9)
    said = "".join(text for text, _ in sparkline((*turns[:70], slow, *turns[71:]), 40))
    drawn, p50, p95 = re.fullmatch(r"([▁-█]+)  (.) p50  (.) p95", said).groups()
    assert drawn.count("█") == 1
    assert p50 <= p95 < "█"
    assert sparkline(turns, 10) == sparkline(turns[:1], 40) == sparkline((), 40) == ()


def test_the_limits_of_slow_delays_can_be_chosen():
    scale = Scale(slow=(0.5, 0.8))
    assert [scale.tone(each) for each in (499, 500, 800)] == ["text", "warn", "bad"]
    assert scale.amount(1240, 8) == (("  1.24", "bad"), (" s", "dim"))
