import asyncio
import logging
import sys

import pytest

from voicelive_tui.tools.printing import prints_to_log


async def test_what_a_context_prints_is_logged_by_its_name_and_everything_else_is_written(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)

    async def tool(name: str) -> None:
        with prints_to_log(name):
            print(name, end=" ")
            await asyncio.sleep(0)
            print("goes on", file=sys.stderr)

    await asyncio.gather(tool("one"), tool("two"))
    print("the program's own")
    lines = sorted(record.getMessage() for record in caplog.records)
    assert lines == ["one printed: one goes on", "two printed: two goes on"]
    assert capsys.readouterr() == ("the program's own\n", "")
