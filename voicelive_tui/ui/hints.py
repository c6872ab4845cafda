"""Keys named in sentences, as the configuration has them."""

import re
from collections.abc import Iterator

from textual.binding import Binding
from textual.dom import DOMNode
from textual.widget import Widget

from voicelive_tui.ui.scroll_list import ScrollList
from voicelive_tui.ui.text import Line, Span

_KEY = re.compile(r"{([\w.]+)}")


class Hint(str):
    """A sentence with ids of bindings in braces, such as "press {mute}"; `with_keys` and `keyed` fill in the keys.

    A type of its own, so that braces in foreign text are never taken for keys.
    """

    __slots__ = ()


def key_of(widget: DOMNode, binding_id: str) -> str:
    """The first key that a binding has now, as the foot shows it; "" where there is no such binding.

    Textual's list of active bindings does not serve: it leaves out keys that the prompt disables.
    """
    binding = next((binding for binding in bindings_of(widget) if binding.id == binding_id), None)
    mapped = getattr(widget.app, "keys", {}).get(binding_id)  # see `VoiceLiveApp`
    if binding is None or mapped == "":
        return ""
    key = (mapped or binding.key).partition(",")[0]
    return widget.app.get_key_display(binding.with_key(key, None if mapped else binding.key_display))


def bindings_of(widget: DOMNode) -> Iterator[Binding]:
    """The bindings of a widget, of what it is in, and of the lists, as they are written."""
    for owner in (*(cls for node in widget.ancestors_with_self for cls in type(node).__mro__), ScrollList):
        yield from (binding for binding in vars(owner).get("BINDINGS", ()) if isinstance(binding, Binding))


def works(widget: Widget, hint: str) -> bool:
    """Whether the screen in use has all keys of a hint."""
    ids = {bound.binding.id for bound in widget.app.screen.active_bindings.values()}
    return ids.issuperset(_KEY.findall(hint))


def replayed(widget: Widget) -> bool:
    """Whether the screen shows a recording, where most keys only say why they do nothing."""
    return bool(getattr(widget.screen, "REFUSED", ()))


def with_keys(widget: Widget, text: str) -> str:
    """A `Hint` with the keys that its bindings have now; any other text as it is."""
    if not isinstance(text, Hint):
        return text
    return _KEY.sub(lambda found: key_of(widget, found[1]) or found[1], text)


def keyed(widget: Widget, hint: str) -> Line:
    """A hint with its keys, which stand out as in the foot."""
    spans: list[Span] = []
    for at, part in enumerate(_KEY.split(hint)):
        spans.append((key_of(widget, part) or part, "title") if at % 2 else (part, "text"))
    return tuple(span for span in spans if span[0])
