"""What a backup or a restore says when it can't go on: one sentence, with the cure in it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from shared.errors import TamgaError


class SafekeepingError(TamgaError):
    """It can't be done now; nothing was changed."""

    type = "safekeeping"
    status = 409
    title = "This can't be done now"


class DamagedBackupError(SafekeepingError):
    """The file is not what was written, or never was a backup."""

    type = "damaged-backup"
    title = "The backup is damaged"


_WORDS = {
    errno.ENOSPC: "the disk is full: make room, or remove backups that nobody needs",
    errno.EDQUOT: "the quota is used up: make room, or remove backups that nobody needs",
    errno.EACCES: "it may not be written by this user: give it to {user} (chown)",
    errno.EPERM: "it may not be written by this user: give it to {user} (chown)",
    errno.EROFS: "its file system is read-only: mount it for writing",
    errno.ENOTDIR: "there is a file where a folder should be: move it away",
    errno.EFBIG: "files may not grow that large here: raise the limit (ulimit -f), or choose another file system",
}


def of_disk(folder: Path, error: OSError) -> SafekeepingError:
    """Return what an error of the disk means for whoever must mend it."""
    words = _WORDS.get(error.errno or 0, f"{error.strerror or error}").format(user=f"user {os.getuid()}")
    return SafekeepingError(f"Can't write to {folder}: {words}. Nothing was left there.")
