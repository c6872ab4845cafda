import os
import subprocess
import sys

PROGRAM = """
import os, sys
from voicelive_tui.audio.native import native_stderr_to
os.write(2, b"before\\n")
with native_stderr_to(sys.argv[1]) as log:
    os.write(2, b"ALSA lib pcm.c: underrun occurred\\n")
    os.write(2, b"Expression failed\\n")
    assert log.lines() == 2, log.lines()
    os.write(2, b"and again\\n")
    assert log.lines() == 3, log.lines()
    print("the screen \\N{BOX DRAWINGS LIGHT HORIZONTAL}", file=sys.__stderr__)
    print("an error", file=sys.stderr)
    os.system("echo a child >&2")
os.write(2, b"after\\n")
print("python after", file=sys.stderr)
"""


def test_native_output_goes_to_the_log_and_the_screen_stays_clean(tmp_path):
    log = tmp_path / "native.log"
    log.write_text("of an earlier run\n")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(log)],
        capture_output=True, check=False, env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr.decode() == "before\nthe screen ─\nan error\nafter\npython after\n"
    assert log.read_text() == (
        "of an earlier run\nALSA lib pcm.c: underrun occurred\nExpression failed\nand again\na child\n"
    )


def test_a_log_that_cannot_be_written_leaves_everything_as_it_was(tmp_path):
    program = (
        "import sys\nfrom voicelive_tui.audio.native import native_stderr_to\n"
        "try:\n    with native_stderr_to(sys.argv[1]): pass\nexcept OSError as e: print(e.strerror)\n"
        "print('still here', file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "nowhere" / "x.log")], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("No such file or directory\n", "still here\n")
