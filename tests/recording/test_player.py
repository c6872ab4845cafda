"""A recording at any of its moments: the same states by playing, by jumping, and at any speed."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.recording.bundles import ANSWER, BEGAN, EXCHANGE, SPEECH, make_bundle
from voicelive_tui.recording.bundle import Bundle
from voicelive_tui.recording.lines import MICROPHONE, SPEAKER
from voicelive_tui.recording.player import CHECKPOINT, Player
from voicelive_tui.session.observe import observe
from voicelive_tui.session.state import Activity, SessionState

FIRST = BEGAN + 0.1
"""When the first exchange begins."""

pytestmark = pytest.mark.xdist_group("player")  # the recording is folded once


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bundle]:
    with Bundle(make_bundle(tmp_path_factory.mktemp("player"))) as opened:
        yield opened


class States:
    """The state after each number of moments, folded one by one; without a `repr`, which would be 27 MB."""

    def __init__(self, bundle: Bundle) -> None:
        self.after = [SessionState()]
        for moment in bundle.moments():
            event = bundle.input(moment)
            before = self.after[-1]
            self.after.append(before if event is None else observe(event, before, moment.t_ns / 1e9))


@pytest.fixture(scope="module")
def states(bundle: Bundle) -> States:
    return States(bundle)


def same(one: SessionState, other: SessionState) -> bool:
    return [getattr(one, name) for name in one.__struct_fields__ if name != "log"] == [
        getattr(other, name) for name in other.__struct_fields__ if name != "log"
    ] and list(one.log.since(0)) == list(other.log.since(0))


def test_playing_to_the_end_gives_the_final_state(bundle: Bundle) -> None:
    player = Player(bundle)
    steps = list(player.advance(player.end))
    assert all(after is next_.before for after, next_ in zip([s.after for s in steps], steps[1:], strict=False))
    assert same(player.state, bundle.final_state())
    assert player.state.counts.interruptions == 1
    assert bundle.flaws == []


def test_the_state_is_that_of_the_moment(bundle: Bundle) -> None:
    player = Player(bundle)
    for later, activity in ((2.0, Activity.LISTENING), (3.55, Activity.THINKING), (5.0, Activity.SPEAKING)):
        player.seek(player.index_at(FIRST + EXCHANGE + later))
        assert player.state.activity is activity
    assert player.heard_ms("item_a1", FIRST + EXCHANGE + 5.0) == pytest.approx(1_000)
    assert player.heard_ms("item_none", FIRST) == 0


@given(st.integers(0, 2_000), st.lists(st.tuples(st.booleans(), st.integers(-5, 2_000)), min_size=1, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
def test_any_jumps_lead_to_the_state_that_playing_leads_to(
    bundle: Bundle, states: States, indexed: int, jumps: list[tuple[bool, int]]
) -> None:
    player = Player(bundle)
    player.extend(indexed)
    for plays, index in jumps:
        if plays:
            list(player.advance(player.time_of(min(max(index, 0), len(player)))))
        else:
            player.seek(index)
    assert same(player.state, states.after[player.index])


def test_a_jump_folds_no_more_than_the_moments_after_a_checkpoint(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    player, folded = Player(bundle), 0
    while player.extend(100):
        pass
    real = bundle.input

    def counted(*arguments: object, **options: object) -> object:
        nonlocal folded
        folded += 1
        return real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(bundle, "input", counted)
    for index in (len(player), 3, CHECKPOINT * 2 - 1):
        folded = 0
        player.seek(index)
        assert folded < CHECKPOINT


def test_from_event_to_event_pieces_of_sound_are_passed_over(bundle: Bundle) -> None:
    player = Player(bundle)
    player.seek(player.index_at(FIRST + 0.5))
    kinds = []
    for _ in range(4):
        player.seek(player.next_event(1))
        kinds.append(list(player.state.log.since(0))[-1].type)
    assert kinds[:2] == ["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"]
    player.seek(player.index_at(FIRST + 2.0))
    player.seek(player.next_event(-1))
    assert list(player.state.log.since(0))[-1].type == "input_audio_buffer.speech_started"
    player.seek(0)
    assert player.next_event(-1) == 0
    player.seek(len(player))
    assert player.next_event(1) == len(player)


def loud(pcm: bytes) -> bool:
    return bool(np.abs(np.frombuffer(pcm, "<i2")).max() > 1_000)


def test_the_sound_of_a_moment_is_that_of_its_channel(bundle: Bundle) -> None:
    player = Player(bundle)
    for channel, (begin, end) in ((MICROPHONE, SPEECH), (SPEAKER, ANSWER)):
        for at, sounds in ((begin - 0.2, False), (begin + 0.2, True), (end - 0.2, True), (end + 0.2, False)):
            assert loud(player.sound(channel, FIRST + at, 0.04)) is sounds
    assert not any(player.sound(SPEAKER, 1e12, 0.1))
