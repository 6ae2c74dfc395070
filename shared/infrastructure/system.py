"""What the operating system is asked for: ports, users, child processes that never outlive their parent."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_FOR_SERVERS = range(16_000, 32_000)
_TRIES = 20


class InfrastructureError(RuntimeError):
    """Something this machine lacks; the message is one sentence that says what to do."""


def free_port(preferred: int | None = None) -> int:
    """Return a free TCP port of the loopback interface, `preferred` if that one is free.

    It lies below those that the kernel gives to clients: else a connection of a moment ago may have it when the
    server starts.
    """
    some = (secrets.choice(_FOR_SERVERS) for _ in range(_TRIES))
    for candidate in (*((preferred,) if preferred else ()), *some, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            port: int = probe.getsockname()[1]
            return port
    raise InfrastructureError("No TCP port is free on 127.0.0.1: close some programs and try again.")


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Say whether a server could listen on this port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def answers(host: str, port: int) -> bool:
    """Say whether something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((host, port)) == 0


def is_root() -> bool:
    """Say whether this process may become another user and install packages."""
    return os.geteuid() == 0


def runner_of(user: str) -> str | None:
    """Return the system user that shall run a server: `user` for root, None (oneself) for others."""
    return user if is_root() else None


def traversable(folder: Path, user: str) -> bool:
    """Say whether `user` can reach `folder`: every parent is open to it (by owner, or by others)."""
    uid = pwd.getpwnam(user).pw_uid
    for parent in (folder, *folder.parents):
        if not parent.exists():
            continue
        facts = parent.stat()
        if not facts.st_mode & (0o100 if facts.st_uid == uid else 0o001):
            return False
    return True


def hand_over(folder: Path, user: str | None) -> None:
    """Give a folder and what is in it to `user`; nothing to do when servers run as ourselves."""
    if user is None:
        return
    facts = pwd.getpwnam(user)
    for item in (folder, *folder.rglob("*")):
        os.chown(item, facts.pw_uid, facts.pw_gid)


def start(
    command: Sequence[str],
    *,
    log: Path,
    folder: Path,
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
    death_signal: str = "TERM",
) -> subprocess.Popen[bytes]:
    """Start a child process in its own session, its output in `log`.

    The kernel sends it `death_signal` if we die without saying goodbye. That watches the *thread* that
    started the child, so call this from a thread that lives as long as the process.
    """
    guard = shutil.which("setpriv")
    guarded = [guard, "--pdeathsig", death_signal, *command] if guard else list(command)
    with log.open("ab") as output:
        child: subprocess.Popen[bytes] = subprocess.Popen(
            guarded,
            cwd=folder,
            env=dict(environment) if environment is not None else None,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **({"user": user, "group": user, "extra_groups": []} if user else {}),  # type: ignore[call-overload]
        )
    return child


def stop(process: subprocess.Popen[bytes], *, first: signal.Signals = signal.SIGTERM, patience: float = 20) -> None:
    """Ask a child to end; after `patience` seconds end it and all of its session by force."""
    if process.poll() is None:
        process.send_signal(first)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a child and everything it has started at once; what it was writing is lost."""
    if process.poll() is None:
        # PostgreSQL's backends lead groups of their own, so they are not in the server's.
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.killpg(process.pid, signal.SIGKILL)
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        process.wait()


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], *, seconds: float, log: Path) -> None:
    """Wait until `ready`; raises InfrastructureError with the log's last line when the process ends or time is up."""
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            lines = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
            raise InfrastructureError(f"{log.stem} did not start: {lines[-1].strip()} (see {log}).")
        time.sleep(0.03)
