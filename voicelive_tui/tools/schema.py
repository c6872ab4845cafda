"""The JSON schema of a function's arguments, from its signature, and the decoding of arguments against it."""

import copy
import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

_REF = "#/$defs/"


class SchemaError(Exception):
    """A function that cannot be described; its text is one sentence about it."""


def arguments_type(function: Callable[..., Any]) -> type[msgspec.Struct]:
    """A structure with a field for each parameter of a function, with its annotation and its default."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception as error:  # evaluating annotations may raise anything
        raise SchemaError(f"its annotations cannot be evaluated ({error})") from None
    fields: list[Any] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise SchemaError(f"its parameter {name!r} cannot be given by name")
        kind, default = hints.get(name, Any), parameter.default
        if default is parameter.empty:
            fields.append((name, kind))
        elif isinstance(default, list | dict | set | bytearray) or hasattr(default, "__struct_fields__"):
            fields.append((name, kind, msgspec.field(default_factory=functools.partial(copy.deepcopy, default))))
        else:
            fields.append((name, kind, default))
    try:
        return msgspec.defstruct("arguments", fields, kw_only=True, forbid_unknown_fields=True)
    except (TypeError, ValueError) as error:
        raise SchemaError(f"its parameters cannot be described ({error})") from None


def schema_of(arguments: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema of a structure without `$ref`, which some models do not understand."""
    try:
        msgspec.json.Decoder(arguments)  # refuses some types that have a schema
        (top,), components = msgspec.json.schema_components([arguments], ref_template=_REF + "{name}")
        schema = _inlined(top, components, ())
    except (TypeError, ValueError, NotImplementedError) as error:
        _, _, reason = str(error).rpartition("\n")  # above it is advice for programs that use msgspec
        raise SchemaError(f"its parameters have no JSON schema ({reason})") from None
    assert isinstance(schema, dict)
    return {key: value for key, value in schema.items() if key != "title"}


def _inlined(value: Any, components: Mapping[str, Any], within: tuple[str, ...]) -> Any:
    """A schema with each `$ref` replaced by what it refers to."""
    if isinstance(value, list):
        return [_inlined(part, components, within) for part in value]
    if not isinstance(value, dict):
        return value
    if (ref := value.get("$ref")) is not None:
        name = str(ref).removeprefix(_REF)
        if name in within:
            raise ValueError(f"{name} refers to itself")
        rest = {key: part for key, part in value.items() if key != "$ref"}
        value = components[name] | rest
        within = (*within, name)
    return {key: _inlined(part, components, within) for key, part in value.items()}
