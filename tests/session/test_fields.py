"""The fields of the session editor."""

import msgspec

from voicelive_tui.config import Session
from voicelive_tui.session.fields import FIELDS


def leaves(kind: type[msgspec.Struct], prefix: str = "") -> set[str]:
    """The keys of a section, with dots."""
    found: set[str] = set()
    for field in msgspec.structs.fields(kind):
        inner = isinstance(field.type, type) and issubclass(field.type, msgspec.Struct)
        found |= leaves(field.type, f"{prefix}{field.name}.") if inner else {prefix + field.name}
    return found


def test_every_setting_of_the_session_has_a_field() -> None:
    assert {field.key for field in FIELDS} == leaves(Session) - {"model"}
