"""`make support-bundle`: what `tamga support-bundle` knows, and what only the machine around the containers knows.

Needs Python's standard library and Docker's command line. Without containers it is the command's parcel alone.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path

from shared.redaction import redact

ROOT = Path(__file__).resolve().parents[2]
LINES = "2000"
PATIENCE = 120
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COMPOSE = ("docker", "compose")
# What is asked of the machine, by the name in the parcel.
ASKED: dict[str, tuple[str, ...]] = {
    "machine/doctor.txt": (sys.executable, "-m", "deploy.compose", "doctor"),
    "machine/containers.txt": (*COMPOSE, "ps", "--all"),
    "machine/load.txt": ("docker", "stats", "--no-stream"),
    "machine/disks.txt": ("df", "-h"),
    "machine/engine.txt": ("docker", "version"),
}


def asked(command: tuple[str, ...]) -> tuple[int, bytes]:
    """Return how a command ended and what it said; one that can't be had says so."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        return 127, f"{command[0]}: {type(error).__name__}".encode()
    return done.returncode, done.stdout or done.stderr


def from_inside() -> bytes:
    """Return the parcel of the container that sees everything, or an empty one where it does not run."""
    code, said = asked((*COMPOSE, "exec", "-T", "watch", "tamga", "support-bundle", "-"))
    if code == 0 and said.startswith(b"PK"):
        return said
    empty = io.BytesIO()
    with zipfile.ZipFile(empty, "w") as parcel:
        parcel.writestr("inside.txt", redact(f"Not to be had: {said.decode(errors='replace')}"))
    return empty.getvalue()


def around() -> dict[str, str]:
    """Return what the machine says, redacted, by name: its state, and the end of every container's log."""
    found = {name: asked(command)[1].decode(errors="replace") for name, command in ASKED.items()}
    code, names = asked((*COMPOSE, "ps", "--all", "--services"))
    for name in () if code else names.decode(errors="replace").split():
        command = (*COMPOSE, "--ansi", "never", "logs", "--no-color", "--no-log-prefix", "--tail", LINES, name)
        found[f"log/{name}.log"] = asked(command)[1].decode(errors="replace")
    # Docker Compose moves the cursor at the beginning of lines, whatever it is told of colours.
    return {name: redact(CONTROL.sub("", content)) for name, content in found.items()}


def main(arguments: list[str]) -> int:
    """Write the parcel; returns the exit code."""
    target = Path(arguments[0] if arguments else f"tamga-support-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.zip")
    if target.exists():
        sys.stderr.write(f"{target} exists; name another file.\n")
        return 2
    if asked((*COMPOSE, "ps", "--quiet"))[1].strip() == b"" or not (ROOT / ".env").exists():
        return subprocess.run([str(ROOT / "bin" / "tamga"), "support-bundle", str(target)], check=False).returncode
    sys.stdout.write("From inside: what `tamga support-bundle` lists (versions, settings, state, tables, figures).\n")
    content = io.BytesIO(from_inside())
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as parcel:
        for name, text in around().items():
            sys.stdout.write(f"  {name}\n")
            parcel.writestr(name, text)
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content.getvalue())
    sys.stdout.write(f"Written: {target}, {target.stat().st_size} bytes. Look into it before you send it.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
