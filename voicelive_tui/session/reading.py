"""What changes with every block of sound, and is read at each tick: no part of the state."""

from msgspec import Struct, field

SILENCE_DBFS = -96.0
"""The floor of every meter: 16-bit silence."""


class Meter(Struct, frozen=True):
    """Levels of one direction in dBFS (a full-scale sine has an RMS of -3.0), at least `SILENCE_DBFS`."""

    rms: float = SILENCE_DBFS
    peak: float = SILENCE_DBFS
    hold: float = SILENCE_DBFS
    """The highest peak of the last seconds."""


class Reading(Struct, frozen=True):
    """A snapshot of the sound path; the shell takes one at each tick."""

    capture: Meter = field(default_factory=Meter)
    """Level of what is sent: silence while muted or gated."""
    playback: Meter = field(default_factory=Meter)
    """Level of what is played now, not of what arrived."""
    gated: bool = False
    """Half-duplex: silence is sent during playback."""
    heard_item: str = ""
    heard_ms: float = 0.0
    """Milliseconds of that item played so far."""
    buffered_ms: float = 0.0
    """Audio in the jitter buffer."""
    outbox_ms: float = 0.0
    """Captured sound in the outbox."""
    dropped_ms: float = 0.0
    """Captured sound dropped because it was stale or the network was slow."""
    unkept_ms: float = 0.0
    """Captured sound since the loss of the session that is too old to be kept for the next one."""
    underflows: int = 0
    overflows: int = 0
    gaps: int = 0
    """Underruns of the jitter buffer: playback ran dry in the middle of an item."""
    native_messages: int = 0
    """Lines printed by ALSA and PortAudio."""
    output_latency_ms: float = 0.0
    stalled: tuple[str, ...] = ()
    """Directions ("input", "output") whose callbacks stopped."""
