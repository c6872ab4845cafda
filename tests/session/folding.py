"""Folding events in tests: a clock that moves 10 ms an event, and a session that is connected and configured."""

from collections.abc import Iterable, Mapping
from typing import Any

from voicelive_tui.config import Session
from voicelive_tui.session import effects, inputs
from voicelive_tui.session.fold import reduce
from voicelive_tui.session.request import session_request
from voicelive_tui.session.state import SessionState

REQUEST = session_request(Session())
CONNECTING = inputs.Connecting(
    endpoint="http://127.0.0.1:1", api_version="2026-07-15", model="gpt-realtime", credential="API key"
)


READY = [
    inputs.Connected(),
    {"type": "session.created", "session": {"id": "sess_2"}},
    {"type": "session.updated", "session": {**REQUEST, "id": "sess_2"}},
]
"""A second session that becomes ready."""


class Fold:
    """A state and its clock; keeps every input with its time, and every requested effect."""

    def __init__(self, *events: inputs.Input | Mapping[str, Any], state: SessionState | None = None) -> None:
        self.state = state or SessionState(wanted=REQUEST)
        self.now = 1_000.0
        self.inputs: list[tuple[inputs.Input, float]] = []
        self.effects: list[effects.Effect] = []
        self.feed(*events)

    def feed(self, *events: inputs.Input | Mapping[str, Any]) -> list[effects.Effect]:
        """Reduce the events (server events as plain mappings), and what the shell reports of their effects."""
        new: list[effects.Effect] = []
        for event in events:
            self.now += 0.010
            wanted = self._reduce(inputs.Received(event) if isinstance(event, Mapping) else event)
            for effect in wanted:
                match effect:
                    case effects.Reconnect(retry) if retry is not None:
                        self._reduce(inputs.Reconnecting(retry))
                    case effects.Restore(_, history):
                        self._reduce(inputs.HistorySent(history))
            new += wanted
        self.effects += new
        return new

    def _reduce(self, event: inputs.Input) -> tuple[effects.Effect, ...]:
        self.inputs.append((event, self.now))
        self.state, wanted = reduce(event, self.state, self.now)
        return wanted


def ready(**turn_detection: Any) -> Fold:
    """A session that is ready and captures, with changes to its turn detection (`type=None`: push-to-talk)."""
    block = None if turn_detection.get("type", "") is None else {**REQUEST["turn_detection"], **turn_detection}
    session = {**REQUEST, "id": "sess_1", "turn_detection": block}
    fold = Fold(
        CONNECTING,
        inputs.Connected(),
        {"type": "session.created", "session": session},
        inputs.Sent({"type": "session.update", "session": REQUEST}),
        {"type": "session.updated", "session": session},
        inputs.DeviceChanged("input", "a microphone"),
        inputs.CaptureChanged(capturing=True),
    )
    fold.effects.clear()
    return fold


def sent(wanted: Iterable[effects.Effect]) -> list[str]:
    """The types of the client events among the effects."""
    return [event["type"] for event in sent_events(wanted)]


def sent_events(wanted: Iterable[effects.Effect]) -> list[Mapping[str, Any]]:
    """The client events among the effects, those of a history too."""
    events: list[Mapping[str, Any]] = []
    for effect in wanted:
        match effect:
            case effects.Send(event):
                events.append(event)
            case effects.Restore(seeds):
                events += seeds
    return events


def answer(
    item: str = "item_a", response: str = "resp_1", audio_ms: int = 1000, done: bool = False
) -> list[dict[str, Any]]:
    """The events of an answer with `audio_ms` milliseconds of audio; with `done`, to its end."""
    import base64

    ids = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}
    pcm = base64.b64encode(b"\1\0" * 24 * audio_ms).decode()
    message = {"id": item, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    events = [
        {"type": "response.created", "response": {"id": response, "status": "in_progress"}},
        {"type": "response.output_item.added", "response_id": response, "output_index": 0, "item": message},
        {"type": "conversation.item.created", "previous_item_id": None, "item": message},
        {"type": "response.audio_transcript.delta", **ids, "delta": "one two three four"},
        {"type": "response.audio.delta", **ids, "delta": pcm},
    ]
    if done:
        events += [
            {"type": "response.audio.done", **ids},
            {"type": "response.done", "response": {"id": response, "status": "completed", "output": [], "usage": None}},
        ]
    return events
