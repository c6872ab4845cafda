"""What may import what, and that help costs little."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("aiohttp", "azure", "numpy", "rich", "sounddevice", "textual", "voicelive_tui.client.live")


def test_the_import_contracts_are_kept():
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = [contract["name"] for contract in tomllib.load(file)["tool"]["importlinter"]["contracts"]]
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(contracts) >= 6
    for name in contracts:
        assert f"{name} KEPT" in done.stdout


def loaded(code: str, **environment: str) -> tuple[set[str], str]:
    """The modules that a program loads until its end, and what it prints on stdout."""
    report = (
        "import atexit, json, sys; atexit.register(lambda: print(json.dumps(list(sys.modules)), file=sys.stderr))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", report + code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **environment},
    )
    return set(json.loads(done.stderr.splitlines()[-1])), done.stdout


def heavy(modules: set[str]) -> set[str]:
    return {name for name in modules if name in HEAVY}


@pytest.mark.parametrize("arguments", [["--help"], ["console", "--help"], ["--version"]])
def test_help_is_cheap(arguments):
    modules, printed = loaded(f"from voicelive_tui.__main__ import main; main({arguments!r})")
    assert "voicelive-tui" in printed
    assert "voicelive_tui.cli" in modules
    assert heavy(modules) == set()


def test_shell_completion_is_cheap():
    modules, printed = loaded(
        "from voicelive_tui.__main__ import main; main([])",
        _VOICELIVE_TUI_COMPLETE="bash_complete",
        COMP_WORDS="voicelive-tui console --turn-detection ",
        COMP_CWORD="3",
    )
    assert "plain,azure_semantic_vad_multilingual" in printed
    assert heavy(modules) == set()


def test_the_package_itself_imports_nothing():
    modules, _ = loaded("import voicelive_tui")
    assert {name for name in modules if name.startswith("voicelive_tui")} == {"voicelive_tui"}
    assert heavy(modules) == set()


def test_the_heavy_modules_would_be_noticed():
    modules, _ = loaded("import voicelive_tui.client.link, voicelive_tui.client.sound")
    assert heavy(modules) >= {"aiohttp", "azure", "numpy"}


def test_a_session_is_made_before_anything_heavy_is_loaded():
    code = "import voicelive_tui.client.live as m; from voicelive_tui.config import Settings; m.LiveSession(Settings())"
    modules, _ = loaded(code)
    assert heavy(modules) == {"voicelive_tui.client.live"}
