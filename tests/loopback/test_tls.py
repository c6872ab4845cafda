"""Certificates of the service."""

import ssl

import aiohttp
import pytest

from tests.loopback.wire import FAST, connected, events
from voicelive_tui.loopback.handshake import DIALECTS
from voicelive_tui.loopback.service import LoopbackService
from voicelive_tui.loopback.tls import TlsError, from_files, self_signed


async def test_a_self_signed_certificate_serves_wss_to_clients_that_trust_it():
    context, pem = self_signed("127.0.0.1")
    assert "PRIVATE KEY" not in pem
    trusting = ssl.create_default_context(cadata=pem)
    async with LoopbackService(tls=context, script=FAST) as service:
        assert service.endpoint.startswith("https://127.0.0.1:")
        for path in DIALECTS:
            async with connected(service, path, ssl=trusting) as socket:
                assert (await events(socket, "session.created"))[0]["type"] == "session.created"
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            async with connected(service):
                pass


def test_certificates_that_cannot_be_used_are_one_sentence(tmp_path):
    _, pem = self_signed("localhost")
    cert, broken = tmp_path / "cert.pem", tmp_path / "broken.pem"
    cert.write_text(pem)
    broken.write_text("nothing")
    for one, other in ((cert, tmp_path / "none.pem"), (cert, broken), (broken, cert), (cert, cert)):
        with pytest.raises(TlsError) as info:
            from_files(str(one), str(other))
        assert "\n" not in str(info.value)
        assert "pem" in str(info.value)
