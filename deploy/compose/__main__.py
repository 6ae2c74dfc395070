"""`python3 -m deploy.compose COMMAND`: what make calls on the operator's machine."""

from __future__ import annotations

import importlib
import os
import sys

OLDEST = (3, 9)
COMMANDS = ("init", "doctor", "up", "upgrade", "rollback", "down", "tamga", "demo")


def main(arguments: list[str]) -> int:
    """Run one command; returns its exit code."""
    if sys.version_info < OLDEST:
        sys.stderr.write("This needs Python 3.9 or newer: install python3 of a supported release of your system.\n")
        return 1
    if not arguments or arguments[0] not in COMMANDS:
        sys.stderr.write(f"usage: python3 -m deploy.compose {{{','.join(COMMANDS)}}} [--help]\n")
        return 2
    module = importlib.import_module(f"deploy.compose.{arguments[0]}")
    try:
        code: int = module.main(arguments[1:])
    except PermissionError as error:
        sys.stderr.write(f"{error.filename} can't be read or written by you: run this as the owner of this folder.\n")
        return 1
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
