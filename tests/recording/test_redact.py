"""The strict redaction, and the search for what looks like a key."""

import base64
import json
import random

import pytest

from voicelive_tui.recording.redact import findings, strict_line

RANDOM = random.Random(7)
KEYS = [
    RANDOM.randbytes(16).hex(),
    RANDOM.randbytes(32).hex(),
    base64.b64encode(RANDOM.randbytes(63)).decode(),
    base64.urlsafe_b64encode(RANDOM.randbytes(40)).decode(),
    "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwcyJ9.c2lnbmF0dXJl",
    "sk-proj-" + "".join(RANDOM.choices("abcdefghijklmnopqrstuvwxyzABCDEF0123456789", k=48)),
]
HARMLESS = [
    "item_85383dea2eedc2d6395d65",
    "sess_77a3422f8da8a92cc8524a",
    "4f1d2c3b-0000-4111-8222-333344445555",
    "en-US-Ava:DragonHDLatestNeural",
    "azure_semantic_vad_multilingual",
    "conversation.item.input_audio_transcription.completed",
    "internationalisation-of-everything",
    "2026-11-26T04:43:42.000000",
    "my-resource.cognitiveservices.azure.com",
]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_found_and_not_shown(key: str) -> None:
    (found,) = findings("wire.jsonl", [b"{}", json.dumps({"text": f"use {key} please"}).encode()])
    assert (found.where, found.line, found.begins) == ("wire.jsonl", 2, key[:4])


@pytest.mark.parametrize("text", HARMLESS)
def test_names_and_ids_are_not_keys(text: str) -> None:
    assert list(findings("wire.jsonl", [json.dumps({"id": text}).encode()])) == []


def test_strict_leaves_types_ids_and_numbers() -> None:
    event = {
        "n": 4,
        "frame": {
            "type": "response.done",
            "response": {"id": "resp_1", "status": "completed", "output": [{"content": [{"transcript": "my secret"}]}]},
            "session": {"instructions": "be kind", "turn_detection": {"threshold": 0.5}},
        },
    }
    kept = json.loads(strict_line(json.dumps(event).encode()))
    assert "secret" not in json.dumps(kept)
    assert "kind" not in json.dumps(kept)
    assert kept["frame"]["type"] == "response.done"
    assert kept["frame"]["response"]["id"] == "resp_1"
    assert kept["frame"]["session"]["turn_detection"] == {"threshold": 0.5}
    assert strict_line(b"no json") == b""
