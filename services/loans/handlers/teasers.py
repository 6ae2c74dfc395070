"""Use cases of teasers: the firm shows one to banks, each says whether it wants to see more."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from services.loans import storage
from services.loans.domain.finance import Finance
from services.loans.domain.proposal import Proposal
from services.loans.domain.scoring import score
from services.loans.domain.teaser import LIVE, Face, Teaser, alike, cell_of, face_of, generalised
from services.loans.handlers import access
from shared.database import UnitOfWork, system
from shared.errors import InvalidError, NotFoundError, Rule
from shared.events.loans.teaser import TeaserReplied
from shared.web.identity import Identity

TEASE = "loans.proposal.tease"


def preview(uow: UnitOfWork, proposal: Proposal, finance: Finance, currency: str) -> Face:
    """Return what banks would see of a locked proposal today."""
    proposal.require_locked()
    locked, rules = storage.locked(uow.connection, proposal.id, proposal.number), finance.teaser
    lessons = storage.lessons_of(uow.connection, [proposal.organisation])
    own = cell_of(
        str(locked["applicant"]["sector"] or ""),
        str(locked["project"]["location"] or ""),
        str(locked["applicant"]["employees"] if locked["applicant"]["employees"] is not None else ""),
        rules,
    )
    firms = alike(storage.firms_of(uow.connection, proposal.programme), rules)
    cell, left_out = generalised(own, firms, rules.k)
    return face_of(locked, score(locked, finance, None, access.today(uow), lessons), currency, cell, left_out, rules)


@dataclass(frozen=True)
class Showing:
    """What a firm's page says: the teaser as it would be, whom it may be shown to, and what became of those shown."""

    proposal: Proposal
    finance: Finance
    face: Face
    banks: dict[str, str]
    shown: list[Teaser]
    until: date

    @property
    def live(self) -> list[Teaser]:
        return [item for item in self.shown if item.stage in LIVE]


def showing(uow: UnitOfWork, who: Identity, reference: str) -> Showing:
    """Return the teaser of a proposal for its firm."""
    proposal = access.proposal(uow, who, reference, TEASE, lock=False)
    finance, currency = access.rules(uow, proposal.programme)
    known = storage.banks(uow.connection)
    banks = {item.bank: known[item.bank] for item in finance.partners if item.bank in known}
    until = access.today(uow) + timedelta(days=finance.teaser.max_days)
    face = preview(uow, proposal, finance, currency)
    return Showing(proposal, finance, face, banks, storage.teasers_of(uow, proposal.id), until)


def show(
    uow: UnitOfWork, who: Identity, reference: str, banks: Sequence[str], until: date, *, version: int | None = None
) -> list[Teaser]:
    """Show a teaser to these banks, to each under an id of its own; one that a bank has already is replaced.

    What a bank takes part in is recorded in the name of the service: not even who acted leads to the firm.
    """
    access.proposal(uow, who, reference, TEASE, version=version)
    found = showing(uow, who, reference)
    proposal, wanted = found.proposal, list(dict.fromkeys(banks))
    _check(uow, found, wanted, until)
    names = ("number", "programme", "organisation", "organisation_name")
    made = [
        Teaser(
            id=f"TSR-{secrets.token_hex(6)}",
            proposal=proposal.id,
            **{name: getattr(proposal, name) for name in names},
            bank=bank,
            bank_name=found.banks[bank],
            face=found.face,
            shown_on=access.today(uow),
            until=until,
        )
        for bank in wanted
    ]
    proposal.tease([item.id for item in made], wanted, until, found.face.left_out)
    before = [item.id for item in found.live if item.bank in wanted]
    uow.go_on(replace(uow.context, actor=system("loans")))
    for old in before:
        storage.teasers(uow).get(old).end("replaced")
    uow.flush()
    for item in made:
        storage.teasers(uow).add(item)
        item.show()
    return made


def _check(uow: UnitOfWork, found: Showing, banks: Sequence[str], until: date) -> None:
    wrong: dict[str, str] = {}
    if not banks or set(banks) - set(found.banks):
        wrong["banks"] = "choose at least one finance partner of the programme"
    asked = [
        item.bank_name
        for item in storage.referrals(uow).where(storage.of_proposal(found.proposal.id))
        if item.is_open() and item.bank in banks
    ]
    if asked:
        wrong["banks"] = Rule("has this proposal already: %(names)s", names=", ".join(asked))
    if not access.today(uow) <= until <= found.until:
        wrong["until"] = Rule("must be within %(days)s days from today", days=found.finance.teaser.max_days)
    if wrong:
        raise InvalidError(wrong)


def take_back(uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None) -> int:
    """Show the teasers of a proposal to nobody any more; returns how many there were."""
    proposal = access.proposal(uow, who, reference, TEASE, version=version)
    return _end(uow, [item for item in storage.teasers_of(uow, proposal.id) if item.stage in LIVE], "taken_back")


def referred(uow: UnitOfWork, proposal: str, bank: str) -> None:
    """End the teaser of a bank that is now given the proposal itself.

    The last thing of an act: it goes on in the name of the service, and what was loaded before is let go.
    """
    found = [item for item in storage.teasers_of(uow, proposal) if item.bank == bank and item.stage in LIVE]
    if found:
        _end(uow, found, "referred")


def _end(uow: UnitOfWork, found: list[Teaser], why: str) -> int:
    """End teasers in the name of the service."""
    ids = [item.id for item in found]
    uow.go_on(replace(uow.context, actor=system("loans")))
    for reference in ids:
        storage.teasers(uow).get(reference).end(why)
    return len(ids)


def open_teaser(
    uow: UnitOfWork, who: Identity, reference: str, action: str, *, version: int | None = None, lock: bool = True
) -> Teaser:
    """Return a teaser for its bank; one that is shown no more isn't there."""
    access.scoped(uow, who, "teaser", reference, action)
    if not storage.teaser_is_seen(uow.connection, reference, access.today(uow)):
        raise NotFoundError("There is no such record")
    return storage.teasers(uow).get(reference, expected=version, for_update=lock)


def read(uow: UnitOfWork, who: Identity, reference: str) -> tuple[Teaser, Finance]:
    """Return a teaser and its programme's rules; the look is recorded."""
    item = open_teaser(uow, who, reference, "loans.teaser.read", lock=False)
    access.viewed(uow, item.id, "the teaser", case=item.id, programme=item.programme)
    return item, access.rules(uow, item.programme)[0]


def answer(
    uow: UnitOfWork,
    who: Identity,
    reference: str,
    interested: bool,
    reasons: Sequence[str] = (),
    *,
    version: int | None = None,
) -> Teaser:
    """Say whether the bank wants to see more; the firm is told."""
    item = open_teaser(uow, who, reference, "loans.teaser.answer", version=version)
    rules = access.rules(uow, item.programme)[0].teaser
    item.answer(interested, reasons, rules, uow.now(), who.name)
    proposal = storage.proposals(uow).get(item.proposal, for_update=False)
    told: dict[str, Any] = proposal.facts("applicant") | {
        "replying_bank": item.bank,
        "replying_bank_name": item.bank_name,
    }
    event = TeaserReplied(**told, teaser=item.id, interested=interested, reasons=item.reasons)
    place: dict[str, Any] = {"case": proposal.id, "programme": proposal.programme, "parties": proposal.parties()}
    uow.record(event, entity=f"proposal:{proposal.id}", **place)
    return item
