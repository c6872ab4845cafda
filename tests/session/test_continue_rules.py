"""Random conversations over a link that is lost again and again: what must hold whatever happens."""

from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.session.folding import CONNECTING, REQUEST, Fold, answer
from tests.session.test_reconnect import RESUMING
from voicelive_tui.session import effects, inputs
from voicelive_tui.session.reconnect import MOST_CONNECTS, RETRIED_CODES, TRIES, WINDOW_SECONDS, tries
from voicelive_tui.session.state import Stage

TRANSCRIPTION = "conversation.item.input_audio_transcription"


class Losses(RuleBasedStateMachine):
    """The fold with a service that answers what is sent, when a rule lets it, and may vanish at any moment."""

    @initialize()
    def connect_first(self) -> None:
        self.fold = Fold(CONNECTING)
        self.unanswered: list[Any] = []
        """Client events that the service has not answered."""
        self.typed: list[str] = []
        self.tries: list[float] = [self.fold.now]
        self.due: float | None = None
        self.names = 0
        self.asked = 0  # in this connection
        self.may_ask = 1
        self.open()

    def feed(self, *events: Any) -> None:
        """Feed the fold, and do what it asks for."""
        for effect in self.fold.feed(*events):
            match effect:
                case effects.Send(event):
                    self.asked += event["type"] == "response.create"
                    self.unanswered.append(event)
                    self.feed(inputs.Sent(event))
                case effects.Reconnect(retry):
                    self.due = retry.at if retry else 0.0
                    assert retry is None or retry.at >= self.fold.now
                case effects.Disconnect():
                    self.due = None
                case effects.Restore(events):
                    for event in events:
                        self.unanswered.append(event)
                        self.feed(inputs.Sent(event))

    def open(self) -> None:
        """The handshake succeeds, and the session is configured."""
        self.unanswered.clear()
        self.asked = 0
        state = self.fold.state
        turn = state.turn
        answered = turn is not None and any(
            entry.response_id and entry.response_id == turn.response_id and (entry.text or entry.audio_ms)
            for entry in state.transcript
        )
        self.may_ask = 0 if (answered or turn is None) and not state.intent.typed else 1
        self.feed(inputs.Connected(), {"type": "session.created", "session": {"id": "sess"}})
        self.unanswered.clear()
        self.feed({"type": "session.updated", "session": {**REQUEST, "id": "sess"}})
        assert self.asked <= self.may_ask

    @property
    def is_ready(self) -> bool:
        return self.fold.state.connection.stage is Stage.READY

    def name(self, prefix: str) -> str:
        self.names += 1
        return f"{prefix}_{self.names}"

    @rule()
    def type(self) -> None:
        words = self.name("message")
        if self.is_ready or self.fold.state.resuming:
            self.typed.append(words)
        self.feed(inputs.TextTyped(words))

    @precondition(lambda self: self.is_ready and self.unanswered)
    @rule(data=st.data())
    def serve(self, data: st.DataObject) -> None:
        """The service handles the oldest client event, in one of the ways that services have."""
        event = self.unanswered.pop(0)
        if event["type"] == "conversation.item.create":
            seeded = event["event_id"].startswith("seed-")
            how = data.draw(st.sampled_from(["create", "rename", "refuse"] if seeded else ["create"]))
            if how == "refuse":
                self.feed({"type": "error", "error": {"event_id": event["event_id"], "message": "no"}})
                return
            item = dict(event["item"])
            if how == "rename" or not item.get("id"):
                item["id"] = self.name("item")
            self.feed({"type": "conversation.item.created", "previous_item_id": None, "item": item})
        elif event["type"] == "response.create" and self.fold.state.response == "":
            events = answer(self.name("a"), self.name("resp"), done=True)
            self.feed(*events[: data.draw(st.integers(0, len(events)))])

    @precondition(lambda self: self.is_ready)
    @rule(spoken=st.sampled_from(["", "some words"]), steps=st.integers(1, 4))
    def speak(self, spoken: str, steps: int) -> None:
        item = self.name("u")
        self.feed(
            *[
                {"type": "input_audio_buffer.speech_started", "item_id": item},
                {"type": "input_audio_buffer.speech_stopped", "item_id": item},
                {"type": "input_audio_buffer.committed", "item_id": item},
                {"type": f"{TRANSCRIPTION}.completed", "item_id": item, "transcript": spoken},
            ][:steps]
        )  # fmt: skip

    @precondition(lambda self: self.is_ready)
    @rule(code=st.sampled_from([*sorted(RETRIED_CODES), 1000, 1008, 4000]))
    def lose(self, code: int) -> None:
        self.due = None
        self.feed(inputs.Disconnected(code, "gone"))
        left = tries(tuple(self.tries), self.fold.state.lost_at or self.fold.now) < TRIES
        assert (self.due is not None) == (code in RETRIED_CODES and left)

    @precondition(lambda self: self.due is not None)
    @rule(how=st.sampled_from(["open", "open", "fail", "refuse", "lose"]), wait=st.sampled_from([0.0, 0.0, 7.0]))
    def try_again(self, how: str, wait: float) -> None:
        at, self.due = self.due, None
        self.fold.now = max(self.fold.now, at or 0.0)
        self.feed(RESUMING)
        self.tries.append(self.fold.now)
        lost_at = self.fold.state.lost_at
        assert lost_at is not None
        made = tries(tuple(self.tries), lost_at)
        assert sum(each > lost_at for each in self.tries) <= TRIES
        last = [each for each in self.tries if each > self.fold.now - WINDOW_SECONDS]
        assert len(last) <= MOST_CONNECTS
        if how == "open":
            self.open()
        elif how == "lose":
            self.feed(inputs.Connected(), inputs.Disconnected(1006, "gone"))
            assert (self.due is not None) == (made < TRIES)
        else:
            before = self.fold.now
            self.feed(inputs.ConnectFailed("no", transient=how == "fail", retry_after=wait))
            assert (self.due is not None) == (how == "fail" and made < TRIES)
            assert self.due is None or self.due >= before + wait

    @precondition(lambda self: not self.is_ready and self.due is None)
    @rule()
    def press_reset(self) -> None:
        """By a user who sees that nothing goes on."""
        resumed = self.fold.state.lost_at is not None
        self.feed(inputs.ResetPressed())
        self.due = None
        self.fold.now += WINDOW_SECONDS  # users are slow
        self.feed(RESUMING if resumed else CONNECTING)
        self.tries.append(self.fold.now)
        self.typed = self.typed if resumed else []
        self.open()

    @invariant()
    def no_entry_is_doubled(self) -> None:
        names = Counter(entry.item_id for entry in self.fold.state.transcript)
        assert not [name for name, count in names.items() if count > 1]

    @invariant()
    def no_typed_message_is_lost_or_doubled(self) -> None:
        state = self.fold.state
        shown = Counter(entry.text for entry in state.transcript if entry.role == "user" and entry.typed)
        waiting = Counter(words for _, words in state.intent.typed)
        for words in self.typed:
            assert shown[words] + waiting[words] == 1, words


def test_whatever_is_lost_nothing_is_doubled_and_every_try_obeys_the_limits() -> None:
    run_state_machine_as_test(Losses, settings=settings(max_examples=400, stateful_step_count=25, deadline=None))
