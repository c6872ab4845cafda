import pytest

from voicelive_tui.client.connection import LinkClosed
from voicelive_tui.client.scripted import ScriptedConnection


async def test_a_script_that_was_followed_is_accepted() -> None:
    connection = await ScriptedConnection("a")(None, "", None)
    await connection.send({"type": "input_audio_buffer.append", "audio": ""})
    await connection.send({"type": "a"})
    connection.finish()
    await connection.close()
    with pytest.raises(LinkClosed, match="1000"):
        await connection.receive()


@pytest.mark.parametrize(("expected", "sent"), [(["a"], []), ([], ["a"]), (["a", "b"], ["b", "a"])])
async def test_a_script_that_was_not_followed_fails(expected: list[str], sent: list[str]) -> None:
    connection = ScriptedConnection(*expected)
    for kind in sent:
        await connection.send({"type": kind})
    with pytest.raises(AssertionError, match="expected"):
        connection.finish()
