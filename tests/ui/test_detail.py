import json

import pytest
from textual.app import App

from voicelive_tui.session.state import EventLog
from voicelive_tui.ui.detail import MANY, EventDetail


class DetailApp(App):
    def compose(self):
        yield EventDetail()


def row_of(value):
    return EventLog().append(0.0, "in", "some.event", json.dumps(value)).row(0)


async def nodes(value, *keys):
    """How many nodes the tree of a value has, and what is told by its last child, after some keys."""
    app = DetailApp()
    async with app.run_test(size=(80, 24)) as pilot:
        tree = app.query_one(EventDetail)
        tree.show(row_of(value))
        tree.focus()
        await pilot.press(*keys)
        await pilot.pause()
        return len(tree._tree_nodes), tree.root.children[-1].label.plain, json.loads(tree.selected_text())


async def test_an_ordinary_event_is_open_to_its_leaves():
    assert (await nodes({"a": {"b": {"c": [1, 2]}}, "d": 3}))[0] == 7


@pytest.mark.parametrize(
    "value",
    [list(range(160_000)), [[0] * 400] * 400, {str(n): {str(m): [m] for m in range(400)} for n in range(400)}],
)
async def test_a_wide_event_is_opened_as_far_as_there_is_room(value):
    count, _, copied = await nodes(value)
    assert count <= 2 * MANY
    assert copied == value


async def test_what_is_left_out_is_told():
    assert (await nodes(list(range(160_000))))[1] == "… 159,500 more, copy has all"


async def test_what_was_left_closed_is_filled_when_it_is_opened():
    before, _, _ = await nodes([[0] * 400] * 400)
    after, _, copied = await nodes([[0] * 400] * 400, "j", "space")
    assert after == before + 400
    assert copied == [0] * 400
