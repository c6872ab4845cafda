"""The film of a small app: what it shows at which time."""

from xml.etree import ElementTree as ET

from textual.app import App, ComposeResult
from textual.widgets import Static

from tests.pictures.film import Film

SVG = "{http://www.w3.org/2000/svg}"


class Board(App[None]):
    def compose(self) -> ComposeResult:
        yield Static("always here <&>", markup=False)
        yield Static("", id="changing")


async def filmed() -> ET.Element:
    """Three pictures, a second each, in which one line changes and comes back."""
    film = Film()
    app = Board()
    async with app.run_test(size=(40, 6)) as pilot:
        for at, words in enumerate(("one", "   two", "one")):
            app.query_one("#changing", Static).update(words)
            await pilot.pause()
            film.add(app.export_screenshot(), float(at))
    return ET.fromstring(film.svg(3.0))


def words_of(film: ET.Element, use: ET.Element) -> str:
    line = film.find(f".//{SVG}g[@id='{use.attrib['href'][1:]}']")
    assert line is not None
    return "".join(text.text or "" for text in line.iter(f"{SVG}text")).replace("\xa0", " ")


async def test_a_line_that_stays_is_not_animated() -> None:
    film = await filmed()
    (stays,) = (use for use in film.iter(f"{SVG}use") if words_of(film, use) == "always here <&>")
    assert stays.find(f"{SVG}animate") is None


async def test_a_line_that_changes_is_visible_at_its_times_and_the_last_picture_without_animation() -> None:
    film = await filmed()
    animated = {words_of(film, use): use for use in film.iter(f"{SVG}use") if use.find(f"{SVG}animate") is not None}
    times = {
        words: [(change.attrib["keyTimes"], change.attrib["values"]) for change in use.iter(f"{SVG}animate")]
        for words, use in animated.items()
    }
    assert times == {
        "one": [("0;0.3333;0.6667", "visible;hidden;visible")],
        "two": [("0;0.3333;0.6667", "hidden;visible;hidden")],
    }
    assert {words: use.get("visibility") for words, use in animated.items()} == {"one": None, "two": "hidden"}


async def test_a_line_that_looks_the_same_in_several_places_is_kept_once() -> None:
    film = await filmed()
    kept = [ET.tostring(line) for line in film.iter(f"{SVG}g") if line.get("id")]
    bodies = [line.partition(b">")[2] for line in kept]
    assert len(bodies) == len(set(bodies))
    assert len(list(film.iter(f"{SVG}use"))) > len(kept)
