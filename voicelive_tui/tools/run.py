"""Running a tool: whatever it does, there is an output for the model within its time limit."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import msgspec

from voicelive_tui import threads
from voicelive_tui.text import encodable
from voicelive_tui.tools.printing import prints_to_log

if TYPE_CHECKING:
    from voicelive_tui.tools.load import Tool

log = logging.getLogger(__name__)

T = TypeVar("T")

LONGEST_OUTPUT = 16_000
"""Characters of an output; the rest is left out, and reported."""


class Outcome(NamedTuple):
    """The end of a call."""

    output: str
    """For the model: the result, or a JSON object with the key `error`."""
    ended: Literal["", "failed", "timed out"] = ""
    """How it ended, if not with a result."""
    remark: str = ""
    """For the user."""


class Toolbox:
    """The tools of some files and modules; see `load`."""

    def __init__(self, named: Sequence[str] = ()) -> None:
        self.named = named
        self._tools = self._load()

    def _load(self) -> "Mapping[str, Tool]":
        if not self.named:
            return {}
        from voicelive_tui.tools.load import load  # noqa: PLC0415 - many have no tools

        return load(self.named)

    @property
    def declarations(self) -> tuple[Mapping[str, Any], ...]:
        """The tools as a session declares them."""
        return tuple(tool.declaration for tool in self._tools.values())

    async def reload(self) -> None:
        """Load all again; calls that run go on as they began. After a `ToolError` the tools are as before."""
        self._tools = await in_thread(self._load, "reload")

    async def run(self, name: str, arguments: str, limit: float) -> Outcome:
        """Call a tool with arguments in JSON; after `limit` seconds the call is abandoned."""
        tool = self._tools.get(name)
        if tool is None:
            return failure(f"there is no function {name}")
        try:
            with prints_to_log(name):
                given = tool.decode(arguments)
            running = _start(lambda: tool.call(given), name, is_async=tool.is_async)
        except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
            return failure(f"the arguments are not valid: {error}")
        except Exception as error:  # of the user's types, which are made here, or of a thread that cannot be started
            log.warning("the tool %s could not be called", name, exc_info=True)
            return failure(f"{type(error).__name__}: {error}")
        try:
            ended, _ = await asyncio.wait([running], timeout=limit)
        finally:
            running.cancel()  # of no effect on one that has ended; a thread goes on by itself
        if not ended:
            return failure(f"timeout after {limit:g} s", "timed out")
        if running.cancelled():
            return failure("CancelledError")
        if (problem := running.exception()) is not None:
            log.warning("the tool %s failed", name, exc_info=problem)
            return failure(f"{type(problem).__name__}: {problem}")
        output = running.result()
        if len(output) <= LONGEST_OUTPUT:
            return Outcome(output)
        remark = f"the result of {len(output):,} characters was shortened to {LONGEST_OUTPUT:,}"
        log.warning("%s: %s", name, remark)
        return Outcome(output[:LONGEST_OUTPUT], "", remark)


def failure(sentence: str, ended: Literal["failed", "timed out"] = "failed") -> Outcome:
    """The outcome of a call that ended without a result."""
    sentence = encodable(sentence)
    return Outcome(msgspec.json.encode({"error": sentence[:LONGEST_OUTPUT]}).decode(), ended, sentence)


def _start(call: Callable[[], Any], name: str, *, is_async: bool) -> asyncio.Future[str]:
    """Run a call in the loop or in a thread; its result as text."""
    if not is_async:
        return in_thread(lambda: as_text(call()), name)

    async def in_loop() -> str:
        with prints_to_log(name):
            try:
                return as_text(await call())
            except SystemExit as error:  # asyncio would end the program
                raise RuntimeError(f"SystemExit: {error}") from None

    task = asyncio.get_running_loop().create_task(in_loop())
    task.add_done_callback(lambda task: task.cancelled() or task.exception())  # it may be abandoned
    return task


def in_thread(call: Callable[[], T], name: str) -> asyncio.Future[T]:
    """Run a call in a daemon thread; what it prints goes to the log."""

    def run() -> T:
        with prints_to_log(name):
            try:
                return call()
            except StopIteration as error:  # no future takes it
                raise RuntimeError(f"StopIteration: {error}") from None

    return asyncio.wrap_future(threads.start(run, f"tool: {name}"))


def as_text(value: Any) -> str:
    """A result as the model gets it: text as it is, else JSON. Raises `TypeError` or `ValueError` for any other."""
    if isinstance(value, bytes | bytearray | memoryview):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            raise ValueError(f"the result is {len(value):,} bytes that are not text") from None
    return encodable(value) if isinstance(value, str) else encodable(msgspec.json.encode(value).decode())
