"""Through the real SDK, against small servers on a real socket."""

import asyncio
import contextlib
import gc
import json
import socket
import ssl
import struct
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import WSMsgType, web
from azure.core.credentials import AccessToken, AzureKeyCredential
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import ClientAuthenticationError

from voicelive_tui import credentials
from voicelive_tui.client import connection
from voicelive_tui.client.connection import BadMessage, ConnectError, LinkClosed, ServiceConnection
from voicelive_tui.client.handshake import PROXIES
from voicelive_tui.config import Service
from voicelive_tui.credentials import CredentialError
from voicelive_tui.wire.events import DEEPEST

KEY = "sk-7f3a-not-for-your-eyes"
IN_QUERY = "key-in-the-query"


@pytest.fixture(autouse=True)
def nothing_left_open(monkeypatch):
    """What is not closed warns when it is collected, and warnings are errors."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    yield
    gc.collect()


@contextlib.asynccontextmanager
async def raw_server(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], **options
) -> AsyncIterator[int]:
    """Something that accepts TCP connections; its port."""
    writers: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(OSError):
            await talk(reader, writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


def answering(reply: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        await writer.drain()
        writer.close()

    return talk


async def never_answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def reset(writer: asyncio.StreamWriter | asyncio.Transport) -> None:
    """End a TCP connection as a crash does: with RST."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    (writer.transport if isinstance(writer, asyncio.StreamWriter) else writer).abort()


@contextlib.asynccontextmanager
async def service(
    talk: Callable[[web.WebSocketResponse, web.Request], Awaitable[None]], credential=None, headers=None, **options
) -> AsyncIterator[tuple[ServiceConnection, list[web.Request]]]:
    """A service that accepts everybody and talks as told, a connection to it, and the requests it had."""
    requests: list[web.Request] = []

    async def accept(request: web.Request) -> web.WebSocketResponse:
        requests.append(request)
        ws = web.WebSocketResponse(**options)
        ws.headers.update(headers or {})
        await ws.prepare(request)
        await talk(ws, request)
        return ws

    app = web.Application()
    app.router.add_get("/voice-live/realtime", accept)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    open_connection = await opened(runner.addresses[0][1], credential=credential)
    try:
        yield open_connection, requests
    finally:
        await open_connection.close()
        await runner.cleanup()


async def opened(port: int, scheme: str = "http", credential=None, host: str = "127.0.0.1") -> ServiceConnection:
    endpoint = Service(endpoint=f"{scheme}://{host}:{port}?api-key={IN_QUERY}", api_key=KEY)
    return await ServiceConnection.open(endpoint, "gpt-realtime", credential or AzureKeyCredential(KEY))


async def failure(port: int, **options) -> str:
    """The sentence for a connection that cannot be made; neither it nor a traceback of it tells a secret."""
    with pytest.raises(ConnectError) as caught:
        await opened(port, **options)
    shown = "".join(traceback.format_exception(caught.value))
    assert KEY not in shown
    assert IN_QUERY not in shown
    assert "\n" not in str(caught.value)
    return str(caught.value)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# --- handshakes that fail


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_port_that_no_service_listens_on(host):
    port = unused_port()
    assert await failure(port, host=host) == (
        f"no connection to http://{host}:{port} (connection refused): check the endpoint"
    )


async def test_the_name_is_not_known(monkeypatch):
    def unknown(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    sentence = await failure(443, scheme="https", host="nowhere.invalid")
    assert sentence == "the name of https://nowhere.invalid:443 is not known: check the endpoint's spelling"


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (400, "HTTP 400: the service refused the request: check the api-version"),
        (401, "HTTP 401: the key or token was refused"),
        (403, "HTTP 403: access denied: the identity needs the roles"),
        (
            404,
            "HTTP 404: no Voice Live at path /voice-live/realtime with model gpt-realtime and api-version",
        ),
        (429, "HTTP 429: too many requests"),
        (500, "HTTP 500: the service itself has a problem"),
        (503, "HTTP 503: the service itself has a problem"),
        (200, "HTTP 200: no WebSocket was opened"),
        (426, "HTTP 426: no WebSocket was opened"),
    ],
)
async def test_the_service_refuses(status, says):
    reply = f"HTTP/1.1 {status} Whatever\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody".encode()
    async with raw_server(answering(reply)) as port:
        assert (await failure(port)).startswith(f"http://127.0.0.1:{port} answered with {says}")


async def test_an_upgrade_that_is_none():
    reply = b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n"
    async with raw_server(answering(reply)) as port:
        assert "HTTP 101: no WebSocket was opened" in await failure(port)


@pytest.mark.parametrize("status", [301, 302, 307])
async def test_a_redirect_is_not_followed(status):
    followed: list[str] = []

    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        followed.append((await reader.read(10_000)).decode())

    async with raw_server(elsewhere) as target:
        reply = f"HTTP/1.1 {status} Go\r\nLocation: http://127.0.0.1:{target}/\r\nContent-Length: 0\r\n\r\n".encode()
        async with raw_server(answering(reply)) as port:
            assert "redirects to another address" in await failure(port)
    assert followed == []


async def test_tls_to_a_plain_port():
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with raw_server(talk) as port:
        sentence = await failure(port, scheme="https")
    assert sentence == (
        f"https://127.0.0.1:{port} does not speak TLS there: check the scheme (https or http) and the port"
    )


async def test_a_certificate_that_is_not_trusted(tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    async with raw_server(never_answering, ssl=context) as port:
        assert f"the certificate of https://127.0.0.1:{port} is not trusted" in await failure(port, scheme="https")


def self_signed(folder) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "both.pem"
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return str(path)


@pytest.mark.parametrize(
    "reply", [b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x50\r\n\r\n", b"\x1b[31m\r\n"]
)
async def test_something_else_listens_there(reply):
    async with raw_server(answering(reply)) as port:
        sentence = await failure(port)
    assert sentence == (
        f"http://127.0.0.1:{port} answered with something that is not HTTP: check the endpoint and its port"
    )


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def crash(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    reset(writer)


@pytest.mark.parametrize("talk", [hang_up, crash])
async def test_the_service_drops_the_handshake(talk):
    async with raw_server(talk) as port:
        assert "hung up during the handshake" in await failure(port)


async def test_a_hung_handshake_has_a_limit(monkeypatch):
    monkeypatch.setattr(connection, "HANDSHAKE_LIMIT", 0.2)
    async with raw_server(never_answering) as port:
        sentence = await failure(port)
    assert sentence == f"http://127.0.0.1:{port} did not answer within 0.2 s: check the endpoint and the network"


async def test_a_hung_handshake_can_be_cancelled():
    reached = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        reached.set()
        await reader.read()

    async with raw_server(talk) as port:
        task = asyncio.create_task(opened(port))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()


# --- proxies


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
async def test_a_proxy_that_is_set_is_mentioned(monkeypatch, variable):
    def unknown(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setenv(variable, f"http://user:{IN_QUERY}@proxy:3128")
    sentence = await failure(443, scheme="https", host="nowhere.invalid")
    assert sentence.endswith(
        f"({variable} is set, but the Voice Live SDK does not use proxies: it needs a direct connection)"
    )


async def test_a_proxy_has_nothing_to_do_with_this_machine(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    assert "proxy" not in (await failure(unused_port())).lower()


# --- what is sent at the handshake


async def test_key_model_and_version_go_with_the_handshake():
    async def talk(ws: web.WebSocketResponse, request: web.Request) -> None:
        await ws.receive()

    async with service(talk) as (_, requests):
        (request,) = requests
        assert request.headers["api-key"] == KEY
        assert request.query["model"] == "gpt-realtime"
        assert request.query["api-version"] == Service().api_version
        assert "Authorization" not in request.headers


# --- Entra ID


class FakeCredential(AsyncTokenCredential):
    """Stands in for azure-identity: gives a token, or does not."""

    def __init__(self, problem: Exception | None = None, *, hangs: bool = False) -> None:
        self.problem = problem
        self.hangs = hangs
        self.scopes: list[str] = []
        self.closed = False

    async def get_token(self, *scopes, **options) -> AccessToken:
        self.scopes += scopes
        if self.hangs:
            await asyncio.Event().wait()
        if self.problem:
            raise self.problem
        return AccessToken(KEY, 2**31)

    async def close(self) -> None:
        self.closed = True

    async def __aexit__(self, *args) -> None:
        await self.close()


async def test_a_token_is_a_bearer():
    async def talk(ws: web.WebSocketResponse, request: web.Request) -> None:
        await ws.receive()

    credential = FakeCredential()
    async with service(talk, credential) as (_, requests):
        assert requests[0].headers["Authorization"] == f"Bearer {KEY}"
        assert "api-key" not in requests[0].headers
    assert set(credential.scopes) == {"https://ai.azure.com/.default"}


@pytest.mark.parametrize(
    ("credential", "says"),
    [
        (
            FakeCredential(ClientAuthenticationError("DefaultAzureCredential failed.\nAttempted credentials:\n\tAll")),
            "(DefaultAzureCredential failed)",
        ),
        (
            FakeCredential(
                ClientAuthenticationError(
                    "DefaultAzureCredential failed to retrieve a token.\nAttempted credentials:\n"
                    "\tEnvironmentCredential: not configured.\nVisit https://aka.ms/x to troubleshoot.\n"
                    "\tAzureCliCredential: ERROR: AADSTS70043: The refresh token has expired.\n\n"
                    "\tBrokerCredential: unavailable.\nTo mitigate this issue, see https://aka.ms/y."
                )
            ),
            "(AADSTS70043: The refresh token has expired)",
        ),
        (
            FakeCredential(
                ClientAuthenticationError("All failed.\n\tAzureCliCredential: not on path\n\tBrokerCredential: no")
            ),
            "(not on path)",
        ),
        (
            FakeCredential(ClientAuthenticationError("All failed.\n\tACredential: a\n\tBCredential: b.")),
            "(b)",
        ),
        (FakeCredential(ClientAuthenticationError("")), "gave no token ("),
        (FakeCredential(OSError("no such pipe")), "(no such pipe)"),
        (FakeCredential(hangs=True), "within 0.2 s"),
    ],
)
async def test_no_token(monkeypatch, credential, says):
    monkeypatch.setattr(credentials, "TOKEN_LIMIT", 0.2)
    with pytest.raises(CredentialError) as caught:
        await opened(unused_port(), credential=credential)
    sentence = str(caught.value)
    assert sentence.startswith("Entra ID gave no token")
    assert says in sentence
    assert "az login" in sentence
    assert "Cognitive Services User" in sentence
    assert "\n" not in sentence


async def test_a_token_that_is_refused_later():
    class OnlyOnce(FakeCredential):
        async def get_token(self, *scopes, **options) -> AccessToken:
            token = await super().get_token(*scopes, **options)
            self.problem = ClientAuthenticationError("expired")
            return token

    assert "ClientAuthenticationError" in await failure(unused_port(), credential=OnlyOnce())


# --- what comes in


async def received(*frames: str | bytes) -> list[dict | str]:
    """What is received of frames that a service sends before it closes."""

    async def talk(ws: web.WebSocketResponse, request: web.Request) -> None:
        for frame in frames:
            await (ws.send_str(frame) if isinstance(frame, str) else ws.send_bytes(frame))
        await ws.close()

    got: list[dict | str] = []
    async with service(talk) as (link, _):
        while True:
            try:
                got.append((await link.receive())[0])
            except BadMessage as problem:
                got.append(str(problem))
            except LinkClosed:
                return got


NO_OBJECT = "a message arrived that is not a readable JSON object, and was left out"
EMPTY = "an empty message arrived and was left out"


def nested(depth: int) -> str:
    """An object of arrays within one another."""
    return '{"x": ' + "[" * depth + "]" * depth + "}"


@pytest.mark.parametrize(
    "event",
    [
        json.loads(nested(DEEPEST - 1)),
        {"many": [[]] * 1000},
        {"type": "session.created", "event_id": "e", "session": {"id": "s", "voice": {"name": "x"}, "new_field": [1]}},
        {"type": "conversation.item.done", "item": {"id": "i"}},
        {"type": "not.a.known.type", "nested": {"deep": [None, 1.5, "😀"]}},
        {"no_type": 1},
        {"type": None},
        {"type": 5},
        {"type": []},
        {"type": "response.audio.delta", "delta": "!!!!"},
        {"type": "SESSION.CREATED"},
        {"type": "session.created", "session": 5},
        {"type": "error", "error": "no object"},
        {},
    ],
)
async def test_any_object_comes_out_as_it_came_in(event):
    assert await received(json.dumps(event), json.dumps(event).encode()) == [event, event]


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        ("{", NO_OBJECT),
        ("[]", NO_OBJECT),
        ("null", NO_OBJECT),
        ("5", NO_OBJECT),
        ('"x"', NO_OBJECT),
        ("[" * 100_000, NO_OBJECT),
        (nested(970), NO_OBJECT),
        (nested(DEEPEST), NO_OBJECT),
        (b"\xff\xfe", NO_OBJECT),
        ("", EMPTY),
        (b"", EMPTY),
    ],
    ids=lambda value: repr(value)[:20],
)
async def test_a_message_that_is_not_an_event_is_reported_and_the_connection_goes_on(frame, says):
    assert await received(frame, '{"type": "next"}', frame) == [says, {"type": "next"}, says]


async def test_too_many_bad_messages_in_a_row_end_it(monkeypatch):
    monkeypatch.setattr(connection, "BAD_MESSAGES_LIMIT", 5)

    async def talk(ws: web.WebSocketResponse, request: web.Request) -> None:
        for frame in ["{"] * 4 + ["{}"] + ["{", ""] * 3:
            await ws.send_str(frame)
        await ws.receive()

    outcomes: list[str] = []
    async with service(talk) as (link, _):
        for _ in range(9):
            try:
                await link.receive()
                outcomes.append("good")
            except BadMessage:
                outcomes.append("bad")
        end = await end_of(link)
    assert end.code == 1002
    assert str(end).endswith("5 unreadable messages in a row")
    assert outcomes == ["bad"] * 4 + ["good"] + ["bad"] * 4


async def end_of(link: ServiceConnection) -> LinkClosed:
    while True:
        try:
            await link.receive()
        except BadMessage:
            pass
        except LinkClosed as end:
            return end


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (1000, "normal closure (code 1000)"),
        (1001, "going away"),
        (1008, "policy violation (code 1008)"),
        (1011, "internal error of the service (code 1011)"),
        (4000, "a code of the service's own (code 4000)"),
        (3000, "an unusual code (code 3000)"),
    ],
)
async def test_the_service_closes(code, says):
    async def talk(ws: web.WebSocketResponse, request: web.Request) -> None:
        await ws.close(code=code, message=b"because of \x1b[31m")

    async with service(talk) as (link, _):
        end = await end_of(link)
        assert end.code == code
        assert str(end).startswith("the connection ended: ")
        assert says in str(end)
        assert str(end).endswith(": because of ␛[31m")
        assert (await end_of(link)).code == code  # and it stays so
        with pytest.raises(LinkClosed) as caught:
            await link.send({"type": "input_audio_buffer.append", "audio": ""})
        assert caught.value.code == code


@pytest.mark.parametrize("with_rst", [True, False])
async def test_the_connection_is_lost(with_rst):
    async def talk(ws: web.WebSocketResponse, request: web.Request) -> None:
        if with_rst:
            reset(request.transport)
        else:
            request.transport.abort()

    async with service(talk) as (link, _):
        end = await end_of(link)
        assert end.code == 1006
        assert "lost without a close frame" in str(end)


async def test_a_pong_is_a_sign_of_life_and_pings_of_the_service_are_answered():
    ponged = asyncio.Event()

    async def talk(ws: web.WebSocketResponse, request: web.Request) -> None:
        await ws.ping(b"there?")
        assert (await ws.receive()).type is WSMsgType.PONG
        ponged.set()
        message = await ws.receive()
        assert message.type is WSMsgType.PING
        await ws.pong(message.data)
        await ws.receive()

    async with service(talk, autoping=False) as (link, _):
        receiving = asyncio.create_task(link.receive())
        await asyncio.wait_for(ponged.wait(), 60)
        asked_at = time.monotonic()
        await link.ping()
        async with asyncio.timeout(60):
            while link.alive_at < asked_at:
                await asyncio.sleep(0.01)
        receiving.cancel()


async def test_a_message_that_is_too_big(monkeypatch):
    monkeypatch.setattr(connection, "BIGGEST_MESSAGE", 1000)

    async def talk(ws: web.WebSocketResponse, request: web.Request) -> None:
        await ws.send_json({"type": "x" * 2000})
        await ws.receive()

    async with service(talk) as (link, _):
        end = await end_of(link)
        assert end.code == 1009
        assert "too big" in str(end)


async def test_a_message_bigger_than_the_sdk_would_take():
    async def talk(ws: web.WebSocketResponse, request: web.Request) -> None:
        await ws.send_json({"type": "conversation.item.retrieved", "audio": "A" * 5_000_000})
        await ws.receive()

    async with service(talk) as (link, _):
        assert len((await link.receive())[0]["audio"]) == 5_000_000


async def test_a_receive_that_is_cancelled_loses_nothing():
    async def talk(ws: web.WebSocketResponse, request: web.Request) -> None:
        for number in range(100):
            await ws.send_json({"type": "n", "n": number})
            await asyncio.sleep(0.001)
        await ws.receive()

    numbers: list[int] = []
    async with service(talk) as (link, _):
        while len(numbers) < 100:
            with contextlib.suppress(TimeoutError):
                numbers.append((await asyncio.wait_for(link.receive(), 0.002))[0]["n"])
    assert numbers == list(range(100))


# --- sending and closing


async def test_what_is_sent_arrives_in_order():
    arrived: list[dict] = []
    everything = asyncio.Event()

    async def talk(ws: web.WebSocketResponse, request: web.Request) -> None:
        async for message in ws:
            arrived.append(json.loads(message.data))
            if len(arrived) == 50:
                everything.set()

    async with service(talk) as (link, _):
        for number in range(50):
            await link.send({"type": "input_text", "n": number})
        await everything.wait()
    assert arrived == [{"type": "input_text", "n": number} for number in range(50)]


async def test_our_own_close_is_a_normal_one_for_both():
    codes: list[int | None] = []
    waiting = asyncio.Event()

    async def talk(ws: web.WebSocketResponse, request: web.Request) -> None:
        message = await ws.receive()
        assert message.type is WSMsgType.CLOSE
        codes.append(message.data)

    async with service(talk) as (link, _):

        async def reading() -> LinkClosed:
            waiting.set()
            return await end_of(link)

        reader = asyncio.create_task(reading())
        await waiting.wait()
        await asyncio.sleep(0)
        await link.close()
        assert (await reader).code == 1000
        await link.close()  # harmless
        with pytest.raises(LinkClosed):
            await link.send({"type": "x"})
    assert codes == [1000]


async def test_a_peer_that_never_answers_our_close(monkeypatch):
    monkeypatch.setattr(connection, "CLOSE_LIMIT", 0.1)
    done = asyncio.Event()

    async def talk(ws: web.WebSocketResponse, request: web.Request) -> None:
        await done.wait()

    async with service(talk) as (link, _):
        async with asyncio.timeout(5):  # aiohttp's own limit is longer
            await link.close()
        assert (await end_of(link)).code == 1000
        done.set()


async def stuck(link: ServiceConnection) -> asyncio.Task[None]:
    """A sender that waits because the peer does not read."""

    async def send_for_ever() -> None:
        with contextlib.suppress(LinkClosed):
            while True:
                await link.send({"type": "input_audio_buffer.append", "audio": "A" * 1_000_000})

    sender = asyncio.create_task(send_for_ever())
    transport = link._sdk._connection._response.connection.transport
    before = -1
    while transport.get_write_buffer_size() != before or not before:
        before = transport.get_write_buffer_size()
        await asyncio.sleep(0.05)
    return sender


async def test_a_peer_that_does_not_even_read(monkeypatch):
    monkeypatch.setattr(connection, "CLOSE_LIMIT", -0.8)  # with its second of grace: 0.2 s
    done = asyncio.Event()

    async def talk(ws: web.WebSocketResponse, request: web.Request) -> None:
        request.transport.pause_reading()
        await done.wait()

    async with service(talk) as (link, _):
        sender = await stuck(link)
        async with asyncio.timeout(5):
            await link.close()
        assert link._sdk._client_session.closed
        sender.cancel()
        await asyncio.gather(sender, return_exceptions=True)
        done.set()


async def test_a_close_can_be_cancelled_and_closes_nevertheless():
    done = asyncio.Event()

    async def talk(ws: web.WebSocketResponse, request: web.Request) -> None:
        await done.wait()

    async with service(talk) as (link, _):
        closing = asyncio.create_task(link.close())
        await asyncio.sleep(0.05)  # until it waits for the peer
        assert not closing.done()
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert link._sdk._client_session.closed
        done.set()


@pytest.mark.parametrize(
    ("headers", "dated"), [({"Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, True), ({"Date": "-"}, False)]
)
async def test_the_service_s_time_is_that_of_the_handshake_where_it_has_one(headers, dated):
    async def talk(ws, _request):
        await ws.receive()

    before = time.time()
    async with service(talk, headers=headers) as (open_connection, _):
        assert open_connection.dated is dated
        assert (
            open_connection.unix_time == 1792567681.0 if dated else before <= open_connection.unix_time <= time.time()
        )
