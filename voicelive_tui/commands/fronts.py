"""The two fronts of a conversation, the dashboard and the console: how they run, what ends them, and with what status.

Nothing heavy is imported at the top, see `cli.py`.
"""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from voicelive_tui import config
from voicelive_tui.client import startup
from voicelive_tui.config import ConfigError, Settings

if TYPE_CHECKING:
    from voicelive_tui.client.live import LiveSession
    from voicelive_tui.runtime import Policy
    from voicelive_tui.session.state import SessionState
    from voicelive_tui.ui.app import VoiceLiveApp

    Joining = AbstractAsyncContextManager[LiveSession]

log = logging.getLogger(__name__)

FAILED, INTERRUPTED = 1, 130
"""Exit statuses; 0 is for what ended as asked."""

YOUNG_COLLECTION_SECONDS, SPARSE_COLLECTION_SECONDS, FULL_COLLECTION_SECONDS = 0.1, 0.5, 5.0
"""Between young garbage collections, which are short; the same where little is made, for each look wakes a processor;
and between full ones, which wait for a silent moment."""

ENDINGS = ((signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, INTERRUPTED))
"""SIGTERM and SIGHUP end as asked, SIGINT with its own status."""


def leave_at_once(status: int, *_: object) -> None:
    """End the program without further ado: a signal handler for the time when there is nothing to put in order."""
    os._exit(status)


def _on_signals(end: Callable[[int], object]) -> None:
    """Let signals end the conversation in the same order as the key does."""
    loop = asyncio.get_running_loop()

    def told(number: signal.Signals, status: int) -> None:
        log.info("shutdown signal: %s", number.name)
        end(status)

    for number, status in ENDINGS:
        loop.add_signal_handler(number, told, number, status)


async def dashboard(settings: Settings, joining: "Joining") -> "tuple[int, SessionState]":
    """Hold a conversation in the dashboard: the exit status, and the state at the end.

    Raises:
        ConfigError: The configuration names a theme, a binding or a key that there is not, or a key twice.
    """
    if settings.ui.lean and os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        # A colour of 24 bits takes twice the bytes of one of 256. Textual reads this when it is loaded: after that
        # there is no way to choose.
        os.environ.setdefault("TEXTUAL_COLOR_SYSTEM", "256")
    from voicelive_tui import runtime as realtime  # noqa: PLC0415
    from voicelive_tui.ui.app import VoiceLiveApp  # noqa: PLC0415

    _demand_ui(settings, VoiceLiveApp)
    late = startup.LateSession(joining)
    with realtime.policy() as timing:
        app = VoiceLiveApp(late, settings.ui, settings.keys)
        _on_signals(lambda status: app.call_later(app.end, status))
        collecting = asyncio.create_task(_collect_garbage(timing, late))
        await app.run_async(mouse=settings.ui.mouse)
        collecting.cancel()
    await late.close()
    status = app.return_code or 0
    return (FAILED if status == 0 and late.state.connection.failed else status), late.state


def _demand_ui(settings: Settings, app: type["VoiceLiveApp"]) -> None:
    """Names in the configuration that only the dashboard knows.

    Raises:
        ConfigError: There is no such theme, binding or key, or two bindings have the same key.
    """
    if settings.ui.theme and settings.ui.theme not in app.theme_names():
        raise ConfigError(f"ui.theme: there is no theme {settings.ui.theme!r}: {', '.join(sorted(app.theme_names()))}")
    if settings.keys:
        from voicelive_tui.ui import keymap  # noqa: PLC0415 - brings every pane, which else come behind the first screen

        keymap.demand(settings.keys)


async def _collect_garbage(timing: "Policy", late: "startup.LateSession") -> None:
    """The collector's work, at moments that sound does not notice; see `realtime.py`."""
    settled, full_at, pause = False, time.monotonic(), YOUNG_COLLECTION_SECONDS
    while True:
        await asyncio.sleep(pause)
        pause = YOUNG_COLLECTION_SECONDS if timing.much_is_young() else SPARSE_COLLECTION_SECONDS
        if not settled:
            if late.state.connection.session_id:  # all modules are loaded now
                timing.settle()
                settled = True
        elif time.monotonic() - full_at > FULL_COLLECTION_SECONDS and not late.state.playing:
            timing.full()
            full_at = time.monotonic()
        else:
            timing.young()


async def console(_settings: Settings, joining: "Joining", *, as_json: bool) -> "tuple[int, SessionState]":
    """Hold a conversation in lines of text: the exit status, and the state at the end."""
    from voicelive_tui.commands.console import hold_conversation  # noqa: PLC0415

    async with joining as live:
        talk = asyncio.create_task(hold_conversation(live, click.echo, as_json=as_json))
        asked_to_end: list[int] = []

        def end(status: int) -> None:
            asked_to_end.append(status)
            talk.cancel()

        _on_signals(end)
        await asyncio.wait([talk])
        if asked_to_end:
            return asked_to_end[0], live.state
        try:
            return talk.result(), live.state
        except BrokenPipeError:
            return 0, live.state  # the reader has seen enough, as `head` has
        except OSError as problem:
            click.echo(f"{config.APP_NAME}: the output cannot be written: {problem.strerror or problem}", err=True)
            return FAILED, live.state


def summary(state: "SessionState", log_path: Path) -> str:
    """What stays in the scrollback: length, turns, tokens, why it ended, and where the log is."""
    from voicelive_tui.text import visible  # noqa: PLC0415

    connection, counts, usage = state.connection, state.counts, state.usage.sums
    parts = ["no session"]
    if connection.ready_at is not None:
        seconds = int((connection.ended_at or time.monotonic()) - connection.ready_at)
        parts = [f"session of {seconds // 60}:{seconds % 60:02d}"]
        parts += [f"{state.turn_count} turn{'' if state.turn_count == 1 else 's'}"]
        parts += [f"{counts.interruptions} interrupted"] if counts.interruptions else []
        parts += [f"{usage.total} tokens ({usage.input} in, {usage.output} out)"] if usage.total else []
    end = connection.problem or (f"closed with code {connection.close_code}" if connection.close_code else "")
    return f"{config.APP_NAME}: {', '.join(parts)}{f'; {visible(end)}' if end else ''}; log: {log_path}"
