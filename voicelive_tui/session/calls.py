"""`Call`: one call of a tool, a function that this client runs or a tool of an MCP server that the service runs."""

from enum import StrEnum
from typing import Literal

from msgspec import Struct

NO_USER = "refused: it needs an approval, and there is no user to give one"


class CallState(StrEnum):
    """What has become of a call."""

    ARGUMENTS = "arguments"  # they are being generated
    AWAITING = "awaiting approval"
    RUNNING = "running"
    ANSWERED = "answered"  # it has its output; no answer of the assistant is due, or not yet
    PENDING = "answer pending"  # all calls of its response have their output: the assistant's answer is due
    SPOKEN = "spoken"  # the assistant's answer has begun
    FAILED = "failed"
    TIMED_OUT = "timed out"
    STALE = "stale"  # the user went on before the output came: the assistant is not asked for an answer
    CANCELLED = "cancelled"  # its response ended within its arguments


class Call(Struct, frozen=True):
    """The facts of a call, kept in its entry of the transcript."""

    kind: Literal["function", "mcp", "listing"]
    """A listing is not a call of the model: an MCP server is asked which tools it has."""
    name: str = ""
    server: str = ""
    """Label of the MCP server."""
    call_id: str = ""
    """What the output of a function refers to."""
    output_id: str = ""
    """Id of the item `function_call_output`, once the session has it."""
    approval_id: str = ""
    """Id of the item `mcp_approval_request`."""
    arguments: str = ""
    """As generated, or as edited before the call was approved."""
    output: str = ""
    complete_at: float | None = None
    """When its arguments were complete."""
    waiting_at: float | None = None
    """Since when it waits, or had to wait, for the user's approval."""
    decided_at: float | None = None
    approved: bool | None = None
    started_at: float | None = None
    ended_at: float | None = None
    """When its output was known, on failure too."""
    ended: Literal["", "failed", "timed out", "cancelled"] = ""
    """How it ended, if not with a result."""
    overtaken_at: float | None = None
    """When the user went on (spoke, typed, interrupted) before the assistant was asked for an answer."""
    due_at: float | None = None
    """Since when the assistant's answer is due."""
    answered_by: str = ""
    """Id of the response that answers it."""
    spoken_at: float | None = None
    """When the first words or sound of that response came."""
    again: str = ""
    """The result of the last run that was for the user only."""

    @property
    def title(self) -> str:
        """The name, after the label of its MCP server."""
        return ".".join(filter(None, (self.server, self.name)))

    @property
    def waits(self) -> bool:
        """Whether it waits for the user's approval."""
        undecided = self.waiting_at is not None and self.decided_at is None
        return undecided and self.started_at is None and self.ended_at is None

    @property
    def answerable(self) -> bool:
        """Whether it has its output, to which an answer of the assistant belongs."""
        return self.ended_at is not None and self.kind != "listing"

    @property
    def open(self) -> bool:
        """Whether its output, or an answer of the assistant, is still to come."""
        if self.kind == "listing":
            return False
        return self.ended_at is None or (self.due_at is not None and not self.answered_by and self.overtaken_at is None)

    @property
    def state(self) -> CallState:
        """What has become of it so far."""
        if self.ended:
            return CallState(self.ended)
        if self.spoken_at is not None:
            return CallState.SPOKEN
        if self.ended_at is None:
            if self.waits:
                return CallState.AWAITING
            return CallState.ARGUMENTS if self.complete_at is None else CallState.RUNNING
        if self.overtaken_at is not None:
            return CallState.STALE
        return CallState.ANSWERED if self.due_at is None else CallState.PENDING
