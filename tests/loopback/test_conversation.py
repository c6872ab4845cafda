"""The items of a conversation and the operations on them."""

import base64
import itertools

from tests.loopback.lab import Lab, error_of, kinds, only, sound
from voicelive_tui.loopback.conversation import MAX_AUDIO_BYTES


def answered():
    lab = Lab()
    lab.type("hello")
    item = only(lab.finish(), "response.output_item.done")["item"]
    return lab, item["id"]


def test_truncate_delete_and_retrieve():
    lab, item_id = answered()
    audio = len(sound(lab.events))
    item = only(lab.send("conversation.item.retrieve", item_id=item_id), "conversation.item.retrieved")["item"]
    assert len(base64.b64decode(item["content"][0]["audio"])) == audio
    fields = {"item_id": item_id, "content_index": 0, "audio_end_ms": 1000}
    truncated = only(lab.send("conversation.item.truncate", **fields), "conversation.item.truncated")
    assert {key: truncated[key] for key in fields} == fields
    item = only(lab.send("conversation.item.retrieve", item_id=item_id), "conversation.item.retrieved")["item"]
    assert len(base64.b64decode(item["content"][0]["audio"])) == 48_000
    assert item["content"][0]["transcript"] is None
    assert only(lab.send("conversation.item.delete", item_id=item_id), "conversation.item.deleted")
    for action in ("retrieve", "delete"):
        error = error_of(lab.send(f"conversation.item.{action}", item_id=item_id))
        assert error["code"] == f"item_{action}_invalid_item_id"


def test_truncate_errors():
    lab, item_id = answered()
    user = next(iter(lab.session.conversation)).id

    def code(**fields):
        fields = {"item_id": item_id, "content_index": 0, "audio_end_ms": 0} | fields
        return error_of(lab.send("conversation.item.truncate", **fields))["code"]

    assert code(audio_end_ms=3_600_000) == "invalid_value"
    assert code(audio_end_ms=-1) == "invalid_value"
    assert code(content_index=1) == "item_truncate_invalid_item"
    assert code(item_id=user) == "item_truncate_invalid_item"
    assert code(item_id="item_none") == "item_truncate_invalid_item_id"


def test_items_are_inserted_after_the_previous_item_id():
    lab = Lab()

    def add(item_id, **fields):
        item = {"id": item_id, "type": "message", "role": "system", "content": [{"type": "input_text", "text": "x"}]}
        return lab.send("conversation.item.create", item=item, **fields)

    assert only(add("a"), "conversation.item.created")["previous_item_id"] is None
    assert only(add("c"), "conversation.item.created")["previous_item_id"] == "a"
    assert only(add("b", previous_item_id="a"), "conversation.item.created")["previous_item_id"] == "a"
    assert only(add("0", previous_item_id="root"), "conversation.item.created")["previous_item_id"] is None
    assert [item.id for item in lab.session.conversation] == ["0", "a", "b", "c"]
    assert error_of(add("d", previous_item_id="nowhere"))["code"] == "item_create_invalid_previous_item_id"
    assert error_of(add("a"))["code"] == "duplicate_item_id"


def test_the_id_of_a_deleted_item_can_be_used_again():
    lab = Lab()
    item = {"id": "a", "type": "message", "role": "system", "content": [{"type": "input_text", "text": "x"}]}
    for _ in range(2):
        assert only(lab.send("conversation.item.create", item=item), "conversation.item.created")
        assert only(lab.send("conversation.item.delete", item_id="a"), "conversation.item.deleted")
    assert list(lab.session.conversation) == []
    assert error_of(lab.send("conversation.item.delete", item_id="a"))["code"] == "item_delete_invalid_item_id"


def committed(lab, size):
    """Append and commit that many bytes; returns the item's id."""
    audio = base64.b64encode(bytes(size)).decode()
    lab.send("input_audio_buffer.append", audio=audio)
    return only(lab.send("input_audio_buffer.commit"), "input_audio_buffer.committed")["item_id"]


def test_the_oldest_audio_goes_first_and_retrieve_reports_it():
    lab = Lab(turn_detection=None)
    megabyte = 1024 * 1024
    items = [committed(lab, megabyte) for _ in range(MAX_AUDIO_BYTES // megabyte + 2)]
    assert sum(len(item.audio) for item in lab.session.conversation) <= MAX_AUDIO_BYTES
    kept = []
    for item_id in items:
        got = lab.send("conversation.item.retrieve", item_id=item_id)
        part = only(got, "conversation.item.retrieved")["item"]["content"][0]
        kept.append("audio" in part)
        if "audio" not in part:
            warning = got[0]["warning"]
            assert warning["code"] == "audio_left_out"
            assert f"'{item_id}' is no longer kept" in warning["message"]
    assert [is_kept for is_kept, _ in itertools.groupby(kept)] == [False, True]
    assert kept.count(False) == 2
    assert {item.audio_ms for item in lab.session.conversation} == {megabyte // 48}


def test_an_item_keeps_its_duration_and_can_be_truncated_without_its_audio():
    lab, item_id = answered()
    item = lab.session.conversation.get(item_id, "retrieve")
    duration = item.audio_ms
    item.drop_audio()
    assert (item.audio_ms, len(item.audio)) == (duration, 0)
    fields = {"item_id": item_id, "content_index": 0}
    too_late = lab.send("conversation.item.truncate", **fields, audio_end_ms=duration + 1)
    assert error_of(too_late)["code"] == "invalid_value"
    assert kinds(lab.send("conversation.item.truncate", **fields, audio_end_ms=1000)) == ["conversation.item.truncated"]
    assert item.audio_ms == 1000


def test_truncating_text_is_an_unsupported_content_type():
    lab = Lab(modalities=["text"])
    lab.type("hello")
    item_id = only(lab.finish(), "response.output_item.done")["item"]["id"]
    error = error_of(lab.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=0))
    assert error["code"] == "unsupported_content_type"
