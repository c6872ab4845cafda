"""Importing what the user named, and the tools found there.

Importing a file runs it, so nothing is imported that the command line or the user's configuration does not name.
"""

import contextlib
import functools
import importlib.util
import inspect
import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import msgspec

from voicelive_tui.tools import ToolError
from voicelive_tui.tools.printing import prints_to_log
from voicelive_tui.tools.schema import SchemaError, arguments_type, schema_of

log = logging.getLogger(__name__)

_NAMED = re.compile(r"(?P<place>.+\.py|\w+(?:\.\w+)*)(?::(?P<names>\w+(?:,\w+)*))?")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What the service accepts as a name."""


class Tool(NamedTuple):
    """A tool that was loaded."""

    declaration: Mapping[str, Any]
    """What the session's `tools` has of it."""
    decode: Callable[[str], Mapping[str, Any]]
    """The arguments, from their JSON. Raises `msgspec.MsgspecError` with a sentence that a model can read."""
    call: Callable[[Mapping[str, Any]], Any]
    is_async: bool


def load(named: Sequence[str]) -> dict[str, Tool]:
    """The tools of some files and modules, by name. Raises `ToolError` where one cannot be imported or used.

    Each is named "FILE.py" or "package.module", perhaps with ":name,name" for some of its functions.
    """
    tools: dict[str, Tool] = {}
    for name in named:
        found = _load(name)
        if twice := tools.keys() & found.keys():
            raise ToolError(f"{name}: there is a tool {min(twice)!r} already")
        tools |= found
    return tools


def _load(named: str) -> dict[str, Tool]:
    match = _NAMED.fullmatch(named)
    if match is None:
        raise ToolError(f"{named!r}: expected FILE.py, FILE.py:name,name or package.module")
    place = match["place"]
    module = _import(str(Path(place).expanduser()) if place.endswith(".py") else place, named)
    names = match["names"].split(",") if match["names"] else None
    if isinstance(declared := getattr(module, "TOOLS", None), list) and hasattr(module, "execute_tool"):
        tools = _declared(declared, module.execute_tool, named)
        return {name: tools[name] for name in _known(names, tools, named, "tool")} if names else tools
    functions = {
        name: value
        for name, value in vars(module).items()
        if inspect.isfunction(getattr(value, "__wrapped__", value))  # functools.cache makes no function
        if value.__module__ == module.__name__ and not name.startswith("_")
    }
    if names is None:
        names = [name for name, function in functions.items() if inspect.getdoc(function)]
    if not names:
        raise ToolError(f"{named}: it has no public function with a docstring")
    return {
        name: _function(name, functions[name], named) for name in _known(names, functions, named, "public function")
    }


def _known(names: Sequence[str], there: Mapping[str, Any], named: str, kind: str) -> Sequence[str]:
    """These names, all of which must be there."""
    if missing := [name for name in names if name not in there]:
        raise ToolError(f"{named}: there is no {kind} {missing[0]!r} (there is: {', '.join(there) or 'none'})")
    return names


def _function(name: str, function: Callable[..., Any], named: str) -> Tool:
    """The tool that a function is; its description is the first paragraph of the docstring."""
    description = " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split())
    if not description:
        raise ToolError(f"{named}: {name} has no docstring, and the model would know nothing of it")
    try:
        arguments = arguments_type(function)
        schema = schema_of(arguments)
    except SchemaError as error:
        raise ToolError(f"{named}: {name}: {error}") from None
    decoder = msgspec.json.Decoder(arguments)

    def decode(text: str) -> Mapping[str, Any]:
        given = decoder.decode(text or "{}")
        return {field: getattr(given, field) for field in given.__struct_fields__}

    declaration = _declaration(name, description, schema, named)
    return Tool(declaration, decode, lambda given: function(**given), inspect.iscoroutinefunction(function))


def _declared(declared: list[Any], execute: Callable[..., Any], named: str) -> dict[str, Tool]:
    """The tools of a module with `TOOLS` and `execute_tool`: the contract of Hugging Face's speech-to-speech."""
    tools: dict[str, Tool] = {}
    decoder = msgspec.json.Decoder(dict[str, Any])

    def decode(text: str) -> Mapping[str, Any]:
        return decoder.decode(text or "{}")

    for entry in declared:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise ToolError(f"{named}: each entry of TOOLS must be an object with a name")
        name, parameters = entry["name"], entry.get("parameters") or {}
        if not isinstance(parameters, dict):
            raise ToolError(f"{named}: {name}: the parameters in TOOLS must be a JSON schema")
        made = _declaration(name, str(entry.get("description", "")), parameters, named)
        call = functools.partial(execute, name)
        tools[name] = Tool(made, decode, call, inspect.iscoroutinefunction(execute))
    return tools


def _declaration(name: str, description: str, parameters: Mapping[str, Any], named: str) -> Mapping[str, Any]:
    if not _TOOL_NAME.fullmatch(name):
        raise ToolError(f"{named}: {name!r} is not a name for a tool: letters, digits, _ and -, 64 at most")
    return {"type": "function", "name": name, "description": description, "parameters": parameters}


def _import(place: str, named: str) -> ModuleType:
    """A module made of the source as it is now; what was made of it before stays as it is."""
    spec = None
    with _search_path(place):
        try:
            spec = _spec(place)
            source = spec.loader.get_source(spec.name) if spec and spec.loader else None  # type: ignore[attr-defined]
            if spec is None or source is None:
                raise ToolError(f"{named}: there is no Python file or module of that name")
            return _execute(spec, source, named)
        except ToolError:
            raise
        except SyntaxError as error:
            raise ToolError(f"{named}: line {error.lineno}: {error.msg}") from None
        except (Exception, SystemExit) as error:
            log.warning("the tools of %s cannot be imported", named, exc_info=True)
            origin = spec.origin if spec else None
            lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == origin]
            where = f"line {lines[-1]}: " if lines else ""
            raise ToolError(f"{named}: {where}{type(error).__name__}: {error}") from None


def _spec(place: str) -> ModuleSpec | None:
    if not place.endswith(".py"):
        return importlib.util.find_spec(place)
    if not Path(place).is_file():
        return None
    return importlib.util.spec_from_file_location(f"voicelive_tools.{Path(place).stem}", place)


def _execute(spec: ModuleSpec, source: str, named: str) -> ModuleType:
    """Run a source as a module; Python's cache would miss an edit within a second."""
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(spec.name)
    root = logging.getLogger()
    handlers = set(root.handlers)
    sys.modules[spec.name] = module  # annotations are evaluated in it
    try:
        with prints_to_log(named):
            exec(compile(source, spec.origin or named, "exec"), vars(module))  # noqa: S102 - the user named this file
    except BaseException:
        if before is None:
            del sys.modules[spec.name]
        else:
            sys.modules[spec.name] = before
        raise
    finally:
        for handler in set(root.handlers) - handlers:  # it would print the program's records over the screen
            root.removeHandler(handler)
    return module


@contextlib.contextmanager
def _search_path(place: str) -> Iterator[None]:
    """Find modules beside a file, and from now on what its functions import; modules in the current folder."""
    folder = str(Path(place).parent.resolve()) if place.endswith(".py") else str(Path.cwd())
    known = folder in sys.path
    if not known:
        sys.path.append(folder)
    try:
        yield
    finally:
        if not known and not place.endswith(".py"):
            sys.path.remove(folder)
