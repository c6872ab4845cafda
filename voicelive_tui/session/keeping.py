"""Inputs about the recorder: what it keeps, saves and plays. They are not recorded."""

from voicelive_tui.session.inputs import Input, Key


class RecordingChanged(Input, frozen=True):
    """A recording is kept, is no longer kept, or failed. The first of a session says that the recorder runs."""

    path: str = ""
    """The bundle that is being written; "" where only the last minutes are kept."""
    problem: str = ""
    kept: float = 0.0
    """Seconds in it of the time before."""


class SaveSound(Key, frozen=True):
    """Save the sound of an item as a WAV file."""

    item_id: str


class SoundSaved(Input, frozen=True):
    """The sound of an item was saved, or could not be."""

    path: str = ""
    problem: str = ""


class MomentChosen(Key, frozen=True):
    """Play what sounded around a moment, from the last minutes that the recorder keeps."""

    at: float


class MomentFound(Input, frozen=True):
    """The sound around a chosen moment was found, or there is none."""

    pcm: bytes = b""
    """Both directions in one, PCM16."""
    problem: str = ""
