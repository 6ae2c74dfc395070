"""Which release this is."""

from __future__ import annotations

import os
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

_PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


@cache
def release() -> str:
    """Return the release: what the image says of itself, the installed package, or the checkout."""
    if given := os.environ.get("TAMGA_VERSION"):
        return given
    try:
        return metadata.version("tamga")
    except metadata.PackageNotFoundError:
        project: str = tomllib.loads(_PROJECT.read_text())["project"]["version"]
        return project


def newer(one: str, other: str) -> bool:
    """Say whether one release comes after another; what is no number counts as nothing."""
    return _numbers(one) > _numbers(other)


def _numbers(version: str) -> tuple[int, ...]:
    core = version.lstrip("v").partition("-")[0].partition("+")[0]
    return tuple(int(part) if part.isdigit() else 0 for part in core.split("."))
