"""A small disk of its own, so that a test can really fill one without harm."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Disk:
    """A mounted disk; the database server may write to its `folder`."""

    folder: Path

    def resize(self, size: int) -> None:
        """Give it that many bytes, at least what is used."""
        options = f"remount,size={size}"
        subprocess.run(["mount", "-o", options, str(self.folder.parent)], capture_output=True, check=True)

    def leave_free(self, size: int) -> None:
        """Give it so much that this many bytes are left."""
        self.resize(shutil.disk_usage(self.folder).used + size)


@contextmanager
def small_disk(megabytes: int) -> Iterator[Disk]:
    """Give a disk of that size, empty; it goes with the block. Whoever may not mount one skips the test."""
    folder = Path(tempfile.mkdtemp(prefix="tamga-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0777", "tamga-test", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        shutil.rmtree(folder)
        pytest.skip("only who may mount a disk can fill one without harm")
    try:
        (folder / "data").mkdir()
        shutil.chown(folder / "data", "postgres", "postgres")
        yield Disk(folder / "data")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()
