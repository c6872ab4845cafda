import asyncio
import base64
import logging
import re
import stat
import threading
import time
import warnings
from logging.handlers import RotatingFileHandler
from pathlib import Path

import pytest
from azure.ai.voicelive.aio import connect
from azure.core.credentials import AzureKeyCredential

from voicelive_tui import config, logs
from voicelive_tui.config import ConfigError, Logging
from voicelive_tui.text import hide

SECRET = "sk-7f3a-not-for-your-eyes"


@pytest.fixture(autouse=True)
def as_before():
    """Give logging back to pytest as it was."""
    root = logging.getLogger()
    before, level, raises = list(root.handlers), root.level, logging.raiseExceptions
    levels = {
        name: logger.level for name, logger in root.manager.loggerDict.items() if isinstance(logger, logging.Logger)
    }
    yield
    logging.captureWarnings(False)
    logging.raiseExceptions = raises
    root.setLevel(level)
    for handler in [handler for handler in root.handlers if handler not in before]:
        root.removeHandler(handler)
        handler.close()
    for name, logger in root.manager.loggerDict.items():
        if isinstance(logger, logging.Logger):
            logger.setLevel(levels.get(name, logging.NOTSET))


def started(tmp_path, *, verbose: bool = False, secrets: tuple[str, ...] = (), **settings):
    hide(*secrets)
    return logs.start(Logging(file=str(tmp_path / "log"), **settings), verbose=verbose)


def written(path: Path) -> str:
    """What is in the file once all records are."""
    logs.flush()
    return path.read_text()


ours = logging.getLogger("voicelive_tui.test_logs")


def test_records_go_to_the_file_with_time_level_and_logger(tmp_path):
    path = started(tmp_path)
    ours.info("session ready with %s", "sess_1")
    line = written(path)
    assert line[:4].isdigit()
    assert line.endswith(" INFO    voicelive_tui.test_logs: session ready with sess_1\n")


def test_nothing_goes_to_the_terminal(tmp_path, capfd):
    started(tmp_path)
    ours.error("trouble")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("careful", stacklevel=1)
    assert capfd.readouterr() == ("", "")
    assert "careful" in written(tmp_path / "log")


def test_file_and_folder_are_the_users_alone(tmp_path):
    path = logs.start(Logging(file=str(tmp_path / "new" / "log")))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_without_a_file_it_is_in_the_users_state_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert logs.start(Logging()) == tmp_path / "voicelive-tui" / "voicelive-tui.log"


def test_a_file_in_the_users_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert logs.start(Logging(file="~/talk.log")) == tmp_path / "talk.log"


def test_the_file_is_rotated_and_its_successors_are_the_users_alone_too(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "FILE_SIZE", 2000)
    path = started(tmp_path)
    for number in range(200):
        ours.info("record %d", number)
    logs.flush()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["log", "log.1", "log.2", "log.3"]
    assert all(file.stat().st_size <= 2000 for file in files)
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert "record 199" in written(path) + written(tmp_path / "log.1")


def test_an_earlier_log_is_continued(tmp_path):
    (tmp_path / "log").write_text("earlier\n")
    path = started(tmp_path)
    ours.info("later")
    assert written(path).startswith("earlier\n2")


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (".", "Is a directory"),
        ("file/log", "File exists|Not a directory"),
        ("/proc/nowhere/log", "No such file"),
        ("a\0b", "null"),
        ("~no-such-user-here/log", "home directory"),
    ],
)
def test_a_file_that_cannot_be_written(tmp_path, monkeypatch, file, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    handlers = list(logging.getLogger().handlers)
    with pytest.raises(ConfigError, match=f"^the log file .* cannot be written: .*({says})"):
        logs.start(Logging(file=file))
    assert logging.getLogger().handlers == handlers


def test_without_a_writable_default_file_it_goes_on_and_says_so(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    told: list[str] = []
    assert logs.start(Logging(), report=told.append) == Path("/dev/null")
    ours.info("lost")
    assert len(told) == 1
    assert "cannot be written" in told[0]
    assert logs.native_path(Path("/dev/null")) == Path("/dev/null")


def test_a_slow_disk_blocks_no_caller_and_the_end_waits_for_a_limited_time(tmp_path, monkeypatch):
    goes_on = threading.Event()
    monkeypatch.setattr(logs, "FLUSH_SECONDS", 0.1)
    monkeypatch.setattr(logs, "WAITING_RECORDS", 100)
    monkeypatch.setattr(RotatingFileHandler, "emit", lambda handler, record: goes_on.wait(120))
    started(tmp_path)
    began = time.monotonic()
    for number in range(300):
        ours.info("record %d", number)
    logs.flush()
    assert time.monotonic() - began < 60
    goes_on.set()


def test_records_that_a_slow_disk_had_no_room_for_are_counted_in_the_file_and_to_listeners(tmp_path, monkeypatch):
    goes_on = threading.Event()
    monkeypatch.setattr(logs, "WAITING_RECORDS", 100)
    write = RotatingFileHandler.emit
    monkeypatch.setattr(
        RotatingFileHandler, "emit", lambda handler, record: goes_on.wait(120) and write(handler, record)
    )
    path = started(tmp_path)
    heard: list[str] = []
    stop = logs.listen(lambda severity, logger, text: heard.append(text))
    for number in range(300):
        ours.info("record %d", number)
    goes_on.set()
    logs.flush()
    ours.info("after")
    stop()
    lines = written(path).splitlines()
    found = [
        re.search(r"logs: (\d+) records were left out of the log file: the disk is too slow", line) for line in lines
    ]
    counted = sum(int(match[1]) for match in found if match)
    assert counted == 300 - sum(": record " in line for line in lines) > 100
    assert any(f"{counted} records were left out" in text for text in heard)


@pytest.mark.parametrize("early", [False, True])
def test_a_full_disk_is_reported_once(tmp_path, monkeypatch, capfd, early):
    path = tmp_path / "log"
    path.symlink_to("/dev/full")
    logs.start(Logging(file=str(path)))
    if early:
        ours.info("before anything listens")
        logs.flush()
    heard: list[tuple[str, str, str]] = []
    stop = logs.listen(lambda *record: heard.append(record))
    for number in range(3):
        ours.info("record %d", number)
    logs.flush()
    stop()
    problems = [text for severity, _, text in heard if severity == "error"]
    assert len(problems) == 1
    assert problems[0].endswith("cannot be written: [Errno 28] No space left on device")
    assert capfd.readouterr() == ("", "")


# --- levels


def test_info_is_the_default_and_libraries_that_talk_much_are_capped(tmp_path):
    path = started(tmp_path)
    ours.debug("no")
    ours.info("yes")
    for name in logs.NOISY:
        logging.getLogger(f"{name}.part").info("no")
        logging.getLogger(f"{name}.part").warning("yes")
    text = written(path)
    assert ": no\n" not in text
    assert text.count(": yes\n") == 1 + len(logs.NOISY)


def test_the_sdks_warning_of_each_close_is_left_out(tmp_path):
    path = started(tmp_path)
    logging.getLogger("azure.ai.voicelive.aio._patch").warning("Unexpected WebSocket message type: 256")
    assert written(path) == ""


def test_a_level_is_set_by_loggers_name(tmp_path):
    path = started(tmp_path, level="error", levels={"azure.ai.voicelive": "debug", "voicelive_tui.other": "info"})
    ours.warning("no")
    logging.getLogger("azure.ai.voicelive.aio").debug("yes")
    logging.getLogger("azure.identity").info("no")
    logging.getLogger("voicelive_tui.other").info("yes")
    assert written(path).count(": yes\n") == 2
    assert ": no\n" not in written(path)


def test_verbose_is_our_own_records_and_the_sdks(tmp_path):
    path = started(tmp_path, verbose=True, level="warning")
    ours.debug("yes")
    logging.getLogger("azure.ai.voicelive.aio").debug("yes")
    logging.getLogger("azure.core").info("no")
    logging.getLogger("textual").debug("no")
    assert written(path).count(": yes\n") == 2
    assert ": no\n" not in written(path)


def test_a_level_by_name_is_stronger_than_verbose(tmp_path):
    path = started(tmp_path, verbose=True, levels={"azure.ai.voicelive": "error"})
    logging.getLogger("azure.ai.voicelive.aio").warning("no")
    assert written(path) == ""


# --- what is kept of a record


def test_long_records_are_cut(tmp_path):
    path = started(tmp_path)
    sound = base64.b64encode(bytes(48_000)).decode()
    ours.warning("Received websocket text message: %s", {"type": "response.audio.delta", "delta": sound})
    text = written(path)
    assert len(text) < 2 * logs.LONGEST_RECORD
    assert "response.audio.delta" in text
    assert text.endswith(" characters)\n")


def test_a_long_record_takes_no_long_time(tmp_path):
    """Megabytes of one "word" once took a masking pattern with a free beginning minutes."""
    path = started(tmp_path)
    problem = ValueError("A" * 2_000_000)
    ours.error("it failed", exc_info=problem)
    ours.info("A" * 4_000_000)
    assert len(written(path)) > 0  # the test's own time limit judges


@pytest.mark.parametrize(
    "log",
    [
        lambda: ours.info("connecting with %s", SECRET),
        lambda: ours.info(f"connecting with {SECRET}"),
        lambda: ours.info("headers %s", {"api-key": SECRET}),
        lambda: ours.info("Connecting to wss://h/p?api-key=other-one&model=m"),
        lambda: ours.info("Connecting to wss://h/p?x=1&Access_Token=other-one"),
        lambda: ours.info("headers {'Authorization': 'Bearer other-one'}"),
        lambda: ours.info("headers {'api-key': 'other-one'}"),
        lambda: ours.info("Authorization: Bearer other-one"),
    ],
)
def test_secrets_are_masked(tmp_path, log):
    path = started(tmp_path, secrets=(SECRET,))
    log()
    text = written(path)
    assert "<hidden>" in text
    assert SECRET not in text
    assert "other-one" not in text


def test_secrets_are_masked_in_exceptions(tmp_path):
    path = started(tmp_path, secrets=(SECRET,))
    try:
        int(SECRET)
    except ValueError:
        ours.exception("it failed")
    text = written(path)
    assert "Traceback" in text
    assert "with base 10: '<hidden>'" in text
    assert SECRET not in text


def test_prose_is_not_taken_for_secrets(tmp_path):
    path = started(tmp_path)
    ours.info("Entra ID gave no token (nothing worked): sign in; press a key: any key")
    assert "<hidden>" not in written(path)


def test_the_log_can_be_shown_in_a_terminal(tmp_path):
    path = started(tmp_path)
    ours.info("an item said \x1b]0;owned\x07 and \x9b2J")
    assert "\x1b" not in written(path)
    assert "\x9b" not in written(path)
    assert "owned" in written(path)


def test_a_record_that_cannot_be_formatted_does_not_reach_the_terminal(tmp_path, capfd):
    path = started(tmp_path)
    own = logging.getLogger().handlers[-1]  # pytest's own handler beside it would stumble
    for text, args in (("%d", ("no number",)), ("a lone \ud800 surrogate", ()), ("goes on", ())):
        own.handle(ours.makeRecord("test", logging.INFO, "file", 1, text, args, None))
    assert capfd.readouterr() == ("", "")
    assert "surrogate" in written(path)
    assert written(path).endswith("goes on\n")


async def test_the_key_is_in_no_record_of_the_sdk(tmp_path):
    path = started(tmp_path, verbose=True, secrets=(SECRET,), levels={"aiohttp": "debug", "azure": "debug"})
    manager = connect(
        endpoint=f"http://127.0.0.1:1/?api-key={SECRET}", credential=AzureKeyCredential(SECRET), model="gpt-realtime"
    )
    with pytest.raises(Exception, match=r"127\.0\.0\.1"):
        await manager.__aenter__()
    text = written(path)
    assert "azure.ai.voicelive.aio" in text
    assert "gpt-realtime" in text
    assert SECRET not in text


# --- listeners


def test_a_listener_has_each_record_cut_and_masked(tmp_path):
    started(tmp_path, level="debug", levels={"voicelive_tui": "debug"})
    heard: list[tuple[str, str, str]] = []
    hide(SECRET)
    stop = logs.listen(lambda *record: heard.append(record))
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        ours.log(level, "key %s", SECRET)
    ours.info("x" * 10_000)
    stop()
    ours.info("unheard")
    name = "voicelive_tui.test_logs"
    assert heard[:5] == [(s, name, "key <hidden>") for s in ("debug", "info", "warning", "error", "error")]
    assert heard[5][2].endswith("(10000 characters)")
    assert len(heard) == 6


def test_a_listener_is_called_in_the_thread_that_logs(tmp_path):
    started(tmp_path)
    heard: list[str] = []
    stop = logs.listen(lambda severity, logger, text: heard.append(threading.current_thread().name))
    thread = threading.Thread(target=lambda: ours.info("hello"), name="elsewhere")
    thread.start()
    thread.join()
    stop()
    assert heard == ["elsewhere"]


def test_a_listener_whose_loop_is_gone_is_ignored(tmp_path, capfd):
    path = started(tmp_path)
    loop = asyncio.new_event_loop()
    loop.close()
    stop = logs.listen(lambda *record: loop.call_soon_threadsafe(print, *record))
    ours.info("the end")
    stop()
    assert capfd.readouterr() == ("", "")
    assert written(path).endswith("the end\n")


def test_levels_are_those_that_the_configuration_knows():
    assert set(config.Level.__args__) == {"debug", "info", "warning", "error"}


def test_text_of_the_service_cannot_pass_for_a_record_of_its_own(tmp_path):
    path = started(tmp_path)
    record = "bad\n2026-01-01 00:00:00,000 INFO    voicelive_tui.client.live: all is well"
    ours.warning("error from the service: %s", record)
    assert len(written(path).splitlines()) == 1
