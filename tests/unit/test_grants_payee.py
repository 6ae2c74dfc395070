"""Bank details: numbers that are read strictly, two people, and the cooling-off."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from services.grants.domain.bank_account import masked, read
from services.grants.domain.payee import Details, Letter, Payee
from services.grants.domain.pieces import Person
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, Rule
from shared.events.payment_rules import PayeeRules, payment_problems
from shared.testing.clock import MONDAY

ANA, JOVAN = Person(id="user:ana", name="Ana"), Person(id="user:jovan", name="Jovan")
KIRA, IRENA = Person(id="user:kira", name="Kira"), Person(id="user:irena", name="Irena")
IBAN = "MK07250120000058984"
LETTER = Letter(name="bank.pdf", media_type="application/pdf", size=9, sha256="0" * 64)


def given(**more: str) -> dict[str, str]:
    """Return what a form gives."""
    return {"iban": "", "bic": "", "country": "", "account": ""} | more


@pytest.mark.parametrize(
    ("typed", "field", "rule"),
    [
        ({"iban": "MK07250120000058985"}, "iban", "check digits"),
        ({"iban": "MK0725012000005898"}, "iban", "has 18 characters; an IBAN of MK has 19"),
        ({"iban": "US64SVBKUS6S3300958879"}, "iban", "country that has IBANs"),
        ({"iban": "12"}, "iban", "country that has IBANs"),
        ({"iban": IBAN, "account": "123456"}, "iban", "not both"),
        ({}, "iban", "give an IBAN"),
        ({"iban": IBAN, "bic": "STOBMK2"}, "bic", "has 7 characters; a BIC has 8 or 11"),
        ({"iban": IBAN, "bic": "1TOBMK2X"}, "bic", "is not a BIC"),
        ({"iban": IBAN, "bic": "DEUTDEFF"}, "bic", "is of a bank in DE, and the account is in MK"),
        ({"account": "12345", "country": "UZ"}, "account", "6 to 34"),
        ({"account": "1234567", "country": "U1"}, "country", "two letters"),
    ],
)
def test_a_wrong_account_names_field_rule_and_figure(typed: dict[str, str], field: str, rule: str) -> None:
    """What is wrong with a number is said at its field, with how long it is and should be."""
    with pytest.raises(InvalidError) as refused:
        read(**given(**typed))
    assert rule in refused.value.fields[field]


def test_right_accounts_are_kept_compact_and_shown_masked() -> None:
    """Spaces and small letters do not count; a mask shows four characters; Jersey's banks keep British accounts."""
    found = read(**given(iban="mk07 2501 2000 0058 984", bic="stobmk2x"))
    assert (found.kind, found.country, found.value, found.bic) == ("iban", "MK", IBAN, "STOBMK2X")
    assert masked(found.value) == "•••• 8984"
    assert read(**given(account="20208 000-1", country="uz")).value == "202080001"
    assert read(**given(iban="GB82WEST12345698765432", bic="BARCJESH")).bic == "BARCJESH"


def payee(**more: Any) -> Payee:
    """Return an organisation whose account Ana has entered."""
    item = Payee(id="chamber", name="Chamber", programme="p")
    enter(item, **more)
    return item


def enter(item: Payee, by: Person = ANA, **more: Any) -> Details:
    """Enter an account."""
    facts: dict[str, Any] = {"kind": "iban", "country": "MK", "masked": "•••• 8984", "holder": "Chamber"}
    return item.enter(by, MONDAY, "p", letter=LETTER, **(facts | {"resembles": 100} | more))


def confirm(item: Payee, number: int = 1, by: Person = JOVAN, **more: Any) -> None:
    """Confirm details."""
    about: dict[str, Any] = {"note": "", "doubts": [], "programme": "p", "hours": 48}
    item.confirm(number, by, MONDAY, **(about | more))


def test_row_09_the_same_person_never_enters_and_confirms() -> None:
    """Who entered an account does not confirm it, nor who stands in for them; nor does either end the cooling-off."""
    item = payee()
    with pytest.raises(ForbiddenError, match="another person"):
        confirm(item, by=ANA)
    with pytest.raises(ForbiddenError, match="another person"):
        confirm(item, by=KIRA.model_copy(update={"as_one": frozenset({"user:ana"})}))
    confirm(item)
    about = {"why": "Known", "programme": "p", "hours": 48}
    with pytest.raises(ForbiddenError, match="third person"):
        item.lift(1, JOVAN, MONDAY, **about)
    with pytest.raises(ForbiddenError, match="another person"):
        item.lift(1, ANA, MONDAY, **about)
    with pytest.raises(ConflictError):
        confirm(item, by=KIRA)


def test_nothing_is_paid_within_the_cooling_off() -> None:
    """Without confirmed details, and within the hours after, a payment is refused with the moment it may begin."""
    item, rules = payee(), {"hours": 48, "programme": "p"}
    with pytest.raises(ConflictError, match="no confirmed bank account"):
        item.must_be_payable(MONDAY, **rules)
    confirm(item)
    soon = MONDAY + timedelta(hours=48)
    with pytest.raises(ConflictError, match=r"within 48 hours .* not before 2026-03-04 09:00 UTC"):
        item.must_be_payable(soon - timedelta(seconds=1), **rules)
    assert item.must_be_payable(soon, **rules).number == 1
    with pytest.raises(InvalidError):
        item.lift(1, IRENA, MONDAY, why="", **rules)
    item.lift(1, IRENA, MONDAY, why="Known for years", **rules)
    assert item.must_be_payable(MONDAY, **rules).number == 1
    with pytest.raises(ConflictError):
        item.must_be_payable(MONDAY, hours=48, programme="another")
    with pytest.raises(ConflictError, match="over already"):
        item.lift(1, IRENA, MONDAY, why="Again", **rules)


def test_the_account_before_stays_in_use_until_the_change_is_confirmed() -> None:
    """A change waits beside the old account, alone; confirmed it replaces it, refused it leaves it; history stays."""
    item = payee()
    confirm(item)
    later, rules = MONDAY + timedelta(days=9), {"hours": 48, "programme": "p"}
    enter(item, masked="•••• 1111")
    with pytest.raises(ConflictError, match="waits to be confirmed"):
        enter(item)
    assert item.must_be_payable(later, **rules).number == 1
    item.refuse(2, JOVAN, MONDAY, why="Nobody knew of it", programme="p")
    assert item.must_be_payable(later, **rules).number == 1
    enter(item, masked="•••• 2222")
    confirm(item, 3)
    assert [each.status for each in item.details] == ["replaced", "refused", "confirmed"]
    item.block(3, ANA, MONDAY, why="Stolen", programme="p")
    with pytest.raises(ConflictError, match="no confirmed"):
        item.must_be_payable(later, **rules)
    with pytest.raises(ConflictError, match="not in use"):
        item.block(3, ANA, MONDAY, why="Again", programme="p")
    with pytest.raises(NotFoundError):
        item.entry(9)
    assert [each.event.TYPE.rsplit(".", 1)[1] for each in item.collect()] == [
        *("entered", "confirmed", "entered", "refused", "entered", "confirmed", "blocked")
    ]


def test_what_is_in_doubt_needs_a_word_about_it() -> None:
    """Another name on the account is confirmed with a note that says how one made sure, and never silently."""
    item = payee(resembles=79)
    assert item.details[0].name_differs
    two = [Rule("the account is on the name “%(holder)s”", holder="X"), Rule("%(names)s gave the same", names="Y")]
    with pytest.raises(InvalidError) as refused:
        confirm(item, doubts=two)
    assert "on the name “X”, and Y gave the same" in refused.value.fields["note"]
    confirm(item, doubts=two, note="Called back")
    assert item.current is not None
    assert item.current.note == "Called back"


def test_the_rule_of_a_pack_is_bounded() -> None:
    """Left out it asks for nothing; hours are 0 to 720, 48 unless said; anything else is refused by its field."""
    assert PayeeRules().cooling_off_hours == 48
    assert payment_problems({"payments": {"payee": {"cooling_off_hours": 0}}}) == {}
    assert "payments.yaml: payee.cooling_off_hours" in payment_problems(
        {"payments": {"payee": {"cooling_off_hours": 721}}}
    )
    with pytest.raises(ValidationError):
        PayeeRules.model_validate({"hours": 1})
