"""A synthetic user, for machines without a microphone.

The audio thread calls `DemoCaller.read`, which never blocks and whose clock is the audio. A thread of the caller
synthesizes its lines in advance. Like a person, the caller knows the assistant only by what the speaker plays.
"""

import itertools
import threading
from collections.abc import Callable, Generator, Iterator, Sequence

from voicelive_tui.audio import pcm
from voicelive_tui.audio.format import SAMPLE_RATE, SAMPLE_WIDTH, silence
from voicelive_tui.speech.line import Line
from voicelive_tui.speech.voice import CALLER, Voice, open_voice

_BEGIN = 1.0  # seconds before the first line
_PATIENCE = 8.0  # until an answer begins
_LONGEST = 40.0  # of an answer; beyond it the sound is taken for noise
_ENDED = 0.8  # of quiet: longer than the pauses between an answer's sentences
_COURTESY = 12.0  # of quiet after the user had the floor, for more
_AUDIBLE = -50.0  # dBFS


class DemoCaller:
    """Speaks its lines, each after the answer to the one before, again and again; by default in the best voice here."""

    def __init__(self, lines: Sequence[Line], voice: Voice | None = None) -> None:
        self._lines = lines
        self._sounds: list[bytes] = []
        self.ready = threading.Event()
        """Set once the lines are synthesized."""
        self._user_talks = threading.Event()
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

    def give_way(self) -> None:
        """Fall silent, since the user types or speaks; go on after a while, with the line that this interrupts."""
        self._user_talks.set()

    def _synthesize(self, voice: Voice | None) -> None:
        voice = voice or open_voice()
        self._sounds = [voice.speak(line.say, CALLER).samples.tobytes() for line in self._lines]
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
        first = True
        for line, sound in itertools.cycle(zip(self._lines, self._sounds, strict=True)):
            if not first:
                yield from self._await_turn(line)
            first = False
            yield from self._give_way()
            while not (yield from self._say(sound)):
                yield from self._give_way()
            self._answer = 0.0

    def _await_turn(self, line: Line) -> Iterator[bytes]:
        """Wait for an answer, then for its end or its middle; give up after a while."""
        yield from self._wait(lambda: self._answer > 0, _PATIENCE)
        limit = line.interrupts_after
        yield from self._wait(lambda: self._quiet > _ENDED or 0 < limit < self._answer, _LONGEST)
        if not limit:
            yield from self._wait(lambda: False, max(0.0, line.pause - _ENDED))

    def _give_way(self) -> Iterator[bytes]:
        """While the user has the floor, wait until it has been quiet for a while."""
        while self._user_talks.is_set():
            self._user_talks.clear()
            self._quiet = 0.0
            yield from self._wait(lambda: self._quiet > _COURTESY or self._user_talks.is_set(), _LONGEST)

    def _wait(self, over: Callable[[], bool], limit: float) -> Iterator[bytes]:
        """Send silence until `over`, at most for `limit` seconds."""
        waited = 0.0
        while waited < limit and not over():
            waited += self._samples / SAMPLE_RATE
            yield self._silence()

    def _say(self, sound: bytes) -> Generator[bytes, None, bool]:
        """Say a line; whether it was said to its end."""
        while sound and not self._user_talks.is_set():
            size = self._samples * SAMPLE_WIDTH
            yield sound[:size].ljust(size, b"\0")
            # Removed after the yield, by the size that was sent: the next block may have another.
            sound = sound[size:]
        return not sound

    def _silence(self) -> bytes:
        return silence(self._samples)
