"""Section 3.2: compare a rerun with the verification card of a run, figure by figure within the card's tolerances."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from modeling_ling.command_line import EXIT_FAILED, EXIT_OK

HELP = "say whether a rerun came out as the verification card of a run says"
EXAMPLE = "python -m recipes verify downloaded/verification.json outputs/my_rerun"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("card", type=Path, metavar="CARD", help="verification.json, or the folder that holds it")
    parser.add_argument("rerun", type=Path, metavar="RERUN", help="that of the rerun")


def run(options: argparse.Namespace) -> int:
    """Print what differs; 1 where something does."""
    from recipes.reporting.verification import differences

    card, rerun = read_card(options.card), read_card(options.rerun)
    found = differences(card, rerun)
    print("\n".join(found) or f"{rerun['stage']}: {len(card['metrics'])} figures within their tolerances")
    return EXIT_FAILED if found else EXIT_OK


def read_card(path: Path) -> dict[str, Any]:
    """Read a verification card.

    Raises:
        ValueError: none there, or something else.
    """
    from recipes.reporting.verification import VERIFICATION_FILE

    file = path / VERIFICATION_FILE if path.is_dir() else path
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
        if (
            isinstance(card, dict)
            and {"stage", "kind", "data_fingerprint", "consumed_tokens", "metrics"} <= card.keys()
        ):
            return card
    except FileNotFoundError:
        raise ValueError(f"there is no {file}; a finished run writes it into its folder") from None
    except ValueError:
        pass
    raise ValueError(f"{file} is no verification card")
