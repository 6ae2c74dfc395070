"""Dashboards, alarms and their pages are of one piece."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_compose_file import bounds, rights
from typer.main import get_command

from deploy.monitoring import dashboards
from services.__main__ import COMMANDS, gathered

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "monitoring" / "rules" / "tamga.yml"
PAGES = ROOT / "docs" / "runbooks"


def alarms() -> list[dict[str, Any]]:
    """Return the rules of all groups."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def pages() -> list[Path]:
    """Return the pages for alarms."""
    return sorted(page for page in PAGES.glob("*.md") if page.name != "README.md")


def test_the_dashboards_are_those_described() -> None:
    """Grafana's files are what the description gives, no more and no fewer."""
    expected = dashboards.files()
    assert {file: file.read_text() for file in dashboards.FOLDER.iterdir()} == expected


def test_each_alarm_has_its_page_and_each_page_its_alarm() -> None:
    """An alarm names a page that has its name as title and the four questions; no page is left over."""
    named = {rule["alert"]: ROOT / rule["annotations"]["runbook_url"] for rule in alarms()}
    assert sorted(named.values()) == pages()
    for name, page in named.items():
        text = page.read_text()
        assert text.startswith(f"# {name}\n")
        asked = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert asked == ["What it means for people", "How to look", "What to do", "When to wake somebody"]
        assert f"[{page.stem}]({page.name})" in (PAGES / "README.md").read_text()


def test_each_alarm_says_how_bad_it_is_and_what_happened() -> None:
    """Severity is one of three words, and a sentence tells what happened."""
    for rule in alarms():
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}, rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]


def said_commands(program: str) -> list[tuple[str, list[str]]]:
    """Return (page, words) of every command of a program in the pages."""
    code = [(page.name, span) for page in pages() for span in re.findall(r"`([^`]+)`", page.read_text())]
    return [(name, span.split()[1:]) for name, span in code if span.split()[0] == program]


def test_every_command_of_the_pages_exists() -> None:
    """`tamga …` is in the menu with its subcommand and its options; there are such commands to check."""
    found = said_commands("tamga")
    assert len(found) > 20
    for page, words in found:
        assert words[0] in COMMANDS, page
        command = get_command(gathered(words[0])).commands[words[0]]  # type: ignore[attr-defined]
        for subcommand in words[1:2] if hasattr(command, "commands") else ():
            assert subcommand in command.commands, page
            command = command.commands[subcommand]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words[1:] if word.startswith("-")} <= options, page


def test_every_alarm_is_tried_on_made_up_figures() -> None:
    """For each there is a case in which it rings, and one in which it does not."""
    tried = [
        test
        for file in RULES.parents[1].glob("rules*_test.yml")
        for case in yaml.safe_load(file.read_text())["tests"]
        for test in case["alert_rule_test"]
    ]
    for rule in alarms():
        rings = {bool(test["exp_alerts"]) for test in tried if test["alertname"] == rule["alert"]}
        assert rings == {True, False}, rule["alert"]


@pytest.mark.parametrize(
    "what", [["check", "config", "prometheus.yml"], ["test", "rules", "rules_test.yml", "rules_days_test.yml"]]
)
def test_prometheus_takes_them(what: list[str]) -> None:
    """Prometheus' own tool reads configuration and rules, and each threshold rings when it should and not before."""
    folder = ROOT / "deploy" / "monitoring"
    done = subprocess.run(["promtool", *what], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


def test_prometheus_and_the_page_ask_every_container() -> None:
    """Whatever container of ours tells figures is among the targets, and where the page and the command look."""
    content = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    told = {name for name, one in content.items() if "TAMGA_METRICS_PORT" in (one.get("environment") or {})}
    told.discard("prepare")  # it ends
    targets = yaml.safe_load((RULES.parents[1] / "targets" / "tamga.yml").read_text())
    assert {target["labels"]["process"] for target in targets} == told
    assert {target["targets"][0] for target in targets} == {f"{name}:9400" for name in told}
    for name in ("portal-api", "watch"):
        asked = json.loads(content[name]["environment"]["TAMGA_METRICS_URLS"])
        assert asked == {process: f"http://{process}:9400/metrics" for process in told}


def test_what_runs_beside_has_least_rights_and_bounds() -> None:
    """Prometheus and Grafana are held to the rules of every container, and listen on this machine alone."""
    content = yaml.safe_load((RULES.parents[1] / "monitoring.yml").read_text())["services"]
    assert set(content) == {"prometheus", "grafana"}
    for service in content.values():
        assert rights(service) + bounds(service) == []
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
