"""What the watch notices, from the state and both clocks."""

from typing import Any

import pytest

from tests.session.folding import Fold, ready
from voicelive_tui.client.watch import PING_SECONDS, SLEPT_SECONDS, LinkWatch
from voicelive_tui.session import inputs
from voicelive_tui.session.headline import NO_ANSWER_SECONDS, headline
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.tools import LOST_SECONDS, STALLED_SECONDS


class Checked:
    """In place of a link: counts the checks."""

    alive_at = 0.0

    def __init__(self) -> None:
        self.checks = 0

    def check(self) -> None:
        self.checks += 1


class Watch:
    """A watch on a folded session."""

    def __init__(self, fold: Fold) -> None:
        self.fold, self.link = fold, Checked()
        link: Any = self.link
        self.watch = LinkWatch(self, lambda: link)
        self.now, self.wall = fold.now, 1e9

    @property
    def state(self) -> SessionState:
        return self.fold.state

    def apply(self, event: inputs.Input) -> None:
        self.fold.feed(event)

    def wait(self, seconds: float, wall: float | None = None) -> None:
        """Look after some time."""
        self.now += seconds
        self.wall += seconds if wall is None else wall
        self.watch.look(self.now, self.wall)


def test_while_sound_is_sent_the_link_is_checked_every_five_seconds() -> None:
    watch = Watch(ready())
    for _ in range(30):
        watch.wait(1.0)
    assert watch.link.checks == 30 // (PING_SECONDS + 1)


def test_an_idle_link_is_left_alone() -> None:
    fold = ready()
    fold.feed(inputs.CaptureChanged(capturing=False))
    watch = Watch(fold)
    for _ in range(30):
        watch.wait(1.0)
    assert watch.link.checks == 0


@pytest.mark.parametrize(("monotonic", "wall"), [(1.0, SLEPT_SECONDS + 2), (SLEPT_SECONDS + 2, SLEPT_SECONDS + 2)])
def test_after_a_sleep_or_a_stop_the_link_is_checked_at_once(monotonic: float, wall: float) -> None:
    fold = ready()
    fold.feed(inputs.CaptureChanged(capturing=False))
    watch = Watch(fold)
    watch.wait(1.0)
    watch.wait(monotonic, wall)
    assert watch.link.checks == 1


def test_a_long_wait_for_an_answer_is_reported_once_and_the_link_checked() -> None:
    fold = ready()
    fold.feed(inputs.CaptureChanged(capturing=False), inputs.TextTyped("hello"))
    fold.feed(inputs.Sent({"type": "response.create"}))
    watch = Watch(fold)
    watch.wait(NO_ANSWER_SECONDS + 2)
    watch.wait(1.0)
    rows = [row.text for row in fold.state.log.tail if row.type == "no answer"]
    assert rows == ["nothing came for 12 s: a slow model, or a dead link"]
    assert watch.link.checks == 1
    assert headline(fold.state, watch.now)[:2] == ("thinking", "no answer for 13 s")


CALL = {
    "id": "item_c",
    "type": "function_call",
    "status": "completed",
    "name": "add",
    "call_id": "c",
    "arguments": "{}",
}
CALLED = [
    {"type": "response.created", "response": {"id": "resp_1"}},
    {"type": "response.output_item.added", "response_id": "resp_1", "item": {**CALL, "arguments": ""}},
    {"type": "response.output_item.done", "response_id": "resp_1", "item": CALL},
]


@pytest.mark.parametrize(
    ("events", "seconds"),
    [
        ((*CALLED, inputs.ToolReturned("item_c", "1")), LOST_SECONDS),
        (CALLED[:2], STALLED_SECONDS),
        (CALLED, 600.0),  # the function runs
        (CALLED[:1], 600.0),
    ],
)
def test_a_response_whose_end_does_not_come_is_given_up_once_something_waits_for_it(
    events: list[Any], seconds: float
) -> None:
    fold = ready()
    fold.feed(*events)
    watch = Watch(fold)
    watch.wait(1.0)
    watch.wait(seconds)
    assert fold.state.response != ""
    watch.wait(1.0)
    assert (fold.state.response == "") is (seconds < 600)
