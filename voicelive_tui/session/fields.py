"""The fields of the session editor: labels, help, choices, and what is known of the service's answer.

`FIELDS` has the keys of `config.Session` but the model, which is in the URL. Types and ranges are those of `config.py`;
`request.py` makes the session object of the settings, and reads it back; `typed.py` has the texts in the fields.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

from msgspec import inspect

from voicelive_tui.config import type_of
from voicelive_tui.session.request import TOOL_CHOICES, path_of

Texts = Mapping[str, str]
"""The text of each field by its key."""

OPENAI_VOICES = tuple("alloy ash ballad cedar coral echo marin sage shimmer verse".split())
AZURE_VOICES = tuple(
    "en-US-Ava:DragonHDLatestNeural en-US-Emma:DragonHDLatestNeural en-IN-Meera:DragonHDLatestNeural en-US-AvaNeural "
    "en-US-AvaMultilingualNeural en-US-AriaNeural en-US-GuyNeural en-US-JennyNeural en-US-NancyNeural".split()
)
REALTIME_VOICES = tuple("aarti andrew ava denise diya elsa florian francisca meera xiaoxiao ximena yunxi".split())
"""Of the model azure-realtime (protocol, sections 4.3 and 6)."""
WHISPER = ("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-4o-transcribe-diarize", "mai-transcribe")
AZURE_SPEECH = ("azure-speech", "mai-transcribe", "mai-transcribe-1", "mai-transcribe-2")

Known = Callable[[str], Mapping[str, tuple[str, ...]]]
"""Values to choose from for a model, by kind."""
Check = Callable[[Texts, str], str]
"""From all texts and the model ("" for an agent), one sentence, or ""."""


def is_native(model: str) -> bool:
    """Whether a model takes audio directly, without speech to text before it (protocol, page 1)."""
    return model.startswith(("gpt-realtime", "phi4-mm-realtime", "azure-realtime"))


def _is_cascade(model: str) -> bool:
    return bool(model) and not is_native(model)


def _voices(model: str) -> Mapping[str, tuple[str, ...]]:
    if model.startswith("azure-realtime"):
        return {"azure-realtime": REALTIME_VOICES, "Azure": AZURE_VOICES}
    return ({"OpenAI": OPENAI_VOICES} if is_native(model) else {}) | {"Azure": AZURE_VOICES}


def _transcriptions(model: str) -> Mapping[str, tuple[str, ...]]:
    return {"": (*(WHISPER if model.startswith("gpt-realtime") else AZURE_SPEECH), "none")}


# --- which fields a session does not have, and what a model refuses -----------------------------------------------


def _never(texts: Texts, model: str) -> str:
    return ""


def _says(sentence: str, where: Callable[[Texts, str], object]) -> Check:
    """A check that gives the sentence, in which `{model}` is the model, where the condition holds."""
    return lambda texts, model: sentence.format(model=model) if where(texts, model) else ""


def _for_types(*types: str) -> Check:
    def check(texts: Texts, model: str) -> str:
        kind = texts["turn_detection.type"]
        return "" if kind.startswith(types) else f"not with {'push-to-talk' if kind == 'none' else kind}"

    return check


def _end_of_utterance(texts: Texts, model: str) -> str:
    if is_native(model):
        return f"not with {model}: the service refuses all after it"
    return _TIMED(texts, model)


def _strange_voice(texts: Texts, model: str) -> str:
    if "-" in texts["voice"] or not model:
        return ""
    if not is_native(model):
        return f"{model} refuses OpenAI voices"
    known = any(texts["voice"] in names for names in _voices(model).values())
    return "" if known else f"no known voice of {model}; Azure's have a -"


def _cascade_noise(texts: Texts, model: str) -> str:
    wrong = texts["noise_reduction"].endswith("_field") and model and not model.startswith("gpt-realtime")
    return f"{model} refuses {texts['noise_reduction']}" if wrong else ""


_HEARD = "input_audio_transcription"
_azure_voice = _says("of Azure voices only", lambda texts, _: "-" not in texts["voice"])
_hd_voice = _says("of Azure's HD voices only", lambda texts, _: ":DragonHD" not in texts["voice"])
_openai_voice = _says(
    "of OpenAI voices only", lambda texts, model: "-" in texts["voice"] or not model.startswith("gpt-realtime")
)
_empty_instructions = _says(
    "{model} keeps its own instructions when these are empty",
    lambda texts, model: model.startswith("gpt-realtime") and not texts["instructions"].strip(),
)
_of_an_agent = _says("an agent keeps its own", lambda _, model: not model)
_temperature = _says("{model} has none", lambda texts, model: is_native(model) and texts["temperature"])
_cascade_turns = _says(
    "{model} refuses semantic_vad",
    lambda texts, model: _is_cascade(model) and texts["turn_detection.type"] == "semantic_vad",
)
_cascade_transcription = _says(
    "{model} refuses whisper-1", lambda texts, model: _is_cascade(model) and texts[f"{_HEARD}.model"] == "whisper-1"
)
_transcribed = _says("transcription is off", lambda texts, _: texts[f"{_HEARD}.model"] == "none")
_DETECTED = _for_types("server_vad", "azure", "semantic_vad")
_TIMED = _for_types("server_vad", "azure")
_AZURE = _for_types("azure")


@cache
def types_of(key: str) -> list[inspect.Type]:
    """The types of a key, as msgspec knows them."""
    kind = type_of(f"session.{key}")
    return list(kind.types) if isinstance(kind, inspect.UnionType) else [kind]


def words_of(key: str) -> list[str]:
    """The words that a key may have, besides numbers."""
    return [str(word) for option in types_of(key) if isinstance(option, inspect.LiteralType) for word in option.values]


class Field(NamedTuple):
    """One setting."""

    key: str
    """In `config.Session`, with dots."""
    label: str
    help: str
    """Its effect and unit; its range comes from its type."""
    known: Known | None = None
    """Where other values are allowed too."""
    lacking: Check = _never
    """Why the session as typed does not have it, so that it is not sent."""
    doubt: Check = _never
    """What the service is known to do with what was typed."""

    @property
    def path(self) -> tuple[str, ...]:
        """In the session object."""
        return path_of(self.key)

    @property
    def group(self) -> str:
        """The heading above it."""
        return _GROUPS[self.path[0]]

    @property
    def flag(self) -> bool:
        """Whether it is on or off."""
        return isinstance(types_of(self.key)[0], inspect.BoolType)

    @property
    def several(self) -> str:
        """What separates the parts of a list; empty where it is none."""
        if not isinstance(types_of(self.key)[0], inspect.VarTupleType):
            return ""
        return " | " if self.key == "interim_response.texts" else ", "  # sentences have commas

    @property
    def choices(self) -> tuple[str, ...]:
        """The only values that it may have; empty where there are more than a few."""
        if self.several and self.key in _SEVERAL:
            return _SEVERAL[self.key]
        literal = all(isinstance(option, inspect.LiteralType) for option in types_of(self.key))
        return tuple(words_of(self.key)) if literal else ()

    @property
    def number(self) -> inspect.IntType | inspect.FloatType | None:
        """Its type where it is a number."""
        return next((option for option in types_of(self.key) if isinstance(option, _NUMBERS)), None)

    @property
    def range(self) -> str:
        """The numbers that are allowed, such as "0 to 1"; empty for other types."""
        words = "".join(f", or {word}" for word in words_of(self.key) if word)
        return f"{self.number.ge:g} to {self.number.le:g}{words}" if self.number else ""


_SEVERAL = {
    "modalities": ("text, audio", "text"),
    "interim_response.triggers": ("latency", "tool", "latency, tool"),
}
"""The only lists that a setting may be."""
_NUMBERS = (inspect.IntType, inspect.FloatType)
_GROUPS = {
    "voice": "Voice",
    "speed": "Voice",
    "instructions": "Answers",
    "modalities": "Answers",
    "temperature": "Answers",
    "max_response_output_tokens": "Answers",
    "tool_choice": "Answers",
    "turn_detection": "Turn detection",
    "input_audio_transcription": "Transcription",
    "input_audio_noise_reduction": "Sound",
    "input_audio_echo_cancellation": "Sound",
    "interim_response": "Interim response, while an answer or a tool takes long",
    "push_to_talk": "This program",
    "barge_in": "This program",
}


def _turns(name: str, label: str, help: str, lacking: Check = _DETECTED, doubt: Check = _never) -> Field:  # noqa: A002
    return Field(f"turn_detection.{name}", label, help, lacking=lacking, doubt=doubt)


def _interim(name: str, label: str, help: str, kind: str = "") -> Field:  # noqa: A002
    def check(texts: Texts, model: str) -> str:
        chosen = texts["interim_response.type"]
        if is_native(model):
            return f"not with {model}, which answers at once"
        return "" if chosen == kind or not kind or (kind == "both" and chosen != "none") else f"not with {chosen}"

    return Field(f"interim_response.{name}", label, help, lacking=check)


FIELDS = (
    Field("voice", "voice", "type to filter; any other name is allowed", _voices, doubt=_strange_voice),
    Field("voice_rate", "rate", "such as 1.2, +20% or fast", lacking=_azure_voice),
    Field("voice_temperature", "variation", "the temperature of HD voices", lacking=_hd_voice),
    Field("speed", "speed", "may be ignored: Voice Live's reference does not have it", lacking=_openai_voice),
    Field("instructions", "instructions", "the system prompt", lacking=_of_an_agent, doubt=_empty_instructions),
    Field("modalities", "modalities", "whether answers are spoken"),
    Field("temperature", "temperature", "of the model", doubt=_temperature),
    Field("max_response_output_tokens", "output limit", "tokens of an answer"),
    Field("tool_choice", "tool choice", "or the name of a function", lambda model: {"": TOOL_CHOICES}),
    _turns("type", "type", "how the end of a turn is found; none is push-to-talk", _never, _cascade_turns),
    _turns("threshold", "threshold", "of voice activity; higher for noisy rooms", _TIMED),
    _turns("prefix_padding_ms", "prefix (ms)", "kept from before the speech", _TIMED),
    _turns("silence_duration_ms", "silence (ms)", "that ends a turn", _TIMED),
    _turns("speech_duration_ms", "speech (ms)", "that begins a turn", _TIMED),
    _turns("create_response", "answers", "each turn, without being asked"),
    _turns("interrupt_response", "interrupts", "an answer when speech begins"),
    _turns("auto_truncate", "truncates", "by its guess of what was heard; off: what was heard is reported"),
    _turns("remove_filler_words", "ignores fillers", 'such as "umm" during an answer', _AZURE),
    _turns("languages", "languages", "such as en-US, de-DE; commas between", _AZURE),
    _turns("end_of_utterance_model", "end of utterance", "waits where a sentence is not finished", _end_of_utterance),
    _turns("eagerness", "eagerness", "to answer", _for_types("semantic_vad")),
    Field(f"{_HEARD}.model", "model", "none switches it off", _transcriptions, doubt=_cascade_transcription),
    Field(f"{_HEARD}.language", "language", "such as en-US; empty: detected", lacking=_transcribed),
    Field(f"{_HEARD}.phrase_list", "phrases", "names and terms, with commas; azure-speech", lacking=_transcribed),
    Field("noise_reduction", "noise reduction", "by the service", doubt=_cascade_noise),
    Field("echo_cancellation", "echo cancellation", "by the service"),
    _interim("type", "said by", "llm: a small model; static: one of your texts"),
    _interim("triggers", "when", "an answer is late, a tool runs", "both"),
    _interim("latency_threshold_ms", "late (ms)", "after the turn", "both"),
    _interim("texts", "texts", "with | between them", "static"),
    _interim("model", "its model", "that writes the words, such as gpt-4.1-mini", "llm"),
    _interim("instructions", "its instructions", "for the words", "llm"),
    _interim("max_completion_tokens", "its limit", "tokens of the words", "llm"),
    Field("push_to_talk", "push-to-talk", "turns (experimental): the SDK's audio turns, until the service refuses one"),
    Field(
        "barge_in.cancel",
        "cancel",
        "response.cancel when you speak over an answer; auto: if the service does not",
    ),
    Field("barge_in.clear", "clear", "input_audio.clear when you do; it can erase the words that interrupt"),
    Field("barge_in.truncate", "truncate", "report what was heard of the answer"),
)
BY_KEY = {field.key: field for field in FIELDS}
