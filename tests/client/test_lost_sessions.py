"""Random drops, refusals and closes through the real shell, on a clock that jumps from timer to timer."""

import asyncio
import selectors
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.session.folding import answer
from voicelive_tui.client import live as shell
from voicelive_tui.client import watch
from voicelive_tui.client.connection import ConnectError, LinkClosed
from voicelive_tui.client.live import LiveSession
from voicelive_tui.client.scripted import ScriptedConnection
from voicelive_tui.config import Audio, Service, Settings
from voicelive_tui.session import inputs
from voicelive_tui.session.reconnect import FIRST_SECONDS, MOST_CONNECTS, RETRIED_CODES, TRIES, WINDOW_SECONDS
from voicelive_tui.session.state import Stage


class JumpingSelector(selectors.DefaultSelector):
    """Waits for no timer: the time moves on instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(None if timeout is None else 0)
        if not events and timeout is not None and timeout > 0:
            self.now += timeout
        return events


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop on the time of its selector."""

    def __init__(self) -> None:
        self.clock = JumpingSelector()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now


class Provider:
    """A service whose connections are refused and lost as told.

    Attributes:
        refusals: What the next handshakes meet, None for success.
        answers: Whether items are acknowledged and answers given.
        owes: Whether a message was typed since the last answer.
        ignored: The messages that were not acknowledged: each is sent again, for an answer of its own.
        connections: Every connection so far.
        begun: When each handshake began.
        failed: When each handshake was refused, or a connection lost.
    """

    def __init__(self) -> None:
        self.refusals: list[ConnectError | None] = []
        self.answers, self.owes = True, False
        self.ignored: set[str] = set()
        self.connections: list[Vanishing] = []
        self.begun: list[float] = []
        self.failed: list[float] = []
        self.names = 0

    async def __call__(self, *_: object) -> Any:
        self.begun.append(time.monotonic())
        await asyncio.sleep(0.01)
        if self.refusals and (refusal := self.refusals.pop(0)):
            self.failed.append(time.monotonic())
            raise refusal
        self.connections.append(Vanishing(self))
        return self.connections[-1]

    def name(self, prefix: str) -> str:
        self.names += 1
        return f"{prefix}_{self.names}"


class Vanishing(ScriptedConnection):
    """A connection that answers what is sent on it."""

    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self.provider = provider
        self.may_ask = int(provider.owes or bool(provider.ignored))
        self.lost = False
        self.emit({"type": "session.created", "session": {"id": provider.name("sess")}})

    async def send(self, event: Mapping[str, Any]) -> None:
        await super().send(event)
        words = event["item"]["content"][0]["text"] if event["type"] == "conversation.item.create" else ""
        if event["type"] == "session.update":
            self.emit({"type": "session.updated", "session": event["session"]})
        elif self.lost or not self.provider.answers:
            self.provider.ignored |= {words} - {""}
        elif event["type"] == "conversation.item.create":
            self.provider.ignored.discard(words)
            item = {"id": self.provider.name("item"), **event["item"]}
            self.emit({"type": "conversation.item.created", "previous_item_id": None, "item": item})
        elif event["type"] == "response.create":
            self.provider.owes = False
            self.emit(*answer(self.provider.name("a"), self.provider.name("resp"), done=True))

    @property
    def asked(self) -> int:
        return sum(event["type"] == "response.create" for event in self.sent)


TRANSIENT = ConnectError("HTTP 503", transient=True)
BUSY = ConnectError("HTTP 429", transient=True, retry_after=9.0)
DENIED = ConnectError("HTTP 401")
STEPS = st.one_of(
    st.just(("type", None)),
    st.tuples(st.just("lose"), st.sampled_from([*sorted(RETRIED_CODES), 1000, 1008])),
    st.tuples(st.just("refuse"), st.lists(st.sampled_from([TRANSIENT, TRANSIENT, BUSY, None, DENIED]), max_size=6)),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.02, 0.5, 5.0, 60.0])),
    st.tuples(st.just("answer"), st.booleans()),
    st.just(("now", None)),
)


@settings(max_examples=1_000, deadline=None)
@example(  # the key twice before the connection begins
    steps=[("lose", 1001), ("wait", 0.02), ("now", None), ("type", None), ("now", None), ("wait", 0.5), ("lose", 1000)]
)
@given(steps=st.lists(STEPS, min_size=3, max_size=20))
def test_whatever_is_lost_or_refused_the_shell_goes_on_and_loses_nothing(steps: list[tuple[str, Any]]) -> None:
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner(loop_factory=JumpingLoop) as runner:
        loop = runner.get_loop()
        patch.setattr(time, "monotonic", loop.time)
        patch.setattr(shell, "HEAD_START", 1e9)  # these conversations have no sound
        patch.setattr(watch, "LOOK_SECONDS", 5.0)  # they last for many minutes, and looks would be most of the work
        runner.run(converse(steps))


async def converse(steps: list[tuple[str, Any]]) -> None:
    provider, typed, pressed = Provider(), [], []
    audio = Audio(input_device="none", output_device="none")
    live = LiveSession(
        Settings(service=Service(endpoint="http://127.0.0.1:1", api_key="k3y"), audio=audio), connect=provider
    )
    running = asyncio.create_task(live.run())
    await ready(live)
    for kind, value in steps:
        state = live.state
        serving = provider.connections[-1]
        match kind:
            case "type":
                if state.connection.stage is Stage.READY or state.resuming:
                    typed.append(f"message {len(typed)}")
                    serving.may_ask += state.connection.stage is Stage.READY
                    provider.owes = True
                live.apply(inputs.TextTyped(typed[-1] if typed else "too early"))
            case "lose" if state.connection.stage is Stage.READY:
                provider.failed.append(time.monotonic())
                serving.lost = True
                serving.emit(LinkClosed(value))
            case "refuse":
                provider.refusals = list(value)
            case "wait":
                await asyncio.sleep(value)
            case "answer":
                provider.answers = value
            case "now" if state.retry is not None:
                pressed.append(time.monotonic())
                live.apply(inputs.ResetPressed())
        await asyncio.sleep(0)
        assert not running.done()
        check(live, provider, typed, pressed)
    provider.refusals, provider.answers = [], True
    await asyncio.sleep(10 * WINDOW_SECONDS)
    check(live, provider, typed, pressed)
    if live.state.connection.stage is Stage.READY and live.state.connection.resumed:
        shown = [entry.text for entry in live.state.transcript if entry.typed]
        waiting = [words for _, words in live.state.intent.typed]
        assert sorted(shown + waiting) == sorted(typed)
    await live.close()
    await running


async def ready(live: LiveSession) -> None:
    while live.state.connection.stage is not Stage.READY:
        await asyncio.sleep(0.01)


def check(live: LiveSession, provider: Provider, typed: list[str], pressed: list[float]) -> None:
    """What must hold whatever happens."""
    state = live.state
    names = Counter(entry.item_id for entry in state.transcript)
    assert not [name for name, count in names.items() if count > 1]
    shown = Counter(entry.text for entry in state.transcript if entry.typed)
    waiting = Counter(words for _, words in state.intent.typed)
    for words in typed:
        assert shown[words] + waiting[words] == 1, words
    for connection in provider.connections:
        assert connection.asked <= connection.may_ask
    begun = provider.begun
    for at, later in zip(begun, begun[MOST_CONNECTS:], strict=False):
        assert later - at >= WINDOW_SECONDS - 1e-6 or pressed
    for at in begun[1:]:
        if not any(abs(at - moment) < 0.1 for moment in pressed):
            assert min(at - failed for failed in provider.failed if failed <= at) >= FIRST_SECONDS / 2 - 1e-6
    assert state.retry is None or state.retry.number <= TRIES
