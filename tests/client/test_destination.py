"""The service of the next connection, and what is shown of it."""

from contextlib import AsyncExitStack
from typing import Any

from msgspec.structs import asdict, replace

from voicelive_tui.client.destination import Destination
from voicelive_tui.config import Agent, Function, Service, Session, Settings, Tools

AWAY = Settings(service=Service(endpoint="https://me.example/?secret=x", api_key="k3y-of-mine"))


async def test_the_demo_has_one_service_of_its_own_however_often_it_is_entered() -> None:
    destination = Destination(Settings(), demo=True, connect=None)
    async with AsyncExitStack() as stack:
        await destination.set_up(stack)
        own = destination.settings.service
        assert own.endpoint.startswith("http://127.0.0.1:")
        await destination.use(AWAY, demo=False)
        assert destination.settings.service == AWAY.service
        await destination.use(Settings(), demo=True)
        assert destination.settings.service == own


async def test_rules_for_functions_change_and_their_files_stay() -> None:
    destination = Destination(Settings(tools=Tools(load=("a.py",))), demo=False, connect=None)
    rules = {"add": Function(policy="ask")}
    await destination.use(replace(AWAY, tools=Tools(load=("b.py",), functions=rules)), demo=False)
    assert destination.settings.tools == Tools(load=("a.py",), functions=rules)


def test_what_is_shown_of_it_holds_no_secret() -> None:
    shown = Destination(AWAY, demo=False, connect=None).connecting(resumed=False, caller=True)
    assert shown.endpoint == "https://me.example"
    assert not shown.caller  # only the demo has one
    assert "k3y" not in repr(asdict(shown))


async def test_a_connection_to_an_agent_has_its_conversation_and_no_model() -> None:
    asked: list[Any] = []

    async def connect(*arguments: Any) -> Any:
        asked.append(arguments)

    settings = Settings(service=AWAY.service, session=Session(model="gpt-realtime"), agent=Agent("helper", "project"))
    await Destination(settings, demo=False, connect=connect).connect("conv_1")
    await Destination(AWAY, demo=False, connect=connect).connect("")
    (_, model, _, agent), (_, own_model, _, no_agent) = asked
    assert (model, agent.name, agent.conversation) == ("", "helper", "conv_1")
    assert (own_model, no_agent) == (AWAY.session.model, None)
