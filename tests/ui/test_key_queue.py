"""Keys that arrive in one chunk, as a fast typist, a slow line or a script brings them."""

import asyncio
import contextlib

import pytest
from textual import events

from tests import states
from tests.ui.fake import app_of, settled
from voicelive_tui.ui.panes.events import EventsPane
from voicelive_tui.ui.prompt import Prompt
from voicelive_tui.ui.scroll_list import ScrollList

CHARACTERS = {"slash": "/", "question_mark": "?"}


def post(app, key):
    app.post_message(events.Key(key, CHARACTERS.get(key, key if len(key) == 1 else None)))


def reached(app):
    """What keys have led to."""
    screen = app.screen_stack[1]
    prompt, events_pane = screen.query_one(Prompt), screen.query_one(EventsPane)
    return {
        "screen": type(app.screen),
        "focus": app.focused and (type(app.focused), app.focused.id),
        "pane": (screen.current, screen.zoomed),
        "typed": getattr(app.focused, "value", ""),
        "prompt": prompt.display and prompt.purpose,
        "events": (events_pane.query_text, events_pane.inspecting),
        "lists": [(view.id, view.cursor, view.following) for view in screen.query(ScrollList)],
        "asked for": [type(each) for each in app.live.applied],
    }


@pytest.mark.parametrize(
    "keys",
    [
        "3 enter tab j",
        "3 l tab m",
        "3 2 slash w",
        "3 slash i s enter 2 e",
        "E enter escape escape m",
        "7 O enter e e",
        "question_mark q k",
        "c e m m a",
        "t h i enter 5 z",
    ],
)
async def test_keys_in_one_chunk_lead_where_they_lead_one_by_one(keys):
    slow, fast = app_of(states.SPEAKING), app_of(states.SPEAKING)
    async with slow.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        for key in keys.split():
            post(slow, key)
            await pilot.pause()
            await pilot.pause()
        wanted = reached(slow)
    async with fast.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        for key in keys.split():
            post(fast, key)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                while reached(fast) != wanted:
                    await pilot.pause()
        assert reached(fast) == wanted
