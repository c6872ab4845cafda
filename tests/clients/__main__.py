"""Run each client against a service of its own, over TLS and where it can without; the status is 1 if one fails.

python -m tests.clients PYTHON [NAME...]      PYTHON has the clients installed
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
CLIENTS = {
    "azure-ai-voicelive": "azure_voicelive.py",
    "openai": "openai_python.py",
    "pydantic-ai-slim": "pydantic_ai_agent.py",
    "pipecat-ai": "pipecat_service.py",
    "livekit-agents": "livekit_session.py",
}
TLS_ONLY = {"pydantic-ai-slim", "pipecat-ai"}
LIMIT = 60


def version(python, name):
    code = f"import importlib.metadata as m; print(m.version({name!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=False).stdout.strip() or "missing"


def run(python, name, script, *options):
    """Whether the client held its conversation; prints a line, and what went wrong."""
    serve = [sys.executable, "-m", "voicelive_tui", "serve", "--json", "--script", str(HERE / "weather.toml"), *options]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as service:
        try:
            ready = json.loads(service.stdout.readline())
            trust = {"SSL_CERT_FILE": ready["certificate"]} if options else {}
            environment = os.environ | {"ENDPOINT": ready["endpoint"], **trust}
            command = [python, str(HERE / script)]
            begin = time.monotonic()
            try:
                ran = subprocess.run(
                    command, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False
                )
                status, output, errors = ran.returncode, ran.stdout, ran.stderr
            except subprocess.TimeoutExpired as error:
                status, output, errors = 1, str(error.stdout or b""), f"{error.stderr or b''}\nno end after {LIMIT} s"
            seconds = time.monotonic() - begin
        finally:
            service.terminate()
            records = service.stdout.read()
    scheme = "wss" if options else "ws"
    print(f"{'ok' if status == 0 else 'FAILED':8}{name} {version(python, name)} over {scheme}  ({seconds:.1f} s)")
    for line in output.splitlines():
        print(f"        {line}")
    if status:
        print(errors[-3000:], records[-3000:], sep="\n")
    return status == 0


def main():
    python, *names = sys.argv[1:]
    results = []
    for name in names or CLIENTS:
        results.append(run(python, name, CLIENTS[name], "--tls"))
        if name not in TLS_ONLY:
            results.append(run(python, name, CLIENTS[name]))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
