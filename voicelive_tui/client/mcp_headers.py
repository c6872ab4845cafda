"""Headers of MCP servers: the state has the names of variables, the wire their values."""

import os
from collections.abc import Mapping
from typing import Any

from voicelive_tui.text import hide


def with_values(event: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Mapping[str, Any]:
    """A client event to be sent, with the values of variables in the headers of its MCP servers.

    See `session.request.mcp_tools`. A header whose variable is not set is left out. The values are masked
    in every output.
    """
    tools = event.get("session", {}).get("tools") if event.get("type") == "session.update" else None
    if not tools or not any("headers" in tool for tool in tools):
        return event
    return {**event, "session": {**event["session"], "tools": [_with_values(tool, environment) for tool in tools]}}


def _with_values(tool: Mapping[str, Any], environment: Mapping[str, str]) -> Mapping[str, Any]:
    if tool.get("type") != "mcp" or "headers" not in tool:
        return tool
    values = {header: environment.get(name.removeprefix("$"), "") for header, name in tool["headers"].items()}
    hide(*values.values())
    return {**tool, "headers": {header: value for header, value in values.items() if value}}
