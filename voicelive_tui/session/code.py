"""The session in force as code: a JSON event, a Python program, or settings for the configuration file."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from voicelive_tui.config import Session
from voicelive_tui.session.request import NULL_MEANS_OFF, session_request
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.wanted import settings_in_use
from voicelive_tui.tables import difference, values_of
from voicelive_tui.text import brief, encodable, masked, visible
from voicelive_tui.wire.events import listing

_REPORTED = frozenset(("id", "object", "type", "model", "expires_at", "agent", "client_secret", "conversation_id"))
"""Fields that the service reports, and that no `session.update` may set."""

LONGEST = 100
"""Characters of a value in a comment."""


def settable(state: SessionState) -> dict[str, Any]:
    """The session in force, or wanted while none is, as a `session.update` would ask for it: without any secret."""
    session = state.in_force or state.wanted
    left_out = _REPORTED | ({"instructions"} if state.connection.agent else set())  # an agent has its own
    fields: dict[str, Any] = {}
    for name, value in session.items():
        if name == "tools":  # nulls have a meaning in schemas
            fields[name] = listing(value)
        elif name not in left_out and (value is not None or name in NULL_MEANS_OFF):
            fields[name] = _without_nulls(value)
    if fields.get("modalities") == ["audio"]:  # reported by native models, refused in an update (protocol, 4.1)
        fields["modalities"] = ["text", "audio"]
    return masked(fields)  # type: ignore[return-value]


def as_json(state: SessionState) -> str:
    """The `session.update` event."""
    return encodable(json.dumps({"type": "session.update", "session": settable(state)}, indent=2, ensure_ascii=False))


def as_python(state: SessionState) -> str:
    """A program that opens such a session with azure-ai-voicelive and prints its events."""
    entra = state.connection.credential.startswith("Entra")
    credential = "DefaultAzureCredential()" if entra else 'AzureKeyCredential(os.environ["AZURE_VOICELIVE_API_KEY"])'
    package = "identity.aio" if entra else "core.credentials"
    return encodable(
        _PYTHON.format(
            import_credential=f"from azure.{package} import {credential.partition('(')[0]}",
            session=_literal(settable(state)),
            credential=credential,
            answers=_answers(state),
            api_version=_literal(state.connection.api_version),
        )
    )


def as_toml(state: SessionState) -> str:
    """The `[session]` table of the configuration; comments name what it cannot express."""
    import tomlkit  # noqa: PLC0415 - only needed here

    session, base = settable(state), Session(model=state.connection.model or Session().model)
    settings = settings_in_use(state, session, base)
    table = {"model": settings.model} | difference(msgspec.to_builtins(settings), msgspec.to_builtins(Session()))
    tables = {"session": table}
    if agent := state.connection.agent:  # whose project is in no event
        tables["agent"] = {"name": agent, "project": "PROJECT"}
    rest = difference(session, session_request(settings))
    lines = (f"# no setting for {visible(name)} = {brief(value, LONGEST)}" for name, value in values_of(rest) if value)
    return encodable("\n".join([tomlkit.dumps(tables), *lines]).strip()) + "\n"


FORMATS: Mapping[str, Callable[[SessionState], str]] = {"JSON": as_json, "Python": as_python, "TOML": as_toml}

_PYTHON = """\
import asyncio
import os

from azure.ai.voicelive.aio import connect
{import_credential}

SESSION = {session}


async def main() -> None:
    async with connect(
        endpoint=os.environ["AZURE_VOICELIVE_ENDPOINT"],
        credential={credential},
        {answers},
        api_version={api_version},
    ) as connection:
        await connection.session.update(session=SESSION)
        async for event in connection:
            print(event.type)


asyncio.run(main())
"""


def _answers(state: SessionState) -> str:
    """The arguments of `connect` that name who answers."""
    if agent := state.connection.agent:
        return f'agent_name={_literal(agent)},\n        project_name=os.environ["AZURE_VOICELIVE_PROJECT"]'
    return f"model={_literal(state.connection.model)}"


def _literal(value: Any, margin: str = "") -> str:
    """A JSON value as Python writes it, a field or an element a line."""
    inner = margin + " " * 4
    match value:
        case dict() if value:
            fields = (f"{inner}{_literal(name)}: {_literal(part, inner)},\n" for name, part in value.items())
            return f"{{\n{''.join(fields)}{margin}}}"
        case list() if value:
            elements = (f"{inner}{_literal(part, inner)},\n" for part in value)
            return f"[\n{''.join(elements)}{margin}]"
        case str():
            return json.dumps(value, ensure_ascii=False)
    return repr(value)


def _without_nulls(value: Any) -> Any:
    """A JSON value without the nulls in its objects, which stand for the service's defaults."""
    if isinstance(value, Mapping):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list | tuple) else value
