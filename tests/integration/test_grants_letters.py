"""Letters of decisions: seen before, written once, and only for what moved, whatever the broker does."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from grants_world import PROGRAMME, Case
from grants_world import World as Grants
from notifications_world import World as Letters
from notifications_world import ready
from sqlalchemy import text

from services.grants.handlers.bulk import Runner
from services.notifications.handlers import previewing
from shared.database import Context, UnitOfWork
from shared.events import Actor, Envelope
from shared.events.envelope import Body
from shared.messaging.inbox import Outcome
from shared.testing.stand import Stand
from shared.web.identity import Identity

OUTBOX = "SELECT * FROM outbox WHERE outcome = 'success' ORDER BY row"


@pytest.fixture(scope="module")
def grants(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> Grants:
    """Give a grants service."""
    return Grants(stand.database("grants"), tmp_path_factory.mktemp("grants"))


@pytest.fixture(scope="module")
def letters(stand: Stand) -> Letters:
    """Give a notifications service that knows the people and the rules."""
    return ready(stand.database("notifications"))


def sent(grants: Grants) -> list[Envelope]:
    """Return what the relay sends of everything that is committed, in its order."""
    with grants.engine.connect() as connection:
        rows = connection.execute(text(OUTBOX)).mappings().all()
    return [
        Envelope(
            **{name: row[name] for name in ("id", "type", "entity", "sequence", "time", "correlation_id", "case")},
            source="grants",
            version=row["version"],
            programme=row["programme"],
            outcome=row["outcome"],
            body=Body.model_validate(row["body"]),
        )
        for row in rows
    ]


def ticked(grants: Grants, cases: list[str]) -> dict[str, Any]:
    """Plan to reject these cases."""
    body = {"programme": PROGRAMME, "act": "reject", "references": cases, "reason_code": "not-eligible"}
    return dict(grants.officer.api("POST", "/bulk", 201, **body))


def test_row_01_letters_go_out_once_and_only_for_what_moved(grants: Grants, letters: Letters) -> None:
    """The broker dies in the middle and everything is sent again: one letter for each case that moved, none else."""
    cases = [Case(grants).submitted().reference for _ in range(3)]
    plan = ticked(grants, cases)
    taken = grants.manager.api("GET", f"/applications/{cases[1]}")
    body = {"officer": grants.officer_two.identity.user, "version": taken["version"]}
    grants.manager.api("POST", f"/applications/{cases[1]}/officer", **body)
    grants.officer.api("POST", f"/bulk/{plan['id']}/start", 202, version=plan["version"])
    Runner(grants.engine, clock=grants.clock).run()
    events = sent(grants)
    half = next(n for n, one in enumerate(events) if one.case == cases[2] and one.type.endswith(".moved"))
    for one in events[:half]:  # the broker dies here: the relay does not know what of it arrived
        letters.deliver(one)
    again = [letters.deliver(one) for one in events]
    assert set(again[:half]) == {Outcome.DUPLICATE}
    refusals = [one for one in letters.deliveries(channel="email") if one.template == "application-rejected"]
    refusals = [one for one in refusals if one.case_reference in cases]
    assert sorted(one.case_reference or "" for one in refusals) == [cases[0], cases[2]]
    assert {one.recipient_name for one in refusals} == {"Ana Petrova"}
    assert "does not meet the rules on who may apply" in refusals[0].text


def test_the_preview_is_the_letter(grants: Grants, letters: Letters) -> None:
    """What staff see before a rejection is word for word what the applicant then gets; nothing is kept of looking."""
    case = Case(grants).submitted()
    for one in sent(grants):
        letters.deliver(one)
    version = case.seen()["version"]
    fields = {"transition": "reject", "version": version, "reason_code": "due-diligence", "reason": "See the report."}
    page = grants.officer.post(f"/applications/{case.reference}/letter", 200, **fields).text
    draft = json.loads(html.unescape(re.search(r'name="event" value="([^"]+)"', page).group(1)))  # type: ignore[union-attr]
    assert case.seen()["version"] == version
    who = Identity(user="officer", name="Goran Ristov", roles=("officer",), programmes=(PROGRAMME,))
    context = Context(actor=Actor(id="user:officer"))
    with UnitOfWork(letters.engine, "notifications", context, clock=letters.clock) as uow:
        shown = previewing.preview(uow, who, previewing.Draft.model_validate(draft))
    mail = [one for one in shown if one.letter.channel == "email"]
    assert [(one.letter.recipient_name, one.words, one.because) for one in mail] == [("Ana Petrova", ["reason"], "")]
    case.move(grants.officer, "reject", reason_code="due-diligence", reason="See the report.")
    for one in sent(grants):
        letters.deliver(one)
    got = [one for one in letters.deliveries(channel="email", case=case.reference) if "rejected" in one.template]
    assert [(one.subject, one.text) for one in got] == [(one.letter.subject, one.letter.text) for one in mail]
