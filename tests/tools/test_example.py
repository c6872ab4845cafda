import textwrap
from pathlib import Path

from voicelive_tui.tools.load import load

README = Path(__file__).parents[2] / "README.md"


def test_the_example_of_the_readme_is_the_module_that_ships(tmp_path: Path) -> None:
    section = README.read_text().split("## Function tools", 1)[1].split("## MCP servers", 1)[0]
    code = section[section.index("    import asyncio") :].split("\n\nThe description", 1)[0]
    path = tmp_path / "example.py"
    path.write_text(textwrap.dedent(code))
    shown, shipped = load([str(path)]), load(["voicelive_tui.tools.example"])
    assert [tool.declaration for tool in shown.values()] == [tool.declaration for tool in shipped.values()]
    assert list(shipped) == ["get_weather", "set_timer"]
    assert shipped["get_weather"].call({"city": "Oslo", "unit": "celsius"})["sky"] == "sunny"
