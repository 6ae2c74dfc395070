"""Use cases of a tripartite agreement: drawn by the supplier, signed by three, ended by notice, breach or repayment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from services.loans import storage
from services.loans.domain.arrears import ZERO, Timetable
from services.loans.domain.chain_terms import (
    CONSENT_TEXT,
    CONSENT_VERSION,
    SIDES,
    ChainTerms,
    Good,
    Side,
    consent_sha256,
)
from services.loans.domain.deduction import Kept, room
from services.loans.domain.loan import Loan
from services.loans.domain.tape_rows import SETTLED
from services.loans.domain.tripartite import LIVE, Consent, Signature, Tripartite
from services.loans.handlers import access
from services.loans.policy import POLICY
from services.loans.storage import chain
from shared.database import UnitOfWork
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, Rule
from shared.i18n import translate
from shared.web.forms import invalid
from shared.web.identity import Identity

# At these stages a bank lends, or is about to.
DRAWABLE = ("offered", "countered", "accepted", "partly_disbursed", "disbursed")
WHO = {"supplier": "the supplier", "buyer": "the lead firm", "bank": "the bank"}


def side_of(uow: UnitOfWork, who: Identity, reference: str, action: str, *sides: str) -> str:
    """Return the side on which `who` stands: supplier, buyer, bank, or staff; raises ForbiddenError for another's act.

    Lead firm and bank know nothing of an agreement before it is proposed, nor after it was withdrawn.
    """
    row = chain.chain_standing(uow.connection, reference) if len(reference) <= access.MAX_REFERENCE else None
    if row is None:
        raise NotFoundError("There is no such record")
    own, told = who.organisation, row.shared and row.stage != "withdrawn"
    POLICY.role_for(
        action,
        who,
        own=own is not None and (own == row.organisation or (told and own == row.buyer)),
        org=own is not None and told and own == row.bank,
        programme=row.programme,
    )
    ids = {"supplier": row.organisation, "buyer": row.buyer, "bank": row.bank}
    side: str = next((name for name, one in ids.items() if own == one), "staff")
    if sides and side not in sides:
        raise ForbiddenError("Only %(who)s does this", who=Rule(WHO[sides[0]]))
    return side


def taken(
    uow: UnitOfWork, who: Identity, reference: str, action: str, *sides: str, version: int | None = None
) -> tuple[Tripartite, str]:
    """Return an agreement locked for changing, and the side on which `who` stands."""
    side = side_of(uow, who, reference, action, *sides)
    return chain.tripartites(uow).get(reference, expected=version), side


@dataclass(frozen=True)
class Wanted:
    """What a form or a request body says of the terms; the currency is that of the loans."""

    season_from: date
    season_to: date
    goods: list[dict[str, Any]]
    kind: str
    figure: Decimal
    ahead_days: int
    referrals: list[str]
    notice_days: int
    objection_days: int
    conditions: str = ""

    def terms(self, currency: str) -> ChainTerms:
        """Return the terms; raises InvalidError naming each field and the rule it breaks."""
        goods = [_good(place, item) for place, item in enumerate(self.goods)]
        same = ("season_from", "season_to", "referrals", "notice_days", "objection_days", "conditions")
        rule = {"kind": self.kind, "figure": self.figure, "ahead_days": self.ahead_days}
        try:
            terms = ChainTerms.model_validate(
                {name: getattr(self, name) for name in same} | {"goods": goods, "deduction": rule, "currency": currency}
            )
        except ValidationError as error:
            raise invalid(error) from error
        if wrong := terms.problems():
            raise InvalidError(wrong)
        return terms


def _good(place: int, given: dict[str, Any]) -> Good:
    try:
        return Good.model_validate(given)
    except ValidationError as error:
        fields = invalid(error).fields
        raise InvalidError({f"goods-{place}-{name}": rule for name, rule in fields.items()}) from error


def _serves(uow: UnitOfWork, references: list[str], supplier: str, bank: str) -> str:
    """Return the one currency of the referrals that an agreement serves; raises InvalidError where one can't be."""
    found = chain.referral_rows_of(uow.connection, references)
    for name in references:
        row = found.get(name)
        if row is None or (row.organisation, row.bank) != (supplier, bank) or row.stage not in DRAWABLE:
            rule = Rule("%(id)s is no referral of the supplier to this bank with an offer or a loan", id=name)
            raise InvalidError({"referrals": rule})
    currencies: set[str] = {row.currency for row in found.values()}
    if len(currencies) != 1:
        raise InvalidError({"referrals": "must all be in one currency"})
    return currencies.pop()


def draft(uow: UnitOfWork, who: Identity, reference: str, buyer: str, wanted: Wanted) -> Tripartite:
    """Begin an agreement for a referral with an offer or a loan; nobody else sees it before it is proposed."""
    access.scoped(uow, who, "referral", reference, "loans.tripartite.draft")
    referral = storage.referrals(uow).get(reference)
    firms = dict(chain.firms(uow.connection, "lead_firm"))
    if buyer not in firms or buyer == referral.organisation:
        raise InvalidError({"buyer": Rule("must be one of: %(names)s", names=", ".join(sorted(firms)))})
    terms = wanted.terms(_serves(uow, wanted.referrals, referral.organisation, referral.bank))
    if reference not in terms.referrals:
        raise InvalidError({"referrals": Rule("must name %(id)s", id=reference)})
    known = chain.drawn(uow.connection, referral.organisation, buyer, referral.bank)
    if known:
        raise ConflictError("%(id)s of the same three is being drawn already", id=known)
    item = Tripartite(
        id=uow.next_reference("TRI"),
        programme=referral.programme,
        organisation=referral.organisation,
        organisation_name=referral.organisation_name,
        buyer=buyer,
        buyer_name=firms[buyer],
        bank=referral.bank,
        bank_name=referral.bank_name,
        terms=terms,
    )
    item.draft()
    chain.tripartites(uow).add(item)
    chain.keep_text(uow, item, who.name)
    return item


def revise(
    uow: UnitOfWork, who: Identity, reference: str, wanted: Wanted, why: str = "", *, version: int | None = None
) -> Tripartite:
    """Write the next version of the text; the lead firm leaves the order of the loans as it is."""
    item, side = taken(uow, who, reference, "loans.tripartite.write", *SIDES, version=version)
    if side == "buyer" and wanted.referrals != item.terms.referrals:
        raise InvalidError({"referrals": "are for the supplier and the bank to say"})
    terms = wanted.terms(_serves(uow, wanted.referrals, item.organisation, item.bank))
    if item.revise(terms, side, why):
        chain.keep_text(uow, item, who.name)
    return item


def propose(
    uow: UnitOfWork, who: Identity, reference: str, text_version: str, language: str, *, version: int | None = None
) -> Tripartite:
    """Hand the text to the two others, by the supplier's consent to the words of that version."""
    item, _ = taken(uow, who, reference, "loans.tripartite.draft", "supplier", version=version)
    if text_version != CONSENT_VERSION:
        raise InvalidError({"text_version": "The words of the consent have changed: read them again"})
    words = translate("loans", CONSENT_TEXT, locale=language)
    given = {"text_version": text_version, "text_sha256": consent_sha256(words), "language": language}
    item.propose(Consent(**given, given_by=who.user, given_by_name=who.name, given_at=uow.now()))
    return item


def sign(uow: UnitOfWork, who: Identity, reference: str, sha256: str, *, version: int | None = None) -> Tripartite:
    """Sign the text of that hash for one's own side."""
    item, side = taken(uow, who, reference, "loans.tripartite.sign", *SIDES, version=version)
    given = Signature(side=_side(side), number=item.number, sha256=sha256, by=who.user, by_name=who.name, at=uow.now())
    item.sign(given, access.today(uow))
    return item


def _side(name: str) -> Side:
    return next(side for side in SIDES if side == name)


def decline(uow: UnitOfWork, who: Identity, reference: str, why: str, *, version: int | None = None) -> Tripartite:
    """Refuse the agreement as a whole."""
    item, side = taken(uow, who, reference, "loans.tripartite.sign", "buyer", "bank", version=version)
    item.decline(side, why)
    return item


def withdraw(uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None) -> Tripartite:
    """Take the agreement and its consent back."""
    item, _ = taken(uow, who, reference, "loans.tripartite.draft", "supplier", version=version)
    item.withdraw()
    return item


def give_notice(uow: UnitOfWork, who: Identity, reference: str, why: str, *, version: int | None = None) -> Tripartite:
    """End the agreement by the notice agreed."""
    item, side = taken(uow, who, reference, "loans.tripartite.end", *SIDES, version=version)
    item.give_notice(side, why, who.name, access.today(uow))
    return item


def declare_breach(
    uow: UnitOfWork, who: Identity, reference: str, why: str, *, version: int | None = None
) -> Tripartite:
    """End the agreement at once, because another side did not keep it."""
    item, side = taken(uow, who, reference, "loans.tripartite.end", *SIDES, version=version)
    item.declare_breach(side, why, who.name, access.today(uow))
    return item


def must_be_in_force(uow: UnitOfWork, loan: Loan) -> None:
    """Raise ConflictError while a loan's condition is not met: three have to have signed before money is paid out."""
    if not loan.tripartite:
        return
    found = chain.agreements_of(uow.connection, loan.referral)
    if any(row.stage in LIVE for row in found):
        return
    waiting = next((row for row in found if row.stage == "proposed"), None)
    if waiting is None:
        raise ConflictError("Nothing is paid out before a tripartite agreement is in force: none is proposed yet")
    missing = chain.tripartites(uow).get(waiting.id, for_update=False).missing()
    raise ConflictError(
        "Nothing is paid out before the tripartite agreement %(id)s is in force: %(n)s of 3 signatures are missing",
        id=waiting.id,
        n=len(missing),
    )


@dataclass(frozen=True)
class Due:
    """What may be kept back for a loan today; the lead firm is told the sum of these and nothing of each."""

    referral: str
    loan: str | None
    stage: str
    kept: Kept
    room: Decimal


def dues(uow: UnitOfWork, item: Tripartite) -> list[Due]:
    """Return what is due for each loan in the order of priority; nothing under an agreement that is not in force."""
    rows = chain.loans_serving(uow.connection, item.terms.referrals)
    kept = chain.kept_back(uow.connection, [row.id for row in rows.values()]) if rows else {}
    day, found = access.today(uow), []
    for name in item.terms.referrals:
        row = rows.get(name)
        if row is None:
            found.append(Due(name, None, "", Kept(), ZERO))
            continue
        open_ = item.stage in LIVE and row.stage not in SETTLED
        table = Timetable.read(row.timetable or "")
        left = room(table, kept[row.id], day, item.terms.deduction.ahead_days) if open_ else ZERO
        found.append(Due(name, row.id, row.stage, kept[row.id], left))
    return found


def end_agreements(uow: UnitOfWork) -> int:
    """End what has come to its end, and look at goods whose day has passed; returns how many agreements changed."""
    day, changed = access.today(uow), 0
    for reference, repaid in chain.to_end(uow.connection, day):
        changed += chain.tripartites(uow).get(reference).run_out(day, repaid=repaid)
    for reference in chain.to_assess(uow.connection, day):
        item = chain.tripartites(uow).get(reference)
        delivered = chain.delivered_by_good(uow.connection, item)
        for good in item.terms.goods:
            if good.by < day:
                item.assess(good.code, delivered.get(good.code, ZERO))
        changed += 1
    return changed
