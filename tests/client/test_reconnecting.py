"""A lost session and its continuation, through the real SDK on a real socket."""

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import pytest

from tests.conversing import LIMIT, Mouth, Recorder, speech, until
from voicelive_tui.client import link, pump, watch
from voicelive_tui.client.live import LiveSession
from voicelive_tui.config import Audio, Service, Settings
from voicelive_tui.loopback.faults import parse
from voicelive_tui.loopback.script import Reply, Script
from voicelive_tui.loopback.service import LoopbackService, ServiceRecord
from voicelive_tui.session import inputs
from voicelive_tui.session.edits import other_detection
from voicelive_tui.session.state import Activity, Stage
from voicelive_tui.session.transcript import EntryStatus

LONG = "One two three four five six seven eight nine ten, and so on until the connection ends in the middle of it."
SCRIPT = Script(
    delay_ms=50,
    reply=(
        Reply(match="^drop", say=LONG, faults=("reset@response.audio.delta#4",)),
        Reply(match="^unanswered", say="Never heard.", faults=("reset@response.created",)),
        Reply(match="^arm", say="Yes.", faults=("reset@input_audio_buffer.speech_started",)),
        Reply(match="^interrupted", say=LONG, faults=("reset@conversation.item.truncated",)),
        Reply(match="^stall", say=LONG, faults=("stall@response.audio.delta#4",)),
        Reply(match="^quote", say="{history}"),
        Reply(say="Yes, quite."),
    ),
)


class Talk(NamedTuple):
    """A running session, and what the service got from it."""

    live: LiveSession
    mouth: Mouth
    recorder: Recorder
    got: list[tuple[str, dict[str, Any]]]
    """The service's session id, and each client event."""

    def sent_to(self, session_id: str, kind: str) -> list[dict[str, Any]]:
        return [event for session, event in self.got if session == session_id and event["type"] == kind]

    @property
    def ready(self) -> bool:
        return self.live.state.connection.stage is Stage.READY and self.live.state.microphone.capturing


@contextlib.asynccontextmanager
async def talking(
    *faults: str,
    script: Script = SCRIPT,
    source: Mouth | None = None,
    on_record: Callable[[ServiceRecord], None] | None = None,
    **service_settings: Any,
) -> AsyncIterator[Talk]:
    got: list[tuple[str, dict[str, Any]]] = []
    async with LoopbackService(
        script=script,
        faults=[parse(fault) for fault in faults],
        on_record=on_record,
        on_client_event=lambda session, event: got.append((session, event)),
    ) as service:
        settings = Settings(
            service=Service(endpoint=service.endpoint, api_key="k3y", **service_settings),
            audio=Audio(input_device="none", output_device="none"),
        )
        mouth, recorder = source or Mouth(), Recorder()
        live = LiveSession(settings, source=mouth)
        live.observe(recorder)
        running = asyncio.create_task(live.run())
        talk = Talk(live, mouth, recorder, got)
        try:
            await until(lambda: talk.ready, "the first session")
            yield talk
        finally:
            await live.close()
            await asyncio.wait_for(running, LIMIT)


async def again(talk: Talk, first: str) -> None:
    await until(lambda: talk.ready and talk.live.state.connection.session_id != first, "a second session")


async def test_a_reset_in_the_middle_of_an_answer_is_retried_within_half_a_second_and_costs_no_word() -> None:
    async with talking() as talk:
        live, recorder = talk.live, talk.recorder
        first = live.state.connection.session_id
        live.apply(inputs.TextTyped("hello"))
        await until(lambda: recorder.events("response.done") and live.state.activity is Activity.READY, "an answer")
        live.apply(inputs.TextTyped("drop it"))
        await again(talk, first)
        (retry,) = (event.retry for _, event in recorder.seen if isinstance(event, inputs.Reconnecting))
        assert retry.seconds <= 0.5
        cut = next(entry for entry in live.state.transcript if entry.status is EntryStatus.FAILED)
        await until(lambda: (found := live.state.entry(cut.item_id)) and found.heard_ms is not None, "it is heard")
        assert live.state.entry(cut.item_id).heard_ms == cut.audio_ms  # type: ignore[union-attr]
        live.apply(inputs.TextTyped("quote"))
        await until(lambda: live.state.transcript[-1].text.endswith(" | quote"), "the history is quoted")
        *_, quote = live.state.transcript
        hello, yes, drop, heard, asked = quote.text.split(" | ")
        assert (hello, yes, drop, asked) == ("hello", "Yes, quite.", "drop it", "quote")
        assert LONG.startswith(heard)
        assert 0 < len(heard) < len(LONG)
        remark = next(entry.text for entry in live.state.transcript if entry.role == "session")
        assert ": 2 turns restored (about " in remark
        assert [entry.text for entry in live.state.transcript if entry.role == "user"] == ["hello", "drop it", "quote"]
        assert len(talk.sent_to(live.state.connection.session_id, "response.create")) == 1
        assert live.state.problems == ()


async def test_a_reset_in_the_middle_of_an_interruption_keeps_what_was_heard() -> None:
    async with talking() as talk:
        live, first = talk.live, talk.live.state.connection.session_id
        live.apply(inputs.TextTyped("interrupted"))
        await until(lambda: live.state.activity is Activity.SPEAKING, "an answer is heard")
        await asyncio.sleep(0.5)
        live.apply(inputs.InterruptPressed())
        await again(talk, first)
        live.apply(inputs.TextTyped("quote"))
        await until(lambda: live.state.transcript[-1].text.endswith(" | quote"), "the history is quoted")
        _, heard, asked = live.state.transcript[-1].text.split(" | ")
        assert LONG.startswith(heard)
        assert 0 < len(heard) < len(LONG)
        assert asked == "quote"
        assert [entry.text for entry in live.state.transcript if entry.role == "user"] == ["interrupted", "quote"]
        assert len(talk.sent_to(live.state.connection.session_id, "response.create")) == 1


async def test_a_link_that_is_only_half_open_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "PONG_SECONDS", 0.5)
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(watch, "PING_SECONDS", 0.2)
    async with talking() as talk:
        live, first = talk.live, talk.live.state.connection.session_id
        live.apply(inputs.TextTyped("stall"))
        await again(talk, first)
        live.apply(inputs.TextTyped("hello"))
        await until(lambda: live.state.transcript[-1].text == "Yes, quite.", "the next answer")
        ended = next(event for _, event in talk.recorder.seen if isinstance(event, inputs.Disconnected))
        assert "no answer to a ping" in ended.problem


async def test_a_session_that_is_lost_while_the_program_is_suspended_is_continued() -> None:
    async with talking() as talk:
        first = talk.live.state.connection.session_id
        talk.live.apply(inputs.TextTyped("drop it"))
        await talk.live.suspend()
        assert not talk.live.sound.input_open
        await until(lambda: talk.live.state.lost_at is not None, "the loss")
        await talk.live.resume()
        await again(talk, first)
        assert talk.live.sound.input_open


async def test_an_unanswered_turn_is_asked_once_in_the_new_session() -> None:
    async with talking() as talk:
        talk.live.apply(inputs.TextTyped("unanswered"))
        # The answer of the second session ends in the same way, perhaps before this test looks at it.
        await until(lambda: len(talk.recorder.events("session.updated")) == 3, "a third session")
        second = talk.recorder.events("session.updated")[1][1]["session"]["id"]
        assert len(talk.sent_to(second, "response.create")) == 1
        assert [entry.text for entry in talk.live.state.transcript if entry.role == "user"] == ["unanswered"]


async def test_a_message_typed_while_there_is_no_session_is_sent_to_the_next_one() -> None:
    async with talking("throttle=1@connection#2") as talk:
        first = talk.live.state.connection.session_id
        talk.live.apply(inputs.TextTyped("drop it"))
        await until(lambda: talk.recorder.count(inputs.Reconnecting) == 2, "the second try is waited for")
        failed_at = next(at for at, event in talk.recorder.seen if isinstance(event, inputs.ConnectFailed))
        talk.live.apply(inputs.TextTyped("are you there"))
        await again(talk, first)
        assert talk.recorder.events("session.updated")[-1][0] - failed_at >= 1.0  # Retry-After
        second = talk.live.state.connection.session_id
        await until(lambda: talk.recorder.events("response.done"), "its answer")
        assert len(talk.sent_to(second, "response.create")) == 1
        assert [entry.text for entry in talk.live.state.transcript if entry.role == "user"] == [
            "drop it",
            "are you there",
        ]


async def test_an_utterance_that_spans_the_drop_arrives_whole() -> None:
    said = speech("This sentence is longer than the connection, and every sample of it is to arrive in the next one.")
    async with talking() as talk:
        first = talk.live.state.connection.session_id
        talk.live.apply(inputs.TextTyped("arm"))
        await until(lambda: talk.recorder.events("response.done"), "the fault is armed")
        talk.mouth.say(said)
        await again(talk, first)
        second = talk.live.state.connection.session_id
        await until(lambda: said in b"".join(appended(talk, second)), "all of the utterance in the second session")
        assert said not in b"".join(appended(talk, first))
        late = next(event for _, event in talk.recorder.seen if isinstance(event, inputs.SentLate))
        assert late.voiced
        assert late.missing_ms == 0


def restored(talk: Talk) -> str:
    """The remark that the history is restored, or ""."""
    return next((entry.text for entry in talk.live.state.transcript if entry.role == "session"), "")


def appended(talk: Talk, session_id: str) -> list[bytes]:
    return [base64.b64decode(event["audio"]) for event in talk.sent_to(session_id, "input_audio_buffer.append")]


async def test_a_turn_by_key_while_there_is_no_session_is_committed_whole_in_the_next_one() -> None:
    said = speech("This turn begins and ends while there is no session.")
    async with talking("throttle=60@connection#2") as talk:
        live, first = talk.live, talk.live.state.connection.session_id
        live.apply(inputs.SessionEdited(other_detection(live.state)))
        await until(lambda: live.state.microphone.push_to_talk, "push-to-talk is in force")
        live.apply(inputs.TextTyped("drop it"))
        await until(lambda: talk.recorder.count(inputs.Reconnecting) == 2, "the second try is waited for")
        live.apply(inputs.TalkPressed())
        talk.mouth.say(said)
        await talk.mouth.spoken()
        live.apply(inputs.TalkPressed())
        live.apply(inputs.ResetPressed())  # try now
        await again(talk, first)
        second = live.state.connection.session_id
        await until(lambda: talk.recorder.events("input_audio_buffer.committed"), "the turn is committed")
        assert said in b"".join(appended(talk, second))
        kinds = [event["type"] for session, event in talk.got if session == second]
        assert kinds.index("input_audio_buffer.commit") > max(
            at for at, kind in enumerate(kinds) if kind == "input_audio_buffer.append"
        )
        assert kinds.count("input_audio_buffer.commit") == 1
        await until(lambda: talk.recorder.events("response.done"), "its answer")


async def test_sound_that_is_too_old_for_the_next_session_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "RING_SECONDS", 0.3)
    async with talking("throttle=60@connection#2") as talk:
        assert talk.live.reading().unkept_ms == 0.0
        talk.live.apply(inputs.TextTyped("drop it"))
        await until(lambda: talk.recorder.count(inputs.Reconnecting) == 2, "the second try is waited for")
        await until(lambda: talk.live.reading().unkept_ms > 1000, "sound is pushed out of the ring")
        talk.live.apply(inputs.ResetPressed())
        await until(lambda: talk.recorder.count(inputs.SentLate), "the rest is sent late")
        late = next(event for _, event in talk.recorder.seen if isinstance(event, inputs.SentLate))
        assert late.missing_ms > 1000
        assert talk.live.reading().unkept_ms == 0.0


async def test_without_reconnecting_the_end_is_final() -> None:
    async with talking("close=1011@response.created", reconnect=False) as talk:
        talk.live.apply(inputs.TextTyped("hello"))
        await until(lambda: talk.live.state.connection.stage is Stage.CLOSED, "the end")
        assert not talk.live.state.resuming
        await until(lambda: not talk.live.sound.input_open, "the microphone is closed")


async def test_the_stop_key_closes_the_microphone_and_the_reset_key_continues() -> None:
    async with talking("throttle=60@connection#2") as talk:
        first = talk.live.state.connection.session_id
        talk.live.apply(inputs.TextTyped("drop it"))
        await until(lambda: talk.recorder.count(inputs.Reconnecting) == 2, "the second try is waited for")
        assert talk.live.sound.input_open
        talk.live.apply(inputs.StopPressed())
        await until(lambda: not talk.live.sound.input_open, "the microphone is closed")
        began = time.monotonic()
        talk.live.apply(inputs.ResetPressed())
        await again(talk, first)
        assert time.monotonic() - began < 50.0  # of the 60 s for which it is refused
        await until(lambda: restored(talk), "the history is restored")


async def test_a_session_that_expires_goes_on_in_a_new_one() -> None:
    async with talking("expire=1.5", rotate_before=0) as talk:
        first = talk.live.state.connection.session_id
        talk.live.apply(inputs.TextTyped("hello"))
        await again(talk, first)
        await until(lambda: restored(talk), "the history is restored")
        assert "1 turn restored" in restored(talk)
        ended = next(event for _, event in talk.recorder.seen if isinstance(event, inputs.Disconnected))
        assert ended.code == 1001
