"""Grafana's dashboards, from their description in panels.yml: `python -m deploy.monitoring.dashboards` writes them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
FOLDER = HERE / "grafana" / "dashboards"
SOURCE = {"type": "prometheus", "uid": "tamga"}
_WIDTH, _HEIGHT = 12, 8  # of Grafana's 24 columns


@dataclass(frozen=True)
class Panel:
    """One picture: see panels.yml."""

    title: str
    why: str
    here: str
    unit: str
    queries: dict[str, str]
    quiet: bool = False


@dataclass(frozen=True)
class Dashboard:
    """One page of Grafana."""

    name: str
    title: str
    panels: list[Panel]


def described() -> list[Dashboard]:
    """Return the dashboards as panels.yml has them."""
    found = yaml.safe_load((HERE / "panels.yml").read_text())
    return [
        Dashboard(name, page["title"], [Panel(**panel) for panel in page["panels"]]) for name, page in found.items()
    ]


def drawn(panel: Panel, number: int) -> dict[str, Any]:
    """Return a panel in Grafana's form, two beside each other."""
    across, down = number % 2 * _WIDTH, number // 2 * _HEIGHT
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": f'{panel.why} Without Grafana: the line "{panel.here}" of `tamga status --json`.',
        "datasource": SOURCE,
        "gridPos": {"x": across, "y": down, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": SOURCE, "expr": query, "legendFormat": legend}
            for place, (legend, query) in enumerate(panel.queries.items())
        ],
    }


def page(dashboard: Dashboard) -> dict[str, Any]:
    """Return a dashboard in Grafana's form."""
    return {
        "uid": f"tamga-{dashboard.name}",
        "title": dashboard.title,
        "tags": ["tamga"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "panels": [drawn(panel, number) for number, panel in enumerate(dashboard.panels)],
    }


def files() -> dict[Path, str]:
    """Return every file with what belongs into it."""
    return {FOLDER / f"{found.name}.json": json.dumps(page(found), indent=2) + "\n" for found in described()}


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file, content in files().items():
        file.write_text(content)


if __name__ == "__main__":
    main()
