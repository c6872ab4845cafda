"""Performing `CallTool`: run a function of the user, or answer its call as its rule says."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from voicelive_tui.client.shell import Session
from voicelive_tui.config import Tools
from voicelive_tui.session import effects, inputs
from voicelive_tui.session.request import with_functions
from voicelive_tui.tools import ToolError
from voicelive_tui.tools.run import Outcome, Toolbox, failure, in_thread


class ToolCalls:
    """Runs functions, and loads them again.

    Where the conversation begins as the `demo`, they are examples, unless the settings name some.
    """

    def __init__(self, toolbox: Toolbox, settings: Tools, session: Session, *, demo: bool) -> None:
        self._toolbox, self._settings, self._session = toolbox, settings, session
        self._examples = demo and not settings.load

    def declarations(self, *, demo: bool) -> Sequence[Mapping[str, Any]]:
        """The functions as a session declares them; examples are for the demo's service only."""
        return () if self._examples and not demo else self._toolbox.declarations

    async def perform(self, wanted: effects.CallTool) -> None:
        """Run a function, and report its start and its end."""
        self._session.apply(inputs.ToolStarted(wanted.item_id, wanted.again))
        outcome = await self._outcome(wanted)
        self._session.apply(inputs.ToolReturned(wanted.item_id, *outcome, wanted.again))

    async def _outcome(self, wanted: effects.CallTool) -> Outcome:
        rule = wanted.rule
        await asyncio.sleep(rule.delay)
        match rule.policy:
            case "fail":
                return failure(rule.error)
            case "stub":
                return await _stub(rule.answer)
        return await self._toolbox.run(wanted.name, wanted.arguments, rule.timeout or self._settings.timeout)

    async def reload(self) -> None:
        """Load the functions again and declare them to the session; those that cannot be loaded stay as they were."""
        try:
            await self._toolbox.reload()
        except ToolError as error:
            self._session.apply(inputs.LocalProblem(f"the tools stay as they were: {error}"))
            return
        state = self._session.state
        tools = with_functions(state.wanted, self.declarations(demo=state.connection.demo)).get("tools", [])
        self._session.apply(inputs.SessionEdited({"tools": tools}))


async def _stub(answer: str) -> Outcome:
    """The output of a stub: a text, or what "@FILE" holds."""
    if not answer.startswith("@"):
        return Outcome(answer, remark="answered by a stub")
    try:
        text = await in_thread(lambda: Path(answer[1:]).expanduser().read_text(encoding="utf-8"), answer)
    except (OSError, ValueError, RuntimeError) as error:
        return failure(f"the answer in {answer[1:]} cannot be read: {getattr(error, 'strerror', None) or error}")
    return Outcome(text.strip(), remark=f"answered from {answer[1:]}")
