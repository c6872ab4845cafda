"""Tables of values as TOML and JSON have them: dictionaries in dictionaries."""

from collections.abc import Iterator, Mapping
from typing import Any

Table = dict[str, Any]


def values_of(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values by dotted key, in their order; an empty table counts as a value."""
    for name, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from values_of(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def nested(key: str, value: Any) -> Table:
    """A value in the tables that a dotted key names."""
    for name in reversed(key.split(".")):
        value = {name: value}
    return value  # type: ignore[no-any-return]


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> Table:
    """Both in one; where both have a value, that of `above`."""
    both = {**below, **above}
    for name in below.keys() & above.keys():
        if isinstance(below[name], Mapping) and isinstance(above[name], Mapping):
            both[name] = merged(below[name], above[name])
    return both


def difference(above: Mapping[str, Any], below: Mapping[str, Any]) -> Table:
    """The values of `above` that `below` does not have: merged into `below`, they give all that `above` has."""
    found: Table = {}
    for name, value in above.items():
        other = below.get(name)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            if inner := difference(value, other):
                found[name] = inner
        elif name not in below or value != other or isinstance(value, bool) is not isinstance(other, bool):
            found[name] = value
    return found
