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
