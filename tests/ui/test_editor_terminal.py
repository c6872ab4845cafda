"""The session editor in a pseudo-terminal, by keys alone, against the loopback service on a real socket."""

import asyncio
import contextlib
import itertools
import re
import signal
import sys
import termios

from tests.conversing import speech
from tests.test_program import empty_home
from tests.ui.terminal import PATIENCE, Terminal
from voicelive_tui.audio.format import silence
from voicelive_tui.audio.wav import WavWriter
from voicelive_tui.loopback.service import LoopbackService
from voicelive_tui.session.fields import FIELDS

HOP = 480
"""Samples between two decisions of the service's detector."""
GAP = HOP * 50 * 6
"""Samples between two utterances: time for an answer."""


@contextlib.asynccontextmanager
async def program(tmp_path, *options, size=(120, 40), **environment):
    """The dashboard with the editor's first field in use, and the client events that arrive at its service."""
    sent = []
    environment = empty_home(tmp_path) | {"AZURE_VOICELIVE_API_KEY": "a-k3y"} | environment
    async with LoopbackService(api_key="a-k3y", on_client_event=lambda _, event: sent.append(event)) as service:
        arguments = ("--endpoint", service.endpoint, "--output-device", "none", *options)
        with Terminal("-m", "voicelive_tui", *arguments, width=size[0], height=size[1], **environment) as terminal:
            await shows(terminal, "READY", "LISTENING", "SPEAKING", "THINKING")
            yield terminal, sent


async def read_until(terminal, condition, what):
    """Read what is drawn until a condition holds; fail with the screen."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                assert terminal.process.poll() is None, terminal.text
                await asyncio.to_thread(terminal.read, 0.05)
    except TimeoutError:
        raise AssertionError(f"{what} did not come:\n{terminal.text}") from None


async def shows(terminal, *texts):
    """Wait until one of these texts is on the screen, perhaps over several lines."""
    await read_until(terminal, lambda: any(text in " ".join(terminal.text.split()) for text in texts), texts)


LABELS = [field.label for field in FIELDS]


def in_use(terminal):
    """The label of the field in use, which is explained below the form; None while there is no form."""
    form = terminal.text.partition("─ Session")[2]
    found = re.findall(r"^ ((?:[^\s:]+ )*[^\s:]+): ", form, re.MULTILINE)
    return next((label for label in found if label in LABELS), None)


async def go(terminal, label):
    """Move to a field of the editor, with all keys at once."""
    await read_until(terminal, lambda: in_use(terminal), "the editor")
    steps = LABELS.index(label) - LABELS.index(in_use(terminal))
    terminal.write(("\t" if steps > 0 else "\x1b[Z") * abs(steps))
    await read_until(terminal, lambda: in_use(terminal) == label, f"the field {label}")


async def line(terminal, label, end):
    """Wait until a field's line ends like this."""
    pattern = re.compile(rf"^ {re.escape(label)} .*{re.escape(end)}", re.MULTILINE)
    await read_until(terminal, lambda: pattern.search(terminal.text), pattern.pattern)


async def leave(terminal):
    """Leave the editor with something unsent."""
    terminal.write("\x1b")
    await shows(terminal, "Not sent yet")
    terminal.write("\x1b")
    await shows(terminal, "m Mute")


def updates(sent):
    return [event for event in sent if event["type"] == "session.update"]


def ends(terminal):
    """`audio_end_ms` of each `speech_stopped` in the list of events; the detector decides every 20 ms."""
    found = re.findall(r"speech_stopped +\S+ +at ([\d.]+) s", terminal.text)
    return [round(float(seconds) * 1000) for seconds in found]


def between(moments):
    return [later - moment for moment, later in itertools.pairwise(moments)]


async def test_a_longer_silence_is_in_force_for_the_next_turn(tmp_path):
    words = speech("Hello there.")
    words += silence(-len(words) // 2 % HOP)
    writer = WavWriter(tmp_path / "speech.wav")
    writer.write((words + silence(GAP)) * 30)
    writer.close()
    recording = ("--input-device", f"file:{tmp_path}/speech.wav")
    async with program(tmp_path, *recording, "--instructions", "Say little.") as (terminal, sent):
        await shows(terminal, "I heard you for")
        terminal.write("c")
        await go(terminal, "silence (ms)")
        terminal.write("800\x13")
        await line(terminal, "silence (ms)", "in force")
        _configuration, edit = updates(sent)
        whole = _configuration["session"]["turn_detection"] | {"silence_duration_ms": 800}
        assert edit["session"] == {"turn_detection": whole}
        assert len(whole) == 7

        await go(terminal, "instructions")  # gpt-realtime keeps its own when they are empty
        terminal.write("\x0b\x13")
        await line(terminal, "instructions", "ignored: in force: You are a li")

        await go(terminal, "voice")  # it has spoken
        terminal.write("my-voice")
        await line(terminal, "voice", "locked: the assistant has spoken in this session")
        await leave(terminal)
        terminal.write("3")
        await shows(terminal, "▌3 Events")
        terminal.write("/type:speech_stopped\r")
        usual = (len(words) // 2 + GAP) * 1000 // 24_000
        await read_until(terminal, lambda: set(between(ends(terminal))) - {usual}, "a longer silence")
        *before, longer = between(ends(terminal))
        assert (set(before) <= {usual}, longer) == (True, usual + 300)


async def test_a_refused_field_and_a_locked_voice_that_a_new_session_takes(tmp_path):
    options = ("--model", "gpt-4.1", "--input-device", "none", "--voice", "en-US-AvaNeural")
    async with program(tmp_path, *options, size=(80, 24)) as (terminal, sent):
        terminal.write("c")
        await go(terminal, "voice")
        terminal.write("alloy\x13")
        await line(terminal, "voice", "refused: The")
        await shows(terminal, "does not support OpenAI voices")
        await leave(terminal)
        terminal.write("thello\r")
        await shows(terminal, "SPEAKING")
        terminal.write("c")
        await go(terminal, "voice")
        terminal.write("en-US-GuyNeural\x13")
        await line(terminal, "voice", "locked: ")
        assert len(updates(sent)) == 2  # it was not asked for
        terminal.write("\x12")
        await read_until(terminal, lambda: len(updates(sent)) == 3, "the new session")
        assert updates(sent)[-1]["session"]["voice"]["name"] == "en-US-GuyNeural"
        await line(terminal, "voice", "in force")
        said = [event["item"] for event in sent if event["type"] == "conversation.item.create"]
        assert [item["content"][0]["text"] for item in said].count("hello") == 2  # typed, and given to the new session


EDITOR = """
import os, sys, time
path = sys.argv[-1]
text = open(path).read()
secrets = [name for name, value in os.environ.items() if "a-k3y" in value] + [a for a in sys.argv if "a-k3y" in a]
terminal = sys.stdin.isatty() and sys.stdout.isatty()
print("EDITOR HAS THE TERMINAL:", terminal, secrets, flush=True)
sys.stdin.readline()
open(path, "w").write(text.upper() + "\\nSecond line.\\n")
"""


async def test_the_instructions_are_edited_in_the_users_editor_while_the_conversation_goes_on(tmp_path):
    script = tmp_path / "editor.py"
    script.write_text(EDITOR)
    writer = WavWriter(tmp_path / "silence.wav")
    writer.write(silence(24_000 * 60))
    writer.close()
    options = ("--input-device", f"file:{tmp_path}/silence.wav", "--instructions", "Be brief.")
    async with program(tmp_path, *options, EDITOR=f"{sys.executable} {script}", VISUAL="") as (terminal, sent):
        terminal.write("c")
        await go(terminal, "voice")
        terminal.write("\x1bOS")  # F4
        await shows(terminal, "EDITOR HAS THE TERMINAL: True []")
        assert termios.tcgetattr(terminal.master)[3] == terminal.before[3]  # lines and echo, as before the program
        before, drawn = len(sent), len(terminal.received)
        terminal.process.send_signal(signal.SIGINT)  # as Ctrl+C sends to all programs of the terminal
        await asyncio.to_thread(terminal.read, 1.5)
        await read_until(terminal, lambda: len(sent) - before > 10, "sound is still being sent")
        assert len(terminal.received) == drawn  # and nothing was drawn over the editor
        terminal.write("\r")
        await shows(terminal, "Second line.")
        await line(terminal, "instructions", "changed")
        terminal.write("\x13")
        await line(terminal, "instructions", "in force")
        assert updates(sent)[-1]["session"] == {"instructions": "BE BRIEF.\nSecond line."}
        terminal.write("\x1b")
        await shows(terminal, "2 Transcript")
        terminal.write("q")
        assert await asyncio.to_thread(terminal.wait_for_end) == 0
        assert termios.tcgetattr(terminal.master) == terminal.before


async def test_an_editor_that_is_missing_or_fails_leaves_the_text_as_it_was(tmp_path):
    options = ("--input-device", "none", "--instructions", "Be brief.")
    async with program(tmp_path, *options, EDITOR="no-such-editor", VISUAL="") as (terminal, sent):
        terminal.write("c")
        await go(terminal, "voice")
        terminal.write("\x1bOS")
        await shows(terminal, "No such file")
        await shows(terminal, "Be brief.")
        terminal.write("\x13")
        await shows(terminal, "Nothing has changed.")
        assert len(updates(sent)) == 1
