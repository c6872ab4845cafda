"""What a client may get wrong, and what it is told."""

import pytest

from tests.loopback.lab import Lab, error_of, kinds, only

REQUEST = '{"type":"response.create","response":{%s}}'
ITEM_OF = '{"type":"conversation.item.create","item":{"type":"%s"}}'


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ("{", "invalid_json", None),
        ("[]", "invalid_event", None),
        ('"{}"', "invalid_event", None),
        ("{}", "missing_required_parameter", "type"),
        ('{"type":"nonsense"}', "invalid_value", "type"),
        ('{"type":7}', "invalid_value", "type"),
        ('{"type":"session.update"}', "missing_required_parameter", "session"),
        ('{"type":"session.update","session":[]}', "invalid_type", "session"),
        ('{"type":"input_audio_buffer.append"}', "missing_required_parameter", "audio"),
        ('{"type":"input_audio_buffer.append","audio":5}', "invalid_type", "audio"),
        ('{"type":"input_audio_buffer.append","audio":"!"}', "invalid_value", "audio"),
        ('{"type":"input_audio_buffer.append","audio":"QUFB"}', "invalid_value", "audio"),
        ('{"type":"conversation.item.create"}', "missing_required_parameter", "item"),
        ('{"type":"conversation.item.create","item":{}}', "missing_required_parameter", "item.type"),
        (ITEM_OF % "x", "invalid_value", "item.type"),
        (ITEM_OF % "mcp_approval_response", "not_supported", "item.type"),
        (ITEM_OF % "message", "missing_required_parameter", "item.role"),
        ('{"type":"conversation.item.truncate","item_id":"x"}', "missing_required_parameter", "content_index"),
        (REQUEST % '"modalities":["video"]', "invalid_value", "response.modalities[0]"),
        (REQUEST % '"max_output_tokens":0', "invalid_value", "response.max_output_tokens"),
        (REQUEST % '"tools":[{"type":"mcp"}]', "not_supported", "response.tools[0]"),
        (REQUEST % '"interim_response":{"type":"x"}', "not_supported", "response.interim_response"),
        ('{"type":"session.avatar.connect","client_sdp":""}', "not_supported", "type"),
        ('{"type":"output_audio_buffer.clear"}', "not_supported", "type"),
        ('{"type":"input_text.delta","id":"1","delta":"x"}', "not_supported", "type"),
        ('{"type":"input_text.done","id":"1"}', "not_supported", "type"),
        ('{"type":"input_audio.turn.start","turn_id":"1"}', "invalid_value", "type"),
        ('{"type":"input_audio.clear"}', "invalid_value", "type"),
        ('{"type":"transcription_session.update","session":{}}', "invalid_value", "type"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_out_is_answered_and_harms_nothing(message, code, param):
    lab = Lab()
    error = error_of(lab.raw(message))
    assert (error["code"], error["param"]) == (code, param)
    assert error["type"] == "invalid_request_error"
    assert error["message"].endswith(".")
    assert kinds(lab.send("session.update", session={})) == ["session.updated"]


def test_the_clients_event_id_comes_back_with_its_error():
    for kind in ("nonsense", "response.cancel", "session.update"):
        assert error_of(Lab().send(kind, event_id="mine"))["event_id"] == "mine"


@pytest.mark.parametrize("value", ["[" * 100 + "]" * 100, "[" * 600 + "]" * 600, str(list(range(30_000)))])
def test_what_is_too_deep_or_too_large_to_be_copied_is_refused(value):
    """Between 300 and 1000 levels JSON can be read, and not be copied by recursion."""
    lab = Lab()
    error = error_of(lab.raw(f'{{"type":"session.update","event_id":"mine","session":{{"x":{value}}}}}'))
    assert (error["code"], error["event_id"]) == ("invalid_event", "mine")
    assert "x" not in only(lab.send("session.update", session={}), "session.updated")["session"]
