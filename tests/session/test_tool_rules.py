"""Functions: each call is answered once, and one answer of the assistant is asked for."""

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.session.folding import CONNECTING, Fold, answer, ready, sent
from voicelive_tui.config import Function
from voicelive_tui.session import effects, inputs
from voicelive_tui.session.calls import Call, CallState

ACTIVE = {"code": "conversation_already_has_active_response", "message": "busy", "event_id": "create-1"}

MESSAGE = {
    "id": "item_u",
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": "the weather?"}],
}


def item(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"item_{number}", "type": "function_call", "status": "completed", "name": "get_weather",
            "call_id": f"call_{number}", "arguments": f'{{"n":{number}}}', **more}  # fmt: skip


def calls(*numbers: int, response: str = "resp_1") -> list[dict[str, Any]]:
    """The events of a response with calls, without its end."""
    events: list[dict[str, Any]] = [{"type": "response.created", "response": {"id": response}}]
    for number in numbers:
        ids = {"response_id": response, "output_index": number}
        events += [
            {"type": "response.output_item.added", **ids, "item": item(number, status="in_progress", arguments="")},
            {"type": "response.output_item.done", **ids, "item": item(number)},
        ]
    return events


def done(response: str = "resp_1", status: str = "completed") -> dict[str, Any]:
    return {"type": "response.done", "response": {"id": response, "status": status}}


def call_of(fold: Fold, number: int = 1) -> Call:
    entry = fold.state.entry(f"item_{number}")
    assert entry is not None
    assert entry.call is not None
    return entry.call


def outputs(wanted: list[effects.Effect]) -> list[tuple[str, str]]:
    """The outputs sent: call and text."""
    items = [effect.event["item"] for effect in wanted if isinstance(effect, effects.Send) and "item" in effect.event]
    return [(each["call_id"], each["output"]) for each in items if each["type"] == "function_call_output"]


def creates(wanted: list[effects.Effect]) -> int:
    return sent(wanted).count("response.create")


def run(wanted: list[effects.Effect]) -> list[effects.CallTool]:
    return [effect for effect in wanted if isinstance(effect, effects.CallTool)]


def asking(policy: str = "ask", **rule: Any) -> Fold:
    fold = ready()
    fold.state = replace(fold.state, rules={"get_weather": Function(policy=policy, **rule)})
    return fold


def test_a_call_runs_when_its_arguments_are_complete_and_is_answered_after_its_response() -> None:
    fold = ready()
    began = fold.feed(*calls(1))
    assert run(began) == [effects.CallTool("item_1", "get_weather", '{"n":1}', Function())]
    fold.feed(inputs.ToolStarted("item_1"))
    assert call_of(fold).state is CallState.RUNNING
    returned = fold.feed(inputs.ToolReturned("item_1", "sunny"))
    assert (outputs(returned), creates(returned)) == ([("call_1", "sunny")], 0)
    assert call_of(fold).state is CallState.ANSWERED
    assert creates(fold.feed(done())) == 1
    assert call_of(fold).state is CallState.PENDING
    assert creates(fold.feed(*answer(response="resp_2", done=True))) == 0
    assert call_of(fold).state is CallState.SPOKEN


def test_a_duplicate_end_of_a_call_counts_once() -> None:
    fold = ready()
    fold.feed(*calls(1))
    repeated = fold.feed(*calls(1)[1:], {**calls(1)[2]}, done(), inputs.ToolReturned("item_1", "a"), done())
    repeated += fold.feed(inputs.ToolReturned("item_1", "b"))
    assert (run(repeated), outputs(repeated), creates(repeated)) == ([], [("call_1", "a")], 1)


def test_one_answer_is_asked_for_when_all_calls_of_a_response_have_their_outputs() -> None:
    fold = ready()
    fold.feed(*calls(1, 2, 3), done())
    wanted = [fold.feed(inputs.ToolReturned(f"item_{number}", str(number))) for number in (2, 1, 3)]
    assert [creates(each) for each in wanted] == [0, 0, 1]
    assert [outputs(each)[0][0] for each in wanted] == ["call_2", "call_1", "call_3"]
    assert sent(wanted[2]) == ["conversation.item.create", "response.create"]


def test_a_request_that_came_too_early_is_repeated_when_the_active_response_ends() -> None:
    fold = ready()
    fold.feed(*calls(1), done(), inputs.ToolReturned("item_1", "sunny"))
    assert creates(fold.feed({"type": "error", "error": ACTIVE})) == 0
    assert creates(fold.feed(done("resp_unknown"))) == 1


def test_a_response_whose_end_does_not_come_holds_nothing_up() -> None:
    fold = ready()
    fold.feed(*calls(1), inputs.ToolReturned("item_1", "sunny"))
    assert creates(fold.feed(inputs.ResponseLost(5.0))) == 1
    assert creates(fold.feed(done())) == 0


def test_after_a_barge_in_the_output_is_sent_and_no_answer_is_asked_for() -> None:
    fold = ready()
    fold.feed(*calls(1), done())
    fold.feed({"type": "input_audio_buffer.speech_started", "item_id": "item_u"})
    returned = fold.feed(inputs.ToolReturned("item_1", "sunny"))
    assert (outputs(returned), creates(returned)) == ([("call_1", "sunny")], 0)
    assert call_of(fold).state is CallState.STALE


def test_a_barge_in_withdraws_the_request_that_still_waits() -> None:
    fold = ready()
    fold.feed(*calls(1), done(), inputs.ToolReturned("item_1", "sunny"), {"type": "error", "error": ACTIVE})
    fold.feed({"type": "input_audio_buffer.speech_started", "item_id": "item_u"})
    assert creates(fold.feed(done("resp_unknown"))) == 0


@pytest.mark.parametrize(
    ("status", "state"),
    [("cancelled", CallState.STALE), ("failed", CallState.ANSWERED), ("completed", CallState.ANSWERED)],
)
def test_an_answer_that_ends_without_words_is_not_waited_for(status: str, state: CallState) -> None:
    fold = ready()
    fold.feed(*calls(1), done(), inputs.ToolReturned("item_1", "sunny"))
    fold.feed({"type": "response.created", "response": {"id": "resp_2"}})
    assert call_of(fold).state is CallState.PENDING
    assert creates(fold.feed(done("resp_2", status))) == 0
    assert call_of(fold).state is state


def test_a_message_typed_before_the_answer_begins_is_answered_after_it() -> None:
    fold = ready()
    fold.feed(*calls(1), done(), inputs.ToolReturned("item_1", "sunny"))
    fold.feed({"type": "response.created", "response": {"id": "resp_2"}})
    assert creates(fold.feed(inputs.TextTyped("and tomorrow?"), done("resp_2", "cancelled"))) == 1


def test_a_typed_message_is_answered_once_also_while_a_function_runs() -> None:
    fold = ready()
    fold.feed(*calls(1), done())
    wanted = fold.feed(inputs.TextTyped("never mind"), inputs.ToolReturned("item_1", "sunny"))
    assert (creates(wanted), len(outputs(wanted))) == (1, 1)


def test_a_call_that_was_cut_in_its_arguments_is_answered_but_not_run() -> None:
    fold = ready()
    fold.feed(*calls(1)[:2])
    ended = fold.feed(
        {"type": "response.output_item.done", "response_id": "resp_1", "item": item(1, status="incomplete")},
        done(status="cancelled"),
    )
    assert (run(ended), creates(ended)) == ([], 0)
    assert outputs(ended) == [("call_1", '{"error":"the call was cancelled"}')]
    assert call_of(fold).state is CallState.CANCELLED


def test_a_call_whose_own_end_never_came_runs_when_its_response_is_complete() -> None:
    fold = ready()
    assert len(run(fold.feed(*calls(1)[:2], done()))) == 1


@pytest.mark.parametrize(("policy", "runs"), [("auto", True), ("stub", True), ("fail", True), ("ask", False)])
def test_a_rule_decides_whether_a_call_is_handled_at_once(policy: str, runs: bool) -> None:
    fold = asking(policy)
    wanted = run(fold.feed(*calls(1)))
    assert [each.rule.policy for each in wanted] == ([policy] if runs else [])
    assert call_of(fold).waits is not runs


def test_an_approved_call_runs_with_the_arguments_that_the_user_edited() -> None:
    fold = asking(delay=3.0)
    fold.feed(*calls(1), done())
    assert call_of(fold).state is CallState.AWAITING
    (wanted,) = run(fold.feed(inputs.CallApproved("item_1", '{"n":2}', delay=1.0)))
    assert wanted == effects.CallTool("item_1", "get_weather", '{"n":2}', Function(delay=1.0))
    assert run(fold.feed(inputs.CallApproved("item_1"))) == []
    assert creates(fold.feed(inputs.ToolReturned("item_1", "x"))) == 1


def test_a_refused_call_is_answered_with_the_reason() -> None:
    fold = asking()
    fold.feed(*calls(1), done())
    wanted = fold.feed(inputs.CallRefused("item_1", "not now"))
    assert (outputs(wanted), creates(wanted)) == ([("call_1", '{"error":"not now"}')], 1)
    assert call_of(fold).state is CallState.FAILED


def test_an_answer_by_hand_takes_the_place_of_the_function() -> None:
    fold = ready()
    fold.feed(*calls(1), done(), inputs.ToolStarted("item_1"))
    (stub,) = run(fold.feed(inputs.CallAnswered("item_1", "rainy")))
    assert stub.rule == Function(policy="stub", answer="rainy")
    wanted = fold.feed(inputs.ToolReturned("item_1", "rainy"), inputs.ToolReturned("item_1", "sunny"))
    assert (outputs(wanted), creates(wanted)) == ([("call_1", "rainy")], 1)


def test_a_function_that_is_run_again_sends_nothing() -> None:
    fold = ready()
    fold.feed(*calls(1), done())
    assert run(fold.feed(inputs.CallRepeated("item_1"))) == []  # it still runs
    fold.feed(inputs.ToolReturned("item_1", "sunny"))
    (again,) = run(fold.feed(inputs.CallRepeated("item_1")))
    assert again.again
    assert fold.feed(inputs.ToolStarted("item_1", again=True), inputs.ToolReturned("item_1", "x", again=True)) == []
    assert (call_of(fold).output, call_of(fold).again) == ("sunny", "x")


def test_without_a_user_what_needs_an_approval_is_refused() -> None:
    fold = asking()
    fold.state = replace(fold.state, attended=False)
    (wanted,) = run(fold.feed(*calls(1)))
    assert wanted.rule.policy == "fail"
    assert "no user" in wanted.rule.error


def test_an_answer_after_an_announcement_is_a_turn_measured_from_the_call() -> None:
    fold = ready()
    fold.feed(inputs.TextTyped("the weather?"), *answer(response="resp_1"), *calls(1)[1:], done())
    fold.feed(inputs.PlaybackStarted("item_a", fold.now), inputs.ToolReturned("item_1", "sunny"))
    fold.feed(*answer("item_b", "resp_2"), inputs.PlaybackStarted("item_b", fold.now))
    first, second = fold.state.turns
    assert (first.response_id, second.response_id, second.began_by) == ("resp_1", "resp_2", "service")
    assert (second.called_at, second.returned_at) == (call_of(fold).complete_at, call_of(fold).due_at)
    assert second.latency is not None


def test_what_was_said_while_a_function_ran_is_shown_after_its_call() -> None:
    fold = ready()
    created = "conversation.item.created"
    said = {"id": "item_u", "type": "message", "role": "user", "content": [{"type": "input_audio"}]}
    output = {"id": "item_o", "type": "function_call_output", "call_id": "call_1", "output": "sunny"}
    fold.feed({"type": "input_audio_buffer.speech_started", "item_id": "item_u"}, *calls(1), done())
    fold.feed({"type": created, "item": item(1), "previous_item_id": "item_t"}, inputs.ToolReturned("item_1", "sunny"))
    fold.feed({"type": created, "item": output, "previous_item_id": "item_1"})
    fold.feed({"type": "input_audio_buffer.committed", "item_id": "item_u", "previous_item_id": "item_o"})
    fold.feed({"type": created, "item": said, "previous_item_id": "item_o"})
    assert [entry.item_id for entry in fold.state.transcript] == ["item_1", "item_u"]


# --- a lost session

LOST = inputs.Disconnected(1006, "the network is gone")
AGAIN = (
    replace(CONNECTING, resumed=True),
    inputs.Connected(),
    {"type": "session.created", "session": {"id": "sess_2"}},
    {"type": "session.updated", "session": {"id": "sess_2", "modalities": ["text"]}},
)


def restored(wanted: list[effects.Effect]) -> list[dict[str, Any]]:
    """All items that were given to the new session."""
    items = []
    for effect in wanted:
        events = effect.events if isinstance(effect, effects.Restore) else ()
        events = (effect.event,) if isinstance(effect, effects.Send) else events
        items += [event["item"] for event in events if "item" in event]
    return items


def test_an_output_that_came_between_two_sessions_goes_with_its_call_and_is_answered() -> None:
    fold = ready()
    fold.feed(*calls(1), done(), LOST)
    assert fold.feed(inputs.ToolReturned("item_1", "sunny")) == []
    wanted = fold.feed(*AGAIN)
    assert [each["type"] for each in restored(wanted)] == ["function_call", "function_call_output"]
    assert creates(wanted) == 1


def test_a_function_that_outlives_its_session_gives_call_and_output_to_the_next() -> None:
    fold = ready()
    fold.feed(*calls(1), LOST)
    assert restored(fold.feed(*AGAIN)) == []
    wanted = fold.feed(inputs.ToolReturned("item_1", "sunny"))
    assert [each["type"] for each in restored(wanted)] == ["function_call", "function_call_output"]
    assert creates(wanted) == 1


def test_a_function_that_outlives_a_reset_is_of_no_concern_to_the_new_session() -> None:
    fold = ready()
    fold.feed(*calls(1), done(), inputs.Disconnected(1000, ""), CONNECTING, *AGAIN[1:])
    assert fold.feed(inputs.ToolReturned("item_1", "sunny")) == []
    assert call_of(fold).state is CallState.STALE


def test_a_call_that_waits_is_over_when_another_session_begins_without_its_history() -> None:
    fold = asking()
    fold.feed(*calls(1), done(), inputs.Disconnected(1000, ""), CONNECTING, *AGAIN[1:])
    assert call_of(fold).state is CallState.CANCELLED
    fold.feed(*calls(2, response="resp_2"), done("resp_2"))
    assert [entry.item_id for entry, call in fold.state.calls if call.waits] == ["item_2"]
    assert run(fold.feed(inputs.CallApproved("item_1"))) == []


def test_a_branch_leaves_no_call_behind_that_waits() -> None:
    fold = asking()
    fold.feed(inputs.TextTyped("weather?"), {"type": "conversation.item.created", "item": MESSAGE})
    fold.feed(*calls(1), done(), inputs.Branch("item_u"))
    assert call_of(fold).state is CallState.CANCELLED


def test_a_call_that_waits_outlives_a_lost_session() -> None:
    fold = asking()
    fold.feed(*calls(1), done(), LOST, *AGAIN)
    assert call_of(fold).state is CallState.AWAITING
    assert run(fold.feed(inputs.CallApproved("item_1")))
    wanted = fold.feed(inputs.ToolReturned("item_1", "sunny"))
    assert [each["type"] for each in restored(wanted)] == ["function_call", "function_call_output"]
    assert creates(wanted) == 1


def test_an_answer_of_which_nothing_came_is_asked_for_again() -> None:
    fold = ready()
    fold.feed(*calls(1), done(), inputs.ToolReturned("item_1", "sunny"))
    fold.feed({"type": "response.created", "response": {"id": "resp_2"}}, LOST)
    assert creates(fold.feed(*AGAIN)) == 1


def test_a_question_whose_answer_was_lost_within_the_arguments_of_a_call_is_asked_again() -> None:
    fold = ready()
    fold.feed(inputs.TextTyped("what is the weather?"), *calls(1)[:2], LOST)
    assert call_of(fold).state is CallState.CANCELLED
    assert creates(fold.feed(*AGAIN)) == 1


# --- any order


class Service:
    """A service that answers client events as Voice Live does, in the order that a test chooses."""

    def __init__(self, policy: str = "auto") -> None:
        self.fold = asking(policy)
        self.active = ""
        self.responses = self.made = self.utterances = 0
        self.running: list[str] = []
        self.items: dict[str, int] = {}
        """Outputs by call, of this session."""
        self.sets: list[set[str]] = []
        """The calls of each response."""
        self.accepted = 0
        """Requests of the client for a response that were carried out."""
        self.typed = self.drops = 0

    def feed(self, *events: Any) -> None:
        waiting = list(self.fold.feed(*events))
        while waiting:
            effect = waiting.pop(0)
            if isinstance(effect, effects.CallTool):
                self.running.append(effect.item_id)
            if isinstance(effect, effects.Restore):
                waiting[:0] = [effects.Send(event) for event in effect.events]
            if not isinstance(effect, effects.Send):
                continue
            waiting += self.fold.feed(inputs.Sent(effect.event))
            given = effect.event.get("item", {})
            match effect.event["type"]:
                case "conversation.item.create" if given["type"] == "function_call":
                    assert given["call_id"] not in self.items, "a call that is known already"
                    self.items[given["call_id"]] = 0
                    waiting += self.fold.feed({"type": "conversation.item.created", "item": given})
                case "conversation.item.create" if given["type"] == "function_call_output":
                    assert given["call_id"] in self.items, "an output without its call"
                    self.items[given["call_id"]] += 1
                    json.loads(given["output"])
                    waiting += self.fold.feed(
                        {"type": "conversation.item.created", "item": {"id": f"o{self.made}", **given}}
                    )
                case "response.create" if self.active:
                    error = {**ACTIVE, "event_id": effect.event["event_id"]}
                    waiting += self.fold.feed({"type": "error", "error": error})
                case "response.create":
                    self.accepted += 1
                    waiting += self.fold.feed(self.begin())
                case "response.cancel" if self.active:
                    waiting += self.fold.feed(*self.finish("cancelled"))

    def begin(self) -> dict[str, Any]:
        self.responses += 1
        self.active = f"resp_{self.responses}"
        self.sets.append(set())
        return {"type": "response.created", "response": {"id": self.active}}

    def finish(self, status: str) -> list[dict[str, Any]]:
        over, self.active = self.active, ""
        return [done(over, status)] if over else []

    def call(self, whole: bool) -> None:
        if not self.active:
            return
        self.made += 1
        ids = {"response_id": self.active, "output_index": self.made}
        self.items[f"call_{self.made}"] = 0
        self.sets[-1].add(f"call_{self.made}")
        self.feed({"type": "response.output_item.added", **ids, "item": item(self.made, arguments="")})
        if whole:
            self.feed({"type": "response.output_item.done", **ids, "item": item(self.made)})

    def words(self) -> None:
        if self.active:
            ids = {"item_id": f"a_{self.active}", "response_id": self.active, "content_index": 0}
            self.feed({"type": "response.text.delta", **ids, "delta": "well "})

    def step(self, name: str, pick: int) -> None:
        match name:
            case "call" | "cut call":
                self.call(name == "call")
            case "words":
                self.words()
            case "done" | "failed":
                self.feed(*self.finish("completed" if name == "done" else "failed"))
            case "silent end":  # without response.done
                self.active = ""
            case "error":
                self.feed({"type": "error", "error": {"type": "server_error", "message": "sorry"}})
            case "again" if self.made:
                self.feed({"type": "response.output_item.done", "item": item(1 + pick % self.made)})
            case "return" if self.running:
                ended = ("", "failed", "timed out")[pick % 3]
                self.feed(inputs.ToolReturned(self.running.pop(pick % len(self.running)), '"x"', ended))
            case "return twice" if self.made:
                self.feed(inputs.ToolReturned(f"item_{1 + pick % self.made}", '"y"'))
                self.running = [each for each in self.running if each != f"item_{1 + pick % self.made}"]
            case "decide" if waiting := [entry.item_id for entry, call in self.fold.state.calls if call.waits]:
                kinds = (inputs.CallApproved, inputs.CallRefused, partial(inputs.CallAnswered, answer="by hand"))
                self.feed(kinds[pick % 3](waiting[pick % len(waiting)]))
            case "speak":
                self.utterances += 1
                self.feed({"type": "input_audio_buffer.speech_started", "item_id": f"u{self.utterances}"})
                self.feed(*self.finish("cancelled"))
                self.feed({"type": "input_audio_buffer.committed", "item_id": f"u{self.utterances}"}, self.begin())
            case "type":
                self.typed += 1
                self.feed(inputs.TextTyped("well"))
            case "interrupt":
                self.feed(inputs.InterruptPressed())
            case "lost":
                self.feed(inputs.ResponseLost(5.0))
            case "drop":
                self.drops += 1
                self.active = ""
                self.feed(LOST)
                self.items = {}
                self.feed(*AGAIN)


STEPS = (
    *("call", "cut call", "words", "done", "failed", "silent end", "error", "again"),
    *("return", "return twice", "decide", "speak", "type", "interrupt", "lost", "drop"),
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["auto", "ask"]), st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 50)), max_size=40))
def test_in_any_order_each_call_is_answered_once_and_no_set_of_outputs_twice(
    policy: str, steps: list[tuple[str, int]]
) -> None:
    service = Service(policy)
    service.feed(service.begin())
    for name, pick in steps:
        service.step(name, pick)
    for _ in range(len(steps) + 3):  # everything comes to its end
        while any(call.waits for _, call in service.fold.state.calls):
            service.step("decide", 0)
        while service.running:
            service.step("return", 0)
        service.step("done", 0)
        service.step("lost", 0)
    assert all(number == 1 for number in service.items.values()), service.items
    sets = sum(bool(each) for each in service.sets)
    assert service.accepted <= sets + service.typed + service.drops
    assert not service.fold.state.intent.create
    assert not service.fold.state.open_calls
