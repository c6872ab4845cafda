"""`voicelive-tui serve` from outside: its process, its output, its signals, and the SDK as its client."""

import asyncio
import base64
import contextlib
import datetime
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from azure.ai.voicelive.aio import ConnectionClosed, ConnectionError, connect  # noqa: A004  the SDK's own name
from azure.ai.voicelive.models import (
    FunctionCallOutputItem,
    FunctionTool,
    InputTextContentPart,
    MCPApprovalResponseRequestItem,
    MCPServer,
    RequestSession,
    ResponseCreateParams,
    ServerVad,
    UserMessageItem,
)
from azure.core.credentials import AzureKeyCredential
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.loopback.lab import clip, speech
from tests.test_cli import run as cli
from voicelive_tui.loopback.faults import FAULTS, parse
from voicelive_tui.loopback.script import load, shipped
from voicelive_tui.speech.voice import CALLER, open_voice

COMMAND = [sys.executable, "-m", "voicelive_tui", "serve"]
KEY = "s3cret-k3y"


def environment(**more):
    return {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "VOICELIVE_"))} | more


def run(*arguments):
    """Run it to its end in this process, for what ends before anything listens; its status, output and complaint."""
    ended = cli("serve", *arguments)
    return ended.exit_code, ended.stdout, ended.stderr


def program(*arguments):
    """The same with the whole program."""
    ended = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, env=environment(), timeout=120, check=False
    )
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stdout, ended.stderr


class Served:
    """A running service, from the first line of its output on."""

    def __init__(self, process):
        self.process = process
        self.first = process.stdout.readline()
        assert self.first, process.stderr.read()
        self.endpoint = json.loads(self.first)["endpoint"] if self.first.startswith("{") else self.first.split()[1]

    def end(self, how=signal.SIGTERM):
        """End it; returns its status, the other lines of its output, and its standard error."""
        self.process.send_signal(how)
        lines, complaints = self.process.stdout.readlines(), self.process.stderr.read()
        assert "Traceback" not in complaints
        return self.process.wait(60), [line.rstrip("\n") for line in lines], complaints


@contextlib.contextmanager
def serving(*arguments, **more):
    pipe = subprocess.PIPE
    with subprocess.Popen([*COMMAND, *arguments], stdout=pipe, stderr=pipe, text=True, env=environment(**more)) as it:
        try:
            yield Served(it)
        finally:
            it.kill()


@contextlib.asynccontextmanager
async def session(served, key="any", **more):
    async with connect(endpoint=served.endpoint, credential=AzureKeyCredential(key), model="gpt-realtime") as link:
        await until(link, "session.created")
        if more:
            await link.session.update(session=RequestSession(**more))
            await until(link, "session.updated")
        yield link


async def until(link, kind, seen=None, limit=60):
    """Read up to the first event of that type; the types before it go to `seen`."""
    async with asyncio.timeout(limit):
        while (event := await link.recv()).type != kind:
            if seen is not None:
                seen.append(event)
    return event


async def typed(link, text, **params):
    """Type a turn and ask for its answer, by default as text."""
    await link.conversation.item.create(item=UserMessageItem(content=[InputTextContentPart(text=text)]))
    await link.response.create(response=ResponseCreateParams(**({"modalities": ["text"]} | params)))


async def say(link, samples):
    await link.input_audio_buffer.append(audio=base64.b64encode(samples.tobytes()).decode())


async def test_a_line_for_the_endpoint_each_session_turn_answer_and_end():
    with serving("--api-key", KEY) as served:
        assert served.first.startswith("endpoint: http://127.0.0.1:")
        with pytest.raises(ConnectionError) as refused:
            async with session(served, "wrong"):
                pass
        assert refused.value.__cause__.status == 401
        vad = ServerVad(threshold=0.5, prefix_padding_ms=300, silence_duration_ms=300)
        async with session(served, KEY, turn_detection=vad) as link:
            await say(link, clip(speech(), 800))
            await until(link, "response.audio.delta")
        status, lines, complaints = served.end()
    assert (status, complaints) == (0, "")
    told = "\n".join(lines)
    for words in (
        "(401)",
        "session begun: model gpt-realtime",
        "turn 1: [speech, ",
        "answer: I heard",
        "session ended",
    ):
        assert words in told
    assert KEY not in served.first + told
    assert "--api-key KEY" in lines[0], "how to try it"


async def test_the_same_as_json_and_the_key_by_the_environment():
    with serving("--json", "--fault", "unknown-event@session.created", VOICELIVE_TUI_SERVE_KEY=KEY) as served:
        with pytest.raises(ConnectionError):
            async with session(served, "wrong"):
                pass
        async with session(served, KEY) as link:
            await typed(link, "hëllo")
            await until(link, "response.done")
        status, lines, complaints = served.end(signal.SIGINT)
    assert (status, complaints) == (130, "")
    records = [json.loads(line) for line in lines]
    assert [record["kind"] for record in records] == ["refused", "session", "fault", "answer", "closed"]
    assert all({"time", "session", "text", "data"} <= record.keys() for record in records)
    assert "hëllo" in records[3]["text"]
    assert records[4]["data"] == {"code": 1000}


async def test_a_session_is_closed_with_1001_when_the_service_is_ended():
    with serving() as served:
        async with session(served) as link:
            served.process.terminate()
            with pytest.raises(ConnectionClosed) as closed:
                await until(link, "never")
            assert closed.value.code == 1001
        assert served.process.wait(60) == 0


async def test_a_reader_of_the_first_line_only_does_not_end_the_sessions():
    """As in `serve | head -1`: the sessions go on."""
    with serving() as served:
        served.process.stdout.close()
        async with session(served) as link:
            await typed(link, "hello")
            await until(link, "response.done")
        served.process.terminate()
        assert served.process.wait(60) == 0
        assert "Traceback" not in served.process.stderr.read()


async def test_a_reader_that_stops_after_the_first_line_does_not_stop_the_sessions():
    with serving() as served:
        async with session(served) as link:
            for _ in range(1000):  # each error is a line: more than the 64 KiB that a pipe holds
                await link.send({"type": "no.such.event.of.the.protocol"})
            await typed(link, "hello")
            await until(link, "response.done")
        served.process.terminate()
        assert served.process.wait(60) == 0


# ---- scripts


async def play_tool_call():
    weather = FunctionTool(name="get_weather", parameters={"type": "object", "properties": {}})
    vad = ServerVad(threshold=0.5, prefix_padding_ms=300, silence_duration_ms=300)
    with serving("--script", "tool_call") as served:
        transcription = {"model": "whisper-1"}
        more = {"tools": [weather], "turn_detection": vad, "input_audio_transcription": transcription}
        async with session(served, **more) as link:
            await say(link, clip(speech(), 800))
            seen = []
            call = await until(link, "response.function_call_arguments.done", seen)
            assert (call.name, call.arguments) == ("get_weather", '{"location":"Beijing"}')
            heard = [event for event in seen if event.type.endswith("transcription.completed")]
            assert [event.transcript for event in heard] == ["What's the weather in Beijing?"]
            await until(link, "response.done")
            output = FunctionCallOutputItem(call_id=call.call_id, output="sunny")
            await link.conversation.item.create(item=output)
            await link.response.create()
            said = await until(link, "response.audio_transcript.done")
            assert said.transcript == "The weather service says: sunny. Have a pleasant day."
            await until(link, "response.done")
            await typed(link, "and the WEATHER tomorrow?")
            assert (await until(link, "response.done")).response.output[0].name == "get_weather"


async def play_slow_agent():
    with serving("--script", "slow_agent") as served:
        more = {"turn_detection": None, "input_audio_transcription": {"model": "whisper-1"}}
        async with session(served, **more) as link:
            clock = asyncio.get_running_loop().time
            begin = clock()
            await say(link, clip(speech(), 300))
            await link.input_audio_buffer.commit()
            await link.response.create()
            await until(link, "conversation.item.input_audio_transcription.completed")
            assert clock() - begin >= 2, "the transcript is late"
            await until(link, "response.audio.delta")
            assert clock() - begin >= 4, "the answer is slow"
            await link.response.cancel()
            await until(link, "response.done")
            await typed(link, "second")
            assert (await until(link, "warning")).warning.code == "slow_agent"
            await link.response.cancel()
            await until(link, "response.done")
            await typed(link, "third")
            response = (await until(link, "response.done")).response
            assert response.status == "failed"
            assert response.status_details["error"]["message"] == "The agent did not answer in time."


async def play_long_talker():
    vad = ServerVad(threshold=0.5, prefix_padding_ms=300, silence_duration_ms=300)
    with serving("--script", "long_talker") as served:
        async with session(served, turn_detection=vad) as link:
            await say(link, clip(speech(), 800))
            await until(link, "response.audio.delta")
            await say(link, clip(speech(), 800))
            done = await until(link, "response.done")
            assert (done.response.status, done.response.status_details.reason) == ("cancelled", "turn_detected")
            seen = []
            assert (await until(link, "response.done", seen)).response.status == "completed"
            milliseconds = sum(len(event.delta) for event in seen if event.type == "response.audio.delta") / 48
            assert milliseconds > 30_000, "it does talk long"


async def play_mcp():
    with serving("--script", "mcp") as served:
        servers = [MCPServer(server_label=label, server_url=f"https://{label}.example") for label in ("docs", "broken")]
        async with session(served, tools=servers) as link:
            await until(link, "mcp_list_tools.failed")
            await typed(link, "find the document")
            while (item := (await until(link, "conversation.item.created")).item).type != "mcp_approval_request":
                pass
            await until(link, "response.done")
            await link.conversation.item.create(
                item=MCPApprovalResponseRequestItem(approval_request_id=item.id, approve=True)
            )
            await until(link, "response.mcp_call.completed")
            assert (await until(link, "response.output_item.done")).item.output == "3 documents found"
            await link.response.create()
            said = await until(link, "response.audio_transcript.done")
            assert said.transcript == "The server says: 3 documents found."
        lines = served.end()[1]
    assert any("mcp_list_tools.failed: the server did not answer" in line for line in lines)


async def play_tools():
    functions = [FunctionTool(name=name, parameters={"type": "object"}) for name in ("get_weather", "set_timer")]
    with serving("--script", "tools") as served:
        async with session(served, tools=functions) as link:
            await typed(link, "the weather, and a timer")
            called = [await until(link, "response.function_call_arguments.done") for _ in functions]
            assert [call.name for call in called] == ["get_weather", "set_timer"]
            await until(link, "response.done")
            for call in called:
                output = FunctionCallOutputItem(call_id=call.call_id, output=call.name)
                await link.conversation.item.create(item=output)
            await link.response.create()
            said = await until(link, "response.audio_transcript.done")
            assert said.transcript == "The answer is: get_weather, set_timer."
        served.end()


async def play_tour():
    lines = load(shipped()["tour"]).caller
    vad = ServerVad(threshold=0.5, prefix_padding_ms=300, silence_duration_ms=500)
    with serving("--script", "tour") as served:
        async with session(served, turn_detection=vad) as link:
            for line, answer in ((lines[4], "Fair question."), (lines[0], "Hello! I am"), (lines[6], "Of course:")):
                await say(link, clip(open_voice().speak(line.say, CALLER).samples, 800))
                said = await until(link, "response.audio_transcript.done")
                assert said.transcript.startswith(answer)
            await say(link, clip(speech("These words are not in the script at all"), 800))
            assert "I heard you for" in (await until(link, "response.audio_transcript.done")).transcript
            await typed(link, "who are you?")
            assert 'You typed "who are you?".' in (await until(link, "response.text.done")).text


async def play_line_check():
    with serving("--script", "line-check") as served:
        async with session(served) as link:
            await typed(link, "hello")
            assert "I am a line check" in (await until(link, "response.text.done")).text


async def test_each_shipped_script_to_its_end():
    plays = {
        "tool_call": play_tool_call,
        "slow_agent": play_slow_agent,
        "long_talker": play_long_talker,
        "mcp": play_mcp,
        "tools": play_tools,
        "tour": play_tour,
        "line-check": play_line_check,
    }
    assert plays.keys() == shipped().keys()
    async with asyncio.TaskGroup() as side_by_side:
        for play in plays.values():
            side_by_side.create_task(play())


def test_a_script_is_checked_without_serving(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[[reply]]\nsay = "Hello."\n')
    assert run("--script", str(path), "--check") == (0, f"{path}: the script is valid\n", "")
    path.write_text('[[reply]]\nsay = "Hello."\n\n[[reply]]\nsay = "You said {words}."\n')
    status, _, complaint = run("--script", str(path), "--check")
    assert status == 2
    assert f"{path}: reply[1].say: unknown variable {{words}}" in complaint
    path.write_text("[[reply]\n")
    assert "line 1" in run("--script", str(path))[2]
    status, _, complaint = run("--script", "tool_cal")
    assert status == 2
    assert ", ".join(shipped()) in complaint


# ---- faults


async def test_all_faults_can_be_requested_at_once():
    arguments = [word for name in FAULTS for word in ("--fault", name)]
    with serving(*arguments) as served:
        with pytest.raises(ConnectionError) as refused:
            async with session(served):
                pass
        assert refused.value.__cause__.status == 503, "the first of them"
        status, lines, _ = served.end()
    assert status == 0
    assert str(parse("refuse")) in lines[-1]


async def test_faults_are_seen_on_the_wire():
    faults = ["unknown-event", "empty-frame", "error-storm=3", "malformed-json", "binary-frame", "close=4321"]
    arguments = [word for name in faults for word in ("--fault", f"{name}@session.created")]
    query = {"api-version": "2026-07-15", "model": "gpt-realtime"}
    with serving(*arguments) as served:
        url = served.endpoint + "/voice-live/realtime"
        async with aiohttp.ClientSession() as http, http.ws_connect(url, params=query) as link:
            frames = [frame async for frame in link]
            assert link.close_code == 4321
        _, lines, _ = served.end()
    assert "loopback.unknown" in frames[0].data
    assert frames[1].data == ""
    assert [json.loads(frame.data)["type"] for frame in frames[2:5]] == ["error"] * 3
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(frames[5].data)
    assert frames[6].type == aiohttp.WSMsgType.BINARY
    assert len(frames) == 7
    told = "\n".join(lines)
    assert all(f"fault: {name}" in told for name in faults)


async def test_the_service_ends_though_a_handshake_hangs():
    with serving("--fault", "hang") as served:
        host, _, port = served.endpoint.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /voice-live/realtime?api-version=1&model=m HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while "fault: hang" not in served.process.stdout.readline():
            pass
        assert served.end()[0] == 0
        assert await reader.read() == b""
        writer.close()


# ---- TLS


async def test_wss_with_a_certificate_made_for_the_run():
    with serving("--tls", "--json") as served:
        ready = json.loads(served.first)
        assert ready.keys() == {"kind", "endpoint", "certificate"}
        certificate = Path(ready["certificate"])
        assert "PRIVATE" not in certificate.read_text()
        trusting = ssl.create_default_context(cafile=certificate)
        query = {"api-version": "2026-07-15", "model": "gpt-realtime"}
        url = ready["endpoint"] + "/voice-live/realtime"
        async with aiohttp.ClientSession() as http, http.ws_connect(url, params=query, ssl=trusting) as link:
            assert (await link.receive_json(timeout=10))["type"] == "session.created"
        assert served.end()[0] == 0
    assert not certificate.exists()


async def test_wss_with_the_users_certificate(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    cert = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    (tmp_path / "cert.pem").write_bytes(cert.public_bytes(pem))
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "key.pem").write_bytes(secret)
    with serving("--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem")) as served:
        assert served.endpoint.startswith("https://127.0.0.1:")
        trusting = ssl.create_default_context(cafile=tmp_path / "cert.pem")
        url = served.endpoint.replace("127.0.0.1", "localhost") + "/openai/v1/realtime?model=m"
        async with aiohttp.ClientSession() as http, http.ws_connect(url, ssl=trusting) as link:
            assert (await link.receive_json(timeout=10))["type"] == "session.created"
        assert served.end()[0] == 0


# ---- web pages, and shells


async def test_a_web_page_may_connect_only_from_an_allowed_origin():
    for allowed, status in (([], 403), (["--allow-origin", "https://mine.example"], 101)):
        with serving(*allowed) as served:
            url = served.endpoint + "/openai/v1/realtime?model=m"
            headers = {"Origin": "https://mine.example"}
            try:
                async with aiohttp.ClientSession() as http, http.ws_connect(url, headers=headers):
                    told = 101
            except aiohttp.WSServerHandshakeError as error:
                told = error.status
            assert told == status
            assert served.end()[0] == 0


@pytest.mark.parametrize(("typed", "offered"), [("--script tool", "plain,tool_call"), ("--fault close", "plain,close")])
def test_the_shell_completes_scripts_and_faults(typed, offered):
    words = f"voicelive-tui serve {typed}"
    more = {"COMP_WORDS": words, "COMP_CWORD": "3", "_VOICELIVE_TUI_COMPLETE": "bash_complete"}
    code = "from voicelive_tui.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(**more), timeout=120, check=True
    )
    assert offered in ran.stdout


# ---- wrong options


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--fault", "clos"], "did you mean close"),
        (["--fault", "close=5"], "must be a number from 1000 to 4999"),
        (["--fault", "close@respons.done"], "did you mean response.done"),
        (["--tls-cert", "x.pem"], "--tls-cert and --tls-key belong together"),
        (["--tls", "--tls-cert", "x.pem", "--tls-key", "y.pem"], "--tls makes a certificate of its own"),
        (["--tls-cert", "x.pem", "--tls-key", "y.pem"], "there is no file x.pem"),
        (["--check"], "--check needs --script FILE"),
        (["--port", "70000"], "70000"),
    ],
)
def test_wrong_options_are_one_sentence(arguments, says):
    status, output, complaint = run(*arguments)
    assert (status, output) == (2, "")
    assert says in complaint


def test_a_port_in_use_is_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, output, complaint = program("--port", str(port))
    assert (status, output) == (2, "")
    assert complaint == (
        f"voicelive-tui: port {port} on 127.0.0.1 is in use already; choose another one, or 0 for any\n"
    )


def test_an_address_of_another_machine_is_one_sentence():
    status, output, complaint = program("--host", "192.0.2.1")
    assert (status, output) == (2, "")
    assert "cannot listen on 192.0.2.1" in complaint


async def test_listening_for_other_machines_gives_a_warning():
    with serving("--host", "0.0.0.0") as served:
        async with session(served):
            pass
        status, _, complaint = served.end()
    assert status == 0
    assert "other machines can reach this service" in complaint


# ---- the README


def of_the_readme(language):
    section = (Path(__file__).parents[2] / "README.md").read_text().partition("## The loopback service")[2]
    return section.partition(f"```{language}\n")[2].partition("```")[0]


def test_the_pytest_example_of_the_readme_passes(tmp_path):
    (tmp_path / "test_example.py").write_text(of_the_readme("python"))
    mode = ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"]
    options = ["-p", "no:cacheprovider", *mode, "-W", "error", "--strict-markers"]
    command = [sys.executable, "-m", "pytest", "-q", *options, str(tmp_path)]
    ran = subprocess.run(
        command, capture_output=True, text=True, env=environment(), cwd=tmp_path, timeout=120, check=False
    )
    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr


def test_the_shell_of_the_readme_runs(tmp_path):
    """With another port, and with a stand-in for the reader's own agent."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    lines, _, _ = of_the_readme("sh").replace("8765", str(port)).partition("voicelive-tui serve --fault")
    (tmp_path / "mine.toml").write_bytes(shipped()["slow_agent"].read_bytes())
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, words in (("voicelive-tui", '"$@"'), ("your-voice-agent", "check")):
        (programs / name).write_text(f"#!/bin/sh\nexec {sys.executable} -m voicelive_tui {words}\n")
        (programs / name).chmod(0o755)
    state = tmp_path / "state"
    around = environment(PATH=f"{programs}:{os.environ['PATH']}", HOME=str(tmp_path), XDG_STATE_HOME=str(state))
    with (tmp_path / "output").open("w+") as output:
        ran = subprocess.Popen(
            ["/bin/sh", "-e", "-c", lines], stdout=output, stderr=output, cwd=tmp_path, env=around, process_group=0
        )
        try:
            status = ran.wait(120)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(ran.pid, signal.SIGKILL)  # the service too, if something went wrong
        output.seek(0)
        told = output.read()
    assert status == 0, told
    assert told.endswith("mine.toml: the script is valid\n")
    assert "session ended: close code 1000" in (tmp_path / "serve.log").read_text()
