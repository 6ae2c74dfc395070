"""Who stands where in a case, as every event of it says: notifications are addressed by these names."""

from __future__ import annotations

from typing import Literal

Office = Literal["manager", "finance"]
_OFFICES: dict[Office, str] = {"manager": "role:programme_manager", "finance": "role:finance_officer"}


def parties_of(organisation: str | None, officer: str | None, *offices: Office) -> dict[str, list[str]]:
    """Return the parties of a case: whose it is, the officer who has it (or all officers), and those of the offices.

    `organisation` is None where the event is none of the applicant's business.
    """
    applicant = {} if organisation is None else {"applicant": [f"org:{organisation}"]}
    has = {"officer": [f"user:{officer}"] if officer else ["role:officer"]}
    return applicant | has | {name: [_OFFICES[name]] for name in offices}
