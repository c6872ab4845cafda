"""What the headers of a handshake's answer say; the failures themselves are in `test_connection.py`."""

from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from voicelive_tui.client.handshake import LONGEST_WAIT, prospects, unix_time

NOW = "Wed, 21 Oct 2026 07:28:00 GMT"


def answer(status: int, **headers: str) -> aiohttp.WSServerHandshakeError:
    url = URL("http://127.0.0.1")
    names: Any = CIMultiDictProxy(CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}))
    return aiohttp.WSServerHandshakeError(aiohttp.RequestInfo(url, "GET", names), (), status=status, headers=names)


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [
        ("7", 7.0),
        ("Wed, 21 Oct 2026 07:28:09 GMT", 9.0),
        ("Wed, 21 Oct 2026 09:28:09 +0200", 9.0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", 0.0),
        ("Wed, 21 Oct 2099 07:27:00 GMT", LONGEST_WAIT),
        ("99999999999999999999", LONGEST_WAIT),
        ("soon", 0.0),
        ("-3", 0.0),
        ("\u0664", 0.0),
        ("", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_by_the_service_s_clock(wait: str, seconds: float) -> None:
    assert prospects(answer(429, Retry_After=wait, Date=NOW)) == (True, seconds)


@pytest.mark.parametrize(("status", "transient"), [(400, False), (401, False), (404, False), (429, True), (503, True)])
def test_only_a_busy_or_a_broken_service_is_asked_again(status: int, transient: bool) -> None:
    assert prospects(answer(status)) == (transient, 0.0)


def test_an_http_date_becomes_unix_seconds() -> None:
    assert unix_time(NOW) == 1792567680.0
    assert unix_time("Wed, 21 Oct 2026 07:28:00 -0000") == 1792567680.0
    assert unix_time("yesterday") is None
    assert unix_time("Wed, 99 Oct 2026 07:28:00 GMT") is None
    assert unix_time("Wed, 21 Oct 999999 07:28:00 GMT") is None
