"""Charts as SVG without script: debt service cover by year, and cash by month."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from markupsafe import Markup

_WIDTH = 620
_SPAN = Decimal(110)  # height that the largest value takes


def _text(x: object, y: object, words: str, anchor: str = "middle", fill: str = "currentColor") -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}" fill="{}">{}</text>').format(x, y, anchor, fill, words)


def _svg(height: int, label: str, parts: list[Markup]) -> Markup:
    frame = Markup('<svg viewBox="0 0 {} {}" width="100%" role="img" aria-label="{}"><g font-size="12">{}</g></svg>')
    return frame.format(_WIDTH, height, label, Markup().join(parts))


# `number` writes a number with so many decimals in the reader's language.
def cover_chart(  # noqa: PLR0917 - what a chart says
    covers: Sequence[Decimal | None],
    floor: Decimal,
    label: str,
    year: str,
    floor_word: str,
    number: Callable[[Decimal, int], str],
) -> Markup:
    """Return bars of debt service cover by year against a floor; years without a figure stay empty."""
    known = [cover for cover in covers if cover is not None]
    if not known:
        return Markup()
    base, scale = 150, _SPAN / max(*known, floor, Decimal(1))
    parts, step = [], 500 // len(covers)
    for index, cover in enumerate(covers):
        left = 90 + index * step + (step - 90) // 2
        parts.append(_text(left + 45, base + 22, f"{year} {index + 1}", fill="var(--soft)"))
        if cover is None:
            continue
        high = max(round(cover * scale), 0)
        tone = "var(--accent)" if cover >= floor else "var(--bad)"
        bar = Markup('<rect x="{}" y="{}" width="90" height="{}" rx="4" fill="{}"/>')
        parts += [bar.format(left, base - high, high, tone), _text(left + 45, base - high - 8, number(cover, 2))]
    line = base - round(floor * scale)
    dash = Markup('<path d="M90 {}H600" stroke="var(--bad)" stroke-dasharray="4 4" fill="none"/>')
    parts += [dash.format(line), _text(0, line + 4, f"{floor_word} {number(floor, 2)}", "start", "var(--bad)")]
    parts.append(Markup('<path d="M90 150H600" stroke="var(--line)" fill="none"/>'))
    return _svg(182, label, parts)


def cash_chart(closings: Sequence[tuple[str, Decimal]], label: str, number: Callable[[Decimal, int], str]) -> Markup:
    """Return cash at the end of each month as bars from zero; months below zero go down in another colour."""
    if not closings:
        return Markup()
    values = [value for _, value in closings]
    top, bottom = max(*values, Decimal(0)), min(*values, Decimal(0))
    scale = Decimal(130) / ((top - bottom) or 1)
    zero, width = 20 + round(top * scale), Decimal(530) / len(values)
    parts = []
    for index, (month, value) in enumerate(closings):
        left, high = 88 + index * width, abs(round(value * scale))
        y = zero - high if value >= 0 else zero
        tone = "var(--accent)" if value >= 0 else "var(--bad)"
        bar = Markup(
            '<rect x="{:.1f}" y="{}" width="{:.1f}" height="{}" rx="1.5" fill="{}"><title>{}: {}</title></rect>'
        )
        parts.append(bar.format(left, y, width - 3, max(high, 1), tone, month, number(value, 2)))
        if index % 6 == 0:
            parts.append(_text(f"{left:.1f}", 176, month, "start", "var(--soft)"))
    parts += [_text(80, 26, number(top, 0), "end", "var(--soft)"), _text(80, zero + 4, "0", "end", "var(--soft)")]
    if bottom < 0:
        parts.append(_text(80, 154, number(bottom, 0), "end", "var(--bad)"))
    parts.append(Markup('<path d="M88 {}H618" stroke="var(--line)" fill="none"/>').format(zero))
    return _svg(182, label, parts)


def cost_chart(entries: Sequence[tuple[str, Decimal]], label: str, number: Callable[[Decimal, int], str]) -> Markup:
    """Return a lying bar for each (name, amount), the lowest in the accent colour."""
    least, most = min(amount for _, amount in entries), max(amount for _, amount in entries) or Decimal(1)
    parts = []
    for index, (name, amount) in enumerate(entries):
        top, tone = index * 46, "var(--accent)" if amount == least else "var(--soft)"
        bar = Markup('<rect x="0" y="{}" width="{}" height="16" rx="4" fill="{}"/>')
        parts += [
            _text(0, top + 14, name, "start"),
            _text(_WIDTH, top + 14, number(amount, 2), "end"),
            bar.format(top + 20, max(round(amount / most * _WIDTH), 2), tone),
        ]
    return _svg(
        len(entries) * 46, f"{label}: " + ", ".join(f"{name} {number(amount, 2)}" for name, amount in entries), parts
    )


def usage_bar(
    parts: Sequence[tuple[str, Decimal, str]], whole: Decimal, label: str, number: Callable[[Decimal, int], str]
) -> Markup:
    """Return one bar of a whole, filled by (name, amount, tone) from the left; what is over is free.

    It has no words of its own, so that it can be as narrow as a telephone: a legend beside it says the sums.
    """
    drawn, left = [Markup('<rect width="620" height="18" rx="4" fill="var(--wash)" stroke="var(--line)"/>')], Decimal(0)
    for name, amount, tone in parts:
        wide = min(amount / whole * _WIDTH, _WIDTH - left) if whole else Decimal(0)
        bar = Markup('<rect x="{:.1f}" width="{:.1f}" height="18" rx="4" fill="var(--{})"><title>{}: {}</title></rect>')
        if wide > 0:
            drawn.append(bar.format(left, max(wide, Decimal(2)), tone, name, number(amount, 2)))
        left += wide
    said = f"{label}: " + ", ".join(f"{name} {number(amount, 2)}" for name, amount, _ in parts)
    frame = Markup(
        '<svg viewBox="0 0 {} 18" width="100%" height="18" preserveAspectRatio="none" role="img"'
        ' aria-label="{}">{}</svg>'
    )
    return frame.format(_WIDTH, said, Markup().join(drawn))


_TONES = ("var(--accent)", "var(--bad)", "var(--warn)")
_LEFT, _BASE, _HIGH = 88, 150, 120


def share_chart(
    points: Sequence[tuple[str, dict[str, Decimal | None]]],
    names: dict[str, str],
    label: str,
    number: Callable[[Decimal, int], str],
) -> Markup:
    """Return a line a share over months, from zero; what is not known leaves a gap. `names` are the lines' words."""
    known = [value for _, values in points for value in values.values() if value is not None]
    if not known:
        return Markup()
    top, step = max(*known, Decimal("0.05")), Decimal(500) / max(len(points) - 1, 1)
    parts = [Markup('<path d="M88 150H618" stroke="var(--line)" fill="none"/>')]
    parts += [
        _text(80, 154, "0", "end", "var(--soft)"),
        _text(80, 34, f"{number(top * 100, 1)} %", "end", "var(--soft)"),
    ]
    for index, (month, _) in enumerate(points):
        if index % max(len(points) // 6, 1) == 0:
            anchor = "middle" if index else "start"
            parts.append(_text(f"{_LEFT + index * step:.0f}", 172, month, anchor, "var(--soft)"))
    for place, (name, words) in enumerate(names.items()):
        seen = [
            (_LEFT + index * step, _BASE - value / top * _HIGH, f"{words}, {month}: {number(value * 100, 1)} %")
            for index, (month, values) in enumerate(points)
            if (value := values.get(name)) is not None
        ]
        parts += _line(place, words, seen)
    return _svg(204, label, parts)


def _line(place: int, words: str, seen: list[tuple[Decimal, Decimal, str]]) -> list[Markup]:
    """Return one line with a dot a month, and its word below the picture."""
    tone, left = _TONES[place % len(_TONES)], _LEFT + place * 110
    path = " ".join(f"{'L' if index else 'M'}{x:.0f} {y:.1f}" for index, (x, y, _) in enumerate(seen))
    dashes = Markup(' stroke-dasharray="{}"').format(place * 4) if place else Markup()
    parts = [Markup('<path d="{}" stroke="{}" stroke-width="2" fill="none"{}/>').format(path, tone, dashes)]
    dot = Markup('<circle cx="{:.0f}" cy="{:.1f}" r="3.5" fill="{}"><title>{}</title></circle>')
    parts += [dot.format(x, y, tone, said) for x, y, said in seen]
    parts.append(Markup('<rect x="{}" y="188" width="14" height="4" fill="{}"/>').format(left, tone))
    return [*parts, _text(left + 19, 194, words, "start")]
