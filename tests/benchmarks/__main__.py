"""`make bench`: every benchmark, one after the other, each in a process of its own.

    make bench                    all of them
    make bench ARGS="ui loopback" those whose names hold one of these words

Benchmarks print figures beside a baseline that was measured in the same run, or beside a target. The exit status is 1
where one missed a target.
"""

import subprocess
import sys
from pathlib import Path


def main(words: list[str]) -> int:
    """Run the benchmarks named, or all."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    chosen = [name for name in names if not words or any(word in name for word in words)]
    if not chosen:
        print(f"no benchmark is called that; there are: {', '.join(names)}")
        return 2
    status = 0
    for name in chosen:
        print(f"\n== {name}", flush=True)
        status |= subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}"], check=False).returncode
    return 1 if status else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
