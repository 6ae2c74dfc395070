"""The disclosed fields as a reader sees them: money with its currency, codes by their names, days as dates.

A field becomes {label, text} or {label, table}; a table is {head, rows}, each cell {text, num}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.loans.domain.finance import Finance
from services.loans.pages.sections import SECTIONS, Item, Rows, Series, columns, labels
from services.loans.pages.words import say
from shared.web.pages import DASH, Pages

# Computed fields, which no form asks for: label (a gettext id) and how they are written.
_COMPUTED: dict[str, tuple[str, str]] = {
    "dscr": ("Debt service cover", "line"),
    "dscr_sales_down_10": ("Debt service cover, sales −10 %%", "line"),
    "dscr_sales_down_20": ("Debt service cover, sales −20 %%", "line"),
    "dscr_input_cost_up_10": ("Debt service cover, cost of sales +10 %%", "line"),
    "dscr_delay_3_months": ("Debt service cover, sales three months late", "line"),
    "dscr_rate_up_300bp": ("Debt service cover, rate +3 points", "line"),
    "interest_cover": ("Interest cover", "line"),
    "ebitda": ("EBITDA", "money"),
    "net_profit": ("Net profit", "money"),
    "debt_service": ("Debt service", "money"),
    "break_even_sales": ("Break-even sales", "money"),
    "margin_of_safety": ("Margin of safety", "share"),
    "gross_margin": ("Gross margin", "share"),
    "net_margin": ("Net margin", "share"),
    "current_ratio": ("Current ratio", "line"),
    "quick_ratio": ("Quick ratio", "line"),
    "debt_to_equity": ("Debt to equity", "line"),
    "collateral_coverage": ("Collateral coverage", "line"),
    "loan_to_value": ("Loan to value of collateral", "share"),
    "working_capital_days": ("Working capital cycle, days", "line"),
    "own_share": ("Own share", "share"),
    "lowest_cash": ("Lowest cash", "money"),
    "npv": ("Net present value", "money"),
    "irr": ("Internal rate of return", "share"),
    "mirr": ("Modified internal rate of return", "share"),
    "profitability_index": ("Profitability index", "line"),
    "payback_years": ("Payback, years", "line"),
    "discounted_payback_years": ("Discounted payback, years", "line"),
    "effective_annual_rate": ("Effective annual cost", "share"),
    "schedule": ("Repayment schedule", "line"),
    "number": ("No.", "number"),
    "on": ("Day", "day"),
    "opening": ("Opening cash", "money"),
    "closing": ("Closing cash", "money"),
    "capex": ("Maintenance investment", "money"),
    "tax": ("Tax", "money"),
    "funding": ("Funding", "money"),
    "investment": ("Investment", "money"),
    "sales": ("Sales", "money"),
    "cost_of_sales": ("Cost of sales", "money"),
    "operating_costs": ("Operating costs", "money"),
    "principal": ("Principal", "money"),
    "interest": ("Interest", "money"),
    "due": ("Instalment", "money"),
    "balance": ("Balance", "money"),
}
# Figures that are read by year go across: one column a year.
_ACROSS = {"history.years"}


class Values:
    """Writes values in the reader's language. `pages` has the filters, `finance` the names of the pack's codes."""

    def __init__(self, pages: Pages, finance: Finance, currency: str, locale: str) -> None:
        self.pages, self.currency = pages, currency
        self.purposes = {item.code: item.said(locale) for item in finance.purposes}
        self.labels, self.columns = labels(), columns()
        self.items = {f"{section.name}.{item.name}": item for section in SECTIONS.values() for item in section.items}

    def block(self, name: str, shown: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the fields of a block in order."""
        return [self._field(name, field, value) for field, value in shown.items()]

    def _field(self, block: str, field: str, value: Any) -> dict[str, Any]:
        name = f"{block}.{field}"
        item = self.items.get(name)
        label = self._label(name, field)
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            return {"label": label, "table": self._table(name, field, item, value)}
        if isinstance(item, Series):
            return {"label": f"{label}, {self.currency}", "table": self._series(item, value)}
        if isinstance(value, list):
            written = [self.text(item, field, entry) for entry in value]
            return {"label": label, "text": " · ".join(written) or DASH}
        if name == "request.purpose":
            return {"label": label, "text": self.purposes.get(value, value) or DASH}
        return {"label": label, "text": self.text(item, field, value)}

    def _label(self, name: str, field: str) -> str:
        known = self.labels.get(name) or _COMPUTED.get(field, ("", ""))[0] or field.replace("_", " ").capitalize()
        return say(known).replace("%%", "%")  # gettext ids of templates, where a per cent sign is doubled

    def _table(self, name: str, field: str, item: Any, rows: list[Mapping[str, Any]]) -> dict[str, Any]:
        kinds = {column.name: column for column in item.columns} if isinstance(item, Rows) else {}
        names = self.columns.get(name) or list(rows[0])
        heads = [self._label(f"{field}.{key}", key) for key in names]
        cells = [[self._cell(kinds.get(key), key, row.get(key)) for key in names] for row in rows]
        if any(self._kind(kinds.get(key), key) == "money" for key in names):
            heads[0] = f"{heads[0]} · {self.currency}"
        if name in _ACROSS:
            head, *rest = zip([{"text": head, "num": False} for head in heads], *cells, strict=True)
            return {"head": list(head), "rows": [list(line) for line in rest]}
        return {"head": [{"text": head, "num": cells[0][n]["num"]} for n, head in enumerate(heads)], "rows": cells}

    def _series(self, item: Series, values: list[Any]) -> dict[str, Any]:
        known = list(zip(item.labels, values, strict=False))
        head = [{"text": say(label), "num": True} for label, _ in known]
        return {"head": head, "rows": [[{"text": self._plain(value), "num": True} for _, value in known]]}

    def _cell(self, item: Item | None, key: str, value: Any) -> dict[str, Any]:
        kind = self._kind(item, key)
        text = self.pages.number(value, 2) if kind == "money" else self.text(item, key, value)
        return {"text": text, "num": kind in {"money", "percent", "number", "share"}}

    def text(self, item: Any, key: str, value: Any) -> str:
        """Return one value in words."""
        if value is None or value in ("", []):
            return DASH
        if isinstance(value, bool):
            return say("yes") if value else say("no")
        if isinstance(item, Item) and item.options:
            return say(dict(item.options).get(value, str(value)))
        return self._written(self._kind(item, key), value)

    @staticmethod
    def _kind(item: Any, key: str) -> str:
        return item.kind if isinstance(item, Item) else _COMPUTED.get(key, ("", "line"))[1]

    def _written(self, kind: str, value: Any) -> str:
        if value is None:
            return DASH
        if kind == "money":
            return self.pages.money({"amount": value, "currency": self.currency})
        if kind == "percent":
            return f"{self._plain(value)}\u00a0%"
        if kind == "share":
            return self.pages.percent(value, 2)
        if kind == "day":
            return self.pages.day(value)
        return self._plain(value) if isinstance(value, str) and _numeric(value) and kind == "line" else str(value)

    def _plain(self, value: Any) -> str:
        """Return a number with only the decimals that it needs."""
        whole, _, decimals = str(value).partition(".")
        decimals = decimals.rstrip("0")
        return self.pages.number(f"{whole}.{decimals}" if decimals else whole, len(decimals))


def _numeric(text: str) -> bool:
    """Return whether a text is a number with decimals; tax numbers and years stay as they are."""
    whole, point, decimals = text.removeprefix("-").partition(".")
    return bool(point) and whole.isdecimal() and decimals.isdecimal()
