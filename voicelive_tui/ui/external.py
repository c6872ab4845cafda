"""A text edited in the user's own editor while the conversation goes on."""

import asyncio
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported

from voicelive_tui.text import mask

_SECRET = re.compile("key|token|secret|password|credential", re.IGNORECASE)


class ExternalEditorError(Exception):
    """The text is unchanged; one sentence with the reason."""


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without variables that hold a secret, by their name or by a secret of this process."""
    return {name: value for name, value in environment.items() if not _SECRET.search(name) and mask(value) == value}


async def edit(app: App[Any], text: str) -> str:
    """The text as the user leaves it in `$VISUAL` or `$EDITOR`, or `ExternalEditorError`; that has the terminal."""
    written = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        command = shlex.split(written)
        with tempfile.TemporaryDirectory(prefix="voicelive-tui-") as folder:
            path = Path(folder, "instructions.md")
            await asyncio.to_thread(path.write_text, text, "utf-8")
            with app.suspend():  # which does not end with an exception
                status = await _run(*command, str(path))
            if isinstance(status, OSError):
                raise status
            if status:
                raise ExternalEditorError(f"{command[0]} ended with status {status}: the text is unchanged")
            edited = await asyncio.to_thread(path.read_text, "utf-8")
    except (OSError, ValueError, IndexError) as problem:  # ValueError: quotes in EDITOR, or no UTF-8
        reason = problem.strerror if isinstance(problem, OSError) else problem
        raise ExternalEditorError(f"the text cannot be edited with {written!r} (EDITOR): {reason}") from None
    except SuspendNotSupported:
        raise ExternalEditorError("this terminal cannot be given to another program") from None
    return edited.removesuffix("\n") if not text.endswith("\n") else edited


async def _run(*command: str) -> int | OSError:
    """Run a program in the terminal; its exit status, or why it cannot be started."""
    terminal = sys.__stderr__  # file descriptor 2 is not the terminal, see `runtime.native_stderr_to`
    try:
        process = await asyncio.create_subprocess_exec(*command, stderr=terminal, env=without_secrets(os.environ))
    except OSError as problem:
        return problem
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
