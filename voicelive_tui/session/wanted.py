"""What the settings want of a session, as facts of its state, and the settings for these."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec.structs import replace

from voicelive_tui.config import Session, Settings
from voicelive_tui.session.inputs import SettingsChanged
from voicelive_tui.session.notes import note
from voicelive_tui.session.request import server_detection, settings_of, wanted_session, with_functions
from voicelive_tui.session.state import SessionState


def change_to(settings: Settings, functions: Sequence[Mapping[str, Any]], origin: str = "") -> SettingsChanged:
    """The change to these settings, with the declarations of the functions that the model can call."""
    return SettingsChanged(
        wanted=with_functions(wanted_session(settings), functions, parallel=settings.tools.parallel),
        detection=server_detection(settings.session.turn_detection),
        barge_in=settings.session.barge_in,
        audio_turns=settings.session.push_to_talk == "turns",
        rules=settings.tools.functions,
        approvals={server.label: server.approve for server in settings.mcp},
        conversation_id=settings.agent.conversation,
        origin=origin,
    )


def settings_in_use(state: SessionState, session: Mapping[str, Any], base: Session) -> Session:
    """The settings that ask for a session object, and for what this program does besides; see `settings_of`."""
    return replace(settings_of(session, base), barge_in=state.barge_in, push_to_talk=talk_setting(state))


def talk_setting(state: SessionState) -> Literal["buffer", "turns"]:
    """`config.Session.push_to_talk`."""
    return "turns" if state.audio_turns else "buffer"


def with_settings(state: SessionState, change: SettingsChanged) -> SessionState:
    """The state after a change of the settings."""
    fields = {name: getattr(change, name) for name in change.__struct_fields__ if name != "origin"}
    return replace(state, **fields)


def settings_changed(event: SettingsChanged, state: SessionState, now: float) -> SessionState:
    """Apply a change of the settings while a session runs, and note it in the log."""
    return note(with_settings(state, event), now, "settings", f"in the next session: {event.origin}")
