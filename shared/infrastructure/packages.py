"""Installing PostgreSQL and RabbitMQ on Debian and Ubuntu, without their system services being started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.infrastructure import system
from shared.infrastructure.system import InfrastructureError

POLICY = Path("/usr/sbin/policy-rc.d")
CLUSTERS = Path("/etc/postgresql-common/createcluster.d/tamga.conf")


def install(packages: list[str]) -> None:
    """Install Debian packages; raises InfrastructureError with the command to run when we may not or can't."""
    by_hand = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if shutil.which("apt-get") is None:
        raise InfrastructureError(f"Install {' and '.join(packages)} with your system's package manager first.")
    if not system.is_root():
        raise InfrastructureError(f"Tamga needs {' and '.join(packages)}: run `sudo {by_hand}` once, then again.")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with _services_stay_off():
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", *packages]):
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["apt-get failed"])[-1]
        raise InfrastructureError(f"Could not install {' and '.join(packages)}: {last} Try `{by_hand}`.")


@contextmanager
def _services_stay_off() -> Iterator[None]:
    # Debian starts a service when its package is installed; Tamga runs its own private instances, so
    # for the time of the installation nothing is started and no cluster of the system's own is made.
    ours = {POLICY: "#!/bin/sh\nexit 101\n", CLUSTERS: "create_main_cluster = false\n"}
    written = [path for path in ours if not path.exists()]
    for path in written:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(ours[path])
        path.chmod(0o755)
    try:
        yield
    finally:
        for path in written:
            path.unlink(missing_ok=True)


def main(names: list[str]) -> int:
    """Install the named packages; returns the exit code."""
    try:
        install(names)
    except InfrastructureError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
