"""Surgery on a conversation through the real SDK on a real socket: the service has what the transcript says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from tests.conversing import LIMIT, Mouth, Recorder, until
from voicelive_tui.client.connection import ServiceConnection
from voicelive_tui.client.live import LiveSession
from voicelive_tui.config import Audio, Service, Settings
from voicelive_tui.loopback.script import Reply, Script
from voicelive_tui.loopback.service import LoopbackService
from voicelive_tui.session import inputs
from voicelive_tui.session.state import Activity, Stage

SCRIPT = Script(
    delay_ms=20,
    speed=50,
    reply=(Reply(match="^quote", say="{history}"), Reply(match="first", say="One."), Reply(say="Another one.")),
)


class Talk:
    """A running session, and the connection that it has now."""

    def __init__(self, endpoint: str) -> None:
        self.recorder = Recorder()
        self.connection: ServiceConnection
        settings = Settings(
            service=Service(endpoint=endpoint, api_key="k3y"),
            audio=Audio(input_device="none", output_device="none"),
        )
        self.live = LiveSession(settings, source=Mouth(), connect=self.connect)
        self.live.observe(self.recorder)

    async def connect(self, *arguments: Any) -> ServiceConnection:
        self.connection = await ServiceConnection.open(*arguments)
        return self.connection

    @property
    def ready(self) -> bool:
        return self.live.state.connection.stage is Stage.READY and self.live.state.microphone.capturing

    async def say(self, words: str) -> None:
        """Type a message, and wait for the end of its answer."""
        await self.answered(inputs.TextTyped(words))

    async def answered(self, event: inputs.Key) -> None:
        done = len(self.recorder.events("response.done"))
        self.live.apply(event)
        await until(lambda: len(self.recorder.events("response.done")) > done, "the answer")
        await until(lambda: self.live.state.activity is Activity.READY, "the answer was played")

    async def quotes(self, history: str) -> None:
        """Ask for what the service remembers, and wait until it has said this; it is not heard to its end."""
        self.live.apply(inputs.TextTyped("quote"))
        await until(lambda: self.live.state.transcript[-1].text == history, f"the quotation “{history}”")

    async def retrieved(self, item_id: str) -> dict[str, Any] | None:
        """The item as the service has it; None if it has none of that id."""
        known = len(self.recorder.events("conversation.item.retrieved")), len(self.recorder.events("error"))
        await self.connection.send({"type": "conversation.item.retrieve", "item_id": item_id})

        def answered() -> bool:
            return known != (
                len(self.recorder.events("conversation.item.retrieved")),
                len(self.recorder.events("error")),
            )

        await until(answered, "an answer to the retrieval")
        if len(self.recorder.events("error")) > known[1]:
            return None
        item: dict[str, Any] = self.recorder.events("conversation.item.retrieved")[-1][1]["item"]
        return item

    async def compare(self) -> list[tuple[str, str]]:
        """What the transcript says of this session, once each item of it is the same at the service."""
        entries = [e for e in self.live.state.transcript if e.at >= self.live.state.fresh_at and e.role != "session"]
        for entry in entries:
            item = await self.retrieved(entry.item_id)
            assert item is not None, f"the service has no item for “{entry.text}”"
            words = "".join(part.get("text") or part.get("transcript") for part in item["content"])
            assert (item["role"], words) == (entry.role, entry.text)
        return [(entry.role, entry.text) for entry in entries]


@contextlib.asynccontextmanager
async def talking() -> AsyncIterator[Talk]:
    async with LoopbackService(script=SCRIPT) as service:
        talk = Talk(service.endpoint)
        running = asyncio.create_task(talk.live.run())
        try:
            await until(lambda: talk.ready, "the session")
            yield talk
        finally:
            await talk.live.close()
            await asyncio.wait_for(running, LIMIT)


async def test_deletions_and_insertions_leave_the_conversation_as_the_transcript_says() -> None:
    async with talking() as talk:
        await talk.say("first")
        await talk.say("second")
        first, one, *_ = talk.live.state.transcript
        talk.live.apply(inputs.DeleteItem(one.item_id))
        talk.live.apply(inputs.InsertItem(first.item_id, "system", "Be brief."))
        await until(lambda: len(talk.live.state.transcript) == 4 and talk.live.state.transcript[1].role == "system")
        expected = [("user", "first"), ("system", "Be brief."), ("user", "second"), ("assistant", "Another one.")]
        assert await talk.compare() == expected
        assert await talk.retrieved(one.item_id) is None
        await talk.quotes("first | Be brief. | second | Another one. | quote")


async def test_a_branch_has_the_items_up_to_the_entry_in_a_session_of_its_own() -> None:
    async with talking() as talk:
        await talk.say("first")
        await talk.say("second")
        before = talk.live.state
        talk.live.apply(inputs.Branch(before.transcript[1].item_id))
        await until(lambda: talk.ready and talk.live.state.connection.session_id != before.connection.session_id)
        await until(lambda: talk.live.state.restored and not talk.live.state.restored.seeds, "the history is given")
        assert await talk.compare() == [("user", "first"), ("assistant", "One.")]
        assert [entry.text for entry in talk.live.state.transcript[:4]] == ["first", "One.", "second", "Another one."]
        await talk.answered(inputs.AskAgain("in other words"))
        asked = [event for _, event in talk.recorder.events("response.create")][-1]
        assert asked["additional_instructions"] == "in other words"
        await talk.quotes("first | One. | One. | quote")
        assert talk.live.state.counts.errors == 0


async def test_what_the_service_refuses_is_noted_at_the_entry() -> None:
    async with talking() as talk:
        await talk.say("first")
        item_id = talk.live.state.transcript[0].item_id
        await talk.connection.send({"type": "conversation.item.delete", "item_id": item_id})
        talk.live.apply(inputs.DeleteItem(talk.live.state.transcript[1].item_id))
        await until(lambda: not talk.live.state.transcript, "both are gone")
        assert await talk.retrieved(item_id) is None


async def test_a_function_s_call_is_deleted_with_its_output() -> None:
    async with talking() as talk:
        call = {"id": "c1", "type": "function_call", "name": "time", "call_id": "k1", "arguments": "{}"}
        for item in (call, {"id": "o1", "type": "function_call_output", "call_id": "k1", "output": "noon"}):
            await talk.connection.send({"type": "conversation.item.create", "item": item})
        await until(lambda: any(call.output_id for _, call in talk.live.state.calls), "the output")
        talk.live.apply(inputs.DeleteItem("c1"))
        await until(lambda: not talk.live.state.transcript, "the call is gone")
        assert [await talk.retrieved(item_id) for item_id in ("c1", "o1")] == [None, None]
