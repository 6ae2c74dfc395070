"""How a case is written in the log, whatever was typed."""

from __future__ import annotations

import pytest

from services.audit.domain.cases import named


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("bso-2026-0001", "BSO-2026-0001"),
        ("Ln-2026-12345", "LN-2026-12345"),
        ("lead-firm", "lead-firm"),
        ("Lead-Firm", "Lead-Firm"),
        ("01a2077a-da6c-7569-870a-1fe0243ef50e", "01a2077a-da6c-7569-870a-1fe0243ef50e"),
        ("жёлтый-2026-0001", "жёлтый-2026-0001"),
        ("", ""),
    ],
)
def test_only_a_number_is_put_in_capitals(typed: str, written: str) -> None:
    """A number is found however it is typed; the id of a firm or a record, which has small letters, is left alone."""
    assert named(typed) == written
