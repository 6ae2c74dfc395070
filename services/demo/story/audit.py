"""The auditor asks who did what on these cases, whether anything was refused, and whether one event is genuine."""

from __future__ import annotations

import time
from typing import Any

from services.demo.people import DemoError
from services.demo.stage import Stage

# The promise is two seconds; a letter's delivery is an event too and may take its time.
PROMISE_SECONDS = 2.0


def tell(stage: Stage, cases: list[str]) -> None:
    """Act the auditor's questions about `cases`."""
    stage.chapter = "Audit"
    time.sleep(PROMISE_SECONDS)
    for case in cases:
        _case(stage, case)
    stage.act("auditor", "lists what was refused", "GET", "/audit/api/search", params={"outcome": "refused"})
    person = stage.people["officer"].user_id
    found = stage.act("auditor", "lists the officer's acts", "GET", "/audit/api/search", params={"person": person})
    _expect(found["items"], "the officer's acts")
    event = found["items"][0]["event_id"]
    proof = stage.act("auditor", "takes the proof of one event", "GET", f"/audit/api/events/{event}/proof")
    if not proof:
        raise DemoError("there is no proof of an event")
    stage.act("bank_one", "looks into the log: refused", "GET", "/audit/api/search", expect=403)
    _letters(stage)


def _case(stage: Stage, case: str) -> None:
    found = stage.act("auditor", f"reads the case {case}", "GET", "/audit/api/search", params={"case": case})
    _expect(found["items"], f"acts of {case}")
    if not any(item["type"].startswith("notifications.") for item in found["items"]):
        raise DemoError(f"no letter about {case} is in the log")


def _expect(items: list[Any], what: str) -> None:
    if not items:
        raise DemoError(f"the log shows no {what}")


def _letters(stage: Stage) -> None:
    mail = stage.act("operator", "looks at the letters that went out", "GET", "/notifications/api/mail")
    _expect(mail["items"] if isinstance(mail, dict) else mail, "letters")
