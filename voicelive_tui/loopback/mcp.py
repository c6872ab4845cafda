"""MCP servers that a session declares: their tools, their calls, and the approvals of these.

No server is contacted. A script names the servers that exist (`[[mcp]]`), their tools, and the result of each call;
listing the tools of any other server fails, and the session goes on (protocol, section 3.4h).

Voice Live documents neither when a call runs relative to `response.done` nor what follows a refusal. Here a call begins
once its arguments, or its approval, are complete, and a refused call fails.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from voicelive_tui.loopback.conversation import Conversation, Item, shown_item
from voicelive_tui.loopback.protocol import JsonObject, Note, Refusal, new_id
from voicelive_tui.loopback.script import Call, McpServer

Emit = Callable[..., None]
After = Callable[[float, Callable[[], None]], None]
"""Calls a function after that many seconds."""

REFUSED = "the call was not approved"


class McpCall(Struct):
    """A call whose arguments are complete."""

    scripted: Call
    item: Item
    place: JsonObject
    """`response_id`, `item_id` and `output_index`."""


BeginMcp = Callable[[McpCall, list[JsonObject]], None]
"""Takes a call, and the tools of its response."""


class McpServers:
    """The MCP servers of one session."""

    def __init__(
        self, known: tuple[McpServer, ...], conversation: Conversation, emit: Emit, note: Note, after: After
    ) -> None:
        self.fresh: set[str] = set()
        """Ids of calls that ended since the last response began: what the next one is about."""
        self._known = {server.label: server for server in known}
        self._conversation = conversation
        self._emit = emit
        self._note = note
        self._after = after
        self._seen: set[tuple[str, str]] = set()
        self._listed: set[str] = set()
        self._waiting: dict[str, McpCall] = {}

    def declare(self, tools: list[JsonObject]) -> None:
        """List the tools of each server that the session has not declared before."""
        for tool in tools:
            if tool["type"] != "mcp" or (place := (tool["server_label"], tool["server_url"])) in self._seen:
                continue
            self._seen.add(place)
            item_id = new_id("mcpl")
            self._emit("mcp_list_tools.in_progress", item_id=item_id)
            server = self._known.get(place[0])
            self._after(server.delay_ms / 1000 if server else 0.0, partial(self._list, item_id, place[0]))

    def _list(self, item_id: str, label: str) -> None:
        server = self._known.get(label)
        problem = f"there is no MCP server {label!r} in the script" if server is None else server.fail
        listed = [] if server is None or problem else [asdict(tool) for tool in server.tools]
        self._add(Item(shown_item("mcp_list_tools", item_id, server_label=label, tools=listed)))
        if problem:
            self._note("error", f"mcp_list_tools.failed: {problem}", {"server_label": label})
        else:
            self._listed.add(label)
        self._emit(f"mcp_list_tools.{'failed' if problem else 'completed'}", item_id=item_id)

    def usable(self, tools: list[JsonObject]) -> list[JsonObject]:
        """The tools without those of MCP servers that did not list any."""
        return [tool for tool in tools if tool["type"] != "mcp" or tool["server_label"] in self._listed]

    def begin(self, call: McpCall, tools: list[JsonObject]) -> None:
        """Run a call, or ask for its approval first."""
        label, name = call.item.json["server_label"], call.item.json["name"]
        server = next(tool for tool in tools if tool["type"] == "mcp" and tool["server_label"] == label)
        if not needs_approval(server.get("require_approval"), name):
            self._run(call)
            return
        request_id = new_id("mcpr")
        call.item.json["approval_request_id"] = request_id
        self._waiting[request_id] = call
        about = {"server_label": label, "name": name, "arguments": call.item.json["arguments"]}
        self._add(Item(shown_item("mcp_approval_request", request_id, **about)))
        self._note("note", f"asked for an approval of {label}.{name}", {"approval_request_id": request_id})

    def check_approval(self, item: Item) -> None:
        """Refuse an approval for which no call waits."""
        if item.json["approval_request_id"] not in self._waiting:
            text = f"No call waits for the approval '{item.json['approval_request_id']}'."
            raise Refusal(text, "invalid_approval_request_id", "item.approval_request_id")

    def decide(self, item: Item) -> None:
        """Carry out an approval, or a refusal."""
        call = self._waiting.pop(item.json["approval_request_id"])
        if item.json["approve"]:
            self._run(call)
        else:
            self._end(call, None, REFUSED)

    def _run(self, call: McpCall) -> None:
        place = {"item_id": call.item.id, "output_index": call.place["output_index"]}
        self._emit("response.mcp_call.in_progress", **place)
        scripted = call.scripted
        output = None if scripted.error else scripted.output or ""
        self._after(scripted.delay_ms / 1000, partial(self._end, call, output, scripted.error))

    def _end(self, call: McpCall, output: str | None, error: str | None) -> None:
        item, kind = call.item, "failed" if error else "completed"
        item.json |= {"status": kind, "output": output, "error": error}
        self.fresh.add(item.id)
        place = {"item_id": item.id, "output_index": call.place["output_index"]}
        self._emit(f"response.mcp_call.{kind}", **place)
        about = {name: call.place[name] for name in ("response_id", "output_index")}
        self._emit("response.output_item.done", **about, item=item.json)
        what = f"MCP call {item.json['server_label']}.{item.json['name']} {kind}"
        self._note("error" if error else "note", f"{what}: {error}" if error else what, {"item_id": item.id})

    def _add(self, item: Item) -> None:
        previous = self._conversation.add(item)
        self._emit("conversation.item.created", previous_item_id=previous, item=item.json)


def needs_approval(rule: Any, name: str) -> bool:
    """Whether a call of that tool needs an approval, by `require_approval`; a tool in neither list does."""
    if isinstance(rule, dict):
        exempt = rule.get("never")
        return not (isinstance(exempt, list) and name in exempt)
    return bool(rule != "never")
