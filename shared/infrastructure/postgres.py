"""A private PostgreSQL instance: its own data folder, its own port, ended with us."""

from __future__ import annotations

import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from shared.infrastructure import system
from shared.infrastructure.system import InfrastructureError

USER = "postgres"
# Small machine, few clients: memory stays low, and idle processes stay asleep.
TUNING = {
    "shared_buffers": "64MB",
    "max_connections": "200",
    "wal_compression": "on",
    "checkpoint_timeout": "15min",
    "max_wal_size": "512MB",
    "min_wal_size": "80MB",
    "jit": "off",
    "bgwriter_delay": "1s",
    "wal_writer_delay": "200ms",
    "log_min_duration_statement": "1s",
    "timezone": "UTC",
    "password_encryption": "scram-sha-256",
    "lc_messages": "C",  # who starts it may live in any language; what it refuses is recognised by its words
}
# Several processes of a test run may share one, and each keeps a few connections to many databases.
THROW_AWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "600"}


def binaries() -> Path | None:
    """Return the folder of the newest installed PostgreSQL server programs, or None."""
    versions = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = max(versions, key=lambda found: int(found.parent.parent.name), default=None)
    if newest:
        return newest.parent
    on_path = shutil.which("postgres")
    return Path(on_path).resolve().parent if on_path else None


@dataclass
class Postgres:
    """A server whose data are in `folder`/data; `password` is the superuser's, None trusts every local client."""

    folder: Path
    port: int
    password: str | None = None
    throw_away: bool = False
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def admin_url(self) -> str:
        """Return the superuser's URL."""
        secret = f":{self.password}" if self.password else ""
        return f"postgresql+psycopg://{USER}{secret}@127.0.0.1:{self.port}/postgres"

    @property
    def log(self) -> Path:
        """Return the file with what the server says."""
        return self.folder / "postgresql.log"

    def start(self) -> None:
        """Create the data folder if there is none and start the server, without waiting for it."""
        programs = binaries()
        if programs is None:
            raise InfrastructureError("PostgreSQL is not installed: run `apt-get install postgresql`.")
        user = system.runner_of(USER)
        data = self.folder / "data"
        if not (data / "PG_VERSION").exists():
            self._initialise(programs, data, user)
        settings = TUNING | (THROW_AWAY if self.throw_away else {})
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(programs / "postgres"), "-D", str(data), "-p", str(self.port)]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", *options]
        self.process = system.start(command, log=self.log, folder=self.folder, user=user, death_signal="INT")

    def _initialise(self, programs: Path, data: Path, user: str | None) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(data, ignore_errors=True)
        secret = self.folder / "superuser"
        secret.touch(mode=0o600)
        secret.write_text(self.password or "unused")
        system.hand_over(self.folder, user)
        method = "scram-sha-256" if self.password else "trust"
        command = [str(programs / "initdb"), "-D", str(data), "-U", USER, "-A", method, "--pwfile", str(secret)]
        command += ["-E", "UTF8", "--locale", "C.UTF-8", *(["--no-sync"] if self.throw_away else ["--data-checksums"])]
        identity = {"user": user, "group": user, "extra_groups": []} if user else {}
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, **identity)  # type: ignore[call-overload]
        secret.unlink()
        if done.returncode:
            shutil.rmtree(data, ignore_errors=True)
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise InfrastructureError(f"PostgreSQL could not create its data folder: {last}.")

    def wait(self, seconds: float = 60) -> None:
        """Wait until the server takes connections; raises InfrastructureError."""
        if self.process is None:
            raise InfrastructureError("PostgreSQL was not started.")
        system.wait_until(self._ready, self.process, seconds=seconds, log=self.log)

    def _ready(self) -> bool:
        # The eighth line of postmaster.pid is the server's own word on its state.
        try:
            lines = (self.folder / "data" / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        ours = self.process is not None and lines[:1] == [str(self.process.pid)]
        return ours and len(lines) > 7 and lines[7].strip() == "ready"

    def stop(self) -> None:
        """End the server: sessions are closed, everything committed is on disk."""
        if self.process:
            system.stop(self.process, first=signal.SIGINT)
