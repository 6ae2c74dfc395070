"""What the people of the story write into their forms."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from shared.clock import utc_now
from shared.settings import settings


def euro(amount: str) -> dict[str, str]:
    """Return an amount as it travels."""
    return {"amount": str(Decimal(amount)), "currency": "EUR"}


def day(ahead: int = 0) -> str:
    """Return the date so many days from today, as the people of the programme count days."""
    return (utc_now().astimezone(ZoneInfo(settings().time_zone)).date() + timedelta(days=ahead)).isoformat()


ANSWERS = {
    "bso_type": "chamber",
    "years_registered": "12",
    "members": "420",
    "experience": "Ten years of courses and advice for small workshops in four towns.",
    "service_kind": "new",
    "problem": "Workshops turn orders away because they find no trained machine operators.",
    "approach": "A paid six-week course for machine operators, run with four member firms.",
    "cost_recovery": "The fee covers 55 per cent of the cost from the second year on.",
    "msmes_served": "60",
    "jobs_expected": "90",
    "duration_months": "12",
}
BUDGET = [
    {"line": "experts", "note": "Trainers", "grant": euro("28000"), "own": euro("6000")},
    {"line": "events", "note": "Six courses", "grant": euro("12000"), "own": euro("2000")},
]
MILESTONES = [
    {"title": "Service designed and staff trained", "due": day(90), "amount": euro("16000")},
    {"title": "Service delivered to the first MSMEs", "due": day(210), "amount": euro("16000")},
    {"title": "Final report accepted", "due": day(360), "amount": euro("8000")},
]

# A loan of 40,000 for 36 months at 14 %, and a business that carries it.
YEARS = [
    {
        "year": utc_now().year - back,
        "sales": sales,
        "cost_of_sales": cost,
        "operating_costs": running,
        "depreciation": "6000",
        "interest": "600",
        "tax": "900",
        "current_assets": "38000",
        "stock": "12000",
        "current_liabilities": "21000",
        "debt": "9000",
        "equity": "52000",
        "source": "tax_return",
    }
    for back, sales, cost, running in (
        (3, "92000", "60000", "16500"),
        (2, "101000", "66000", "17200"),
        (1, "112000", "73000", "17600"),
    )
]
PLAN: dict[str, dict[str, Any]] = {
    "applicant": {
        "legal_name": "Pelagonia Preserves",
        "legal_form": "limited company",
        "registration_number": "5512345",
        "tax_id": "4030995123456",
        "founded": "2014-05-12",
        "address": "Industriska 4, Bitola",
        "sector": "1030",
        "employees": 11,
        "women_owned_percent": "60",
    },
    "owners": {
        "people": [
            {"name": "Vera Stojanova", "share_percent": "60", "sex": "female", "birth_year": 1984},
            {"name": "Petar Stojanov", "share_percent": "40", "sex": "male", "birth_year": 1981},
        ]
    },
    "request": {
        "title": "A filling line and working capital for the season",
        "amount": "40000",
        "purpose": "equipment",
        "instrument": "term_loan",
        "term_months": 36,
        "rate_percent": "14",
        "needed_by": day(120),
    },
    "project": {
        "description": "A second filling line doubles what can be preserved in the eight weeks of harvest.",
        "location": "Bitola",
        "start": day(60),
        "end": day(180),
        "market": "Two retail chains have signed for the next season.",
    },
    "funding": {
        "loan": "40000",
        "own_cash": "15000",
        "own_in_kind": "5000",
        "uses": [{"item": "Filling line", "amount": "45000"}, {"item": "Jars and fruit", "amount": "15000"}],
    },
    "history": {"years": YEARS},
    "projection": {
        "opening_cash": "14000",
        "first_month": f"{utc_now().year + 1}-01-01",
        "sales": ["120000", "132000", "145200"],
        "cost_of_sales_percent": "65",
        "operating_costs": "18000",
        "operating_growth_percent": "5",
        "depreciation": "6000",
        "tax_percent": "10",
        "capex": "1000",
        "assumptions": "Two signed contracts cover 70 per cent of the first year's sales.",
    },
    "flows": {
        "flows": ["-60000", "16000", "18000", "20000", "20000", "30000"],
        "discount_percent": "14",
        "reinvest_percent": "10",
    },
    "debts": {"none": True},
    "collateral": {
        "items": [
            {"kind": "equipment", "description": "Filling line", "market_value": "45000", "haircut_percent": "30"},
            {"kind": "real_estate", "description": "Store house", "market_value": "38000", "haircut_percent": "20"},
        ]
    },
    "declaration": {"true_and_complete": True, "credit_bureau": True},
}
