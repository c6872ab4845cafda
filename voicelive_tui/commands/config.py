"""`voicelive-tui config`: where the configuration file is, and the settings in force with the source of each."""

import json

import click
import msgspec

from voicelive_tui.commands.setup import Options, load
from voicelive_tui.tables import values_of
from voicelive_tui.text import HIDDEN, brief, escaped, hide, masked, visible

AS_JSON = ("path", "found", "profile", "profiles", "settings")
WIDEST = 60
"""Characters of a value in the table; `--json` has all of them."""


def run(options: Options, *, as_json: bool) -> int:
    """Print the settings; the exit status."""
    loaded = load(options)
    hide(loaded.settings.service.api_key)
    values = dict(values_of(msgspec.to_builtins(loaded.settings)))
    if values["service.api_key"]:  # masked even where it is too short for `hide`
        values["service.api_key"] = HIDDEN
    settings = {key: {"value": value, "source": loaded.sources.get(key, "default")} for key, value in values.items()}
    if as_json:
        about = loaded._asdict() | {"path": str(loaded.path), "settings": settings}
        lines = json.dumps(masked({name: about[name] for name in AS_JSON}), indent=2).split("\n")
        click.echo("\n".join(map(escaped, lines)))
        return 0
    names = (f"{name} (in use)" if name == loaded.profile else name for name in loaded.profiles)
    click.echo(f"file      {visible(str(loaded.path))}{'' if loaded.found else ' is not there: defaults'}")
    click.echo(f"profiles  {visible(', '.join(names)) or 'none'}\n")
    rows = [
        (visible(name), brief(entry["value"], WIDEST), visible(entry["source"])) for name, entry in settings.items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, source in rows:
        click.echo(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {source}")
    return 0
