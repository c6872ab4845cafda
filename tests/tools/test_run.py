"""Running tools."""

import asyncio
import json
import logging
import sys
import threading
import time
from pathlib import Path

import pytest

from voicelive_tui.tools import ToolError
from voicelive_tui.tools.run import LONGEST_OUTPUT, Toolbox

SOURCE = '''
import asyncio, logging, msgspec, sys, threading, time
from datetime import date

logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))

released = threading.Event()

def words() -> str:
    """Text."""
    return "as it is: \\ud800"

def value(day: int = 1) -> dict:
    """A value."""
    return {"on": date(2026, 11, day), "list": [1, None]}

def raises() -> str:
    """Raise."""
    raise RuntimeError("no luck")

async def leaves() -> str:
    """Exit."""
    sys.exit("bye")

async def cancelled() -> str:
    """Cancel."""
    raise asyncio.CancelledError

class Picky(msgspec.Struct):
    x: int
    def __post_init__(self):
        raise KeyError(self.x)

def picky(value: Picky) -> str:
    """Be picky."""
    return "never"

def stops() -> str:
    """Stop."""
    raise StopIteration

def hangs() -> str:
    """Hang."""
    released.wait(30)
    return "late"

async def stubborn() -> str:
    """Hang, and refuse to be cancelled."""
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        await asyncio.sleep(0.01)
        raise ValueError("still here")

def megabyte() -> str:
    """Much."""
    return "x" * 1_000_000

def text_bytes() -> bytes:
    """Bytes."""
    return "größer".encode()

def raw_bytes() -> bytes:
    """Bytes."""
    return b"\\xff\\xfe"

def unknown() -> object:
    """An object."""
    return object()

def speaks() -> str:
    """Print."""
    print("hello", "there")
    sys.stdout.buffer.write("bytes ü\\n".encode())
    sys.stdout.buffer.flush()
    print("no line end", end="", file=sys.stderr)
    return "done"

def logs() -> str:
    """Log."""
    handler = logging.StreamHandler(sys.stdout)
    for name in ("mine", "voicelive_tui.tools.printing"):
        logging.getLogger(name).addHandler(handler)
    logging.getLogger("mine").warning("from a handler")
    print("and a print")
    for name in ("mine", "voicelive_tui.tools.printing"):
        logging.getLogger(name).removeHandler(handler)
    thread = threading.Thread(target=lambda: print("from a thread"), name="helper")
    thread.start()
    thread.join()
    return "done"

async def waits() -> int:
    """Wait."""
    await asyncio.sleep(0)
    print("waited")
    return 7
'''


MEETING = '''
import threading
met = threading.Barrier(3)

def meet() -> int:
    """Meet."""
    return met.wait(60)
'''


@pytest.fixture
def toolbox(tmp_path: Path) -> Toolbox:
    path = tmp_path / "tools.py"
    path.write_text(SOURCE)
    return Toolbox([str(path)])


async def output(toolbox: Toolbox, name: str, arguments: str = "", limit: float = 20.0) -> str:
    return (await toolbox.run(name, arguments, limit)).output


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("words", "{}", "as it is: ?"),
        ("value", '{"day": 3}', '{"on":"2026-11-03","list":[1,null]}'),
        ("text_bytes", "", "größer"),
        ("waits", "", "7"),
    ],
)
async def test_text_goes_as_it_is_and_anything_else_as_json(
    toolbox: Toolbox, name: str, arguments: str, expected: str
) -> None:
    assert await output(toolbox, name, arguments) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("raises", "", "RuntimeError: no luck"),
        ("leaves", "", "RuntimeError: SystemExit: bye"),
        ("cancelled", "", "CancelledError"),
        ("picky", '{"value": {"x": 3}}', "KeyError: 3"),
        ("stops", "", "RuntimeError: StopIteration: "),
        ("raw_bytes", "", "ValueError: the result is 2 bytes that are not text"),
        ("unknown", "", "TypeError: Encoding objects of type object is unsupported"),
        ("value", '{"day": "x"}', "the arguments are not valid: Expected `int`, got `str` - at `$.day`"),
        ("value", '{"night": 1}', "the arguments are not valid: Object contains unknown field `night`"),
        ("value", "{day", "the arguments are not valid: JSON is malformed: object keys must be strings (byte 1)"),
        ("nothing", "", "there is no function nothing"),
    ],
)
async def test_what_goes_wrong_is_an_output_for_the_model(
    toolbox: Toolbox, name: str, arguments: str, error: str
) -> None:
    outcome = await toolbox.run(name, arguments, 20.0)
    assert (json.loads(outcome.output), outcome.ended, outcome.remark) == ({"error": error}, "failed", error)


@pytest.mark.parametrize("name", ["hangs", "stubborn"])
async def test_a_call_that_takes_too_long_is_abandoned(toolbox: Toolbox, name: str) -> None:
    began = time.monotonic()
    outcome = await toolbox.run(name, "", 0.05)
    assert time.monotonic() - began < 20  # of 30
    assert (outcome.output, outcome.ended) == ('{"error":"timeout after 0.05 s"}', "timed out")
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("tool: "))
    sys.modules["voicelive_tools.tools"].released.set()
    await asyncio.sleep(0.05)


async def test_a_long_result_is_cut_and_reported(toolbox: Toolbox) -> None:
    outcome = await toolbox.run("megabyte", "", 20.0)
    assert len(outcome.output) == LONGEST_OUTPUT
    assert outcome.remark == "the result of 1,000,000 characters was shortened to 16,000"


async def test_what_a_tool_prints_goes_to_the_log_and_to_no_stream(
    toolbox: Toolbox, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    await asyncio.gather(output(toolbox, "speaks"), output(toolbox, "waits"))
    print("the program's own")
    lines = sorted(record.getMessage().removeprefix("speaks printed: ") for record in caplog.records)
    assert lines == ["bytes ü", "hello there", "no line end", "waits printed: waited"]
    assert capsys.readouterr() == ("the program's own\n", "")


async def test_handlers_and_threads_of_a_tool_print_to_the_log_as_well(
    toolbox: Toolbox, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    assert await output(toolbox, "logs") == "done"
    logging.getLogger("program").warning("of the program")
    lines = [record.getMessage() for record in caplog.records]
    assert lines[:2] == ["logs printed: from a handler", "from a handler"]
    assert lines[2:] == ["logs printed: and a print", "helper printed: from a thread", "of the program"]
    assert capsys.readouterr() == ("", "")


async def test_a_call_for_which_no_thread_can_be_started_is_answered(
    toolbox: Toolbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("voicelive_tui.threads.start", start)
    assert (await toolbox.run("raises", "", 20.0)).remark == "RuntimeError: can't start new thread"


async def test_three_calls_run_at_once(tmp_path: Path) -> None:
    path = tmp_path / "meeting.py"
    path.write_text(MEETING)
    toolbox = Toolbox([str(path)])
    assert sorted(await asyncio.gather(*(output(toolbox, "meet") for _ in range(3)))) == ["0", "1", "2"]


async def test_a_broken_file_keeps_the_old_tools(toolbox: Toolbox) -> None:
    path = Path(toolbox.named[0])
    path.write_text("def words(:")
    with pytest.raises(ToolError, match="line 1: invalid syntax"):
        await toolbox.reload()
    assert await output(toolbox, "waits") == "7"
    path.write_text('def words() -> str:\n    """Text."""\n    return "other"')
    await toolbox.reload()
    assert [tool["name"] for tool in toolbox.declarations] == ["words"]
    assert await output(toolbox, "words") == "other"
