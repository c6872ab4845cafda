"""Event sequences as the service sends them, one JSON object a line.

`native_turn.jsonl` and `cascade_turn.jsonl` hold one spoken turn each, in the order and with the fields seen in
recordings of the live service (gpt-realtime, gpt-4.1; api-version 2026-04-10); ids and sound are shortened.
"""

import json
from pathlib import Path
from typing import Any


def events(name: str) -> list[dict[str, Any]]:
    """The events of a file in this folder."""
    lines = (Path(__file__).parent / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
