"""Schemas of functions."""

import json
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from voicelive_tui.tools.schema import SchemaError, arguments_type, schema_of


class Place(Struct):
    city: str
    country: Literal["DE", "NO"] = "NO"


class Route(Struct):
    start: Place
    end: Place


class Tree(Struct):
    branches: list["Tree"]


@dataclass
class Point:
    x: float
    y: float = 0.0


class Options(TypedDict, total=False):
    unit: str


def test_a_signature_becomes_a_schema_with_descriptions_limits_choices_and_defaults() -> None:
    def forecast(
        city: Annotated[str, Meta(description="A city")],
        days: Annotated[int, Meta(ge=1, le=7)] = 1,
        unit: Literal["celsius", "fahrenheit"] = "celsius",
    ) -> str:
        return city

    assert schema_of(arguments_type(forecast)) == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "A city"},
            "days": {"type": "integer", "minimum": 1, "maximum": 7, "default": 1},
            "unit": {"enum": ["celsius", "fahrenheit"], "default": "celsius"},
        },
        "required": ["city"],
        "additionalProperties": False,
    }


def test_nested_structures_are_inlined() -> None:
    def route(path: Route, via: list[Point] = [], options: Options | None = None) -> str:  # noqa: B006
        return ""

    schema = schema_of(arguments_type(route))
    assert "$ref" not in json.dumps(schema)
    assert schema["properties"]["path"]["properties"]["end"]["properties"]["country"]["default"] == "NO"
    assert schema["properties"]["via"]["items"]["properties"]["y"] == {"type": "number", "default": 0.0}


def test_a_mutable_default_is_not_shared_between_calls() -> None:
    def tag(names: list[str] = ["a"]) -> str:  # noqa: B006
        return ""

    kind = arguments_type(tag)
    first: Any = msgspec.json.decode(b"{}", type=kind)
    first.names.append("b")
    assert msgspec.json.decode(b"{}", type=kind).names == ["a"]  # type: ignore[attr-defined]


def unnamed(*cities: str) -> str:
    return ""


def positional(city: str, /) -> str:
    return ""


def unknown(place: "Nowhere") -> str:  # type: ignore[name-defined]  # noqa: F821
    return ""


def odd(stream: memoryview | complex) -> str:
    return ""


class Own:
    pass


def made_here(own: Own) -> str:
    return ""


def recursive(tree: Tree) -> str:
    return ""


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (unnamed, "its parameter 'cities' cannot be given by name"),
        (positional, "its parameter 'city' cannot be given by name"),
        (unknown, "name 'Nowhere' is not defined"),
        (odd, "no JSON schema"),
        (made_here, "no JSON schema (type <class 'tests.tools.test_schema.Own'> is not supported)"),
        (recursive, "Tree refers to itself"),
    ],
)
def test_a_function_that_cannot_be_described_is_refused_with_the_reason(function: Any, reason: str) -> None:
    with pytest.raises(SchemaError, match=re.escape(reason)):
        schema_of(arguments_type(function))


@given(
    st.fixed_dictionaries(
        {"city": st.text()}, optional={"days": st.integers(1, 7), "unit": st.sampled_from(["celsius", "fahrenheit"])}
    )
)
def test_what_fits_the_schema_decodes_to_itself(arguments: dict[str, Any]) -> None:
    def forecast(
        city: str, days: Annotated[int, Meta(ge=1, le=7)] = 1, unit: Literal["celsius", "fahrenheit"] = "celsius"
    ) -> None: ...

    decoded = msgspec.json.decode(json.dumps(arguments), type=arguments_type(forecast))
    assert msgspec.to_builtins(decoded) == {"days": 1, "unit": "celsius", **arguments}
