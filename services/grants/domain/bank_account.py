"""Account numbers: read strictly, and shown masked."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from stdnum import bic as bics
from stdnum import iban as ibans
from stdnum import numdb
from stdnum.exceptions import InvalidChecksum, InvalidLength, ValidationError

from shared.errors import InvalidError, Rule

Kind = Literal["iban", "domestic"]
_GROUP = re.compile(r"(\d+)!?[nac]")
# Countries whose accounts are kept at banks with the code of another one: crown dependencies and overseas parts.
_KIN = {"GB": {"GG", "IM", "JE"}, "FR": {"BL", "GF", "GP", "MC", "MF", "MQ", "NC", "PF", "PM", "RE", "TF", "WF", "YT"}}


class Read(NamedTuple):
    """An account as it was read: compact numbers in capitals."""

    kind: Kind
    country: str
    value: str
    bic: str


def masked(value: str) -> str:
    """Return what others than finance and the owner see: the last four characters."""
    return f"•••• {value[-4:]}"


def grouped(value: str) -> str:
    """Return a number in groups of four, as it stands on paper."""
    return " ".join(value[place : place + 4] for place in range(0, len(value), 4))


def read(*, iban: str, bic: str, country: str, account: str) -> Read:
    """Return the account, an IBAN or a domestic one; raises InvalidError that names each field and rule."""
    wrong: dict[str, str] = {}
    if bool(iban.strip()) == bool(account.strip()):
        raise InvalidError({"iban": "give an IBAN, or an account number of a country without IBAN; not both"})
    found = _iban(iban, wrong) if iban.strip() else _domestic(country, account, wrong)
    code = _bic(bic, wrong)
    home = found.country
    if not wrong and code and code[4:6] != home and code[4:6] not in _KIN.get(home, ()):
        wrong["bic"] = Rule("is of a bank in %(bank)s, and the account is in %(account)s", bank=code[4:6], account=home)
    if wrong:
        raise InvalidError(wrong)
    return found._replace(bic=code)


def _iban(typed: str, wrong: dict[str, str]) -> Read:
    value: str = ibans.compact(typed)
    try:
        ibans.validate(value)
    except ValidationError as error:
        wrong["iban"] = _why(value, error)
    return Read("iban", value[:2], value, "")


def _why(value: str, error: ValidationError) -> Rule:
    """Return the rule with its figure: how many characters the country's IBAN has, before its check digits."""
    if right := _length(value):
        if len(value) != right:
            message = "has %(has)s characters; an IBAN of %(country)s has %(right)s"
            return Rule(message, has=len(value), country=value[:2], right=right)
        if isinstance(error, InvalidChecksum):
            return Rule("is not an IBAN: its check digits are wrong")
        return Rule("is not an IBAN of %(country)s: its bank or account part is wrong", country=value[:2])
    return Rule("must begin with the code of a country that has IBANs, such as MK07")


def _length(value: str) -> int | None:
    """Return how long the IBANs of the country are in which this one begins, None where there are none."""
    facts = numdb.get("iban").info(value)[0][1]
    return 4 + sum(int(part) for part in _GROUP.findall(facts["bban"])) if "bban" in facts else None


def _domestic(country: str, typed: str, wrong: dict[str, str]) -> Read:
    home, value = country.strip().upper(), re.sub(r"[\s./-]", "", typed).upper()
    if not re.fullmatch(r"[A-Z]{2}", home):
        wrong["country"] = "must be the two letters of the account's country"
    if not re.fullmatch(r"[A-Z0-9]{6,34}", value) or not re.search(r"\d", value):
        wrong["account"] = "must have 6 to 34 letters and digits"
    return Read("domestic", home, value, "")


def _bic(typed: str, wrong: dict[str, str]) -> str:
    value: str = bics.compact(typed)
    if not value:
        return ""
    try:
        bics.validate(value)
    except InvalidLength:
        wrong["bic"] = Rule("has %(has)s characters; a BIC has 8 or 11", has=len(value))
    except ValidationError:
        wrong["bic"] = "is not a BIC: four letters, the two of a country, two or five characters more"
    return value
