"""Each fault by name: its notation, and its effect on the wire."""

import asyncio
import contextlib
import itertools
import json
import time

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.loopback.wire import QUERY, connected, events, frames, talking
from voicelive_tui.loopback.faults import FAULTS, FaultError, FaultInjector, Frame, parse
from voicelive_tui.loopback.handshake import PATH
from voicelive_tui.loopback.service import LoopbackService

AUDIO = "response.audio.delta"


async def handshake(spec):
    async with LoopbackService(faults=[parse(spec)]) as service:
        with pytest.raises(aiohttp.WSServerHandshakeError) as info:
            async with connected(service):
                pass
    return info.value


async def answer(spec, until="response.done", **options):
    """The frames up to the end of an answer, or of the connection."""
    async with talking(faults=[parse(spec)], **options) as socket:
        got = await frames(socket, until)
        return got, socket.close_code


def types(got):
    return [json.loads(frame.data)["type"] for frame in got]


async def check_refuse():
    assert (await handshake("refuse")).status == 503
    assert (await handshake("refuse=418")).status == 418
    async with LoopbackService(faults=[parse("refuse=503@connection#2")]) as service:
        async with connected(service):
            pass
        with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
            async with connected(service):
                pass
        async with connected(service):
            pass


async def check_throttle():
    error = await handshake("throttle=7")
    assert error.status == 429
    assert error.headers["Retry-After"] == "7"


async def check_redirect():
    async with (
        LoopbackService(faults=[parse("redirect")]) as service,
        aiohttp.ClientSession() as session,
        session.get(service.endpoint + PATH, params=QUERY, allow_redirects=False) as answered,
    ):
        assert answered.status == 307
        assert answered.headers["Location"].startswith(PATH + "?")


async def check_hang():
    async with LoopbackService(faults=[parse("hang")]) as service:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3), connected(service):
                pass
    begin = time.monotonic()
    async with LoopbackService(faults=[parse("hang=0.3")]) as service, connected(service) as socket:
        await events(socket, "session.created")
    assert time.monotonic() - begin >= 0.3


async def check_close():
    got, code = await answer("close=4321")
    assert code == 4321
    assert types(got)[-1] == AUDIO, "the event itself still arrives"
    got, code = await answer("close=1008@0.3s", until="never")
    assert code == 1008


async def check_reset():
    async with talking(faults=[parse("reset@response.created")]) as socket:
        got = await frames(socket)
        assert socket.close_code == 1006
        assert isinstance(socket.exception(), ConnectionResetError | aiohttp.ClientOSError | None)
    assert "response.done" not in types(got)


async def check_stall():
    begin = time.monotonic()
    async with talking(faults=[parse("stall=0.6@response.created")]) as socket:
        await events(socket)
    assert time.monotonic() - begin >= 0.6
    async with talking(faults=[parse("stall@response.created")], heartbeat=0.4) as socket:
        await frames(socket)
        assert socket.close_code == 1006, "no pong came"


async def check_half_open():
    async with talking(faults=[parse("half-open@response.created")], heartbeat=2.0) as socket:
        await frames(socket, "response.created")
        with pytest.raises(TimeoutError):
            await frames(socket, limit=3.5)
        assert not socket.closed, "pings are still answered"


async def check_expire():
    got, code = await answer("expire=0.4", script=None)
    assert code == 1001
    assert json.loads(got[-1].data)["error"]["code"] == "session_expired"


async def paced(spec):
    begin = time.monotonic()
    await answer(spec)
    return time.monotonic() - begin


async def check_jitter():
    assert await paced("jitter=500") >= 0.4, "the longest of the delays, which are the same in every run"


async def check_bandwidth():
    got, _ = await answer("bandwidth=20000")
    size = sum(len(frame.data) for frame in got if json.loads(frame.data)["type"] == AUDIO)
    rate = size * 8 / 1000 / 1.0
    assert await paced(f"bandwidth={rate:.0f}") >= 1.0


async def transcripts(*specs):
    """A spoken turn's events by type, with the seconds since its commit."""
    faults = [parse(spec) for spec in specs]
    async with LoopbackService(faults=faults) as service, connected(service) as socket:
        session = {"turn_detection": None, "input_audio_transcription": {"model": "whisper-1"}}
        await socket.send_json({"type": "session.update", "session": session})
        await socket.send_json({"type": "input_audio_buffer.append", "audio": "AAAA" * 4000})
        begin = time.monotonic()
        await socket.send_json({"type": "input_audio_buffer.commit"})
        prefix = "conversation.item.input_audio_transcription."
        found = {}
        while not any(kind in found for kind in ("completed", "failed")):
            event = json.loads((await socket.receive(60)).data)
            if event["type"].startswith(prefix):
                found[event["type"].removeprefix(prefix)] = (time.monotonic() - begin, event)
        return found


async def check_late_transcript():
    assert (await transcripts("late-transcript=0.5"))["completed"][0] >= 0.5


async def check_failed_transcript():
    failed = (await transcripts("failed-transcript"))["failed"][1]
    assert failed["error"]["code"] == "transcription_failed"


async def check_empty_transcript():
    async with LoopbackService(faults=[parse("empty-transcript")]) as service, connected(service) as socket:
        session = {"turn_detection": None, "input_audio_transcription": {"model": "whisper-1"}}
        await socket.send_json({"type": "session.update", "session": session})
        got = []
        for _ in range(2):
            await socket.send_json({"type": "input_audio_buffer.append", "audio": "AAAA" * 4000})
            await socket.send_json({"type": "input_audio_buffer.commit"})
            got += await events(socket, "conversation.item.input_audio_transcription.completed")
    committed = [n for n, event in enumerate(got) if event["type"] == "input_audio_buffer.committed"]
    done = [event for event in got if event["type"].endswith("transcription.completed")]
    assert got[committed[1] + 1] == done[1]
    assert (done[1]["item_id"], done[1]["transcript"]) == (done[0]["item_id"], "")


async def check_bad_base64():
    got, _ = await answer(f"bad-base64@{AUDIO}#2")
    deltas = [json.loads(f.data)["delta"] for f in got if json.loads(f.data)["type"] == AUDIO]
    assert [delta.startswith("!") for delta in deltas[:3]] == [False, True, False]


async def check_malformed_json():
    got, _ = await answer("malformed-json")
    broken = [frame.data for frame in got if not frame.data.endswith("}")]
    assert len(broken) == 1
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(broken[0])


async def check_non_object_json():
    got, _ = await answer("non-object-json")
    assert [json.loads(frame.data) for frame in got if frame.data.startswith("[")] == [["not", "an", "object"]]


async def check_unknown_event():
    assert types((await answer("unknown-event"))[0]).count("loopback.unknown") == 1


async def check_empty_frame():
    assert [frame.data for frame in (await answer("empty-frame"))[0]].count("") == 1


async def check_binary_frame():
    got, _ = await answer("binary-frame")
    binary = [frame for frame in got if frame.type == aiohttp.WSMsgType.BINARY]
    assert types(binary) == [AUDIO]


async def check_oversize():
    got, _ = await answer("oversize=5")
    assert max(len(frame.data) for frame in got) == 5 * 1024 * 1024


async def check_error_storm():
    got, _ = await answer("error-storm=30")
    assert types(got).count("error") == 30
    assert types(got)[-1] == "response.done"


async def check_duplicate_done():
    async with talking(faults=[parse("duplicate-done")]) as socket:
        first = (await frames(socket))[-1].data
        assert (await socket.receive(60)).data == first


async def check_missing_done():
    async with talking(faults=[parse("missing-done")]) as socket:
        assert types(await frames(socket, "response.output_item.done"))
        await socket.send_json({"type": "session.update", "session": {}})
        assert types(await frames(socket, "session.updated")) == ["session.updated"]


CHECKS = {
    name.removeprefix("check_").replace("_", "-"): check
    for name, check in list(globals().items())
    if name.startswith("check_")
}


def test_every_fault_has_its_check_and_its_line():
    assert CHECKS.keys() == FAULTS.keys()
    assert all(len(line) > 20 for line in FAULTS.values())


@pytest.mark.parametrize("name", FAULTS)
async def test_every_fault_happens_on_the_wire(name):
    await CHECKS[name]()


# ---- notation


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("close", "close=1011@response.audio.delta"),
        ("close=4000@2.5s", "close=4000@2.5s"),
        ("malformed-json@response.created#3", "malformed-json@response.created#3"),
        (" jitter=50 ", "jitter=50"),
        ("stall", "stall@response.audio.delta"),
        ("refuse=404", "refuse=404"),
        ("refuse=503@connection#2", "refuse=503@connection#2"),
    ],
)
def test_a_fault_is_shown_as_it_is_written(text, shown):
    fault = parse(text)
    assert str(fault) == shown
    assert parse(shown) == fault


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("clos", "did you mean close"),
        ("", "there is no fault ''; `voicelive-tui serve --help` lists the faults"),
        ("close@respons.done", "there is no server event 'respons.done'; did you mean response.done"),
        ("close@x.y", "there is no server event 'x.y'"),
        ("close=x", "number from 1000 to 4999, not 'x'"),
        ("close=999", "number from 1000 to 4999"),
        ("jitter=nan", "must be a number"),
        ("stall=inf", "must be a number"),
        ("reset=1", "takes no value"),
        ("jitter=5@2s", "has no moment"),
        ("close@", "cannot happen at ''"),
        ("close@Response Created", "cannot happen at"),
        ("missing-done@2s", "cannot happen at '2s'; expected a server event"),
    ],
)
def test_an_error_in_a_fault_is_one_sentence(text, says):
    with pytest.raises(FaultError) as info:
        parse(text)
    assert says in str(info.value)


@given(st.text() | st.from_regex(r"[a-z\-]{1,12}(=[0-9.a-z]{0,5})?(@[a-z.#0-9]{0,9})?", fullmatch=True))
def test_any_text_is_a_fault_or_an_error(text):
    try:
        fault = parse(text)
    except FaultError:
        return
    assert parse(str(fault)) == fault


# ---- the link in virtual time


def texts(link, now):
    return [json.loads(frame.data)["n"] for frame in link.take(now) if isinstance(frame, Frame)]


@given(st.lists(st.floats(0, 0.2), max_size=30))
def test_jitter_delays_but_never_reorders_and_loses_nothing(gaps):
    link = FaultInjector([parse("jitter=500")], 0.0)
    now = 0.0
    got = []
    for number, gap in enumerate(gaps):
        link.send({"type": AUDIO, "n": number}, now)
        now += gap
        got += texts(link, now)
    got += texts(link, now + 0.5 * len(gaps) + 1)
    assert got == list(range(len(gaps)))


def test_a_fault_counts_from_when_it_is_armed():
    link = FaultInjector([], 0.0)
    link.send({"type": "warning", "n": 1}, 0.0)
    link.arm(parse("missing-done@warning"), 0.0)
    for number in (2, 3):
        link.send({"type": "warning", "n": number}, 0.0)
    assert texts(link, 0.0) == [1, 3]
    link.arm(parse("half-open@1s"), 5.0)
    assert link.next_due == 6.0
    link.send({"type": "x", "n": 4}, 5.5)
    assert texts(link, 5.5) == [4]
    link.take(6.0)
    link.send({"type": "x", "n": 5}, 6.0)
    assert texts(link, 9.0) == []


def test_without_faults_events_go_out_at_once_and_unchanged():
    link = FaultInjector([], 0.0)
    sent = [{"type": kind, "n": n} for n, kind in enumerate(itertools.islice(itertools.cycle([AUDIO, "x"]), 6))]
    for event in sent:
        link.send(event, 1.0)
    assert [json.loads(frame.data) for frame in link.take(1.0)] == sent


NAMED = st.sampled_from(sorted(FAULTS)).map(parse)
EVENTS = st.sampled_from([AUDIO, "response.done", "response.created", "session.created"])


@given(st.lists(NAMED, max_size=5), st.lists(EVENTS, max_size=20))
def test_any_faults_together_change_only_their_own_events(faults, names):
    """Every event is sent as often as its faults say, and none is invented."""
    link = FaultInjector(faults, 0.0)
    for number, name in enumerate(names):
        link.send({"type": name, "event_id": str(number), "delta": "AAAA"}, float(number))
    frames = link.take(1e6)
    if {"half-open", "missing-done", "duplicate-done"} & {fault.name for fault in link.happened}:
        return
    sent = []
    for frame in frames:
        if isinstance(frame, Frame):
            with contextlib.suppress(ValueError):  # the broken and the empty ones
                sent.append(json.loads(frame.data))
    ids = [event["event_id"] for event in sent if isinstance(event, dict) and event["type"] in names]
    assert ids == [str(number) for number in range(len(names))]
