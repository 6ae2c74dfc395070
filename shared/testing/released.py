"""The release before this one, recorded when it was made: its code of events, and its tables' versions.

`python -m shared.testing.released` records this checkout as that release; it is the last thing done before its tag.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "released"
FACTS, CODE = FOLDER / "release.json", FOLDER / "events.tar.xz"
# Who commits, relays and handles, and the tests' way of having them do it.
_TESTING = ("__init__", "backbone", "backbone_process", "behaviour", "nursery", "servers", "shared_stand", "stand")
_PATTERNS = (
    "shared/*.py",
    "shared/events/**/*.py",
    "shared/infrastructure/*.py",
    "shared/messaging/**/*.py",
    *(f"shared/testing/{name}.py" for name in _TESTING),
)


@cache
def facts() -> dict[str, Any]:
    """Return the release's version and, for each service, its newest revision and the hash of each version's file."""
    found: dict[str, Any] = json.loads(FACTS.read_text())
    return found


def files_of(service: str) -> dict[str, str]:
    """Return the hash of each version of a service's tables in this checkout, by its file's name."""
    from shared import migrations  # noqa: PLC0415 - alembic is slow to import

    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(migrations.versions(service).glob("[0-9]*.py"))
    }


def environment(folder: Path, **process: Any) -> dict[str, str]:
    """Return the environment of a process that runs the release's code, which was unpacked into `folder`."""
    own = {"PYTHONPATH": str(folder), "TAMGA_VERSION": str(facts()["release"])}
    return os.environ | own | {"TAMGA_TEST_PROCESS": json.dumps(process)}


def unpack(folder: Path) -> Path:
    """Unpack the release's code; returns the folder."""
    with tarfile.open(CODE) as archive:
        archive.extractall(folder, filter="data")
    return folder


def record() -> None:
    """Write down this checkout as the release before the next one."""
    paths = sorted({path for pattern in _PATTERNS for path in ROOT.glob(pattern)})
    FOLDER.mkdir(exist_ok=True)
    with tarfile.open(CODE, "w:xz", preset=9) as archive:
        for path in paths:
            content = path.read_bytes()
            entry = tarfile.TarInfo(str(path.relative_to(ROOT)))
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    from shared import migrations  # noqa: PLC0415 - alembic is slow to import
    from shared.settings import SERVICES  # noqa: PLC0415
    from shared.version import release  # noqa: PLC0415

    tables = {service: {"head": [*migrations.known(service)][-1], "files": files_of(service)} for service in SERVICES}
    FACTS.write_text(json.dumps({"release": release(), "tables": tables}, indent=1) + "\n")
    sys.stdout.write(f"{release()}: {len(paths)} modules, {CODE.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    record()
