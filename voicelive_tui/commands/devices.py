"""`voicelive-tui devices`: the input and output devices, and which are the defaults."""

import asyncio
import dataclasses
import json
import os

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from voicelive_tui.audio.portaudio import list_devices
from voicelive_tui.client.blocking import off_loop
from voicelive_tui.commands.setup import FAILED, complain
from voicelive_tui.errors import AudioError
from voicelive_tui.runtime import native_stderr_to
from voicelive_tui.text import visible


def run(*, as_json: bool) -> int:
    """List the devices; the exit status."""
    try:
        with native_stderr_to(os.devnull):
            found = asyncio.run(off_loop(list_devices, "listing sound devices"))
    except AudioError as error:
        complain(error)
        return FAILED
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(device) for device in found], indent=2))
        return 0
    table = Table("", "name", "host API", "channels in/out", "rate", "latency in/out", "default", box=None)
    for device in found:
        defaults = [name for name, yes in (("input", device.default_input), ("output", device.default_output)) if yes]
        table.add_row(
            str(device.index),
            Text(visible(device.name)),
            Text(visible(device.hostapi)),
            f"{device.inputs}/{device.outputs}",
            f"{device.rate} Hz",
            f"{device.input_latency * 1000:.0f}/{device.output_latency * 1000:.0f} ms",
            " and ".join(defaults),
        )
    Console().print(table)
    return 0
