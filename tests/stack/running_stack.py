"""The stack that runs in containers, reached as people and operators reach it."""

from __future__ import annotations

import json
import ssl
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

INSIDE = "/var/lib/tamga-proxy/caddy/pki/authorities/local/root.crt"


@dataclass(frozen=True)
class RunningStack:
    """The stack whose compose file, .env and secrets are in `folder`."""

    folder: Path

    def docker(self, *arguments: str, check: bool = True) -> str:
        """Return what a docker command prints."""
        command = ["docker", *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stderr[-2000:]}"
        return done.stdout

    def within(self, service: str, *command: str, check: bool = True) -> str:
        """Return what a command prints that runs in a service's container."""
        return self.docker("compose", "exec", "-T", service, *command, check=check)

    def containers(self) -> list[dict[str, Any]]:
        """Return what the engine knows of every running container of the stack."""
        ids = self.docker("compose", "ps", "--quiet").split()
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", *ids))
        return found

    @cached_property
    def address(self) -> str:
        """Return the address that people open."""
        lines = (self.folder / ".env").read_text().splitlines()
        values = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
        return f"https://{values['TAMGA_DOMAIN']}:{values['TAMGA_HTTPS_PORT']}"

    @cached_property
    def trusted(self) -> ssl.SSLContext:
        """Return whom a browser must trust: the proxy's own authority and nobody else."""
        return ssl.create_default_context(cadata=self.within("watch", "cat", INSIDE))

    def browser(self, **options: Any) -> httpx.Client:
        """Return a client without a session that checks certificates."""
        return httpx.Client(base_url=self.address, verify=self.trusted, timeout=30, **options)
