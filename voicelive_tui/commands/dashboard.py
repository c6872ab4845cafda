"""`voicelive-tui`: the conversation in the dashboard."""

import asyncio
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from voicelive_tui import runtime
from voicelive_tui.client.profiles import Choice, Profiles
from voicelive_tui.commands.setup import FAILED, Options, complain, load, run_conversation, usable, validate_files
from voicelive_tui.config import ConfigError, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from voicelive_tui.commands.setup import Open
    from voicelive_tui.session.state import SessionState
    from voicelive_tui.ui.app import VoiceLiveApp


def run(options: Options) -> int:
    """Hold a conversation in the dashboard; the exit status."""
    if problem := no_terminal("voicelive-tui console"):
        return complain(problem)
    return run_conversation(options, partial(_hold, options))


def no_terminal(instead: str) -> str:
    """Why there is no terminal for the dashboard, and what to use in its place; "" where there is one."""
    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output"), (sys.stderr, "error")):
        if stream is None or not stream.isatty():  # None where it was closed
            return f"the dashboard needs a terminal, and standard {name} is none; use: {instead}"
    if os.environ.get("TERM") == "dumb":
        return f"TERM is dumb, and the dashboard must move the cursor; use: {instead}"
    return ""


async def _hold(options: Options, settings: Settings, open_session: "Open") -> "tuple[int, SessionState | None]":
    def make_app() -> "VoiceLiveApp":
        from voicelive_tui.ui.app import VoiceLiveApp  # noqa: PLC0415

        profiles = Profiles(options.config_path, partial(with_profile, options), settings)
        return VoiceLiveApp(open_session, settings.ui, settings.keys, profiles)

    app = await show(settings, make_app)
    status = app.return_code or 0
    if app.live is None:  # ended before the session was made
        return status, None
    await app.live.close()
    state = app.live.state
    return (FAILED if status == 0 and state.connection.failed else status), state


async def show(settings: Settings, make_app: "Callable[[], VoiceLiveApp]") -> "VoiceLiveApp":
    """Run an application until it ends; `make_app` imports and makes it, with the garbage collector off.

    Raises `ConfigError` as `validate_ui` does.
    """
    if settings.ui.lean and os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        # 24-bit colours take twice the bytes of the 256. Textual reads this once, when it is imported.
        os.environ.setdefault("TEXTUAL_COLOR_SYSTEM", "256")
    with runtime.policy() as policy:
        validate_ui(settings)
        app = make_app()
        runtime.end_on_signals(app.end_on_signal)
        collecting = asyncio.create_task(policy.collect(lambda: app.live.state if app.live else None))
        await app.run_async(mouse=settings.ui.mouse)
        collecting.cancel()
    return app


def with_profile(options: Options, name: str) -> Choice:
    """The settings with another profile. Raises `UserError` where they cannot be used."""
    loaded = load(replace(options, profile=name), report=lambda _: None)
    validate_ui(loaded.settings)
    validate_files(loaded.settings.audio, options.more_inputs)
    return Choice(*usable(options, loaded.settings), loaded.overridden)


def validate_ui(settings: Settings) -> None:
    """Check the names that only the dashboard knows: of themes, bindings and keys. Raises `ConfigError` for others."""
    from voicelive_tui.ui.themes import theme_names  # noqa: PLC0415 - loads Textual

    if settings.ui.theme and settings.ui.theme not in theme_names():
        raise ConfigError(f"ui.theme: there is no theme {settings.ui.theme!r}: {', '.join(sorted(theme_names()))}")
    if settings.keys:
        from voicelive_tui.ui import keymap  # noqa: PLC0415 - imports every pane; else they load after the first screen

        keymap.validate_keys(settings.keys)
