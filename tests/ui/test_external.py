"""The user's own editor; `test_editor_terminal.py` runs one in a terminal."""

import pytest

from voicelive_tui import text
from voicelive_tui.ui.external import without_secrets


@pytest.mark.parametrize(
    "name", ["AZURE_VOICELIVE_API_KEY", "AZURE_CLIENT_SECRET", "GITHUB_TOKEN", "db_password", "GOOGLE_CREDENTIALS"]
)
def test_a_program_started_from_here_gets_no_variable_that_is_named_like_a_secret(name):
    assert without_secrets({name: "x", "EDITOR": "vi", "LANG": "C"}) == {"EDITOR": "vi", "LANG": "C"}


def test_nor_one_that_holds_a_secret_of_this_process(monkeypatch):
    monkeypatch.setattr(text, "_hidden", set())
    text.hide("s3cr3t-value")
    assert without_secrets({"HEADER": "x: s3cr3t-value", "HOME": "/root"}) == {"HOME": "/root"}
