"""What is typed into the fields of a session, and the settings that it stands for; a text each."""

import contextlib
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import inspect

from voicelive_tui.config import Session
from voicelive_tui.session.fields import BY_KEY, FIELDS, Field, Texts, types_of, words_of
from voicelive_tui.session.request import DEFAULTS, session_request, setting
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.wanted import talk_setting
from voicelive_tui.tables import Table, merged, nested


def show(value: object, separator: str = ", ") -> str:
    """A value of the session object as it is typed."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return separator.join(map(show, value))
    return "" if value is None else str(value)


def value_of(field: Field, text: str) -> Any:
    """The value of a field for the configuration; `ValueError`, with one sentence, if the text cannot be one."""
    if field.key == "instructions":
        return text
    text = text.strip()
    if field.flag:
        return text == "on"
    if field.choices and text not in field.choices:
        raise ValueError(f"expected {', '.join(choice or 'nothing' for choice in field.choices)}")
    if field.several:
        parts = tuple(filter(None, (part.strip() for part in text.split(field.several.strip()))))
        longest = getattr(types_of(field.key)[0], "max_length", None) or len(parts)
        if len(parts) > longest:
            raise ValueError(f"expected at most {longest}, not {len(parts)}")
        return parts
    if not text.isprintable():
        raise ValueError("expected printable characters only")
    number = field.number
    if number is None:
        if not text and field.key == "voice":
            raise ValueError("expected a name")
        return text
    if text in words_of(field.key):
        return text
    whole = isinstance(number, inspect.IntType)
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        raise ValueError(f"expected a {'whole ' if whole else ''}number, {field.range}") from None
    if not (number.ge or 0) <= value <= (number.le or 0):
        raise ValueError(f"{text[:20]} is not in the range {field.range}")
    return value


def wanted_texts(state: SessionState) -> dict[str, str]:
    """What is wanted: of the service, and of this program.

    In push-to-talk the turn detection has the values to which it returns. What is left to an agent is wanted as it is,
    so that a change of its turn detection keeps the rest of it.
    """
    texts = texts_of(state.wanted) | ours(state)
    if texts["turn_detection.type"] == "none":
        texts |= texts_of({"turn_detection": state.detection}, defaults=False) | {"turn_detection.type": "none"}
    if state.connection.agent:
        for key, text in texts_of(state.in_force, defaults=False).items():
            with contextlib.suppress(ValueError):  # it may have what no setting can express
                if BY_KEY[key].path[0] not in state.wanted:
                    value_of(BY_KEY[key], text)
                    texts[key] = text
    return texts


def ours(state: SessionState) -> dict[str, str]:
    """The texts of what this program does itself."""
    rules = {"barge_in": msgspec.to_builtins(state.barge_in), "push_to_talk": talk_setting(state)}
    return texts_of(rules, defaults=False)


def texts_of(session: Mapping[str, Any], *, defaults: bool = True) -> dict[str, str]:
    """The text of each field of a session object; of fields that it lacks the default, or nothing at all."""
    found: dict[str, str] = {}
    for field in FIELDS:
        value = setting(session, field.key)
        if value is not None:
            found[field.key] = _in_order(field, show(value, field.several or ", "))
        elif defaults:
            found[field.key] = show(DEFAULTS[field.key], field.several or ", ")
    return found


def _in_order(field: Field, text: str) -> str:
    """A list of which only some orders can be chosen; any other text as it is."""
    parts = sorted(text.split(", "))
    return next((choice for choice in field.choices if field.several and sorted(choice.split(", ")) == parts), text)


def settings_from(texts: Texts, model: str) -> Session:
    """The settings of the configuration; `ValueError` if a text cannot be the value of its field."""
    table: Table = {"model": model or "agent"}
    for key, text in texts.items():
        table = merged(table, nested(key, value_of(BY_KEY[key], text)))
    return msgspec.convert(table, Session)


def changes(before: Texts, after: Texts, model: str) -> dict[str, Any]:
    """The fields of the session object that differ, whole; None for those that are no longer set.

    Raises `ValueError` if a text cannot be the value of its field.
    """
    old, new = session_request(settings_from(before, model)), session_request(settings_from(after, model))
    names = [*new, *(name for name in old if name not in new)]
    return {name: new.get(name) for name in names if name not in old or new.get(name) != old[name]}
