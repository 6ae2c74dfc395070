"""The pytest plugin that lets the tests of each file run in the order of TAMGA_TEST_SEED, as `make test` does.

A run prints its seed at its end: it brings that order back, and any other gives another.
"""

from __future__ import annotations

import os
import random
from itertools import groupby

import pytest

VARIABLE = "TAMGA_TEST_SEED"
_STORIES = {"e2e", "stack"}  # these go through one house from its beginning to its end


class Shuffled:
    """Shuffles the tests within each file; without a seed they stay as they are written."""

    def __init__(self, remark: str = "") -> None:
        self.seed = os.environ.get(VARIABLE, "")
        self._remark = remark

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how to bring this order back, and what else was special."""
        for line in (f"Order: {VARIABLE}={self.seed}", self._remark):
            if line and not line.endswith("="):
                terminalreporter.write_line(line)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Shuffle within each file; the same seed and file give the same order, whatever else runs."""
        if not self.seed:
            return
        shuffled: list[pytest.Item] = []
        for path, group in groupby(items, key=lambda item: item.path):
            of_file = list(group)
            if path.parent.name not in _STORIES:
                random.Random(f"{self.seed} {path.name}").shuffle(of_file)  # noqa: S311 - an order is no secret
            shuffled += of_file
        items[:] = shuffled
