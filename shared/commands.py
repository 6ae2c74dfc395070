"""How a command reads where this runs: `tamga …` on one machine, `make …` in containers, whose host has no `tamga`."""

from __future__ import annotations

import os

CONTAINERS = "TAMGA_IN_CONTAINERS"  # docker-compose.yml says so to each process
_TARGETS = {
    "tamga status": "make doctor",
    "tamga backup create": "make backup",
    "tamga drill": "make drill",
    "tamga restore": "make restore",
    "tamga support-bundle": "make support-bundle",
    "make run": "make up",
    "--replace": "A=--replace",
    "--despite-findings": "A=--despite-findings",
}
_OF_THE_BROKER = ("rabbitmqctl ", "rabbitmq-diagnostics ")


def in_containers() -> bool:
    """Say whether this process runs in a container of docker-compose.yml."""
    return bool(os.environ.get(CONTAINERS))


def here(command: str) -> str:
    """Return a command of one machine as an operator has to type it where this process runs."""
    if not in_containers():
        return command
    if command in _TARGETS:
        return _TARGETS[command]
    if command.startswith("tamga "):
        return f'make tamga c="{command.removeprefix("tamga ")}"'
    return f"docker compose exec broker {command}" if command.startswith(_OF_THE_BROKER) else command
