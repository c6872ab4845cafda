import json

import pytest
from textual.app import App

from tests.ui.screens import screen_text
from voicelive_tui.ui.detail import LONG_NAME, MANY, EventDetail, parsed


class DetailApp(App):
    def compose(self):
        yield EventDetail()


async def nodes(value, *keys):
    """The number of nodes of a value's tree and the label of its last child, after some keys."""
    app = DetailApp()
    async with app.run_test(size=(80, 24)) as pilot:
        tree = app.query_one(EventDetail)
        tree.show(0, "some.event", value)
        tree.focus()
        await pilot.press(*keys)
        await pilot.pause()
        return len(tree._tree_nodes), tree.root.children[-1].label.plain, json.loads(tree.selected_text())


async def test_an_ordinary_event_is_open_to_its_leaves():
    assert (await nodes({"a": {"b": {"c": [1, 2]}}, "d": 3}))[0] == 7


@pytest.mark.parametrize(
    "make",
    [
        lambda: list(range(160_000)),
        lambda: [[0] * 400] * 400,
        lambda: {str(n): {str(m): [m] for m in range(400)} for n in range(400)},
    ],
    ids=["list", "lists", "objects"],
)
async def test_a_wide_event_is_opened_as_far_as_there_is_room(make):
    value = make()
    count, _, copied = await nodes(value)
    assert count <= 2 * MANY
    assert copied == value


async def test_a_remark_counts_the_parts_left_out():
    assert (await nodes(list(range(160_000))))[1] == "… 159,500 more, copy has all"


async def test_a_closed_node_is_filled_when_it_is_opened():
    before, _, _ = await nodes([[0] * 400] * 400)
    after, _, copied = await nodes([[0] * 400] * 400, "j", "space")
    assert after == before + 400
    assert copied == [0] * 400


async def test_all_siblings_are_opened_as_far_as_there_is_room():
    before, _, _ = await nodes([[0] * 400] * 400)
    after, _, copied = await nodes([[0] * 400] * 400, "j", "j", "shift+space")
    assert after == before + 400
    assert copied == [0] * 400
    wide, _, _ = await nodes([[[0] * 2000] * 2], "j", "j", "shift+space")
    assert wide == 1 + 1 + 2 + MANY + 1
    # Closed first, then opened: nothing is filled twice.
    assert (await nodes({"a": [1], "b": [2], "c": 3}, "j", "shift+space", "shift+space"))[0] == 6


async def test_every_sibling_is_opened_where_there_is_room():
    app = DetailApp()
    async with app.run_test(size=(80, 24)) as pilot:
        tree = app.query_one(EventDetail)
        tree.show(0, "some.event", {"a": [1], "b": [2], "c": 3})
        tree.focus()
        await pilot.press("down", "shift+space")
        assert [node.is_expanded for node in tree.root.children] == [False, False, False]
        await pilot.press("shift+space")
        assert [node.is_expanded for node in tree.root.children] == [True, True, False]


async def test_a_message_wraps_however_narrow_it_is_and_any_line_of_it_copies_all():
    message = "80 % of the tokens of this minute are used; answers may slow down"
    app = DetailApp()
    async with app.run_test(size=(40, 24)) as pilot:
        tree = app.query_one(EventDetail)
        tree.show(0, "warning", {"warning": {"message": message, "code": None}})
        tree.focus()
        for width in (40, 60, 30):
            await pilot.resize_terminal(width, 24)
            await pilot.press("g", "j", "j", "j")
            await pilot.pause()
            shown = " ".join(screen_text(app).replace("│", "").split())
            assert shown == f"▼ warning ▼ warning message: {message} code: null"
            assert tree.selected_text() == message


async def test_the_cursor_stays_on_its_value_where_the_width_changes():
    app = DetailApp()
    async with app.run_test(size=(40, 24)) as pilot:
        tree = app.query_one(EventDetail)
        tree.show(0, "some.event", {"a": "many words " * 9, "b": "the chosen one"})
        tree.focus()
        await pilot.press(*"jjjjjj")
        assert tree.selected_text() == "the chosen one"
        await pilot.resize_terminal(70, 24)
        await pilot.pause()
        assert tree.selected_text() == "the chosen one"


async def test_the_time_of_day_comes_first_and_can_be_copied():
    app = DetailApp()
    async with app.run_test(size=(60, 10)) as pilot:
        tree = app.query_one(EventDetail)
        tree.show(0, "some.event", {"a": 1}, "2026-11-26 08:17:03.123+00:00")
        tree.focus()
        await pilot.press("j")
        assert tree.selected_text() == "2026-11-26 08:17:03.123+00:00"
        await pilot.resize_terminal(50, 10)
        await pilot.pause()
        assert screen_text(app).count("2026-11-26 08:17:03.123+00:00") == 1


async def test_many_long_strings_take_no_more_lines_than_many_short_ones():
    assert (await nodes(["many words " * 500] * 2000))[0] <= 2 * MANY


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 5000 + "]" * 5000, "[" * 400 + "]" * 400, "{no json"])
async def test_unreadable_json_is_shown_as_text(text):
    app = DetailApp()
    async with app.run_test(size=(80, 24)):
        tree = app.query_one(EventDetail)
        tree.show(0, "some.event", parsed(text))
        assert tree.selected_text() == text


async def test_a_long_name_is_cut_and_copied_whole():
    value = {"k" * 1_000_000: {"x": 1}}
    app = DetailApp()
    async with app.run_test(size=(80, 24)):
        tree = app.query_one(EventDetail)
        tree.show(0, "some.event", value)
        assert len(tree.root.children[0].label.plain) == LONG_NAME
        assert json.loads(tree.selected_text()) == value
