"""Charts of a firm as SVG without script: bars by year, parts of a whole by year, and a diagnostic by section."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from markupsafe import Markup

Number = Callable[[Decimal, int], str]
_WIDTH, _HIGH, _BASE = 300, 84, 112
_BAR = Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="3" fill="{}"><title>{}</title></rect>')


def _text(x: object, y: object, words: str, anchor: str = "middle", fill: str = "currentColor") -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}" fill="{}">{}</text>').format(x, y, anchor, fill, words)


def _svg(width: int, height: int, label: str, parts: list[Markup]) -> Markup:
    frame = Markup('<svg viewBox="0 0 {} {}" width="100%" role="img" aria-label="{}"><g font-size="12">{}</g></svg>')
    return frame.format(width, height, label, Markup().join(parts))


def year_bars(entries: Sequence[tuple[str, Decimal]], label: str, number: Number, places: int = 0) -> Markup:
    """Return a standing bar for each (year, value from zero); the newest in the accent colour."""
    if not entries:
        return Markup()
    top = max(*(value for _, value in entries), Decimal(1))
    step = Decimal(_WIDTH) / len(entries)
    wide = min(step - 8, Decimal(64))
    parts = []
    for index, (year, value) in enumerate(entries):
        middle, high = step * index + step / 2, max(value / top * _HIGH, Decimal(1))
        tone = "var(--accent)" if index == len(entries) - 1 else "var(--soft)"
        said = number(value, places)
        parts += [
            _BAR.format(middle - wide / 2, _BASE - high, wide, high, tone, f"{year}: {said}"),
            _text(f"{middle:.0f}", f"{_BASE - high - 5:.0f}", said),
            _text(f"{middle:.0f}", _BASE + 16, year, fill="var(--soft)"),
        ]
    told = ", ".join(f"{year} {number(value, places)}" for year, value in entries)
    return _svg(_WIDTH, _BASE + 24, f"{label}: {told}", parts)


def share_bars(entries: Sequence[tuple[str, Decimal]], label: str, number: Number) -> Markup:
    """Return a lying bar of 100 per cent for each (name, per cent), filled as far as the share goes."""
    parts = []
    for index, (name, share) in enumerate(entries):
        top, said = index * 40, f"{number(share, 0)} %"
        parts += [
            _text(0, top + 14, name, "start"),
            _text(_WIDTH, top + 14, said, "end"),
            _BAR.format(0, top + 20, _WIDTH, 10, "var(--line)", name),
            _BAR.format(0, top + 20, max(share / 100 * _WIDTH, Decimal(1)), 10, "var(--accent)", f"{name}: {said}"),
        ]
    told = ", ".join(f"{name} {number(share, 0)} %" for name, share in entries)
    return _svg(_WIDTH, max(len(entries) * 40, 1), f"{label}: {told}", parts) if entries else Markup()
