"""PostgreSQL's own programs: pg_dump and pg_restore of the server's major version, fed and read as streams."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sqlalchemy import make_url

from shared.safekeeping.refusals import SafekeepingError

FOLDER = Path("/usr/lib/postgresql")
_PIECE = 1 << 20
_LONGEST_REASON = 300


def program(name: str, major: int) -> Path:
    """Return the program of exactly that major version: another one's dump may not fit. Raises SafekeepingError."""
    usual = FOLDER / str(major) / "bin" / name
    if usual.exists():
        return usual
    on_path = shutil.which(name)
    found = _major_of(on_path) if on_path else None
    if on_path and found == major:
        return Path(on_path)
    others = f" (here is {found})" if found else ""
    raise SafekeepingError(
        f"{name} of PostgreSQL {major}, the server's version, is not here{others}:"
        f" apt-get install postgresql-client-{major}."
    )


def _major_of(path: str) -> int | None:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"\) (\d+)", said)
    return int(match[1]) if match else None


def _command(path: Path, url: str, *options: str) -> tuple[list[str], dict[str, str]]:
    """Return a command line and its environment; the password is in neither's sight of other users."""
    parts = make_url(url)
    # Of a primary and its standby both are named, and which of them is wanted.
    asked = {name: str(value) for name, value in parts.query.items()}
    host, port = parts.host or asked.get("host", "127.0.0.1"), str(parts.port or asked.get("port", 5432))
    where = ["--host", host, "--port", port, "--username", parts.username or ""]
    command = [str(path), *where, "--no-password", *options, "--dbname", parts.database or ""]
    environment = os.environ | {"PGAPPNAME": f"tamga {path.name}", "PGCONNECT_TIMEOUT": "5"}
    environment |= {"PGTARGETSESSIONATTRS": asked.get("target_session_attrs", "any")}
    return command, environment | ({"PGPASSWORD": str(parts.password)} if parts.password else {})


@contextmanager
def _running(
    command: list[str], environment: dict[str, str], what: str, *, stdin: int | None = None, stdout: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program; it ends with the block, and a failure of its own is raised with its last word."""
    guard = shutil.which("setpriv")
    guarded = [guard, "--pdeathsig", "KILL", *command] if guard else command
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(guarded, env=environment, stdin=stdin, stdout=stdout, stderr=said) as process,
    ):
        try:
            yield process
            if process.stdin:
                process.stdin.close()
            code = process.wait()
        except BrokenPipeError:
            code = process.wait()  # it takes nothing more, and says why
        except BaseException:
            process.kill()
            raise
        if code:
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise SafekeepingError(f"{what}: {_reason(lines)}")


def _reason(lines: list[str]) -> str:
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines)[0][:_LONGEST_REASON]


@contextmanager
def dumping(name: str, url: str, major: int, snapshot: str) -> Iterator[Iterator[bytes]]:
    """Give the pieces of a dump of one database as `snapshot` saw it; raises SafekeepingError."""
    options = ("--format=custom", "--compress=0", f"--snapshot={snapshot}", "--lock-wait-timeout=10s")
    command, environment = _command(program("pg_dump", major), url, *options)
    failed = f"The database {name} can't be dumped"
    with _running(command, environment, failed, stdout=subprocess.PIPE) as process:
        yield _pieces(process.stdout)


def _pieces(source: IO[bytes] | None) -> Iterator[bytes]:
    while source and (piece := source.read(_PIECE)):
        yield piece


@contextmanager
def loading(name: str, url: str, major: int) -> Iterator[IO[bytes]]:
    """Give a stream that takes a dump into an empty database, as the role of `url`; raises SafekeepingError."""
    command, environment = _command(program("pg_restore", major), url, "--exit-on-error", "--no-owner")
    # What is lost in a crash is a database under another name, which nobody knows yet.
    environment["PGOPTIONS"] = "-c synchronous_commit=off -c maintenance_work_mem=128MB"
    failed = f"The database {name} can't be filled"
    with _running(command, environment, failed, stdin=subprocess.PIPE) as process:
        if process.stdin is None:
            raise RuntimeError("the program has no input")
        yield process.stdin
