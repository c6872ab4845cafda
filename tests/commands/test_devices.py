"""`voicelive-tui devices`."""

import json

import pytest

from voicelive_tui.audio.devices import Device
from voicelive_tui.commands import devices
from voicelive_tui.errors import AudioError

FOUND = Device(3, "USB \x1b[2J[front]", "ALSA", 1, 0, 48_000, 0.01, 0.02, default_input=True, default_output=False)


@pytest.fixture
def _found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(devices, "list_devices", lambda: [FOUND])


@pytest.mark.usefixtures("_found")
def test_devices_are_a_table_in_which_names_are_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    assert devices.run(as_json=False) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "ALSA" in line]
    assert line.split() == ["3", "USB", "␛[2J[front]", "ALSA", "1/0", "48000", "Hz", "10/20", "ms", "input"]


@pytest.mark.usefixtures("_found")
def test_as_json_devices_have_their_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert devices.run(as_json=True) == 0
    (device,) = json.loads(capsys.readouterr().out)
    assert (device["index"], device["name"], device["default_input"]) == (3, FOUND.name, True)


def test_a_failure_is_a_sentence_and_an_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> list[Device]:
        raise AudioError("the PortAudio library is missing: install it")

    monkeypatch.setattr(devices, "list_devices", missing)
    assert devices.run(as_json=False) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("the PortAudio library is missing: install it\n")
