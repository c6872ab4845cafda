"""A synthetic user, for machines without a microphone.

The audio thread calls `DemoCaller.read`, which never blocks and whose clock is the audio. A thread of the caller
synthesizes its lines in advance. Like a person, the caller knows the assistant only by what the speaker plays.
"""

import threading
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from voicelive_tui.audio import pcm
from voicelive_tui.audio.format import SAMPLE_RATE, SAMPLE_WIDTH, silence
from voicelive_tui.speech.voice import CALLER, Voice, open_voice


class Line(Struct, frozen=True):
    """One line of the caller."""

    text: str
    interrupts: bool = False
    """Whether it is spoken during the assistant's answer."""


LINES = (
    Line("Hello there, can you hear me well, and how do I sound?"),
    Line("Thank you, and how is the line, if I talk a little longer than I did before?"),
    Line("Wait, let me interrupt you here, since I have heard that already.", interrupts=True),
    Line("Good, you stopped at once, so that is all for now, and I shall call again."),
)

_BEGIN = 1.0  # seconds before the first line
_PAUSE = 0.9  # between the end of an answer and the next line
_PATIENCE = 8.0  # until an answer begins
_LONGEST = 40.0  # of an answer; beyond it the sound is taken for noise
_INTERRUPT = 1.7  # into the answer: before the service has finished sending it
_ENDED = 0.8  # of quiet: longer than the pauses between an answer's sentences
_REST = 15.0  # after the last line, before the first again: time for the user to type something
_AUDIBLE = -50.0  # dBFS


class DemoCaller:
    """Speaks its lines, each after the answer to the one before; after a rest, all of them again.

    By default it has the best voice of this machine.
    """

    def __init__(self, lines: Sequence[Line] = LINES, voice: Voice | None = None) -> None:
        self._lines = lines
        self._sounds: list[bytes] = []
        self.ready = threading.Event()
        """Set once the lines are synthesized."""
        self._samples = 0
        self._quiet = 0.0
        self._answer = 0.0
        self._behaviour = self._behave()
        threading.Thread(target=self._synthesize, args=(voice,), name="demo-caller", daemon=True).start()

    def read(self, samples: int, heard: bytes) -> bytes:
        """The next samples of the microphone, given what the speaker played meanwhile; both mono PCM16 at 24 kHz."""
        self._samples = samples
        self._listen(heard)
        return next(self._behaviour)

    def _synthesize(self, voice: Voice | None) -> None:
        voice = voice or open_voice()
        self._sounds = [voice.speak(line.text, CALLER).samples.tobytes() for line in self._lines]
        self.ready.set()

    def _listen(self, heard: bytes) -> None:
        """Keep track of the assistant's speech."""
        seconds = self._samples / SAMPLE_RATE
        audible = bool(heard) and pcm.level(heard).rms > _AUDIBLE
        self._quiet = 0.0 if audible else self._quiet + seconds
        if audible or self._answer:
            self._answer += seconds

    def _behave(self) -> Iterator[bytes]:
        """The blocks of the microphone, from start to end."""
        while not self.ready.is_set():
            yield self._silence()
        yield from self._wait(lambda: False, _BEGIN)
        while True:
            for index, (line, sound) in enumerate(zip(self._lines, self._sounds, strict=True)):
                if index:
                    yield from self._await_turn(interrupt=line.interrupts)
                yield from self._say(sound)
                self._answer = 0.0
            yield from self._await_turn(interrupt=False)
            yield from self._wait(lambda: False, _REST)

    def _await_turn(self, *, interrupt: bool) -> Iterator[bytes]:
        """Wait for an answer, then for its end or its middle; give up after a while."""
        yield from self._wait(lambda: self._answer > 0, _PATIENCE)
        if interrupt:
            yield from self._wait(lambda: self._quiet > _ENDED or self._answer > _INTERRUPT, _LONGEST)
        else:
            yield from self._wait(lambda: self._quiet > _ENDED, _LONGEST)
            yield from self._wait(lambda: False, max(0.0, _PAUSE - _ENDED))

    def _wait(self, over: Callable[[], bool], limit: float) -> Iterator[bytes]:
        """Send silence until `over`, at most for `limit` seconds."""
        waited = 0.0
        while waited < limit and not over():
            waited += self._samples / SAMPLE_RATE
            yield self._silence()

    def _say(self, sound: bytes) -> Iterator[bytes]:
        while sound:
            size = self._samples * SAMPLE_WIDTH
            yield sound[:size].ljust(size, b"\0")
            # Removed after the yield, by the size that was sent: the next block may have another.
            sound = sound[size:]

    def _silence(self) -> bytes:
        return silence(self._samples)
