"""What the loopback service costs, and how late it is when many talk to it at once.

    python -m tests.benchmarks.bench_loopback [SESSIONS] [SECONDS]

The service runs in a process of its own. A second process holds the clients: each streams a microphone in real time
(40 ms an append) that says a sentence and is silent, over and over, and receives the answers. Shown are

* the delay of ``speech_stopped`` after the append that fulfilled the silence rule was sent: the 50th, 95th and 99th
  percentile (each client knows when that is from a detector run over its own clip beforehand),
* the delay of the first sound of an answer after ``speech_stopped``,
* the processor time of the service, whole and a session, as a share of one core,
* the cost of the voice detector alone, as a share of real time,
* afterwards, while one client alone sends appends of 15 MiB: for how long the service's loop is held up at most, which
  is what other sessions would wait; beside it what such an append takes when it is carried out in one go,
* what 200 sessions at once and 300 clients that vanish (in the handshake, or in the middle of an answer) leave behind:
  tasks, file descriptors and memory in use (without what the allocator keeps), each round beside the one before.

Targets stand beside the figures; the status is 1 if one is missed.
"""

import asyncio
import base64
import contextlib
import ctypes
import gc
import json
import multiprocessing
import os
import pathlib
import sys
import time

import aiohttp
import numpy as np

from voicelive_tui.loopback.handshake import PATH
from voicelive_tui.loopback.protocol import MAX_APPEND_BYTES
from voicelive_tui.loopback.script import Script
from voicelive_tui.loopback.service import LoopbackService
from voicelive_tui.loopback.session import Session
from voicelive_tui.loopback.vad import Detector, Rules
from voicelive_tui.speech.voice import CALLER, RATE, open_voice

CHUNK_MS = 40
CHUNK = RATE * CHUNK_MS // 1000
RULES = Rules(prefix_padding_ms=300, silence_duration_ms=500)
SESSION = {
    "turn_detection": {"type": "server_vad", "prefix_padding_ms": 300, "silence_duration_ms": 500},
    "input_audio_transcription": {"model": "whisper-1"},
}


def serve(pipe, crowd=False):
    """The service's process.

    Sends its endpoint, then its processor time, then for how long its loop was held up; with `crowd` its endpoint, and
    its tasks, file descriptors and megabytes each time it is asked.
    """

    def state():
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):  # glibc keeps what was freed: some 100 MB here
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
        megabytes = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
        return len(asyncio.all_tasks()), len(list(pathlib.Path("/proc/self/fd").iterdir())), round(megabytes)

    async def run():
        async with LoopbackService(script=Script(speed=50.0)) if crowd else LoopbackService() as service:
            pipe.send(service.endpoint)
            while crowd and await asyncio.to_thread(pipe.recv) == "state":
                pipe.send(state())
            if crowd:
                return
            await asyncio.to_thread(pipe.recv)
            pipe.send(time.process_time())
            told = asyncio.create_task(asyncio.to_thread(pipe.recv))
            longest = 0.0
            while not told.done():
                begin = time.perf_counter()
                await asyncio.sleep(0.002)
                longest = max(longest, time.perf_counter() - begin - 0.002)
            pipe.send(longest)

    asyncio.run(run())


def clip():
    """A sentence and enough silence for its answer, and the index of the append that fulfils the silence rule."""
    speech = open_voice().speak("Hello there, can you hear me well, and how do I sound", CALLER).samples
    samples = np.concatenate([np.zeros(RATE // 2, np.int16), speech, np.zeros(4 * RATE, np.int16)])
    samples = samples[: len(samples) // CHUNK * CHUNK]
    detector = Detector(RATE)
    detector.rules = RULES
    for index in range(len(samples) // CHUNK):
        if any(edge.kind == "stopped" for edge in detector.listen(samples[index * CHUNK : (index + 1) * CHUNK])):
            return samples, index
    raise AssertionError("the clip holds no turn")


async def talk(session, endpoint, appends, fulfilling, offset, seconds, delays, firsts):
    """One client."""
    await asyncio.sleep(offset)
    query = {"api-version": "2026-07-15", "model": "gpt-realtime"}
    fulfilled = asyncio.Queue()
    async with session.ws_connect(endpoint + PATH, params=query) as socket:
        await socket.send_json({"type": "session.update", "session": SESSION})

        async def speak():
            begin = time.perf_counter()
            for index in range(int(seconds * 1000 / CHUNK_MS)):
                await asyncio.sleep(max(0, begin + index * CHUNK_MS / 1000 - time.perf_counter()))
                if index % len(appends) == fulfilling:
                    fulfilled.put_nowait(time.perf_counter())
                await socket.send_str(appends[index % len(appends)])

        async def listen():
            stopped = None
            async for message in socket:
                # Read as text, so that the client's own JSON does not weigh on what is measured.
                kind = message.data[:60]
                if '"input_audio_buffer.speech_stopped"' in kind:
                    stopped = time.perf_counter()
                    delays.append(stopped - await fulfilled.get())
                elif stopped and '"response.audio.delta"' in kind:
                    firsts.append(time.perf_counter() - stopped)
                    stopped = None

        listener = asyncio.create_task(listen())
        await speak()
        listener.cancel()


async def clients(endpoint, count, seconds):
    """All clients, spread over a clip's length; returns both sorts of delays in seconds."""
    samples, fulfilling = clip()
    chunks = samples.reshape(-1, CHUNK)
    appends = [
        json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(chunk.tobytes()).decode()})
        for chunk in chunks
    ]
    delays, firsts = [], []
    spread = len(appends) * CHUNK_MS / 1000 / count
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        for index in range(count):
            group.create_task(talk(session, endpoint, appends, fulfilling, index * spread, seconds, delays, firsts))
    return delays, firsts


def largest_append():
    """An append of 15 MiB, sentences and silence."""
    samples, _ = clip()
    data = (samples.tobytes() * (MAX_APPEND_BYTES // samples.nbytes + 1))[:MAX_APPEND_BYTES]
    return json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(data).decode()})


async def send_large(endpoint, append):
    """One client that sends the same large append five times and waits until all are carried out."""
    query = {"api-version": "2026-07-15", "model": "gpt-realtime"}
    async with aiohttp.ClientSession() as session, session.ws_connect(endpoint + PATH, params=query) as socket:
        turns = SESSION["turn_detection"] | {"create_response": False}
        await socket.send_json({"type": "session.update", "session": {"turn_detection": turns}})
        for _ in range(5):
            await socket.send_str(append)
        await socket.send_json({"type": "conversation.item.retrieve", "item_id": "the end"})
        async for message in socket:
            if '"the end"' in message.data or "'the end'" in message.data:
                break


def in_one_go(append):
    """Seconds for a large append that nothing interrupts."""
    session = Session("gpt-realtime", Script(), now=0.0, unix_time=0.0)
    begin = time.perf_counter()
    session.receive(append, 0.0)
    while session.busy:
        session.poll(0.0)
    return time.perf_counter() - begin


async def visit(session, endpoint, how):
    """One client: `whole` hears an answer, `answer` and `handshake` vanish in the middle."""
    query = {"api-version": "2026-07-15", "model": "gpt-realtime"}
    if how == "handshake":
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1), session.ws_connect(endpoint + PATH, params=query | {"fault": "hang"}):
                pass
        return
    async with session.ws_connect(endpoint + PATH, params=query) as socket:
        await socket.send_json({"type": "response.create"})
        until = '"response.done"' if how == "whole" else '"response.audio.delta"'
        async for message in socket:
            if until in message.data[:60]:
                break
        if how == "answer":
            socket.get_extra_info("socket").shutdown(2)


async def crowd(endpoint):
    """200 sessions at once, then 300 clients that vanish."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(visit(session, endpoint, "whole") for _ in range(200)))
        ways = ["answer", "handshake"] * 150
        await asyncio.gather(*(visit(session, endpoint, how) for how in ways), return_exceptions=True)


def leftovers(rounds=4):
    """The service's tasks, descriptors and megabytes before, and after each round."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, True))
    process.start()
    endpoint = ours.recv()
    states = []
    for number in range(rounds + 1):
        if number:
            asyncio.run(crowd(endpoint))
            time.sleep(2)
        ours.send("state")
        states.append(ours.recv())
    ours.send("stop")
    process.join()
    return states


def detector_cost():
    """Seconds of processor time the detector takes for a second of sound, in chunks of a microphone's size."""
    samples, _ = clip()
    detector = Detector(RATE)
    begin = time.process_time()
    rounds = 10
    for _ in range(rounds):
        for index in range(0, len(samples), CHUNK):
            detector.listen(samples[index : index + CHUNK])
    return (time.process_time() - begin) / (rounds * len(samples) / RATE)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 30.0
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    process.start()
    endpoint = ours.recv()
    begin = time.perf_counter()
    delays, firsts = asyncio.run(clients(endpoint, count, seconds))
    wall = time.perf_counter() - begin
    ours.send("enough")
    spent = ours.recv()
    append = largest_append()
    asyncio.run(send_large(endpoint, append))
    ours.send("stop")
    held_up = ours.recv()
    process.join()
    detector = 100 * detector_cost()
    share = 100 * spent / wall
    p50, p95, p99 = np.percentile(np.array(delays) * 1000, [50, 95, 99])
    print(f"{count} sessions for {seconds:g} s on {os.cpu_count()} cores, {len(delays)} turns")
    print(f"speech_stopped after the silence rule: p95 {p95:.1f} ms (target: under 50), p50 {p50:.1f}, p99 {p99:.1f}")
    first50, first95 = np.percentile(np.array(firsts) * 1000, [50, 95])
    print(f"first audio after speech_stopped (300 ms are meant): p50 {first50:.0f} ms, p95 {first95:.0f} ms")
    print(f"service: {share:.0f} % of a core (target: under 100), {share / count:.2f} % a session")
    print(f"voice detector: {detector:.3f} % of real time a session (target: under 0.3)")
    whole = in_one_go(append)
    print(f"15 MiB appends hold up the loop for {held_up * 1000:.0f} ms at most; in one go: {whole * 1000:.0f} ms")
    states = leftovers()
    told = ", ".join(f"{tasks} tasks, {fds} descriptors, {megabytes} MB" for tasks, fds, megabytes in states)
    print(f"200 sessions and 300 vanishing clients, before and after each round: {told}")
    kept = states[0][:2] == states[-1][:2] and states[-1][2] <= 1.1 * states[1][2]
    print(f"all of it returns (target: tasks and descriptors as before, memory as after the first round): {kept}")
    return 0 if p95 < 50 and share < 100 and detector < 0.3 and kept else 1


if __name__ == "__main__":
    sys.exit(main())
