"""What is wrong with a record before it is published: field, rule, value, and where it is mended."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from services.grants.domain.publishing.records import Record
from shared.errors import Rule

# Whose matter it is: the case's own page, or what the programme states of itself.
Mend = Literal["record", "programme"]
Format = Literal["360giving", "iati"]
_EMAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[^\s@<>]{2,}")
_ACCOUNT = re.compile(r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,4})?\b")
_NUMBER = re.compile(r"\+[0-9][0-9 ()-]{7,}[0-9]|(?<!\w)[0-9]{12,}(?!\w)")


class Problem(NamedTuple):
    """One rule that a record breaks."""

    field: str
    rule: Rule
    value: str
    mend: Mend

    def plain(self) -> dict[str, str]:
        """Return it for a machine, in English."""
        return {"field": self.field, "rule": str(self.rule), "value": self.value, "mend": self.mend}


def unfit_words(record: Record) -> list[Problem]:
    """Return what must not be published of the words that people wrote: addresses, accounts, telephone numbers."""
    found = []
    for field in ("title", "description"):
        text: str = getattr(record, field)
        if not text.strip():
            mend: Mend = "record" if field == "title" or record.kind == "cofinancing" else "programme"
            found.append(Problem(field, Rule("is required"), "", mend))
        for pattern, what in _FOREIGN.items():
            if hit := pattern.search(text):
                found.append(Problem(field, Rule(what), hit.group(), "record"))
    return found


_FOREIGN = {
    _EMAIL: "holds an e-mail address, which is not published",
    _ACCOUNT: "holds what looks like a bank account, which is not published",
    _NUMBER: "holds what looks like a telephone or account number, which is not published",
}


def unstated(wanted: Mapping[str, Any]) -> list[Problem]:
    """Return a problem for each of the programme's facts in `wanted` ({field: value}) that is not stated."""
    return [
        Problem(field, Rule("is not stated by the programme"), "", "programme")
        for field, value in wanted.items()
        if value is None or value in ("", ())
    ]
