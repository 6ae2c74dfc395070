"""What the bank gets: an ISO 20022 pain.001.001.09 message, and the same as CSV with its control sums."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from xml.etree import ElementTree as ET

from services.grants.domain.bank_file import BankFile, Payment
from services.grants.domain.bank_words import written
from services.grants.storage.payees import Account
from shared.events.payment_rules import Debtor
from shared.exports.tables import harmless

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
COLUMNS = (
    *("end_to_end_id", "execution_day", "payee", "account", "bic", "bank", "country"),
    *("amount", "currency", "purpose"),
)
Row = tuple[Payment, Account]


def _text(value: str, most: int, country: str = "") -> str:
    """Return a text as banks take it: their letters, one line, at most so long."""
    return written(value, country).text[:most].strip()


def _line(value: str) -> str:
    """Return a text without control characters on one line, in its own letters."""
    clean = "".join(" " if unicodedata.category(char).startswith("C") else char for char in value)
    return " ".join(clean.split())[:140]


def _add(parent: ET.Element, path: str, text: str | None = None, **attributes: str) -> ET.Element:
    """Add the elements of a path; the text stands in the last."""
    for name in path.split("/"):
        parent = ET.SubElement(parent, name)
    parent.text = text
    parent.attrib.update(attributes)
    return parent


def message(file: BankFile, debtor: Debtor, rows: Sequence[Row], now: datetime) -> bytes:
    """Return the message: its order of elements is that of the schema pain.001.001.09."""
    root = ET.Element("Document", xmlns=NAMESPACE)
    initiation = _add(root, "CstmrCdtTrfInitn")
    count, control = str(len(rows)), f"{file.control_sum().amount:f}"
    header = _add(initiation, "GrpHdr")
    _add(header, "MsgId", file.id)
    _add(header, "CreDtTm", now.isoformat(timespec="seconds"))
    _add(header, "NbOfTxs", count)
    _add(header, "CtrlSum", control)
    _add(header, "InitgPty/Nm", _text(debtor.name, 140, debtor.iban[:2]))
    block = _add(initiation, "PmtInf")
    for name, text in (("PmtInfId", file.id), ("PmtMtd", "TRF"), ("NbOfTxs", count), ("CtrlSum", control)):
        _add(block, name, text)
    _add(block, "ReqdExctnDt/Dt", file.execution_day.isoformat())
    _add(block, "Dbtr/Nm", _text(debtor.name, 140, debtor.iban[:2]))
    _add(block, "DbtrAcct/Id/IBAN", debtor.iban)
    agent = _add(block, "DbtrAgt/FinInstnId")
    if debtor.bic:
        _add(agent, "BICFI", debtor.bic)
    else:
        _add(agent, "Othr/Id", "NOTPROVIDED")
    for payment, account in rows:
        _transfer(block, payment, account)
    ET.indent(root)
    written: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{written}\n'.encode()


def _transfer(block: ET.Element, payment: Payment, account: Account) -> None:
    one = _add(block, "CdtTrfTxInf")
    _add(one, "PmtId/EndToEndId", payment.id)
    _add(one, "Amt/InstdAmt", f"{payment.amount.amount:f}", Ccy=payment.amount.currency)
    if account.bic or account.bank:
        agent = _add(one, "CdtrAgt/FinInstnId")
        if account.bic:
            _add(agent, "BICFI", account.bic)
        else:
            _add(agent, "Nm", _text(account.bank, 140, account.country))
            _add(agent, "PstlAdr/Ctry", account.country)
    _add(one, "Cdtr/Nm", _text(account.holder, 140, account.country))
    if account.kind == "iban":
        _add(one, "CdtrAcct/Id/IBAN", account.value)
    else:
        _add(one, "CdtrAcct/Id/Othr/Id", account.value)
    if purpose := _text(payment.purpose, 140, account.country):  # the schema has no empty texts
        _add(one, "RmtInf/Ustrd", purpose)


def table(file: BankFile, rows: Sequence[Row]) -> bytes:
    """Return the payments as CSV; the last line has their number and their sum."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    day = file.execution_day.isoformat()
    for payment, account in rows:
        amount = f"{payment.amount.amount:f}"
        about = (account.value, account.bic, harmless(account.bank), account.country, amount, payment.amount.currency)
        writer.writerow([payment.id, day, harmless(account.holder), *about, harmless(_line(payment.purpose))])
    control = file.control_sum()
    sums = ["CONTROL", day, f"{len(rows)} payments", "", "", "", "", f"{control.amount:f}", control.currency, file.id]
    writer.writerow(sums)
    return ("\ufeff" + out.getvalue()).encode()
