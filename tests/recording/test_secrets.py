"""Secrets and names that reach the program, and a recording of a conversation in which each secret was said aloud."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from voicelive_tui import text
from voicelive_tui.recording.lines import without_secrets

FLAG, VARIABLE, IN_FILE, HEADER, QUERY = (
    f"s3cr3t{kind}0123456789abcdef" for kind in ("Flag", "Variable", "File", "Header", "Query")
)


@pytest.mark.parametrize("way", ["flag", "environment", "file"])
def test_no_secret_is_in_a_byte_of_a_recording(tmp_path: Path, way: str) -> None:
    key = {"flag": FLAG, "environment": VARIABLE, "file": IN_FILE}[way]
    serve = [sys.executable, "-m", "voicelive_tui", "serve", "--api-key", key, "--json"]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AZURE_")},
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "MCP_KEY": HEADER,
    }
    config = tmp_path / "config.toml"
    config.write_text(
        (f'[service]\napi_key = "{key}"\n' if way == "file" else "")
        + '[session]\nmodalities = ["text"]\n[recording]\nhost_names = false\n'
        + '[[mcp]]\nlabel = "docs"\nurl = "https://mcp.example/x"\nheaders = { Authorization = "MCP_KEY" }\n'
    )
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, env=environment) as service:
        try:
            assert service.stdout is not None
            endpoint = json.loads(service.stdout.readline())["endpoint"]
            host = endpoint.rpartition("/")[2]
            said = f"key {key}, header {HEADER}, https://x/?sig={QUERY}&y=1 {host}"
            done = subprocess.run(
                [sys.executable, "-m", "voicelive_tui", "console", "--config", str(config), "--endpoint", endpoint,
                 "--input-device", "none", "--output-device", "none", "--say", said,
                 "--record", str(tmp_path / "kept"),
                 *(["--api-key", key] if way == "flag" else [])],
                env={**environment, **({"AZURE_VOICELIVE_API_KEY": key} if way == "environment" else {})},
                capture_output=True, text=True, timeout=120, check=False,
            )  # fmt: skip
        finally:
            service.kill()
    assert done.returncode == 0, done.stderr
    (bundle,) = (tmp_path / "kept").iterdir()
    files = {file.name: file.read_bytes() for file in bundle.iterdir()}
    assert b"[key " not in files["wire.jsonl"]
    assert b"key <hidden>, header <hidden>" in files["wire.jsonl"]
    assert json.loads(files["manifest.json"])["masked"]
    for name, content in files.items():
        for secret in (key, HEADER, QUERY, host, "mcp.example"):
            assert secret.encode() not in content, name


@pytest.fixture
def hidden() -> Iterator[str]:
    """A token as Entra ID gives it: it is registered where it is received."""
    token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.c2VjcmV0"
    text.hide(token)
    yield token
    text._hidden.discard(token)


def test_a_token_that_a_service_echoes_is_masked_and_the_message_stays_json(hidden: str) -> None:
    raw = json.dumps({"type": "error", "error": {"message": f"bad token {hidden} given"}})
    clean = without_secrets(raw)
    assert json.loads(clean) == {"type": "error", "error": {"message": "bad token <hidden> given"}}
