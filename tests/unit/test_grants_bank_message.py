"""The message to the bank keeps the schema pain.001.001.09: order, lengths, patterns, charset; checked rule by rule."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from xml.etree import ElementTree as ET

import pytest

from services.grants.domain.bank_file import BankFile, Payment
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
    "Nm": r".{1,140}",
    "Ustrd": r".{1,140}",
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
    found = [item.text for item in root.iter(f"{{{NAMESPACE}}}CtrlSum")]
    assert found == ["3703.50", "3703.50"]
