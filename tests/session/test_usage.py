"""Tokens of each response, and their sums."""

from hypothesis import given

from tests.data import events
from tests.wire.test_events import JSON
from voicelive_tui.session.usage import LIMIT, Tokens, Usage


def test_cached_tokens_stay_inside_the_input() -> None:
    report = events("native_turn")[-1]["response"]["usage"]
    twice = Usage().add("resp_1", "gpt-realtime", report).add("resp_2", "gpt-realtime", report)
    sums = twice.sums
    assert (twice.responses, sums.total, sums.input, sums.output, sums.cached) == (2, 286, 88, 198, 16)
    assert twice.add("resp_3", "gpt-realtime", {}) is twice


def test_each_response_keeps_a_record_with_all_details_of_its_cached_tokens() -> None:
    details = {"text_tokens": 3, "audio_tokens": 2, "image_tokens": 1}
    sent = {"text_tokens": 10, "audio_tokens": 20, "image_tokens": 4, "cached_tokens": 6, "cache_write_tokens": 5}
    sent["cached_tokens_details"] = details
    usage = Usage().add("resp_1", "gpt-4.1", {"input_tokens": 34, "input_token_details": sent})
    (record,) = usage.records
    assert (record.response_id, record.model) == ("resp_1", "gpt-4.1")
    assert record.tokens == Tokens(
        input=34, input_text=10, input_audio=20, input_image=4, cached=6, cached_text=3, cached_audio=2, cached_image=1,
        cache_write=5,
    )  # fmt: skip


def test_records_are_kept_to_a_limit_and_the_sums_go_on() -> None:
    usage = Usage()
    for number in range(LIMIT + 5):
        usage = usage.add(f"resp_{number}", "m", {"total_tokens": 2})
    assert (len(usage.records), usage.responses, usage.sums.total) == (LIMIT, LIMIT + 5, 2 * (LIMIT + 5))
    assert usage.records[0].response_id == "resp_5"


@given(JSON)
def test_any_report_is_survived(report: object) -> None:
    tokens = Usage().add("resp_1", "m", {"input_token_details": report, "total_tokens": report, "x": report}).sums
    assert all(count >= 0 for count in tokens)
