"""Rotation on a real socket: sessions of the loopback service that end, and sound that goes on."""

import asyncio
import base64
import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.client.test_reconnecting import Talk, appended, talking
from tests.conversing import Mouth, speech, until
from voicelive_tui.client import link, links
from voicelive_tui.client.connection import LinkClosed
from voicelive_tui.client.live import LiveSession
from voicelive_tui.client.scripted import ScriptedConnection
from voicelive_tui.config import Audio, Service, Settings
from voicelive_tui.loopback.script import Reply, Script
from voicelive_tui.session import inputs, rotation
from voicelive_tui.session.state import Activity, Stage

SILENT = Audio(input_device="none", output_device="none")
BRIEF = Script(delay_ms=50, reply=(Reply(say="Yes."),))


class NoisyMouth(Mouth):
    """A microphone whose sound never repeats: speech over noise of -72 dBFS, too quiet to be taken for speech.

    Attributes:
        captured: Everything that was read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.captured = bytearray()
        self._noise = np.random.default_rng(1)

    def read(self, frames: int, heard: bytes) -> bytes:
        said = np.frombuffer(super().read(frames, heard), "<i2").astype(int)
        block = np.clip(said + self._noise.integers(-8, 9, frames), -32768, 32767).astype("<i2").tobytes()
        self.captured += block
        return block


class Stretch(NamedTuple):
    """The captured sound that one session got, as bytes of `NoisyMouth.captured`."""

    begin: int
    end: int


def stretches(talk: Talk) -> list[Stretch]:
    """What each session got, in order; fails where a sample is missing or comes twice within a session."""
    assert isinstance(talk.mouth, NoisyMouth)
    found = []
    for session in dict.fromkeys(session for session, _ in talk.got):
        sound = b"".join(appended(talk, session))
        begin = bytes(talk.mouth.captured).find(sound)
        assert begin >= 0, session
        found.append(Stretch(begin, begin + len(sound)))
    return found


def on_standby(talk: Talk) -> list[inputs.OfLink]:
    """What happened on links on standby."""
    return [event.inner for _, event in talk.recorder.seen if isinstance(event, inputs.OnStandby)]


async def converse(talk: Talk, sentences: int, pause: float = 0.7) -> list[tuple[int, int]]:
    """Say sentences, each after the answer to the one before; the captured bytes in which each was said."""
    assert isinstance(talk.mouth, NoisyMouth)
    said = speech("Is this sentence heard as a whole?")
    spans = []
    for number in range(sentences):
        begin = len(talk.mouth.captured)
        talk.mouth.say(said)
        done = number + 1
        await until(lambda done=done: len(talk.recorder.events("response.done")) == done, "the answer")  # type: ignore[misc]
        await until(lambda: talk.live.state.activity is Activity.READY, "it is heard")
        spans.append((begin, begin + len(said)))
        await asyncio.sleep(pause)
    return spans


async def test_sessions_take_over_from_one_another_without_a_sample_lost_or_doubled() -> None:
    async with talking("expire=6", script=BRIEF, source=NoisyMouth()) as talk:
        spans = await converse(talk, 3)
        sessions = stretches(talk)
        assert len(sessions) >= 3
        for old, new in itertools.pairwise(sessions):
            assert old.end == new.begin
        for begin, end in spans:
            assert any(session.begin <= begin and end <= session.end for session in sessions)
        assert talk.recorder.count(inputs.Rotated) == len(sessions) - 1
        assert [entry.role for entry in talk.live.state.transcript].count("session") == len(sessions) - 1
        assert talk.recorder.count(inputs.Disconnected) == 0
        assert talk.live.reading().gaps == 0
        assert talk.live.state.problems == ()


async def test_an_utterance_that_leaves_no_quiet_moment_is_given_whole_to_the_next_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rotation, "PATIENCE_SECONDS", 0.5)
    long = speech("This goes on and on, past the end of the first session.")
    async with talking(script=BRIEF, source=NoisyMouth()) as talk:
        assert isinstance(talk.mouth, NoisyMouth)
        begin = len(talk.mouth.captured)
        talk.mouth.say(long)
        await until(lambda: talk.live.state.activity is Activity.LISTENING, "it is heard")
        talk.live.apply(inputs.RotatePressed())
        await until(lambda: talk.recorder.count(inputs.Rotated), "the second session")
        await until(lambda: len(talk.recorder.events("response.done")) == 1, "the answer")
        first, second, *_ = stretches(talk)
        assert second.begin <= begin
        assert first.end < begin + len(long)  # it moved within the utterance
        assert second.end >= begin + len(long)
        assert talk.recorder.count(inputs.Disconnected) == 0


async def test_the_replaced_session_is_closed_with_1000() -> None:
    closed: list[object] = []
    async with talking(script=BRIEF, on_record=lambda record: closed.append(record.data.get("code"))) as talk:
        first = talk.live.state.connection.session_id
        talk.live.apply(inputs.RotatePressed())
        await until(lambda: talk.live.state.connection.session_id != first, "the second session")
        await until(lambda: 1000 in closed, "the first one is closed")
        assert talk.live.state.connection.stage is Stage.READY


async def test_a_refused_link_on_standby_leaves_the_session_alone() -> None:
    async with talking("refuse=503@connection#2", script=BRIEF) as talk:
        first = talk.live.state.connection.session_id
        talk.live.apply(inputs.RotatePressed())
        refused = inputs.ConnectFailed
        await until(lambda: any(isinstance(inner, refused) for inner in on_standby(talk)), "it is refused")
        talk.live.apply(inputs.TextTyped("hello"))
        await until(lambda: talk.recorder.events("response.done"), "the answer")
        assert talk.live.state.connection.session_id == first
        talk.live.apply(inputs.RotatePressed())
        await until(lambda: talk.live.state.connection.session_id != first, "the next attempt")


@contextlib.asynccontextmanager
async def scripted(*connections: ScriptedConnection, source: Mouth | None = None) -> AsyncIterator[LiveSession]:
    """A session that connects to these, in turn; the first is ready."""
    waiting = iter(connections)

    async def connect(*_: object) -> Any:
        return next(waiting)

    settings = Settings(service=Service(endpoint="http://127.0.0.1:1", api_key="k3y"), audio=SILENT)
    live = LiveSession(settings, connect=connect, source=source)
    running = asyncio.create_task(live.run())
    try:
        await greet(connections[0], "one")
        await until(lambda: live.state.connection.stage is Stage.READY, "the first session")
        yield live
    finally:
        await live.close()
        await running
    for connection in connections:
        connection.finish()


async def greet(connection: ScriptedConnection, name: str) -> None:
    """Begin a session, and confirm its configuration."""
    connection.emit({"type": "session.created", "session": {"id": name}})
    await until(lambda: connection.sent, "session.update")
    connection.emit({"type": "session.updated", "session": {"id": name, "turn_detection": {"type": "server_vad"}}})


async def test_a_link_on_standby_that_is_never_configured_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "CONFIGURE_LIMIT", 0.3)
    first, second = ScriptedConnection("session.update"), ScriptedConnection()
    async with scripted(first, second) as live:
        live.apply(inputs.RotatePressed())
        await until(lambda: second.closed, "the second one is given up")
        assert live.state.standby is None
        assert live.state.connection.session_id == "one"
        assert not first.closed
        assert "sent no session.created within 0.3 s" in live.state.log.tail[-1].text


async def test_what_a_slow_network_has_not_taken_goes_to_the_next_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "OUTBOX_LIMIT_MS", 60_000.0)  # nothing is dropped, however long the take-over takes
    mouth = NoisyMouth()
    first, second = ScriptedConnection("session.update"), ScriptedConnection("session.update")
    async with scripted(first, second, source=mouth) as live:
        await until(lambda: len(first.sent) > 5, "sound is sent")
        first.sending.clear()
        await until(lambda: live.reading().outbox_ms > 200, "sound waits")
        live.apply(inputs.RotatePressed())
        await greet(second, "two")
        await until(lambda: len(second.sent) > 10, "the second session gets sound")
        before, after = (
            b"".join(base64.b64decode(event["audio"]) for event in each.sent if "audio" in event)
            for each in (first, second)
        )
        assert live.reading().dropped_ms == 0.0
        assert before + after in mouth.captured


async def test_a_session_that_is_lost_goes_on_at_once_on_the_link_on_standby() -> None:
    mouth = NoisyMouth()
    first, second = ScriptedConnection("session.update"), ScriptedConnection("session.update")
    async with scripted(first, second, source=mouth) as live:
        await until(lambda: len(first.sent) > 5, "sound is sent")
        first.emit({"type": "input_audio_buffer.speech_started", "item_id": "u1"})  # no quiet moment
        live.apply(inputs.RotatePressed())
        await greet(second, "two")
        await until(lambda: live.state.standby and live.state.standby.connection.stage is Stage.READY, "standby")
        first.emit(LinkClosed(1006))
        await until(lambda: len(second.sent) > 10, "the second session gets sound")
        assert live.state.connection.session_id == "two"
        assert len(live.state.connects) == 2
        before, after = (
            b"".join(base64.b64decode(event["audio"]) for event in each.sent if "audio" in event)
            for each in (first, second)
        )
        assert after in mouth.captured
        assert after[: len(before)] == before[: len(after)]  # from the start of the utterance
