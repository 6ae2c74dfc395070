"""Indicators: what a report says of them, and how periods and grants come together."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from shared.entity import Part
from shared.errors import Rule
from shared.events.reporting_rules import Dimension, Indicator, Slot
from shared.forms.checking import problem, value_of
from shared.forms.model import Question
from shared.money import Amount

MAX_IDS = 5000
_ID = re.compile(r"[0-9A-Z./-]{4,20}")


class Count(Part):
    """A number, or the numerator and denominator of a percentage."""

    value: Amount
    of: Amount | None = None

    @property
    def percent(self) -> Decimal | None:
        """Return the percentage to one decimal, None of a number or of nothing."""
        return (self.value * 100 / self.of).quantize(Decimal("0.1")) if self.of else None

    def plus(self, other: Count) -> Count:
        """Return both added: of percentages the numerators and the denominators."""
        return Count(value=self.value + other.value, of=None if self.of is None else self.of + (other.of or 0))


class Target(Part):
    """What one grant is to reach, and from where it starts; of a percentage, in per cent."""

    baseline: Amount | None = None
    target: Amount | None = None


class Figure(Part):
    """What a report says of one indicator; `counted` are the marks of the registration numbers that were counted."""

    total: Count
    parts: dict[str, dict[str, Count]] = {}
    note: str = ""
    counted: tuple[str, ...] = ()


def field_names(indicator: Indicator) -> list[str]:
    """Return the names of everything that is asked of an indicator."""
    ask = ["ids"] if indicator.measure == "distinct" else list(indicator.slots)
    own = [f"{indicator.id}.{slot}" for slot in ask]
    parts = [
        f"{indicator.id}.{dimension.id}.{part.id}.{slot}"
        for dimension in indicator.disaggregation
        for part in dimension.parts
        for slot in indicator.slots
    ]
    return [*own, *parts, f"{indicator.id}.note"]


def figure_of(
    indicator: Indicator, entries: Mapping[str, str], before: Count | None
) -> tuple[Figure | None, dict[str, str]]:
    """Return what the entries say of an indicator, or {field: rule} of what is wrong.

    `before` is where an earlier report left it: what is cumulative does not fall without a word.
    """
    wrong: dict[str, str] = {}
    keys: tuple[str, ...] = ()
    note = entries.get(f"{indicator.id}.note", "").strip()
    if indicator.measure == "distinct":
        keys = _keys(indicator, entries, wrong)
        total: Count | None = Count(value=Decimal(len(keys))) if keys or not wrong else None
    else:
        total = _count(indicator, indicator.id, entries, wrong)
    parts = {item.id: _parts(indicator, item, entries, wrong) for item in indicator.disaggregation}
    if total is None or wrong:
        return None, wrong
    for dimension in indicator.disaggregation:
        if rule := _adds_up(total, parts[dimension.id].values()):
            wrong[f"{indicator.id}.{dimension.id}"] = rule
    falls = indicator.periods == "cumulative" and before is not None and total.value < before.value
    if falls and not note and before:
        wrong[f"{indicator.id}.{indicator.slots[0]}"] = Rule(
            "is %(value)s, less than the %(before)s reported before: say why in the note",
            value=total.value,
            before=before.value,
        )
    return (None, wrong) if wrong else (Figure(total=total, parts=parts, note=note, counted=keys), {})


def _keys(indicator: Indicator, entries: Mapping[str, str], wrong: dict[str, str]) -> tuple[str, ...]:
    name = f"{indicator.id}.ids"
    given = [re.sub(r"\s", "", text).upper() for text in re.split(r"[\n,;]", entries.get(name, "")) if text.strip()]
    if odd := next((text for text in given if not _ID.fullmatch(text)), None):
        wrong[name] = Rule("has %(text)s, which is no registration number", text=odd[:40])
    elif len(given) > MAX_IDS:
        wrong[name] = Rule("has %(n)s numbers, at most %(most)s", n=len(given), most=MAX_IDS)
    return tuple(sorted({hashlib.sha256(text.encode()).hexdigest()[:16] for text in given}))


def _count(indicator: Indicator, prefix: str, entries: Mapping[str, str], wrong: dict[str, str]) -> Count | None:
    found: dict[Slot, Decimal] = {}
    for slot in indicator.slots:
        name, text = f"{prefix}.{slot}", entries.get(f"{prefix}.{slot}", "").strip()
        asked = Question(id=slot, kind="number", label={}, required=True, min=Decimal(0), decimals=indicator.decimals)
        if rule := problem(asked, text):
            wrong[name] = rule
        elif (value := value_of(text)) is not None:
            found[slot] = value
    if len(found) < len(indicator.slots):
        return None
    if "denominator" in found and not found["denominator"] and found["numerator"]:
        wrong[f"{prefix}.denominator"] = "must be more than nothing"
        return None
    return Count(value=found.get("value", found.get("numerator", Decimal(0))), of=found.get("denominator"))


def _parts(
    indicator: Indicator, dimension: Dimension, entries: Mapping[str, str], wrong: dict[str, str]
) -> dict[str, Count]:
    counts = {
        part.id: _count(indicator, f"{indicator.id}.{dimension.id}.{part.id}", entries, wrong)
        for part in dimension.parts
    }
    return {name: count for name, count in counts.items() if count is not None}


def _adds_up(total: Count, parts: Iterable[Count]) -> str | None:
    whole = added(parts)
    if whole is None or (whole.value == total.value and whole.of == total.of):
        return None
    if total.of is None:
        return Rule("adds up to %(sum)s, but the total is %(total)s", sum=whole.value, total=total.value)
    return Rule(
        "adds up to %(sum)s of %(of)s, but the total is %(total)s of %(whole)s",
        sum=whole.value,
        of=whole.of,
        total=total.value,
        whole=total.of,
    )


def added(counts: Iterable[Count]) -> Count | None:
    """Return counts added up; None of none."""
    found: Count | None = None
    for count in counts:
        found = count if found is None else found.plus(count)
    return found


def to_date(indicator: Indicator, grants: Sequence[Sequence[Figure]]) -> Figure | None:
    """Return where an indicator stands over some grants, of each its figures in the order of its periods.

    Of one grant, periods are added only where the indicator says so, else the last one counts. Grants are added up;
    whoever was counted in two of them counts once.
    """
    if indicator.measure == "distinct":
        keys = tuple(sorted({key for figures in grants for figure in figures for key in figure.counted}))
        parts = _sum_parts([figure for figures in grants for figure in figures])
        return Figure(total=Count(value=Decimal(len(keys))), counted=keys, parts=parts) if any(grants) else None
    chosen = [figure for figures in grants for figure in (figures if indicator.periods == "add" else figures[-1:])]
    total = added(figure.total for figure in chosen)
    return None if total is None else Figure(total=total, parts=_sum_parts(chosen))


def _sum_parts(figures: Sequence[Figure]) -> dict[str, dict[str, Count]]:
    found: dict[str, dict[str, Count]] = {}
    for figure in figures:
        for dimension, parts in figure.parts.items():
            mine = found.setdefault(dimension, {})
            for name, count in parts.items():
                mine[name] = mine[name].plus(count) if name in mine else count
    return found
