"""What the fields of events about bank details and bank files mean."""

from __future__ import annotations

from typing import Any

BANK: dict[str, tuple[str, Any]] = {
    "bank_file.control_sum": ("What all payments of the file add up to.", None),
    "bank_file.csv_sha256": ("SHA-256 of the file as CSV.", "9f86d081…"),
    "bank_file.execution_day": ("The day on which the bank is asked to pay.", "2026-03-03"),
    "bank_file.file_id": ("The file's id, which is its message id at the bank.", "BF-260302-090000-1a2b3c"),
    "bank_file.left_out": ("What was chosen and is not in the file, by case and tranche.", ["BE-2026-0002/1"]),
    "bank_file.payment_id": ("A payment's end-to-end id: case and tranche.", "BE-2026-0001/1"),
    "bank_file.payment_ids": ("The end-to-end ids of its payments.", ["BE-2026-0001/1"]),
    "bank_file.payments": ("How many payments it has.", 2),
    "bank_file.refused": ("How many rows of the bank's list were refused.", 1),
    "bank_file.xml_sha256": ("SHA-256 of the ISO 20022 message.", "9f86d081…"),
    "payee.changes_former": ("Whether another account was in use before.", False),
    "payee.confirmed_by_name": ("Who confirmed the account.", "Jovan Trajkov"),
    "payee.cooling_off_hours": ("For how many hours nothing is paid to it.", 48),
    "payee.entered_by_name": ("Who entered the account.", "Elena Stojanova"),
    "payee.masked": ("The last four characters of the account.", "•••• 8984"),
    "payee.taken_back": ("Whether who entered it took it back.", False),
}
