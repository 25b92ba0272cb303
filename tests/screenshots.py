"""Pictures of pages as readers see them: `python tests/screenshots.py PAGE.html [PAGE.html#row=3 ...] --output FOLDER`.

Each at 1,400 and 400 pixels, in the light and in the dark. Needs Chromium; nothing is fetched.
"""

import argparse
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.evals.report.browser import CHROMIUM

MODES = {"light": 1, "dark": 0}  # Chromium's numbers


def main() -> None:
    """Take the pictures and print their paths."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+", metavar="PAGE", help="a file, with what follows it in the address")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="for the pictures")
    parser.add_argument("--widths", type=int, nargs="+", default=[1400, 400], help="in pixels")
    parser.add_argument("--height", type=int, default=1000, help="in pixels")
    options = parser.parse_args()
    if CHROMIUM is None:
        parser.error("there is no Chromium on this machine")
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        for page, width, (mode, number) in product(options.pages, options.widths, MODES.items()):
            file, sign, place = page.partition("#")
            path = Path(file).resolve()
            picture = options.output / f"{path.parent.name}_{path.stem}_{width}_{mode}.png"
            command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
            command += [f"--blink-settings=preferredColorScheme={number}", f"--window-size={width},{options.height}"]
            command += ["--virtual-time-budget=3000", f"--screenshot={picture.resolve()}"]
            subprocess.run([*command, f"{path.as_uri()}{sign}{place}"], check=True, capture_output=True, timeout=120)
            print(picture)


if __name__ == "__main__":
    main()
