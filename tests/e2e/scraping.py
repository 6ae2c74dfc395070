"""A real Prometheus with the configuration that is shipped, asking the processes of a running Tamga."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from whole import ROOT

from shared.direct import ask
from shared.infrastructure.system import free_port

MONITORING = ROOT / "deploy" / "monitoring"


class Prometheus:
    """Asked over its HTTP API, as Grafana asks it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer."""
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        return json.loads(ask(f"{self.url}/api/v1/{path}{query}", 5))["data"]

    def value(self, query: str) -> list[dict[str, Any]]:
        """Return what a query gives now; a figure that is no number counts as none."""
        found = self.get("query", query=query.replace("$__rate_interval", "10m"))["result"]
        return [series for series in found if series["value"][1] != "NaN"]

    def rules(self) -> dict[str, dict[str, Any]]:
        """Return every alarm's rule by its name."""
        groups = self.get("rules")["groups"]
        return {rule["name"]: rule for group in groups for rule in group["rules"]}

    def answers(self) -> bool:
        """Say whether it answers."""
        try:
            return bool(self.get("targets")["activeTargets"])
        except OSError:
            return False


def configured(folder: Path, targets: dict[str, str]) -> Path:
    """Write the shipped configuration with this machine's targets, asked every second; returns the file."""
    shutil.copytree(MONITORING, folder, ignore=shutil.ignore_patterns("*.py", "grafana", "__pycache__"))
    file = folder / "prometheus.yml"
    file.write_text(re.sub(r"_interval: 15s", "_interval: 1s", file.read_text()) + "\n")
    ours = [
        {"targets": [urllib.parse.urlsplit(url).netloc], "labels": {"process": name}} for name, url in targets.items()
    ]
    (folder / "targets" / "tamga.yml").write_text(
        json.dumps([one for one in ours if one["labels"]["process"] != "broker"])
    )
    (folder / "targets" / "rabbitmq.yml").write_text(json.dumps([{"targets": ours[-1]["targets"]}]))
    return file


@contextmanager
def scraping(folder: Path, targets: dict[str, str]) -> Iterator[Prometheus]:
    """Give a Prometheus that asks these processes; `targets` are their addresses by name."""
    port, log = free_port(), folder.with_suffix(".log")
    command = ["prometheus", f"--config.file={configured(folder, targets)}", f"--storage.tsdb.path={folder}/data"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        found, deadline = Prometheus(port), time.monotonic() + 20
        while not found.answers():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield found
    finally:
        process.terminate()
        process.wait(20)
