"""The settings of a session as texts: their labels, what may be typed, and where each stands in the session object.

`FIELDS` has the keys of `config.Session` but the model, which is in the URL, and the interim response. Types and ranges
are those of `config.py`; `session_request` makes the session object, and this module reads it back.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from voicelive_tui.config import Session
from voicelive_tui.session.request import NULL_MEANS_OFF, PARTS, TOOL_CHOICES, session_request
from voicelive_tui.session.state import SessionState

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
"""From all texts and the model, one sentence, or ""."""


def is_native(model: str) -> bool:
    """Whether a model takes audio directly, without speech to text before it (protocol, page 1)."""
    return model.startswith(("gpt-realtime", "phi4-mm-realtime", "azure-realtime"))


def _voices(model: str) -> Mapping[str, tuple[str, ...]]:
    if model.startswith("azure-realtime"):
        return {"azure-realtime": REALTIME_VOICES, "Azure": AZURE_VOICES}
    return ({"OpenAI": OPENAI_VOICES} if is_native(model) else {}) | {"Azure": AZURE_VOICES}


def _transcriptions(model: str) -> Mapping[str, tuple[str, ...]]:
    return {"": (*(WHISPER if model.startswith("gpt-realtime") else AZURE_SPEECH), "none")}


# --- which fields a session does not have, and what a model refuses -----------------------------------------------


def _never(texts: Texts, model: str) -> str:
    return ""


def _for_types(*types: str) -> Check:
    def check(texts: Texts, model: str) -> str:
        kind = texts["turn_detection.type"]
        return "" if kind.startswith(types) else f"not with {'push-to-talk' if kind == 'none' else kind}"

    return check


def _end_of_utterance(texts: Texts, model: str) -> str:
    if is_native(model):
        return f"not with {model}, where the service refuses everything after it"
    return _TIMED(texts, model)


def _azure_voice(texts: Texts, model: str) -> str:
    return "" if "-" in texts["voice"] else "of Azure voices only"


def _hd_voice(texts: Texts, model: str) -> str:
    return "" if ":DragonHD" in texts["voice"] else "of Azure's HD voices only"


def _openai_voice(texts: Texts, model: str) -> str:
    return "of OpenAI voices only" if "-" in texts["voice"] or not model.startswith("gpt-realtime") else ""


def _transcribed(texts: Texts, model: str) -> str:
    return "transcription is off" if texts["input_audio_transcription.model"] == "none" else ""


def _cascade_voice(texts: Texts, model: str) -> str:
    return "" if "-" in texts["voice"] or is_native(model) else f"{model} refuses OpenAI voices"


def _cascade_turns(texts: Texts, model: str) -> str:
    wrong = texts["turn_detection.type"] == "semantic_vad" and not is_native(model)
    return f"{model} refuses semantic_vad" if wrong else ""


def _cascade_noise(texts: Texts, model: str) -> str:
    wrong = texts["noise_reduction"].endswith("_field") and not model.startswith("gpt-realtime")
    return f"{model} refuses {texts['noise_reduction']}" if wrong else ""


def _cascade_transcription(texts: Texts, model: str) -> str:
    wrong = texts["input_audio_transcription.model"] == "whisper-1" and not is_native(model)
    return f"{model} refuses whisper-1" if wrong else ""


def _empty_instructions(texts: Texts, model: str) -> str:
    wrong = not texts["instructions"].strip() and model.startswith("gpt-realtime")
    return f"{model} keeps its own instructions when these are empty" if wrong else ""


_HEARD = "input_audio_transcription"
_DETECTED = _for_types("server_vad", "azure", "semantic_vad")
_TIMED = _for_types("server_vad", "azure")
_AZURE = _for_types("azure")


class Field(NamedTuple):
    """One setting."""

    key: str
    """In `config.Session`, with dots."""
    label: str
    help: str
    """What it does, with its unit; its range comes from its type."""
    known: Known | None = None
    """Where other values are allowed too."""
    lacking: Check = _never
    """Why the session as typed does not have it, so that it is not sent."""
    doubt: Check = _never
    """What the service is known to do with what was typed."""

    @property
    def path(self) -> tuple[str, ...]:
        """In the session object."""
        return tuple(_PATHS.get(self.key, self.key).split("."))

    @property
    def group(self) -> str:
        """The heading above it."""
        return _GROUPS[self.path[0]]

    @property
    def flag(self) -> bool:
        """Whether it is on or off."""
        return isinstance(_types(self.key)[0], inspect.BoolType)

    @property
    def several(self) -> bool:
        """Whether it is a list, written with commas."""
        return isinstance(_types(self.key)[0], inspect.VarTupleType)

    @property
    def choices(self) -> tuple[str, ...]:
        """The only values that it may have; empty where there are more than a few."""
        if self.key == "modalities":
            return ("text, audio", "text")
        options = _types(self.key)
        literal = [
            str(value) for option in options if isinstance(option, inspect.LiteralType) for value in option.values
        ]
        return tuple(literal) if all(isinstance(option, inspect.LiteralType) for option in options) else ()

    @property
    def number(self) -> inspect.IntType | inspect.FloatType | None:
        """Its type where it is a number."""
        return next((option for option in _types(self.key) if isinstance(option, _NUMBERS)), None)

    @property
    def range(self) -> str:
        """The numbers that are allowed, such as "0 to 1"; empty for other types."""
        words = "".join(f", or {word}" for word in _words(self.key) if word)
        return f"{self.number.ge:g} to {self.number.le:g}{words}" if self.number else ""


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
    "barge_in": "Barge-in, by this program",
}
_PATHS: Mapping[str, str] = {key: path for path, key in PARTS.items()} | {
    "echo_cancellation": "input_audio_echo_cancellation"
}


def _turns(name: str, label: str, help: str, lacking: Check = _DETECTED, doubt: Check = _never) -> Field:  # noqa: A002
    return Field(f"turn_detection.{name}", label, help, lacking=lacking, doubt=doubt)


FIELDS = (
    Field("voice", "voice", "type to filter; any other name is allowed", _voices, doubt=_cascade_voice),
    Field("voice_rate", "rate", "such as 1.2, +20% or fast", lacking=_azure_voice),
    Field("voice_temperature", "variation", "the temperature of HD voices", lacking=_hd_voice),
    Field("speed", "speed", "may be ignored: Voice Live's reference does not have it", lacking=_openai_voice),
    Field("instructions", "instructions", "the system prompt", doubt=_empty_instructions),
    Field("modalities", "modalities", "whether answers are spoken"),
    Field("temperature", "temperature", "of the model; gpt-realtime has none"),
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
    Field("barge_in.cancel", "cancel", "response.cancel when you interrupt; auto: where the service does not do it"),
    Field("barge_in.clear", "clear", "input_audio.clear when you interrupt; it can erase the words that interrupt"),
    Field("barge_in.truncate", "truncate", "report what was heard of the answer"),
)
BY_KEY = {field.key: field for field in FIELDS}


# --- texts and values -----------------------------------------------------------------------------------------------


@cache
def _types(key: str) -> list[inspect.Type]:
    """The types of a key, as msgspec knows them."""
    kind: inspect.Type = inspect.type_info(Session)
    for name in key.split("."):
        assert isinstance(kind, inspect.StructType)
        kind = next(field.type for field in kind.fields if field.encode_name == name)
    return list(kind.types) if isinstance(kind, inspect.UnionType) else [kind]


def _words(key: str) -> list[str]:
    return [str(word) for option in _types(key) if isinstance(option, inspect.LiteralType) for word in option.values]


def show(value: object) -> str:
    """A value of the session object as it is typed."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(show, value))
    return "" if value is None else str(value)


def value_of(field: Field, text: str) -> Any:
    """The value of a field for the configuration.

    Raises:
        ValueError: The text cannot be its value; one sentence.
    """
    if field.key == "instructions":
        return text
    text = text.strip()
    if field.flag:
        return text == "on"
    if field.choices and text not in field.choices:
        raise ValueError(f"expected {', '.join(choice or 'nothing' for choice in field.choices)}")
    if field.several:
        return tuple(filter(None, (part.strip() for part in text.split(","))))
    if not text.isprintable():
        raise ValueError("expected printable characters only")
    number = field.number
    if number is None:
        if not text and field.key == "voice":
            raise ValueError("expected a name")
        return text
    if text in _words(field.key):
        return text
    whole = isinstance(number, inspect.IntType)
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        raise ValueError(f"expected a {'whole ' if whole else ''}number, {field.range}") from None
    if not (number.ge or 0) <= value <= (number.le or 0):
        raise ValueError(f"{text[:20]} is not in the range {field.range}")
    return value


def wanted_texts(state: SessionState) -> dict[str, str]:
    """What is wanted: of the service, and of this program."""
    return texts_of({**state.wanted, "barge_in": msgspec.to_builtins(state.barge_in)})


def texts_of(session: Mapping[str, Any], *, defaults: bool = True) -> dict[str, str]:
    """The text of each field of a session object; of fields that it lacks the default, or nothing at all."""
    found: dict[str, str] = {}
    for field in FIELDS:
        value = _read(session, field)
        if value is not None:
            found[field.key] = show(value)
        elif defaults:
            found[field.key] = show(_default(field.key))
    return found


def _read(session: Mapping[str, Any], field: Field) -> object:
    """The value of a field in a session object; None where it has none."""
    top, *rest = field.path
    if top not in session:
        return None
    value: Any = session[top]
    if field.key == "echo_cancellation":
        return bool(value)
    if value is None and top in NULL_MEANS_OFF:
        return "none" if rest in (["type"], ["model"]) else None
    if isinstance(value, str) and rest:  # a voice by its name, or a tool choice
        return value if rest == ["name"] else None
    for name in rest:
        value = value.get(name) if isinstance(value, Mapping) else None
    if field.key == "modalities" and isinstance(value, list):
        return sorted(map(show, value), reverse=True)
    return value


def _default(key: str) -> object:
    value: object = Session()
    for name in key.split("."):
        value = getattr(value, name)
    return value


def settings_of(texts: Texts, model: str) -> Session:
    """The settings of the configuration.

    Raises:
        ValueError: A text cannot be the value of its field.
    """
    tree: dict[str, Any] = {"model": model}
    for key, text in texts.items():
        *sections, leaf = key.split(".")
        branch = tree
        for section in sections:
            branch = branch.setdefault(section, {})
        branch[leaf] = value_of(BY_KEY[key], text)
    return msgspec.convert(tree, Session)


def changes(before: Texts, after: Texts, model: str) -> dict[str, Any]:
    """The fields of the session object that differ, whole; None for those that are no longer set.

    Raises:
        ValueError: A text cannot be the value of its field.
    """
    old, new = session_request(settings_of(before, model)), session_request(settings_of(after, model))
    names = [*new, *(name for name in old if name not in new)]
    return {name: new.get(name) for name in names if name not in old or new.get(name) != old[name]}
