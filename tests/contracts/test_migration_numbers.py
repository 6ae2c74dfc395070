"""Migrations are numbered in one line: two branches that took the same number do not meet unnoticed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.settings import SERVICES

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"(\d{4})_[a-z0-9_]+\.py")
SAYS = re.compile(r'^(revision|down_revision)\b[^=]*= (?:"(\w+)"|None)$', re.MULTILINE)


def faults(folder: Path) -> list[str]:
    """Return what is wrong with the numbers of a folder's versions, oldest first."""
    found, before = [], None
    files = sorted(path for path in folder.iterdir() if path.name.endswith(".py") and path.name != "__init__.py")
    for place, path in enumerate(files, 1):
        named, said = NAMED.fullmatch(path.name), dict(SAYS.findall(path.read_text()))
        number = named[1] if named else ""
        if number != f"{place:04}":
            found.append(f"{path.name} stands where {place:04} should")
        if said.get("revision") != number:
            found.append(f"{path.name} says that it is {said.get('revision')}")
        if (said.get("down_revision") or None) != before:
            found.append(f"{path.name} follows {said.get('down_revision') or 'nothing'}, not {before or 'nothing'}")
        before = said.get("revision")
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_every_version_follows_the_one_before_it(service: str) -> None:
    """A service's versions are 0001, 0002, …: file, revision and the one before agree, and none is there twice."""
    assert faults(ROOT / "services" / service / "migrations" / "versions") == []


def test_a_number_taken_twice_is_named(tmp_path: Path) -> None:
    """Two versions with one number, and one that follows the wrong one, are each named."""
    for name, revision, down in (
        ("0001_tables", '"0001"', "None"),
        ("0002_columns", '"0002"', '"0001"'),
        ("0002_others", '"0002"', '"0001"'),
    ):
        (tmp_path / f"{name}.py").write_text(f"revision = {revision}\ndown_revision = {down}\n")
    assert faults(tmp_path) == [
        "0002_others.py stands where 0003 should",
        "0002_others.py follows 0001, not 0002",
    ]
