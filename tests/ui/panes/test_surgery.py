"""Keys of the transcript that change the conversation."""

from msgspec.structs import replace

from tests import states
from tests.ui.fake import app_of, settled
from tests.ui.screens import screen_text
from voicelive_tui.session.inputs import AskAgain, Branch, DeleteItem, InsertItem
from voicelive_tui.ui.line_dialog import LineDialog

TALKED = replace(states.IDLE, transcript=states.SPEAKING.transcript, response="", awaiting=False)
FIRST = TALKED.transcript[0].item_id


async def after(*keys, session=TALKED):
    """What was asked of the session, and what was reported, after keys in the transcript."""
    app, told = app_of(session), []
    app.notify = lambda message, **_: told.append(message)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        return app.live.applied, told


async def test_the_entry_under_the_cursor_is_deleted_and_nothing_without_a_cursor():
    assert (await after("g", "x"))[0] == [DeleteItem(FIRST)]
    assert await after("x") == ([], ["Move to an entry first: ↑"])


async def test_a_message_is_inserted_after_the_entry_in_the_role_that_tab_chose():
    assert (await after("g", "a", "tab", *"be brief", "enter"))[0] == [InsertItem(FIRST, "system", "be brief")]
    assert (await after("g", "a", "x", "escape"))[0] == []


async def test_another_answer_is_asked_for_with_or_without_instructions():
    assert (await after("A", "enter"))[0] == [AskAgain("")]
    assert (await after("A", *"in French", "enter"))[0] == [AskAgain("in French")]


async def test_a_branch_begins_at_the_entry():
    assert (await after("g", "B"))[0] == [Branch(FIRST)]


async def test_what_cannot_be_done_says_why_and_opens_nothing():
    waiting = replace(TALKED, awaiting=True)
    assert await after("A", session=waiting) == ([], ["an answer is on its way: interrupt it first"])


async def test_what_was_typed_stays_when_the_session_was_lost_meanwhile():
    app = app_of(TALKED)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("g", "a", *"kept")
        app.live.state = replace(TALKED, connection=states.FAILED.connection)
        await settled(pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, LineDialog)
        assert "kept" in screen_text(app)
        assert app.live.applied == []
