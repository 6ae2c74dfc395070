"""The servers of a run: a broker and a database with everything on disk, as `make run` has them, for us alone."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from shared.infrastructure.databases import admin_engine
from shared.infrastructure.postgres import Postgres
from shared.infrastructure.system import free_port
from shared.testing.stand import Stand


@contextmanager
def servers() -> Iterator[Stand]:
    """Give a stand whose database writes to disk at every commit and remembers when that was."""
    if "TAMGA_TEST_DATABASE_URL" in os.environ:
        with Stand() as stand:
            yield stand
        return
    folder = Path(tempfile.mkdtemp(prefix="tamga-bench-", dir="/tmp"))
    folder.chmod(0o755)
    postgres = Postgres(folder / "postgresql", free_port())
    try:
        for setting in ("track_commit_timestamp = on", None):
            postgres.start()
            postgres.wait()
            if setting:
                with admin_engine(postgres.admin_url).connect() as connection:
                    connection.execute(text(f"ALTER SYSTEM SET {setting}"))
                postgres.stop()
        os.environ["TAMGA_TEST_DATABASE_URL"] = postgres.admin_url
        with Stand() as stand:
            yield stand
    finally:
        os.environ.pop("TAMGA_TEST_DATABASE_URL", None)
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)
