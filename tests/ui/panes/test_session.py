import asyncio

import pytest
from msgspec.structs import replace

from tests import states
from tests.ui.panes.conftest import PaneApp
from tests.ui.screens import screen_text
from voicelive_tui.config import BargeIn
from voicelive_tui.session.inputs import SessionEdited
from voicelive_tui.session.reading import Reading
from voicelive_tui.session.state import Stage
from voicelive_tui.ui.panes import session as module
from voicelive_tui.ui.panes.session import SessionPane

QUIET = Reading()


async def shown(session, size=(100, 45), reading=QUIET):
    pane = SessionPane()
    async with PaneApp(pane).run_test(size=size) as pilot:
        pane.update_levels(reading)
        pane.session = session
        await pilot.pause()
        return screen_text(pilot.app)


async def test_settings_counts_tokens_and_connection():
    text = await shown(states.SPEAKING)
    assert "server_vad · prefix 300 ms" in text
    assert "threshold    0.5" in text
    assert "silence      500 ms" in text
    assert "en-US-Ava:DragonHDLatestNeural" in text
    assert "none ≠ asked azure_deep_noise_suppression" in text
    assert "whisper-1" in text
    assert "310 (text 180, audio 130; cached 64)" in text
    assert "102 (text 31, audio 71)" in text
    assert "http://127.0.0.1:41234" in text
    assert "sess_7f3a91c2d4" in text
    assert "underflows 0" in text


async def test_an_interruption_shows_time_to_silence_and_the_unheard_part():
    assert "turn 2: silent after 12 ms · 2.90 s unheard" in await shown(states.INTERRUPTED)


async def test_a_closed_connection_names_its_code():
    gone = replace(
        states.IDLE.connection, stage=Stage.CLOSED, close_code=1011, ended_at=states.START + 90, problem="gone"
    )
    text = await shown(replace(states.IDLE, connection=gone))
    assert "code 1011 · gone" in text
    assert "1 min" in text
    text = await shown(replace(states.IDLE, connection=replace(gone, close_code=0)))
    assert "closed gone" in " ".join(text.split())  # no code came
    told = replace(gone, problem="the connection ended: internal error (code 1011): out of luck")
    text = await shown(replace(states.IDLE, connection=told))
    assert text.count("1011") == 1
    assert "out of luck" in text


async def test_settings_switched_off_are_shown_and_compared():
    asked = {"turn_detection": None, "input_audio_noise_reduction": None}
    force = {"turn_detection": {"type": "azure_semantic_vad", "threshold": 0.3}, "input_audio_noise_reduction": None}
    text = await shown(replace(states.IDLE, asked=asked, in_force=force))
    assert "azure_semantic_vad ≠ asked none" in text
    assert "noise none" in " ".join(text.split())


async def test_only_a_setting_whose_null_means_off_is_none_when_it_is_null():
    asked = {"input_audio_transcription": {"model": "whisper-1"}, "voice": "ava"}
    text = await shown(replace(states.IDLE, asked=asked, in_force=dict.fromkeys(asked)))
    assert "none ≠ asked whisper-1" in text
    assert "the service's default ≠ asked ava" in text
    text = await shown(replace(states.IDLE, asked=asked, in_force={"model": "gpt-realtime"}))
    assert "the service's default ≠ asked whisper-1" in text


async def test_the_order_of_modalities_has_no_meaning():
    force = {"modalities": ["text", "audio"]}
    text = await shown(replace(states.IDLE, asked={"modalities": ["audio", "text"]}, in_force=force))
    assert "modalities audio, text" in " ".join(text.split())
    assert "≠ asked audio" not in text
    text = await shown(replace(states.IDLE, asked={"modalities": ["text"]}, in_force=force))
    assert "audio, text ≠ asked text" in text


async def test_a_model_other_than_the_one_asked_for_is_shown():
    text = await shown(replace(states.IDLE, in_force={**states.IN_FORCE, "model": "gpt-4.1"}))
    assert "gpt-4.1 ≠ asked gpt-realtime" in text


async def test_a_deployment_of_the_model_asked_for_is_not_a_difference():
    served = {**states.IDLE.in_force, "model": "gpt-realtime-global-standard"}
    text = await shown(replace(states.IDLE, in_force=served))
    assert "gpt-realtime served as gpt-realtime-global-standard" in text
    assert text.count("≠ asked") == 1  # noise reduction


async def test_lines_printed_by_sound_libraries_are_counted():
    assert "printed by" not in await shown(states.IDLE)
    assert "1 line printed by sound libraries" in await shown(states.IDLE, reading=Reading(native_messages=1))


async def test_nothing_is_cut_in_a_narrow_pane():
    text = await shown(states.INTERRUPTED, (46, 60))
    assert "azure_deep_noise_suppression" in text
    assert "interrupted after" not in text
    assert "2.90 s unheard" in " ".join(text.split())


async def test_odd_settings_from_the_wire():
    odd = {
        "voice": ["x"],
        "turn_detection": "none",
        "tools": [{"name": "[b]f[/b]"}, 3, {"type": "mcp", "server_label": "docs"}],
        "modalities": "text",
        "agent": 7,
    }
    text = await shown(replace(states.IDLE, in_force=odd, asked={}))
    assert "3, [b]f[/b], docs" in text


@pytest.mark.parametrize("character", ["x", "é", "漢", "x "])
async def test_a_megabyte_for_a_name_is_cut(character):
    odd = {"model": character * 1_000_000, "voice": {"name": character * 1_000_000}}
    text = await shown(replace(states.IDLE, in_force=odd, asked={}), (100, 400))
    assert "characters more" in text


BLOCK = {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 500, "create_response": True}


class Asking(PaneApp):
    """Keeps what the pane wants of the session."""

    def on_pane_wants(self, message):
        self.said.append(message.input)


async def stepping(monkeypatch, session, *keys):
    """What the pane shows after keys on the line of the threshold, and what it wants after the pause."""
    monkeypatch.setattr(module, "PAUSE", 600.0)  # each key sets off a pause, and ends that of the key before it
    pane = SessionPane()
    async with Asking(pane).run_test(size=(100, 45)) as pilot:
        pane.session = session
        await pilot.pause()
        view = pane.target
        view.focus()
        view.go_to(next(y for y in range(view.count) if "threshold" in str(view.line(y)[:1])))
        await pilot.press(*keys[:-1])
        monkeypatch.setattr(module, "PAUSE", 2.0)
        await pilot.press(keys[-1])
        text = screen_text(pilot.app)
        assert pilot.app.said == []
        async with asyncio.timeout(60):
            while not pilot.app.said:
                await pilot.pause(0.05)
        return text, pilot.app.said


async def test_keys_step_the_threshold_and_the_silence_and_send_the_whole_block_once_after_a_pause(monkeypatch):
    session = replace(states.IDLE, wanted={"turn_detection": BLOCK}, in_force={"turn_detection": BLOCK})
    text, wanted = await stepping(monkeypatch, session, "plus", "plus", "j", "plus", "minus", "minus")
    assert "0.5 → 0.6" in text
    assert "500 ms → 450 ms" in text
    changed = BLOCK | {"threshold": 0.6, "silence_duration_ms": 450}
    assert wanted == [SessionEdited({"turn_detection": changed})]


async def test_a_step_never_leaves_the_range(monkeypatch):
    block = BLOCK | {"threshold": 0.98, "silence_duration_ms": 20}
    session = replace(states.IDLE, wanted={"turn_detection": block}, in_force={"turn_detection": block})
    _, (edit,) = await stepping(monkeypatch, session, "plus", "plus", "j", "minus", "minus")
    assert edit.changes["turn_detection"] == block | {"threshold": 1.0, "silence_duration_ms": 0}


async def test_steps_are_for_two_lines_and_push_to_talk_has_neither(monkeypatch):
    session = replace(states.IDLE, wanted={"turn_detection": BLOCK}, in_force={"turn_detection": BLOCK})
    block = BLOCK | {"threshold": 0.55}
    _, wanted = await stepping(monkeypatch, session, "j", "j", "plus", "plus")  # first to the line of the threshold
    assert wanted == [SessionEdited({"turn_detection": block})]
    assert "threshold" not in await shown(replace(session, in_force={"turn_detection": None}))


async def test_the_rules_for_barge_in_are_shown():
    assert "barge-in       cancel auto · truncate" in await shown(states.IDLE)
    rules = BargeIn(cancel="always", clear=True, truncate=False)
    assert "barge-in       cancel always · clear · never truncate" in await shown(replace(states.IDLE, barge_in=rules))
