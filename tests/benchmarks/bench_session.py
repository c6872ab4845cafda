"""What the reducer costs an event, beside what the SDK's decoding of the same event costs.

python -m tests.benchmarks.bench_session
"""

import base64
import json
import time
from typing import Any

from azure.ai.voicelive.models import ServerEvent

from tests.session.folding import Fold, ready
from voicelive_tui.session import inputs

IDS = {"response_id": "resp_1", "item_id": "item_a", "output_index": 0, "content_index": 0}
EVENTS: dict[str, dict[str, Any]] = {
    "transcript delta": {"type": "response.audio_transcript.delta", "event_id": "event_1", **IDS, "delta": " word"},
    "audio delta, 100 ms": {
        "type": "response.audio.delta",
        "event_id": "event_1",
        **IDS,
        "delta": base64.b64encode(b"\1\0" * 2400).decode(),
    },
    "unknown event": {"type": "rate_limits.updated", "event_id": "event_1", "rate_limits": [{"name": "tokens"}]},
}


def filled(rows: int) -> Fold:
    """A ready session with that many rows in its log, and one answer."""
    fold = ready()
    fold.feed({"type": "response.created", "response": {"id": "resp_1"}})
    for _ in range(rows):
        fold.feed(EVENTS["unknown event"])
    return fold


def per_event(call: Any, rounds: int) -> float:
    """Microseconds a call."""
    began = time.perf_counter()
    for _ in range(rounds):
        call()
    return (time.perf_counter() - began) / rounds * 1e6


def main() -> None:
    """Print a line for each kind of event."""
    full = filled(50_000)
    print("microseconds an event              SDK decode   reduce, empty log   reduce, full log   reduce/decode")
    for name, event in EVENTS.items():
        text = json.dumps(event)
        decode = per_event(lambda text=text: ServerEvent._deserialize(json.loads(text), []).as_dict(), 2_000)
        costs = []
        for fold in (filled(0), full):
            fold.feed({"type": "conversation.item.deleted", "item_id": "item_a"})
            costs.append(per_event(lambda fold=fold, event=event: fold.feed(inputs.Received(event)), 1_000))
        print(f"  {name:30s} {decode:12.1f} {costs[0]:19.1f} {costs[1]:18.1f} {costs[1] / decode:15.2f}")


if __name__ == "__main__":
    main()
