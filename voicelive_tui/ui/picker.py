"""`o`: choose the input and the output device while the conversation goes on."""

from itertools import groupby
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from voicelive_tui.client.shell import DeviceChoice, Shell
from voicelive_tui.errors import AudioError
from voicelive_tui.text import visible
from voicelive_tui.ui.hints import Hint, with_keys

_TITLES = {"input": "Microphone", "output": "Speaker"}


class DevicePicker(ModalScreen[None]):
    """A list of both directions; `enter` chooses, a test tone can be heard."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,o,q", "dismiss", "Close", id="devices.close"),
        Binding("p", "test_tone", "Play a test tone", id="devices.test_tone"),
        Binding("j", "move('down')", "Down", show=False, id="devices.down"),
        Binding("k", "move('up')", "Up", show=False, id="devices.up"),
    ]

    def __init__(self, live: Shell) -> None:
        super().__init__()
        self.live = live
        self._choices: list[DeviceChoice] = []

    def compose(self) -> ComposeResult:
        options = OptionList(Option("looking for sound devices…", disabled=True), classes="sheet")
        options.border_title = "Sound devices"
        hint = Hint("enter chooses · {devices.test_tone} plays a test tone · {devices.close} closes")
        options.border_subtitle = with_keys(self, hint)
        yield options

    def on_mount(self) -> None:
        self.run_worker(self.load(), exclusive=True)

    async def load(self) -> None:
        """Show what there is now, or why nothing can be shown."""
        nothing = "sound is not ready yet"
        try:
            self._choices = await self.live.devices()
        except AudioError as problem:
            nothing = str(problem)
        options = self.query_one(OptionList)
        kept = options.highlighted
        options.clear_options()
        if not self._choices:
            options.add_option(Option(Text(visible(nothing)), disabled=True))
        for direction, choices in groupby(enumerate(self._choices), key=lambda each: each[1].direction):
            options.add_option(Option(Text(_TITLES[direction], style="bold"), disabled=True))
            for number, choice in choices:
                mark = "● " if choice.current else "  "
                options.add_option(Option(Text(mark + visible(choice.label)), id=str(number)))
        first = next((n for n, choice in enumerate(self._choices) if choice.current), 0)
        options.highlighted = kept or (options.get_option_index(str(first)) if self._choices else None)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        if event.option_id is not None:  # a device may take seconds to open, and the list may be closed before
            self.app.run_worker(self._choose(self._choices[int(event.option_id)]))

    async def _choose(self, choice: DeviceChoice) -> None:
        await self.live.choose_device(choice.direction, choice.spec)
        state = self.live.state
        device = state.input if choice.direction == "input" else state.output
        said = f"{_TITLES[choice.direction]}: {device.problem or device.description}"
        self.app.notify(said, severity="warning" if device.problem else "information")
        if self.is_running:
            self.run_worker(self.load(), exclusive=True)

    async def action_test_tone(self) -> None:
        await self.live.test_tone()

    def action_move(self, direction: str) -> None:
        options = self.query_one(OptionList)
        (options.action_cursor_down if direction == "down" else options.action_cursor_up)()
