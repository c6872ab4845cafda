"""What the fold accepts: events in both directions, sound facts, and the user's keys. More is in `keeping.py`."""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from voicelive_tui.config import Approval, BargeIn, Function
from voicelive_tui.session.continuation import Restored, Retry
from voicelive_tui.wire.events import Event
from voicelive_tui.wire.log import Severity


class Input(Struct, frozen=True, tag_field="input", tag=True):
    """The base of all inputs; a recording names their class."""


class Key(Input, frozen=True):
    """What a key of the dashboard causes."""


class Received(Input, frozen=True):
    """A server event arrived."""

    event: Event
    raw: str = ""
    """The JSON text as it came; "" where it is unknown."""


class Sent(Input, frozen=True):
    """A client event was written to the socket."""

    event: Event
    captured_at: float | None = None
    """ADC time of the first sample of the captured sound in it."""


class BadMessage(Input, frozen=True):
    """A WebSocket message arrived that is not an event; the connection continues."""

    problem: str
    raw: str = ""
    """The message as text; bytes that are not UTF-8 as escapes."""


class Connecting(Input, frozen=True):
    """A connection is being made."""

    endpoint: str
    api_version: str
    model: str
    credential: str
    agent: str = ""
    """See `Connection.agent`."""
    demo: bool = False
    caller: bool = False
    resumed: bool = False
    """It continues a session that was lost; else the model starts without a history."""


class Connected(Input, frozen=True):
    """The WebSocket is open; no event has arrived yet."""

    unix_time: float = 0.0
    """Unix seconds now; 0.0 where unknown."""
    dated: bool = False
    """By the service's clock; else by this machine's."""


class ConnectFailed(Input, frozen=True):
    """The connection could not be made."""

    problem: str
    transient: bool = False
    """Another attempt may succeed."""
    retry_after: float = 0.0
    """Seconds that the service asks to wait before it."""


class Disconnected(Input, frozen=True):
    """The connection ended."""

    code: int
    problem: str
    """One sentence, "" after a close of our own."""
    alive_at: float | None = None
    """When something last arrived, where a dead link was noticed only later."""


class LocalProblem(Input, frozen=True):
    """Something failed on this side; the session continues."""

    problem: str
    """One sentence for the user."""


OfLink = Connecting | Connected | ConnectFailed | Disconnected | Received | Sent | BadMessage | LocalProblem
"""What a link reports, and that it begins."""


class Reconnecting(Input, frozen=True):
    """A lost session will be connected again."""

    retry: Retry


class OnStandby(Input, frozen=True):
    """Something happened on the link that is to take over."""

    inner: OfLink


class RotationDue(Input, frozen=True):
    """It is time to prepare the next session, or to move to it; see `rotation.due`."""


class Rotated(Input, frozen=True):
    """The link on standby serves from now on."""


class HistorySent(Input, frozen=True):
    """The history of the lost session was handed to the new link."""

    history: Restored


class SentLate(Input, frozen=True):
    """Sound captured while there was no session was handed to the new one."""

    ms: float
    voiced: bool
    missing_ms: float
    """Sound before it that was not kept."""


class NoAnswer(Input, frozen=True):
    """Nothing came from the service for a while although an answer is awaited."""

    seconds: float


class DeviceChanged(Input, frozen=True):
    """A device was opened, failed, or was closed."""

    direction: Literal["input", "output"]
    description: str
    problem: str = ""


class CaptureChanged(Input, frozen=True):
    """Capture started or stopped."""

    capturing: bool


class InputEnded(Input, frozen=True):
    """The sound file in place of the microphone has ended."""


class MutePressed(Key, frozen=True):
    """Mute or unmute the microphone."""


class TalkPressed(Key, frozen=True):
    """Begin a push-to-talk turn, or send it."""


class InterruptPressed(Key, frozen=True):
    """Interrupt the assistant."""


class TalkCancelled(Key, frozen=True):
    """Discard the push-to-talk turn in progress."""


class BargeInEdited(Key, frozen=True):
    """Handle barge-in otherwise from now on."""

    barge_in: BargeIn


class TalkEdited(Key, frozen=True):
    """Use the SDK's audio turns for push-to-talk from the next turn on, or the input buffer."""

    audio_turns: bool


class CancelPressed(Key, frozen=True):
    """Send `response.cancel`, whether or not a response seems to be active."""


class ClearPressed(Key, frozen=True):
    """Send `input_audio.clear`."""


class ResetPressed(Key, frozen=True):
    """Start a new session with the wanted settings; while a lost one is waited for, try at once."""

    keep: bool = False
    """Give it the history of this one."""


class SessionEdited(Key, frozen=True):
    """The user wants other settings of the session, in this one and in those after it."""

    changes: Mapping[str, Any]
    """Whole fields of the session object; None stands for "off", or for the service's default."""
    at_once: bool = True
    """Ask for them now; else in the next session."""


class DeleteItem(Key, frozen=True):
    """Delete an item of the conversation."""

    item_id: str


class InsertItem(Key, frozen=True):
    """Insert a message after an item of the conversation."""

    item_id: str
    role: Literal["user", "assistant", "system"]
    text: str


class AskAgain(Key, frozen=True):
    """Ask for another answer to the conversation as it is."""

    instructions: str = ""
    """For this answer alone, in addition to those of the session."""


class Branch(Key, frozen=True):
    """Start a new session with the history up to an item."""

    item_id: str


class SettingsChanged(Input, frozen=True):
    """Other settings apply from the next session on, in place of all that was wanted; fields as in `SessionState`."""

    wanted: Mapping[str, Any]
    detection: Mapping[str, Any]
    barge_in: BargeIn
    audio_turns: bool
    rules: Mapping[str, Function]
    approvals: Mapping[str, Approval | Mapping[str, Approval]]
    conversation_id: str
    origin: str
    """Where they come from, in words."""


class RotatePressed(Key, frozen=True):
    """Move to a new session with this history in the next quiet moment."""


class StopPressed(Key, frozen=True):
    """Do not connect again by itself."""


class TypingBegan(Key, frozen=True):
    """The user begins to type a message."""


class TextTyped(Key, frozen=True):
    """The user typed a message."""

    text: str


class ToolStarted(Input, frozen=True):
    """A function runs."""

    item_id: str
    """Of the call."""
    again: bool = False
    """See `CallTool.again`."""


class ToolReturned(Input, frozen=True):
    """A function ended."""

    item_id: str
    output: str
    """For the model."""
    ended: Literal["", "failed", "timed out"] = ""
    """How, if not with a result."""
    remark: str = ""
    """For the user."""
    again: bool = False


class ResponseLost(Input, frozen=True):
    """A response keeps the next one from being asked for, and nothing has come of it for `seconds`."""

    seconds: float


class RuleChanged(Key, frozen=True):
    """The user wants calls of a function handled in another way."""

    name: str
    rule: Function


class ApprovalsChanged(Key, frozen=True):
    """The user wants requests for approvals of an MCP server's calls answered in another way."""

    server: str
    rule: Approval
    tool: str = ""
    """Empty: all tools of the server."""


class CallApproved(Key, frozen=True):
    """The user approved the call of a function, or of a tool of an MCP server."""

    item_id: str
    """Of the call, or of the request for its approval."""
    arguments: str | None = None
    """In place of those that were generated; for functions only."""
    delay: float | None = None
    """Seconds before it is run, in place of the rule's."""


class CallRefused(Key, frozen=True):
    """The user refused a call."""

    item_id: str
    sentence: str = "refused by the user"
    """The reason, for the model."""


class CallAnswered(Key, frozen=True):
    """The user answers the call of a function in its place."""

    item_id: str
    answer: str
    """The output, or @FILE to read it from a file."""


class CallRepeated(Key, frozen=True):
    """The user wants a function run again with the same arguments; the model does not learn of it."""

    item_id: str


CallInput = ToolStarted | ToolReturned | CallApproved | CallRefused | CallAnswered | CallRepeated
"""Inputs about one call."""


class ProblemsSeen(Key, frozen=True):
    """Dismiss the pinned problems."""


class KeepPressed(Key, frozen=True):
    """Keep a recording, with the last minutes; or end it."""


class VoicedUntil(Input, frozen=True):
    """ADC time of the last voiced microphone block, as requested by `AskVoiced`."""

    at: float


class PlaybackStarted(Input, frozen=True):
    """The first sample of an item reached the DAC."""

    item_id: str
    at: float


class PlaybackFinished(Input, frozen=True):
    """An item was played to its last sample."""

    item_id: str
    heard_ms: float


class PlaybackStopped(Input, frozen=True):
    """Playback of an item was stopped after `heard_ms` of it."""

    item_id: str
    heard_ms: float
    at: float
    """When the speaker fell silent."""


class LogRecord(Input, frozen=True):
    """A record of Python's logging, for the event log."""

    severity: Severity
    logger: str
    text: str
