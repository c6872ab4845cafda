"""The whole shell over a real socket: SDK, loopback service, reducer, and sound paced by the clock."""

import asyncio
import base64
import contextlib
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conversing import Mouth, Recorder, conversation, speech, until
from tests.session.folding import answer
from voicelive_tui.audio.wav import WavWriter, load_wav
from voicelive_tui.client.connection import BadMessage, LinkClosed
from voicelive_tui.client.link import OUTBOX_LIMIT_MS
from voicelive_tui.client.live import LiveSession
from voicelive_tui.client.scripted import ScriptedConnection
from voicelive_tui.config import Audio, Service, Session, Settings, TurnDetection
from voicelive_tui.credentials import CredentialError
from voicelive_tui.loopback.script import Reply, Script
from voicelive_tui.session import inputs
from voicelive_tui.session.edits import other_detection
from voicelive_tui.session.headline import headline
from voicelive_tui.session.reading import Reading
from voicelive_tui.session.state import Activity, Stage
from voicelive_tui.session.transcript import EntryStatus

PUSH_TO_TALK = TurnDetection(type="none")
SILENT = Audio(input_device="none", output_device="none")
BRIEF = Script(delay_ms=50, reply=(Reply(say="Yes."),))
HEARD = Script(reply=(Reply(say="I heard you for {duration} seconds."),))
LONG = "That is what I can measure of this line, and there is more to come if you let me go on."


def ready(live: LiveSession) -> bool:
    return live.state.microphone.capturing


async def test_a_spoken_turn_is_heard_answered_and_played_to_its_end() -> None:
    async with conversation(script=HEARD) as (live, mouth, recorder):
        await until(lambda: ready(live))
        mouth.say(speech())
        await until(lambda: live.state.activity is Activity.SPEAKING, "an answer is heard")
        assert live.reading().heard_item == live.state.playing
        await until(lambda: live.state.activity is Activity.READY, "the answer ends")
        user, assistant = live.state.transcript
        assert user.text.startswith("[speech, ")
        assert assistant.text.startswith("I heard you for ")
        assert (assistant.status, assistant.heard_ms) == (EntryStatus.DONE, assistant.audio_ms)
        turn = live.state.turn
        assert turn is not None
        assert turn.latency is not None
        assert turn.latency > 0.4  # the service waits 500 ms of silence, then 300 ms
        assert live.state.usage.sums.total > 0
    assert live.state.connection.close_code == 1000
    assert live.state.connection.problem == ""
    types = recorder.types(inputs.Sent)
    assert types[0] == "session.update"
    assert types.count("session.update") == 1
    assert set(types) == {"session.update", "input_audio_buffer.append"}


async def test_barge_in_silences_within_a_block_truncates_as_heard_and_drops_what_comes_late(tmp_path: Path) -> None:
    played = tmp_path / "played.wav"
    script = Script(reply=(Reply(turn=1, say=LONG), *BRIEF.reply))
    async with conversation(output=f"file:{played}", script=script) as (live, mouth, recorder):
        await until(lambda: ready(live))
        mouth.say(speech("Hello."))
        await until(lambda: live.state.activity is Activity.SPEAKING, "an answer is heard")
        item = live.state.playing
        await asyncio.sleep(1.0)
        mouth.say(speech("No, stop."))
        await until(lambda: live.state.counts.interruptions == 1, "the interruption")
        await until(lambda: recorder.events("conversation.item.truncated"), "the truncation")
        interrupted = live.state.entry(item)
        assert interrupted is not None
        assert interrupted.status is EntryStatus.INTERRUPTED
        await until(lambda: live.state.activity is Activity.READY, "the next answer ends")
        assert recorder.events("response.cancel") == []
    ((_, truncate),) = recorder.events("conversation.item.truncate")
    assert truncate["item_id"] == item
    first, second = runs_of_sound(played)
    assert abs(truncate["audio_end_ms"] - (first[1] - first[0])) <= 50
    started_at = next(e.at for _, e in recorder.seen if isinstance(e, inputs.PlaybackStarted) and e.item_id == item)
    spoken_at = recorder.events("input_audio_buffer.speech_started")[1][0]
    silent_after = first[1] - first[0] - (spoken_at - started_at) * 1000
    assert silent_after <= 100  # a block of 20 ms, and what a busy machine adds to the paced clock
    assert second[0] - first[1] > 500


def runs_of_sound(path: Path) -> list[tuple[float, float]]:
    """Begin and end, in milliseconds, of each stretch of sound that has no silence of 400 ms in it."""
    pcm, _ = load_wav(path)
    loud = np.flatnonzero(np.frombuffer(pcm, "<i2")) / 24.0
    breaks = np.flatnonzero(np.diff(loud) > 400.0)
    begins, ends = np.concatenate(([0], breaks + 1)), np.concatenate((breaks, [len(loud) - 1]))
    return [(float(loud[begin]), float(loud[end])) for begin, end in zip(begins, ends, strict=True)]


async def test_muted_the_microphone_sends_silence_at_the_normal_pace() -> None:
    async with conversation() as (live, mouth, recorder):
        await until(lambda: ready(live))
        live.apply(inputs.MutePressed())
        await asyncio.sleep(0.1)  # what was captured before the key still goes out
        sent = len(recorder.events("input_audio_buffer.append"))
        mouth.say(speech())
        await until(lambda: len(recorder.events("input_audio_buffer.append")) > sent + 20, "silence goes on")
        later = recorder.events("input_audio_buffer.append")[sent:]
        assert not any(any(base64.b64decode(event["audio"])) for _, event in later)
        assert live.reading().capture.peak <= -96.0


async def test_push_to_talk_sends_a_turn_from_key_to_key_and_nothing_between() -> None:
    async with conversation(turn_detection=PUSH_TO_TALK, script=BRIEF) as (live, mouth, recorder):
        await until(lambda: ready(live))
        await asyncio.sleep(0.2)
        assert recorder.events("input_audio_buffer.append") == []
        live.apply(inputs.TalkPressed())
        said = speech()
        mouth.say(said)
        await mouth.spoken()
        live.apply(inputs.TalkPressed())
        await until(lambda: recorder.events("response.done"), "the answer")
        types = [kind for kind in recorder.types(inputs.Sent) if kind != "session.update"]
        last = len(types) - 1 - types[::-1].index("input_audio_buffer.append")
        assert types[last + 1 :] == ["input_audio_buffer.commit", "response.create"]
        sent = sum(len(base64.b64decode(event["audio"])) for _, event in recorder.events("input_audio_buffer.append"))
        assert sent >= len(said)


async def test_push_to_talk_switched_on_and_off_ten_times_clips_no_turn_and_answers_each_once(tmp_path: Path) -> None:
    with contextlib.closing(WavWriter(tmp_path / "said.wav")) as file:
        file.write(speech("Hello."))
    said, _ = load_wav(tmp_path / "said.wav")
    onset = int(np.flatnonzero(np.frombuffer(said, "<i2"))[0]) * 2
    async with conversation(script=BRIEF) as (live, mouth, recorder):
        await until(lambda: ready(live))
        for number in range(1, 11):
            live.apply(inputs.SessionEdited(other_detection(live.state)))
            await until(lambda: live.state.microphone.push_to_talk, "push-to-talk is in force")
            live.apply(inputs.InterruptPressed())
            asked, said_at = len(recorder.seen), time.monotonic()
            mouth.say(said)
            await until(lambda: (live.sound.engine.last_voiced_at or 0.0) > said_at, "the first syllable")  # noqa: B023
            live.apply(inputs.TalkPressed())
            await mouth.spoken()
            live.apply(inputs.TalkPressed())
            await until(lambda: len(recorder.events("response.done")) == number, "its answer")  # noqa: B023
            sent = [event for _, event in recorder.seen[asked:] if isinstance(event, inputs.Sent)]
            turn = [base64.b64decode(event.event["audio"]) for event in sent if "audio" in event.event]
            begin = b"".join(turn).find(said[onset:])
            assert 0 <= begin <= 0.3 * 48_000, f"turn {number} is clipped, or begins early"
            live.apply(inputs.SessionEdited(other_detection(live.state)))
            await until(lambda: not live.state.microphone.push_to_talk, "the service detects turns again")
        assert recorder.types(inputs.Sent).count("response.create") == 10
        assert recorder.types().count("response.created") == 10
        assert recorder.types().count("input_audio_buffer.committed") == 10
        assert live.state.counts.errors == 0


async def test_an_edit_with_an_unknown_voice_is_refused_in_one_sentence_and_the_voice_in_force_stays() -> None:
    async with conversation(script=BRIEF, voice="marin") as (live, _, recorder):
        await until(lambda: ready(live))
        live.apply(inputs.SessionEdited({"voice": {"type": "openai", "name": "alloyjenny"}, "temperature": 0.7}))
        await until(lambda: live.state.edits and live.state.edits[-1].answered, "the refusal")
        assert live.state.edits[-1].refusal["param"] == "session.voice"
        (problem,) = live.state.problems
        assert problem.text.startswith("Invalid value: 'alloyjenny'. Supported values are: 'alloy', ")
        live.apply(inputs.SessionEdited({"temperature": 0.6}))
        await until(lambda: len(recorder.events("session.updated")) == 2, "the edit without it")
        assert live.state.in_force["voice"] == live.state.wanted["voice"] == {"type": "openai", "name": "marin"}
        assert len(live.state.problems) == 1


@pytest.mark.parametrize("accepted", [True, False])
async def test_audio_turns_are_used_where_they_are_accepted_and_lose_no_sound_where_not(accepted: bool) -> None:
    script = Script(reply=BRIEF.reply, audio_turns=accepted)
    async with conversation(turn_detection=PUSH_TO_TALK, push_to_talk="turns", script=script) as (
        live,
        mouth,
        recorder,
    ):
        await until(lambda: ready(live))
        live.apply(inputs.TalkPressed())
        said = speech()
        mouth.say(said)
        await mouth.spoken()
        live.apply(inputs.TalkPressed())
        await until(lambda: recorder.events("response.done"), "the answer")
        kind = "input_audio.turn" if accepted else "input_audio_buffer"
        pieces = recorder.events(f"{kind}.append")
        assert said in b"".join(base64.b64decode(event["audio"]) for _, event in pieces)
        assert len(recorder.events("input_audio_buffer.committed")) == 1
        assert len(recorder.events("response.create")) == len(recorder.events("response.done")) == 1
        assert [problem.severity for problem in live.state.problems] == ([] if accepted else ["warning"])
        assert live.state.audio_turns is accepted


async def test_a_typed_message_is_answered_over_the_running_answer() -> None:
    async with conversation(script=Script(reply=(Reply(turn=1, say=LONG), *BRIEF.reply))) as (live, _, recorder):
        await until(lambda: ready(live))
        live.apply(inputs.TextTyped("first"))
        await until(lambda: live.state.activity is Activity.SPEAKING, "the first answer is heard")
        live.apply(inputs.TextTyped("second"))
        await until(lambda: len(recorder.events("response.done")) == 2, "both responses are over")
        await until(lambda: live.state.activity is Activity.READY, "the second answer ends")
        assert [(e.role, e.text) for e in live.state.transcript if e.role == "user"] == [
            ("user", "first"),
            ("user", "second"),
        ]
        assert live.state.counts.errors == 0


async def test_interrupt_by_key_cancels_and_truncates() -> None:
    async with conversation() as (live, _, recorder):
        await until(lambda: ready(live))
        live.apply(inputs.TextTyped("talk to me"))
        await until(lambda: live.state.activity is Activity.SPEAKING)
        live.apply(inputs.InterruptPressed())
        await until(lambda: recorder.events("conversation.item.truncated"), "the truncation")
        await until(lambda: recorder.events("response.done"))
        assert live.state.response == ""
        assert not live.sound.engine.playing
        assert live.state.counts.errors == 0


async def test_reset_makes_a_new_session_and_keeps_the_log() -> None:
    async with conversation() as (live, _, recorder):
        await until(lambda: ready(live))
        first, rows = live.state.connection.session_id, len(live.state.log)
        live.apply(inputs.ResetPressed())
        await until(lambda: ready(live) and live.state.connection.session_id != first, "a new session")
        assert len(live.state.log) > rows
        assert recorder.types(inputs.Sent).count("session.update") == 2


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ("close=1008@session.updated", 1008, "policy violation (code 1008)"),
        ("close=4000@session.updated", 4000, "a code of the service's own (code 4000)"),
    ],
)
async def test_a_link_that_ends_is_named_and_can_be_made_again(fault: str, code: int, words: str) -> None:
    async with conversation(fault) as (live, _, recorder):
        await until(lambda: live.state.connection.stage is Stage.CLOSED, "the end is noticed")
        assert live.state.connection.close_code == code
        assert words in live.state.connection.problem
        assert not live.state.microphone.capturing
        live.apply(inputs.ResetPressed())
        await until(lambda: len(recorder.events("session.created")) == 2, "a second connection")


@pytest.mark.parametrize("fault", ["malformed-json", "non-object-json", "empty-frame", "unknown-event", "binary-frame"])
async def test_odd_frames_are_counted_or_named_and_the_conversation_goes_on(fault: str) -> None:
    async with conversation(f"{fault}@response.created", script=BRIEF) as (live, _, recorder):
        await until(lambda: ready(live))
        live.apply(inputs.TextTyped("go on"))
        await until(lambda: live.state.activity is Activity.READY and recorder.events("response.done"), "an answer")
        bad = 0 if fault in ("unknown-event", "binary-frame") else 1
        assert live.state.counts.bad_messages == bad
        assert live.state.connection.stage is Stage.READY


async def test_a_refused_connection_is_reported_and_tried_again_on_request() -> None:
    async with conversation("refuse=503") as (live, _, recorder):
        await until(lambda: live.state.connection.stage is Stage.FAILED)
        assert "HTTP 503" in live.state.connection.problem
        live.apply(inputs.ResetPressed())
        await until(lambda: recorder.count(inputs.ConnectFailed) == 2, "a second try")
        assert live.state.connection.stage is Stage.FAILED


async def test_ending_does_not_wait_for_a_handshake_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voicelive_tui.client.live.CLOSE_LIMIT", 600.0)
    async with conversation("hang") as (live, _, _recorder):
        await until(lambda: live.state.connection.stage is Stage.CONNECTING)
        await asyncio.sleep(0.1)
        async with asyncio.timeout(60):
            await live.close()
        assert live.state.connection.stage is Stage.CONNECTING  # no failure is reported for it


def scripted(connection: Any, microphone: Mouth | str | None = None) -> tuple[LiveSession, Recorder]:
    audio = Audio(input_device=microphone, output_device="none") if isinstance(microphone, str) else SILENT
    settings = Settings(service=Service(endpoint="http://127.0.0.1:1"), session=Session(), audio=audio)
    source = microphone if isinstance(microphone, Mouth) else None
    live, recorder = LiveSession(settings, source=source, connect=connection), Recorder()
    live.observe(recorder)
    return live, recorder


CREATED = {"type": "session.created", "session": {"id": "sess_1"}}
UPDATED = {"type": "session.updated", "session": {"id": "sess_1", "turn_detection": {"type": "server_vad"}}}


async def test_sends_keep_their_order_and_a_bad_message_harms_nothing() -> None:
    connection = ScriptedConnection("session.update", "response.cancel", "conversation.item.truncate")
    live, _ = scripted(connection)
    running = asyncio.create_task(live.run())
    connection.emit(CREATED, BadMessage("odd"), UPDATED, *answer())
    await until(lambda: live.state.playing == "item_a")
    live.apply(inputs.InterruptPressed())
    await until(lambda: live.state.entry("item_a").truncated_ms is not None)  # type: ignore[union-attr]
    await until(lambda: connection.sent[-1]["type"] == "conversation.item.truncate" or len(connection.sent) > 500)
    await live.close()
    await running
    connection.finish()
    assert connection.closed
    assert live.state.counts.bad_messages == 1


async def test_the_session_is_ready_before_the_sound_path_is_loaded_which_then_plays_what_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("voicelive_tui.client.live.HEAD_START", 0.5)
    connection = ScriptedConnection("session.update")
    live, _ = scripted(connection, Mouth())
    running = asyncio.create_task(live.run())
    connection.emit(CREATED, UPDATED, *answer())
    await until(lambda: live.state.connection.stage is Stage.READY and live.state.transcript != ())
    assert live.state.output.description == ""  # no device was tried yet
    assert not ready(live)
    await until(lambda: live.state.playing == "item_a", "the answer is heard")
    await until(lambda: ready(live))
    await live.close()
    await running
    connection.finish()


async def test_what_came_before_a_reset_is_not_played_once_the_sound_path_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("voicelive_tui.client.live.HEAD_START", 0.5)
    first, second = ScriptedConnection("session.update"), ScriptedConnection("session.update")
    connections = iter((first, second))

    async def connect(*_: object) -> Any:
        return next(connections)

    live, recorder = scripted(connect)
    running = asyncio.create_task(live.run())
    first.emit(CREATED, UPDATED, *answer())
    await until(lambda: live.state.transcript != ())
    live.apply(inputs.ResetPressed())
    second.emit(CREATED, UPDATED)
    await until(lambda: second.sent and live.state.connection.stage is Stage.READY)
    assert live.state.output.description == ""  # no device was tried yet
    await until(lambda: live.state.output.description == "none", "the sound path is loaded")
    await asyncio.sleep(0.2)  # a queued answer would begin at once
    assert recorder.count(inputs.PlaybackStarted) == 0
    await live.close()
    await running
    second.finish()


async def test_a_network_that_is_behind_costs_the_oldest_sound_and_is_reported() -> None:
    connection = ScriptedConnection("session.update")
    live, _ = scripted(connection, Mouth())
    running = asyncio.create_task(live.run())
    connection.emit(CREATED, UPDATED)
    await until(lambda: ready(live))
    connection.sending.clear()
    await until(lambda: live.reading().dropped_ms > 100, "old sound is dropped")
    assert live.reading().outbox_ms <= OUTBOX_LIMIT_MS + 1
    connection.sending.set()
    await until(lambda: live.reading().outbox_ms < 100, "the rest is sent")
    await live.close()
    await running
    connection.finish()


async def test_without_a_microphone_nothing_is_sent_and_an_answer_is_heard_all_the_same() -> None:
    connection = ScriptedConnection("session.update")
    live, recorder = scripted(connection)
    running = asyncio.create_task(live.run())
    connection.emit(CREATED, UPDATED)
    await until(lambda: live.state.input.description == "none" and live.state.connection.stage is Stage.READY)
    await asyncio.sleep(0.2)
    assert not live.state.microphone.capturing
    assert headline(live.state)[:3] == ("ready", "", "{type} to type · no microphone")
    connection.emit(*answer())
    await until(lambda: live.state.playing == "item_a", "the answer is heard")
    assert [event["type"] for event in connection.sent] == ["session.update"]
    assert recorder.count(inputs.CaptureChanged) == 0
    await live.close()
    await running


async def test_the_reason_why_there_is_no_credential_is_the_reason_of_the_failure() -> None:
    async def refuse(*_: object) -> Any:
        raise CredentialError("no token: run az login")

    live, _ = scripted(refuse)
    running = asyncio.create_task(live.run())
    await until(lambda: live.state.connection.stage is Stage.FAILED)
    assert live.state.connection.problem == "no token: run az login"
    await live.close()
    await running


async def test_a_reset_while_connecting_starts_over_and_is_not_repeated_later() -> None:
    connection = ScriptedConnection("session.update")
    attempts: list[asyncio.Event] = []

    async def connect(*_: object) -> Any:
        attempts.append(asyncio.Event())
        if len(attempts) == 1:
            await attempts[0].wait()  # a handshake that hangs
        return connection

    live, recorder = scripted(connect, Mouth())
    running = asyncio.create_task(live.run())
    await until(lambda: len(attempts) == 1)
    live.apply(inputs.ResetPressed())
    connection.emit(CREATED, UPDATED)
    await until(lambda: ready(live), "the second attempt succeeds")
    connection.emit(LinkClosed(1008))
    await until(lambda: live.state.connection.stage is Stage.CLOSED)
    assert "code 1008" in live.state.connection.problem
    await asyncio.sleep(0.05)
    assert len(attempts) == 2  # the key's connection was made, and no other
    await live.close()
    await running
    assert recorder.count(inputs.Connecting) == 2


def test_that_it_is_a_demo_is_known_before_it_runs() -> None:
    assert LiveSession(Settings(audio=SILENT), demo=True).state.connection.demo
    assert not LiveSession(Settings(audio=SILENT)).state.connection.demo


async def test_a_demo_runs_and_ends_with_its_service() -> None:
    live = LiveSession(Settings(audio=SILENT), demo=True)
    running = asyncio.create_task(live.run())
    await until(lambda: live.state.connection.stage is Stage.READY, "the demo is ready")
    connection = live.state.connection
    assert connection.demo
    assert not connection.caller  # an input was chosen: "none"
    assert connection.credential == "the demo's own key"
    await live.close()
    await running
    assert live.state.connection.close_code == 1000
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", int(connection.endpoint.rpartition(":")[2]))


async def test_before_it_runs_a_session_is_empty_and_keeps_what_keys_do() -> None:
    connection = ScriptedConnection("session.update")
    live, _ = scripted(connection, Mouth())
    assert live.reading() == Reading()
    assert not live.activity_changed()
    await live.choose_device("input", "none")
    await live.test_tone()
    await live.suspend()
    await live.resume()
    live.apply(inputs.MutePressed())
    live.apply(inputs.ResetPressed())
    running = asyncio.create_task(live.run())
    connection.emit(CREATED, UPDATED)
    await until(lambda: len(connection.sent) > 3, "silence is sent")
    assert not any(base64.b64decode(event["audio"]).strip(b"\0") for event in connection.sent[1:])
    assert live.state.microphone.muted
    await live.close()
    await running


async def test_closing_before_or_during_set_up_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    never_run, _ = scripted(ScriptedConnection())
    await never_run.close()
    await asyncio.wait_for(never_run.run(), 60)

    async def hang(settings: Settings, *_: object) -> Settings:
        await asyncio.Event().wait()
        return settings

    monkeypatch.setattr("voicelive_tui.client.demo.start_service", hang)
    live = LiveSession(Settings(audio=SILENT), demo=True)
    running = asyncio.create_task(live.run())
    await asyncio.sleep(0.05)
    await asyncio.wait_for(live.close(), 60)
    await running
    assert live.state.connection.stage is Stage.IDLE


async def test_a_defect_in_set_up_is_a_failed_session_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(settings: Settings, *_: object) -> Settings:
        raise RuntimeError("no such part")

    monkeypatch.setattr("voicelive_tui.client.demo.start_service", broken)
    live = LiveSession(Settings(audio=SILENT), demo=True)
    await live.run()
    assert live.state.connection.stage is Stage.FAILED
    assert "RuntimeError: no such part" in live.state.connection.problem
    assert "Traceback" not in live.state.connection.problem
    assert "Traceback" in caplog.text


async def test_a_session_that_does_not_end_is_cancelled_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voicelive_tui.client.live.CLOSE_LIMIT", 0.05)
    connection = ScriptedConnection("session.update")
    connection.emit(CREATED)
    live, _ = scripted(connection)
    running = asyncio.create_task(live.run())
    await until(lambda: connection.sent and live.state.output.description == "none", "the sound path is loaded")

    async def never() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(live.sound, "stop_capture", never)
    await live.close()
    await asyncio.wait([running], timeout=5.0)
    assert running.cancelled()


async def test_observers_see_each_input_with_the_states_around_it_until_they_leave() -> None:
    live, _ = scripted(ScriptedConnection())
    seen: list[tuple[inputs.Input, bool, bool]] = []
    leave = live.observe(lambda event, before, after, now: seen.append((event, before is after, after is live.state)))
    live.apply(inputs.MutePressed())
    leave()
    live.apply(inputs.MutePressed())
    assert seen == [(inputs.MutePressed(), False, True)]


async def test_logs_reach_the_event_log_once_and_local_rows_the_log_file_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    connection = ScriptedConnection("session.update")
    connection.emit(CREATED, UPDATED)
    live, _ = scripted(connection)
    running = asyncio.create_task(live.run())
    await until(lambda: live.state.connection.stage is Stage.READY)
    logging.getLogger("voicelive_tui.test").warning("from %s", "a library")
    await until(lambda: any(row.type == "voicelive_tui.test" for row in live.state.log.since(0)), "it is a row")
    await live.close()
    await running
    rows = {way: [row.text for row in live.state.log.since(0) if row.direction == way] for way in ("local", "log")}
    assert rows["log"].count("from a library") == 1
    assert not set(rows["local"]).intersection(rows["log"])
    assert all(caplog.messages.count(text) == 1 for text in rows["local"])
    assert caplog.messages.count("session ready: sess_1") == 1
    assert caplog.messages.count("from a library") == 1
