"""A synthetic recording of an hour: to open it, to jump in it, and to fold it at eight times the speed.

python -m tests.benchmarks.bench_replay
"""

import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.recording.bundles import make_bundle
from voicelive_tui.client.replay import SLICE, ReplaySession
from voicelive_tui.config import Audio, Ui
from voicelive_tui.recording.bundle import Bundle
from voicelive_tui.recording.player import Player
from voicelive_tui.ui.replay import ReplayApp, ReplayScreen

EXCHANGES = 360
"""Of ten seconds each."""
JUMP_MS = 150.0
JUMPS = 20


async def jumps(live: ReplaySession) -> list[float]:
    """Milliseconds of jumps in the dashboard, until the state is with the panes and drawn."""
    app, found, chance = ReplayApp(live, Ui(), {}, "hour.vlrec"), [], random.Random(1)
    async with app.run_test(size=(120, 40)) as pilot:
        while not isinstance(app.screen, ReplayScreen) or not app.screen.is_mounted:
            await pilot.pause()
        screen = app.screen
        assert isinstance(screen, ReplayScreen)
        for _ in range(JUMPS):
            at = chance.uniform(live.player.begin, live.player.end)
            began = time.perf_counter()
            screen.go_to(at)
            found.append((time.perf_counter() - began) * 1000)
            await pilot.pause()
    return found


def main() -> int:
    """Print the figures; 1 if a jump takes too long, or 8 times the speed is out of reach."""
    with tempfile.TemporaryDirectory() as folder:
        path = make_bundle(Path(folder), EXCHANGES, sound=False)
        began = time.perf_counter()
        with Bundle(path) as bundle:
            player = Player(bundle)
            opened = time.perf_counter() - began
            began = time.perf_counter()
            while player.extend(SLICE):
                pass
            indexed = time.perf_counter() - began
            began = time.perf_counter()
            for _ in player.advance(player.begin + 600):
                pass
            minutes = time.perf_counter() - began
            player.seek(0)
            live = ReplaySession(player, Audio(output_device="none"))
            live.pause()
            times = sorted(asyncio.run(jumps(live)))
    share = minutes / (600 / 8)
    print(f"moments in an hour            {len(player):>9,}")
    print(f"to open it                    {opened:>9.2f} s")
    print(f"to make its checkpoints       {indexed:>9.2f} s, in the background")
    median, worst = times[len(times) // 2], times[-1]
    print(f"a jump, median and worst      {median:>9.1f} ms, {worst:.1f} ms   target < {JUMP_MS:.0f} ms")
    print(f"folding at 8 times the speed  {share:>9.1%} of a core   target < 100%")
    return int(times[-1] >= JUMP_MS or share >= 1)


if __name__ == "__main__":
    sys.exit(main())
