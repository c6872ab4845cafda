"""Lines of a bundle: exact messages, references to sound, secrets, damage."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.recording.lines import (
    DamageError,
    Mark,
    WireLine,
    encode,
    input_of,
    read,
    reference,
    samples_of,
    wire_line,
    with_sound,
    without_secrets,
)
from voicelive_tui.session import inputs

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def no_sound(channel: int, at: int, samples: int) -> bytes:
    raise AssertionError("nothing here refers to sound")


@given(st.dictionaries(st.text(), JSON, max_size=5), st.sampled_from([None, 2]), st.booleans())
def test_a_message_comes_back_byte_for_byte(body: dict[str, object], indent: int | None, ascii_only: bool) -> None:
    raw = json.dumps(body, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "replace").decode()
    line = wire_line(3, 17, "in", raw, plain='"$audio"' in raw)
    assert line.count(b"\n") == 1
    assert with_sound(read(WireLine, line), no_sound) == raw


@given(st.text())
def test_a_message_that_is_not_json_comes_back_too(raw: str) -> None:
    raw = raw.encode("utf-8", "replace").decode()
    assert with_sound(read(WireLine, wire_line(3, 17, "in", raw)), no_sound) == raw


@given(st.binary(max_size=100))
def test_sound_comes_back_from_its_reference(pcm: bytes) -> None:
    payload = base64.b64encode(pcm).decode()
    if len(pcm) % 2 or not pcm:
        assert samples_of(payload) == b""
        return
    assert samples_of(payload) == pcm
    raw = f'{{"type": "response.audio.delta",  "delta":{reference(2, 7, len(pcm) // 2)}}}'
    line = read(WireLine, wire_line(1, 1, "in", raw))
    found = with_sound(
        line, lambda channel, at, samples: pcm if (channel, at, samples) == (2, 7, len(pcm) // 2) else b""
    )
    assert found == f'{{"type": "response.audio.delta",  "delta":"{payload}"}}'


@pytest.mark.parametrize("payload", ["AAA", "AAAA\n", "AA==", "AAAB", "äöü", "AAAAAA==="])
def test_base64_that_does_not_follow_from_samples_stays_in_the_message(payload: str) -> None:
    assert samples_of(payload) == b""


def test_headers_of_mcp_servers_are_hidden_whatever_they_are_called() -> None:
    tool = {
        "type": "mcp",
        "headers": {"X-Custom": "s3cr3t-one"},
        "authorization": "s3cr3t-two",
        "server_url": "https://x",
    }
    raw = json.dumps({"type": "session.update", "session": {"tools": [tool]}})
    clean = without_secrets(raw)
    assert "s3cr3t" not in clean
    assert json.loads(clean)["session"]["tools"][0]["server_url"] == "https://x"
    assert without_secrets('{"type":"a","headers":null}') == '{"type":"a","headers":null}'


@given(st.binary(max_size=200))
def test_damage_is_reported_and_nothing_else(line: bytes) -> None:
    for kind in (WireLine, Mark):
        with pytest.raises(DamageError):
            read(kind, line)


@pytest.mark.parametrize(
    "kept",
    [
        b'{"input":"PlaybackStarted","item_id":"a","at":1e300}',
        b'{"input":"Received","event":{},"raw":""}',
        b'{"input":"NoSuchInput"}',
        b'{"input":"PlaybackStarted","item_id":3,"at":1}',
    ],
)
def test_an_input_that_no_version_knows_is_damage(kept: bytes) -> None:
    mark = read(Mark, b'{"n":1,"t_ns":2,"input":' + kept + b"}")
    with pytest.raises(DamageError):
        input_of(mark)


def test_an_input_comes_back_from_its_mark() -> None:
    for event in (inputs.PlaybackStopped("item", 12.5, 3.25), inputs.MutePressed(), inputs.ConnectFailed("no")):
        line = b'{"n":1,"t_ns":2,"input":' + encode(event) + b"}"
        assert input_of(read(Mark, line)) == event
    assert input_of(Mark(1, 2, mark="clock")) is None
