"""The session editor over the dashboard; the state behind it is folded, the service's answers are given."""

import json
import time
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from tests.session.folding import CONNECTING, REQUEST, answer, ready
from tests.ui.fake import FakeLive
from tests.ui.screens import screen_text
from voicelive_tui.config import BargeIn, Ui
from voicelive_tui.session.calls import Call
from voicelive_tui.session.effects import Send
from voicelive_tui.session.fold import reduce
from voicelive_tui.session.inputs import (
    BargeInEdited,
    CallRefused,
    Connected,
    Disconnected,
    LocalProblem,
    MutePressed,
    Received,
    ResetPressed,
    Sent,
    SessionEdited,
    TalkEdited,
)
from voicelive_tui.session.transcript import Entry
from voicelive_tui.ui.app import VoiceLiveApp
from voicelive_tui.ui.dashboard import DashboardScreen
from voicelive_tui.ui.editor import EditorScreen
from voicelive_tui.ui.editor_row import Row
from voicelive_tui.ui.line_dialog import LineDialog

BLOCK = REQUEST["turn_detection"]


class FoldedLive(FakeLive):
    """Folds every input, and keeps those of the keys."""

    def __init__(self, state=None):
        super().__init__(state or ready().state)
        self.now = 2_000.0

    def apply(self, input_):
        self.applied.append(input_)
        self.fold(input_)

    def fold(self, input_):
        self.now += 0.01
        state, wanted = reduce(input_, self.state, self.now)
        self.receive(input_, state)
        for effect in wanted:
            if isinstance(effect, Send):
                self.fold(Sent(effect.event))

    def answer(self, **session):
        self.fold(Received({"type": "session.updated", "session": {**REQUEST, **session}}))

    def refuse(self, param):
        error = {"message": "this is out of range", "param": param, "event_id": self.state.edits[-1].event_id}
        self.fold(Received({"type": "error", "error": error}))


class Editing:
    """A running app with the editor open."""

    def __init__(self, pilot, live):
        self.pilot, self.live, self.app = pilot, live, pilot.app

    @property
    def text(self):
        return screen_text(self.app)

    async def shows(self, *texts):
        """Wait until all of these texts are on the screen."""
        await self._until(lambda: all(text in self.text for text in texts), texts)

    async def ends(self, label, end):
        """Wait until a field's line ends like this."""
        await self._until(lambda: self.line(label).endswith(end), (label, end))

    async def _until(self, condition, what):
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end, f"{what} did not come:\n{self.text}"
            await self.pilot.pause(0.02)

    def line(self, label):
        return next(line for line in self.text.splitlines() if line.startswith(f" {label} "))

    async def go(self, label):
        """Move to a field; `test_keys_move_between_fields` has the keys for that."""
        row = next(row for row in self.app.screen.query(Row) if row.field.label == label)
        row.value.focus()
        await self.pilot.pause()
        await self.shows(f"\n {label}: ")

    async def press(self, *keys):
        await self.pilot.press(*keys)
        await self.pilot.pause(0.05)


def editing(test):
    """Run a test with the editor open, at a size that shows every field."""

    async def run():
        live = FoldedLive()
        async with VoiceLiveApp(lambda: live, Ui(), {}).run_test(size=(100, 60), notifications=True) as pilot:
            await opened(pilot)
            await test(Editing(pilot, live))

    return run


async def opened(pilot):
    while not isinstance(pilot.app.screen, DashboardScreen):
        await pilot.pause(0.02)
    await pilot.press("c")
    while not (isinstance(pilot.app.screen, EditorScreen) and pilot.app.focused):
        await pilot.pause(0.02)


@editing
async def test_keys_move_between_fields(form):
    for keys, label in (("down", "rate"), ("tab", "variation"), ("up", "rate"), ("shift+tab", "voice")):
        await form.press(keys)
        await form.shows(f"\n {label}: ")
    await form.go("instructions")
    await form.press("pagedown", "down")
    await form.shows("\n modalities: ")
    await form.press("up", "pageup", "up")
    await form.shows("\n speed: ")


async def type_silence(form, text="800"):
    await form.go("silence (ms)")
    await form.press(*text)


@editing
async def test_a_number_is_changed_by_keys_and_one_whole_block_is_asked_for(form):
    await type_silence(form)
    assert form.line("silence (ms)").endswith("changed: now 500")
    assert "Session · 1 not sent" in form.text
    await form.press("ctrl+s")
    assert form.live.applied == [SessionEdited({"turn_detection": {**BLOCK, "silence_duration_ms": 800}})]
    await form.ends("silence (ms)", "sent")
    form.live.answer(turn_detection={**BLOCK, "silence_duration_ms": 800})
    await form.ends("silence (ms)", "in force")
    await form.press("escape")
    assert isinstance(form.app.screen, DashboardScreen)


@editing
async def test_what_the_service_ignores_is_shown_with_what_is_in_force(form):
    await type_silence(form)
    await form.press("ctrl+s")
    form.live.answer()
    await form.ends("silence (ms)", "ignored: in force: 500")


@editing
async def test_a_refusal_stands_at_its_field_and_what_was_typed_is_kept(form):
    await form.go("temperature")
    await form.press("1")
    await type_silence(form)
    await form.press("ctrl+s")
    form.live.refuse("session.turn_detection.silence_duration_ms")
    await form.shows("refused: this is out of range")
    assert "800 " in form.line("silence (ms)")
    assert "refused: this is out of range" in form.line("silence (ms)")
    assert "not applied" in form.line("temperature")
    await form.press("ctrl+s")  # all but what was refused
    assert form.live.applied[-1] == SessionEdited({"temperature": 1.0})


@editing
async def test_what_cannot_be_a_value_is_not_sent(form):
    await form.go("threshold")
    await form.press("2", "ctrl+s")
    assert form.live.applied == []
    assert "invalid: 2 is not in the range 0 to 1" in form.line("threshold")


@editing
async def test_leaving_with_something_unsent_asks_once(form):
    await type_silence(form)
    await form.press("escape")
    assert isinstance(form.app.screen, EditorScreen)
    await form.press("escape")
    assert isinstance(form.app.screen, DashboardScreen)
    assert form.live.applied == []


@editing
async def test_a_locked_voice_is_changed_by_a_new_session_that_keeps_the_history(form):
    for event in answer(done=True):
        form.live.fold(Received(event))
    await form.press("home", "shift+end", *"ash", "escape")
    await form.press("ctrl+s")
    assert form.live.applied == []
    assert "locked: the assistant has spoken in this session · ^r: a new session with this" in form.text
    await form.press("ctrl+r")
    assert form.live.applied == [
        SessionEdited({"voice": {"type": "openai", "name": "ash"}}, at_once=False),
        ResetPressed(keep=True),
    ]


@editing
async def test_a_call_that_waits_is_decided_in_the_editor_too(form):
    call = Call("function", "add", complete_at=1.0, waiting_at=1.0)
    form.live.receive(None, replace(form.live.state, transcript=(Entry("item_1", "tool", form.live.now, call=call),)))
    await form.shows("^y approves, ^n refuses")
    await form.press("ctrl+n")
    assert form.live.applied == [CallRefused("item_1")]


@editing
async def test_voices_are_listed_by_kind_and_filtered_by_what_is_typed(form):
    await form.press("enter")
    assert "OpenAI" in form.text
    assert "alloy" in form.text
    await form.press("home", "shift+end", *"shim")
    assert "alloy" not in form.text
    await form.press("down", "down", "enter")
    assert "shimmer" in form.line("voice")
    assert not form.app.screen.values.display  # it was chosen: the list is no longer needed
    await form.press("home", "shift+end", *"my-own-voice")
    await form.press("ctrl+s")
    assert form.live.applied == [SessionEdited({"voice": {"type": "azure-standard", "name": "my-own-voice"}})]


@editing
async def test_enter_takes_the_one_voice_that_is_left_and_what_is_typed_then_replaces_it(form):
    await form.press(*"jenny", "enter")
    assert form.app.screen.typed["voice"] == "en-US-JennyNeural"
    await form.press(*"allo", "enter")
    assert form.app.screen.typed["voice"] == "alloy"
    await form.press(*"absent", "enter")
    assert form.app.screen.typed["voice"] == "absent"


@editing
async def test_a_choice_is_stepped_through_and_decides_which_fields_are_used(form):
    assert "not with server_vad" in form.line("languages")
    await form.go("type")
    while "azure_semantic_vad " not in form.line("type"):
        await form.press("space")
    assert "not with" not in form.line("languages")
    await form.press("enter")
    assert "semantic_vad\n" in form.text
    await form.press("escape")
    await form.go("answers")
    await form.press("enter", "ctrl+s")
    (edit,) = form.live.applied
    assert edit.changes["turn_detection"]["type"] == "azure_semantic_vad"
    assert edit.changes["turn_detection"]["create_response"] is False


@editing
async def test_nothing_typed_is_lost_when_the_session_drops(form):
    await type_silence(form)
    form.live.fold(Disconnected(1006, "the network is gone"))
    await form.shows("the network is gone")
    assert "800 " in form.line("silence (ms)")
    await form.press("ctrl+s")
    await form.ends("silence (ms)", "next session")
    assert form.live.state.wanted["turn_detection"]["silence_duration_ms"] == 800


@editing
async def test_settings_that_another_part_of_the_program_changes_are_followed(form):
    await type_silence(form)
    form.live.fold(SessionEdited({"turn_detection": {**BLOCK, "threshold": 0.7}}))
    await form.shows(" 0.7 ")
    assert " 0.7 " in form.line("threshold")
    assert "800 " in form.line("silence (ms)")


@editing
async def test_nothing_is_sent_when_nothing_was_changed(form):
    await form.press("ctrl+s")
    assert form.live.applied == []
    assert "Nothing has changed." in form.text


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 16)])
async def test_the_form_scrolls_and_leaves_the_status_line_and_the_levels_in_view(size):
    live = FoldedLive()
    async with VoiceLiveApp(lambda: live, Ui(), {}).run_test(size=size) as pilot:
        await opened(pilot)
        form = Editing(pilot, live)
        await form.go("echo cancellation")
        await form.shows("READY", "mic LIVE", "echo cancellation  ● on")
        assert form.text.splitlines()[-1].startswith(" ^s Send  esc Leave")
        live.receive(None, replace(live.state, microphone=replace(live.state.microphone, muted=True)))
        await form.shows("MUTED")  # it goes on behind the form


async def test_values_of_all_kinds_begin_in_one_column():
    live = FoldedLive()
    async with VoiceLiveApp(lambda: live, Ui(), {}).run_test(size=(120, 60)) as pilot:
        await opened(pilot)
        form = Editing(pilot, live)
        columns = {form.line(label).index(value) for label, value in (("rate", "default"), ("type", "server_vad"))}
        assert len(columns) == 1


async def test_a_session_object_with_escape_sequences_and_a_long_instruction_is_drawn_as_data():
    hostile = REQUEST | {"instructions": "be\x1b[2Jkind\n" + "x" * 100_000, "voice": {"type": "openai", "name": "[b]a"}}
    live = FoldedLive()
    live.fold(SessionEdited(hostile))
    async with VoiceLiveApp(lambda: live, Ui(), {}).run_test(size=(100, 60)) as pilot:
        await opened(pilot)
        form = Editing(pilot, live)
        assert "be␛[2Jkind" in form.text
        assert "[b]a" in form.line("voice")
        await type_silence(form)
        await form.press("ctrl+s")
        assert set(live.applied[-1].changes) == {"turn_detection"}  # what was only drawn is not changed


@editing
async def test_keys_of_the_dashboard_are_not_named_while_the_form_has_the_keys(form):
    form.live.fold(MutePressed())
    form.live.fold(LocalProblem("the disk is full"))
    await form.shows("MUTED", "the disk is full")
    assert "m to unmute" not in form.text
    assert "dismisses" not in form.text
    await form.press("escape")
    await form.shows("m to unmute", "esc dismisses")


@editing
async def test_an_audio_turn_of_the_sdk_is_chosen_without_asking_the_service(form):
    await form.go("push-to-talk")
    await form.press("space", "ctrl+s")
    assert form.live.applied == [TalkEdited(audio_turns=True)]
    assert form.line("push-to-talk").endswith("in force")


@editing
async def test_what_a_model_does_not_have_is_not_sent(form):
    await form.go("said by")
    await form.press("space", "ctrl+s")
    assert form.line("said by").endswith("not with gpt-realtime, which answers at once")
    assert form.live.applied == []
    assert "Nothing has changed." in form.text


@editing
async def test_the_refused_voice_of_a_new_session_is_shown_at_its_field(form):
    await form.press("home", "shift+end", *"bob")
    assert "no known voice of gpt-realtime" in form.line("voice")
    await form.press("ctrl+r")
    for event in (CONNECTING, Connected(), Received({"type": "session.created", "session": {}})):
        form.live.fold(event)
    error = {"message": "no such voice", "param": "session.voice", "event_id": "configure-2"}
    form.live.fold(Received({"type": "error", "error": error}))
    await form.shows("refused: no such voice")


@editing
async def test_the_rules_for_barge_in_are_in_force_at_once(form):
    await form.go("cancel")
    await form.press("right", "ctrl+s")
    assert form.live.applied == [BargeInEdited(BargeIn(cancel="never"))]
    assert form.line("cancel").endswith("in force")


@editing
async def test_the_session_in_force_is_copied_in_a_form_that_is_chosen(form):
    await form.press("f3")
    while "session.update that asks" not in form.text:
        await form.pilot.pause(0.05)
    await form.press(*"JSON", "enter")
    while not form.app.clipboard:
        await form.pilot.pause(0.05)
    assert json.loads(form.app.clipboard)["session"]["turn_detection"]["silence_duration_ms"] == 500


async def test_what_is_wanted_is_saved_as_a_profile():
    live, saved = FoldedLive(), []
    profiles = SimpleNamespace(names=list, save=lambda name, state: saved.append((name, state.wanted)) or [])
    app = VoiceLiveApp(lambda: live, Ui(), {}, profiles=profiles)
    async with app.run_test(size=(100, 60), notifications=True) as pilot:
        await opened(pilot)
        form = Editing(pilot, live)
        await type_silence(form)
        await form.press("f2")
        assert "What is not sent is not saved." in form.text
        while not isinstance(app.screen, LineDialog):
            await pilot.pause(0.02)
        await form.press(*"calm", "enter")
        while not saved:
            await pilot.pause(0.02)
    assert saved == [("calm", live.state.wanted)]
