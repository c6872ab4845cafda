"""Tokens: a record for each response, and their sums (protocol section 5.1)."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from voicelive_tui.wire.events import mapping, number

LIMIT = 1_000
"""Records kept; the sums include those that were dropped."""


class Tokens(NamedTuple):
    """Tokens by kind. Cached tokens are a part of the input, never added to it."""

    total: int = 0
    input: int = 0
    output: int = 0
    input_text: int = 0
    input_audio: int = 0
    input_image: int = 0
    cached: int = 0
    cached_text: int = 0
    cached_audio: int = 0
    cached_image: int = 0
    cache_write: int = 0
    output_text: int = 0
    output_audio: int = 0
    reasoning: int = 0


_NONE = Tokens()


class Record(NamedTuple):
    """Tokens of one response."""

    response_id: str
    model: str
    """The model in force, as the service names it."""
    tokens: Tokens


class Usage(Struct, frozen=True):
    """The sums over all `response.done`, and the last `LIMIT` records."""

    responses: int = 0
    sums: Tokens = _NONE
    records: tuple[Record, ...] = ()

    def add(self, response_id: str, model: str, report: Mapping[str, Any]) -> "Usage":
        """The usage with the `usage` object of one `response.done` added; an empty report changes nothing."""
        if not report:
            return self
        tokens = _read(report)
        sums = Tokens(*(sum(pair) for pair in zip(self.sums, tokens, strict=True)))
        records = (*self.records[-LIMIT + 1 :], Record(response_id, model, tokens))
        return Usage(self.responses + 1, sums, records)


def _read(report: Mapping[str, Any]) -> Tokens:
    sent, made = mapping(report.get("input_token_details")), mapping(report.get("output_token_details"))
    cached = mapping(sent.get("cached_tokens_details"))

    def counts(source: Mapping[str, Any], *kinds: str) -> list[int]:
        return [int(number(source.get(f"{kind}_tokens"))) for kind in kinds]

    return Tokens(
        *counts(report, "total", "input", "output"),
        *counts(sent, "text", "audio", "image", "cached"),
        *counts(cached, "text", "audio", "image"),
        *counts(sent, "cache_write"),
        *counts(made, "text", "audio", "reasoning"),
    )
