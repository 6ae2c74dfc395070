"""`make rollback`: back to the release that ran before."""

from __future__ import annotations

import argparse
from pathlib import Path

from deploy.compose import files, up, upgrade


def main(arguments: list[str], root: Path = files.ROOT) -> int:
    """Run `make rollback`; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make rollback", description="Go back to the release that ran before.")
    parser.add_argument("--wait", type=int, default=up.PATIENCE, metavar="SECONDS", help="how long a start may take")
    parser.add_argument(
        "--restore",
        action="store_true",
        help="bring back the backup made before the upgrade too: what was entered since is lost",
    )
    wanted = parser.parse_args(arguments)
    return upgrade.ended(lambda: upgrade.rollback(root, wanted.wait, restoring=wanted.restore))
