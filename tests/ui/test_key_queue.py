"""Keys that arrive in one chunk, as a fast typist, a slow line or a script brings them."""

import asyncio
import contextlib

import pytest
from textual import events

from tests import states
from tests.ui.fake import app_of, settled
from voicelive_tui.runtime import INTERRUPTED
from voicelive_tui.ui import key_queue
from voicelive_tui.ui.dashboard import DashboardScreen
from voicelive_tui.ui.panes.events import EventsPane
from voicelive_tui.ui.prompt import Prompt
from voicelive_tui.ui.scroll_list import ScrollList

CHARACTERS = {"slash": "/", "question_mark": "?"}


@pytest.fixture(autouse=True)
def _no_limit(monkeypatch):
    monkeypatch.setattr(key_queue, "LIMIT", 600.0)  # a wait that is not answered fails the test


def post(app, key):
    kind, _, text = key.partition(":")
    if kind == "paste":
        app.post_message(events.Paste(text))
        return
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


async def one_by_one(app, keys):
    """What keys lead to with time between them."""
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        for key in keys.split():
            post(app, key)
            await pilot.pause()
            await pilot.pause()
        return reached(app)


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
        "t paste:hello w enter 5 z",
        "3 slash paste:session enter 2 e",
    ],
)
async def test_keys_in_one_chunk_lead_where_they_lead_one_by_one(keys, monkeypatch):
    slow, fast = app_of(states.SPEAKING), app_of(states.SPEAKING)
    with monkeypatch.context() as patch:
        patch.setattr(key_queue, "LIMIT", 0.05)  # what is wanted does not depend on the waits
        wanted = await one_by_one(slow, keys)
    async with fast.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        for key in keys.split():
            post(fast, key)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(60):
                while reached(fast) != wanted:
                    await pilot.pause()
        assert reached(fast) == wanted


@pytest.fixture
def release(monkeypatch):
    """Set to let go of what the key `o` began, until then the screen handles no other message."""
    release = asyncio.Event()

    async def hang(_screen):
        await release.wait()

    monkeypatch.setattr(DashboardScreen, "action_devices", hang)
    return release


@pytest.mark.parametrize(
    ("key", "keys", "status"),
    [("ctrl+c", {}, INTERRUPTED), ("ctrl+q", {}, 0), ("f9", {"end": "f8,f9"}, INTERRUPTED)],
)
async def test_the_program_ends_at_once_however_long_another_key_takes(release, key, keys, status):
    app = app_of(states.SPEAKING, keys=keys)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        for each in ("o", "m", "i", key):
            post(app, each)
        try:
            async with asyncio.timeout(30):
                await app.live.closed.wait()
        finally:
            release.set()
    assert app.return_code == status
    assert app.live.applied == []  # the keys in between are dropped


async def test_the_program_is_suspended_at_once_and_the_keys_that_wait_keep_their_turn(release, monkeypatch):
    app = app_of(states.SPEAKING)
    suspended = asyncio.Event()
    monkeypatch.setattr(app, "action_suspend_process", suspended.set)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        for key in ("o", "m", "ctrl+z"):
            post(app, key)
        try:
            async with asyncio.timeout(30):
                await suspended.wait()
            assert app.live.applied == []
        finally:
            release.set()
        async with asyncio.timeout(60):
            while not app.live.applied:
                await pilot.pause()


async def test_keys_go_on_after_a_defect_in_the_wait_for_one(monkeypatch, caplog):
    async def broken(_target):
        raise RuntimeError("a defect")

    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        monkeypatch.setattr(key_queue, "_risen", broken)
        for key in "m m".split():
            post(app, key)
        async with asyncio.timeout(30):
            while len(app.live.applied) < 2:
                await pilot.pause()
    assert "a defect" in caplog.text
