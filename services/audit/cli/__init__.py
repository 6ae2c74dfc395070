"""The `tamga audit` commands, a module each. Exit codes: 0 sound, 1 not sound, 2 could not tell."""

from services.audit.cli import (
    certifying,
    comparing,
<<<<<<< HEAD
=======
    dossier,
>>>>>>> origin/main
    erasing,
    exporting,
    proving,
    sampling,
    searching,
    verifying,
<<<<<<< HEAD
    watching,
=======
>>>>>>> origin/main
)
from services.audit.cli.common import commands, console

__all__ = [
    "certifying",
    "commands",
    "comparing",
    "console",
    "dossier",
    "erasing",
    "exporting",
    "proving",
    "sampling",
    "searching",
    "verifying",
    "watching",
]
