"""Loading tools from files and modules."""

import sys
from pathlib import Path

import pytest

from voicelive_tui.tools import ToolError
from voicelive_tui.tools.load import load

WEATHER = '''
import math
from json import dumps

LIMIT = 3

def get_weather(city: str) -> str:
    """The weather of
    a city.

    Of no concern to the model.
    """
    return f"sunny in {city}"

async def wait(seconds: float = 1.0) -> None:
    """Wait."""

def _hidden() -> None:
    """Private."""

def undocumented() -> None:
    pass
'''

HUGGING_FACE = """
TOOLS = [{"type": "function", "name": "add", "description": "Add", "parameters": {"type": "object"}}]

async def execute_tool(name, arguments):
    return {"sum": arguments["a"] + arguments["b"], "by": name}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weather.py"
    path.write_text(WEATHER)
    return path


def test_each_public_function_with_a_docstring_that_is_defined_in_the_file_is_a_tool(file: Path) -> None:
    tools = load([str(file)])
    assert list(tools) == ["get_weather", "wait"]
    declaration = tools["get_weather"].declaration
    assert (declaration["type"], declaration["name"]) == ("function", "get_weather")
    assert declaration["description"] == "The weather of a city."
    assert declaration["parameters"]["required"] == ["city"]
    assert tools["get_weather"].call(tools["get_weather"].decode('{"city": "Oslo"}')) == "sunny in Oslo"
    assert [tool.is_async for tool in tools.values()] == [False, True]


def test_a_function_with_a_cache_is_a_tool_as_well(file: Path) -> None:
    file.write_text(f"import functools\n{WEATHER}\nget_weather = functools.cache(get_weather)")
    tool = load([str(file)])["get_weather"]
    assert (tool.declaration["description"], tool.call(tool.decode('{"city": "Oslo"}'))) == (
        "The weather of a city.",
        "sunny in Oslo",
    )


def test_names_choose_among_the_functions(file: Path) -> None:
    assert list(load([f"{file}:wait"])) == ["wait"]


def test_a_module_is_found_in_the_current_folder(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    before = list(sys.path)
    assert list(load(["weather:wait"])) == ["wait"]
    assert sys.path == before


def test_a_file_can_import_the_one_beside_it(file: Path) -> None:
    (file.parent / "other.py").write_text('import weather\ndef hot() -> str:\n    """Hot."""\n    return weather.LIMIT')
    tools = load([str(file.parent / "other.py")])
    assert tools["hot"].call({}) == 3


async def test_the_contract_of_speech_to_speech_works_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "adder.py"
    path.write_text(HUGGING_FACE)
    tool = load([str(path)])["add"]
    assert tool.declaration["parameters"] == {"type": "object"}
    assert await tool.call(tool.decode('{"a": 1, "b": 2}')) == {"sum": 3, "by": "add"}


def test_an_edit_within_the_same_second_counts(file: Path) -> None:
    for word in ("sunny", "rainy", "windy"):
        file.write_text(WEATHER.replace("sunny", word))
        assert load([str(file)])["get_weather"].call({"city": "Oslo"}) == f"{word} in Oslo"
    assert list(file.parent.iterdir()) == [file]  # nothing was written beside it


def loaded() -> set[str]:
    """Names of the modules that files of tools became; threads of other tests may load others."""
    return {name for name in sys.modules if name.startswith("voicelive_tools")}


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def f(:", "line 1: invalid syntax"),
        ("\nraise OSError('no key')", "line 2: OSError: no key"),
        ("import sys\nsys.exit(3)", "line 2: SystemExit: 3"),
        ("x = 1", "it has no public function with a docstring"),
        ('def f(*a):\n    """F."""', "f: its parameter 'a' cannot be given by name"),
        ('def größe():\n    """F."""', "'größe' is not a name for a tool: letters, digits, _ and -, 64 at most"),
        (
            "TOOLS = [{'name': 'f', 'parameters': []}, {'name': 'g', 'parameters': [1]}]\ndef execute_tool(): ...",
            "g: the parameters in TOOLS must be a JSON schema",
        ),
        ("TOOLS = [7]\ndef execute_tool(): ...", "each entry of TOOLS must be an object with a name"),
    ],
)
def test_a_broken_file_is_reported_in_a_sentence(tmp_path: Path, source: str, reason: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(source)
    modules = loaded()
    with pytest.raises(ToolError) as caught:
        load([str(path)])
    assert str(caught.value) == f"{path}: {reason}"
    if "raise" in source:
        assert loaded() == modules


def test_the_line_of_a_failure_is_named_for_a_relative_path_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.py").write_text("\nraise OSError('no key')")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ToolError, match=r"^broken\.py: line 2: OSError: no key$"):
        load(["broken.py"])


def test_names_that_are_wrong_are_reported(file: Path) -> None:
    for named, reason in (
        (f"{file}:nothing", "there is no public function 'nothing' (there is: get_weather, wait, undocumented)"),
        (f"{file}:undocumented", "undocumented has no docstring, and the model would know nothing of it"),
        (f"{file}x.py", "there is no Python file or module of that name"),
        ("no_such_module_here", "there is no Python file or module of that name"),
    ):
        with pytest.raises(ToolError) as caught:
            load([named])
        assert str(caught.value) == f"{named}: {reason}"
    (file.parent / "adder.py").write_text(HUGGING_FACE)
    with pytest.raises(ToolError, match=r"there is no tool 'sum' \(there is: add\)"):
        load([f"{file.parent / 'adder.py'}:sum"])
    with pytest.raises(ToolError, match=r"expected FILE\.py"):
        load(["what is this"])
    with pytest.raises(ToolError, match="there is a tool 'get_weather' already"):
        load([str(file), f"{file}:get_weather"])
