"""The SDK's audio turns, as another way into the input buffer.

The service's reference does not have them, and no answer of the service is known. They are refused unless the script
accepts them; then a turn is what `input_audio_buffer` events of the same meaning would do.
"""

from voicelive_tui.loopback import protocol as p
from voicelive_tui.loopback.protocol import Refusal, unsupported


class AudioTurns:
    """The audio turns of a session; at most one is open."""

    def __init__(self, *, accepted: bool) -> None:
        self._accepted = accepted
        self._open = ""

    def as_buffer_event(self, event: p.ClientEvent) -> p.ClientEvent:
        """The event of the input buffer that does the same as one of an audio turn; any other event as it is."""
        if not isinstance(event, p.TurnStart | p.TurnAppend | p.TurnEnd | p.TurnCancel):
            return event
        if not self._accepted:
            raise unsupported("audio turns", "type")
        begins = isinstance(event, p.TurnStart)
        if not event.turn_id or (not begins and event.turn_id != self._open):
            raise Refusal(f"There is no audio turn {event.turn_id!r}.", "invalid_value", "turn_id")
        if isinstance(event, p.TurnAppend):
            return p.AudioAppend(audio=event.audio, event_id=event.event_id)
        self._open = event.turn_id if begins else ""
        return p.AudioCommit() if isinstance(event, p.TurnEnd) else p.StreamClear()
