"""Endpoints: which URLs are accepted, and what is shown of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.endpoint import EndpointError, host_of, is_loopback, plain_endpoint

SECRET = "s3cret-of-the-endpoint"
urls = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "http:", "https:", "wss:", "ftp:", " "]),
        st.sampled_from(["", "/", "//", "///"]),
        st.text(max_size=6) | st.sampled_from(["host", "[::1]", "user:pw@host", "127.0.0.1", "[", "]"]),
        st.sampled_from(["", ":", ":80", ":x", ":٣", ":-1", ":99999999"]),
        st.text(max_size=6) | st.sampled_from(["", "/voice-live/realtime", "?a=b", "#c", "/" * 5]),
    ),
)


@pytest.mark.parametrize(
    ("given_url", "plain"),
    [
        ("https://name.services.ai.azure.com", "https://name.services.ai.azure.com"),
        ("https://name.services.ai.azure.com/", "https://name.services.ai.azure.com"),
        ("  wss://name.example  ", "wss://name.example"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("ws://[::1]:8080/", "ws://[::1]:8080"),
        ("HTTPS://Name.Example", "https://Name.Example"),
        ("https://gateway.example/prefix/", "https://gateway.example/prefix"),
        ("https://name.example/voice-live/realtime", "https://name.example"),
        ("https://name.example/voice-live/realtime/", "https://name.example"),
        ("https://name.example/prefix/voice-live/realtime", "https://name.example/prefix"),
        ("https://name.example/voice-live/realtime?profile=byom", "https://name.example?profile=byom"),
        ("https://name.example/#top", "https://name.example"),
        ("https://bücher.example", "https://bücher.example"),
    ],
)
def test_endpoints_that_are_accepted(given_url, plain):
    assert plain_endpoint(given_url) == plain
    assert plain_endpoint(plain) == plain


@pytest.mark.parametrize(
    "url",
    [
        "   ",
        "name.services.ai.azure.com",
        "ftp://name.example",
        "https://",
        "https:///path",
        "https://:443",
        "https://host:port",
        "https://host:0",
        "https://host:99999",
        "https://[::1",
        "https://exa mple.com",
        "https://ho<st",
        "https://host\\path",
        "file:///etc/passwd",
        "\x1b[31m",
        "https://℀.example",
        "https://a..b",
        "https://" + "a" * 64,
        f"user:{SECRET}@host",
        f"https://{SECRET}@host",
        f"https://me:{SECRET}@℀",
        f"https://@{SECRET}:x",
        f"?{SECRET}",
        f"#{SECRET}",
    ],
)
def test_endpoints_that_are_refused(url):
    with pytest.raises(EndpointError, match=r"endpoint .*(expected something like https://|must not hold)") as caught:
        plain_endpoint(url)
    assert SECRET not in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("LOCALHOST:80", True),
        ("127.0.0.1", True),
        ("127.0.0.1:8080", True),
        ("127.9.9.9", True),
        ("[::1]", True),
        ("[::1]:8080", True),
        ("127.0.0.1.evil.com", False),
        ("127.evil.com", False),
        ("localhost.evil.com", False),
        ("evil.com/127.0.0.1", False),
        ("evil.com?127.0.0.1", False),
        ("127.1", False),  # systems disagree about what it means
        ("127.0.0.1000", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("[2001:db8::1]", False),
        ("[::ffff:8.8.8.8]", False),
        ("", False),
    ],
)
def test_only_this_machine_is_loopback(host, loopback):
    assert is_loopback(f"http://{host}") is loopback


def test_an_endpoint_is_shown_as_scheme_host_and_port():
    assert host_of(f"https://name.example:8443/{SECRET}?key={SECRET}") == "https://name.example:8443"
    assert host_of("ws://[::1]:80") == "ws://[::1]:80"


@given(st.text(max_size=30) | urls)
def test_any_endpoint_is_taken_or_refused_with_a_sentence(url):
    try:
        plain = plain_endpoint(url)
    except EndpointError as refusal:
        sentence = str(refusal)
    else:
        sentence = ""
    if sentence:
        assert sentence.isprintable()
        return
    assert plain_endpoint(plain) == plain
    assert host_of(plain).startswith(("http://", "https://", "ws://", "wss://"))
    is_loopback(plain)
