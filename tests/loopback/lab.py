"""A session in virtual time, and audio to send to it."""

import base64
import functools
import json

import numpy as np

from voicelive_tui.loopback.formats import encode_speech
from voicelive_tui.loopback.script import Script
from voicelive_tui.loopback.session import Session
from voicelive_tui.speech.voice import CALLER, PlaceholderVoice, open_voice

RATE = 24_000
VAD = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500}
TAIL = [
    "response.audio.done",
    "response.audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
]
"""How the events of an answer end."""


@functools.cache
def speech(text="Hello there, can you hear me well, I wonder"):
    """Speech without silence around it, by the best voice of this machine."""
    samples = open_voice().speak(text, CALLER).samples
    loud = np.flatnonzero(np.abs(samples) > 300)
    return samples[loud[0] : loud[-1] + 1]


def silence(ms, rate=RATE):
    return np.zeros(int(ms * rate / 1000), np.int16)


def clip(*parts):
    """Samples and milliseconds of silence, joined."""
    return np.concatenate([silence(part) if isinstance(part, int) else part for part in parts])


def milliseconds(samples, rate=RATE):
    return len(samples) * 1000 / rate


class Lab:
    """One session with a virtual clock and the placeholder voice (fast, and the same everywhere)."""

    def __init__(self, model="gpt-realtime", script=None, lifetime=1800.0, recognise=lambda *_: "", **session):
        self.now = 1000.0
        self.notes = []
        self.session = Session(
            model,
            script or Script(),
            now=self.now,
            unix_time=1.7e9,
            note=lambda *note: self.notes.append(note),
            lifetime=lifetime,
            recognise=recognise,
        )
        self.voice = PlaceholderVoice()
        self.events = []
        self.run(0)
        if session:
            self.send("session.update", session=session)

    def send(self, kind, **fields):
        """Send a client event; returns what comes back at once."""
        return self.raw(json.dumps({"type": kind, **fields}))

    def raw(self, message):
        self.session.receive(message, self.now)
        return self.run(0)

    def say(self, samples, fmt=None):
        """Send all the samples in one append, faster than real time."""
        data = samples.astype("<i2").tobytes() if fmt is None else fmt.encode(samples)
        return self.send("input_audio_buffer.append", audio=base64.b64encode(data).decode())

    def type(self, text):
        """A typed turn and its answer asked for."""
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        return self.send("conversation.item.create", item=item) + self.send("response.create")

    def run(self, seconds):
        """Let time pass; returns what came meanwhile, each event with the time in `at`."""
        end = self.now + seconds
        got = []
        while True:
            for event in self.session.poll(self.now):
                json.dumps(event)
                got.append({**event, "at": self.now})
            responder = self.session.responder
            while responder.jobs:
                job = responder.jobs.pop(0)
                speech = self.voice.speak(job.text)
                responder.deliver_speech(job, speech, encode_speech(speech.samples, job.fmt), self.now)
            due = self.session.next_due
            if due > end:
                break
            self.now = max(self.now, due)
        self.now = end
        self.events += got
        return got

    def finish(self):
        """Let the active response end."""
        return self.run(120)


def kinds(events):
    """Their types in order, runs of the same type as one."""
    names = [event["type"] for event in events]
    return [name for index, name in enumerate(names) if index == 0 or names[index - 1] != name]


def only(events, kind):
    found = [event for event in events if event["type"] == kind]
    assert len(found) == 1, f"{len(found)} events {kind} in {kinds(events)}"
    return found[0]


def sound(events):
    """The bytes of all audio deltas."""
    return b"".join(base64.b64decode(e["delta"]) for e in events if e["type"] == "response.audio.delta")


def error_of(events):
    """The one error among them."""
    return only(events, "error")["error"]


def speaking(**session):
    """A session in the middle of an answer."""
    lab = Lab(**session)
    lab.say(clip(speech(), 1000))
    lab.run(1.0)
    assert lab.session.responder.active
    return lab
