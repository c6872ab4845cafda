import tomllib
from pathlib import Path
from typing import Any

import msgspec

from voicelive_tui import config, config_load
from voicelive_tui.config import Settings

SECRET = "sk-7f3a-not-for-your-eyes"
ROOT = Path(__file__).parents[1]


def test_settings_shown_in_a_traceback_hide_the_key():
    settings = config_load.load(
        environment={"AZURE_VOICELIVE_API_KEY": SECRET, "AZURE_VOICELIVE_ENDPOINT": f"wss://h?k={SECRET}"}
    ).settings
    assert settings.service.api_key == SECRET
    assert SECRET not in repr(settings)
    assert "wss://h" in repr(settings)
    assert SECRET not in repr(config.Service(endpoint=f"https://me:{SECRET}@host:port", api_key=SECRET))


def test_the_example_shows_every_key_once_with_its_default():
    text = (ROOT / "config.toml.example").read_text()
    shown = tomllib.loads(text)  # a key that is given twice would be an error here

    def with_defaults(value: Any) -> Any:
        if isinstance(value, msgspec.Struct):
            return {field: with_defaults(getattr(value, field)) for field in value.__struct_fields__}
        return list(value) if isinstance(value, tuple) else value

    assert shown.pop("profiles") == {}
    assert shown | {"mcp": []} == with_defaults(Settings())
    assert config_load.load(ROOT / "config.toml.example", environment={}).settings == Settings()


def test_the_example_shows_every_key_of_an_mcp_server():
    text = (ROOT / "config.toml.example").read_text()
    (server,) = tomllib.loads(
        text[text.index("# [[mcp]]") :].split("\n\n")[0].replace("# ", "", 1).replace("\n# ", "\n")
    )["mcp"]
    assert server.keys() == set(config.Mcp.__struct_fields__)
    made = config.Mcp(label=server["label"], url=server["url"])
    assert (server["require_approval"], server["approve"]) == (made.require_approval, made.approve)


def test_the_example_names_the_variables():
    text = (ROOT / "config.toml.example").read_text()
    for variable in config_load.ENVIRONMENT:
        assert variable in text or variable.removeprefix("AZURE_VOICELIVE") in text


def test_every_choice_is_named_in_the_example():
    text = (ROOT / "config.toml.example").read_text()
    for kind in (config.Level, config.TurnDetectionType):
        for choice in kind.__args__:
            assert choice in text
