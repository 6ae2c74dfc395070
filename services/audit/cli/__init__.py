"""The `tamga audit` commands, a module each. Exit codes: 0 sound, 1 not sound, 2 could not tell."""

from services.audit.cli import (
    certifying,
    comparing,
    dossier,
    erasing,
    exporting,
    proving,
    sampling,
    searching,
    verifying,
    watching,
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
