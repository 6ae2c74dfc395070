"""Prints each scenario's line while the tests run, and adds it to the file that TAMGA_CHAOS_RESULTS names.

Lives in the process that reports, so the lines are seen without `-s` and from parallel runs as well.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from shared.testing.scenario import PROPERTY, line_of


class ScenarioReport:
    """A plugin of pytest."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._failed: set[str] = set()
        results = os.environ.get("TAMGA_CHAOS_RESULTS", "")
        self._results = Path(results) if results else None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember failures; after a scenario's last phase print and keep its line."""
        if report.failed:
            self._failed.add(report.nodeid)
        facts = dict(report.user_properties).get(PROPERTY)
        if report.when != "teardown" or not isinstance(facts, dict):
            return
        passed = report.nodeid not in self._failed
        line = line_of(facts) + ("" if passed else "  FAILED")
        if terminal := self._config.pluginmanager.get_plugin("terminalreporter"):
            terminal.write_line(f"\n{line}")
        if self._results:
            with self._results.open("a") as file:
                file.write(json.dumps(facts | {"passed": passed}) + "\n")
