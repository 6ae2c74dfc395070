"""The message to the bank keeps the schema pain.001.001.09: order, lengths, patterns, charset; checked rule by rule."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from xml.etree import ElementTree as ET

import pytest

from services.grants.domain.bank_file import BankFile, Payment
from services.grants.domain.bank_words import Written, written
from services.grants.handlers.bank_spelling import spelling, unwritable
from services.grants.handlers.bank_text import NAMESPACE, message
from services.grants.storage.payees import Account
from shared.events.payment_rules import Debtor
from shared.money import Money

NOW = datetime(2026, 3, 2, 9, 30, 5, 123456, tzinfo=UTC)
# The children of each element in the schema's order, as far as we write any; what is not here takes text alone.
ORDER = {
    "Document": ["CstmrCdtTrfInitn"],
    "CstmrCdtTrfInitn": ["GrpHdr", "PmtInf"],
    "GrpHdr": ["MsgId", "CreDtTm", "NbOfTxs", "CtrlSum", "InitgPty"],
    "PmtInf": [
        *("PmtInfId", "PmtMtd", "NbOfTxs", "CtrlSum", "ReqdExctnDt", "Dbtr", "DbtrAcct", "DbtrAgt", "CdtTrfTxInf"),
    ],
    "CdtTrfTxInf": ["PmtId", "Amt", "CdtrAgt", "Cdtr", "CdtrAcct", "RmtInf"],
    "InitgPty": ["Nm"],
    "Dbtr": ["Nm"],
    "Cdtr": ["Nm"],
    "DbtrAcct": ["Id"],
    "CdtrAcct": ["Id"],
    "DbtrAgt": ["FinInstnId"],
    "CdtrAgt": ["FinInstnId"],
    "FinInstnId": ["BICFI", "Nm", "PstlAdr", "Othr"],
    "PstlAdr": ["Ctry"],
    "ReqdExctnDt": ["Dt"],
    "PmtId": ["EndToEndId"],
    "Amt": ["InstdAmt"],
    "RmtInf": ["Ustrd"],
    "Othr": ["Id"],
}
# What must stand in each element that has others in it; one of several where they are joined by "|".
NEEDED = {
    "GrpHdr": ["MsgId", "CreDtTm", "NbOfTxs", "InitgPty"],
    "PmtInf": ["PmtInfId", "PmtMtd", "ReqdExctnDt", "Dbtr", "DbtrAcct", "DbtrAgt", "CdtTrfTxInf"],
    "CdtTrfTxInf": ["PmtId", "Amt", "Cdtr", "CdtrAcct"],
    "FinInstnId": ["BICFI|Nm|Othr"],
    **{name: ORDER[name] for name in ("Document", "CstmrCdtTrfInitn", "PmtId", "Amt", "RmtInf", "ReqdExctnDt", "Othr")},
    **{name: ["Nm"] for name in ("InitgPty", "Dbtr", "Cdtr")},
    **{name: ["Id"] for name in ("DbtrAcct", "CdtrAcct")},
    **{name: ["FinInstnId"] for name in ("DbtrAgt", "CdtrAgt")},
    "Id": ["IBAN|Othr"],
    "PstlAdr": ["Ctry"],
}
LETTERS = r"[A-Za-z0-9/?:().,'+ -]"  # the basic Latin set of SEPA and CGI
TEXTS = {
    "MsgId": r".{1,35}",
    "PmtInfId": r".{1,35}",
    "EndToEndId": r"(?!/)(?!.*//).{1,35}(?<!/)",
    "CreDtTm": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)",
    "Dt": r"\d{4}-\d\d-\d\d",
    "NbOfTxs": r"[0-9]{1,15}",
    "CtrlSum": r"(?=[0-9.]{1,19}$)\d+(\.\d{1,17})?",
    "InstdAmt": r"(?=[0-9.]{1,19}$)\d+(\.\d{1,5})?",
    "PmtMtd": r"TRF",
    "Nm": rf"{LETTERS}{{1,140}}",
    "Ustrd": rf"{LETTERS}{{1,140}}",
    "Ctry": r"[A-Z]{2}",
    "IBAN": r"[A-Z]{2}[0-9]{2}[a-zA-Z0-9]{1,30}",
    "BICFI": r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?",
    "Id": r".{1,34}",
}


def faults(element: ET.Element) -> list[str]:
    """Return what of the schema an element and those in it break."""
    name = element.tag.removeprefix(f"{{{NAMESPACE}}}")
    children = [child.tag.removeprefix(f"{{{NAMESPACE}}}") for child in element]
    if not children:
        return [] if re.fullmatch(TEXTS[name], element.text or "") else [f"{name}: {element.text!r}"]
    order = ["IBAN", "Othr"] if name == "Id" else ORDER[name]
    places = [order.index(child) for child in children]
    found = [] if places == sorted(places) else [f"{name}: {children}"]
    wanted = [one for one in NEEDED[name] if not set(one.split("|")) & set(children)]
    found += [f"{name} lacks {one}" for one in wanted]
    found += [f"{name} has {child} twice" for child in set(children) - {"CdtTrfTxInf"} if children.count(child) > 1]
    return found + [fault for child in element for fault in faults(child)]


def payment(number: int, purpose: str, holder: str = "Занаятчиска комора – Скопје & Ко") -> Payment:
    """Return a payment."""
    about = {"case": "BSO-2026-0001", "tranche": number, "amount": Money.of("1234.50", "EUR"), "organisation": "o"}
    return Payment(**about, payee="Chamber", holder=holder, masked="…07", purpose=purpose)


@pytest.mark.parametrize("purpose", ["Tranche 1\nof the grant", "x" * 900, "\x00\x07", "A <b> & 'c' \ufffe 𝄞"])
def test_the_message_keeps_the_schema_s_rules(purpose: str) -> None:
    """Whatever was typed, elements stand in the schema's order, texts fit, and nothing of XML is broken."""
    payments = [payment(1, purpose), payment(2, "Second", "N" * 300), payment(3, "Third")]
    accounts = [
        Account("iban", "MK07250120000058984", "KOBSMK2XXXX", "Bank", "MK", payments[0].holder, "…84"),
        Account("iban", "DE89370400440532013000", "", "Bank of\tSomewhere", "DE", payments[1].holder, "…00"),
        Account("local", "210-0123456789-01", "", "", "MK", payments[2].holder, "…01"),
    ]
    about = {"id": "PAY-2026-0001", "programme": "p", "execution_day": date(2026, 3, 3), "made_at": NOW}
    file = BankFile(**about, payments=payments, made_by="user:k", made_by_name="K")
    debtor = Debtor(name="Programme & Partners", iban="MK07250120000058984")
    content = message(file, debtor, list(zip(payments, accounts, strict=True)), NOW)
    root = ET.fromstring(content.decode())  # noqa: S314 - our own
    assert faults(root) == []
    assert content.startswith(b'<?xml version="1.0" encoding="UTF-8"?>')
    names = [item.text for item in root.iter(f"{{{NAMESPACE}}}Nm")]
    assert names[2] == "Zanaiatchiska komora - Skopje + Ko"
    found = [item.text for item in root.iter(f"{{{NAMESPACE}}}CtrlSum")]
    assert found == ["3703.50", "3703.50"]


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("Щукин Юрий Объедков", "RU", "Shchukin Iurii Obieedkov"),
        ("Љубица Ѓорѓиевска-Цветкова", "MK", "Ljubica Gjorgjievska-Cvetkova"),
        ("Хлебозавод «Щит №2» Я", "KG", "Khlebozavod 'Shchit No2' Ia"),
        ("ЖАНАР Өмүрбекова", "KG", "ZHANAR Omurbekova"),
        ("Müller & Søn, Łódź", "DE", "Muller + Son, Lodz"),
        ("40 % = 5 €", "", "40 . . 5 EUR"),
        ("  a\u200b\n\tb  ", "", "a b"),
    ],
)
def test_names_are_written_as_passports_write_them(text: str, country: str, expected: str) -> None:
    """Cyrillic by ICAO 9303 with its South Slavic exceptions, accents off, signs by the nearest one that banks take."""
    found = written(text, country)
    assert (found.text, found.unknown) == (expected, "")
    assert re.fullmatch(LETTERS + "*", found.text)


def test_what_nobody_can_write_is_named() -> None:
    """Letters of other alphabets are not guessed: payee and field are named with them."""
    assert written("商业 Centre") == Written("Centre", "商业")
    account = Account("iban", "MK07250120000058984", "", "ბანკი", "MK", "Centre", "…84")
    refusal = unwritable(account, "Centre for Skills", "Tranche 1")
    assert str(refusal) == "The name of the bank of Centre for Skills has letters that banks do not take: ბანკი"
    assert unwritable(replace(account, bic="KOBSMK2XXXX"), "Centre", "Tranche 1") is None
    assert "purpose" in str(unwritable(replace(account, bank="B"), "Centre", "契约"))
    assert "empty" in str(unwritable(replace(account, bank="B", holder="..."), "Centre", "x"))
    assert spelling(replace(account, holder="Сава")) == "Sava"
