"""Inputs about sound that the recorder keeps, and about saving or playing some of it. They are not recorded."""

from voicelive_tui.session.inputs import Input, Key


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
