"""Registration and tax numbers: checked by the rule of their country where there is one, else by their format alone."""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple

from stdnum.exceptions import InvalidChecksum, InvalidLength, ValidationError
from stdnum.util import get_cc_module

from shared.errors import InvalidError, Rule

Kind = Literal["registration", "tax"]
# Where the number of the register of enterprises has a rule: {country: module of python-stdnum}.
_RULES = """
AT businessid, AU acn, BE vat, BR cnpj, CH uid, CN uscc, DE handelsregisternummer, DK cvr, EE registrikood, FI ytunnus,
FR siren, IL hp, IS kennitala, JP cn, KR brn, LI peid, MD idno, NO orgnr, PL regon, RO onrc, RU ogrn, SE orgnr, SG uen,
SI maticna, TW ubn, UA edrpou
"""
_REGISTERS = dict(pair.split() for pair in _RULES.split(","))
# Where the number for taxes is not the one for VAT.
_TAXES = {"MD": "idno", "RU": "inn", "UA": "edrpou", "US": "ein", "LI": "peid"}
_FORMAT = re.compile(r"[\w][\w ./-]{2,38}[\w]")
# The countries of ISO 3166-1, and Kosovo by the code that it is written with.
_ISO_3166 = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC
CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD
GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH
KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW
MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC
SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY
UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW
"""
COUNTRIES = frozenset(_ISO_3166.split())


class Read(NamedTuple):
    """A number as it is kept, what it is compared by, and the rule that it was checked by ("" for its format)."""

    value: str
    key: str
    rule: str


def key_of(value: str | None) -> str | None:
    """Return what two numbers are compared by: letters and digits alone."""
    return "".join(letter for letter in value.upper() if letter.isalnum()) or None if value else None


def rule_of(kind: Kind, country: str | None) -> str:
    """Return by which rule numbers of a country are checked, such as "mk.edb"; "" where only the format is."""
    module = _module(kind, country)
    return module.__name__.removeprefix("stdnum.") if module else ""


def _module(kind: Kind, country: str | None) -> Any:
    if not country:
        return None
    name = _REGISTERS.get(country) if kind == "registration" else _TAXES.get(country, "vat")
    return get_cc_module(country, name) if name else None


def read(kind: Kind, country: str | None, given: str, field: str) -> Read:
    """Return a number that keeps its country's rule; raises InvalidError that names the field, the rule and why."""
    value = " ".join(given.split())
    if not _FORMAT.fullmatch(value) or len(key_of(value) or "") < 4:
        raise InvalidError(
            {field: "must have 4 to 40 letters and digits, with spaces, dots, strokes or hyphens between"}
        )
    module, rule = _module(kind, country), rule_of(kind, country)
    if module is None:
        return Read(value, str(key_of(value)), "")
    try:
        compact = module.validate(value)
    except InvalidLength as error:
        has = len(key_of(value) or "")
        why = Rule(
            "has %(has)s characters, which no number of %(country)s has (%(rule)s)", has=has, country=country, rule=rule
        )
        raise InvalidError({field: why}) from error
    except InvalidChecksum as error:
        why = Rule("has a wrong check digit by the rule of %(country)s (%(rule)s)", country=country, rule=rule)
        raise InvalidError({field: why}) from error
    except ValidationError as error:
        why = Rule("is no number of %(country)s by its rule (%(rule)s)", country=country, rule=rule)
        raise InvalidError({field: why}) from error
    return Read(str(compact), str(key_of(compact)), rule)
