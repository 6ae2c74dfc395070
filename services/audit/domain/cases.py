"""How a case is written: whoever types one need not hold the shift key, and what is no number stays as it is."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"[a-z]{1,10}-\d{4}-\d{4,}", re.IGNORECASE | re.ASCII)


def named(case: str) -> str:
    """Return a case as the log writes it: `pro-2026-0001` is PRO-2026-0001.

    Some acts belong to no numbered case and stand under the id of the firm (`lead-firm`) or of the record, which are
    in small letters: those are left alone.
    """
    return case.upper() if _NUMBER.fullmatch(case) else case
