"""Keys that switch something, named by what they do now: the foot, the help and the palette show the same words."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from textual.binding import ActiveBinding

BACK = {
    "mute": ("Unmute", "Send your voice again"),
    "talk": ("Send", "End the turn, and send it"),
    "detection": ("Detection", "Back to turn detection"),
    "keep": ("Stop recording", "End the recording that is kept"),
    "zoom": ("Unzoom", "Less room for this pane"),
    "follow": ("Pause", "Stay on these lines while others come"),
    "debug": ("Fold", "Runs of deltas as one line, no log records"),
    "replay.play": ("Pause", "Stay at this moment"),
}
"""By binding: the name and the sentence while the key takes back what it did."""


def named(bindings: Mapping[str, ActiveBinding], on: Collection[str]) -> dict[str, ActiveBinding]:
    """The bindings by their keys, those in `on` with the words of `BACK`."""
    return {key: _taken_back(bound) if bound.binding.id in on else bound for key, bound in bindings.items()}


def _taken_back(bound: ActiveBinding) -> ActiveBinding:
    description, tooltip = BACK[bound.binding.id or ""]
    binding = replace(bound.binding, description=description, tooltip=tooltip)
    return bound._replace(binding=binding, tooltip=tooltip)
