"""A recording in the dashboard (`voicelive-tui replay`), or as the lines of the console (`console --replay`)."""

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from voicelive_tui import logs, runtime
from voicelive_tui.commands.dashboard import no_terminal, show
from voicelive_tui.commands.lines import JsonLines, Moments, TextLines, Writer
from voicelive_tui.commands.output import READER_LEFT, to_stdout
from voicelive_tui.commands.setup import FAILED, Options, complain, load, warn
from voicelive_tui.config import Settings

if TYPE_CHECKING:
    from voicelive_tui.recording.player import Player
    from voicelive_tui.ui.app import VoiceLiveApp


def run(options: Options, path: Path) -> int:
    """Play a recording in the dashboard; the exit status."""
    if problem := no_terminal(f"voicelive-tui console --replay {path}"):
        return complain(problem)
    settings = load(options).settings
    log_path = logs.start(settings.logging, verbose=options.verbose, report=warn)
    runtime.exit_on_signals()
    with contextlib.ExitStack() as stack:
        player = open_player(path, stack)
        stack.enter_context(runtime.native_stderr_to(logs.native_path(log_path)))
        return asyncio.run(_show(player, settings, path.name))


def write_lines(path: Path, *, as_json: bool) -> int:
    """Write a recording as the console wrote, or would have written, the conversation; the exit status."""
    with contextlib.ExitStack() as stack:
        return asyncio.run(_write(open_player(path, stack), as_json=as_json))


async def _write(player: "Player", *, as_json: bool) -> int:
    manifest, at = player.bundle.manifest, player.begin
    moments = Moments(lambda: at, (manifest.unix_ns - manifest.t_ns) / 1e9)
    writer: Writer = JsonLines(to_stdout, moments=moments) if as_json else TextLines(to_stdout, moments=moments)
    for step in player.advance(player.end):
        at = step.at
        writer.observe(*step)
        if not await writer.output.room():
            break
    writer.write_delays()
    await writer.output.close()
    if (error := writer.output.error) is None or error.errno in READER_LEFT:
        return 0
    warn(f"the output cannot be written: {error.strerror or error}")
    return FAILED


def open_player(path: Path, stack: contextlib.ExitStack) -> "Player":
    """Open a recording until the stack closes. Raises `BundleError` if there is nothing to play."""
    from voicelive_tui.recording.bundle import Bundle  # noqa: PLC0415
    from voicelive_tui.recording.player import Player  # noqa: PLC0415

    bundle = stack.enter_context(Bundle(path))
    player = Player(bundle)
    for flaw in bundle.flaws:
        warn(flaw)
    return player


async def _show(player: "Player", settings: Settings, name: str) -> int:
    def make_app() -> "VoiceLiveApp":
        from voicelive_tui.client.replay import ReplaySession  # noqa: PLC0415
        from voicelive_tui.ui.replay import ReplayApp  # noqa: PLC0415

        return ReplayApp(ReplaySession(player, settings.audio), settings.ui, settings.keys, name)

    app = await show(settings, make_app)
    return app.return_code or 0
