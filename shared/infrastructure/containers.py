"""PostgreSQL and RabbitMQ in containers, when a Docker engine answers."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from shared.infrastructure import system
from shared.infrastructure.postgres import TUNING
from shared.infrastructure.rabbitmq import ADMIN, FRUGAL, definitions
from shared.infrastructure.system import InfrastructureError

POSTGRES_IMAGE = "postgres:17"
RABBITMQ_IMAGE = "rabbitmq:4.1-management"


def engine_answers() -> bool:
    """Say whether there is a Docker client here and an engine behind it."""
    if shutil.which("docker") is None:
        return False
    try:
        return subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=10).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def available(folder: Path, image: str) -> bool:
    """Say whether this server shall run in a container: it did before, or one can be had.

    Raises InfrastructureError when the data are in a container and no engine answers: a private
    instance would start without them.
    """
    mark = folder / "container"
    if mark.exists() and not engine_answers():
        raise InfrastructureError(f"The data of {image} are in a container: start Docker, then try again.")
    if not mark.exists() and not (engine_answers() and has_image(image)):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()
    return True


def has_image(image: str) -> bool:
    """Say whether the engine has this image or can get it."""
    if subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode == 0:
        return True
    return subprocess.run(["docker", "pull", "--quiet", image], capture_output=True, check=False).returncode == 0


@dataclass
class Container:
    """One container, attached, so that it ends when we end; its data are in a named volume."""

    folder: Path
    image: str
    arguments: list[str]  # of `docker run`, before the image
    command: list[str]  # after it
    probe: list[str]  # of `docker exec`: exits 0 when the server is ready
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        """Return a name that two checkouts do not share."""
        kind = self.image.split(":", 1)[0]
        return f"tamga-{kind}-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]}"

    @property
    def log(self) -> Path:
        """Return the file with what the server says."""
        return self.folder / f"{self.image.split(':', 1)[0]}.log"

    def start(self) -> None:
        """Start the container, without waiting for it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["docker", "rm", "--force", self.name], capture_output=True, check=False)
        command = ["docker", "run", "--rm", "--name", self.name, *self.arguments, self.image, *self.command]
        self.process = system.start(command, log=self.log, folder=self.folder)

    def wait(self, seconds: float = 120) -> None:
        """Wait until the server takes connections; raises InfrastructureError."""
        if self.process is None:
            raise InfrastructureError(f"{self.name} was not started.")
        system.wait_until(self._ready, self.process, seconds=seconds, log=self.log)

    def _ready(self) -> bool:
        probe = ["docker", "exec", self.name, *self.probe]
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0

    def stop(self) -> None:
        """Stop the container in order."""
        if self.process:
            subprocess.run(["docker", "stop", "--time", "30", self.name], capture_output=True, check=False)
            system.stop(self.process)


def postgres(folder: Path, port: int, password: str) -> Container:
    """Return a PostgreSQL container whose superuser has `password`."""
    folder.mkdir(parents=True, exist_ok=True)
    secret = folder / "superuser"
    secret.touch(mode=0o600)
    secret.write_text(password)
    return Container(
        folder=folder,
        image=POSTGRES_IMAGE,
        arguments=[
            f"--publish=127.0.0.1:{port}:5432",
            "--env=POSTGRES_PASSWORD_FILE=/run/superuser",
            f"--volume={secret}:/run/superuser:ro",
            f"--volume={_volume(folder)}:/var/lib/postgresql/data",
        ],
        command=[part for name, value in TUNING.items() for part in ("-c", f"{name}={value}")],
        probe=["pg_isready", "-h", "127.0.0.1", "-q"],
    )


def rabbitmq(folder: Path, port: int, passwords: dict[str, str], api_port: int) -> Container:
    """Return a RabbitMQ container with the users of `passwords` and their least permissions."""
    folder.mkdir(parents=True, exist_ok=True)
    users = folder / "definitions.json"
    users.touch(mode=0o644)
    users.write_text(json.dumps(definitions(passwords)))
    configuration = folder / "tamga.conf"
    lines = ["load_definitions = /etc/rabbitmq/tamga.json", "loopback_users = none", *FRUGAL]
    configuration.write_text("\n".join(lines) + "\n")
    return Container(
        folder=folder,
        image=RABBITMQ_IMAGE,
        arguments=[
            f"--publish=127.0.0.1:{port}:5672",
            f"--publish=127.0.0.1:{api_port}:15672",
            "--hostname=tamga",
            f"--volume={users}:/etc/rabbitmq/tamga.json:ro",
            f"--volume={configuration}:/etc/rabbitmq/conf.d/90-tamga.conf:ro",
            f"--volume={_volume(folder)}:/var/lib/rabbitmq",
        ],
        command=[],
        probe=["rabbitmqctl", "authenticate_user", ADMIN, passwords[ADMIN]],
    )


def _volume(folder: Path) -> str:
    return f"tamga-{folder.name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
