"""Named session states for tests and pictures: IDLE, LISTENING, SPEAKING, INTERRUPTED, FAILED, LONG_TRANSCRIPT.

Built from the state's own types alone, with fixed times: a picture made of them is the same every time.
"""

import json

from msgspec.structs import replace

from voicelive_tui.session.latency import Turn
from voicelive_tui.session.reading import Meter, Reading
from voicelive_tui.session.state import (
    Connection,
    Counts,
    Device,
    Microphone,
    Problem,
    SessionState,
    Stage,
)
from voicelive_tui.session.transcript import Entry, EntryStatus
from voicelive_tui.session.usage import Tokens, Usage
from voicelive_tui.wire.log import EventLog

START = 1000.0
EPOCH = 1_800_000_000.0
"""Unix seconds at `time.monotonic()` 0."""
"""Monotonic time at which all of these begin."""

ASKED = {
    "model": "gpt-realtime",
    "modalities": ["text", "audio"],
    "voice": {"type": "azure-standard", "name": "en-US-Ava:DragonHDLatestNeural"},
    "turn_detection": {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "create_response": True,
        "interrupt_response": True,
        "auto_truncate": False,
    },
    "input_audio_transcription": {"model": "whisper-1"},
    "input_audio_noise_reduction": {"type": "azure_deep_noise_suppression"},
    "input_audio_echo_cancellation": {"type": "server_echo_cancellation"},
    "instructions": "You are a helpful AI assistant. Respond naturally and conversationally.",
}


def event(log: EventLog, at: float, direction: str, type_: str, size: int = 0, **fields: object) -> EventLog:
    """The log with one more event."""
    item = fields.get("item_id", "")
    response = fields.get("response_id", "")
    severity = "error" if type_ == "error" else "warning" if type_ == "warning" else "info"
    text = json.dumps({"type": type_, **fields})
    return log.append(
        START + at, direction, type_, text, severity=severity, item_id=item, response_id=response, size=size
    )


def _opening() -> EventLog:
    log = EventLog().append(START, "local", "audio check", "microphone and speaker opened and closed: both work")
    log = event(log, 0.02, "in", "session.created", session={"id": "sess_7f3a91c2d4", "model": "gpt-realtime"})
    log = event(log, 0.03, "out", "session.update", session=ASKED)
    return event(log, 0.11, "in", "session.updated", session={"id": "sess_7f3a91c2d4", **ASKED})


def _speech(log: EventLog, at: float, item: str, response: str, answer: str, words: str, text: str) -> EventLog:
    for n in range(40):
        log = event(log, at + n * 0.04, "out", "input_audio_buffer.append", size=1920)
    log = event(log, at + 0.4, "in", "input_audio_buffer.speech_started", audio_start_ms=3200, item_id=item)
    log = event(log, at + 2.8, "in", "input_audio_buffer.speech_stopped", audio_end_ms=5900, item_id=item)
    log = event(log, at + 2.81, "in", "input_audio_buffer.committed", item_id=item)
    user = {"id": item, "type": "message", "role": "user", "status": "completed", "content": [{"type": "input_audio"}]}
    log = event(log, at + 2.82, "in", "conversation.item.created", item=user, item_id=item)
    log = event(
        log,
        at + 2.85,
        "in",
        "response.created",
        response={"id": response, "status": "in_progress"},
        response_id=response,
    )
    ids = {"item_id": answer, "response_id": response}
    for n, word in enumerate(text.split(" ")):
        log = event(log, at + 3.1 + n * 0.02, "in", "response.audio_transcript.delta", delta=word + " ", **ids)
        log = event(log, at + 3.11 + n * 0.02, "in", "response.audio.delta", size=4800, delta={"bytes": 4800}, **ids)
    transcription = "conversation.item.input_audio_transcription.completed"
    return event(log, at + 3.6, "in", transcription, transcript=words, item_id=item)


IN_FORCE = {**ASKED, "input_audio_noise_reduction": None}

IDLE = SessionState(
    connection=Connection(
        stage=Stage.READY,
        endpoint="http://127.0.0.1:41234",
        api_version="2025-10-01",
        model="gpt-realtime",
        demo=True,
        credential="API key",
        session_id="sess_7f3a91c2d4",
        started_at=START,
        ready_at=START + 0.11,
        epoch=EPOCH,
        dated=True,
    ),
    began_at=START,
    asked=ASKED,
    in_force=IN_FORCE,
    microphone=Microphone(capturing=True),
    input=Device("USB microphone, 48000 Hz, 12 ms"),
    output=Device("Built-in speaker, 48000 Hz, 24 ms"),
    log=_opening(),
)

_TURN_1 = Turn(
    number=1,
    item_id="item_u1",
    response_id="resp_1",
    speech_started_at=START + 3.4,
    voiced_at=START + 5.3,
    speech_stopped_at=START + 5.8,
    committed_at=START + 5.81,
    created_at=START + 5.85,
    first_text_at=START + 6.1,
    first_audio_at=START + 6.21,
    heard_at=START + 6.29,
    done_at=START + 7.0,
)
_USER_1 = Entry("item_u1", "user", START + 3.4, "[speech, 2.4 s, -18 dBFS]", EntryStatus.DONE, done_at=START + 6.6)
_ANSWER = (
    "I heard you for 2.4 seconds. Your level was minus 18 decibels with peaks at minus 6, "
    "and the noise floor lies at minus 62: this line is fine."
)
_ASSISTANT_1 = Entry(
    "item_a1",
    "assistant",
    START + 6.1,
    _ANSWER,
    EntryStatus.DONE,
    response_id="resp_1",
    audio_ms=8200,
    heard_ms=8200,
    done_at=START + 7.0,
)

_LOG_1 = event(
    _speech(_opening(), 3.0, "item_u1", "resp_1", "item_a1", _USER_1.text, _ANSWER),
    7.0,
    "in",
    "response.done",
    response={"id": "resp_1", "status": "completed", "usage": {"total_tokens": 412}},
    response_id="resp_1",
)

LISTENING = replace(
    IDLE,
    transcript=(Entry("item_u1", "user", START + 3.4, "", EntryStatus.LISTENING),),
    turns=(Turn(1, item_id="item_u1", speech_started_at=START + 3.4),),
    counts=Counts(events_in=3, events_out=75, audio_out_ms=3000),
    log=event(_opening(), 3.4, "in", "input_audio_buffer.speech_started", audio_start_ms=3200, item_id="item_u1"),
)

_TURN_2 = replace(
    _TURN_1,
    number=2,
    item_id="item_u2",
    response_id="resp_2",
    speech_started_at=START + 16.0,
    voiced_at=START + 17.2,
    speech_stopped_at=START + 17.7,
    committed_at=START + 17.71,
    created_at=START + 17.9,
    first_text_at=START + 18.55,
    first_audio_at=START + 18.7,
    heard_at=START + 18.78,
    done_at=None,
)
_USER_2 = Entry(
    "item_u2", "user", START + 16.0, "Why is the second answer slower? 為什麼？", EntryStatus.DONE, done_at=START + 18.0
)
_TEXT_2 = (
    "Most of it was the model: it took 650 milliseconds from the start of the response to the first word. "
    "The wait for the end of your speech was half a second, as configured."
)
SPEAKING = replace(
    IDLE,
    playing="item_a2",
    response="resp_2",
    transcript=(
        _USER_1,
        _ASSISTANT_1,
        _USER_2,
        Entry("item_a2", "assistant", START + 18.55, _TEXT_2, EntryStatus.PARTIAL, response_id="resp_2", audio_ms=7000),
    ),
    turns=(_TURN_1, _TURN_2),
    counts=Counts(events_in=214, events_out=498, audio_in_ms=15_200, audio_out_ms=19_920),
    usage=Usage(1, Tokens(412, 310, 102, 180, 130, cached=64, output_text=31, output_audio=71)),
    log=_speech(_LOG_1, 15.0, "item_u2", "resp_2", "item_a2", _USER_2.text, _TEXT_2),
)
SPEAKING_READING = Reading(
    capture=Meter(-58.0, -50.0, -41.0),
    playback=Meter(-17.5, -8.0, -6.2),
    heard_item="item_a2",
    heard_ms=4100,
    buffered_ms=2900,
    outbox_ms=12,
    output_latency_ms=24,
)
"""Goes with `SPEAKING`."""

INTERRUPTED = replace(
    SPEAKING,
    playing="",
    response="",
    transcript=(
        *SPEAKING.transcript[:-1],
        replace(
            SPEAKING.transcript[-1],
            status=EntryStatus.INTERRUPTED,
            heard_ms=4100.0,
            truncated_ms=4100,
            done_at=START + 22.9,
        ),
        Entry("item_u3", "user", START + 22.9, "", EntryStatus.LISTENING),
    ),
    turns=(
        _TURN_1,
        replace(
            _TURN_2,
            interrupted_at=START + 22.9,
            silent_at=START + 22.912,
            unheard_ms=2900,
            done_at=START + 22.95,
        ),
        Turn(3, item_id="item_u3", speech_started_at=START + 22.9),
    ),
    counts=replace(SPEAKING.counts, interruptions=1),
    log=event(
        event(SPEAKING.log, 22.9, "in", "input_audio_buffer.speech_started", audio_start_ms=22_700, item_id="item_u3"),
        22.92,
        "out",
        "conversation.item.truncate",
        item_id="item_a2",
        content_index=0,
        audio_end_ms=4100,
    ),
)

_REFUSAL = {"type": "invalid_request_error", "code": "invalid_voice", "message": "Voice 'absent' is [not] available."}
_FAILED_LOG = event(_opening(), 0.2, "in", "error", error=_REFUSAL)
FAILED = SessionState(
    connection=replace(
        IDLE.connection,
        stage=Stage.FAILED,
        demo=False,
        endpoint="https://example.services.ai.azure.com",
        ready_at=None,
        ended_at=START + 0.3,
        close_code=1008,
        problem="The service refused the session: Voice 'absent' is [not] available. Press r to try again.",
    ),
    asked=ASKED,
    input=Device("", "PortAudio was not found; install it with: apt install libportaudio2"),
    output=Device("", "PortAudio was not found; install it with: apt install libportaudio2"),
    counts=Counts(errors=1),
    problems=(Problem("error", "invalid_voice: Voice 'absent' is [not] available.", 4),),
    log=_FAILED_LOG,
)


def _long() -> SessionState:
    entries: list[Entry] = []
    turns: list[Turn] = []
    for n in range(150):
        at = 10.0 * n
        user, answer, response = f"item_u{n}", f"item_a{n}", f"resp_{n}"
        entries += [
            replace(_USER_1, item_id=user, at=START + at, text=f"Question {n}: what about the number {n * 7}?"),
            replace(
                _ASSISTANT_1, item_id=answer, at=START + at + 3, response_id=response, text=f"Answer {n}. {_ANSWER}"
            ),
        ]
        times = {
            name: START + at + offset
            for name, offset in (
                ("voiced_at", 1.9),
                ("committed_at", 2.41),
                ("created_at", 2.45),
                ("first_text_at", 2.7 + n % 7 * 0.06),
                ("first_audio_at", 2.8 + n % 7 * 0.06),
                ("heard_at", 2.9 + n % 7 * 0.06),
            )
        }
        turns.append(replace(_TURN_1, number=n + 1, item_id=user, response_id=response, **times))
    return replace(IDLE, transcript=tuple(entries), turns=tuple(turns), log=_LOG_1, counts=Counts())


LONG_TRANSCRIPT = _long()

NAMED = {
    "idle": IDLE,
    "listening": LISTENING,
    "speaking": SPEAKING,
    "interrupted": INTERRUPTED,
    "failed": FAILED,
    "long_transcript": LONG_TRANSCRIPT,
}
