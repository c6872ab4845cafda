import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.audio.devices import DEFAULT, Device, DeviceSpec, choose
from voicelive_tui.errors import AudioError


def device(index, name, inputs=1, outputs=1, api="ALSA", default=False):
    return Device(index, name, api, inputs, outputs, 44100, 0.01, 0.01, default, default)


DEVICES = [
    device(0, "HDA Intel: ALC256 Analog (hw:0,0)"),
    device(1, "USB Headset: Audio (hw:1,0)", outputs=0),
    device(2, "pulse"),
    device(3, "default", default=True),
    device(4, "USB Headset", api="JACK Audio Connection Kit"),
    device(5, "HDMI 0", inputs=0),
]


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("", DEFAULT),
        ("none", DeviceSpec("none")),
        ("file:a.wav", DeviceSpec("file", "a.wav")),
        ("file:", DeviceSpec("file")),
        (3, DeviceSpec("index", "3")),
        ("3", DeviceSpec("index", "3")),
        (-1, DeviceSpec("name", "-1")),
        ("9" * 5000, DeviceSpec("name", "9" * 5000)),
        ("nonesuch", DeviceSpec("name", "nonesuch")),
        ("ALSA: file", DeviceSpec("name", "ALSA: file")),
    ],
)
def test_an_option_is_parsed(text, spec):
    assert DeviceSpec.parse(text) == spec
    assert str(spec) == str(text)


@given(st.text())
def test_any_option_survives_parsing(text):
    assert str(DeviceSpec.parse(text)) == text


@given(st.text())
def test_any_option_chooses_a_device_or_is_answered_with_the_candidates(text):
    spec = DeviceSpec.parse(text)
    if not spec.is_hardware:
        return
    try:
        found = choose(spec, "output", DEVICES)
    except AudioError as error:
        answer = str(error)
    else:
        answer = ", ".join(device.name for device in found)
    assert any(device.name in answer for device in DEVICES if device.outputs)


@pytest.mark.parametrize(
    ("wanted", "direction", "found"),
    [
        ("", "input", [3, 2]),
        ("0", "input", [0]),
        ("5", "output", [5]),
        ("pulse", "input", [2]),
        ("PULSE", "input", [2]),
        ("alc256", "input", [0]),
        ("hdmi", "output", [5]),
        ("usb headset", "output", [4]),
        ("USB Headset", "input", [4]),  # exact beats part
        ("ALSA: USB Headset: Audio (hw:1,0)", "input", [1]),
        ("alsa: usb", "input", [1]),
        ("jack audio connection kit: usb", "input", [4]),
        ("pulse, ALSA", "output", [2]),
    ],
)
def test_a_spec_chooses_the_devices_it_names(wanted, direction, found):
    assert [d.index for d in choose(DeviceSpec.parse(wanted), direction, DEVICES)] == found


@pytest.mark.parametrize(
    ("wanted", "direction", "says"),
    [
        ("9", "input", "there is no input device 9; there are: 0 HDA Intel"),
        ("1", "output", "there is no output device 1"),
        ("banana", "output", 'no output device matches "banana"; there are: 0 HDA'),
        ("hw:", "input", r"\"hw:\" matches several input devices: 0 HDA.*, 1 USB"),
    ],
)
def test_a_name_that_does_not_fit_is_answered_with_the_candidates(wanted, direction, says):
    with pytest.raises(AudioError, match=says):
        choose(DeviceSpec.parse(wanted), direction, DEVICES)


@pytest.mark.parametrize("devices", [DEVICES, []])
def test_a_sound_file_without_its_prefix_is_answered_with_the_right_option(devices):
    with pytest.raises(AudioError, match=r'^"my/Q\.WAV" is not an input device; for a sound file use file:my/Q\.WAV$'):
        choose(DeviceSpec.parse("my/Q.WAV"), "input", devices)


def test_without_any_device_the_message_names_the_remedy():
    with pytest.raises(AudioError, match=r"no sound device found.*README"):
        choose(DEFAULT, "input", [])
    with pytest.raises(AudioError, match="no sound device has an input: 5 HDMI 0"):
        choose(DEFAULT, "input", DEVICES[5:])


def test_without_a_default_the_sound_servers_are_tried():
    devices = [device(0, "hw:0"), device(1, "pipewire"), device(2, "pulse")]
    assert [d.name for d in choose(DEFAULT, "output", devices)] == ["pulse", "pipewire"]
    assert [d.name for d in choose(DEFAULT, "output", devices[:1])] == ["hw:0"]


def test_sounddevice_is_not_imported_before_a_device_is_opened():
    program = (
        "import sys, voicelive_tui.audio.streams; "
        "print([m for m in ('sounddevice', 'asyncio', 'textual') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
