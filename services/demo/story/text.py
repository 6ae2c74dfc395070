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


# The story's programmes and where they work: a grant's days are counted there, whatever the house's own zone is.
BUSINESS_ECOSYSTEM = "Europe/Skopje"
BAI_ALAI = "Asia/Bishkek"


def day(ahead: int = 0, zone: str = BUSINESS_ECOSYSTEM) -> str:
    """Return the date so many days from today, as the people of the programme count days."""
    return (utc_now().astimezone(ZoneInfo(zone)).date() + timedelta(days=ahead)).isoformat()


def house_day(ahead: int = 0) -> str:
    """Return the date so many days from today in the house's own zone, in which loans and their tapes are counted."""
    return day(ahead, settings().time_zone)


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
    {"line": "experts", "note": "Trainers", "grant": euro("33600"), "own": euro("6000")},
    {"line": "events", "note": "Six courses", "grant": euro("14400"), "own": euro("2000")},
]
# A quarter of the grant moves from trainers to courses.
MOVED = [
    BUDGET[0] | {"grant": euro("21600")},
    BUDGET[1] | {"grant": euro("26400")},
]
# The story is told in a minute, by the real clock: what the agreement calls four months lies behind us.
MILESTONES = [
    {"title": "Service designed and staff trained", "due": day(), "amount": euro("24000")},
    {"title": "Service delivered to the first MSMEs", "due": day(), "amount": euro("16000")},
    {"title": "Final report accepted", "due": day(), "amount": euro("8000")},
]
# So long ago that the first quarter is over, and a last month after it, but its report is not overdue.
STARTED = -121
SCREENED = "debarred-demo"
# The chamber has a namesake on a list, written in another alphabet.
LIST = """name,number,also,why
Neva Trade OOO,7700000001,,Fraud in a tender
Чамбер оф Крафтс ДООЕЛ,5550001,Chamber of Crafts d.o.o.,Unpaid fines
"""
INDICATORS = {
    "msmes_served.ids": "4030001\n4030002\n4030003",
    "msmes_served.size.micro.value": "2",
    "msmes_served.size.small.value": "1",
    "msmes_served.size.medium.value": "0",
    "msmes_served.owner.woman.value": "1",
    "msmes_served.owner.man.value": "2",
    "msmes_served.owner.shared.value": "0",
    "new_jobs.value": "4.5",
    "new_jobs.sex.women.value": "2",
    "new_jobs.sex.men.value": "2.5",
    "new_jobs.age.youth.value": "4",
    "new_jobs.age.older.value": "0.5",
    "satisfied.numerator": "9",
    "satisfied.denominator": "12",
    "paying_clients.value": "3",
}
NARRATIVE = {"done": "Two courses for 24 operators.", "results": "Three workshops took on orders again."}
# What the manager of this demonstration states of the programme; the identifiers are examples.
PUBLIC_FACTS: dict[str, Any] = {
    "publisher": {"ref": "MK-CRM-7654321", "name": "Palladium", "type": "70"},
    "prefix": "360G-demo",
    "donors": [{"ref": "US-GOV-1", "name": "USAID", "type": "10", "role": "funding"}],
    "sectors": [{"code": "25010", "percent": "60"}, {"code": "32130", "percent": "40"}],
    "countries": [{"code": "MK", "percent": "100"}],
    "starts": "2017-01-01",
    "licence": "https://creativecommons.org/licenses/by/4.0/",
    "source": "https://example.org/grants",
    "description_from": "approach",
}
START_UP = {
    "led_by": "woman",
    "sector": "handicraft",
    "region": "alai",
    "idea": "Felt slippers from local wool.",
    "market": "Guest houses, and a shop in Osh.",
}


def som(amount: str) -> dict[str, str]:
    """Return an amount of the second programme as it travels."""
    return {"amount": str(Decimal(amount)), "currency": "KGS"}


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
# What the first version of the proposal offers: too little for the first bank.
THIN = {"items": PLAN["collateral"]["items"][:1]}
