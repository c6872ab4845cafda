"""`Destination`: the service that the next connection leads to, with its credential."""

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from voicelive_tui.config import Agent, Service, Settings
from voicelive_tui.credentials import Credential
from voicelive_tui.endpoint import host_of
from voicelive_tui.session import inputs

if TYPE_CHECKING:
    from voicelive_tui.client.connection import ServiceConnection
    from voicelive_tui.loopback.script import Script

    Connect = Callable[[Service, str, Any, Agent | None], Awaitable[ServiceConnection]]


class Destination:
    """The settings of connections; `use` changes them for the next one.

    Args:
        settings: With an endpoint, unless this is the demo.
        demo: Connections lead to a loopback service that is started for it.
        connect: Makes the connections; None: `ServiceConnection.open`.
        script: Of the demo's service.
    """

    def __init__(
        self, settings: Settings, *, demo: bool, connect: "Connect | None", script: "Script | None" = None
    ) -> None:
        self.settings, self.demo, self.script = settings, demo, script
        self._connect = connect
        self._credential = Credential(settings.service, demo=demo)
        self._own_service: Service | None = None  # of the demo, once it was started
        self._stack: AsyncExitStack | None = None

    async def set_up(self, stack: AsyncExitStack) -> None:
        """Start what connections need; it ends with the stack."""
        self._stack = stack
        await self.use(self.settings, demo=self.demo)
        stack.push_async_callback(lambda: self._credential.close())  # noqa: PLW0108 - the one in use by then

    async def use(self, settings: Settings, *, demo: bool) -> None:
        """Take settings over for the next connection; the demo's lead to a service of its own."""
        if demo and self._stack is not None:
            if self._own_service is None:
                await asyncio.to_thread(importlib.import_module, "voicelive_tui.client.demo")
                from voicelive_tui.client.demo import start_service  # noqa: PLC0415

                self._own_service = (await start_service(settings, self._stack, self.script)).service
            settings = replace(settings, service=self._own_service)
        tools = replace(settings.tools, load=self.settings.tools.load)  # which are imported once
        self.settings, self.demo = replace(settings, tools=tools), demo
        before, self._credential = self._credential, Credential(settings.service, demo=demo)
        await before.close()

    def connecting(self, *, resumed: bool, caller: bool) -> inputs.Connecting:
        """The input with which a connection begins."""
        service = self.settings.service
        return inputs.Connecting(
            endpoint=host_of(service.endpoint),
            api_version=service.api_version,
            model=self._model,
            credential=self._credential.kind,
            agent=self.settings.agent.name,
            demo=self.demo,
            caller=self.demo and caller,
            resumed=resumed,
        )

    @property
    def _model(self) -> str:
        return "" if self.settings.agent.name else self.settings.session.model

    async def connect(self, conversation_id: str) -> "ServiceConnection":
        """Connect; an agent goes on with the conversation of that id. Raises as `ServiceConnection.open`."""
        from voicelive_tui.client.connection import ServiceConnection  # noqa: PLC0415

        agent = replace(self.settings.agent, conversation=conversation_id)
        connect = self._connect or ServiceConnection.open
        credential = await self._credential.get()
        return await connect(self.settings.service, self._model, credential, agent if agent.name else None)
