"""What becomes of inputs in a recording: the lines that a later part needs, and names that stay out."""

import json
import time
from pathlib import Path

import pytest

from voicelive_tui.audio.engine import AudioEngine
from voicelive_tui.config import BargeIn, Recording
from voicelive_tui.recording.bundle import Bundle
from voicelive_tui.recording.player import Player
from voicelive_tui.recording.records import Entry, RecordMaker
from voicelive_tui.recording.writer import BundleWriter, Manifest
from voicelive_tui.session import inputs
from voicelive_tui.session.state import SessionState, Stage

CONNECTING = inputs.Connecting("https://secret-host.example", "v1", "m", "key")


def received(kind: str, **fields: object) -> inputs.Received:
    event = {"type": kind, **fields}
    return inputs.Received(event, json.dumps(event))


def session(name: str) -> list[inputs.OfLink]:
    """The beginning of a session."""
    return [
        CONNECTING,
        inputs.Connected(),
        received("session.created", session={"id": name}),
        received("session.updated", session={"id": name, "voice": name}),
    ]


def later_part(tmp_path: Path, *events: inputs.Input) -> SessionState:
    """The state of a recording that begins after these."""
    maker = RecordMaker(time.monotonic_ns(), Recording())
    for number, event in enumerate(events):
        maker.of_entry(Entry(number, (number + 1) * 10**9, event))
    writer = BundleWriter(tmp_path / "later.vlrec", Manifest())
    writer.add(maker.before)
    writer.close()
    with Bundle(writer.path) as bundle:
        state = bundle.final_state()
        assert bundle.flaws == []
        return state


STANDBY = [inputs.OnStandby(event) for event in session("two")]


def test_a_part_after_a_rotation_begins_with_the_session_that_serves(tmp_path: Path) -> None:
    state = later_part(tmp_path, *session("one"), *STANDBY, inputs.Rotated())
    assert (state.connection.stage, state.connection.session_id) == (Stage.READY, "two")
    assert state.in_force["voice"] == "two"
    assert state.standby is None


def test_a_part_during_a_rotation_begins_with_both_sessions(tmp_path: Path) -> None:
    state = later_part(tmp_path, *session("one"), *STANDBY)
    assert (state.connection.session_id, state.in_force["voice"]) == ("one", "one")
    assert state.standby is not None
    assert state.standby.connection.session_id == "two"


@pytest.mark.parametrize("end", [inputs.Disconnected(1006, "lost"), inputs.ConnectFailed("refused")])
def test_a_part_after_a_rotation_that_failed_has_no_second_session(tmp_path: Path, end: inputs.OfLink) -> None:
    state = later_part(tmp_path, *session("one"), *STANDBY, inputs.OnStandby(end))
    assert state.connection.session_id == "one"
    assert state.standby is None


def test_a_part_without_a_connection_begins_without_one(tmp_path: Path) -> None:
    state = later_part(tmp_path, *session("one"), inputs.Disconnected(1006, "lost"))
    assert state.connection.stage is Stage.CLOSED


def test_a_part_begins_with_the_counters_as_they_stood(tmp_path: Path) -> None:
    maker, engine = RecordMaker(0, Recording()), AudioEngine()
    engine.underflows = 3
    [*earlier] = (record for record in maker.of_engine(engine, 1, ending=False) if b'"counters"' in record.data)
    assert list(maker.before) == earlier
    assert not [record for record in maker.of_engine(engine, 2, ending=False) if b'"counters"' in record.data]
    began = earlier[0].at + 1_000_000
    engine.overflows = 1
    while time.monotonic_ns() <= began:
        time.sleep(0.001)
    later = [record for record in maker.of_engine(engine, 3, ending=True) if b'"counters"' in record.data]
    writer = BundleWriter(tmp_path / "later.vlrec", Manifest(sample_zero_ns=began))
    writer.add([*earlier, *later])
    writer.close()
    with Bundle(writer.path) as bundle:
        player = Player(bundle)
        assert (player.begin, player.end) == (began / 1e9, later[0].at / 1e9)
        assert player.counts(player.begin)[1:] == (3, 0, 0)
        assert player.counts(player.end)[1:] == (3, 1, 0)
        assert player.underruns == []


def lines(settings: Recording) -> bytes:
    """A conversation in which the names of the host and of devices are in other texts too."""
    maker = RecordMaker(time.monotonic_ns(), settings)
    events = [
        CONNECTING,
        inputs.OnStandby(CONNECTING),
        inputs.DeviceChanged("input", 'Quiet Headset, 24000 Hz (instead of "Loud Webcam": it is gone)'),
        inputs.DeviceChanged("output", "", "Quiet Headset was lost"),
        inputs.ConnectFailed("secret-host.example did not answer"),
        inputs.LogRecord("warning", "x", "Quiet Headset of secret-host.example, not Loud Webcam"),
        received("error", error={"message": "wss://secret-host.example/realtime failed"}),
        inputs.OnStandby(received("error", error={"message": "secret-host.example failed"})),
        inputs.BadMessage("no JSON", "secret-host.example Quiet Headset"),
    ]
    made = [record for number, event in enumerate(events) for record in maker.of_entry(Entry(number, 1, event))]
    return b"".join(record.data for record in made)


@pytest.mark.parametrize("kept", [True, False])
def test_names_of_hosts_and_devices_are_in_a_recording_only_where_it_is_allowed(kept: bool) -> None:
    found = lines(Recording(host_names=kept, device_names=kept))
    for name in (b"secret-host", b"Quiet Headset", b"Loud Webcam"):
        assert (name in found) is kept, name


@pytest.mark.parametrize("url", ["https://secret-host.example/mcp", "https://[secret-host"])
@pytest.mark.parametrize("kept", [True, False])
def test_the_host_of_an_mcp_server_is_hidden_from_the_first_line_on_that_names_it(url: str, kept: bool) -> None:
    session = {"tools": [{"type": "mcp", "server_label": "a", "server_url": url}]}
    settings_changed = inputs.SettingsChanged(session, {}, BargeIn(), False, {}, {}, "", "the profile")
    sent = inputs.Sent({"type": "session.update", "session": session})
    for event in (settings_changed, inputs.SessionEdited(session), sent):
        maker = RecordMaker(time.monotonic_ns(), Recording(host_names=kept))
        (record,) = maker.of_entry(Entry(0, 1, event))
        assert (b"secret-host" in record.data) is kept, event
