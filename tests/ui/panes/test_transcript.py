import random

import pytest
from msgspec.structs import replace

from tests import states
from tests.ui.fake import app_of, settled
from tests.ui.panes.conftest import PaneApp
from tests.ui.screens import screen_text
from voicelive_tui.session.calls import Call
from voicelive_tui.session.latency import Turn
from voicelive_tui.session.reading import Reading
from voicelive_tui.session.state import Stage
from voicelive_tui.session.transcript import Entry, EntryStatus
from voicelive_tui.ui.entry_lines import LONGEST
from voicelive_tui.ui.panes import Place, transcript
from voicelive_tui.ui.panes.transcript import TranscriptPane

ANSWER = states.SPEAKING.transcript[-1]


def words(line):
    return "".join(text for text, _ in line)


async def test_interrupted_words_stay_visible_as_unheard():
    pane = TranscriptPane()
    async with PaneApp(pane).run_test(size=(82, 26)) as pilot:
        pane.session = states.INTERRUPTED
        await pilot.pause()
        lines = [pane.view.line(y) for y in range(pane.view.height)]
        unheard = [text for line in lines for text, tone in line if tone == "unheard"]
        assert unheard[0].startswith("╎")
        assert "end of your speech" in " ".join(unheard)
        shown = screen_text(pilot.app)
        assert "── interrupted: heard 4.10 of 7.00 s · truncated ─" in shown


async def test_words_that_never_sounded_are_unheard_to_the_first():
    pane = TranscriptPane()
    async with PaneApp(pane).run_test(size=(82, 26)) as pilot:
        silent = replace(ANSWER, audio_ms=0.0, heard_ms=0.0, status=EntryStatus.INTERRUPTED, done_at=22.0)
        pane.session = replace(states.SPEAKING, transcript=(silent,))
        await pilot.pause()
        words = [tone for y in range(2) for _, tone in pane.view.line(y)[3 - y :]]
        assert set(words) == {"unheard"}
        assert "── interrupted before its first sound ───" in screen_text(pilot.app)


async def test_partial_text_grows_in_place_and_turns_are_explained():
    pane = TranscriptPane()
    async with PaneApp(pane).run_test(size=(82, 26)) as pilot:
        pane.session = states.SPEAKING
        pane.update_levels(states.SPEAKING_READING)
        await pilot.pause()
        shown = screen_text(pilot.app)
        assert "0:16 You        Why is the second answer slower? 為什麼？" in shown
        assert "#2" not in shown  # it would move with each new line
        more = replace(states.SPEAKING.transcript[-1], text=ANSWER.text + " And more.")
        pane.session = replace(states.SPEAKING, transcript=(*states.SPEAKING.transcript[:-1], more))
        await pilot.pause()
        assert "And more." in screen_text(pilot.app)
        whole = replace(more, status=EntryStatus.DONE)
        pane.session = replace(states.SPEAKING, transcript=(*states.SPEAKING.transcript[:-1], whole))
        await pilot.pause()
        assert "#2  1.58 s" in screen_text(pilot.app)
        assert "mostly first words 650 ms" in screen_text(pilot.app)


async def test_order_is_that_of_the_conversation():
    pane = TranscriptPane()
    async with PaneApp(pane).run_test(size=(82, 26)) as pilot:
        late = Entry("u", "user", 9.0, "asked", EntryStatus.DONE)
        early = Entry("a", "assistant", 5.0, "answered", EntryStatus.DONE)
        pane.session = replace(states.IDLE, transcript=(late, early))
        await pilot.pause()
        shown = screen_text(pilot.app)
        assert shown.index("asked") < shown.index("answered")


async def test_failed_tools_and_typed_lines():
    pane = TranscriptPane()
    entries = (
        Entry("u", "user", 1.0, "", EntryStatus.FAILED, note="the audio was [too] short"),
        Entry(
            "f",
            "tool",
            2.0,
            "",
            EntryStatus.DONE,
            call=Call(
                "function",
                "get_weather",
                call_id="c",
                arguments='{"city":\n"Oslo"}',
                output="3°",
                complete_at=2.0,
                ended_at=2.25,
            ),
            done_at=2.25,
        ),
        Entry("t", "user", 3.0, "typed words", EntryStatus.DONE, typed=True),
    )
    async with PaneApp(pane).run_test(size=(82, 26)) as pilot:
        pane.session = replace(states.IDLE, transcript=entries)
        await pilot.pause()
        shown = screen_text(pilot.app)
        assert "(no transcript)" in shown
        assert "✗ the audio was [too] short" in shown
        assert 'Tool       get_weather({"city": "Oslo"}) → 3°  250 ms' in shown
        assert "typed words (typed)" in shown


async def test_a_search_includes_arguments_and_outputs_of_tools():
    pane = TranscriptPane()
    async with PaneApp(pane).run_test(size=(82, 26)) as pilot:
        made = Call("function", "get_weather", arguments='{"city": "Oslo"}', output="Sunny")
        call = Entry("item_c", "tool", 3.0, call=made)
        pane.session = replace(states.SPEAKING, transcript=(*states.SPEAKING.transcript[:1], call, ANSWER))
        await pilot.pause()
        for wanted in ("weather", "oslo", "sunny"):
            pane.query_changed(wanted)
            assert pane.view.matches == [1], wanted
        pane.query_changed("")
        assert pane.view.matches == []


async def test_new_below_search_and_copy():
    pane = TranscriptPane()
    app = PaneApp(pane)
    async with app.run_test(size=(82, 26)) as pilot:
        pane.session = states.LONG_TRANSCRIPT
        pane.target.focus()
        await pilot.press("k", "k")
        extra = Entry("item_new", "user", states.START + 1600, "the newest line", EntryStatus.DONE)
        pane.session = replace(states.LONG_TRANSCRIPT, transcript=(*states.LONG_TRANSCRIPT.transcript, extra))
        await pilot.pause()
        assert "↓ 1 new below" in screen_text(app)
        assert "newest line" not in screen_text(app)
        pane.query_changed("number 70?")
        await pilot.pause()
        assert "1 of 1" in screen_text(app)
        assert "› " in screen_text(app)
        assert "Question 10: what about the number 70?" in screen_text(app)
        assert pane.to_copy() == ("Question 10: what about the number 70?", "this line")
        pane.query_changed("question 1")
        found = [pane.selected().text]
        for step in (1, 1, -1, -1):
            pane.next_match(step)
            found.append(pane.selected().text)
        assert found[0].startswith("Question 149")
        assert found[1].startswith("Question 1:")
        assert found[3] == found[1]
        assert found[4] == found[0]


async def test_a_failure_is_shown_in_full_with_the_next_step():
    pane = TranscriptPane()
    async with PaneApp(pane).run_test(size=(60, 16)) as pilot:
        pane.session = states.FAILED
        await pilot.pause()
        shown = " ".join(screen_text(pilot.app).replace("│", "").split())
        assert "Voice 'absent' is [not] available. Press r to try again." in shown
        assert "apt install libportaudio2" in shown


async def test_a_megabyte_is_cut_and_copied_whole():
    pane = TranscriptPane()
    app = PaneApp(pane)
    async with app.run_test(size=(82, 26)) as pilot:
        text = "x" * 1_000_000
        pane.session = replace(states.IDLE, transcript=(Entry("u", "user", 1.0, text, EntryStatus.DONE),))
        await pilot.pause()
        lines = [pane.view.line(y) for y in range(pane.view.height)]
        assert len(lines) < LONGEST / 20
        assert "and 980,000 characters more; copy has all" in "".join(map(words, lines))
        assert pane.to_copy() == (text, "this line")


async def test_mouse_selection_gives_the_words_as_drawn():
    pane = TranscriptPane()
    async with PaneApp(pane).run_test(size=(82, 26)) as pilot:
        pane.session = states.SPEAKING
        await pilot.pause()
        await pilot.mouse_down(pane.view, offset=(18, 0))
        await pilot.hover(pane.view, offset=(44, 0))
        await pilot.mouse_up(pane.view, offset=(44, 0))
        await pilot.pause()
        assert pilot.app.screen.get_selected_text().strip().startswith("[speech, 2.4 s")


async def test_the_oldest_lines_of_a_very_long_conversation_are_left_out_and_counted():
    entries = tuple(Entry(f"i{n}", "user", float(n), f"words {n}", EntryStatus.DONE) for n in range(1300))
    pane = TranscriptPane()
    async with PaneApp(pane).run_test(size=(82, 26)) as pilot:
        pane.session = replace(states.IDLE, transcript=entries[50:1050], left_out=50)
        pane.view.go_to(450)
        await pilot.pause()
        y = pane.view.top_of(450) - pane.view.scroll_offset.y
        pane.session = replace(states.IDLE, transcript=entries[300:], left_out=300)
        await pilot.pause()
        assert pane.view.count == 1000
        assert pane.selected().text == "words 500"
        assert pane.view.top_of(pane.view.cursor) - pane.view.scroll_offset.y == y
        assert "300 older ones are gone  ↓ 250 new below" in screen_text(pilot.app)
        assert pane.go_to(Place("i1299"))
        assert not pane.go_to(Place("i0"))


async def test_a_connection_that_ended_shows_the_next_step():
    pane = TranscriptPane()
    ended = replace(states.SPEAKING.connection, stage=Stage.CLOSED, problem="the connection ended (code 1011)")
    async with PaneApp(pane).run_test(size=(82, 26)) as pilot:
        pane.session = replace(states.SPEAKING, connection=ended)
        await pilot.pause()
        shown = screen_text(pilot.app)
        assert "✗ the connection ended (code 1011)" in shown
        assert "Press r for a new session." in shown


async def test_the_cursor_stays_on_its_line_when_another_one_is_put_above():
    entries = tuple(Entry(f"i{n}", "user", float(n), f"words {n}", EntryStatus.DONE) for n in range(9))
    pane = TranscriptPane()
    async with PaneApp(pane).run_test(size=(82, 26)) as pilot:
        pane.session = replace(states.IDLE, transcript=entries)
        await pilot.pause()
        pane.view.go_to(6)
        late = Entry("late", "user", 3.5, "late words", EntryStatus.DONE)
        pane.session = replace(states.IDLE, transcript=(*entries[:4], late, *entries[4:]))
        await pilot.pause()
        assert pane.selected().item_id == "i6"


HAPPENINGS = ("said", "answered", "grows", "sounds", "heard", "turn", "goes", "moves")


def happen(chance, session, number):
    """The session after something happened to its transcript."""
    entries, turns = list(session.transcript), list(session.turns)
    at = max(len(entries) - 1 - int(chance.expovariate(1)), 0)
    match chance.choice(HAPPENINGS) if entries else "said":
        case "said":
            text = "words " * chance.randrange(30)
            entries.append(Entry(f"u{number}", "user", float(number), text, EntryStatus.DONE))
        case "answered":
            entries.append(Entry(f"a{number}", "assistant", float(number), response_id=f"r{number}"))
        case "grows":
            entries[at] = replace(entries[at], text=entries[at].text + "some more words " * chance.randrange(9))
        case "sounds":
            entries[at] = replace(entries[at], audio_ms=entries[at].audio_ms + 400)
        case "heard" if entries[at].audio_ms:
            entries[at] = replace(entries[at], heard_ms=300.0, status=EntryStatus.INTERRUPTED)
        case "turn" if entries[at].response_id:
            late = chance.uniform(0.2, 2)
            turns.append(Turn(number, response_id=entries[at].response_id, committed_at=1.0, heard_at=1.0 + late))
        case "goes" if len(entries) > 3:
            del entries[at]
        case "moves":
            entries.insert(max(at - 1, 0), entries.pop(at))
    return replace(session, transcript=tuple(entries), turns=tuple(turns))


def drawn(view):
    return [view.line(y) for y in range(view.height)]


@pytest.mark.parametrize("seed", range(4))
async def test_updates_in_steps_show_the_same_as_one_update(seed, monkeypatch):
    monkeypatch.setattr(transcript, "KEPT", 20)
    chance, session, pane, seen = random.Random(seed), states.IDLE, TranscriptPane(), []
    async with PaneApp(pane).run_test(size=(82, 26)):
        for number in range(150):
            session = happen(chance, session, number)
            sounding = next((entry.item_id for entry in reversed(session.transcript) if entry.audio_ms), "")
            reading = Reading(heard_item=sounding, heard_ms=chance.uniform(0, 500))
            pane.view.show(session, reading)
            if number % 30 == 29:
                seen.append((session, reading, drawn(pane.view)))
        assert pane.view.count > 10
    for then, reading, lines in seen:
        fresh = TranscriptPane()
        async with PaneApp(fresh).run_test(size=(82, 26)):
            fresh.view.show(then, reading)
            assert drawn(fresh.view) == lines


async def test_the_words_searched_for_stand_out_until_the_search_ends():
    pane = TranscriptPane()
    async with PaneApp(pane).run_test(size=(82, 26)) as pilot:
        pane.session = states.SPEAKING
        await pilot.pause()

        def found():
            lines = (pane.view.line(y) for y in range(pane.view.height))
            return [text for line in lines for text, tone in line if tone == "select"]

        pane.query_changed("SECOND")
        assert set(found()) == {"second"}
        pane.query_changed("")
        assert found() == []


async def test_what_to_do_stays_in_the_middle_when_the_pane_becomes_lower():
    app = app_of(states.FAILED)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        assert "✗ The service refused the session" in screen_text(app)
        await pilot.resize_terminal(120, 30)
        await settled(pilot)
        assert "✗ The service refused the session" in screen_text(app)
