"""Kill a build that asks teachers at random moments: is anything asked again, and are the bytes the same?

    python tests/benchmarks/kill_asking.py --kills 50

Every build is killed (SIGKILL, with its workers) again and again, each time after a random number of further requests
and up to 30 ms, then run to its end. "asked again" are requests whose answers were on disk before, by the server's own
list of what it was asked; "twice" are requests that were out in the moment of a kill.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.datasets_builders.asking.killing import Killing

KILLS_OF_A_BUILD = 5


def main() -> None:
    """Kill, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="number of kills, over all builds")
    parser.add_argument("--lines", type=int, default=60, help="documents of a build; three requests each")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments")
    options = parser.parse_args()
    moments = random.Random(options.seed)
    num_unique = 3 * (options.lines - 1)
    kills = again = twice = different = builds = 0
    with tempfile.TemporaryDirectory(prefix="kill-asking-") as folder:
        whole = Killing(Path(folder) / "whole", options.lines)
        with whole.server:
            whole.run()
        while kills < options.kills:
            builds += 1
            killing = Killing(Path(folder) / str(builds), options.lines, workers=1 + builds % 2)
            with killing.server:
                for _ in range(KILLS_OF_A_BUILD):
                    run = killing.run(moments.randint(0, num_unique // KILLS_OF_A_BUILD), moments.uniform(0, 0.03))
                    kills += run.was_killed
                    again += run.asked_again
                again += killing.run().asked_again
            twice += len(killing.server.asked) - num_unique
            different += killing.shards() != whole.shards()
            print(f"build {builds} ({killing.workers} workers): {kills} kills, {again} asked again", flush=True)
    print(
        f"{kills} kills of {builds} builds: {again} requests asked again that had been answered, {twice} that were out"
    )
    print(f"builds whose bytes differ from those of an unbroken one: {different}")
    sys.exit(bool(again or different))


if __name__ == "__main__":
    main()
